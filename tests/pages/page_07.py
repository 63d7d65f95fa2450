"""All that the tests know of page 07: language models."""

import numpy as np
from expected import between

from helpers.exercises import ex07

SETS = [
    {"SPLITS": 3, "ASKED_USERS": 1, "DATASET": "SMALL", "COLD_FILMS": 20},
    {"SPLITS": 3, "ASKED_USERS": 1, "SEEDS": 3},
    {"SPLITS": 3, "ASKED_USERS": 1, "SEEDS": 3, "DEALT_POSTERS": True},
    {"SPLITS": 3, "ASKED_USERS": 1, "SEEDS": 3, "COLD_FILMS": 30, "RIDGE": 100.0},
]
WRONG = ({"DATASET": "planted"}, "planted has no titles, and this page is about them")
EXPECTED = {
    "ndcg10_cold_ridge": between(0.29, 0.33),
    "ndcg10_cold_text": between(0.29, 0.33),
    "ndcg10_cold_text_no_title": between(0.28, 0.32),
    "hit5_llm": between(0.5, 0.7),
}


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def unit(v):
    return v / np.linalg.norm(v)


def bumps(y, c, w, power=2, half=0.5, square=True):
    return np.nan_to_num(np.exp(-half * np.abs(y[:, None] - c) ** power / (w**2 if square else w)))


def by_distance(u, n, w, k, stable=True):
    away = np.abs(n[u].astype(float) - n[w])
    return u[np.argsort(away, kind="stable")[:k]]


def in_place(s, r):
    s *= r[:, None]
    return unit(s.sum(axis=0))


def as_year_0(y, c, w):
    return np.exp(-0.5 * ((np.nan_to_num(y)[:, None] - c) / w) ** 2)


def one_short(u, n, w, k):
    found = by_distance(np.sort(u), n, w, k)
    return found[found != w]


def more_rated_first(u, n, w, k):
    others = u[u != w]
    return others[np.lexsort((-n[others], np.abs(n[others] - n[w])))[:k]]


def by_ratio(u, n, w, k):
    others = np.sort(u[u != w])
    return others[np.argsort(np.abs(np.log(n[others] / n[w])), kind="stable")[:k]]


def both_sides(u, n, w, k):
    others = np.sort(u[u != w])
    by_fame = others[np.argsort(n[others], kind="stable")]
    place = np.searchsorted(n[by_fame], n[w])
    return by_fame[max(place - k // 2, 0) : place + k - k // 2]


MISTAKES = [
    ("7.1", lambda s, r: unit(s[-int(r.sum()) :].mean(axis=0)), "coming last"),
    (
        "7.1",
        lambda s, r: unit((s / np.linalg.norm(s, axis=1, keepdims=True) * r[:, None]).sum(axis=0)),
        "token to unit",
    ),
    ("7.1", in_place, "changes the states"),
    ("7.2", as_year_0, "taken for the year 0"),
    ("7.2", lambda y, c, w: np.nan_to_num(np.exp(-((y[:, None] - c) ** 2) / 2 * w**2)), "the width is multiplied"),
    (
        "7.2",
        lambda y, c, w: np.nan_to_num(np.exp(-((y[:, None] - c) ** 2) / (2 * w) ** 2)),
        "only the width is squared",
    ),
    ("7.3", lambda g, t, k: -ex07.log_likelihood(g, t, k), "the sign is turned"),
    ("7.3", lambda g, t, k: np.exp(ex07.log_likelihood(g, t, k)), "this is the probability"),
    ("7.4", one_short, "one film less than k"),
    ("7.4", more_rated_first, "whichever has more ratings"),
    ("7.4", by_ratio, "not their ratio"),
    ("7.4", both_sides, "on each side"),
    ("7.1", lambda s, r: s[0] / np.linalg.norm(s[0]), "first token alone"),
    ("7.1", lambda s, r: s.mean(axis=0) / np.linalg.norm(s.mean(axis=0)), "padding is counted"),
    ("7.1", lambda s, r: (s * r[:, None]).sum(axis=0) / r.sum(), "divide it by its length"),
    ("7.1", lambda s, r: s, "the result has shape"),
    ("7.1", lambda s, r: unit(s[: r.sum()].mean(axis=0)), "padding may stand on the left"),
    ("7.2", lambda y, c, w: ex07.nearness(y, c, w).T, "the other way round"),
    ("7.2", lambda y, c, w: np.exp(-0.5 * ((y[:, None] - c) / w) ** 2), "put 0 in its row"),
    ("7.2", lambda y, c, w: ex07.nearness(np.nan_to_num(y, nan=np.nanmean(y)), c, w), "has 0 in all columns"),
    ("7.2", lambda y, c, w: bumps(y, c, w, half=1), "lacks its half"),
    ("7.2", lambda y, c, w: bumps(y, c, w, square=False), "square the width"),
    ("7.2", lambda y, c, w: np.nan_to_num(np.exp(-0.5 * np.abs(y[:, None] - c) / w)), "square the distance"),
    ("7.2", lambda y, c, w: (b := bumps(y, c, w)) / np.maximum(b.sum(axis=1)[:, None], 1e-12), "need not add up to 1"),
    ("7.3", lambda g, t, k: log_softmax(g)[np.arange(k, len(t)), t[k:]].sum(), "the row before its own"),
    ("7.3", lambda g, t, k: g[np.arange(k, len(t)) - 1, t[k:]].sum(), "the softmax of each row"),
    ("7.3", lambda g, t, k: ex07.log_likelihood(g, t, 1), "begin with the token at `start`"),
    ("7.3", lambda g, t, k: ex07.log_likelihood(g, t, k) / (len(t) - k), "its logarithm a sum"),
    ("7.3", lambda g, t, k: log_softmax(g)[np.arange(k, len(t)) - 1, t[k:]].sum(), "in the thousands"),
    ("7.4", lambda u, n, w, k: np.sort(u)[np.argsort(-n[np.sort(u)], kind="stable")[:k]], "the most famous ones"),
    ("7.4", lambda u, n, w, k: ex07.nearest_in_fame(u, n, w, k)[::-1], "their order is not"),
    ("7.4", lambda u, n, w, k: np.argsort(np.abs(n[u] - n[w]), kind="stable")[:k], "places instead of codes"),
    ("7.4", lambda u, n, w, k: by_distance(np.sort(u), n, w, k), "no rival of its own"),
    ("7.4", lambda u, n, w, k: by_distance(np.sort(u[u != w])[::-1], n, w, k), "the lower code"),
]
