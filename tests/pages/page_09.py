"""All that the tests know of page 09: attention maps."""

import numpy as np
import torch
from expected import between
from notebook_files import definitions

from helpers import explain, models
from helpers.exercises import ex09

SETS = [
    {"PLANTED": 60, "ASKED_USERS": 10, "EXACT_USERS": 3, "DATASET": "SMALL"},
    {"PLANTED": 100, "ASKED_USERS": 10, "EXACT_USERS": 3},
    {"PLANTED": 60, "ASKED_USERS": 12, "EXACT_USERS": 4},
]
WRONG = ({"DATASET": "planted"}, "planted has no titles, and this page is about them")
EXPECTED = {
    "hit1_last_attention": between(0.3, 0.35),
    "hit1_last_attention_std": between(0.18, 0.23),
    "hit1_rollout": between(0.9, 0.95),
    "hit1_rollout_std": between(0.02, 0.045),
    "hit1_random": between(0.07, 0.1),
    "hit1_random_std": between(0, 0.02),
    "hit1_two_part_attention": between(0.98, 1),
    "both_two_part_attention": between(0.1, 0.19),
    "both_two_part_occlusion": between(0.64, 0.76),
    "attention_occlusion_rank_corr": between(0.3, 0.43),
    "recency_occlusion_rank_corr": between(0.44, 0.56),
    "alternative_attention_output_gap": between(0, 0.0001),
    "alternative_attention_moved": between(0.18, 0.28),
    "films_kept_even_last_layer": between(0.74, 0.84),
    "both_two_part_rollout": between(0.83, 0.96),
}


def earlier(kinds):
    return (kinds[:, None] == kinds) & np.tri(len(kinds), k=-1, dtype=bool)


def even(kinds):
    return np.tri(len(kinds)) / np.arange(1, len(kinds) + 1)[:, None]


MISTAKES = [
    ("9.1", lambda a: a.mean(1)[2] @ a.mean(1)[1] @ a.mean(1)[0], "keeps half of itself"),
    ("9.1", lambda a: ex09.rollout(a[::-1]), "the order is reversed"),
    ("9.1", lambda a: 8 * ex09.rollout(a), "halve each A + I"),
    ("9.1", lambda a: a.mean(1), "the result has shape"),
    ("9.2", lambda s, c: ex09.hit_rates(s, c) * [len(s), 1], "counts the hits"),
    ("9.2", lambda s, c: np.array([(s.argmax(1) == c.argmax(1)).mean(), c.mean()]), "at any of them"),
    ("9.2", lambda s, c: np.array([ex09.hit_rates(s, c)[0], 1 / s.shape[1]]), "only with one cause"),
    ("9.3", lambda w, k: (w * earlier(k)).sum(1)[1:].mean(), "is not subtracted"),
    ("9.3", lambda w, k: ((w - even(k)) * (k[:, None] == k)).sum(1)[1:].mean(), "leave the diagonal out"),
    ("9.3", lambda w, k: ((w - 1 / len(k)) * earlier(k)).sum(1)[1:].mean(), "goes to i + 1 films"),
    ("9.3", lambda w, k: ((w - even(k)) * earlier(k)).sum(1).mean(), "from the second on"),
    ("9.4", lambda v: np.zeros(len(v)), "since your vector is 0"),
    ("9.4", lambda v: 2 * ex09.free_direction(v), "bring it to 1"),
    ("9.4", lambda v: np.linalg.svd(v.T)[2][-1], "must add up to 0"),
    ("9.4", lambda v: np.array([1, -1, *[0] * (len(v) - 2)]) / 2**0.5, "changes the mixture"),
]


def same_as_helpers():
    page, model = definitions("09", models=models), models.SequenceTransformer(9, 8, length=5, seed=0).eval()
    history = torch.tensor([[3, 1, 4, 1, 5]])
    _, attention = model.look(history)
    told = page.with_attention(model, history, attention)
    assert torch.allclose(model.logits(told), model.scores(history), atol=1e-5)
    layers = torch.stack([weights[0] for weights in attention]).detach().numpy()
    assert np.allclose(ex09.rollout(layers), explain.rollout(attention)[0].detach(), atol=1e-6)
