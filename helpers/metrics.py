"""How wrong, how good: errors of predicted ratings (notebook 01), lists and what is in them (notebook 05).

Lists everywhere: (users, k) item codes, best first, -1 where a user has no further item.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

from helpers.errors import CourseError

Score = Callable[[np.ndarray], np.ndarray]


def rmse(ratings: np.ndarray, predictions: np.ndarray) -> float:
    """Root mean squared error, in the unit of the ratings; exercise 1.3.

    Shapes: two arrays of one shape
    Raises:
        CourseError: if the shapes differ (they would broadcast silently) or nothing is compared.
    """
    ratings = np.asarray(ratings, dtype=float)
    predictions = np.asarray(predictions, dtype=float)
    if ratings.shape != predictions.shape:
        raise CourseError(
            f"ratings have shape {ratings.shape} and predictions {predictions.shape}: they would be compared "
            "crosswise. Bring both to one shape."
        )
    if ratings.size == 0:
        raise CourseError("there is nothing to compare: both arrays are empty. Is the test set empty?")
    return float(np.sqrt(np.mean((ratings - predictions) ** 2)))


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
    """The k best unseen items of every user by full ranking, in batches of users; in notebook 05, section 5.1.

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
    low, high = seen["item"].min(), seen["item"].max()
    if len(seen) and not 0 <= low <= high < n_items:
        raise CourseError(f"seen items run from {low} to {high}, and there are {n_items} items.")
    users = np.asarray(users)
    order = np.random.default_rng(tie_seed).permutation(n_items)
    if not seen["user"].is_monotonic_increasing:
        seen = seen.sort_values("user", kind="stable")
    lists = np.full((len(users), k), -1)
    for begin in range(0, len(users), batch):
        part = slice(begin, begin + batch)
        asked = users[part]
        scores = np.array(score(asked), dtype=float)  # a copy: (batch, items)
        _check_scores(scores, (len(asked), n_items))
        _hide_seen(scores, asked, seen)
        best = _best_first(scores, order)[:, :k]  # (batch, at most k)
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


def _hide_seen(scores: np.ndarray, users: np.ndarray, seen: pd.DataFrame) -> None:
    """Set what each user has seen to -inf. Shapes: scores (batch, items), users (batch,), seen sorted by user"""
    seen_user = seen["user"].to_numpy()
    seen_item = seen["item"].to_numpy()
    first = np.searchsorted(seen_user, users, "left")
    last = np.searchsorted(seen_user, users, "right")
    for row in range(len(users)):
        of_user = slice(first[row], last[row])
        scores[row, seen_item[of_user]] = -np.inf


