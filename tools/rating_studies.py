"""Studies of ratings (notebooks 04 and 04b): settings on a validation cut, splits, folds and time. See studies.py."""

import itertools
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

from helpers import data, factorization, metrics, models, recipes, stored, training

Member = dict[str, Any]


@cache
def movielens() -> data.Ratings:
    """The ratings that all studies use."""
    return data.load_ratings("movielens-100k")


# Ratings: settings chosen on a validation cut, and five folds

FAME = (0, 6, 20, 50, 100, 200)  # ratings that a film has in training: where its group begins


def fold(table: pd.DataFrame, k: int, seed: int = 42) -> data.Split:
    """Train and test of fold k of five; fold 0 is `data.split_random` with the same seed."""
    perm = np.random.default_rng(seed).permutation(len(table))
    test = np.array_split(perm, 5)[k]
    train = perm[len(test) :] if k == 0 else np.setdiff1d(perm, test, assume_unique=True)
    return table.iloc[train], table.iloc[test]


def rating_predictions(kind: str, train: pd.DataFrame, test: pd.DataFrame, *, seed: int, **settings: Any) -> np.ndarray:
    """What the biases, or a model of notebook 04, say of the rows of `test`, cut to the scale. (rows,)"""
    if kind != "biases":
        return recipes.one_answer(movielens(), train, test, kind=kind, seed=seed, **settings)
    user, item, rating = (train[name].to_numpy() for name in ("user", "item", "rating"))
    shrink: Member = {"shrink_user": 3.0, "shrink_item": 3.0}
    mean, b_user, b_item = factorization.fit_biases(user, item, rating, movielens().shape, **shrink)
    return np.clip(mean + b_user[test["user"]] + b_item[test["item"]], train["rating"].min(), train["rating"].max())


def validation_cut() -> data.Split:
    """The training set of the course's split, a tenth of it held out."""
    train, _ = data.split_random(movielens().table)
    return data.split_random(train, seed=0, test=0.1)


def rating_search(*, model: str, seed: int, **settings: Any) -> dict[str, float]:
    """A rating model with some settings; those that it does not have are None."""
    fit, validation = validation_cut()
    asked = {name: value for name, value in settings.items() if value is not None}
    predicted = rating_predictions(model, fit, validation, seed=seed, **asked)
    return {"rmse_validation": metrics.rmse(validation["rating"], predicted)}


def no_price_search(*, lr: float, spread: float, seed: int) -> dict[str, float]:
    """A dot product without decay: error after the last epoch and after the best one."""
    tensors, held_out = (training.rating_tensors(part, movielens().shape) for part in validation_cut())
    model = models.DotProduct(*movielens().shape, 64, mean=float(tensors[2].mean()), spread=spread, seed=seed)
    error = lambda model: metrics.rmse(held_out[2].numpy(), model(held_out[0], held_out[1]).clamp(1, 5).numpy())
    curve = training.fit(model, tensors, settings=training.Settings(lr=lr, decay={}), seed=seed, validate=error)
    return {"rmse_last": curve.validation[-1], "rmse_validation": min(curve.validation)}


def rating_five_folds(*, fold_number: int, seed: int) -> dict[str, float]:
    """Test RMSE of four models in one fold."""
    train, test = fold(movielens().table, fold_number)
    kinds = ("biases", "NeuMF", "dot product", "with attributes")
    return {kind: metrics.rmse(test["rating"], rating_predictions(kind, train, test, seed=seed)) for kind in kinds}


def rating_splits(*, number: int) -> dict[str, float]:
    """Test RMSE on one random split, its seed and that of the start its own; and what attributes save, by the film.

    A film's group is by its number of ratings in training: "from 6" ends where "from 20" begins.
    """
    train, test = data.split_random(movielens().table, seed=42 + number)
    kinds = ("biases", *recipes.RATING_MODELS)
    truth = test["rating"].to_numpy()
    error = {kind: (rating_predictions(kind, train, test, seed=number) - truth) ** 2 for kind in kinds}
    row = {kind: squares.mean() ** 0.5 for kind, squares in error.items()}
    rated = np.bincount(train["item"], minlength=movielens().shape[1])[test["item"]]
    group = np.searchsorted(FAME, rated, side="right") - 1
    rows = {f"from {low}": group == k for k, low in enumerate(FAME)} | {
        "under 20": rated < 20,
        "20 and more": rated >= 20,
    }
    for name, inside in rows.items():
        plain, told = (error[kind][inside].mean() ** 0.5 for kind in ("dot product", "with attributes"))
        row[name] = plain - told
    return row


