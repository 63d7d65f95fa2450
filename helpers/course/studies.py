"""Studies too long for a page: many seeds, folds and settings, kept as small tables with a card.

They are made by `make models` (helpers/course/references.py). A study is a list of members, each a few parameters and
a seed. Finished members survive an interruption. A page reruns one member live and compares; the tests recompute some
of every table.
"""

import hashlib
import itertools
import json
import os
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from helpers import data, factorization, metrics, models, training
from helpers.course import language_studies, sequence_studies, sources
from helpers.course.errors import CourseError

FOLDER = sources.DATA / "models"
Member = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """What a table holds: its members, how one is computed, and what its card says."""

    about: str
    members: tuple[Member, ...]
    compute: Callable[..., dict[str, float]]
    chosen: str


# Ratings: settings chosen on a validation cut, and five folds

RATING_MODELS = ("biases", "NeuMF", "dot product", "with attributes")
NEUMF = training.Settings(epochs=12, lr=0.01, decay={"factors": 2.0, "network": 0.1, "output": 0.1})


@cache
def _movielens() -> data.Ratings:
    return data.load_ratings("movielens-100k")


def fold(table: pd.DataFrame, k: int, seed: int = 42) -> data.Split:
    """Train and test of fold k of five; fold 0 is `data.split_random` with the same seed."""
    perm = np.random.default_rng(seed).permutation(len(table))
    test = np.array_split(perm, 5)[k]
    return table.iloc[np.setdiff1d(perm, test, assume_unique=True)] if k else table.iloc[perm[len(test) :]], (
        table.iloc[test]
    )


def rating_model(
    kind: str, ratings: data.Ratings, *, dim: int | None = None, mean: float, seed: int
) -> tuple[torch.nn.Module, training.Settings]:
    """A model of notebook 04 and the settings it is trained with."""
    if kind == "NeuMF":
        return models.NeuMF(*ratings.shape, dim or 16, mean=mean, seed=seed), NEUMF
    if "attributes" in kind:
        return attribute_model(kind, ratings, dim=dim or 64, mean=mean, seed=seed), training.Settings()
    return models.DotProduct(*ratings.shape, dim or 64, mean=mean, seed=seed), training.Settings()


def attribute_model(kind: str, ratings: data.Ratings, *, dim: int, mean: float, seed: int) -> models.FeatureDotProduct:
    """A dot product with attributes, or one of its controls: "attributes shuffled" and "attributes as biases"."""
    features = [torch.tensor(part) for part in data.attributes(ratings)]
    if kind == "attributes shuffled":  # everyone gets the attributes of somebody else
        with models.seeded(1_000 + seed):
            features = [part[torch.randperm(len(part))] for part in features]
    model = models.FeatureDotProduct(*features, dim, mean=mean, seed=seed)
    if kind == "attributes as biases":  # vectors do not move: their effects are 0 and have no slope
        for effect in (model.user_effect, model.item_effect):
            only_bias = torch.zeros_like(effect)
            only_bias[:, -1] = 1
            effect.data *= only_bias
            effect.register_hook(lambda slope, keep=only_bias: slope * keep)
    return model


def rating_predictions(
    kind: str, ratings: data.Ratings, train: pd.DataFrame, test: pd.DataFrame, *, seed: int, **changes: Any
) -> np.ndarray:
    """What a model of notebook 04, trained on `train`, says of the rows of `test`, cut to the scale. (rows,)"""
    low, high = train["rating"].min(), train["rating"].max()
    if kind == "biases":
        columns = (train[name].to_numpy() for name in ("user", "item", "rating"))
        mean, b_user, b_item = factorization.fit_biases(*columns, ratings.shape, shrink_user=3, shrink_item=3)
        return np.clip(mean + b_user[test["user"]] + b_item[test["item"]], low, high)
    tensors = training.rating_tensors(train, ratings.shape)
    dim = changes.pop("dim", None)
    model, settings = rating_model(kind, ratings, dim=dim, mean=float(tensors[2].mean()), seed=seed)
    if "network" in changes:
        changes["output"] = changes["network"]
    settings = training.Settings(**{**vars(settings), "decay": {**settings.decay, **changes}})
    training.fit(model, tensors, settings=settings, seed=seed)
    with torch.no_grad():
        asked = (torch.tensor(test[name].to_numpy()) for name in ("user", "item"))
        return model(*asked).clamp(low, high).numpy()