def _best_first(scores: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Items by falling score, equal ones as `order` has them. Shapes: (batch, items), (items,) → (batch, items)"""
    shuffled = scores[:, order]  # column c now holds item order[c]
    columns = np.argsort(-shuffled, axis=1, kind="stable")
    return order[columns]


def list_metrics(lists: np.ndarray, users: np.ndarray, held_out: pd.DataFrame) -> pd.DataFrame:
    """How well lists find held-out items: one row a user that has any; in notebook 05, section 5.2.

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
    number = pairs.groupby("user").size()
    m = number.reindex(users, fill_value=0).to_numpy()  # held-out items of each user, (users,)
    has_any = m > 0
    lists = lists[has_any]
    users = np.asarray(users)[has_any]
    m = m[has_any]
    k = lists.shape[1]
    listed = pd.MultiIndex.from_arrays([np.repeat(users, k), lists.ravel()])  # (users * K) pairs
    wanted = pd.MultiIndex.from_frame(pairs)
    found = listed.isin(wanted).reshape(-1, k)  # (users, K)
    number_found = np.cumsum(found, axis=1)  # (users, K)
    place = np.arange(1, k + 1)
    most = np.minimum(m, k)  # how many a list could find
    gain = 1 / np.log2(place + 1)
    gain_so_far = np.cumsum(gain)
    best_gain = gain_so_far[most - 1]
    reciprocal = found / place  # (users, K)
    precision_at = number_found / place
    precision_where_found = found * precision_at
    columns = {
        "hr": found.any(axis=1).astype(float),
        "precision": found.mean(axis=1),
        "recall": found.sum(axis=1) / m,
        "ndcg": found @ gain / best_gain,
        "mrr": reciprocal.max(axis=1),
        "map": precision_where_found.sum(axis=1) / most,
    }
    return pd.DataFrame(columns, index=pd.Index(users, name="user"))


def places(scores: np.ndarray, users: np.ndarray, wanted: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Place of each user's held-out item among all unseen ones, from 1; half of the ties stand before it.

    Built in notebook 05, section 5.3.

    Shapes: scores (all users, items); users, wanted (test users,); seen (all users, items) → (test users,)
    """
    rivals = np.where(seen > 0, -np.inf, scores)[users]  # (test users, items)
    own = rivals[np.arange(len(users)), wanted][:, None]
    return (rivals > own).sum(axis=1) + ((rivals == own).sum(axis=1) - 1) / 2 + 1


def gain_at(places: np.ndarray, k: int = 10) -> np.ndarray:
    """NDCG@k of lists with one held-out item, from its place: 1 / log2(place + 1), or 0 behind place k."""
    return np.where(places <= k, 1 / np.log2(places + 1), 0.0)


def interval_score(truth: np.ndarray, low: np.ndarray, high: np.ndarray, *, level: float = 0.9) -> np.ndarray:
    """Width of an interval, and a fine for each truth outside: 2 / (1 - level) times how far. Smaller is better.

    Built in notebook 04b, section 4b.5, as `interval_score`.

    Shapes: (n,) each → (n,)
    Source: Gneiting and Raftery, JASA 102(477), 2007, section 6.2.
    """
    below, above = np.maximum(low - truth, 0), np.maximum(truth - high, 0)
    return high - low + 2 / (1 - level) * (below + above)


def bootstrap_interval(values: np.ndarray, *, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Where the mean would lie, in 95 of 100 cases, if other users like these had come. Shapes: (users,)

    Source: Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, percentile method.
    """
    values = np.asarray(values, dtype=float)
    if values.size < 2:
        raise CourseError(f"{values.size} value(s) to draw from: an interval needs users with a held-out item.")
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    rng = np.random.default_rng(seed)
    drawn = bootstrap((values,), np.mean, n_resamples=draws, method="percentile", rng=rng)
    interval = drawn.confidence_interval
    return float(interval.low), float(interval.high)


# What is in the lists


def coverage(lists: np.ndarray, n_items: int) -> float:
    """Share of all items that are in any list."""
    listed = np.unique(lists[lists >= 0])
    return len(listed) / n_items


def gini(lists: np.ndarray, n_items: int) -> float:
    """How unevenly places in lists are spread over items: 0 all alike, near 1 one item has all; exercise 5.4."""
    number = np.bincount(lists[lists >= 0], minlength=n_items)
    number = np.sort(number)
    if number.sum() == 0:
        raise CourseError("all lists are empty, so there is no spread to measure.")
    place = np.arange(1, n_items + 1)
    weight = 2 * place - n_items - 1
    return float(weight @ number / (n_items * number.sum()))


def novelty(lists: np.ndarray, number: np.ndarray, n_users: int) -> float:
    """Mean of -log2(share of users who know the item) over all places, in bits; an unknown item counts as half a user.

    Shapes:
        number: (items,) users who have seen each item
    Source: Zhou et al., PNAS 107(10), 2010.
    """
    listed = lists[lists >= 0]
    known_by = np.maximum(number[listed], 0.5)
    bits = -np.log2(known_by / n_users)
    return float(bits.mean())


def diversity(lists: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Mean distance (1 - cosine) between the items within each list; NaN for fewer than two, or no attributes. (users,)

    Shapes:
        features: (items, attributes), for instance genres
    Source: Ziegler et al., *Improving Recommendation Lists Through Topic Diversification*, WWW 2005.
    """
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.maximum(length, 1e-12)
    inside = (lists >= 0)[..., None]  # (users, K, 1)
    listed = unit[lists] * inside  # (users, K, attributes)
    together = listed.sum(axis=1)  # (users, attributes)
    with_all = (together**2).sum(axis=1)  # sums of all cosines, those with itself too
    squared = listed**2
    with_itself = squared.sum(axis=(1, 2))
    n = inside.sum(axis=(1, 2))
    is_known = (n > 1) & (features.shape[1] > 0)
    pairs = np.where(is_known, n * (n - 1), np.nan)
    mean_cosine = (with_all - with_itself) / pairs
    return 1 - mean_cosine