def _rating_members() -> Iterable[Member]:
    blank = dict.fromkeys(("model", "dim", "factors", "bias", "network", "effect", "seed"))
    tried: list[Member] = []
    for dim, factors, bias in itertools.product((64, 100, 200), (0.6, 0.9, 1.2), (0.05, 0.15, 0.3)):
        tried.append({"model": "dot product", "dim": dim, "factors": factors, "bias": bias})
    for dim, factors, network in itertools.product((16, 32, 64), (1.0, 2.0, 4.0), (0.1, 0.5, 2.0)):
        tried.append({"model": "NeuMF", "dim": dim, "factors": factors, "network": network})
    dot = {"dim": 64, "factors": 0.9, "bias": 0.05}
    tried += [{**dot, "model": "with attributes", "effect": effect} for effect in (1.0, 2.0, 4.0, 8.0, 16.0)]
    tried += [{**dot, "model": kind, "effect": 8.0} for kind in ("attributes shuffled", "attributes as biases")]
    for settings in tried:
        for seed in range(3):
            yield {**blank, **settings, "seed": seed}


# All answers: splits, folds, times and settings

FRESH_RUNS = 33  # three of the page, and ten runs of three more
LONGER = {"burn_in": 100, "sweeps": 200}
Z90 = 1.6449  # standard deviations on either side that hold nine tenths of a normal


