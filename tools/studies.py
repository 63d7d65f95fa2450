"""Make what is too long for a page: tables of many seeds, folds and settings, and trained models.

python -m tools.studies                    make what is missing in data/tables/ and data/models/ (`make models`)
python -m tools.studies rating_search      make these anew

data/README.md says what each holds and how its settings were chosen. A page reruns one member of a table live and
compares; the tests recompute some of every table.
"""

import hashlib
import itertools
import sys
import time
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from helpers import asking, data, fetch, language, models, recipes, stored
from helpers.errors import CourseError
from tools.rating_studies import RATING_STUDIES, Member, movielens

# Lists: settings chosen on each user's last four interactions in training


def list_search(*, model: str, seed: int, last_but: int, **settings: float | None) -> dict[str, float]:
    """A list model asked for an interaction of training: 1, the last one; 2, the one before; and so on."""
    fit, _ = data.split_leave_last_out(movielens().table)
    for _ in range(last_but):
        fit, validation = data.split_leave_last_out(fit)
    asked = {name: value for name, value in settings.items() if value is not None}
    scores = recipes.list_scores(model, data.interactions(fit, movielens().shape), seed=seed, **asked)
    return {"ndcg10_validation": float(recipes.list_quality(scores, fit, validation)["ndcg"].mean())}


def _list_members() -> Iterable[Member]:
    blank = dict.fromkeys(("model", "ridge", "neighbours", "shrink", "dim", "lr", "factors"))
    tried: list[Member] = [{"model": "popularity"}]
    tried += [{"model": "EASE", "ridge": ridge} for ridge in (25.0, 50.0, 100.0, 150.0, 200.0, 400.0)]
    for neighbours, shrink in itertools.product((5, 10, 20, 50, 100, 200), (0.0, 10.0, 50.0)):
        tried.append({"model": "item-kNN", "neighbours": neighbours, "shrink": shrink})
    for kind, dim, lr, factors in itertools.product(recipes.TRAINED, (64, 128), (0.03, 0.05, 0.1), (0.5, 1.0, 1.5)):
        tried.append({"model": kind, "dim": dim, "lr": lr, "factors": factors})
    for settings, last_but in itertools.product(tried, (1, 2, 3, 4)):
        for seed in range(3 if settings["model"] in recipes.TRAINED else 1):
            yield {**blank, **settings, "last_but": last_but, "seed": seed}


# Transformers


def sequence_models(*, seed: int, **options: Any) -> dict[str, float]:
    """A transformer on each user's last item: lists from histories as they are, and shuffled."""
    train, test = data.split_leave_last_out(movielens().table)
    model, _ = recipes.train_transformer(train, movielens().shape, seed=seed, **options)
    known = data.histories(train, movielens().shape[0])
    quality = recipes.sequence_quality(model, known, train, test)
    mixed = recipes.sequence_quality(model, recipes.shuffled(known, seed), train, test)
    figures = {"hr10": quality["hr"], "ndcg10": quality["ndcg"], "ndcg10_shuffled": mixed["ndcg"]}
    return {name: float(values.mean()) for name, values in figures.items()}


def sequence_validation(*, seed: int, **options: Any) -> dict[str, float]:
    """The same, trained without each user's last item in training and asked for it."""
    train, _ = data.split_leave_last_out(movielens().table)
    shorter, validation = data.split_leave_last_out(train)
    _, curve = recipes.train_transformer(shorter, movielens().shape, seed=seed, **options, validation=validation)
    ndcg = 1 - np.array(curve.validation)
    return {"ndcg10_validation": float(ndcg[-1]), "ndcg10_best_epoch": float(ndcg.max())}


LONG, DROPOUT = recipes.LONG, recipes.DROPOUT
SHORT_GPT = {"architecture": "GPT", "epochs": 12, "anew": False, "dropout": DROPOUT["GPT"]}
LONG_GPT, LONG_BERT = ({"architecture": name, **LONG, "dropout": drop} for name, drop in DROPOUT.items())


def _seeds(options: Member, number: int, **more: Any) -> list[Member]:
    return [{"architecture": options["architecture"], **more, **options, "seed": seed} for seed in range(number)]


# A language model as a ranker


