"""Made data with known truth: ratings, histories that follow a rule, and the mess that real tables contain."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.errors import CourseError

RULES = ("trigger", "marker", "twins")
FIRST_DAY = 1_000_000_000  # seconds since 1970
DAY = 86_400


@dataclass(frozen=True)
class Truth:
    """What planted ratings were made from.

    Shapes: scores and exposure (users, items); user_factors (users, rank); item_factors (items, rank);
    user_bias (users,); item_bias (items,)
    """

    scores: np.ndarray
    exposure: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    user_bias: np.ndarray
    item_bias: np.ndarray


def plant(
    n_users: int = 600,
    n_items: int = 400,
    *,
    rank: int = 3,
    per_user: float = 40,
    noise: float = 0.5,
    taste_exposure: float = 1.0,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, Truth]:
    """Ratings made from known factors, so that an answer can be right or wrong.

    score = 3.5 + user bias + item bias + factors; rating = score + noise, rounded to 1-5. What gets rated is decided by
    popularity and, with `taste_exposure` above 0, by the score itself: missing not at random. Users arrive one after
    another, so timestamps put whole users late.

    Args:
        per_user: ratings a user has on average
        noise: standard deviation in stars
        taste_exposure: rise of the log-odds of being rated per star of score
    Returns:
        ratings, users and items as `data.Ratings` holds them, and the truth
    Raises:
        CourseError: a size below 2, more ratings a user than items, or a negative noise.
    """
    if min(n_users, n_items) < 2 or rank < 1 or not 1 <= per_user <= n_items or noise < 0:
        raise CourseError(
            f"n_users={n_users}, n_items={n_items}, rank={rank}, per_user={per_user}, noise={noise} cannot be planted: "
            "take at least two users, two items and one factor, per_user from 1 to n_items, and no negative noise."
        )
    rng = np.random.default_rng(seed)
    P = rng.normal(0, 0.55, (n_users, rank))
    Q = rng.normal(0, 0.55, (n_items, rank))
    user_bias = rng.normal(0, 0.4, n_users)
    item_bias = rng.normal(0, 0.5, n_items)
    scores = 3.5 + user_bias[:, None] + item_bias + P @ Q.T  # (users, items)
    popularity = rng.normal(0, 1.2, n_items)
    exposure = _exposure(taste_exposure * (scores - 3.5) + popularity, per_user)
    user, item = np.nonzero(rng.random(scores.shape) < exposure)  # (ratings,) each
    rating = np.clip(np.rint(scores[user, item] + rng.normal(0, noise, user.size)), 1, 5)
    timestamp = FIRST_DAY + DAY * user + rng.integers(0, 20 * DAY, user.size)
    columns = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
    order = rng.permutation(user.size)
    raw = pd.DataFrame(columns).iloc[order].reset_index(drop=True)
    users = pd.DataFrame({"id": np.arange(n_users)})
    items = pd.DataFrame({"id": np.arange(n_items)})
    return raw, users, items, Truth(scores, exposure, P, Q, user_bias, item_bias)


def _exposure(log_odds: np.ndarray, per_user: float) -> np.ndarray:
    """Probabilities with these log-odds, shifted so that a user has `per_user` ratings on average; by halving."""
    low, high = -40.0, 40.0
    for _ in range(60):
        shift = (low + high) / 2
        exposure = 1 / (1 + np.exp(-(log_odds + shift)))
        if exposure.sum(axis=1).mean() < per_user:
            low = shift
        else:
            high = shift
    return 1 / (1 + np.exp(-(log_odds + shift)))


# Histories


@dataclass(frozen=True)
class PlantedSequences:
    """Histories whose next item follows from a rule, and what the rule looked at.

    Shapes: histories (n, length) of codes; following (n,); causes (n, length), True where the rule looked
    """

    histories: np.ndarray
    following: np.ndarray
    causes: np.ndarray
    n_items: int


def planted_sequences(
    n: int,
    *,
    rule: str = "trigger",
    length: int = 12,
    triggers: int = 10,
    distractors: int = 40,
    decoys: int = 3,
    at_end: float = 0.0,
    seed: int = 0,
) -> PlantedSequences:
    """Histories of distractors in which one item decides what follows; in notebook 06, section 6.8.

    rule "trigger": the only trigger in the history decides. rule "marker": of several triggers, the one right after the
    marker decides; the others are decoys. rule "twins": of two triggers the one right after the marker decides, and the
    histories come in pairs of the same items, the two triggers exchanged, so that only the order tells the answers
    apart. Codes: triggers first, then what follows each, the marker, the distractors.

    Args:
        decoys: triggers without a marker, of rule "marker"
        at_end: share of histories whose cause stands at the end; elsewhere its place is drawn
    Raises:
        CourseError: another rule, or a history too short for what it has to hold.
    """
    needed = 2 + decoys + 2 * (rule == "marker")
    if rule not in RULES or length < needed or triggers < 2:
        raise CourseError(
            f"rule={rule!r}, length={length}, decoys={decoys}, triggers={triggers} cannot be planted: the rule is "
            f"one of {', '.join(RULES)}, there are two triggers or more, and length must hold cause, marker and decoys."
        )
    rng = np.random.default_rng(seed)
    if rule == "twins":
        return _twins(n, length, triggers, distractors, rng)
    rows = np.arange(n)
    marker = 2 * triggers
    histories = marker + 1 + rng.integers(0, distractors, (n, length))
    is_at_end = rng.random(n) < at_end
    place = np.where(is_at_end, length - 1, rng.integers(1, length, n))  # of the cause, (n,)
    cause = rng.integers(0, triggers, n)
    causes = np.zeros((n, length), dtype=bool)
    if rule == "marker":
        free = rng.random((n, length))
        free[rows, place] = -1  # the cause and its marker are not taken by decoys
        free[rows, place - 1] = -1
        spots = np.argsort(-free, axis=1)[:, :decoys]  # (n, decoys)
        for spot in spots.T:
            histories[rows, spot] = rng.integers(0, triggers, n)
        histories[rows, place - 1] = marker
        causes[rows, place - 1] = True
    histories[rows, place] = cause
    causes[rows, place] = True
    return PlantedSequences(histories, triggers + cause, causes, marker + 1 + distractors)


def _twins(n: int, length: int, triggers: int, distractors: int, rng: np.random.Generator) -> PlantedSequences:
    """Pairs of histories of the same items: 2k and 2k + 1 differ in which of two triggers follows the marker."""
    pairs = (n + 1) // 2
    rows = np.arange(pairs)
    marker = 2 * triggers
    common = marker + 1 + rng.integers(0, distractors, (pairs, length))
    place = rng.integers(1, length, pairs)  # of the cause, (pairs,)
    free = rng.random((pairs, length + 1))
    for taken in (0, place - 1, place, place + 1, length):  # so that the other one is as often earlier as later
        free[rows, taken] = -1
    elsewhere = free.argmax(axis=1)  # of the other trigger
    common[rows, place - 1] = marker
    one = rng.integers(0, triggers, pairs)
    other = (one + rng.integers(1, triggers, pairs)) % triggers
    histories = np.repeat(common, 2, axis=0)  # (2 pairs, length)
    cause = np.stack([one, other], axis=1).ravel()
    decoy = np.stack([other, one], axis=1).ravel()
    every = np.arange(2 * pairs)
    histories[every, np.repeat(place, 2)] = cause
    histories[every, np.repeat(elsewhere, 2)] = decoy
    causes = np.zeros(histories.shape, dtype=bool)
    causes[every, np.repeat(place, 2)] = True
    causes[every, np.repeat(place - 1, 2)] = True
    return PlantedSequences(histories[:n], triggers + cause[:n], causes[:n], marker + 1 + distractors)


# Mess


def inject_mess(table: pd.DataFrame, *, seed: int = 0, share: float = 0.01) -> pd.DataFrame:
    """A copy of a ratings table with what real tables contain; `share` of the rows for each kind of trouble.

    Repeated rows, later changes of a rating, missing ratings, ratings off the scale, and user ids that became
    text ("17.0", " 17"). Rows come back in a new order, and their columns as Python objects.
    """
    rng = np.random.default_rng(seed)
    n = len(table)
    count = max(1, int(share * n))
    if not 0 < share <= 0.2 or 5 * count > n:
        raise CourseError(
            f"share = {share} of {n} rows: five kinds of trouble need 0 < share <= 0.2 and five rows or more."
        )
    repeated, changed, missing, off_scale, retyped = np.split(rng.permutation(n)[: 5 * count], 5)
    low, high, mean = table["rating"].agg(["min", "max", "mean"])
    messy = table.astype({"user": object, "rating": object})
    again = messy.iloc[changed].copy()
    again["rating"] = [high if rating < mean else low for rating in again["rating"]]
    if "timestamp" in again:
        again["timestamp"] += 60
    rating_column = messy.columns.get_loc("rating")
    user_column = messy.columns.get_loc("user")
    messy.iloc[missing, rating_column] = None
    steps_off = rng.integers(2, 20, len(off_scale))
    messy.iloc[off_scale, rating_column] = [float(high + (high - low) * k) for k in steps_off]
    as_decimal = rng.integers(0, 2, len(retyped))
    users = table["user"].iloc[retyped]
    messy.iloc[retyped, user_column] = [f"{u}.0" if k else f" {u}" for u, k in zip(users, as_decimal, strict=True)]
    whole = pd.concat([messy, messy.iloc[repeated], again], ignore_index=True)
    return whole.iloc[rng.permutation(len(whole))].reset_index(drop=True)
