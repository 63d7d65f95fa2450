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


def models_mse(output, rating):
    return ((output - rating) ** 2).mean()


def refuse(output, rating):
    raise ValueError(f"{tuple(output.shape)} {tuple(rating.shape)}")


MISTAKES = [
    ("4.1", lambda o, r: ((o - r) ** 2).sum(), "you added up the squares"),
    ("4.1", lambda o, r: ((o - r) ** 2).mean().sqrt(), "you took the root"),
    ("4.1", lambda o, r: ((o - r) ** 2).mean(), "the article's bug"),
    ("4.2", lambda S: S - S.mean(axis=1, keepdims=True) - S.mean(axis=0), "add it once"),
    ("4.2", lambda S: S - S.mean(axis=1, keepdims=True), "only the row means are out"),
    ("4.2", lambda S: S - S.mean(axis=0), "only the column means are out"),
    ("4.3", lambda w, g, lr, d: w - lr * g - lr * d * w, "divide it by its size"),
    ("4.3", lambda w, g, lr, d: w - lr * (g + d * w) / (abs(g + d * w) + 1e-8), "the penalty that Adam spoils"),
    ("4.3", lambda w, g, lr, d: w - lr * g / (abs(g) + 1e-8) - d * w, "the share is ηλ"),
]


def smaller_pick(dims, errors, within):
    return int(np.argmin(errors))


def pick(dims, errors, within):
    narrowest = dims == dims[errors <= errors.min() + within].min()
    return int(np.flatnonzero(narrowest)[np.argmin(errors[narrowest])])


def best_of_all(dims, errors, within):
    return int(np.flatnonzero(errors == errors[pick(dims, errors, within)])[0])


def first_close(dims, errors, within):
    good = np.flatnonzero(errors <= errors.min() + within)
    return int(good[np.argmin(dims[good])])


MISTAKES += [
    ("4.1", lambda o, r: models_mse(o, r) if o.ndim == r.ndim else refuse(o, r), "Compare shapes, not their number"),
    ("4.1", lambda o, r: float(models_mse(o, r)) if o.shape == r.shape else refuse(o, r), "it has no gradient"),
    ("4.3", lambda w, g, lr, d: (w - lr * g / (abs(g) + 1e-8)) * (1 - lr * d), "the old w is to be shrunk"),
    ("4.3", lambda w, g, lr, d: w - lr * g / abs(g) - lr * d * w, "whose slope is 0 becomes nan"),
    ("4.3", lambda w, g, lr, d: (1 - lr * d) * w - lr * np.sign(g), "the sign alone is not the formula"),
    ("4.4", lambda dims, errors, within: best_of_all(dims, errors, within), "look for it among that width only"),
    ("4.4", lambda dims, errors, within: pick(dims, errors, within * errors.min()), "no share of the smallest"),
    ("4.4", smaller_pick, "you take the smallest error of all"),
    ("4.4", first_close, "the best of that width is asked for"),
    ("4.4", lambda dims, errors, within: int(np.argmin(dims)), "which does not come close enough"),
    ("4.4", lambda dims, errors, within: int(dims[first_close(dims, errors, within)]), "you return the width"),
]  # fmt: skip


def names_both_sizes(output, rating):
    if output.shape != rating.shape:
        raise ValueError(f"{output.shape} vs {rating.shape}")
    return (output - rating).square().mean()


RIGHT = [("4.1", names_both_sizes)]


def same_as_helpers():
    given = {"training": training, "test_tensors": (), "DataLoader": None, "models": models, "device": "cpu"}
    page = definitions("04", **given, BATCH=7, DECAY={}, EPOCHS=3, LEARNING_RATE=0.01)
    user, item = torch.tensor([0, 2, 4]), torch.tensor([3, 0, 5])
    features = torch.eye(5)[:, :2], torch.eye(6)[:, :3]
    pairs = [
        (page.DotProduct(5, 6, 4, mean=3.5, spread=0.3), models.DotProduct(5, 6, 4, seed=1)),
        (page.NeuMF(5, 6, 4, mean=3.5), models.NeuMF(5, 6, 4, seed=1)),
        (page.FeatureDotProduct(*features, 4, mean=3.5, spread=0.3), models.FeatureDotProduct(*features, 4, seed=1)),
    ]
    for one, other in pairs:
        other.load_state_dict(one.state_dict())
        assert torch.allclose(one(user, item), other(user, item))
    same_loop(page)


def same_loop(page):
    """The page's loop ends where `training.fit` ends."""
    rng = np.random.default_rng(0)
    tensors = [torch.tensor(rng.integers(0, size, 40)) for size in (5, 6)] + [torch.rand(40)]
    decay = {"factors": 0.9, "bias": 0.05}
    ours, theirs = (models.DotProduct(5, 6, 4, seed=1) for _ in range(2))
    losses, _ = page.fit(ours, tensors, decay=decay, epochs=3, lr=0.01, seed=2)
    curve = training.fit(theirs, tuple(tensors), settings=training.Settings(3, 7, 0.01, decay=decay), seed=2)
    assert np.allclose(losses, curve.losses, rtol=1e-5)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
