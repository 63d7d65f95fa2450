"""All that the tests know of page 06: transformer recommender."""

import numpy as np
import torch
from expected import SECONDS, between, exact
from notebook_files import definitions

from helpers import models

SETS = [
    {"DATASET": "SMALL log", "PLANTED": 500, "EPOCHS": 2, "LISTS_OUT": "lists.csv"},
    {"DATASET": "12", "PLANTED": 500, "EPOCHS": 2},
    {"DATASET": "LARGE", "PLANTED": 500, "EPOCHS": 2},
    {"DATASET": "planted", "PLANTED": 500, "EPOCHS": 1, "DIM": 16, "LAYERS": 1, "HEADS": 4},
    {"PLANTED": 500, "EPOCHS": 1, "DIM": 8, "DROPOUT": 0.0},
]
WRONG = ({"DIM": 6, "HEADS": 4}, "dim = 6 cannot be shared by 4 heads: take a multiple of 4")
EXPECTED = {
    "planted_accuracy": between(0.99, 1.0),
    "hr10_gpt": between(0.17, 0.25),
    "ndcg10_gpt": between(0.088, 0.13),
    "hr10_gpt_seeds_mean": between(0.205, 0.24),
    "ndcg10_gpt_seeds_mean": between(0.112, 0.125),
    "ndcg10_gpt_seeds_std": between(0.0005, 0.01),
    "ndcg10_shuffled_order": between(0.02, 0.08),
    "ndcg10_ease": between(0.07, 0.074),
    "train_seconds_gpt": SECONDS,
    "parameters": exact(163218),
    "ndcg10_gpt_reference": between(0.1, 0.13),
    "hr10_bert_reference": between(0.18, 0.25),
    "ndcg10_bert_reference": between(0.095, 0.13),
}


def attend(Q, K, V, scores):
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ V


def cut_into(history, length, padding, parts):
    return np.array([np.r_[np.full(length + 1 - len(p), padding), p] for p in parts], dtype=int).reshape(-1, length + 1)


MISTAKES = [
    ("6.1", lambda Q, K, V, a: attend(Q, K, V, Q @ K.T / np.sqrt(Q.shape[1])), "before the softmax"),
    ("6.1", lambda Q, K, V, a: attend(Q, K, V, np.where(a, Q @ K.T, -np.inf)), "by the root of d"),
    ("6.1", lambda Q, K, V, a: np.where(a, Q @ K.T, 0) @ V, "must be its own value"),
    ("6.2", lambda h, p: np.tril(np.ones((len(h), len(h)), dtype=bool)), "padding is looked at"),
    ("6.2", lambda h, p: (h != p) & np.ones((len(h), 1), dtype=bool), "somebody looks ahead"),
    ("6.2", lambda h, p: np.tril(np.ones((len(h), len(h)), dtype=bool)) & (h != p), "padding as well"),
    ("6.3", lambda i, d, n, t: (i + 2) * d + t * d + n * (4 * d + 6 * d * d) + 2 * d + i, "lack the biases"),
    ("6.3", lambda i, d, n, t: (i + 2) * d + t * d + n * (6 * d * d + 6 * d) + 2 * d + i, "lack their two norms"),
    ("6.3", lambda i, d, n, t: (i + 2) * d + n * (10 * d + 6 * d * d) + 2 * d + i, "the positions"),
    ("6.4", lambda h, n, p: cut_into(h, n, p, [h[k : k + n + 1] for k in range(0, len(h) - 1, n)]), "the beginning"),
    ("6.4", lambda h, n, p: cut_into(h, n, p, [h[max(0, k - n - 1) : k] for k in range(len(h), 0, -n)]), "no window"),
    ("6.4", lambda h, n, p: cut_into(h, n, p, [h[k - n - 1 : k] for k in range(len(h), 1, -n - 1)]), "share no item"),
]


def same_as_helpers():
    with models.seeded(0):
        ours, theirs, x = definitions("06").Block(8, 2, 0.0), models.Block(8, 2, 0.0), torch.randn(3, 5, 8)
    theirs.load_state_dict(ours.state_dict())
    allowed = torch.ones(5, 5, dtype=torch.bool).tril()
    assert torch.allclose(ours(x, allowed), theirs(x, allowed)[0], atol=1e-5)
