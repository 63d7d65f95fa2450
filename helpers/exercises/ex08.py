"""Notebook 08: reference solutions and checks."""

import numpy as np

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises(keep_inputs=True)
check, solution = exercises.check, exercises.solution

_RNG = np.random.default_rng(8)
_SCORES = np.array([0.7, 0.6, 0.4, 0.5, 0.7, 0.2, 0.1, 0.9, 0.7, 0.7001, 0.4, 0.8, 0.7, 0.3])
_LABELS = np.array([0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0], dtype=bool)
_GROUPS = np.array([7, 7, 4, 4, 0, 7, 7, 2, 2, 0, 4, 4, 0, 4])


@exercises.reference("8.1")
def auc_within(scores: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """Share of pairs within a group in which the true one scores higher; ties count half."""
    same = groups[labels][:, None] == groups[~labels]  # (true, false)
    higher = scores[labels][:, None] - scores[~labels]
    won = (higher > 0) + 0.5 * (higher == 0)
    return float(won[same].mean())


def _mean_of_groups(scores: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """The likely mistake: each group counts the same, whatever the number of its pairs."""
    inside = [groups == group for group in np.unique(groups)]
    both = [part for part in inside if 0 < labels[part].sum() < part.sum()]
    return float(np.mean([auc_within(scores[part], labels[part], groups[part]) for part in both]))


@exercises.checks_for("8.1")
def _one_number(attempt):
    return expect_array(attempt(_SCORES.copy(), _LABELS.copy(), _GROUPS.copy()), ())


@exercises.checks_for("8.1")
def _pairs_well(attempt):
    got, right = float(attempt(_SCORES.copy(), _LABELS.copy(), _GROUPS.copy())), auc_within(_SCORES, _LABELS, _GROUPS)
    same = _GROUPS[_LABELS][:, None] == _GROUPS[~_LABELS]
    true, false = _SCORES[_LABELS][:, None], _SCORES[~_LABELS][None]
    if np.isclose(got, ((true > false) + 0.5 * (true == false)).mean()):
        return "this is the share over all pairs: count a pair only where both are of the same group."
    if np.isclose(got, (true > false)[same].mean()):
        return "a tie counts as lost: it should count half."
    if np.isclose(got, (true >= false)[same].mean()):
        return "a tie counts as won: it should count half."
    if np.isclose(got, 1 - right):
        return "the false ones win in your count: a pair counts where the true one is higher."
    if np.isclose(got, _mean_of_groups(_SCORES, _LABELS, _GROUPS)):
        return "this is a mean over groups: pairs count alike, so a group with more pairs counts more."
    if np.isclose(got, right * same.sum()):
        return "this is the number of pairs won: divide by the number of pairs within groups."
    if np.isclose(got, right * same.sum() / same.size):
        return "you divide by all pairs: divide by those within groups."
    if not np.isclose(got, right):
        return f"for the 14 scores of this check it is {right:.3f}, and you return {got:.3f}."


_P, _Q = _RNG.normal(size=(6, 3)) * [0.3, 1.0, 2.0], _RNG.normal(size=(5, 3))


@exercises.reference("8.2")
def taste_cosine(P: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """Cosines of films by the predictions they get. (users, dim), (films, dim) → (films, films)"""
    predicted = P @ Q.T  # (users, films)
    unit = predicted / np.linalg.norm(predicted, axis=0)
    return unit.T @ unit


@exercises.checks_for("8.2")
def _film_table(attempt):
    return expect_array(attempt(_P.copy(), _Q.copy()), (5, 5))


@exercises.checks_for("8.2")
def _no_stretch(attempt):
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


_STATES = _RNG.normal(size=(7, 5)) + 1.0
_DIRECTIONS = np.array([[0.0, 3, 0, 4, 0], [1, 1, 0, 1, 0], [0, 2, 1, 0, 1]])  # neither of length 1 nor right-angled


@exercises.reference("8.3")
def remove_all(states: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """States without their part in all the directions. (n, dim), (k, dim) → (n, dim)"""
    right_angled, _ = np.linalg.qr(directions.T)  # (dim, k)
    return states - states @ right_angled @ right_angled.T


def _one_after_another(states: np.ndarray, directions: np.ndarray) -> np.ndarray:
    for direction in directions:
        states = states - np.outer(states @ direction, direction) / (direction @ direction)
    return states


def _all_at_once(states: np.ndarray, unit: np.ndarray) -> np.ndarray:
    return states - states @ unit.T @ unit


@exercises.checks_for("8.3")
def _as_many_states(attempt):
    return expect_array(attempt(_STATES.copy(), _DIRECTIONS.copy()), _STATES.shape)


@exercises.checks_for("8.3")
def _one_direction(attempt):
    got, one = np.asarray(attempt(_STATES.copy(), _DIRECTIONS[:1].copy()), dtype=float), _DIRECTIONS[:1]
    right = remove_all(_STATES, one)
    if np.allclose(got, _all_at_once(_STATES, one), atol=1e-5):
        return "the direction has length 5 here, so you take off too much: bring it to length 1 first."
    if np.allclose(got, _STATES - right, atol=1e-5):
        return "this is what points along the direction: subtract it from the states."
    if np.allclose(got, right + (_STATES - right).mean(axis=0), atol=1e-5):
        return "the mean of the states still points along the direction: here it is to go, too."
    if not np.allclose(got, right, atol=1e-5) and np.allclose(got @ one.T, 0, atol=1e-5):
        return (
            "the dot products are 0, but more than the part along the direction has changed: take off that part only."
        )
    if not np.allclose(got, right, atol=1e-5):
        return (
            "with a single direction the states that are left should have dot product 0 with it, and you return others."
        )


@exercises.checks_for("8.3")
def _no_part_left(attempt):
    got = np.asarray(attempt(_STATES.copy(), _DIRECTIONS.copy()), dtype=float)
    unit = _DIRECTIONS / np.linalg.norm(_DIRECTIONS, axis=1, keepdims=True)
    if np.allclose(got, _one_after_another(_STATES, _DIRECTIONS), atol=1e-5):
        return "you remove one after the other: the second step brings some of the first direction back."
    if np.allclose(got, _all_at_once(_STATES, unit), atol=1e-5):
        return "these directions share a part, which is taken off twice: make them right-angled first."
    if not np.allclose(got, remove_all(_STATES, _DIRECTIONS), atol=1e-5):
        if np.allclose(got @ _DIRECTIONS.T, 0, atol=1e-5):
            return "the dot products are 0, but more than the part in the three directions is gone."
        return f"with three directions some dot product is {np.abs(got @ _DIRECTIONS.T).max():.2g}, not 0."
