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

from helpers import asking, data, fetch, language, metrics, models, recipes, stored
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


# Order


def order_search(*, model: str, slow: float, fast: float | None, ridge: float, last_but: int) -> dict[str, float]:
    """A model of order without a transformer, asked for an interaction of training: 1, the last one; and so on."""
    fit, _ = data.split_leave_last_out(movielens().table)
    for _ in range(last_but):
        fit, validation = data.split_leave_last_out(fit)
    n_users, n_items = movielens().shape
    decays = (slow,) if fast is None else (slow, fast)
    scores = recipes.order_scores(model, data.histories(fit, n_users), n_items, decays=decays, ridge=ridge)
    return {"ndcg10_validation": float(recipes.list_quality(scores, fit, validation)["ndcg"].mean())}


def _order_members() -> Iterable[Member]:
    ease, one, two = recipes.LINEAR
    decays = (1.0, 0.98, 0.95, 0.93, 0.9, 0.85, 0.8, 0.7)
    tried: list[Member] = [{"model": ease, "slow": decay, "fast": None, "ridge": 100.0} for decay in decays]
    for decay, ridge in itertools.product(decays, (30.0, 100.0, 300.0)):
        tried.append({"model": one, "slow": decay, "fast": None, "ridge": ridge})
    pairs = [*itertools.product((0.99, 0.98, 0.95), (0.8, 0.7, 0.5), (100.0,))]
    pairs += itertools.product((0.98,), (0.8, 0.7, 0.5), (30.0, 300.0))
    for slow, fast, ridge in pairs:
        tried.append({"model": two, "slow": slow, "fast": fast, "ridge": ridge})
    for settings, last_but in itertools.product(tried, (1, 2, 3)):
        yield {**settings, "last_but": last_but}


# Transformers


@cache
def _last_out() -> tuple[pd.DataFrame, pd.DataFrame, list[np.ndarray], np.ndarray]:
    """Training rows, test rows, histories, and what is seen (users, items)."""
    train, test = data.split_leave_last_out(movielens().table)
    return train, test, data.histories(train, movielens().shape[0]), data.interactions(train, movielens().shape)


def _kept(stem: str, table: pd.DataFrame, seed: int, **options: Any) -> models.SequenceTransformer:
    """A GPT of 40 epochs on another table than all of training: from the cache, or trained now."""

    def train() -> tuple[models.SequenceTransformer, dict[str, Any]]:
        """The model and its card."""
        settings = {"dropout": recipes.DROPOUT["GPT"], **recipes.LONG, **options}
        model, _ = recipes.train_transformer(table, movielens().shape, seed=seed, **settings)
        return model, {"about": f"{stem}, for data/tables/sequence_places.csv."}

    stored.keep(stem, train)
    return recipes.trained(stem)


