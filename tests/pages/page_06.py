"""All that the tests know of page 06: transformer recommender."""

import numpy as np
import torch
from expected import SECONDS, between, exact
from notebook_files import definitions
from scipy.linalg import solve
from torch.nn.functional import cross_entropy

from helpers import data, models, recipes, training

SETS = [
    {"DATASET": "SMALL log", "PLANTED": 500, "EPOCHS": 2, "LISTS_OUT": "lists.csv"},
    {"DATASET": "12", "PLANTED": 500, "EPOCHS": 2},
    {"DATASET": "LARGE", "PLANTED": 500, "EPOCHS": 2},
    {"DATASET": "planted", "PLANTED": 500, "EPOCHS": 1, "DIM": 16, "LAYERS": 1, "HEADS": 4},
    {"PLANTED": 500, "EPOCHS": 1, "DIM": 8, "DROPOUT": 0.0, "DECAY": 1.0, "RIDGE": 10.0},
]
WRONG = ({"DIM": 6, "HEADS": 4}, "dim = 6 cannot be shared by 4 heads: take a multiple of 4")
EXPECTED = {
    "ndcg10_ease": between(0.07, 0.074),
    "ndcg10_ease_recent": between(0.097, 0.1),
    "ndcg10_linear_order": between(0.108, 0.111),
    "ndcg10_linear_two_decays": between(0.115, 0.118),
    "ndcg10_gpt": between(0.08, 0.12),
    "ndcg10_gpt_seeds_mean": between(0.112, 0.12),
    "gpt_minus_linear": between(-0.01, 0.01),
    "gpt_minus_linear_low": between(-0.025, 0),
    "gpt_minus_linear_high": between(0, 0.03),
    "ndcg10_best": between(0.12, 0.14),
    "linear_seconds": SECONDS,
    "train_seconds_gpt": SECONDS,
    "parameters": exact(163218),
}


def attend(Q, K, V, scores):
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ V


def faded_parts(h, d, B, i, power=None, root=True):
    weights = d ** (np.arange(len(h))[::-1] if power is None else power(len(h)))
    return (weights / np.sqrt(weights.sum()) if root else weights) * B[h, i]


def surprise(logits, rows, items, log=np.log):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return -log(shares[rows, items])


def real(w, p):
    return np.flatnonzero(w[:-1] != p)


