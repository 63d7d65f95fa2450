"""Notebook 08: reference solutions and checks."""

import numpy as np

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises()
check, solution = exercises.check, exercises.solution

_RNG = np.random.default_rng(8)
_SCORES, _LABELS = np.array([0.1, 0.7, 0.7, 0.3, 0.9, 0.2, 0.4]), np.array([0, 1, 0, 0, 1, 1, 0], dtype=bool)


@exercises.reference("8.1")
def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Share of pairs of a true and a false one in which the true one scores higher; ties count half."""
    true, false = scores[labels][:, None], scores[~labels][None]
    return float((true > false).mean() + 0.5 * (true == false).mean())


@exercises.checks_for("8.1")
def _one_number(attempt):
    return expect_array(attempt(_SCORES.copy(), _LABELS.copy()), ())


@exercises.checks_for("8.1")
def _pairs_well(attempt):
    got, right = float(attempt(_SCORES.copy(), _LABELS.copy())), auc(_SCORES, _LABELS)
    true, false = _SCORES[_LABELS][:, None], _SCORES[~_LABELS][None]
    if np.isclose(got, (true > false).mean()):
        return "a tie counts as lost: it should count half."
    if np.isclose(got, (true >= false).mean()):
        return "a tie counts as won: it should count half."
    if np.isclose(got, 1 - right):
        return "the false ones win in your count: a pair counts where the true one is higher."
    if np.isclose(got, right * 12):
        return "this is the number of pairs: divide by all pairs of a true and a false one."
    if not np.isclose(got, right):
        return f"for the seven scores of this check it is {right:.3f}, and you return {got:.3f}."


@exercises.reference("8.2")
def chance_range(score, labels: np.ndarray, seeds: int) -> np.ndarray:
    """Lowest and highest score with labels dealt out by seeds 0, 1, ... Shapes: (n,) → (2,)."""
    dealt = [score(np.random.default_rng(seed).permutation(labels)) for seed in range(seeds)]
    return np.array([min(dealt), max(dealt)])


_WEIGHTS, _MANY = np.random.default_rng(27).normal(size=30), np.arange(30) % 3 == 0


def _weighted(labels: np.ndarray) -> float:
    """A score that depends on who has which label."""
    return float(_WEIGHTS[labels].sum())


@exercises.checks_for("8.2")
def _two_ends(attempt):
    return expect_array(attempt(_weighted, _MANY.copy(), 6), (2,))


@exercises.checks_for("8.2")
def _dealt_well(attempt):
    given = _MANY.copy()
    got, right = np.asarray(attempt(_weighted, given, 6), dtype=float), chance_range(_weighted, _MANY, 6)
    if not np.array_equal(given, _MANY):
        return "your function changes the labels it was given: permutation returns new ones, shuffle does not."
    if np.isclose(got[0], got[1]):
        return "both ends are the same: deal the labels out anew for each seed."
    if np.allclose(got, right[::-1]):
        return "the ends are swapped: the lowest comes first."
    if not np.allclose(got, right) and any(np.allclose(got, chance_range(_weighted, _MANY, n)) for n in (5, 7)):
        return "the number of seeds is off by one: 0 up to seeds - 1."
    if not np.allclose(got, right):
        return "the range is not that of `np.random.default_rng(seed).permutation(labels)` for the seeds 0, 1, ..."


_P, _Q = _RNG.normal(size=(6, 3)) * [0.3, 1.0, 2.0], _RNG.normal(size=(5, 3))


@exercises.reference("8.3")
def taste_cosine(P: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """Cosines of films by the predictions they get. Shapes: (users, dim), (films, dim) → (films, films)."""
    predicted = P @ Q.T  # (users, films)
    unit = predicted / np.linalg.norm(predicted, axis=0)
    return unit.T @ unit


@exercises.checks_for("8.3")
def _film_table(attempt):
    return expect_array(attempt(_P.copy(), _Q.copy()), (5, 5))


@exercises.checks_for("8.3")
def _no_gauge(attempt):
    got = np.asarray(attempt(_P.copy(), _Q.copy()), dtype=float)
    unit, predicted = _Q / np.linalg.norm(_Q, axis=1, keepdims=True), _P @ _Q.T
    if np.allclose(got, unit @ unit.T):
        return "this is the cosine of the films' own vectors, which a stretch changes: use the predictions P Q^T."
    if np.allclose(got, predicted.T @ predicted):
        return "these are dot products: divide each film's column of predictions by its length first."
    if np.allclose(got, np.corrcoef(predicted.T)):
        return "this is a correlation: the mean of each column is subtracted, which a cosine does not do."
    if not np.allclose(got, taste_cosine(_P, _Q)):
        return "the cosines are not those of the columns of the prediction table."


_STATES, _DIRECTION = _RNG.normal(size=(5, 4)), np.array([0.0, 3.0, 0.0, 4.0])


@exercises.reference("8.4")
def remove_direction(states: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """States less what points along a direction. Shapes: (n, dim), (dim,) → (n, dim)."""
    unit = direction / np.linalg.norm(direction)
    return states - np.outer(states @ unit, unit)


@exercises.checks_for("8.4")
def _as_many_states(attempt):
    return expect_array(attempt(_STATES.copy(), _DIRECTION.copy()), _STATES.shape)


@exercises.checks_for("8.4")
def _nothing_left(attempt):
    got, unit = np.asarray(attempt(_STATES.copy(), _DIRECTION.copy()), dtype=float), _DIRECTION / 5
    if np.allclose(got, _STATES - np.outer(_STATES @ _DIRECTION, _DIRECTION)):
        return "the direction has length 5 here, so you take off too much: bring it to length 1 first."
    if np.allclose(got, _STATES - _DIRECTION) or np.allclose(got, _STATES - unit):
        return "you subtract the same vector from each state: take off as much as each has along the direction."
    if np.allclose(got, np.outer(_STATES @ unit, unit)):
        return "this is what points along the direction: subtract it from the states."
    if not np.allclose(got, remove_direction(_STATES, _DIRECTION)):
        return "what is left still has a dot product with the direction, or more than the direction is gone."