@cache
def _questions() -> tuple[language.Language, list[asking.Question], np.ndarray]:
    return language.load_llm(), asking.questions(movielens()), asking.fame(movielens())


def ranks(llm: language.Language, titles: list[str], question: asking.Question, number: np.ndarray) -> dict[str, int]:
    """Places of the wanted film among 20, by prompt, by score and by kind of negatives. Shapes: number (items,)"""
    asked = np.array([question.wanted, *question.others["any"], *question.others["as famous"]])
    answers = [f"{titles[item]}\n" for item in asked]
    mixed = np.random.default_rng(question.user).permutation(question.known)
    prompts: dict[str, Any] = {
        "0 films": [],
        "3 films": question.known[-3:],
        "8 films": question.known,
        "shuffled": mixed,
    }
    prompts["stranger"] = question.stranger
    scores = {}
    for name, codes in prompts.items():
        prompt = asking.liked_prompt([titles[code] for code in codes])
        scores[name], tokens = language.log_likelihood(llm, prompt, answers)
    scores["per token"] = scores["8 films"] / tokens
    scores["minus prior"] = scores["8 films"] - scores["0 films"]
    scores["popularity"] = number[asked]
    rivals = asking.CANDIDATES - 1
    rows = {"any": np.arange(1 + rivals), "as famous": np.r_[0, 1 + rivals : 1 + 2 * rivals]}
    return {f"{name}, {kind}": asking.rank(s[rows[kind]]) for kind in rows for name, s in scores.items()}


def shares(chosen: np.ndarray, name: str) -> dict[str, float]:
    """How often each place was picked. Shapes: chosen (5,), places from 0"""
    return {f"{name} {place + 1}": float((chosen == place).mean()) for place in range(asking.LISTED)}


def llm_ranking(*, number: int) -> dict[str, float]:
    """The LLM asked about one user."""
    llm, asked, known_by = _questions()
    question, titles = asked[number], movielens().items["title"].tolist()
    known = [titles[code] for code in question.known]
    listed = [titles[code] for code in question.candidates("any")[: asking.LISTED]]
    by_title = asking.picks(llm, known, listed)
    by_number = asking.picks(llm, known, listed, numbered=True)
    films = (by_title - np.arange(asking.LISTED)) % asking.LISTED  # with shift k, film f stands at place f + k
    own = {"picks of the wanted film": float((films == 0).mean()), "films picked": len(set(films.tolist()))}
    return ranks(llm, titles, question, known_by) | shares(by_title, "place") | shares(by_number, "number") | own


@cache
def year_films() -> dict[str, np.ndarray]:
    """150 films of the nineties each, from the 200 best known of them and from those with five ratings or fewer."""
    known_by = asking.fame(movielens())
    of_years = np.flatnonzero(movielens().items["year"].isin(asking.YEARS))
    ordered = of_years[np.argsort(-known_by[of_years], kind="stable")]
    pools = {"well known": ordered[:200], "hardly known": ordered[known_by[ordered] <= 5]}
    return {kind: np.random.default_rng(7).permutation(pool)[:150] for kind, pool in pools.items()}


def llm_years(*, kind: str, number: int) -> dict[str, int]:
    """The year in which the LLM says that one film was first shown."""
    llm, *_ = _questions()
    film = movielens().items.loc[year_films()[kind][number]]
    prompt = f'The film "{film["title"]}" was first shown in the year'
    scores, _ = language.log_likelihood(llm, prompt, [f" {year}" for year in asking.YEARS])
    return {"year": int(film["year"]), "said": asking.YEARS[int(scores.argmax())]}


# Making tables

STUDIES: dict[str, tuple[Callable[..., dict], list[Member]]] = {
    **RATING_STUDIES,
    "list_search": (list_search, list(_list_members())),
    "sequence_models": (
        sequence_models,
        _seeds(SHORT_GPT, 5, loss="all items")
        + _seeds(LONG_GPT, 5, loss="all items")
        + _seeds(LONG_GPT, 3, loss="1 negative")
        + _seeds(LONG_BERT, 3, loss="all items"),
    ),
    "sequence_validation": (sequence_validation, _seeds(SHORT_GPT, 3) + _seeds(LONG_GPT, 5) + _seeds(LONG_BERT, 3)),
    "llm_ranking": (llm_ranking, [{"number": number} for number in range(asking.USERS)]),
    "llm_years": (
        llm_years,
        [{"kind": kind, "number": k} for kind in ("well known", "hardly known") for k in range(150)],
    ),
}


