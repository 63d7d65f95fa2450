"""All that the tests know of page 09: attention maps."""

import numpy as np
import torch
from expected import between
from notebook_files import definitions

from helpers import explain, models
from helpers.exercises import ex09

SETS = [
    {"PLANTED": 60, "ASKED_USERS": 10, "PLANTED_SEEDS": 3, "DATASET": "SMALL short"},
    {"PLANTED": 100, "ASKED_USERS": 10, "PLANTED_SEEDS": 3},
    {"PLANTED": 60, "ASKED_USERS": 12, "PLANTED_SEEDS": 3},
]
WRONG = ({"DATASET": "planted"}, "planted has no titles, and this page is about them")
EXPECTED = {
    "hit1_last_block": between(0.35, 0.53),
    "hit1_first_block": between(0.97, 1),
    "both_rollout": between(0.8, 0.95),
    "both_lengths": between(0.97, 1),
    "both_removal": between(0.55, 0.8),
    "both_replaced": between(0.93, 1),
    "removals_alike": between(0.44, 0.6),
    "stay_last_zero": between(0.63, 0.76),
    "stay_first_mean_map": between(0.58, 0.73),
    "rollout_removal": between(0.48, 0.6),
    "rollout_beyond_recency": between(0.2, 0.34),
    "recency_removal": between(0.44, 0.56),
}


def keep_one(score, h, t):
    return score(h)[t] - np.array([score(h[[k]])[t] for k in range(len(h))])


def twice_as_often(score, h, t):
    return np.array([[score(h)[j] - score(np.delete(h, k))[j] for j in t] for k in range(len(h))])


def both_places(score, h, t):
    return np.array([(score(h) - score(h[h != film]))[t] for film in h])


def parts(x, w, sent, own=True):
    return w[:, :, None] * sent + (np.eye(len(x))[:, :, None] * x[:, None] if own else 0)


def length(table):
    return np.linalg.norm(table, axis=2)


MISTAKES = [
    ("9.1", lambda f, h, t: -ex09.falls(f, h, t), "the sign is turned"),
    ("9.1", lambda f, h, t: np.array([f(np.delete(h, k))[t] for k in range(len(h))]), "without each film: subtract"),
    ("9.1", lambda f, h, t: -np.array([f(np.delete(h, k))[t] for k in range(len(h))]), "less than 0"),
    ("9.1", both_places, "stands there twice"),
    ("9.1", keep_one, "leave out the others"),
    ("9.1", twice_as_often, "for all targets at once"),
    ("9.1", lambda f, h, t: ex09.falls(f, h[::-1], t)[::-1], "the others in their order"),
    ("9.1", lambda f, h, t: ex09.falls(f, h, t).T, "the result has shape"),
    ("9.1", lambda f, h, t: ex09.falls(f, h, t).astype(int), "lost their fractions"),
    ("9.1", lambda f, h, t: np.abs(ex09.falls(f, h, t)), "the sign is lost"),
    ("9.1", lambda f, h, t: ex09.falls(f, h, np.arange(8))[:, :2], "targets[j]"),
    ("9.1", lambda f, h, t: np.r_[ex09.falls(f, h, t)[:3], ex09.falls(f, h, t)[:1]], "for its second place"),
    ("9.2", lambda a, s: ex09.rollout(a[:, :2], s), "share times the mean of the heads"),
    ("9.2", lambda a, s: ex09.rollout(a, s or 0.5), "with share 0"),
    ("9.2", lambda a, s: np.tril(ex09.rollout(a, s)), "do not add up to 1"),
    ("9.2", lambda a, s: a.mean(1)[2] @ a.mean(1)[1] @ a.mean(1)[0], "keeps something of itself"),
    ("9.2", lambda a, s: ex09.rollout(a, 0.5), "use the argument"),
    ("9.2", lambda a, s: ex09.rollout(a, 1 - s), "the shares are exchanged"),
    ("9.2", lambda a, s: ex09.rollout(a[::-1], s), "the order is reversed"),
    ("9.2", lambda a, s: ex09.rollout(a[:, :1], s), "the first head only"),
    ("9.2", lambda a, s: 8 * ex09.rollout(a, s), "do not add up to 1"),
    ("9.2", lambda a, s: a.mean(1), "the result has shape"),
    ("9.3", lambda x, w, v: np.tril(ex09.brought_lengths(x, w, v)), "the lengths are not those"),
    ("9.3", lambda x, w, v: ex09.brought_lengths(x.__iadd__(1) - 1, w, v), "work on a copy"),
    ("9.3", lambda x, w, v: length(parts(x, w, v, own=False)), "own vector is missing"),
    ("9.3", lambda x, w, v: length(parts(x, w, v, own=False)) + np.diag(np.linalg.norm(x, axis=1)), "add the vectors"),
    ("9.3", lambda x, w, v: length(w[:, :, None] * v + x[:, None]), "on the diagonal only"),
    ("9.3", lambda x, w, v: ex09.brought_lengths(x, w, v).T, "rows and columns are exchanged"),
    ("9.3", lambda x, w, v: (m := length(parts(x, w, v))) / m.sum(1, keepdims=True), "these are shares"),
    ("9.3", lambda x, w, v: length(parts(x, w, v)) ** 2, "these are squares"),
    ("9.3", lambda x, w, v: parts(x, w, v).sum(axis=2), "the lengths are not those"),
]


def same_as_helpers():
    page, model = definitions("09"), models.SequenceTransformer(9, 8, length=5, seed=0).eval()
    history = torch.tensor([[3, 1, 4, 1, 5]])
    states, attention = model.look(history)
    told = page.with_attention(model, history, attention)
    assert torch.allclose(told, model.scores(history), atol=1e-5)
    layers = torch.stack([weights[0] for weights in attention]).detach().numpy()
    assert np.allclose(ex09.rollout(layers, 0.5), explain.rollout(attention)[0].detach(), atol=1e-6)
    assert np.allclose(page.follow(model, history, 0.5)[0].detach(), ex09.rollout(layers, 0.5)[-1], atol=1e-6)
    block = model.blocks[0]
    lengths = page.brought(block, states[0], attention[0])[0]
    _, _, values = block.queries_keys_values(states[0])
    by_head = block.from_heads.weight.view(8, 2, 4)
    sent = sum(attention[0][0, h, 4, 4] * values[0, h, 4] @ by_head[:, h].T for h in range(2))
    assert torch.allclose(lengths[4, 4], (states[0][0, 4] + sent).norm(), atol=1e-5)
