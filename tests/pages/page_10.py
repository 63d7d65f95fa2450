"""All that the tests know of page 10: attribution."""

from itertools import combinations

import numpy as np
import torch
from expected import between
from notebook_files import definitions

from helpers import explain, models
from helpers.exercises import ex10

QUICK = {"PLANTED_SEEDS": 3, "CHECKED_USERS": 12, "ORDERS": 10, "RANK": 3}
SETS = [
    QUICK | {"DATASET": "SMALL short", "USER": "3", "LISTS_OUT": "lists.csv"},
    QUICK | {"DATASET": "SMALL log", "USER": "3"},
    QUICK | {"DATASET": "LARGE", "USER": "3"},
    QUICK | {"USER": "2", "RIDGE": 20.0},
]
WRONG = ({"USER": "944"}, "USER = '944' is not there: the ids of these 943 users are 1, 2, 3")
EXPECTED = {
    "hit1_gradient_times_input": between(0.2, 0.4),
    "both_ig_from_zeros": between(0.28, 0.48),
    "both_ig_from_mean": between(0.84, 0.95),
    "influence_with_bias": between(0.99, 1),
    "counterfactual_one_film": between(0.7, 0.9),
    "removal_again": between(0.4, 0.6),
}


def finds_nothing(recommend, history):
    assert recommend(history)


def up_to_two(recommend, history):
    found = ex10.smallest_set(recommend, history)
    return found if found is None or len(found) < 3 else None


def never_all(recommend, history):
    found = ex10.smallest_set(recommend, history)
    return None if found is None or len(found) == len(history) else found


def latest_first(recommend, history):
    for k in range(len(history) - 1, -1, -1):
        if recommend(history[:k]) != recommend(history):
            return list(range(k, len(history)))
    return None


def shrunk(recommend, history):
    gone = list(range(len(history)))
    left = lambda out: [item for k, item in enumerate(history) if k not in out]
    if recommend([]) == recommend(history):
        return None
    for k in range(len(history)):
        if recommend(left([j for j in gone if j != k])) != recommend(history):
            gone.remove(k)
    return gone


def all_copies(recommend, history):
    found = ex10.smallest_set(recommend, history)
    return found and [k for k, item in enumerate(history) if item in {history[j] for j in found}]


def takes_out(recommend, history):
    found = ex10.smallest_set(recommend, history)
    history.pop()
    return found


def removals(worth, n):
    everybody = frozenset(range(n))
    return np.array([worth(everybody) - worth(everybody - {k}) for k in range(n)])


def alone(worth, n):
    return np.array([worth(frozenset({k})) - worth(frozenset()) for k in range(n)])


def banzhaf(worth, n):
    groups = [frozenset(g) for size in range(n + 1) for g in combinations(range(n), size)]
    return np.array([np.mean([worth(g | {k}) - worth(g) for g in groups if k not in g]) for k in range(n)])


def in_place(scores, film, allowed):
    allowed[film] = False
    return scores[film] - scores[allowed].max()


def second(scores, film, allowed):
    return scores[film] - np.sort(scores[allowed])[-2]


def beside_zero(scores, film, allowed):
    others = np.where(allowed, scores, 0)
    others[film] = 0
    return scores[film] - others.max()


def best_of(scores, film, allowed):
    return scores[film] - scores[allowed].max()


MISTAKES = [
    ("10.1", in_place, "work on a copy"),
    ("10.1", lambda s, f, a: s[f] - np.delete(s, f).max(), "allowed ones only"),
    ("10.1", lambda s, f, a: -ex10.lead(s, f, a), "the sign is turned"),
    ("10.1", best_of, "compared with itself"),
    ("10.1", lambda s, f, a: s[f] - s[a & (s != s[f])].max(), "the lead is 0"),
    ("10.1", second, "its lead is -1.0"),
    ("10.1", beside_zero, "its lead is -1.0"),
    ("10.1", lambda s, f, a: s[f] - np.delete(s[a], f).max(), "stopped with IndexError"),
    ("10.2", alone, "when it comes first"),
    ("10.2", removals, "when it comes last"),
    ("10.2", lambda v, n: ex10.shapley(v, n) * 24, "divide by their number"),
    ("10.2", lambda v, n: ex10.shapley(v, n) + v(frozenset()) / n, "what nobody reaches"),
    ("10.2", banzhaf, "the plain mean over all groups"),
    ("10.2", lambda v, n: (alone(v, n) + removals(v, n)) / 2, "the places between"),
    ("10.2", lambda v, n: ex10.shapley(v, n) * 24 / n, "another number than that of the orders"),
    ("10.3", latest_first, "small ones first"),
    ("10.3", shrunk, "small ones first"),
    ("10.3", all_copies, "small ones first"),
    ("10.3", takes_out, "work on a copy"),
    ("10.3", lambda f, h: tuple(ex10.smallest_set(f, h) or ()), "return a list"),
    ("10.3", finds_nothing, "finds no set"),
    ("10.3", lambda f, h: [h[k] for k in ex10.smallest_set(f, h)], "the set holds items"),
    ("10.3", lambda f, h: list(range(len(h))), "2 are enough"),
    ("10.3", lambda f, h: [1], "is still the same"),
    ("10.3", lambda f, h: ex10.smallest_set(f, h) or [], "the answer is None"),
    ("10.3", up_to_two, "try larger sizes"),
    ("10.3", never_all, "all items may go"),
]


def same_as_helpers():
    model = models.SequenceTransformer(9, 8, length=5, seed=0).eval()
    history, target = torch.tensor([[3, 1, 4, 1, 5]]), torch.tensor([2])
    page = definitions("10", explain=explain, ORDERS=1, gpts=[model], device="cpu")
    ours = page.along_the_way(model, history, target, 400).sum(dim=0)
    assert torch.allclose(ours, explain.integrated_gradients(model, history, target)[0][0], atol=1e-3)
    slopes = page.gradient_times_input(model, history, target)
    assert torch.allclose(slopes, explain.gradient_times_input(model, history, target), atol=1e-5)

    def score(codes):
        return float(model.scores(torch.tensor([[model.padding] * (5 - len(codes)) + list(codes)]))[0, 2].detach())

    values = ex10.shapley(lambda inside: score([c for k, c in enumerate([3, 1, 4]) if k in inside]), 3)
    game, _ = explain.history_game(model, torch.tensor([3, 1, 4]), 2)
    assert np.allclose(values, explain.shapley(game, 3), atol=1e-5)
    unseen = torch.tensor([True, False, True, False, False, False, True, True, True])
    recommend = lambda codes: page.first_film(model, torch.tensor([[model.padding] * (5 - len(codes)) + codes]), unseen)
    by_hand, smallest = page.greedy(model, history, unseen), ex10.smallest_set(recommend, history[0].tolist())
    assert by_hand is not None and len(by_hand) >= len(smallest)
    left = [code for k, code in enumerate(history[0].tolist()) if k not in by_hand]
    assert recommend(left) != recommend(history[0].tolist())

    with torch.no_grad():  # items 0 and 2 tie for first place: the first is meant, and the rest goes on
        model.items.weight[2] = model.items.weight[0]
        model.item_bias[[0, 2]] = 50.0
    assert page.first_film(model, history, unseen) == 0
    falls = page.lead_falls(model, history, torch.tensor([0]), unseen)
    assert torch.equal(falls, torch.zeros(5))
    assert page.greedy(model, history, unseen) is None
