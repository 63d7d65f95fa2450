"""Matrix factorization in NumPy: the loss and two ways down (notebook 02); biases (03); all answers at once (04b).

Everywhere: R (users, items) ratings, mask (users, items) True where rated, U (users, rank), V (rank, items).
In the posterior: rows (users or items, dim + 1), the factors and then the bias of each.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.stats import wishart

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
    squares, sums = [], []
    for ratings, rated in zip(R, mask, strict=True):
        F = V[:, rated]  # (rank, rated)
        squares.append(F @ F.T)
        sums.append(F @ ratings[rated])
    normal = np.array(squares) + ridge * np.eye(len(V))  # (rows, rank, rank)
    return np.linalg.solve(normal, np.array(sums)[..., None])[..., 0]


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


# The posterior (notebook 04b)

REGULAR = 10.0  # how strongly the noise of a user or film is held near that of all: as by so many ratings


class Prior(NamedTuple):
    """What all rows say of a row before it is seen: normal, around mean + known @ link, with this precision."""

    mean: np.ndarray  # (dim + 1,)
    precision: np.ndarray  # (dim + 1, dim + 1)
    link: np.ndarray  # (known, dim + 1)


class Draw(NamedTuple):
    """One answer out of all that fit: what a sweep leaves."""

    mean: float
    users: np.ndarray  # (users, dim + 1)
    items: np.ndarray  # (items, dim + 1)
    precision: float  # of a rating's noise, for all
    of_user: np.ndarray  # (users,), how regular each is: 1 is usual
    of_item: np.ndarray  # (items,)

    def ratings(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Ratings of these pairs, without noise. Shapes: (pairs,), (pairs,) → (pairs,)"""
        rows, columns = self.users[user], self.items[item]
        return self.mean + (rows[:, :-1] * columns[:, :-1]).sum(axis=1) + rows[:, -1] + columns[:, -1]

    def noise(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Variance of a rating around that. Shapes: (pairs,), (pairs,) → (pairs,)"""
        return 1 / (self.precision * self.of_user[user] * self.of_item[item])


def draw_rows(
    rng: np.random.Generator,
    weight: sp.csr_array,
    weighted: sp.csr_array,
    other: np.ndarray,
    prior_mean: np.ndarray,
    precision: np.ndarray,
) -> np.ndarray:
    """The rows of all users (or items) at once: notebook 02's ALS step, and noise on its right side.

    Built in notebook 04b, section 4b.2, as `draw_rows`.

    Shapes:
        weight, weighted: (n, m), precisions of the ratings, and these times what the rows have to explain
        other: (m, k), prior_mean: (n, k), precision: (k, k)
        returns: (n, k)
    """
    n, k = prior_mean.shape
    a, b = np.triu_indices(k)
    left = np.empty((n, k, k))
    left[:, a, b] = weight @ (other[:, a] * other[:, b])  # (n, m) @ (m, k (k + 1) / 2)
    left[:, b, a] = left[:, a, b]
    left += precision
    right = weighted @ other + prior_mean @ precision  # (n, k)
    noise = np.linalg.cholesky(left) @ rng.normal(size=(n, k, 1))
    return np.linalg.solve(left, right[..., None] + noise)[..., 0]


def draw_prior(
    rng: np.random.Generator,
    rows: np.ndarray,
    known: np.ndarray,
    link: np.ndarray,
    ridge: float,
) -> Prior:
    """What all rows together say of a row: mean, precision and link are drawn as the rows are.

    Built in notebook 04b, section 4b.2, as `draw_prior`.

    Shapes: rows (n, k), known (n, a), link (a, k)
    Source: Salakhutdinov and Mnih, ICML 2008; the link: Simm et al., *Macau*, 2015.
    """
    n, k = rows.shape
    left = rows - known @ link
    mean = left.mean(axis=0)
    around = left - mean
    pull = 2 * n / (n + 2)  # the prior mean is 0, as if two rows had said so
    scale = np.eye(k) + around.T @ around + pull * np.outer(mean, mean) + ridge * link.T @ link
    precision = np.reshape(wishart.rvs(k + n + len(link), np.linalg.inv(scale), random_state=rng), (k, k))
    root = np.linalg.cholesky(np.linalg.inv(precision))
    mean = n * mean / (n + 2) + root @ rng.normal(size=k) / np.sqrt(n + 2)
    if len(link):
        noise = known.T @ rng.normal(size=(n, k)) + np.sqrt(ridge) * rng.normal(size=link.shape)  # (a, k)
        left = known.T @ known + ridge * np.eye(len(link))
        link = np.linalg.solve(left, known.T @ (rows - mean) + noise @ root.T)
    return Prior(mean, precision, link)


def who_rated_what(
    user: np.ndarray,
    item: np.ndarray,
    shape: tuple[int, int],
    *,
    width: int = 30,
    scale: float = 0.3,
) -> tuple[np.ndarray, np.ndarray]:
    """What is known of users and items by what was rated, whatever the rating: directions of the table of 0 and 1.

    Built in notebook 04b, section 4b.3, as `who_rated_what`. The last column is the logarithm of the count, as a
    z-score. Rows without any rating are 0, which is the average.

    Shapes: user, item (ratings,); returns (users, width + 1), (items, width + 1)
    """
    counts = np.bincount(user, minlength=shape[0]), np.bincount(item, minlength=shape[1])
    seen = np.zeros(shape)
    seen[user, item] = 1
    seen /= np.sqrt(np.maximum(counts[0], 1))[:, None]
    seen[counts[0] > 0] -= seen[counts[0] > 0].mean(axis=0)
    left, _, right = np.linalg.svd(seen, full_matrices=False)
    tables = []
    for directions, count in ((left, counts[0]), (right.T, counts[1])):
        there = count > 0
        logs = np.log(np.maximum(count, 1))
        even = (logs - logs[there].mean()) / max(logs[there].std(), 1e-9)
        told = np.zeros((len(count), width + 1))
        kept = directions[:, :width]  # a small table has fewer directions
        told[:, : kept.shape[1]] = kept * np.sqrt(len(count)) * scale
        told[:, -1] = even
        told[~there] = 0
        tables.append(told)
    return tables[0], tables[1]


def posterior(
    user: np.ndarray,
    item: np.ndarray,
    rating: np.ndarray,
    shape: tuple[int, int],
    of_users: np.ndarray,
    of_items: np.ndarray,
    *,
    dim: int = 10,
    sweeps: int = 120,
    ridge: float = 5.0,
    own_noise: bool = True,
    spread: float = 0.1,
    seed: int = 0,
) -> Iterator[Draw]:
    """Answers that fit the ratings, one a sweep, each as often as it deserves (Gibbs sampling).

    r_ui = mean + b_u + b_i + p_u . q_i + noise; users, items, priors and noise are drawn in turn. The first sweeps
    still depend on the start and are left out of averages.

    Built in notebook 04b, section 4b.2, as `posterior`.

    Args:
        of_users, of_items: what is known of each, in the mean of its prior; no columns: nothing
        ridge: how strongly the link from these to the rows is held near 0
        own_noise: a noise of each user's and item's own, not one for all
        spread: standard deviation of the start
    Shapes: user, item, rating (ratings,), of_users (users, a), of_items (items, b)
    Raises:
        CourseError: no ratings, no dimension, no sweep, or a ridge or spread that is not above 0.
    Source: Salakhutdinov and Mnih, *Bayesian Probabilistic Matrix Factorization using MCMC*, ICML 2008.
    """
    _check_posterior(rating, dim=dim, sweeps=sweeps, ridge=ridge, spread=spread)
    rng, (n, m) = np.random.default_rng(seed), shape
    mean = float(rating.mean())
    of_users, of_items = (known - known.mean(axis=0) for known in (of_users, of_items))
    users, items = rng.normal(0, spread, (n, dim + 1)), rng.normal(0, spread, (m, dim + 1))
    link_users, link_items = np.zeros((of_users.shape[1], dim + 1)), np.zeros((of_items.shape[1], dim + 1))
    precision, of_user, of_item = 1.0, np.ones(n), np.ones(m)
    n_of_user, n_of_item = np.bincount(user, minlength=n), np.bincount(item, minlength=m)
    by_user = lambda values: sp.csr_array((values, (user, item)), shape=(n, m))
    by_item = lambda values: sp.csr_array((values, (item, user)), shape=(m, n))
    for _ in range(sweeps):
        weight = precision * of_user[user] * of_item[item]  # (ratings,)
        prior = draw_prior(rng, users, of_users, link_users, ridge)
        link_users, around = prior.link, prior.mean + of_users @ prior.link
        target = by_user(weight * (rating - mean - items[item, -1]))
        users = draw_rows(rng, by_user(weight), target, with_one(items), around, prior.precision)
        prior = draw_prior(rng, items, of_items, link_items, ridge)
        link_items, around = prior.link, prior.mean + of_items @ prior.link
        target = by_item(weight * (rating - mean - users[user, -1]))
        items = draw_rows(rng, by_item(weight), target, with_one(users), around, prior.precision)
        error = (rating - Draw(mean, users, items, precision, of_user, of_item).ratings(user, item)) ** 2
        precision = rng.gamma((len(rating) + 2) / 2, 2 / (2 + (of_user[user] * of_item[item]) @ error))
        if own_noise:
            errors_of = np.bincount(user, of_item[item] * error, minlength=n)
            of_user = rng.gamma((REGULAR + n_of_user) / 2, 2 / (REGULAR + precision * errors_of))
            errors_of = np.bincount(item, of_user[user] * error, minlength=m)
            of_item = rng.gamma((REGULAR + n_of_item) / 2, 2 / (REGULAR + precision * errors_of))
        yield Draw(mean, users, items, precision, of_user, of_item)


class Averaged(NamedTuple):
    """What many answers say of pairs: their mean, how far apart they are, and the noise around each."""

    rating: np.ndarray  # (pairs,)
    spread: np.ndarray  # (pairs,), standard deviation over draws
    noise: np.ndarray  # (pairs,), variance of a rating

    @property
    def width(self) -> np.ndarray:
        """Standard deviation of a rating that is not yet known: (pairs,)"""
        return np.sqrt(self.spread**2 + self.noise)


def averaged(draws: Iterable[Draw], user: np.ndarray, item: np.ndarray, *, burn_in: int = 20) -> Averaged:
    """The mean over all draws after the first ones, pair by pair, and their spread.

    Built in notebook 04b, section 4b.2, as `answers`.

    Shapes: user, item (pairs,)
    Raises:
        CourseError: no draw is left after the burn-in.
    """
    kept, total, squares, noise = 0, np.zeros(len(user)), np.zeros(len(user)), np.zeros(len(user))
    for sweep, draw in enumerate(draws):
        if sweep >= burn_in:
            kept += 1
            said = draw.ratings(user, item)
            total += said
            squares += said**2
            noise += draw.noise(user, item)
    if not kept:
        raise CourseError(f"no draw is left after the first {burn_in}: draw more, or leave out fewer.")
    mean = total / kept
    return Averaged(mean, np.sqrt((squares / kept - mean**2).clip(0)), noise / kept)


def with_one(rows: np.ndarray) -> np.ndarray:
    """Factors beside a 1, which the other side's bias is multiplied with. Shapes: (n, dim + 1) → (n, dim + 1)"""
    return np.c_[rows[:, :-1], np.ones(len(rows))]


def _check_posterior(rating: np.ndarray, **settings: float) -> None:
    """Refuse what nothing can be drawn from."""
    if len(rating) == 0:
        raise CourseError("there is no rating to learn from: give at least one.")
    for name, value in settings.items():
        if not value > 0:
            raise CourseError(f"{name} = {value}: to draw answers it must be above 0.")
