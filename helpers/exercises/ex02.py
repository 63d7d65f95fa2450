"""Notebook 02: reference solutions and checks."""

import numpy as np

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises()
check, solution = exercises.check, exercises.solution

# Unequal dimensions, so that swapped axes show.
_rng = np.random.default_rng(2)
_U, _V = _rng.normal(size=(3, 2)), _rng.normal(size=(2, 4))
_R = np.array([[5.0, 0.0, 3.0, 0.0], [0.0, 0.0, 1.0, 0.0], [2.0, 4.0, 0.0, 0.0]])
_RATED = _R > 0


@exercises.reference("2.1")
def one_step(r: float, u: float, v: float, step: float) -> tuple[float, float]:
    """u and v after one step of gradient descent on (r - u v)²."""
    e = r - u * v
    return u + step * 2 * e * v, v + step * 2 * e * u


@exercises.checks_for("2.1")
def _pair(attempt):
    return expect_array(attempt(4.0, 1.0, 2.0, 0.1), (2,))


@exercises.checks_for("2.1")
def _no_step(attempt):
    if not np.allclose(attempt(4.0, 1.0, 2.0, 0.0), (1.0, 2.0)):
        return "with a step of 0 nothing should move, and it does."
    if not np.allclose(attempt(6.0, 2.0, 3.0, 0.1), (2.0, 3.0)):
        return "where u v is already the rating nothing should move, and it does: is the error r - u v in both slopes?"


@exercises.checks_for("2.1")
def _values(attempt):
    got, want = np.array(attempt(4.0, 1.0, 2.0, 0.1)), np.array(one_step(4.0, 1.0, 2.0, 0.1))
    moved, right = got - [1.0, 2.0], want - [1.0, 2.0]
    if np.allclose(moved, -right):
        return "you walk uphill: subtract the gradient, or check the sign of the inner derivative."
    if np.allclose(moved, right / 2):
        return "both steps are half as long as they should be: the square gives a factor 2."
    if np.allclose(moved, right[::-1]):
        return "u moved as v should, and v as u: the slope in u carries v."
    if np.isclose(got[0], want[0]) and not np.isclose(got[1], want[1]):
        return "u is right and v is not: did you compute its slope after u had moved?"
    below = attempt(4.0, 2.0, 3.0, 0.1)  # here the prediction is too high
    if np.allclose(got, want) and not np.allclose(below, one_step(4.0, 2.0, 3.0, 0.1)):
        return "where the prediction is above the rating you step the wrong way: the error keeps its sign."
    if not np.allclose(got, want):
        return f"u and v are {got.round(3).tolist()}, and {want.round(3).tolist()} is right."


@exercises.reference("2.2")
def masked_loss(R: np.ndarray, rated: np.ndarray, U: np.ndarray, V: np.ndarray, ridge: float) -> float:
    """Squared error over rated cells plus ridge times the squared size of all factors."""
    E = np.where(rated, R - U @ V, 0)
    return float((E**2).sum() + ridge * ((U**2).sum() + (V**2).sum()))


@exercises.checks_for("2.2")
def _number(attempt):
    return expect_array(attempt(_R, _RATED, _U, _V, 0.3), ())


@exercises.checks_for("2.2")
def _masked(attempt):
    got, want = float(attempt(_R, _RATED, _U, _V, 0.0)), masked_loss(_R, _RATED, _U, _V, 0.0)
    held_out = _RATED & (_R != 4)
    if np.isclose(got, ((_R - _U @ _V) ** 2).sum()):
        return "you summed over the blanks too: they are not ratings of zero."
    if np.isclose(got, want / _RATED.sum()) or np.isclose(got, want / _R.size):
        return "you averaged: L is a sum."
    if not np.isclose(got, want):
        return f"without a penalty the loss is {got:.3f}, and {want:.3f} is right."
    if not np.isclose(float(attempt(_R, held_out, _U, _V, 0.0)), masked_loss(_R, held_out, _U, _V, 0.0)):
        return "where a rating is left out of `rated` it still counts: use that mask, not R > 0."


