"""All that the tests know of page 04: embedding model."""

import numpy as np
import torch
from expected import SECONDS, between, exact, relative
from notebook_files import definitions

from helpers import models, training

SETS = [
    {"DATASET": "SMALL shifted", "ARTICLE_EPOCHS": 1},
    {"DATASET": "12", "ARTICLE_EPOCHS": 1},
    {"DATASET": "LARGE", "ARTICLE_EPOCHS": 1},
    {"DATASET": "planted", "ARTICLE_EPOCHS": 1, "EMBEDDING_DIM": 16, "EPOCHS": 4},
    {"DATASET": "planted", "ARTICLE_EPOCHS": 2, "ARTICLE_DIM": 8, "SEED": 7, "LEARNING_RATE": 0.01},
]
WRONG = ({"DEVICE": "tpu"}, "DEVICE = 'tpu' is not there: PyTorch sees")
EXPECTED = {
    "rmse_article_loop": between(1.09, 1.16),
    "rmse_article_repaired": between(0.94, 0.96),
    "rmse_bias": relative(0.935126, 0.0001),
    "rmse_dot": between(0.89, 0.9),
    "rmse_best": between(0.88, 0.895),
    "rmse_five_fold_mean": relative(0.90264, 0.0001),
    "rmse_five_fold_std": relative(0.0060197, 0.001),
    "fit_seconds_dot": SECONDS,
    "throughput_ratio": SECONDS,
    "distinct_rankings_article": exact(1),
    "distinct_rankings_dot": exact(943),
}


def index_batches(n, size, seed):
    order = np.random.default_rng(seed).permutation(n)
    return [order[k : k + size] for k in range(0, n, size)]


MISTAKES = [
    ("4.1", lambda o, r: ((o - r) ** 2).sum(), "you added up the squares"),
    ("4.1", lambda o, r: ((o - r) ** 2).mean().sqrt(), "you took the root"),
    ("4.1", lambda o, r: ((o - r) ** 2).mean(), "the article's bug"),
    ("4.2", lambda S: S - S.mean(axis=1, keepdims=True) - S.mean(axis=0), "add it once"),
    ("4.2", lambda S: S - S.mean(axis=1, keepdims=True), "only the row means are out"),
    ("4.2", lambda S: S - S.mean(axis=0), "only the column means are out"),
    ("4.3", lambda w, g, lr, d: w - lr * g - lr * d * w, "divide it by its size"),
    ("4.3", lambda w, g, lr, d: w - lr * (g + d * w) / (abs(g + d * w) + 1e-8), "the price that Adam spoils"),
    ("4.3", lambda w, g, lr, d: w - lr * g / (abs(g) + 1e-8) - d * w, "the share is ηλ"),
    ("4.4", lambda n, size, seed: index_batches(n, size, seed)[:-1], "the last, shorter batch is missing"),
    ("4.4", lambda n, size, seed: np.split(np.arange(n), range(size, n, size)), "the order is not random"),
    ("4.4", lambda n, size, seed: index_batches(n, size, 0), "the seed is not used"),
]


def same_as_helpers():
    page = definitions("04", training=training, test_tensors=(), DataLoader=None)
    user, item = torch.tensor([0, 2, 4]), torch.tensor([3, 0, 5])
    ours, theirs = page.DotProduct(5, 6, 4, 3.5, spread=0.3), models.DotProduct(5, 6, 4, seed=1)
    own, others = page.NeuMF(5, 6, 4, 3.5), models.NeuMF(5, 6, 4, seed=1)
    for one, other in ((ours, theirs), (own, others)):
        other.load_state_dict(one.state_dict())
        assert torch.allclose(one(user, item), other(user, item))
