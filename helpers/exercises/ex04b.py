"""Notebook 04b: reference solutions and checks."""

import numpy as np

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises()
check, solution = exercises.check, exercises.solution

_rng = np.random.default_rng(14)


@exercises.reference("4b.1")
def mean_prediction(U: np.ndarray, V: np.ndarray) -> np.ndarray:
    """Average over draws of what they predict. Shapes: (draws, m, k), (draws, k, n) → (m, n)"""
    return (U @ V).mean(axis=0)


_U, _V = _rng.normal(size=(6, 3, 2)), _rng.normal(size=(6, 2, 4))


@exercises.checks_for("4b.1")
def _table(attempt):
    got = attempt(_U.copy(), _V.copy())
    if np.shape(got) == (6, 3, 4):
        return "a table for every draw comes back: average over the first axis."
    return expect_array(got, (3, 4))


@exercises.checks_for("4b.1")
def _rotation(attempt):
    U, V = np.concatenate([_U[:1], -_U[:1]]), np.concatenate([_V[:1], -_V[:1]])
    got, want = np.asarray(attempt(U, V)), _U[0] @ _V[0]
    if np.allclose(got, 0):
        return "two draws that differ in all signs predict the same, and you return 0: you averaged the factors."
    if np.allclose(got, 2 * want):
        return "you added up the predictions: take their mean."
    if not np.allclose(got, want):
        return "two draws that differ in all signs predict the same table, and yours is another one."


@exercises.checks_for("4b.1")
def _average(attempt):
    got, want = np.asarray(attempt(_U.copy(), _V.copy())), mean_prediction(_U, _V)
    if np.allclose(got, np.median(_U @ _V, axis=0)):
        return "that is the median of the predictions: the mean is asked for."
    if not np.allclose(got, want):
        return f"on six draws you are off by up to {abs(got - want).max():.2f}."


@exercises.reference("4b.2")
def draw_row(
    films: np.ndarray,
    ratings: np.ndarray,
    precision: np.ndarray,
    mean: np.ndarray,
    noise: float,
    z: np.ndarray,
) -> np.ndarray:
    """One draw of a user. (k, n), (n,), (k, k), (k,), standard deviation, (k,) → (k,)"""
    left = films @ films.T / noise**2 + precision
    right = films @ ratings / noise**2 + precision @ mean
    return np.linalg.solve(left, right + np.linalg.cholesky(left) @ z)


_FILMS, _RATINGS = _rng.normal(size=(2, 4)), np.array([4.0, 1.0, 3.0, 5.0])
_PRECISION, _MEAN = np.array([[2.0, 0.6], [0.6, 1.0]]), np.array([0.5, -1.0])
_Z = np.array([1.0, -2.0])
_NONE = (np.zeros((2, 0)), np.zeros(0), _PRECISION, _MEAN, 0.5)


@exercises.checks_for("4b.2")
def _row(attempt):
    return expect_array(attempt(_FILMS.copy(), _RATINGS.copy(), _PRECISION.copy(), _MEAN.copy(), 0.5, _Z), (2,))


@exercises.checks_for("4b.2")
def _prior(attempt):
    got = np.asarray(attempt(*_NONE, np.zeros(2)))
    if np.allclose(got, np.linalg.solve(_PRECISION, _MEAN)):
        return "without ratings you do not land at the prior's mean: on the right stands Λm, not m."
    if np.allclose(got, 0):
        return "without ratings you land at 0: the prior's mean is missing on the right side."
    if not np.allclose(got, _MEAN):
        return f"a user without ratings, z = 0, lands at {got.round(2).tolist()}; the prior's mean is {_MEAN.tolist()}."


@exercises.checks_for("4b.2")
def _middle(attempt):
    asked = (_FILMS.copy(), _RATINGS.copy(), _PRECISION.copy(), _MEAN.copy(), 0.5, np.zeros(2))
    got, want = np.asarray(attempt(*asked)), draw_row(*asked)
    left, right = _FILMS @ _FILMS.T / 0.5 + _PRECISION, _FILMS @ _RATINGS / 0.5 + _PRECISION @ _MEAN
    if np.allclose(got, np.linalg.solve(left, right)):
        return "`noise` is a standard deviation: divide by its square."
    if np.allclose(got, draw_row(_FILMS, _RATINGS, _PRECISION, _MEAN, 1.0, np.zeros(2))):
        return "the noise plays no part: what the ratings say is divided by its variance."
    if not np.allclose(got, want):
        return f"at z = 0 you return {got.round(3).tolist()}, and {want.round(3).tolist()} is right."