def _search_ratings(*, model: str, seed: int, **changes: Any) -> dict[str, float]:
    train, _ = data.split_random(_movielens().table, seed=42, test=0.2)
    fit, validation = data.split_random(train, seed=0, test=0.1)
    changes = {name: value for name, value in changes.items() if value is not None}
    predicted = rating_predictions(model, _movielens(), fit, validation, seed=seed, **changes)
    return {"rmse_validation": metrics.rmse(validation["rating"], predicted)}


def _without_price(*, lr: float, spread: float, seed: int) -> dict[str, float]:
    fit, validation = data.split_random(data.split_random(_movielens().table, seed=42)[0], seed=0, test=0.1)
    tensors, held = (training.rating_tensors(part, _movielens().shape) for part in (fit, validation))
    model = models.DotProduct(*_movielens().shape, 64, mean=float(tensors[2].mean()), spread=spread, seed=seed)
    error = lambda model: metrics.rmse(held[2], model(held[0], held[1]).clamp(1, 5))
    history = training.fit(model, tensors, settings=training.Settings(lr=lr, decay={}), seed=seed, validate=error)
    return {"rmse_last": history.validation[-1], "rmse_validation": min(history.validation)}


def _five_folds(*, fold_number: int, seed: int) -> dict[str, float]:
    train, test = fold(_movielens().table, fold_number)
    said = {kind: rating_predictions(kind, _movielens(), train, test, seed=seed) for kind in RATING_MODELS}
    return {kind: metrics.rmse(test["rating"], predicted) for kind, predicted in said.items()}


FAME = (0, 6, 20, 50, 100, 200)  # ratings that a film has in training: where its group begins


def _attribute_gains(*, fold_number: int, seed: int) -> dict[str, float]:
    train, test = fold(_movielens().table, fold_number)
    rated = np.bincount(train["item"], minlength=_movielens().shape[1])[test["item"]]
    group = np.searchsorted(FAME, rated, side="right") - 1
    errors = []
    for kind in ("dot product", "with attributes"):
        off = (rating_predictions(kind, _movielens(), train, test, seed=seed) - test["rating"].to_numpy()) ** 2
        groups = [group == k for k in range(len(FAME))] + [rated < 20, rated >= 20]
        errors.append([off[rows].mean() ** 0.5 for rows in groups])
    names = [f"from {low} ratings" for low in FAME] + ["under 20", "20 and more"]
    return dict(zip(names, np.subtract(*errors), strict=True))


def _rating_members() -> Iterable[Member]:
    blank = dict.fromkeys(("model", "dim", "factors", "bias", "network", "effect", "seed"))
    for dim, factors, bias in itertools.product((64, 100, 200), (0.6, 0.9, 1.2), (0.05, 0.15, 0.3)):
        for seed in range(3):
            yield {**blank, "model": "dot product", "dim": dim, "factors": factors, "bias": bias, "seed": seed}
    for dim, factors, network in itertools.product((16, 32, 64), (1.0, 2.0, 4.0), (0.1, 0.5, 2.0)):
        for seed in range(3):
            yield {**blank, "model": "NeuMF", "dim": dim, "factors": factors, "network": network, "seed": seed}
    dot = {"dim": 64, "factors": 0.9, "bias": 0.05}
    for effect, seed in itertools.product((1.0, 2.0, 4.0, 8.0, 16.0), range(3)):
        yield {**blank, **dot, "model": "with attributes", "effect": effect, "seed": seed}
    for control, seed in itertools.product(("attributes shuffled", "attributes as biases"), range(3)):
        yield {**blank, **dot, "model": control, "effect": 8.0, "seed": seed}


# Lists: settings chosen on each user's last but one interaction

SOFTMAX = training.Settings(epochs=40, batch=64, lr=0.05, decay={"factors": 1.0})
TRAINED = ("dot product", "dot product of histories")


