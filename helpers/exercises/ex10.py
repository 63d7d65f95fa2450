"""Notebook 10: reference solutions and checks."""

from itertools import combinations, permutations

import numpy as np

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises()
check, solution = exercises.check, exercises.solution

_HISTORY = [3, 1, 4, 1, 5]


def _score(history: list) -> float:
    """A score in which place and company matter."""
    return float(
        sum(item * (k + 1) for k, item in enumerate(reversed(history))) + 2.5 * (4 in history and 5 in history)
    )


@exercises.reference("10.1")
def occlusion(score, history: list) -> np.ndarray:
    """Fall of the score without each item. Shapes: (n,) → (n,)."""
    return np.array([score(history) - score(history[:k] + history[k + 1 :]) for k in range(len(history))])


@exercises.checks_for("10.1")
def _one_fall_each(attempt):
    return expect_array(attempt(_score, list(_HISTORY)), (5,))


@exercises.checks_for("10.1")
def _falls_well(attempt):
    given = list(_HISTORY)
    got, right = np.asarray(attempt(_score, given), dtype=float), occlusion(_score, _HISTORY)
    by_value = [_score(_HISTORY) - _score([i for i in _HISTORY if i != item]) for item in _HISTORY]
    if given != _HISTORY:
        return "your function changes the history it was given: build a new list for each removal."
    if np.allclose(got, -right):
        return "the sign is turned: positive is what speaks for the target, whole score minus the score without."
    if np.allclose(got, [_score(_HISTORY[:k] + _HISTORY[k + 1 :]) for k in range(5)]):
        return "these are the scores without each item: the fall is the whole score minus these."
    if np.allclose(got, by_value):
        return "an item that stands twice is removed at both places: leave out one place at a time."
    if not np.allclose(got, right):
        return f"for the history of this check it is {right.tolist()}, and you return {got.tolist()}."


_X, _B = np.array([1.0, -2.0, 0.5]), np.array([0.2, 0.4, -0.3])


def _slope(point: np.ndarray) -> np.ndarray:
    """Slopes of x0² x1 + sin(x2)."""
    return np.array([2 * point[0] * point[1], point[0] ** 2, np.cos(point[2])])


@exercises.reference("10.2")
def integrated_gradients(slope, x: np.ndarray, baseline: np.ndarray, steps: int) -> np.ndarray:
    """Parts of the rise from baseline to x. Shapes: (dim,), (dim,) → (dim,)."""
    way = x - baseline
    slopes = [slope(baseline + (k + 0.5) / steps * way) for k in range(steps)]
    return way * np.mean(slopes, axis=0)


@exercises.checks_for("10.2")
def _one_part_each(attempt):
    return expect_array(attempt(_slope, _X.copy(), _B.copy(), 20), (3,))


@exercises.checks_for("10.2")
def _walked_well(attempt):
    got, right = np.asarray(attempt(_slope, _X.copy(), _B.copy(), 20)), integrated_gradients(_slope, _X, _B, 20)
    way = _X - _B
    walk = lambda shift: way * np.mean([_slope(_B + (k + shift) / 20 * way) for k in range(20)], axis=0)
    if np.allclose(got, way * _slope(_X)):
        return "this is the slope at the end, times the way: take the mean of the slopes along the way."
    if np.allclose(got, right / way):
        return "these are mean slopes: multiply by x - baseline."
    if np.allclose(got, right / way * _X):
        return "multiply by the way, x - baseline, and not by x."
    if np.allclose(got, walk(0.0)) or np.allclose(got, walk(1.0)):
        return "the slopes are taken at the ends of the steps: take the middles, (k + 1/2) / steps."
    if np.allclose(got, right * 20):
        return "this is the sum of the slopes: take their mean, each step is 1 / steps long."
    if np.allclose(got, integrated_gradients(_slope, _X, np.zeros(3), 20)):
        return "your way begins at zeros: it begins at the baseline."
    if not np.allclose(got, right):
        return f"for the function of this check the parts are {right.round(3).tolist()}, yours {got.round(3).tolist()}."


def _worth(inside: frozenset) -> float:
    """A game of four: 0 and 1 need each other, 2 adds 1, 3 adds nothing; nobody reaches 0.5."""
    return 0.5 + 3.0 * ({0, 1} <= inside) + 1.0 * (2 in inside) + 0.8 * ({0, 2} <= inside)


@exercises.reference("10.3")
def shapley(worth, n: int) -> np.ndarray:
    """Mean gain of each player over all orders. Returns (n,)."""
    values, orders = np.zeros(n), list(permutations(range(n)))
    for order in orders:
        for k, player in enumerate(order):
            before = frozenset(order[:k])
            values[player] += worth(before | {player}) - worth(before)
    return values / len(orders)


@exercises.checks_for("10.3")
def _one_value_each(attempt):
    return expect_array(attempt(_worth, 4), (4,))


@exercises.checks_for("10.3")
def _shared_well(attempt):
    got, right = np.asarray(attempt(_worth, 4), dtype=float), shapley(_worth, 4)
    everybody = frozenset(range(4))
    alone = [_worth(frozenset({k})) - _worth(frozenset()) for k in range(4)]
    if np.allclose(got, right * 24):
        return "these are sums over all orders: divide by their number."
    if np.allclose(got, alone):
        return "this is what each adds when it comes first: take the mean over all orders."
    if np.allclose(got, [_worth(everybody) - _worth(everybody - {k}) for k in range(4)]):
        return "this is what each adds when it comes last, which is removal: take the mean over all orders."
    if np.isclose(got.sum(), _worth(everybody)) or np.isclose(got.sum(), right.sum() + 0.5):
        return "what nobody reaches is given away, too: a gain is the worth with the player minus the worth without."
    if not np.allclose(got, right):
        return f"for the game of this check the values are {right.round(3).tolist()}, yours {got.round(3).tolist()}."


_WATCHED = ["a", "b", "a", "c", "d"]


def _recommend(history: list) -> str:
    """Film "x" if an "a" and one of "c", "d" were watched."""
    return "x" if "a" in history and ("c" in history or "d" in history) else "y"


@exercises.reference("10.4")
def smallest_set(recommend, history: list) -> list | None:
    """Positions of a smallest set whose removal changes the recommendation, or None."""
    usual = recommend(history)
    for size in range(1, len(history) + 1):
        for places in combinations(range(len(history)), size):
            if recommend([item for k, item in enumerate(history) if k not in places]) != usual:
                return list(places)
    return None


@exercises.checks_for("10.4")
def _a_set_of_places(attempt):
    got = attempt(_recommend, list(_WATCHED))
    if got is None:
        return "your function finds no set, and there are some: is the `return` missing?"
    if any(isinstance(place, str) for place in got):
        return "the set holds items: positions are asked for, since an item may stand twice."
    left = [item for k, item in enumerate(_WATCHED) if k not in got]
    if _recommend(left) == "x":
        return f"without the positions {list(got)} the recommendation is still the same."


@exercises.checks_for("10.4")
def _none_is_smaller(attempt):
    got = attempt(_recommend, list(_WATCHED))
    if len(got) > 2:
        return f"your set has {len(got)} positions, and two are enough: try small sets first."
    if list(got) != sorted(got):
        return "the positions are not sorted."
    if attempt(lambda history: "z", ["a", "b"]) is not None:
        return "where no removal changes anything, the answer is None."
