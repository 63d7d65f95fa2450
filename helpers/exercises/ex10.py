"""Notebook 10: reference solutions and checks."""

from itertools import combinations, permutations

import numpy as np

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises(keep_inputs=True)
check, solution = exercises.check, exercises.solution

_SCORES = np.array([2.0, -1.0, 3.5, 3.0, 5.0, 3.5])
_ALLOWED = np.array([True, True, True, True, False, True])


@exercises.reference("10.1")
def lead(scores: np.ndarray, film: int, allowed: np.ndarray) -> float:
    """Score of a film less that of the best other allowed one. (items,), code, (items,)"""
    others = allowed.copy()
    others[film] = False
    return float(scores[film] - scores[others].max())


@exercises.checks_for("10.1")
def _a_number(attempt):
    return expect_array(attempt(_SCORES.copy(), 3, _ALLOWED.copy()), ())


@exercises.checks_for("10.1")
def _leads_well(attempt):
    got = float(attempt(_SCORES.copy(), 3, _ALLOWED.copy()))
    if np.isclose(got, 3.0 - 5.0):
        return "the film with the highest score is not allowed: compare with allowed ones only."
    if np.isclose(got, 0.5):
        return "the sign is turned: a film that is behind has a lead below 0."
    if not np.isclose(got, -0.5):
        return f"film 3 has 3.0 and the best other allowed one 3.5: its lead is -0.5, and you return {got:.2f}."
    below = float(attempt(np.array([9.0, -4.0, -1.0, -2.0]), 3, np.array([False, True, True, True])))
    if not np.isclose(below, -1.0):
        return f"a film with -2.0 and an allowed other with -1.0: its lead is -1.0, and you return {below:.2f}."
    tied = float(attempt(_SCORES.copy(), 2, _ALLOWED.copy()))
    if not np.isclose(tied, 0):
        return f"films 2 and 5 have the same score: the lead is 0, and you return {tied:.2f}."
    first = float(attempt(np.array([1.0, 4.0, 2.0]), 1, np.array([True, True, True])))
    if np.isclose(first, 0):
        return "the film is compared with itself: the best *other* one is asked for."
    if not np.isclose(first, 2.0):
        return f"a film with 4.0 before one with 2.0 leads by 2.0, and you return {first:.2f}."


def _worth(inside: frozenset) -> float:
    """A game of four: pairs and a three that need each other, 3 adds nothing; nobody reaches 0.5."""
    inside = frozenset(inside)
    pairs = 3.0 * ({0, 1} <= inside) + 0.8 * ({0, 2} <= inside)
    return 0.5 + pairs + 1.0 * (2 in inside) + 2.4 * ({0, 1, 2} <= inside)


@exercises.reference("10.2")
def shapley(worth, n: int) -> np.ndarray:
    """Mean gain of each player over all orders. Returns (n,)."""
    values, orders = np.zeros(n), list(permutations(range(n)))
    for order in orders:
        for k, player in enumerate(order):
            before = frozenset(order[:k])
            values[player] += worth(before | {player}) - worth(before)
    return values / len(orders)


@exercises.checks_for("10.2")
def _one_value_each(attempt):
    return expect_array(attempt(_worth, 4), (4,))


@exercises.checks_for("10.2")
def _shared_well(attempt):
    got, right = np.asarray(attempt(_worth, 4), dtype=float), shapley(_worth, 4)
    everybody = frozenset(range(4))
    alone = [_worth(frozenset({k})) - _worth(frozenset()) for k in range(4)]
    coalitions = [frozenset(group) for size in range(5) for group in combinations(range(4), size)]
    banzhaf = [np.mean([_worth(c | {k}) - _worth(c) for c in coalitions if k not in c]) for k in range(4)]
    if np.allclose(got, banzhaf):
        return (
            "this is the plain mean over all groups: in orders, groups of one size count as much as those of another."
        )
    if np.allclose(got, (np.array(alone) + [_worth(everybody) - _worth(everybody - {k}) for k in range(4)]) / 2):
        return "this is the mean of coming first and coming last: the places between count, too."
    if np.allclose(got, right * 24):
        return "these are sums over all orders: divide by their number."
    if np.allclose(got, right * 6) or np.allclose(got, right * 4):
        return "you divide by another number than that of the orders."
    if np.allclose(got, alone):
        return "this is what each adds when it comes first: take the mean over all orders."
    if np.allclose(got, [_worth(everybody) - _worth(everybody - {k}) for k in range(4)]):
        return "this is what each adds when it comes last, which is removal: take the mean over all orders."
    if np.isclose(got.sum(), _worth(everybody)) or np.isclose(got.sum(), right.sum() + 0.5):
        return "what nobody reaches is given away, too: a gain is the worth with the player minus the worth without."
    if not np.allclose(got, right):
        return f"for the game of this check the values are {right.round(3).tolist()}, yours {got.round(3).tolist()}."


_WATCHED = ["a", "c", "b", "d", "a"]


def _recommend(history: list) -> str:
    """Film "x" if an "a" and one of "c", "d" were watched."""
    return "x" if "a" in history and ("c" in history or "d" in history) else "y"


@exercises.reference("10.3")
def smallest_set(recommend, history: list) -> list | None:
    """Positions of a smallest set whose removal changes the recommendation, or None."""
    usual = recommend(history)
    for size in range(1, len(history) + 1):
        for places in combinations(range(len(history)), size):
            if recommend([item for k, item in enumerate(history) if k not in places]) != usual:
                return list(places)
    return None


@exercises.checks_for("10.3")
def _a_set_of_places(attempt):
    got = attempt(_recommend, list(_WATCHED))
    if got is None:
        return "your function finds no set, and there are some: is the `return` missing?"
    if not isinstance(got, list):
        return f"your function returns a {type(got).__name__}: return a list."
    if any(isinstance(place, str) for place in got):
        return "the set holds items: positions are asked for, since an item may stand twice."
    left = [item for k, item in enumerate(_WATCHED) if k not in got]
    if _recommend(left) == "x":
        return f"without the positions {got} the recommendation is still the same."
    if attempt(lambda history: len(history) > 0, ["a", "b"]) is None:
        return "here only an empty history changes the answer: all items may go."


@exercises.checks_for("10.3")
def _none_is_smaller(attempt):
    games = [
        (_recommend, _WATCHED),
        (lambda history: len(history) > 1, ["a", "b", "c", "d"]),
        (lambda history: len(history) > 0, ["a", "b", "c", "d"]),
        (lambda history: history.count("a") > 1, ["b", "a", "c", "a"]),  # one of two copies is enough
        (_recommend, ["a", "c", "d"]),  # here one is enough; no part of the other two is
        (_recommend, ["c", "d", "a"]),
    ]
    for recommend, history in games:
        got, right = attempt(recommend, list(history)), smallest_set(recommend, list(history))
        if got is None:
            return f"{len(right)} of {len(history)} have to go here, and your function finds no set: try larger sizes."
        left = [item for k, item in enumerate(history) if k not in got]
        if recommend(left) == recommend(list(history)):
            return f"without the positions {list(got)} of {history} the recommendation is still the same."
        if len(got) > len(right):
            return f"your set has {len(got)} positions, and {len(right)} are enough: try all sets, small ones first."
        if list(got) != sorted(got):
            return "the positions are not sorted."
    if attempt(lambda history: "z", ["a", "b"]) is not None:
        return "where no removal changes anything, the answer is None."
