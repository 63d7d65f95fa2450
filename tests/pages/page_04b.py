"""All that the tests know of page 04b: all answers."""

import numpy as np
import pandas as pd
import scipy.sparse as sp
from expected import SECONDS, between
from notebook_files import definitions
from scipy.stats import wishart

from helpers import factorization

SETS = [
    {"DATASET": "SMALL shifted", "TOY_SWEEPS": 200, "SWEEPS": 20, "BURN_IN": 5},
    {"DATASET": "12", "TOY_SWEEPS": 200, "SWEEPS": 20, "BURN_IN": 5},
    {"DATASET": "planted", "TOY_SWEEPS": 200, "SWEEPS": 12, "BURN_IN": 0, "DIM": 1, "WIDTH": 3},
    {"DATASET": "LARGE", "TOY_SWEEPS": 200, "SWEEPS": 30, "BURN_IN": 10},
]
WRONG = ({"SWEEPS": 20}, "BURN_IN = 20 cannot be used: it must be a whole number and at least 0 and at most 19")
EXPECTED = {
    "rmse_posterior": between(0.875, 0.8795),
    "rmse_posterior_folds": between(0.87, 0.88),
    "coverage_90": between(0.88, 0.92),
    "coverage_90_worst_fifth": between(0.88, 0.93),
    "posterior_seconds": SECONDS,
    "rmse_myfm": between(0.875, 0.89),
    "rmse_ids": between(0.887, 0.893),
}


def row(films, ratings, precision, mean, noise, z, *, of_mean=True, of_noise=2, after=None):
    left = films @ films.T / noise**of_noise + precision
    right = films @ ratings / noise**of_noise + (precision @ mean if of_mean else mean)
    root = np.linalg.cholesky(left)
    if after is None:
        return np.linalg.solve(left, right + root @ z)
    return np.linalg.solve(left, right) + (root @ z if after == "root" else z)


def by_group(truth, low, high, group):
    return np.array([((low <= truth) & (truth <= high))[group == k].mean() for k in np.unique(group)])


def coverage(inside, group):
    size = np.bincount(group).astype(float)
    size[size == 0] = np.nan
    return np.bincount(group, inside) / size


def counts(truth, low, high, group):
    return np.bincount(group, (low <= truth) & (truth <= high)).astype(float)


def open_ends(truth, low, high, group):
    return np.bincount(group, (low < truth) & (truth < high)) / np.maximum(np.bincount(group), 1)


MISTAKES = [
    ("4b.1", lambda U, V: U.mean(axis=0) @ V.mean(axis=0), "you averaged the factors"),
    ("4b.1", lambda U, V: (U @ V).sum(axis=0), "you added up the predictions"),
    ("4b.1", lambda U, V: np.median(U @ V, axis=0), "that is the median"),
    ("4b.1", lambda U, V: U @ V, "a table for every draw comes back"),
    ("4b.2", lambda *a: row(*a, of_mean=False), "on the right stands Λm, not m"),
    ("4b.2", lambda f, r, p, m, s, z: row(f, r, p, np.zeros(2), s, z), "the prior's mean is missing"),
    ("4b.2", lambda *a: row(*a, of_noise=1), "`noise` is a standard deviation"),
    ("4b.2", lambda f, r, p, m, s, z: row(f, r, p, m, s, 0 * z), "z plays no part"),
    ("4b.2", lambda *a: row(*a, after="root"), "you add Cz after solving"),
    ("4b.2", lambda *a: row(*a, after="z"), "you add z itself"),
    ("4b.2", lambda f, r, p, m, s, z: row(f, r, p, m, s, z) if len(r) else m, "without ratings a user is still drawn"),
    ("4b.2", lambda f, r, p, m, s, z: row(f, r, p, m, s, 2 * z), "do not have the covariance"),
    ("4b.3", lambda t, lo, hi, g: coverage(abs(t - (lo + hi) / 2) <= (hi - lo) / 2, g), "get lost by rounding"),
    ("4b.3", by_group, "group 2 is empty"),
    ("4b.3", counts, "those are counts"),
    ("4b.3", open_ends, "use <="),
    ("4b.3", lambda t, lo, hi, g: ((lo <= t) & (t <= hi)).mean(), "a share is asked for each group"),
]


def another_root(films, ratings, precision, mean, noise, z):
    left = films @ films.T / noise**2 + precision
    middle = np.linalg.solve(left, films @ ratings / noise**2 + precision @ mean)
    return middle + np.linalg.cholesky(np.linalg.inv(left)) @ z


def root_by_eigenvalues(films, ratings, precision, mean, noise, z):
    values, vectors = np.linalg.eigh(films @ films.T / noise**2 + precision)
    right = films @ ratings / noise**2 + precision @ mean + vectors * np.sqrt(values) @ z
    return np.linalg.solve(films @ films.T / noise**2 + precision, right)


RIGHT = [("4b.2", another_root), ("4b.2", root_by_eigenvalues)]


class Table:
    """A small table of ratings, as the page holds one."""

    unit = 1.0
    shape = (9, 7)

    def __init__(self):
        rng = np.random.default_rng(3)
        pairs = rng.permutation(63)[:40]
        columns = {"user": pairs // 7, "item": pairs % 7, "rating": rng.integers(1, 6, 40).astype(float)}
        self.table = pd.DataFrame(columns)


def same_as_helpers():
    ratings = Table()
    given = {"ratings": ratings, "n_users": 9, "n_items": 7, "DIM": 3, "SWEEPS": 6, "BURN_IN": 2, "WIDTH": 4}
    page = definitions("04b", **given, sp=sp, wishart=wishart, NamedTuple=tuple_class(), RIDGE=0.5, NOISE=1.0,
                       REGULAR=10.0, with_one=factorization.with_one, low=1, high=5, TOY_SWEEPS=3)  # fmt: skip
    user, item, rating = (ratings.table[name].to_numpy() for name in ("user", "item", "rating"))
    told = page.who_rated_what(ratings.table)
    for one, other in zip(told, factorization.who_rated_what(user, item, (9, 7), width=4), strict=True):
        assert np.allclose(one, other)
    for own_noise in (False, True):
        ours = list(page.posterior(ratings.table, told, own_noise=own_noise, seed=5))
        settings = {"dim": 3, "sweeps": 6, "own_noise": own_noise, "seed": 5}
        theirs = list(factorization.posterior(user, item, rating, (9, 7), *told, **settings))
        assert np.allclose(rating.mean() + ours[-1].ratings(user, item), theirs[-1].ratings(user, item))
        assert np.allclose(ours[-1].of_item, theirs[-1].of_item)
    each, noise = page.answers(ratings.table, ratings.table, told, seed=5)
    found = factorization.averaged(theirs, user, item, burn_in=2)
    assert np.allclose(each[2:].mean(axis=0), found.rating) and np.allclose(each[2:].std(axis=0), found.spread)
    assert np.allclose(noise[2:].mean(axis=0), found.noise)


def tuple_class():
    from typing import NamedTuple

    return NamedTuple