@exercises.checks_for("4b.2")
def _spread(attempt):
    asked = (_FILMS.copy(), _RATINGS.copy(), _PRECISION.copy(), _MEAN.copy(), 0.5)
    middle = draw_row(*asked, np.zeros(2))
    left = _FILMS @ _FILMS.T / 0.25 + _PRECISION
    got = np.asarray(attempt(*asked, _Z.copy()))
    if np.allclose(got, middle):
        return "z plays no part: without it every draw is the same, the middle."
    if np.allclose(got, middle + _Z):
        return "you add z itself: then all draws spread alike, however many ratings there are. It passes through C."
    if np.allclose(got, middle + np.linalg.cholesky(left) @ _Z):
        return "you add Cz after solving: it belongs on the right side, so that A divides it, too."
    if not _spreads_as(attempt, asked, left):
        return "the draws do not have the covariance of A⁻¹: on the right side stands Cz, with A = C Cᵀ."
    if not _spreads_as(attempt, _NONE, _PRECISION):
        return "without ratings a user is still drawn, from the prior: z must move them, too."


def _spreads_as(attempt, asked, left) -> bool:
    """Whether draws have the inverse of this matrix as their covariance, whatever root of it was taken."""
    middle = np.asarray(attempt(*asked, np.zeros(2)))
    moved = np.column_stack([np.asarray(attempt(*asked, unit)) - middle for unit in np.eye(2)])
    return np.allclose(moved @ moved.T, np.linalg.inv(left))


@exercises.reference("4b.3")
def coverage_by_group(truth: np.ndarray, low: np.ndarray, high: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Share of truths inside their interval, group by group. Shapes: (n,) four times → (groups,)"""
    inside = (low <= truth) & (truth <= high)
    size = np.bincount(group).astype(float)
    size[size == 0] = np.nan
    return np.bincount(group, inside) / size


_TRUTH = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 3.0, 2.0])
_LOW = np.array([0.5, 2.1, 3.0, 3.5, 3.0, 2.5, 1.5])
_HIGH = np.array([1.5, 3.0, 4.0, 3.9, 5.0, 3.5, 2.5])
_GROUP = np.array([0, 0, 0, 1, 1, 3, 3])


@exercises.checks_for("4b.3")
def _groups(attempt):
    got = np.asarray(attempt(_TRUTH, _LOW, _HIGH, _GROUP), dtype=float)
    if got.shape == ():
        return "one number comes back: a share is asked for each group."
    if got.shape == (3,):
        return "three shares come back for groups 0 to 3: group 2 is empty, and its place must stay (nan)."
    if got.shape != (4,):
        return f"the result has shape {got.shape}, and (4,) is asked for: groups 0 to 3."


@exercises.checks_for("4b.3")
def _shares(attempt):
    got = np.asarray(attempt(_TRUTH, _LOW, _HIGH, _GROUP), dtype=float)
    want = coverage_by_group(_TRUTH, _LOW, _HIGH, _GROUP)
    strict = (_LOW < _TRUTH) & (_TRUTH < _HIGH)
    there = [0, 1, 3]
    if np.allclose(got[there], [strict[k == _GROUP].mean() for k in there]):
        return "a truth that lies on an end of its interval is inside: use <=."
    if np.allclose(got[there], 1 - want[there]):
        return "that is the share outside."
    if np.allclose(got[there], want[there] * [3, 2, 2]):
        return "those are counts: divide by the size of each group."
    if not np.allclose(got[there], want[there]):
        right = want[there].round(2).tolist()
        return f"for groups 0, 1 and 3 you return {got[there].round(2).tolist()}, and {right} is right."
    ends = np.arange(1, 50) / 10
    if not np.allclose(attempt(ends, ends, ends + 0.7, np.zeros(49, dtype=int)), 1):
        return "truths on an end get lost by rounding: compare with low and high themselves."
    if not np.isnan(got[2]):
        return f"group 2 is empty: no share is true of it, so nan, and you return {got[2]:g}."