def _in_drawn_order(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The same interactions, those of each user in an order drawn at random."""
    return table.assign(timestamp=np.random.default_rng(seed).permutation(len(table)))


def _scores(model: models.SequenceTransformer, histories: list[np.ndarray]) -> np.ndarray:
    return recipes.sequence_scores(model, histories)(np.arange(len(histories)))


@cache
def _linear(kind: str, last_but: int = 0) -> np.ndarray:
    """(users, items), by a model without a transformer; with `last_but`, without so many last items in training."""
    fit = _last_out()[0]
    for _ in range(last_but):
        fit, _ = data.split_leave_last_out(fit)
    if kind in recipes.LINEAR:
        return recipes.order_scores(kind, data.histories(fit, movielens().shape[0]), movielens().shape[1])
    settings: Member = {"ridge": recipes.EASE_RIDGE} if kind == "EASE" else {}
    return recipes.list_scores(kind, data.interactions(fit, movielens().shape), **settings)


@cache
def _of_transformer(model: str, number: int, *, shuffled: bool = False) -> np.ndarray:
    """(users, items), by a transformer of 40 epochs."""
    train, _, histories, _ = _last_out()
    if model in recipes.ARCHITECTURES:
        trained = recipes.model(f"{model.lower()}-movielens", number)
    elif model == "GPT, one negative":
        trained = _kept(f"gpt-negative-{number}", train, recipes.FRESH + number, loss="1 negative")
    else:
        trained = _kept(f"gpt-shuffled-{number}", _in_drawn_order(train, number), recipes.FRESH + number)
    return _scores(trained, recipes.shuffled(histories, number) if shuffled else histories)


PARTS = 6  # of the users, in the order of their last interaction, where training ends before each part


def _past_only(model: str, number: int) -> np.ndarray:
    """(users, items), each part of the users by a model of what came before the first of their last interactions."""
    train, test, histories, _ = _last_out()
    when, users = test["timestamp"].to_numpy(), test["user"].to_numpy()
    n_users, n_items = movielens().shape
    scores = np.zeros((n_users, n_items))
    for part, places in enumerate(np.array_split(np.argsort(when, kind="stable"), PARTS)):
        past, asked = train[train["timestamp"] < when[places].min()], users[places]
        of_asked = [histories[user] for user in asked]
        before = data.histories(past, n_users)
        if model == "GPT":
            trained = _kept(f"gpt-past-{part}-{number}", past, recipes.FRESH + number)
            scores[asked] = _scores(trained, of_asked)
        elif model in recipes.LINEAR:
            scores[asked] = recipes.order_scores(model, before, n_items, asked=of_asked)
        else:
            weights = models.ease_weights(data.interactions(past, movielens().shape), ridge=recipes.EASE_RIDGE)
            scores[asked] = models.faded(of_asked, n_items, (1.0,)) @ weights
    return scores


def _together(model: str, number: int) -> np.ndarray:
    """(users, items), by standardised scores added up: of three GPTs, or of a GPT and a model without a network."""
    seen, names = _last_out()[3], range(number, number + (3 if "three" in model else 1))
    gpts = np.mean([recipes.standardised(_of_transformer("GPT", n), seen) for n in names], axis=0)
    partner = {"GPT + linear": "linear, two decays", "GPT + EASE": "EASE"}.get(model)
    if partner is None:
        return gpts
    return recipes.GPT_SHARE[partner] * gpts + recipes.standardised(_linear(partner), seen)


def blend_search(*, partner: str, share: float, number: int) -> dict[str, float]:
    """A GPT and a model without a network, both without each user's last item in training, added and asked for it."""
    fit, validation = data.split_leave_last_out(_last_out()[0])
    histories, seen = data.histories(fit, movielens().shape[0]), data.interactions(fit, movielens().shape)
    scores = _linear(partner, last_but=1)
    if share:
        gpt = _scores(_kept(f"gpt-validation-{number}", fit, recipes.FRESH + number), histories)
        scores = share * recipes.standardised(gpt, seen) + recipes.standardised(scores, seen)
    return {"ndcg10_validation": float(recipes.list_quality(scores, fit, validation)["ndcg"].mean())}


def _blend_members() -> Iterable[Member]:
    for partner, number in itertools.product(("linear, two decays", "EASE"), range(2)):
        for share in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0):
            yield {"partner": partner, "share": share, "number": number}


def sequence_places(*, model: str, histories: str, number: int) -> dict[str, int]:
    """The place that a model gives to each user's last item among all unseen ones."""
    _, test, _, seen = _last_out()
    if histories == "past only":
        scores = _past_only(model, number)
    elif "+" in model or "three" in model:
        scores = _together(model, number)
    elif model.startswith(recipes.ARCHITECTURES):
        scores = _of_transformer(model, number, shuffled=histories == "shuffled")
    else:
        scores = _linear(model)
    users, wanted = test["user"].to_numpy(), test["item"].to_numpy()
    found = np.ceil(metrics.places(scores, users, wanted, seen)).astype(int)
    return {f"user {user}": int(place) for user, place in zip(users, found, strict=True)}


STORED, TEN = range(3), range(3, 13)  # the three that were chosen on validation, and ten that were not


def _place_members() -> Iterable[Member]:
    fixed = ("popularity", "EASE", *recipes.LINEAR)
    asked: list[tuple[str, str, Iterable[int]]] = [(model, "as they are", [0]) for model in fixed]
    asked += [("GPT", "as they are", [*STORED, *TEN]), ("GPT", "shuffled", TEN), ("BERT", "as they are", TEN)]
    asked += [
        ("GPT + linear", "as they are", TEN),
        ("GPT + EASE", "as they are", TEN),
        ("three GPTs", "as they are", [0, 3, 6, 9]),
    ]
    asked += [("GPT, one negative", "as they are", STORED), ("GPT, trained shuffled", "as they are", STORED)]
    asked += [(model, "past only", [0]) for model in ("EASE", *recipes.LINEAR, "GPT")]
    for model, histories, numbers in asked:
        for number in numbers:
            yield {"model": model, "histories": histories, "number": number}


def sequence_validation(*, seed: int, **options: Any) -> dict[str, float]:
    """A transformer trained without each user's last item in training and asked for it."""
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