def make_table(name: str) -> Path:
    """Compute all members of a study, and write its table whole."""
    compute, members = STUDIES[name]
    rows = [{**member, **compute(**member)} for member in tqdm(members, desc=name, disable=None)]
    path = stored.TABLES / f"{name}.csv"
    with fetch.written_whole(path) as half:
        pd.DataFrame(rows).to_csv(half, index=False, float_format="%.5f", lineterminator="\n")
    return path


# Making trained models


def planted_model(rule: str, seed: int) -> tuple[models.SequenceTransformer, dict]:
    """A GPT that has learned a planted rule, and its card."""
    model, curve = recipes.learn_rule(rule, seed=seed)
    about = f"A GPT with two blocks that has learned the planted rule '{rule}' (notebook 06, section 6.4), seed {seed}."
    figures = {"accuracy": 1 - min(curve.validation)}
    return model, {"about": about, "chosen": "Seeds 0, 1 and 2 are all kept.", "figures": figures, "data": "planted"}


def movielens_model(architecture: str, place: int) -> tuple[models.SequenceTransformer, dict]:
    """A transformer over histories, of the seed in this place on validation, and its card."""
    judged = stored.table("sequence_validation").query("architecture == @architecture and epochs == 40")
    best = judged.sort_values("ndcg10_validation", ascending=False).iloc[place - 1]
    train, test = data.split_leave_last_out(movielens().table)
    options: Member = {
        "architecture": architecture,
        **LONG,
        "dropout": DROPOUT[architecture],
        "seed": int(best["seed"]),
    }
    model, _ = recipes.train_transformer(train, movielens().shape, **options)
    quality = recipes.sequence_quality(model, data.histories(train, movielens().shape[0]), train, test).mean()
    which = "best" if place == 1 else f"in place {place}"
    card = {
        "about": f"A {architecture} over histories of MovieLens-100K, 40 epochs (notebook 06, section 6.5), trained on "
        "all but each user's last item.",
        "chosen": f"The seed {which} on validation in data/tables/sequence_validation.csv, whatever its test figure.",
        "figures": {
            "seed": int(best["seed"]),
            "ndcg10_validation": best["ndcg10_validation"],
            "hr10": quality["hr"],
            "ndcg10": quality["ndcg"],
        },
        "data": data_hash(),
    }
    return model, card


def data_hash() -> str:
    """SHA-256 of MovieLens-100K as it was trained on: user, item, rating, timestamp as float64."""
    table = np.ascontiguousarray(movielens().table.to_numpy(dtype=np.float64))
    return hashlib.sha256(table.tobytes()).hexdigest()


TRAININGS: dict[str, Callable[[], tuple[models.SequenceTransformer, dict]]] = {
    **{
        f"planted-{rule}-{seed}": partial(planted_model, rule, seed)
        for rule in ("trigger", "marker")
        for seed in range(3)
    },
    "gpt-movielens": partial(movielens_model, "GPT", 1),
    "gpt-movielens-2": partial(movielens_model, "GPT", 2),
    "gpt-movielens-3": partial(movielens_model, "GPT", 3),
    "bert-movielens": partial(movielens_model, "BERT", 1),
}


def make_model(name: str) -> Path:
    """Train a model, and write it whole, its card inside: what it is, how chosen, its figures, its data."""
    begun = time.perf_counter()
    model, card = TRAININGS[name]()
    card["made_by"] = f"PyTorch {torch.__version__.split('+')[0]}"
    card["seconds"] = round(time.perf_counter() - begun)
    path = stored.MODELS / f"{name}.safetensors"
    stored.write(path, model, card)
    return path


def main(names: list[str]) -> int:
    """Make what is named anew, or all that is missing."""
    known = {name: (stored.TABLES / f"{name}.csv", make_table) for name in STUDIES}
    known |= {name: (stored.MODELS / f"{name}.safetensors", make_model) for name in TRAININGS}
    try:
        for name in names or known:
            path, make = known[recipes.known("table or trained model", name, list(known))]
            print(f"{name}: {make(name) if names or not path.is_file() else 'is there'}", flush=True)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
