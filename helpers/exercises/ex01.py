"""Notebook 01: reference solutions and checks."""

import numpy as np

from helpers.exercises.checking import MULTIPLIES, Exercises, expect_array, found_in

exercises = Exercises()
check, solution = exercises.check, exercises.solution

# Unequal dimensions, so that swapped axes show.
_U = np.array([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]])  # (3 users, 2 factors)
_V = np.array([[1.0, 0.0, 2.0, 1.0], [4.0, 1.0, 0.0, -2.0]])  # (2 factors, 4 films)
_R = np.array([[5.0, 0.0, 3.0, 0.0], [0.0, 0.0, 1.0, 0.0], [2.0, 4.0, 0.0, 0.0]])  # (3, 4), 0 = blank
_P = np.array([[4.0, 9.0, 3.0, 1.0], [2.0, 2.0, 3.0, 5.0], [2.0, 2.0, 0.0, -4.0]])  # (3, 4)

_LIKED = _P + np.array([8.0, 12.0, 9.0, 9.0])  # every user likes film 1 best


@exercises.reference("1.1")
def predict_all(U: np.ndarray, V: np.ndarray) -> np.ndarray:
    """Every cell of the prediction, by loops. Shapes: U (m, k), V (k, n) → (m, n)."""
    P = np.zeros((U.shape[0], V.shape[1]))
    for i in range(U.shape[0]):
        for j in range(V.shape[1]):
            for k in range(U.shape[1]):
                P[i, j] += U[i, k] * V[k, j]
    return P


@exercises.checks_for("1.1")
def _shape(attempt):
    try:
        got = attempt(_U, _V)
    except IndexError:
        return "with 3 users and 2 factors a loop runs out of the tables: take its length from U.shape and V.shape."
    if got is not None and np.shape(got) == (4, 3):
        return "the table is transposed: one row a user, one column a film."
    return expect_array(got, (3, 4))


@exercises.checks_for("1.1")
def _one_factor(attempt):
    got = np.asarray(attempt(_U[:, :1], _V[:1]))
    if not np.allclose(got, _U[:, :1] * _V[:1]):
        return "with one factor every cell is one product, U[i, 0] * V[0, j], and yours are not."


@exercises.checks_for("1.1")
def _whole(attempt):
    got, want = np.asarray(attempt(_U, _V)), _U @ _V
    if np.allclose(got, _U[:, [-1]] * _V[[-1]]):
        return "only the last factor arrived: did you assign with = where the products should add up?"
    if np.allclose(got, want / _U.shape[1]):
        return "you averaged over the factors: a dot product is a sum."
    if not np.allclose(got, want):
        return f"cell (0, 0) is {got[0, 0]:g}, and the sum of products is {want[0, 0]:g}."


@exercises.checks_for("1.1")
def _by_loops(attempt):
    used = found_in(attempt, MULTIPLIES)
    if used:
        return f"every cell is right, by {used[0]}: write the three loops that it hides."


@exercises.reference("1.2")
def best_rank_k(A: np.ndarray, k: int) -> np.ndarray:
    """The rank-k matrix nearest to A in squared error. Shapes: A (m, n) → (m, n)."""
    left, sizes, right = np.linalg.svd(A, full_matrices=False)
    return (left[:, :k] * sizes[:k]) @ right[:k]


@exercises.checks_for("1.2")
def _same_shape(attempt):
    try:
        got = attempt(_P, 2)
    except ValueError:
        return "the parts do not fit together: of `left` keep the first k columns, of `right` the first k *rows*."
    if got is not None and np.shape(got) == (2, 4):
        return "you returned k rows: the answer has the shape of A, and only its rank is k."
    return expect_array(got, (3, 4))


@exercises.checks_for("1.2")
def _full_rank(attempt):
    if not np.allclose(attempt(_P, 3), _P):
        return "with every direction kept A must come back, and it does not: are the singular values multiplied in?"


