"""Matrix factorization in NumPy: the loss, its gradient, three ways down (notebook 02); biases (notebook 03).

Everywhere: R (users, items) ratings, mask (users, items) True where rated, U (users, rank), V (rank, items).
"""

import numpy as np

from helpers.course.errors import CourseError

Factors = tuple[np.ndarray, np.ndarray]


def start(n_users: int, n_items: int, rank: int, *, seed: int, scale: float = 1.0) -> Factors:
    """Random factors to begin from: every entry normal with standard deviation `scale`."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, scale, (n_users, rank)), rng.normal(0, scale, (rank, n_items))


def errors(R: np.ndarray, mask: np.ndarray, U: np.ndarray, V: np.ndarray) -> np.ndarray:
    """Rating minus prediction where rated, 0 elsewhere. Shape: (users, items)."""
    return np.where(mask, R - U @ V, 0.0)


def masked_loss(R: np.ndarray, mask: np.ndarray, U: np.ndarray, V: np.ndarray, *, ridge: float = 0.0) -> float:
    """Squared error summed over rated cells, plus `ridge` times the squared size of all factors.

    Built in notebook 02, section 2.2.
    """
    return float((errors(R, mask, U, V) ** 2).sum() + ridge * ((U**2).sum() + (V**2).sum()))


def gradients(R: np.ndarray, mask: np.ndarray, U: np.ndarray, V: np.ndarray, *, ridge: float = 0.0) -> Factors:
    """Slope of `masked_loss` in every entry of U and of V. Shapes: those of U and V.

    Built in notebook 02, section 2.2.
    """
    E = errors(R, mask, U, V)
    return -2 * E @ V.T + 2 * ridge * U, -2 * U.T @ E + 2 * ridge * V


def gradient_descent(
    R: np.ndarray, mask: np.ndarray, U: np.ndarray, V: np.ndarray, *, step: float, iterations: int, ridge: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All ratings at once, `iterations` steps downhill.

    Built in notebook 02, section 2.4.

    Shapes:
        returns: U, V as given, and losses (iterations + 1,), the first one before any step
    Raises:
        CourseError: if the loss stops being finite; the step is too long.
    """
    losses = []
    for iteration in range(iterations + 1):
        E = errors(R, mask, U, V)  # once for the loss and for both slopes
        loss = float((E**2).sum() + ridge * ((U**2).sum() + (V**2).sum()))
        losses.append(_finite_loss(loss, step, iteration))
        if iteration < iterations:
            U, V = U + 2 * step * (E @ V.T - ridge * U), V + 2 * step * (U.T @ E - ridge * V)
    return U, V, np.array(losses)


def stochastic_gradient_descent(
    R: np.ndarray,
    mask: np.ndarray,
    U: np.ndarray,
    V: np.ndarray,
    *,
    step: float,
    epochs: int,
    seed: int,
    ridge: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One rating at a time, in a new random order each epoch.

    Each rating carries its share of the penalty, so that one epoch adds up to the gradient of `masked_loss`.
    Built in notebook 02, section 2.4.

    Shapes:
        returns: U, V as given, and losses (epochs + 1,)
    Raises:
        CourseError: if the loss stops being finite.
    """
    U, V, rng = U.copy(), V.copy(), np.random.default_rng(seed)
    rated = np.argwhere(mask)
    per_user, per_item = np.maximum(mask.sum(1), 1), np.maximum(mask.sum(0), 1)
    losses = [masked_loss(R, mask, U, V, ridge=ridge)]
    for epoch in range(epochs):
        for i, j in rng.permutation(rated):
            error = R[i, j] - U[i] @ V[:, j]
            slope_u = -2 * error * V[:, j] + 2 * ridge * U[i] / per_user[i]
            slope_v = -2 * error * U[i] + 2 * ridge * V[:, j] / per_item[j]
            U[i], V[:, j] = U[i] - step * slope_u, V[:, j] - step * slope_v
        losses.append(_finite_loss(masked_loss(R, mask, U, V, ridge=ridge), step, epoch + 1))
    return U, V, np.array(losses)


def alternating_least_squares(
    R: np.ndarray, mask: np.ndarray, U: np.ndarray, V: np.ndarray, *, rounds: int, ridge: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """With V held still every user is a small regression, and the other way round: solve them in turn.

    Built in notebook 02, section 2.4.

    Shapes:
        returns: U, V as given, and losses (rounds + 1,)
    Raises:
        CourseError: if `ridge` is not above 0; without it a film with one rating has no unique answer.
    """
    if not ridge > 0:
        raise CourseError(f"ridge = {ridge}: alternating least squares needs a ridge above 0 to have one answer.")
    losses = [masked_loss(R, mask, U, V, ridge=ridge)]
    for _ in range(rounds):
        U = _regress(R, mask, V, ridge)
        V = _regress(R.T, mask.T, U.T, ridge).T
        losses.append(masked_loss(R, mask, U, V, ridge=ridge))
    return U, V, np.array(losses)


def _regress(R: np.ndarray, mask: np.ndarray, V: np.ndarray, ridge: float) -> np.ndarray:
    """The best row of factors for every row of R, V given. Shape: (rows, rank)."""
    penalty = ridge * np.eye(len(V))
    rows = [(V[:, rated], ratings[rated]) for ratings, rated in zip(R, mask, strict=True)]
    return np.array([np.linalg.solve(F @ F.T + penalty, F @ r) for F, r in rows])


def _finite_loss(loss: float, step: float, iteration: int) -> float:
    if not np.isfinite(loss):
        raise CourseError(f"the loss is {loss} after step {iteration} at step size {step}: take a smaller step.")
    return loss


def change_gauge(U: np.ndarray, V: np.ndarray, A: np.ndarray) -> Factors:
    """Other factors with the same product: U A and A⁻¹ V. Shapes: A (rank, rank), invertible.

    Built in notebook 02, section 2.7.
    """
    if abs(np.linalg.det(A)) < 1e-12:
        raise CourseError("A has no inverse (its determinant is 0), so it would lose part of the factors.")
    return U @ A, np.linalg.solve(A, V)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of the angle between two vectors. Shapes: (rank,), (rank,)."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def fit_biases(
    user: np.ndarray,
    item: np.ndarray,
    rating: np.ndarray,
    shape: tuple[int, int],
    *,
    shrink_user: float,
    shrink_item: float,
    rounds: int = 10,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean, and how far each user and item stands above it, few ratings shrunk towards 0.

    Built in notebook 03, section 3.5.

    Shapes:
        user, item, rating: (ratings,), codes below `shape`
        returns: mean, user biases (users,), item biases (items,)
    Source: Koren, Bell and Volinsky, IEEE Computer 42(8), 2009; solved by alternating least squares.
    """
    mean, (n_users, n_items) = float(np.mean(rating)), shape
    user_bias, item_bias = np.zeros(n_users), np.zeros(n_items)
    for _ in range(rounds):
        item_bias = shrunk_means(item, rating - mean - user_bias[user], n_items, shrink_item)
        user_bias = shrunk_means(user, rating - mean - item_bias[item], n_users, shrink_user)
    return mean, user_bias, item_bias


def shrunk_means(group: np.ndarray, values: np.ndarray, n_groups: int, shrink: float) -> np.ndarray:
    """Mean of each group, as if it had `shrink` further values of 0. Shapes: (values,) twice → (groups,)"""
    count = np.bincount(group, minlength=n_groups)
    return np.bincount(group, values, minlength=n_groups) / np.maximum(count + shrink, 1e-12)