@exercises.checks_for("2.2")
def _priced(attempt):
    penalty = float(attempt(_R, _RATED, _U, _V, 0.3)) - masked_loss(_R, _RATED, _U, _V, 0.0)
    if np.isclose(penalty, 0):
        return "a ridge of 0.3 changes nothing: the penalty on the factors is missing."
    sizes = {"U": 0.3 * (_U**2).sum(), "V": 0.3 * (_V**2).sum()}
    for paid, missing in (("U", "V"), ("V", "U")):
        if np.isclose(penalty, sizes[paid]):
            return f"only {paid} is penalised: the penalty is on {missing} as well."
    if np.isclose(penalty, 0.3 * (np.linalg.norm(_U) + np.linalg.norm(_V))):
        return "the penalty is on the squared size: do not take the root."
    if not np.isclose(penalty, sum(sizes.values())):
        return f"the penalty adds {penalty:.3f}, and {sum(sizes.values()):.3f} is right."


@exercises.reference("2.3")
def largest_step(H: np.ndarray) -> float:
    """Upper bound of the step sizes that settle. Shapes: H (n, n), symmetric → one number."""
    return float(2 / np.linalg.eigvalsh(H)[-1])


_BOWL = np.array([[5.0, 2.0, 0.0], [2.0, 4.0, 1.0], [0.0, 1.0, 3.0]])


@exercises.checks_for("2.3")
def _one_number(attempt):
    return expect_array(attempt(_BOWL), ())


@exercises.checks_for("2.3")
def _one_direction(attempt):
    got = float(attempt(np.array([[4.0]])))
    if np.isclose(got, 0.25):
        return "for L = 2x² you return 1/4: that step jumps straight to the bottom. Twice as far it still settles."
    if np.isclose(got, 8.0):
        return "you return 2 times the curvature: the more curved the bowl, the shorter the step."
    if not np.isclose(got, 0.5):
        return f"for L = 2x², curvature 4, you return {got:g}, and 0.5 is right."


@exercises.checks_for("2.3")
def _steepest(attempt):
    got, curvatures = float(attempt(_BOWL)), np.linalg.eigvalsh(_BOWL)
    if np.isclose(got, 2 / curvatures[0]):
        return "you used the smallest curvature: the largest one breaks first."
    if np.isclose(got, 2 / _BOWL.max()) or np.isclose(got, 2 / np.diag(_BOWL).max()):
        return "you used the largest entry of H: curvature along other directions than the axes is an eigenvalue."
    if np.isclose(got, 2 / np.trace(_BOWL)):
        return "you used the trace, the sum of all curvatures: one direction breaks first, the most curved one."
    if not np.isclose(float(attempt(np.diag([1.0, 8.0, 2.0]))), 0.25):
        return "where the largest curvature is not the first one you take another: are they sorted?"
    if not np.isclose(got, 2 / curvatures[-1]):
        return f"you return {got:.4f}, and {2 / curvatures[-1]:.4f} is right."


@exercises.reference("2.4")
def matching_users(U: np.ndarray, A: np.ndarray) -> np.ndarray:
    """User factors that go with films A @ V. Shapes: U (m, k), A (k, k) → (m, k)."""
    return U @ np.linalg.inv(A)


_A = np.array([[2.0, 1.0], [0.0, 1.5]])  # neither symmetric nor orthogonal


@exercises.checks_for("2.4")
def _user_shape(attempt):
    try:
        got = attempt(_U, _A)
    except ValueError:
        return "the shapes do not fit: users stand in rows, so what undoes A is multiplied from the right."
    return expect_array(got, (3, 2))


@exercises.checks_for("2.4")
def _identity(attempt):
    if not np.allclose(attempt(_U, np.eye(2)), _U):
        return "where A changes nothing the users should stay as they are, and they do not."


@exercises.checks_for("2.4")
def _same_predictions(attempt):
    got = np.asarray(attempt(_U, _A))
    if np.allclose(got, _U @ _A):
        return "you multiplied by A once more: the users must undo it, with its inverse."
    if np.allclose(got, _U @ np.linalg.inv(_A).T) or np.allclose(got, _U @ _A.T):
        return "there is a transpose too many: X A V = U V asks for X = U A⁻¹."
    if not np.allclose(got @ _A @ _V, _U @ _V):
        return f"predictions move by up to {abs(got @ _A @ _V - _U @ _V).max():.2f}."