@exercises.checks_for("1.2")
def _closest(attempt):
    got = np.asarray(attempt(_P, 1))
    if np.allclose(got, _P):
        return "for k = 1 all of A comes back: nothing was cut off."
    if np.linalg.matrix_rank(got) > 1:
        rank = np.linalg.matrix_rank(got)
        return f"for k = 1 the rank is {rank}: did you keep k rows or columns instead of k directions?"
    error, allowed = np.linalg.norm(_P - got), np.linalg.norm(_P - best_rank_k(_P, 1))
    if error > allowed * 1.0001:
        return (
            f"the rank is right, but the error is {error:.2f}, not {allowed:.2f}: did you keep the *first* directions?"
        )


@exercises.reference("1.3")
def rmse_rated(R: np.ndarray, P: np.ndarray) -> float:
    """Error of P over the rated cells of R, in stars. Shapes: (m, n), (m, n) → one number."""
    rated = R > 0
    return float(np.sqrt(np.mean((R[rated] - P[rated]) ** 2)))


@exercises.checks_for("1.3")
def _number(attempt):
    return expect_array(attempt(_R, _P), ())


@exercises.checks_for("1.3")
def _perfect(attempt):
    blanks_wrong = np.where(_R > 0, _R, 7.0)
    if attempt(_R, blanks_wrong) > 1e-12:
        return "a table that is right in every rated cell gets an error above 0: you counted the blanks as zeros."


@exercises.checks_for("1.3")
def _value(attempt):
    got, want = float(attempt(_R, _P)), rmse_rated(_R, _P)
    if np.isclose(got, want**2):
        return "this is the mean squared error: take the root."
    if np.isclose(got, want * np.sqrt((_R > 0).sum() / _R.size)):
        return "you averaged over the zeros too: divide by the number of rated cells."
    if np.isclose(got, np.abs(_R - _P)[_R > 0].mean()):
        return "this is the mean absolute error: square, average, then take the root."
    if not np.isclose(got, want):
        return f"the value is {got:.4f}, and {want:.4f} is right."


@exercises.reference("1.4")
def recommend(P: np.ndarray, rated: np.ndarray, user: int) -> int | None:
    """Best unseen film for one user. Shapes: P and rated (m, n) → an index below n, or None."""
    if rated[user].all():
        return None
    scores = np.where(rated[user], -np.inf, P[user])
    return int(scores.argmax())


@exercises.checks_for("1.4")
def _index(attempt):
    got = attempt(_P.copy(), _R > 0, 1)
    if got is None or isinstance(got, bool) or not np.issubdtype(type(got), np.integer):
        return f"one index is asked for, and you return {got!r}."
    if got not in range(4):
        return f"{got} is not the index of a film: there are four, counted from 0."


@exercises.checks_for("1.4")
def _masked(attempt):
    got = attempt(_LIKED, _R > 0, 2)  # user 2 has rated films 0 and 1
    if got == 3:
        return "you recommend the film with the lowest prediction."
    if got == 0:
        return (
            "you recommend a film that the user has already rated. With minus infinity there, take the largest value, "
            "not the smallest; or did you return a position among the unrated films only?"
        )
    if got == 1:
        return (
            "you recommend a film that the user has already rated: mask it first; "
            "or did you return a position among the unrated films only?"
        )
    if attempt(_P - 10, _R > 0, 2) in (0, 1):
        return "where all predictions are negative you fall back on a rated film: mask with minus infinity, not with 0."


@exercises.checks_for("1.4")
def _best(attempt):
    wanted = [recommend(_P, _R > 0, user) for user in range(3)]
    got = [attempt(_P.copy(), _R > 0, user) for user in range(3)]
    if got != wanted:
        return f"for the three users you return {got}, and {wanted} is right."
    if attempt(_P.copy(), np.ones((3, 4), dtype=bool), 0) is not None:
        return "a user who has rated everything gets None."
    table = _P.copy()
    attempt(table, _R > 0, 2)
    if not np.array_equal(table, _P):
        return "your function changes the table of predictions: mask a copy of the row."
