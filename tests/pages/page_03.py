"""All that the tests know of page 03: movielens."""

import numpy as np
import pandas as pd
from expected import exact, relative
from notebook_files import definitions

from helpers import factorization

SETS = [
    {"DATASET": "SMALL no times"},
    {"DATASET": "SMALL fifths"},
    {"DATASET": "60"},
    {"DATASET": "12"},
    {"DATASET": "LARGE"},
    {"DATASET": "planted", "SEED": 7, "TEST_SHARE": 0.1, "SEEDS": 3},
]
WRONG = ({"DATASET": "netflix"}, "there is no dataset 'netflix': name one of toy, movielens-100k, planted")
EXPECTED = {
    "n_users": exact(943),
    "n_items": exact(1682),
    "n_ratings": exact(100000),
    "rmse_mean": relative(1.12393, 1e-05),
    "rmse_bias": relative(0.935454, 0.0001),
    "rmse_bias_temporal": relative(1.023164, 0.0001),
}


def keep_last_of_file(table):
    return table.drop_duplicates(["user", "item"], keep="last")


def in_place(table):
    table["place"] = table["timestamp"].rank()
    kept = table.sort_values("place", kind="stable").drop_duplicates(["user", "item"], keep="last")
    return kept.sort_index().drop(columns="place")


centred = lambda item, rating, n: np.bincount(item, rating - rating.mean(), n)


number_of = lambda item, n: np.bincount(item, minlength=n)


def own_mean(item, rating, n, shrink):
    mean = np.bincount(item, rating, n) / np.maximum(number_of(item, n), 1)
    return np.bincount(item, rating - mean[item], n) / np.maximum(number_of(item, n) + shrink, 1)


def whole_numbers(rating):
    means = np.zeros_like(rating)
    means[1:] = np.cumsum(rating)[:-1] / np.arange(1, len(rating))
    return means


def latest_by_idxmax(table):
    newest = table[::-1].groupby(["user", "item"])["timestamp"].idxmax()  # of ties the first, so the last in the table
    return table.loc[newest.sort_values()]


RIGHT = [("3.1", latest_by_idxmax)]  # another way than the reference's
MISTAKES = [
    ("3.1", lambda table: table.drop_duplicates(), "name the columns of the pair"),
    ("3.1", keep_last_of_file, "sort by timestamp first"),
    ("3.1", lambda t: t.drop_duplicates(["user", "item"]), "you kept the first rating"),
    ("3.1", lambda t: t.drop_duplicates("user"), "is the pair user *and* item"),
    (
        "3.1",
        lambda t: t.sort_values("timestamp").drop_duplicates(["user", "item"], keep="last"),
        "sort by the index at the end",
    ),
    ("3.1", in_place, "work on a copy"),
    (
        "3.1",
        lambda t: t.sort_values("timestamp").drop_duplicates(["user", "item"], keep="last").sort_index(),
        "sort with kind='stable'",
    ),
    ("3.1", lambda t: t.loc[sorted(t.groupby(["user", "item"])["timestamp"].idxmax())], "of two rows at the same time"),
    ("3.2", lambda c, f: np.sort(c)[: max(1, int(f * len(c)))].sum() / c.sum(), "sort downwards"),
    ("3.2", lambda c, f: c[: max(1, int(f * len(c)))].sum() / c.sum(), "sort first"),
    ("3.2", lambda c, f: np.sort(c)[::-1][: int(f * len(c))].sum() / c.sum(), "take at least one item"),
    ("3.2", lambda c, f: np.sort(c)[::-1][: int(f * len(c))].sum() / len(c), "divide by the sum of all"),
    ("3.2", lambda c, f: np.sort(c)[::-1][: max(1, round(f * len(c)))].sum() / c.sum(), "round down"),
    ("3.3", own_mean, "not each item's own"),
    ("3.3", lambda i, r, n, s: np.bincount(i, r - r.mean()) / (np.bincount(i) + s + 1e-9), "keeps its place"),
    ("3.3", lambda i, r, n, s: np.bincount(i, r, n) / np.maximum(number_of(i, n) + s, 1e-9), "take off the mean"),
    ("3.3", lambda i, r, n, s: centred(i, r, n) / np.maximum(number_of(i, n), 1), "shrink changes nothing"),
    ("3.3", lambda i, r, n, s: centred(i, r, n) / (number_of(i, n) + s), "divides 0 by 0"),
    ("3.3", lambda i, r, n, s: (centred(i, r, n) - s) / np.maximum(number_of(i, n), 1), "add shrink to the *number*"),
    (
        "3.3",
        lambda i, r, n, s: np.bincount(i, r, n) / np.maximum(number_of(i, n) + s, 1) - r.mean(),
        "an item without ratings has a bias of 0",
    ),
    ("3.4", lambda r: np.cumsum(r) / np.arange(1, len(r) + 1), "the first rating itself"),
    ("3.4", lambda r: np.r_[0, np.full(len(r) - 1, r.mean())], "the future is in the mean"),
    ("3.4", lambda r: (np.cumsum(r) - r) / np.arange(1, len(r) + 1), "you divide by one too many"),
    ("3.4", whole_numbers, "was it cut to whole?"),
]


def same_as_helpers():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"user": rng.integers(0, 9, 60), "item": rng.integers(0, 7, 60), "rating": rng.random(60)})
    page = definitions("03", n_users=9, n_items=7, MIDDLE=0.5)
    for shrink in (0, 3):
        ours = page.biases(table, shrink, shrink)
        columns = (table[name].to_numpy() for name in ("user", "item", "rating"))
        theirs = factorization.fit_biases(*columns, (9, 7), shrink_user=shrink, shrink_item=shrink)
        assert all(np.allclose(one, other) for one, other in zip(ours, theirs, strict=True))
