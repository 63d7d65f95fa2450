"""All that the tests know of page 10: attribution."""

import numpy as np
import torch
from expected import between
from notebook_files import definitions

from helpers import explain, models
from helpers.exercises import ex10

QUICK = {"PLANTED": 50, "CHECKED_USERS": 10, "COMPARED_USERS": 5, "ORDERS": 10, "RANK": 3}
SETS = [
    QUICK | {"DATASET": "SMALL", "USER": "3", "LISTS_OUT": "lists.csv"},
    QUICK | {"DATASET": "SMALL log", "USER": "3"},
    QUICK | {"DATASET": "LARGE", "USER": "3"},
    QUICK | {"USER": "2", "RIDGE": 20.0},
]
WRONG = ({"USER": "944"}, "USER = '944' is not there: the ids of these 943 users are 1, 2, 3")
EXPECTED = {
    "ig_completeness_gap": between(0, 0.0001),
    "shapley_gap": between(0, 0.0001),
    "influence_retraining_pearson": between(0.99, 1),
    "counterfactual_size_mean": between(1.2, 1.45),
    "method_agreement": between(0.35, 0.48),
    "hit1_gradient_times_input": between(0.38, 0.54),
    "hit1_occlusion": between(0.98, 1),
    "both_ig_from_zeros": between(0.22, 0.37),
    "both_ig_from_mean": between(0.76, 0.9),
    "agreement_between_families": between(0.17, 0.31),
}


def finds_nothing(recommend, history):
    assert recommend(history)


def removes_for_good(score, history):
    whole, falls = score(history), []
    for _ in range(len(history)):
        history.pop(0)
        falls.append(whole - score(history))
    return np.array(falls)


def removals(worth, n):
    everybody = frozenset(range(n))
    return np.array([worth(everybody) - worth(everybody - {k}) for k in range(n)])


MISTAKES = [
    ("10.1", lambda f, h: -ex10.occlusion(f, h), "the sign is turned"),
    ("10.1", lambda f, h: np.array([f(h[:k] + h[k + 1 :]) for k in range(len(h))]), "these are the scores without"),
    ("10.1", lambda f, h: np.array([f(h) - f([i for i in h if i != j]) for j in h]), "removed at both places"),
    ("10.1", removes_for_good, "changes the history"),
    ("10.2", lambda g, x, b, n: (x - b) * g(x), "the slope at the end"),
    ("10.2", lambda g, x, b, n: ex10.integrated_gradients(g, x, b, n) / (x - b), "multiply by x - baseline"),
    ("10.2", lambda g, x, b, n: ex10.integrated_gradients(g, x, b, n) / (x - b) * x, "and not by x"),
    ("10.2", lambda g, x, b, n: ex10.integrated_gradients(g, x, b, n) * n, "take their mean"),
    ("10.2", lambda g, x, b, n: ex10.integrated_gradients(g, x, 0 * b, n), "begins at the baseline"),
    ("10.3", lambda v, n: np.array([v(frozenset({k})) - v(frozenset()) for k in range(n)]), "when it comes first"),
    ("10.3", lambda v, n: removals(v, n), "when it comes last"),
    ("10.3", lambda v, n: ex10.shapley(v, n) * 24, "divide by their number"),
    ("10.3", lambda v, n: ex10.shapley(v, n) + v(frozenset()) / n, "what nobody reaches"),
    ("10.4", finds_nothing, "finds no set"),
    ("10.4", lambda f, h: [h[k] for k in ex10.smallest_set(f, h)], "the set holds items"),
    ("10.4", lambda f, h: list(range(len(h))), "two are enough"),
    ("10.4", lambda f, h: [1], "is still the same"),
    ("10.4", lambda f, h: ex10.smallest_set(f, h) or [], "the answer is None"),
]


def same_as_helpers():
    model = models.SequenceTransformer(9, 8, length=5, seed=0).eval()
    history, target = torch.tensor([[3, 1, 4, 1, 5]]), torch.tensor([2])
    page = definitions("10", models=models, explain=explain, ORDERS=1, gpt=model)
    ours = page.by_midpoints(model, history, target, 400)
    assert torch.allclose(ours, explain.integrated_gradients(model, history, target)[0][0], atol=1e-3)

    def score(codes):
        return float(model.scores(torch.tensor([[model.padding] * (5 - len(codes)) + list(codes)]))[0, 2].detach())

    falls = ex10.occlusion(score, history[0].tolist())
    assert np.allclose(falls, explain.occlusion(model, history, target)[0], atol=1e-5)
    assert np.allclose(
        ex10.shapley(lambda inside: score([c for k, c in enumerate([3, 1, 4]) if k in inside]), 3),
        explain.shapley(explain.history_game(model, torch.tensor([3, 1, 4]), 2)[0], 3),
        atol=1e-5,
    )