# Planted rules


def one_block(*, rule: str, dim: int, heads: int, n: int, epochs: int, seed: int) -> dict[str, float]:
    """A single block on a planted rule: share of right answers on new histories, after its best epoch."""
    _, curve = recipes.learn_rule(rule, layers=1, dim=dim, heads=heads, epochs=epochs, n=n, seed=seed)
    return {"right": 1 - min(curve.validation)}


def _block_members() -> Iterable[Member]:
    sizes = ({"dim": 32, "heads": 2, "n": 6000, "epochs": 10}, {"dim": 96, "heads": 12, "n": 20_000, "epochs": 24})
    for rule, size, seed in itertools.product(("marker", "twins"), sizes, range(3)):
        yield {"rule": rule, **size, "seed": seed}


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


RERANKED = 20  # the first films of a list that the LLM puts in an order of its own


def llm_rerank(*, source: str, number: int) -> dict[str, int]:
    """Place of a user's last film among the first of a list, in orders that the LLM has more or less to say in; or 0.

    `list` is the order as it was, `llm` by the title's log-likelihood after the user's liked films, `no history` after
    none, `minus prior` by their difference; `even` and `quarter` add the first two, standardised, 1 to 1 and 4 to 1.
    """
    train, test, _, seen = _last_out()
    user, wanted = (int(test[name].iloc[number]) for name in ("user", "item"))
    scores = _scores_of(source)[user]
    listed = np.argsort(-np.where(seen[user] > 0, -np.inf, scores), kind="stable")[:RERANKED]
    ways = ("list", "llm", "no history", "minus prior", "even", "quarter")
    if wanted not in listed:
        return dict.fromkeys(ways, 0)
    llm, titles = _questions()[0], movielens().items["title"].tolist()
    liked = train[(train["user"] == user) & train.index.isin(movielens().liked().index)]
    told = liked.sort_values("timestamp", kind="stable")["item"].tolist()[-asking.HISTORY :]
    answers = [f"{titles[item]}\n" for item in listed]
    liked_titles = [titles[item] for item in told]
    after, _ = language.log_likelihood(llm, asking.liked_prompt(liked_titles), answers)
    prior, _ = language.log_likelihood(llm, asking.liked_prompt([]), answers)
    first, second = ((values - values.mean()) / values.std() for values in (scores[listed], after))
    ranked = (first, after, prior, after - prior, first + second, 4 * first + second)
    at = int(np.flatnonzero(listed == wanted)[0])
    return {way: 1 + int((values > values[at]).sum()) for way, values in zip(ways, ranked, strict=True)}


@cache
def _scores_of(source: str) -> np.ndarray:
    return _of_transformer("GPT", TEN[0]) if source == "GPT" else _linear(source)


# Making tables

STUDIES: dict[str, tuple[Callable[..., dict], list[Member]]] = {
    **RATING_STUDIES,
    "list_search": (list_search, list(_list_members())),
    "sequence_validation": (sequence_validation, _seeds(SHORT_GPT, 3) + _seeds(LONG_GPT, 5) + _seeds(LONG_BERT, 3)),
    "order_search": (order_search, list(_order_members())),
    "blend_search": (blend_search, list(_blend_members())),
    "sequence_places": (sequence_places, list(_place_members())),
    "one_block": (one_block, list(_block_members())),
    "llm_ranking": (llm_ranking, [{"number": number} for number in range(asking.USERS)]),
    "llm_rerank": (
        llm_rerank,
        [{"source": source, "number": k} for source in ("linear, two decays", "GPT") for k in range(943)],
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


def planted_model(rule: str, place: int) -> tuple[models.SequenceTransformer, dict]:
    """A GPT that has learned a planted rule, and its card."""
    seed = place if place < 3 else recipes.FRESH + place  # the seed that `recipes.model` would train it with
    model, curve = recipes.learn_rule(rule, seed=seed)
    about = f"A GPT with two blocks that has learned the planted rule '{rule}' (notebook 06, section 6.8), seed {seed}."
    figures = {"accuracy": 1 - min(curve.validation)}
    return model, {"about": about, "chosen": "All ten are kept.", "figures": figures, "data": "planted"}


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
        "about": f"A {architecture} over histories of MovieLens-100K, 40 epochs (notebook 06, section 6.7), trained on "
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
        f"planted-{rule}-{place}": partial(planted_model, rule, place)
        for rule in ("trigger", "marker")
        for place in range(10)  # as many as the pages look at
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