def softmax_dot(
    model: str,
    seen: np.ndarray,
    *,
    dim: int = 64,
    lr: float = SOFTMAX.lr,
    factors: float = SOFTMAX.decay["factors"],
    dropout: float = 0.2,
    seed: int,
) -> models.DotProduct:
    """A dot product, trained to give what users took a large share of the softmax. Shapes: seen (users, items)"""
    rows = (torch.arange(len(seen)), torch.tensor(seen, dtype=torch.float32))
    if model == "dot product":
        network = models.DotProduct(*seen.shape, dim, spread=0.1, seed=seed)
    else:
        network = models.HistoryDotProduct(rows[1], dim, dropout=dropout, seed=seed)
    settings = training.Settings(**{**vars(SOFTMAX), "lr": lr, "decay": {"factors": factors}})
    training.fit(network, rows, training.softmax_error, settings, seed=seed)
    return network.eval()


def list_scores(model: str, seen: np.ndarray, *, seed: int = 0, **settings: Any) -> np.ndarray:
    """Scores of every item for every user by a model of notebook 05. Shapes: (users, items) → (users, items)"""
    if model == "popularity":
        return np.tile(seen.sum(axis=0), (len(seen), 1))
    if model == "item-kNN":
        return seen @ models.neighbour_weights(seen, **settings)
    if model == "EASE":
        return seen @ models.ease_weights(seen, **settings)
    trained = softmax_dot(model, seen, seed=seed, **settings)
    with torch.no_grad():
        return trained.scores(torch.arange(len(seen))).numpy()


def list_quality(scores: np.ndarray, train: pd.DataFrame, test: pd.DataFrame, *, k: int = 10) -> pd.DataFrame:
    """Metrics of the lists that these scores give, one row a user of the test set."""
    users = np.unique(test["user"])
    lists = metrics.recommend(lambda u: scores[u], users, train, scores.shape[1], k=k)
    return metrics.list_metrics(lists, users, test)


def _search_lists(*, model: str, seed: int, last_but: int, **settings: Any) -> dict[str, float]:
    fit, _ = data.split_leave_last_out(_movielens().table)
    for _ in range(last_but):  # 1: validate on the last interaction of training; 2: on the one before
        fit, validation = data.split_leave_last_out(fit)
    settings = {name: value for name, value in settings.items() if value is not None}
    scores = list_scores(model, data.interactions(fit, _movielens().shape), seed=seed, **settings)
    return {"ndcg10_validation": float(list_quality(scores, fit, validation)["ndcg"].mean())}


def _list_members() -> Iterable[Member]:
    tried = [{"model": "popularity"}]
    tried += [{"model": "EASE", "ridge": ridge} for ridge in (25.0, 50.0, 100.0, 150.0, 200.0, 400.0)]
    for neighbours, shrink in itertools.product((5, 10, 20, 50, 100, 200), (0.0, 10.0, 50.0)):
        tried.append({"model": "item-kNN", "neighbours": neighbours, "shrink": shrink})
    for name, dim, lr, factors in itertools.product(TRAINED, (64, 128), (0.03, 0.05, 0.1), (0.5, 1.0, 1.5)):
        tried.append({"model": name, "dim": dim, "lr": lr, "factors": factors})
    blank = dict.fromkeys(("model", "ridge", "neighbours", "shrink", "dim", "lr", "factors"))
    for settings, last_but in itertools.product(tried, (1, 2, 3, 4)):
        for seed in range(3 if settings["model"] in TRAINED else 1):
            yield {**blank, **settings, "last_but": last_but, "seed": seed}


WITHIN = 0.002
RULE = (
    f"The narrowest width whose best settings come within {WITHIN} of the best mean; of that width the best settings."
)

