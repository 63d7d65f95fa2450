"""How wrong, how good: errors of predicted ratings (notebook 01), lists and what is in them (notebook 05).

Lists everywhere: (users, k) item codes, best first, -1 where a user has no further item.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from helpers.course.errors import CourseError

Score = Callable[[np.ndarray], np.ndarray]


def rmse(ratings: np.ndarray, predictions: np.ndarray) -> float:
    """Root mean squared error, in the unit of the ratings. Built in notebook 01, section 1.4.

    Shapes: two arrays of one shape
    Raises:
        CourseError: if the shapes differ (they would broadcast silently) or nothing is compared.
    """
    return float(np.sqrt(np.mean(_differences(ratings, predictions) ** 2)))


def mae(ratings: np.ndarray, predictions: np.ndarray) -> float:
    """Mean absolute error, in the unit of the ratings. Shapes and errors as for `rmse`."""
    return float(np.mean(np.abs(_differences(ratings, predictions))))


def _differences(ratings: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    ratings, predictions = np.asarray(ratings, dtype=float), np.asarray(predictions, dtype=float)
    if ratings.shape != predictions.shape:
        raise CourseError(
            f"ratings have shape {ratings.shape} and predictions {predictions.shape}: they would be compared "
            "crosswise. Bring both to one shape."
        )
    if ratings.size == 0:
        raise CourseError("there is nothing to compare: both arrays are empty. Is the test set empty?")
    return ratings - predictions


# Lists


def recommend(
    score: Score,
    users: np.ndarray,
    seen: pd.DataFrame,
    n_items: int,
    *,
    k: int = 10,
    batch: int = 256,
    tie_seed: int = 0,
) -> np.ndarray:
    """The k best unseen items of every user by full ranking, in batches of users. Built in notebook 05, section 5.1.

    Equal scores are put in an order drawn from `tie_seed`, the same for all users, so that codes do not decide.

    Shapes:
        score: users (batch,) → (batch, items)
        seen: columns user and item, what is not to be recommended again
        returns: (users, k) item codes, -1 where nothing unseen is left
    Raises:
        CourseError: k below 1, codes outside, or a score that is not a number.
    """
    if k < 1 or batch < 1:
        raise CourseError(f"k = {k}, batch = {batch}: a list has at least one place, and a batch one user.")
    users, order = np.asarray(users), np.random.default_rng(tie_seed).permutation(n_items)
    seen = seen if seen["user"].is_monotonic_increasing else seen.sort_values("user", kind="stable")
    seen_user, seen_item = seen["user"].to_numpy(), seen["item"].to_numpy()
    if len(seen) and not 0 <= seen_item.min() <= seen_item.max() < n_items:
        raise CourseError(f"seen items run from {seen_item.min()} to {seen_item.max()}, and there are {n_items} items.")
    lists = np.full((len(users), k), -1)
    for begin in range(0, len(users), batch):
        part = slice(begin, begin + batch)
        scores = np.array(score(users[part]), dtype=float)  # a copy, (batch, items)
        _check_scores(scores, (len(users[part]), n_items))
        first, last = (np.searchsorted(seen_user, users[part], side) for side in ("left", "right"))
        for row, (a, b) in enumerate(zip(first, last, strict=True)):
            scores[row, seen_item[a:b]] = -np.inf
        best = order[np.argsort(-scores[:, order], axis=1, kind="stable")[:, :k]]  # (batch, at most k)
        allowed = np.take_along_axis(scores, best, axis=1) > -np.inf
        lists[part, : best.shape[1]] = np.where(allowed, best, -1)
    return lists


def _check_scores(scores: np.ndarray, shape: tuple[int, int]) -> None:
    if scores.shape != shape:
        raise CourseError(
            f"the scores have shape {scores.shape}, and {shape} is asked for: a row a user, a column an item."
        )
    if np.isnan(scores).any():
        raise CourseError(f"{np.isnan(scores).sum()} scores are no numbers: has the training diverged?")


def list_metrics(lists: np.ndarray, users: np.ndarray, held_out: pd.DataFrame) -> pd.DataFrame:
    """How well lists find held-out items: one row a user that has any. Built in notebook 05, section 5.2.

    Columns, for K places and m held-out items: hr (1 if any is found), precision (found / K), recall (found / m),
    ndcg (binary gain, against the best list of these items), mrr (1 / place of the first), map (precision at every
    found place, over min(m, K)).

    Shapes:
        lists: (users, K); users: (users,); held_out: columns user and item
    Source: Manning, Raghavan and Schütze, *Introduction to Information Retrieval*, 2008, chapter 8.
    """
    pairs = held_out[["user", "item"]].drop_duplicates()
    if len(pairs) == 0:
        raise CourseError("nothing is held out, so there is nothing to find: this part of the split is empty.")
    wanted = pairs.groupby("user").size().reindex(users, fill_value=0).to_numpy()  # (users,)
    stride = 1 + max(lists.max(initial=0), pairs["item"].max())  # one number for each pair of user and item
    keys = pairs["user"].to_numpy() * stride + pairs["item"].to_numpy()
    found = (lists >= 0) & np.isin(np.asarray(users)[:, None] * stride + lists, keys)  # (users, K)
    place = np.arange(1, lists.shape[1] + 1)
    gain = 1 / np.log2(place + 1)
    most = np.minimum(wanted, len(place))
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = {
            "hr": found.any(axis=1).astype(float),
            "precision": found.mean(axis=1),
            "recall": found.sum(axis=1) / wanted,
            "ndcg": (found * gain).sum(axis=1) / np.r_[0, np.cumsum(gain)][most],
            "mrr": (found / place).max(axis=1),
            "map": (found * np.cumsum(found, axis=1) / place).sum(axis=1) / most,
        }
    return pd.DataFrame(columns, index=pd.Index(users, name="user"))[wanted > 0]


def bootstrap_interval(
    values: np.ndarray, *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Where the mean would lie if other users like these had come: percentiles over redrawn users. Shapes: (users,)

    Built in notebook 05, section 5.3. Source: Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993.
    """
    values = np.asarray(values, dtype=float)
    if values.size == 0:
        raise CourseError("there are no values to draw from: no user has a held-out item.")
    rng = np.random.default_rng(seed)
    means = [rng.choice(values, values.size).mean() for _ in range(draws)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


# What is in the lists


def coverage(lists: np.ndarray, n_items: int) -> float:
    """Share of all items that are in any list."""
    return len(np.unique(lists[lists >= 0])) / n_items


def gini(lists: np.ndarray, n_items: int) -> float:
    """How unevenly places in lists are spread over items: 0 all alike, near 1 one item has all.

    Built in notebook 05, section 5.8.
    """
    number = np.sort(np.bincount(lists[lists >= 0], minlength=n_items))
    if number.sum() == 0:
        raise CourseError("all lists are empty, so there is no spread to measure.")
    place = np.arange(1, n_items + 1)
    return float((2 * place - n_items - 1) @ number / (n_items * number.sum()))


def novelty(lists: np.ndarray, number: np.ndarray, n_users: int) -> float:
    """Mean of -log2(share of users who know the item) over all places, in bits; an unknown item counts as half a user.

    Shapes:
        number: (items,) users who have seen each item
    Source: Zhou et al., PNAS 107(10), 2010.
    """
    return float(-np.log2(np.maximum(number[lists[lists >= 0]], 0.5) / n_users).mean())


def diversity(lists: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Mean distance (1 - cosine) between the items within each list; NaN for lists with fewer than two. (users,)

    Shapes:
        features: (items, attributes), for instance genres
    Source: Ziegler et al., *Improving Recommendation Lists Through Topic Diversification*, WWW 2005.
    """
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    inside = lists >= 0
    total = (unit[lists] * inside[..., None]).sum(axis=1)  # (users, attributes)
    own = ((unit[lists] ** 2).sum(axis=2) * inside).sum(axis=1)  # each item with itself
    pairs = inside.sum(axis=1) * (inside.sum(axis=1) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - np.where(pairs > 0, ((total**2).sum(axis=1) - own) / pairs, np.nan)
