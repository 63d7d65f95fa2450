"""All that the tests know of page 02: gradient descent."""

import numpy as np
from expected import between, relative
from notebook_files import definitions

from helpers import factorization

SETS = [{"SEEDS": 3, "RANK": 1}, {"SEEDS": 3, "STEP": 0.01, "PASSES": 10}, {"SEEDS": 3, "RIDGE": 0.1, "STRETCH": 2}]
WRONG = ({"STEP": -0.1}, "STEP = -0.1 cannot be used: it must be a number and above 0")
EXPECTED = {
    "max_gradient_error": between(0, 1e-09),
    "predicted_divergence_step": relative(0.06509, 0.001),
    "seen_divergence_step": relative(0.06522, 0.01),
    "cosine_before": relative(0.470588, 1e-05),
    "cosine_after": relative(0.988971, 1e-05),
    "max_prediction_change": between(0, 1e-09),
}


def sgd_after_u(r, u, v, step):
    u = u + step * 2 * (r - u * v) * v
    return u, v + step * 2 * (r - u * v) * u


E = lambda R, U, V: R - U @ V


MISTAKES = [
    ("2.1", sgd_after_u, "did you compute its slope after u had moved"),
    ("2.1", lambda r, u, v, s: (u - 2 * s * (r - u * v) * v, v - 2 * s * (r - u * v) * u), "you walk uphill"),
    ("2.1", lambda r, u, v, s: (u + s * (r - u * v) * v, v + s * (r - u * v) * u), "half as long"),
    ("2.1", lambda r, u, v, s: (u + 2 * s * (r - u * v) * u, v + 2 * s * (r - u * v) * v), "the slope in u carries v"),
    ("2.1", lambda r, u, v, s: (u + 2 * s * r * v, v + 2 * s * r * u), "nothing should move"),
    ("2.2", lambda R, m, U, V, ridge: (E(R, U, V) ** 2).sum(), "you summed over the blanks too"),
    ("2.2", lambda R, m, U, V, ridge: (E(R, U, V)[m] ** 2).mean(), "you averaged"),
    ("2.2", lambda R, m, U, V, ridge: (E(R, U, V)[R > 0] ** 2).sum(), "use that mask, not R > 0"),
    ("2.2", lambda R, m, U, V, ridge: (E(R, U, V)[m] ** 2).sum(), "the penalty on the factors is missing"),
    ("2.2", lambda R, m, U, V, ridge: (E(R, U, V)[m] ** 2).sum() + ridge * (U**2).sum(), "on V as well"),
    ("2.2", lambda R, m, U, V, ridge: (E(R, U, V)[m] ** 2).sum() + ridge * (V**2).sum(), "on U as well"),
    (
        "2.2",
        lambda R, m, U, V, ridge: (E(R, U, V)[m] ** 2).sum() + ridge * (np.linalg.norm(U) + np.linalg.norm(V)),
        "do not take the root",
    ),
    ("2.3", lambda H: 1 / np.linalg.eigvalsh(H)[-1], "jumps straight to the bottom"),
    ("2.3", lambda H: 2 / np.linalg.eigvalsh(H)[0], "the largest one breaks first"),
    ("2.3", lambda H: 2 * np.linalg.eigvalsh(H)[-1], "the more curved the bowl"),
    ("2.3", lambda H: 2 / H.max(), "the largest entry of H"),
    ("2.3", lambda H: 2 / np.trace(H), "you used the trace"),
    ("2.1", lambda r, u, v, s: (u + 2 * s * abs(r - u * v) * v, v + 2 * s * abs(r - u * v) * u), "keeps its sign"),
    ("2.3", lambda H: 2 / np.linalg.eig(H)[0][0], "are they sorted?"),
    ("2.4", lambda U, A: U @ np.array([[A[1, 1], -A[0, 1]], [-A[1, 0], A[0, 0]]]), "predictions move by"),
    ("2.4", lambda U, A: np.linalg.inv(A) @ U, "is multiplied from the right"),
    ("2.4", lambda U, A: U @ A, "the users must undo it"),
    ("2.4", lambda U, A: U @ np.linalg.inv(A).T, "a transpose too many"),
    ("2.4", lambda U, A: U, "predictions move by"),
]


def same_as_helpers():
    R = np.array([[1.0, 5, 0, 4], [0, 0, 3, 2], [4, 0, 5, 0], [0, 1, 0, 5]])
    given = {"R": R, "rated": R > 0, "RIDGE": 0.5, "RANK": 2, "STEP": 0.02, "PASSES": 5}
    page, begin = definitions("02", **given), factorization.start(4, 4, 2, seed=1)
    E = factorization.errors(R, R > 0, *begin)
    assert np.isclose(page.loss(*begin, 0.5), factorization.loss_of(E, *begin, 0.5))
    by_gd = factorization.gradient_descent(R, R > 0, *begin, step=0.02, iterations=5, ridge=0.5)
    by_als = factorization.alternating_least_squares(R, R > 0, *begin, rounds=5, ridge=0.5)
    for (losses, U, V), theirs in ((page.descend_gd(*begin), by_gd), (page.descend_als(*begin), by_als)):
        assert np.allclose(U, theirs[0]) and np.allclose(V, theirs[1]) and np.allclose(losses, theirs[2])
