"""All that the tests know of page 05: recommendation lists."""

import numpy as np
import torch
from expected import between, exact, relative
from notebook_files import definitions
from scipy.stats import hypergeom

from helpers import data, metrics, models, training

SETS = [
    {"DATASET": "SMALL", "LISTS_OUT": "lists.csv"},
    {"DATASET": "SMALL log"},
    {"DATASET": "60"},
    {"DATASET": "12"},
    {"DATASET": "LARGE"},
    {"DATASET": "planted", "K": 5, "NEIGHBOURS": 30},
    {"EMBEDDING_DIM": 16, "RIDGE": 200.0, "NEGATIVES": 50},
]
WRONG = ({"K": 0}, "K = 0 cannot be used: it must be a whole number and at least 1")
EXPECTED = {
    "hr10_popularity": relative(0.0859, 0.001),
    "ndcg10_popularity": relative(0.04491, 0.001),
    "ndcg10_itemknn": relative(0.06946, 0.002),
    "ndcg10_ease": between(0.07, 0.074),
    "hr10_ease": relative(0.1485, 0.01),
    "ndcg10_best_matrix": between(0.075, 0.082),
    "ndcg10_dot": between(0.008, 0.014),
    "sampled_order_reversed": exact(True),
}


def ndcg_by(found, wanted, gain):
    return (found * gain).sum() / gain[: min(wanted, len(found))].sum()


def shuffled_ties(scores, seen, k, seed):
    order = np.random.default_rng(seed).permutation(len(scores))
    return order[np.argsort(-np.where(seen, -np.inf, scores)[order], kind="stable")[:k]]


def shuffled_list(scores, seen, k, seed):
    codes = np.argsort(-np.where(seen, -np.inf, scores), kind="stable")[:k]
    if len(set(scores[codes])) < k:
        np.random.default_rng(seed).shuffle(codes)
    return codes


def gini_of(x):
    return (2 * np.arange(1, len(x) + 1) - len(x) - 1) @ x / (len(x) * x.sum())


def noisy(scores, seen, k, seed):
    noise = np.random.default_rng(seed).normal(0, 0.1, len(scores))
    return np.argsort(-np.where(seen, -np.inf, scores + noise))[:k]


def rolled(scores, seen, k, seed):
    order = np.roll(np.arange(len(scores)), seed)
    return order[np.argsort(-np.where(seen, -np.inf, scores)[order], kind="stable")[:k]]


def low_mask(scores, seen, k, seed):
    order = np.random.default_rng(seed).permutation(len(scores))
    return order[np.argsort(-np.where(seen, -100, scores)[order], kind="stable")[:k]]


def over_found(found, wanted):
    gain = 1 / np.log2(np.arange(2, len(found) + 2))
    return (found * gain).sum() / gain[: min(wanted, len(found))].sum() * (found.sum() / found.sum())


def column_emptied(B, seen, item):
    column = B[:, item]
    column[seen == 0] = 0
    return column


MISTAKES = [
    ("5.1", noisy, "noise on scores"),
    ("5.1", rolled, "only from another start"),
    ("5.1", low_mask, "only minus infinity is below"),
    ("5.2", over_found, "a list without a find"),
    ("5.1", lambda s, seen, k, seed: np.argsort(-s)[:k], "mask them first"),
    ("5.1", lambda s, seen, k, seed: np.argsort(-np.where(seen, -np.inf, s))[:k][::-1], "best first"),
    ("5.1", lambda s, seen, k, seed: np.argsort(-np.where(seen, 0, s))[:k], "minus infinity, not 0"),
    ("5.1", lambda s, seen, k, seed: np.argsort(-np.where(seen, -np.inf, s), kind="stable")[:k], "whatever the seed"),
    ("5.1", lambda s, seen, k, seed: shuffled_ties(s, seen, k, None), "inside the function, from the seed"),
    ("5.1", lambda s, seen, k, seed: shuffled_list(s, seen, k, seed), "permute all items, not the list"),
    ("5.2", lambda f, w: (f / np.log2(np.arange(2, len(f) + 2))).sum(), "divide by the gain of a perfect list"),
    ("5.2", lambda f, w: ndcg_by(f, w, 1 / np.arange(1, len(f) + 1)), "it is 1 / log2(place + 1)"),
    ("5.2", lambda f, w: f.mean(), "should give 1"),
    ("5.3", column_emptied, "your function changes B"),
    ("5.3", lambda B, seen, i: B[:, i], "multiply by what was seen"),
    ("5.3", lambda B, seen, i: seen * B[i], "in its column"),
    ("5.3", lambda B, seen, i: seen * B[:, i] / abs(seen * B[:, i]).sum(), "made shares of them"),
    ("5.4", lambda x: gini_of(np.sort(x)[::-1]), "sort upwards"),
    ("5.4", lambda x: gini_of(x), "not sorted"),
    ("5.4", lambda x: gini_of(np.sort(x)) * len(x), "divide by n and by the sum"),
]


def same_as_helpers():
    given = {"data": data, "metrics": metrics, "models": models, "rows": (None, None), "K": 2, "n_items": 8}
    page, rng = definitions("05", **given, hypergeom=hypergeom), np.random.default_rng(0)
    seen = (rng.random((20, 8)) < 0.4).astype(np.float32)
    assert np.allclose(page.ease(seen, 2.0), models.ease_weights(seen, ridge=2.0))
    assert np.allclose(page.item_knn(seen, 3), models.neighbour_weights(seen, neighbours=3))
    model, taken = models.DotProduct(20, 8, 4, spread=1.0, seed=0), torch.tensor(seen)
    everyone = torch.arange(20)
    loss = training.softmax_error(model, everyone, taken)
    assert torch.equal(page.softmax_loss(model, everyone, taken), loss)
    ours, theirs = page.HistoryDotProduct(taken, 4, seed=0), models.HistoryDotProduct(taken, 4, seed=0)
    with models.seeded(3):
        hidden = ours.scores(everyone)
    with models.seeded(3):
        assert torch.allclose(theirs.scores(everyone), hidden)


def test_the_chance_among_sampled_negatives_is_what_drawing_gives():
    rng = np.random.default_rng(1)
    scores, seen = rng.normal(size=(1, 60)), np.zeros((1, 60))
    given = {"K": 3, "users": np.array([0]), "wanted": np.array([9]), "seen": seen, "n_items": 60}
    page = definitions("05", **given, data=data, metrics=metrics, models=models, rows=(None, None), hypergeom=hypergeom)
    others = np.delete(np.arange(60), 9)
    drawn = np.array([rng.choice(others, 12, replace=False) for _ in range(20_000)])
    hits = ((scores[0, drawn] > scores[0, 9]).sum(axis=1) < 3).mean()
    assert abs(page.sampled_hits(scores, 12)[0] - hits) < 0.015