STUDIES = {
    "rating_search": Study(
        "Settings of the rating models of notebook 04, tried on a validation cut of the training set.",
        tuple(_rating_members()),
        _search_ratings,
        f"{RULE} Learning rate, batch, epochs and the spread of the start of the dot product come from an earlier "
        "random search of about 215 settings on the same validation cut, those of NeuMF from a few trials by hand. The "
        "decay of NeuMF's output layer is that of its network.",
    ),
    "no_price_search": Study(
        "A dot product without decay: start and learning rate tried on the validation cut of rating_search.",
        tuple(
            {"lr": lr, "spread": s, "seed": k}
            for lr in (0.001, 0.002, 0.005, 0.0176)
            for s in (0.001, 0.01, 0.1, 0.3)
            for k in range(3)
        ),
        _without_price,
        "The lowest mean of `rmse_validation`, the error after the best epoch; `rmse_last` is that after the last.",
    ),
    "rating_five_folds": Study(
        "Test RMSE of the models of notebook 04 in five folds; fold 0 is the split of the course.",
        tuple({"fold_number": k, "seed": 0} for k in range(5)),
        _five_folds,
        "Nothing is chosen here: settings come from rating_search, whose training set overlaps four of the folds.",
    ),
    "attribute_gains": Study(
        "Test RMSE, in stars, that attributes save in five folds, by the number of ratings of the film in training.",
        tuple({"fold_number": k, "seed": 0} for k in range(5)),
        _attribute_gains,
        "Nothing is chosen here.",
    ),
    "sequence_models": Study(
        "Transformers over histories of notebook 06 on each user's last item; `ndcg10_shuffled`: the same model, with "
        "each history shuffled before it is read.",
        sequence_studies.MEMBERS,
        sequence_studies.measure,
        "By hand on each user's last item in training. GPT: 8, 12 and 24 epochs, dropout .2, .3 and .4; with 40 "
        "epochs, one to three seeds, one cycle or a cosine, windows cut once or anew for each epoch (anew: .120, "
        "once: .114, means over settings), one block, width 128, label smoothing, averaged weights, items hidden at "
        "random, larger starts. BERT, one seed: 24 epochs with dropout .2, 40 with .1. The test was known for 40 "
        "epochs in one cycle with windows cut once: .107.",
    ),
    "sequence_validation": Study(
        "The transformers of sequence_models, trained without each user's last item in training and asked for it; "
        "NDCG@10 after the last epoch and after the best one. "
        "The reference checkpoints take the seed that is best after the last epoch.",
        sequence_studies.JUDGED,
        sequence_studies.judge,
        "The best seed of each direction by `ndcg10_validation` after 40 epochs.",
    ),
    "llm_ranking": Study(
        "Gemma 3 270M, rounded to 4 to 8 bits, as a ranker without training (notebook 07), one user a row: the place, "
        "from 1 to 20, that it gives to the user's last liked film, by what the prompt told and by the kind of the "
        "other films; and how often it picks each place of five listed films, asked for a title (`place`) or for a "
        "number (`number`), with the first film at each place in turn.",
        language_studies.MEMBERS,
        language_studies.ask,
        "Nothing is chosen here. The form of the prompt is the first of four that were tried on 40 users of another "
        "draw, some of whom are among these; the others moved the shares of hits by about .05 either way.",
    ),
    "llm_years": Study(
        "The year in which Gemma 3 270M says that a film was first shown, the likeliest of 1990 to 1998 (notebook 07), "
        "for films that many users rated and for films that five or fewer did.",
        language_studies.YEAR_MEMBERS,
        language_studies.ask_year,
        "The form of the prompt: the better of two, tried on 40 films of each kind, which may be among these.",
    ),
    "list_search": Study(
        "Settings of the list models of notebook 05, tried on each user's last four interactions in training, in turn.",
        tuple(_list_members()),
        _search_lists,
        f"{RULE} Not blind to the test: an earlier search, on the last two cuts only, had chosen width 64, lr 0.03 and "
        "decay 0.5 for the dot product; its test NDCG was .073, two cuts were then held to be too few, and this search "
        "was made. It asks four cuts and no test item.",
    ),
}


# Making, keeping and reading tables


def read_study(name: str) -> pd.DataFrame:
    """The table of a study, one row a member.

    Raises:
        CourseError: an unknown name, or a table that was not made yet.
    """
    path = FOLDER / f"{name}.csv"
    if name not in STUDIES:
        raise CourseError(f"there is no study {name!r}: it is one of {', '.join(STUDIES)}.")
    if not path.is_file():
        raise CourseError(f"{path.name} is missing in data/models/: run `make models`.")
    return pd.read_csv(path)


