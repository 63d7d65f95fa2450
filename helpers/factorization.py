"""Matrix factorization in NumPy: the loss and two ways down (notebook 02); biases (notebook 03).

Everywhere: R (users, items) ratings, mask (users, items) True where rated, U (users, rank), V (rank, items).
"""

import numpy as np

from helpers.errors import CourseError

Factors = tuple[np.ndarray, np.ndarray]


def start(
    n_users: int,
    n_items: int,
    rank: int,
    *,
    seed: int,
    scale: float = 1.0,
) -> Factors:
    """Random factors to begin from: every entry normal with standard deviation `scale`."""
    rng = np.random.default_rng(seed)
    U = rng.normal(0, scale, (n_users, rank))
    V = rng.normal(0, scale, (rank, n_items))
    return U, V


def loss_of(E: np.ndarray, U: np.ndarray, V: np.ndarray, ridge: float) -> float:
    """Squared errors E (users, items), plus `ridge` times the squared size of all factors.

    Built in notebook 02, section 2.2, as `loss`.
    """
    size = (U**2).sum() + (V**2).sum()
    return float((E**2).sum() + ridge * size)


def errors(R: np.ndarray, mask: np.ndarray, U: np.ndarray, V: np.ndarray) -> np.ndarray:
    """Rating minus prediction where rated, 0 elsewhere. Shape: (users, items)."""
    return np.where(mask, R - U @ V, 0.0)


def gradient_descent(
    R: np.ndarray,
    mask: np.ndarray,
    U: np.ndarray,
    V: np.ndarray,
    *,
    step: float,
    iterations: int,
    ridge: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All ratings at once, `iterations` steps downhill.

    Built in notebook 02, section 2.4, as `descend_gd`.

    Shapes:
        returns: U, V as given, and losses (iterations + 1,), the first one before any step
    Raises:
        CourseError: if the loss stops being finite; the step is too long.
    """
    losses = []
    for iteration in range(iterations + 1):
        E = errors(R, mask, U, V)
        losses.append(loss_of(E, U, V, ridge))
        if not np.isfinite(losses[-1]):
            raise CourseError(
                f"the loss is {losses[-1]} after step {iteration} at step size {step}: take a smaller step."
            )
        if iteration < iterations:
            slope_U = -2 * E @ V.T + 2 * ridge * U
            slope_V = -2 * U.T @ E + 2 * ridge * V
            U = U - step * slope_U
            V = V - step * slope_V
    return U, V, np.array(losses)


def alternating_least_squares(
    R: np.ndarray,
    mask: np.ndarray,
    U: np.ndarray,
    V: np.ndarray,
    *,
    rounds: int,
    ridge: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """With V held still every user is a small regression, and the other way round: solve them in turn.

    Built in notebook 02, section 2.4, as `descend_als`.

    Shapes:
        returns: U, V as given, and losses (rounds + 1,)
    Raises:
        CourseError: if `ridge` is not above 0; without it a film with one rating has no unique answer.
    """
    if not ridge > 0:
        raise CourseError(f"ridge = {ridge}: alternating least squares needs a ridge above 0 to have one answer.")
    losses = [loss_of(errors(R, mask, U, V), U, V, ridge)]
    for _ in range(rounds):
        U = _regress(R, mask, V, ridge)
        V = _regress(R.T, mask.T, U.T, ridge).T
        losses.append(loss_of(errors(R, mask, U, V), U, V, ridge))
    return U, V, np.array(losses)


def _regress(R: np.ndarray, mask: np.ndarray, V: np.ndarray, ridge: float) -> np.ndarray:
    """The best row of factors for every row of R, V given. Shape: (rows, rank)."""
    penalty = ridge * np.eye(len(V))
    solved = []
    for ratings, rated in zip(R, mask, strict=True):
        F = V[:, rated]  # (rank, rated)
        solved.append(np.linalg.solve(F @ F.T + penalty, F @ ratings[rated]))
    return np.array(solved)


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

    Built in notebook 03, section 3.5, as `biases`.

    Shapes:
        user, item, rating: (ratings,), codes below `shape`
        returns: mean, user biases (users,), item biases (items,)
    Source: Koren, Bell and Volinsky, IEEE Computer 42(8), 2009; solved by alternating least squares.
    """
    n_users, n_items = shape
    mean = float(np.mean(rating))
    user_bias = np.zeros(n_users)
    for _ in range(rounds):
        item_bias = shrunk_means(item, rating - mean - user_bias[user], n_items, shrink_item)
        user_bias = shrunk_means(user, rating - mean - item_bias[item], n_users, shrink_user)
    return mean, user_bias, item_bias


def shrunk_means(group: np.ndarray, values: np.ndarray, n_groups: int, shrink: float) -> np.ndarray:
    """Mean of each group, as if it had `shrink` further values of 0. Shapes: (values,) twice → (groups,)

    Built in notebook 03, section 3.5, as `shrunk_mean`.
    """
    count = np.bincount(group, minlength=n_groups)
    total = np.bincount(group, values, minlength=n_groups)
    return total / np.maximum(count + shrink, 1e-12)