MISTAKES = [
    ("6.1", lambda h, d, B, i: faded_parts(h, d, B, i, root=False), "the root of their sum"),
    ("6.1", lambda h, d, B, i: faded_parts(h, d, B, i, np.arange), "the oldest item weighs most"),
    ("6.1", lambda h, d, B, i: faded_parts(h, d, B.T, i), "in its column"),
    ("6.1", lambda h, d, B, i: np.bincount(h, faded_parts(h, d, B, i), len(B)), "in its order"),
    ("6.1", lambda h, d, B, i: faded_parts(h, 0.5, B, i) if d < 1 else faded_parts(h, d, B, i), "all four arguments"),
    ("6.1", lambda h, d, B, i: faded_parts(h, d, B, i) * d, "an age of 0"),
    ("6.2", lambda Q, K, V, a: attend(Q, K, V, Q @ K.T / np.sqrt(Q.shape[1])), "before the softmax"),
    ("6.2", lambda Q, K, V, a: attend(Q, K, V, np.where(a, Q @ K.T, -np.inf)), "by the root of d"),
    ("6.2", lambda Q, K, V, a: attend(Q, K, V, np.where(a.T, Q @ K.T / 2, -np.inf)), "the other way round"),
    ("6.2", lambda Q, K, V, a: np.where(a, Q @ K.T, 0) @ V, "must be its own value"),
    ("6.1", lambda h, d, B, i: faded_parts(h, d, B, i)[::-1], "newest first"),
    ("6.1", lambda h, d, B, i: (w := d ** np.arange(len(h))[::-1]) / np.sqrt((w**2).sum()) * B[h, i], "their squares"),
    ("6.1", lambda h, d, B, i: d ** np.arange(len(h))[::-1] / np.sqrt(len(h)) * B[h, i], "of their number"),
    (
        "6.2",
        lambda Q, K, V, a: attend(Q, K, V, np.where(np.tril(a | True), Q @ K.T / len(Q[0]) ** 0.5, -np.inf)),
        "for the mask",
    ),
    (
        "6.2",
        lambda Q, K, V, a: attend(
            Q, K, V, np.where(a | np.eye(len(a), dtype=bool), Q @ K.T / len(Q[0]) ** 0.5, -np.inf)
        ),
        "for the mask",
    ),
    ("6.2", lambda Q, K, V, a: attend(Q, K, V, np.where(a, Q @ K.T / len(Q[0]), -np.inf)), "not by d"),
    ("6.2", lambda Q, K, V, a: attend(Q, K, V, np.where(a, Q @ K.T / len(Q[0]) ** 0.5, 0)), "still gets a share"),
    (
        "6.2",
        lambda Q, K, V, a: (e := np.where(a, np.exp(Q @ K.T / len(Q[0]) ** 0.5), 0)) / e.sum(axis=1)[:, None] @ V,
        "overflows",
    ),
    ("6.3", lambda z, w, p: surprise(z, real(w, p), w[:-1][real(w, p)]).mean(), "for its own item"),
    ("6.3", lambda z, w, p: surprise(z, real(w, p), w[1:][real(w, p)]).sum(), "not their sum"),
    ("6.3", lambda z, w, p: -surprise(z, real(w, p), w[1:][real(w, p)]).mean(), "*minus* the log share"),
    ("6.3", lambda z, w, p: surprise(z, real(w, p), w[1:][real(w, p)], np.log2).mean(), "to base 2"),
    ("6.3", lambda z, w, p: surprise(z, (k := np.flatnonzero(w[1:] != p)), w[1:][k]).mean(), "asked for it"),
    ("6.3", lambda z, w, p: surprise(z, real(w, p), w[1:][real(w, p)]).sum() / len(z), "not by the length"),
    ("6.3", lambda z, w, p: surprise(z, (k := real(w, len(z[0]))), w[1:][k]).mean(), "the argument `padding`"),
    (
        "6.3",
        lambda z, w, p: surprise(z, (k := real(w, p)), w[1:][k], lambda s: np.log(s + 1e-6)).mean(),
        "nothing added",
    ),
]


def same_as_helpers():
    histories = [np.random.default_rng(k).permutation(30)[: 5 + k] for k in range(12)]
    seen = models.faded(histories, 30, [1.0]) > 0
    given = {"device": torch.device("cpu"), "n_items": 30, "seen": seen, "solve": solve, "data": data}
    page = definitions("06", training=training, cross_entropy=cross_entropy, **given)

    torch.manual_seed(4)
    ours = page.GPT(30, 8, 2, 2, 6, 0.1)
    theirs = models.SequenceTransformer(30, 8, layers=2, heads=2, length=6, dropout=0.1, seed=4)
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True))
    window = torch.tensor(data.windows(histories, 6, 30))
    at_rest = (page.next_item_loss(ours.eval(), window), training.next_item_error(theirs.eval(), window))
    assert torch.allclose(*at_rest, atol=1e-5)

    page.train_model(ours, histories, page.next_item_loss, 2, 4)
    cut = lambda epoch: (torch.tensor(data.windows(histories, 6, 30, np.random.default_rng([4, epoch]))),)
    settings = training.Settings(2, batch=64, lr=0.004, warm_up=0, decay={})
    training.fit(theirs, cut, training.next_item_error, settings, seed=4)
    assert torch.allclose(ours.scores(window[:, 1:]), theirs.eval().scores(window[:, 1:]), atol=1e-3)

    bert = models.SequenceTransformer(30, 8, layers=1, heads=2, length=6, dropout=0.0, causal=False, seed=4)
    torch.manual_seed(0)
    assert torch.isfinite(page.masked_item_loss(bert, window))

    assert np.allclose(page.faded(histories[3], 0.9), models.faded(histories[3:4], 30, [0.9])[0])
    assert np.allclose(page.fading(5, 0.9), models.fading(5, 0.9))
    ours, theirs = (of.next_item_weights(histories, **rest) for of, rest in (
        (page, {"decays": [0.9, 0.5], "ridge": 2.0}), (models, {"n_items": 30, "decays": [0.9, 0.5], "ridge": 2.0}),
    ))  # fmt: skip
    assert np.allclose(ours, theirs)
    scores = np.random.default_rng(0).normal(size=seen.shape)
    assert np.allclose(page.standardised(scores), recipes.standardised(scores, seen))