def summary(name: str, model: str | None = None) -> pd.DataFrame:
    """What a search found (for one model), best first: settings, the mean figure, and its spread over seeds."""
    table = read_study(name)
    table = (table if model is None else table[table["model"] == model]).dropna(axis=1, how="all")
    figure = table.columns[-1]
    settings = [column for column in table if column not in ("model", "last_but", "seed", "rmse_last", figure)]
    if not settings:
        return pd.DataFrame({figure: [table[figure].mean()]})
    cuts = [column for column in table if column == "last_but"]
    by_cut = table.groupby([*settings, *cuts])[figure].agg(["mean", "std"]).reset_index()
    found = by_cut.groupby(settings)[["mean", "std"]].mean().reset_index()
    found = found.rename(columns={"mean": figure, "std": "std over seeds"}).dropna(axis=1, how="all")
    return found.sort_values(figure, ascending=figure.startswith("rmse"), ignore_index=True)


def choose(name: str, model: str | None = None) -> dict[str, float | int]:
    """The settings that the rule of the cards takes out of a search."""
    found = summary(name, model)
    figure = next(column for column in found if "validation" in column)
    good = found[(found[figure] - found[figure][0]).abs() <= WITHIN]
    narrow = good[good["dim"] == good["dim"].min()] if "dim" in good else good
    settings = narrow.drop(columns=[figure, "std over seeds"], errors="ignore").iloc[0].to_dict()
    return {name: int(value) if value == int(value) else value for name, value in settings.items()}


def make_study(name: str, *, progress: bool = True) -> Path:
    """Compute all members of a study that are not done yet, and write its table and card whole."""
    study, path = STUDIES[name], FOLDER / f"{name}.csv"
    done_file = sources.cache_folder() / "studies" / f"{name}.jsonl"
    with once(path, done_file.with_suffix(".lock")) as needed:
        if not needed:
            return path
        begun, done = time.perf_counter(), _done(done_file)
        with done_file.open("a", encoding="utf8") as file:
            for member in tqdm(study.members, desc=name, disable=not progress):
                key = json.dumps(member)
                if key not in done:
                    done[key] = study.compute(**member)
                    print(json.dumps([key, done[key]]), file=file, flush=True)
        rows = pd.DataFrame([{**m, **done[json.dumps(m)]} for m in study.members])
        write(path, rows.to_csv(index=False, float_format="%.5f", lineterminator="\n"))
        write(FOLDER / f"{name}.md", _card(name, rows, time.perf_counter() - begun))
        done_file.unlink()
    return path


def _done(path: Path) -> dict[str, dict[str, float]]:
    """Members finished before an interruption; a line cut short by it is dropped."""
    done = {}
    for line in path.read_text(encoding="utf8").splitlines() if path.exists() else []:
        try:
            key, figures = json.loads(line)
            done[key] = figures
        except ValueError:
            continue
    return done


@contextmanager
def once(path: Path, lock: Path):
    """Let one process at a time make a file; yields whether that is still needed, or was done while this one waited."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    version = lambda: path.stat().st_mtime_ns if path.exists() else None
    before = version()
    with filelock.FileLock(lock):  # freed also if the process that holds it is killed
        yield version() == before


def write(path: Path, text: str) -> None:
    """Write whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.{os.getpid()}.half")
    half.write_text(text, encoding="utf8")
    half.replace(path)


def data_row() -> str:
    """The row of a card that says which data."""
    table = np.ascontiguousarray(_movielens().table.to_numpy(dtype=np.float64))
    digest = hashlib.sha256(table.tobytes()).hexdigest()
    return f"| Data | MovieLens-100K; SHA-256 of its coded table (user, item, rating, timestamp as float64) {digest} |"


def _card(name: str, rows: pd.DataFrame, seconds: float) -> str:
    study = STUDIES[name]
    parameters = ", ".join(f"`{column}`" for column in study.members[0])
    figures = ", ".join(f"`{column}`" for column in rows.columns if column not in study.members[0])
    return f"""# {name}

{study.about}

| | |
|---|---|
| Table | [{name}.csv]({name}.csv), {len(rows)} members |
| Parameters | {parameters} |
| Figures | {figures} |
| Chosen | {study.chosen} |
{data_row()}
| Made by | `make models`, PyTorch {torch.__version__.split("+")[0]}, {torch.get_num_threads()} threads available |
| Made in | {seconds:.0f} s (members finished before an interruption not counted) |
"""