def half_widths(train: pd.DataFrame, test: pd.DataFrame, width: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Three widths of the same mean square for each rating of the test, and the fifth that its user belongs to.

    The fifths are of users by the variance of what the biases leave of their ratings in training.
    """
    user, item, rating = (train[name].to_numpy() for name in ("user", "item", "rating"))
    shrink: Member = {"shrink_user": 3.0, "shrink_item": 3.0}
    mean, b_user, b_item = factorization.fit_biases(user, item, rating, movielens().shape, **shrink)
    n_users = movielens().shape[0]
    squares = np.bincount(user, (rating - mean - b_user[user] - b_item[item]) ** 2, minlength=n_users)
    variance = squares / np.maximum(np.bincount(user, minlength=n_users), 1)
    asked = np.unique(test["user"])
    fifth = np.zeros(n_users, dtype=int)
    for k, part in enumerate(np.array_split(asked[np.argsort(variance[asked], kind="stable")], 5)):
        fifth[part] = k
    of_user = variance[test["user"]]
    even = (width**2).mean()
    widths = {"own": width, "constant": np.full(len(test), even**0.5), "user": np.sqrt(of_user * even / of_user.mean())}
    return widths, fifth[test["user"]]


def judged(train: pd.DataFrame, test: pd.DataFrame, found: factorization.Averaged) -> dict[str, float]:
    """RMSE, what 90 % intervals cover, what the surest and least sure fifths say and are, and interval scores."""
    truth = test["rating"].to_numpy(float)
    error = truth - found.rating
    widths, fifth = half_widths(train, test, found.width)
    inside = abs(error) <= Z90 * found.width
    row = {"rmse": metrics.rmse(truth, found.rating), "covers": float(inside.mean())}
    row |= {f"covers {k + 1}": float(inside[fifth == k].mean()) for k in range(5)}
    order = np.array_split(np.argsort(found.width, kind="stable"), 5)
    for name, part in (("surest", order[0]), ("least", order[-1])):
        row[f"{name} says"] = float((found.width[part] ** 2).mean() ** 0.5)
        row[f"{name} is"] = float((error[part] ** 2).mean() ** 0.5)
    for name, half in widths.items():
        ends = (found.rating - Z90 * half, found.rating + Z90 * half)
        row[f"score {name}"] = float(metrics.interval_score(truth, *ends).mean())
    return row


def posterior_splits(*, number: int, inputs: str, own_noise: bool) -> dict[str, float]:
    """All answers on one random split, its seed and the chain's own."""
    train, test = data.split_random(movielens().table, seed=42 + number)
    told = recipes.inputs(inputs, movielens(), train, seed=number)
    return judged(train, test, recipes.all_answers(movielens(), train, test, told, own_noise=own_noise, seed=number))


def _feature_models(train: pd.DataFrame, told: tuple[np.ndarray, np.ndarray], seeds: Iterable[int]) -> list:
    """Dot products with these inputs, trained by descent with the settings of notebook 04."""
    tensors = training.rating_tensors(train, movielens().shape)
    of_users, of_items = (torch.tensor(part, dtype=torch.float32) for part in told)
    trained = []
    for seed in seeds:
        model = models.FeatureDotProduct(of_users, of_items, 64, mean=float(tensors[2].mean()), seed=seed)
        training.fit(model, tensors, settings=training.Settings(), seed=seed)
        trained.append(model)
    return trained


class Still(np.random.Generator):
    """A generator whose noise is 0: what would be drawn becomes the most probable."""

    def normal(self, *args: Any, size: Any = None, **kwargs: Any) -> np.ndarray:  # type: ignore[override]
        """Zeros of this size."""
        return np.zeros(size)


def most_probable(
    train: pd.DataFrame, test: pd.DataFrame, told: tuple[np.ndarray, np.ndarray], seed: int
) -> np.ndarray:
    """Predictions of the mode: priors and noise as the last of 40 sweeps has them, then steps without noise."""
    user, item, rating = (train[name].to_numpy() for name in ("user", "item", "rating"))
    *_, last = factorization.posterior(user, item, rating.astype(float), movielens().shape, *told, sweeps=40, seed=seed)
    rng, sides = np.random.default_rng(seed), []
    for rows, known in zip((last.users, last.items), told, strict=True):
        known = known - known.mean(axis=0)
        link = np.zeros((known.shape[1], rows.shape[1]))
        for _ in range(10):
            prior = factorization.draw_prior(rng, rows, known, link, 5.0)
            link = prior.link
        sides.append((prior.mean + known @ link, prior.precision))
    still, users, items = Still(np.random.PCG64(0)), last.users, last.items
    weight = last.precision * last.of_user[user] * last.of_item[item]
    table = lambda values, rows, columns, shape: sp.csr_array((values, (rows, columns)), shape=shape)
    n, m = movielens().shape
    for _ in range(40):
        target = weight * (rating - last.mean - items[item, -1])
        tables = table(weight, user, item, (n, m)), table(target, user, item, (n, m))
        users = factorization.draw_rows(still, *tables, factorization.with_one(items), *sides[0])
        target = weight * (rating - last.mean - users[user, -1])
        tables = table(weight, item, user, (m, n)), table(target, item, user, (m, n))
        items = factorization.draw_rows(still, *tables, factorization.with_one(users), *sides[1])
    mode = last._replace(users=users, items=items)
    return mode.ratings(test["user"].to_numpy(), test["item"].to_numpy()).clip(1, 5)


def posterior_rivals(*, number: int) -> dict[str, float]:
    """One answer, and ten of them averaged, from the inputs of all answers: descent, and the mode of the posterior."""
    train, test = data.split_random(movielens().table, seed=42 + number)
    told = recipes.inputs("who rated what", movielens(), train, seed=number)
    pairs = [torch.tensor(test[name].to_numpy()) for name in ("user", "item")]
    trained = _feature_models(train, told, range(10 * number, 10 * number + 10))
    with torch.no_grad():
        said = np.array([model(*pairs).clamp(1, 5).numpy() for model in trained])
    truth = test["rating"].to_numpy()
    mode = most_probable(train, test, told, number)
    row = {"descent": metrics.rmse(truth, said[0]), "ten of descent": metrics.rmse(truth, said.mean(axis=0))}
    return row | {"mode": metrics.rmse(truth, mode)}


def official_fold(k: int) -> data.Split:
    """The published fold u1 to u5: a block of 20,000 rows is its test."""
    block = np.arange(len(movielens().table)) // 20_000 == k - 1
    return movielens().table[~block], movielens().table[block]


def posterior_search(*, cut: int, dim: int, width: int, scale: float, ridge: float) -> dict[str, float]:
    """Settings of all answers on a tenth held out of training: of the course's split (cut 0), or a published fold."""
    train, _ = data.split_random(movielens().table) if cut == 0 else official_fold(cut)
    fit, validation = data.split_random(train, seed=0, test=0.1)
    told = recipes.inputs("who rated what", movielens(), fit, width=width, scale=scale)
    found = recipes.all_answers(movielens(), fit, validation, told, dim=dim, ridge=ridge)
    return {"rmse_validation": metrics.rmse(validation["rating"], found.rating)}


def posterior_folds(*, fold: int, inputs: str, longer: bool, seed: int) -> dict[str, float]:
    """All answers on a published fold, with the settings that its own training rows chose."""
    train, test = official_fold(fold)
    tried = stored.table("posterior_search").query("cut == @fold").sort_values("rmse_validation", kind="stable")
    best = tried.iloc[0]
    wide: Member = {"width": int(best["width"]), "scale": float(best["scale"])} if inputs == "who rated what" else {}
    told = recipes.inputs(inputs, movielens(), train, **wide)
    settings: Member = {"dim": int(best["dim"]), "ridge": float(best["ridge"]), "seed": seed}
    return judged(
        train, test, recipes.all_answers(movielens(), train, test, told, **settings, **(LONGER if longer else {}))
    )


def late(kind: str) -> data.Split:
    """A split in time: the last fifth of all ratings, or of each user's."""
    if kind == "of all":
        return data.split_temporal(movielens().table)
    ordered = movielens().table.sort_values(["user", "timestamp"], kind="stable")
    place = ordered.groupby("user").cumcount(ascending=False)
    last = place < ordered.groupby("user")["item"].transform("size") // 5
    return ordered[~last], ordered[last]


def posterior_time(*, split: str, seed: int) -> dict[str, float]:
    """Biases, one answer and all answers on ratings later than those of training, unknown users apart."""
    train, test = late(split)
    known = np.isin(test["user"], train["user"])
    told = recipes.inputs("who rated what", movielens(), train)
    said = {kind: rating_predictions(kind, train, test, seed=seed) for kind in ("biases", "with attributes")}
    said["all answers"] = recipes.all_answers(movielens(), train, test, told, seed=seed).rating
    error = {name: (test["rating"].to_numpy() - rating) ** 2 for name, rating in said.items()}
    parts = {"all": known | True, "known": known, "unknown": ~known}
    row = {"share unknown": float((~known).mean())}
    for part, rows in parts.items():
        row |= {f"{name}, {part}": float(e[rows].mean() ** 0.5) if rows.any() else np.nan for name, e in error.items()}
    return row


def _posterior_members() -> dict[str, list[Member]]:
    kinds = [(kind, own) for kind in ("ids", "who rated what") for own in (False, True)]
    kinds += [(kind, True) for kind in recipes.INPUTS if kind not in ("ids", "who rated what")]
    settings = [dict(zip(("dim", "width", "scale", "ridge"), s, strict=True)) for s in
                [(10, w, s, 5.0) for w in (10, 30, 60) for s in (0.1, 0.3, 1.0)]
                + [(5, 30, 0.3, 5.0), (20, 30, 0.3, 5.0), (10, 30, 0.3, 1.0), (10, 30, 0.3, 25.0)]]  # fmt: skip
    asked = [("attributes", False), ("who rated what", False), ("who rated what", True)]
    return {
        "splits": [{"number": k, "inputs": name, "own_noise": own} for k in range(FRESH_RUNS) for name, own in kinds],
        "rivals": [{"number": number} for number in range(FRESH_RUNS)],
        "search": [{"cut": cut, **chosen} for cut in range(6) for chosen in settings],
        "folds": [
            {"fold": fold, "inputs": name, "longer": longer, "seed": seed}
            for fold in range(1, 6)
            for name, longer in asked
            for seed in range(3)
        ],
        "time": [{"split": "of all", "seed": seed} for seed in range(3)]
        + [{"split": "of each user", "seed": seed} for seed in range(FRESH_RUNS)],
    }


FOLDS = [{"fold_number": k, "seed": 0} for k in range(5)]
NO_PRICE = itertools.product((0.001, 0.002, 0.005, 0.0176), (0.001, 0.01, 0.1, 0.3), range(3))
POSTERIOR = _posterior_members()
RATING_STUDIES: dict[str, tuple[Callable[..., dict], list[Member]]] = {
    "rating_search": (rating_search, list(_rating_members())),
    "no_price_search": (no_price_search, [{"lr": lr, "spread": s, "seed": k} for lr, s, k in NO_PRICE]),
    "rating_five_folds": (rating_five_folds, FOLDS),
    "rating_splits": (rating_splits, [{"number": number} for number in range(FRESH_RUNS)]),
    "posterior_search": (posterior_search, POSTERIOR["search"]),
    "posterior_splits": (posterior_splits, POSTERIOR["splits"]),
    "posterior_rivals": (posterior_rivals, POSTERIOR["rivals"]),
    "posterior_folds": (posterior_folds, POSTERIOR["folds"]),
    "posterior_time": (posterior_time, POSTERIOR["time"]),
}
