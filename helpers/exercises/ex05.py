"""Notebook 05: reference solutions and checks."""

import numpy as np

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises()
check, solution = exercises.check, exercises.solution

_SCORES = np.array([0.3, 2.0, -1.0, 1.5, 0.9, 1.7, 0.1])
_SEEN = np.array([False, True, False, False, False, True, False])


@exercises.reference("5.1")
def top_k(scores: np.ndarray, seen: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Codes of the k best unseen items, best first. Shapes: (items,), (items,) → (k,)"""
    order = np.random.default_rng(seed).permutation(len(scores))
    masked = np.where(seen, -np.inf, scores)[order]
    return order[np.argsort(-masked, kind="stable")[:k]]


@exercises.checks_for("5.1")
def _k_codes(attempt):
    return expect_array(attempt(_SCORES.copy(), _SEEN.copy(), 3, 0), (3,))


@exercises.checks_for("5.1")
def _best_unseen(attempt):
    got, want = list(attempt(_SCORES.copy(), _SEEN.copy(), 3, 0)), top_k(_SCORES, _SEEN, 3, 0).tolist()
    if got == np.argsort(-_SCORES)[:3].tolist():
        return "items that were seen are in your list: mask them first."
    if got == want[::-1]:
        return "the order is upside down: best first."
    if np.allclose(got, _SCORES[want]):
        return "you return scores: the codes are asked for, the places in the array."
    if got == np.argsort(np.where(_SEEN, np.inf, _SCORES), kind="stable")[:3].tolist():
        return "these are the worst unseen items: sort downwards."
    if got != want:
        return f"the list is {got}, and {want} is right."


@exercises.checks_for("5.1")
def _untouched(attempt):
    scores = _SCORES.copy()
    negative = [int(code) for code in attempt(scores, _SEEN, 2, 0)]
    if not np.array_equal(scores, _SCORES):
        return "your function changes the scores that it was given: mask a copy."
    below = [int(code) for code in attempt(_SCORES - 10, _SEEN, 2, 0)]
    if below != negative:
        return "with all scores below 0 the list changes: a seen item must get minus infinity, not 0."
    if [int(code) for code in attempt(_SCORES - 10_000, _SEEN, 2, 0)] != negative:
        return "with scores far below 0 a seen item comes back: only minus infinity is below every score."
    if [int(code) for code in attempt(_SCORES * 1e-6, _SEEN, 2, 0)] != negative:
        return (
            "scores that differ by little lose their order: noise on scores is no way to break ties, a permutation is."
        )


@exercises.checks_for("5.1")
def _fair_ties(attempt):
    level, unseen = np.zeros(30), np.zeros(30, dtype=bool)
    lists = [tuple(int(code) for code in attempt(level, unseen, 5, seed)) for seed in range(8)]
    if len(set(lists)) == 1:
        return "items of equal score come in the same order whatever the seed: draw the order of ties from it."
    if lists[0] != tuple(int(code) for code in attempt(level, unseen, 5, 0)):
        return "the same seed gives two different lists: make the generator inside the function, from the seed."
    if all(set(np.diff(codes).tolist()) <= {1, -29} for codes in lists):
        return "ties come in the order of codes, only from another start: permute them all."
    if max(max(codes) for codes in lists) < 10:
        return "only items with low codes win ties: permute all items, not the list."


@exercises.reference("5.2")
def ndcg(found: np.ndarray, wanted: int) -> float:
    """Gain of a list over that of a perfect one. Shapes: (K,), one number → one number."""
    gain = 1 / np.log2(np.arange(2, len(found) + 2))
    perfect = gain[: min(wanted, len(found))].sum()
    return float((found * gain).sum() / perfect) if found.any() else 0.0


_FOUND = np.array([0, 1, 0, 0, 1])


@exercises.checks_for("5.2")
def _one_number(attempt):
    return expect_array(attempt(_FOUND.copy(), 3), ())


@exercises.checks_for("5.2")
def _perfect(attempt):
    perfect = float(attempt(np.array([1, 1, 0, 0]), 2))
    if np.isclose(perfect, 1 + 1 / np.log2(3)):
        return "a perfect list gives more than 1: divide by the gain of a perfect list."
    if not np.isclose(perfect, 1):
        return f"finds in the first places, and nothing else wanted, should give 1, and you return {perfect:.3f}."
    if not np.isclose(float(attempt(np.ones(3), 9)), 1):
        return "three places full of finds are perfect, also if nine are wanted: no list is longer than K."


@exercises.checks_for("5.2")
def _discount(attempt):
    got, want = float(attempt(_FOUND.copy(), 3)), ndcg(_FOUND, 3)
    gain = 1 / np.arange(1, 6)
    if np.isclose(got, (_FOUND * gain).sum() / gain[:3].sum()):
        return "you discount by 1 / place: it is 1 / log2(place + 1)."
    natural = 1 / np.log2(np.arange(2, 7))
    if np.isclose(got, (_FOUND * natural).sum() / natural.sum()):
        return "you divide by the gain of all places: a perfect list has only as many finds as are wanted."
    if not np.isclose(got, want):
        return f"for finds at places 2 and 5 of three wanted you return {got:.3f}, and {want:.3f} is right."


@exercises.checks_for("5.2")
def _nothing_found(attempt):
    with np.errstate(all="ignore"):
        got = float(attempt(np.zeros(4), 2))
    if got != 0:
        return f"a list without a find has the NDCG 0, and yours is {got:g}: is something divided by the finds?"


@exercises.reference("5.3")
def explain_ease(B: np.ndarray, seen: np.ndarray, item: int) -> np.ndarray:
    """What each item of the history adds to one score. (items, items), (items,) → (items,)"""
    return seen * B[:, item]


_rng = np.random.default_rng(5)
_B = _rng.normal(size=(6, 6)) * (1 - np.eye(6))
_HISTORY = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 0.0])


@exercises.checks_for("5.3")
def _one_part_an_item(attempt):
    return expect_array(attempt(_B.copy(), _HISTORY.copy(), 4), (6,))


@exercises.checks_for("5.3")
def _only_seen(attempt):
    given = _B.copy()
    got = np.asarray(attempt(given, _HISTORY.copy(), 4))
    if not np.array_equal(given, _B):
        return "your function changes B: a column taken out of it is a view, so make a new array."
    if np.allclose(got, _B[:, 4]):
        return "items outside the history add something in yours: multiply by what was seen."
    if not np.allclose(got[_HISTORY == 0], 0):
        return "items outside the history should add 0."


@exercises.checks_for("5.3")
def _sums_to_the_score(attempt):
    got, want = np.asarray(attempt(_B.copy(), _HISTORY.copy(), 4)), explain_ease(_B, _HISTORY, 4)
    if np.allclose(got, _HISTORY * _B[4]):
        return "you took the row of the item: what is added *to* its score stands in its column."
    if np.allclose(got, want / abs(want).sum()) or np.allclose(got, want / want.sum()):
        return "you made shares of them: the parts should add up to the score itself."
    if not np.isclose(got.sum(), (_HISTORY @ _B)[4]):
        return f"the parts add up to {got.sum():.3f}, and the score is {(_HISTORY @ _B)[4]:.3f}."
    if not np.allclose(got, want):
        return "the sum is right, but not the parts."


@exercises.reference("5.4")
def gini(x: np.ndarray) -> float:
    """How unevenly places are spread over items. Shapes: (n,) → one number."""
    place = np.arange(1, len(x) + 1)
    return float((2 * place - len(x) - 1) @ np.sort(x) / (len(x) * np.sum(x)))


_NUMBER = np.array([3.0, 0.0, 8.0, 1.0, 4.0])


@exercises.checks_for("5.4")
def _a_number(attempt):
    return expect_array(attempt(_NUMBER.copy()), ())


@exercises.checks_for("5.4")
def _ends(attempt):
    equal, one = float(attempt(np.full(4, 7.0))), float(attempt(np.array([0.0, 9.0, 0.0, 0.0])))
    if not np.isclose(equal, 0):
        return f"four items with equal numbers should give 0, and yours gives {equal:.3f}: is it 2j - n - 1?"
    if np.isclose(one, -0.75):
        return "one item with everything gives a negative number: sort upwards."
    if np.isclose(one, -0.25):
        return "the numbers are not sorted: sort them upwards first."
    if np.isclose(one, 0.75 * 4) or np.isclose(one, 0.75 * 9):
        return "divide by n and by the sum of the numbers, both."
    if not np.isclose(one, 0.75):
        return f"one of four items with everything should give 0.75, and yours gives {one:.3f}."


@exercises.checks_for("5.4")
def _in_any_order(attempt):
    got, want = float(attempt(_NUMBER.copy())), gini(_NUMBER)
    place = np.arange(1, 6)
    if np.isclose(got, float((2 * place - 6) @ _NUMBER / (5 * _NUMBER.sum()))):
        return "the numbers are not sorted: sort them upwards first."
    if not np.isclose(got, want):
        return f"for (3, 0, 8, 1, 4) you return {got:.3f}, and {want:.3f} is right."
