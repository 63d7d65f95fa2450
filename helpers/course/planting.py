"""Ratings and histories made by a rule, with the truth about them; `data.planted_ratings`, `data.planted_sequences`."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.course.errors import CourseError


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
    P, Q = rng.normal(0, 0.55, (n_users, rank)), rng.normal(0, 0.55, (n_items, rank))
    user_bias, item_bias = rng.normal(0, 0.4, n_users), rng.normal(0, 0.5, n_items)
    scores = 3.5 + user_bias[:, None] + item_bias + P @ Q.T  # (users, items)
    exposure = _exposure(taste_exposure * (scores - 3.5) + rng.normal(0, 1.2, n_items), per_user)
    user, item = np.nonzero(rng.random(scores.shape) < exposure)
    rating = np.clip(np.rint(scores[user, item] + rng.normal(0, noise, user.size)), 1, 5)
    timestamp = 1_000_000_000 + 86_400 * user + rng.integers(0, 20 * 86_400, user.size)
    order = rng.permutation(user.size)
    raw = (
        pd.DataFrame({"user": user, "item": item, "rating": rating, "timestamp": timestamp})
        .iloc[order]
        .reset_index(drop=True)
    )
    users, items = pd.DataFrame({"id": np.arange(n_users)}), pd.DataFrame({"id": np.arange(n_items)})
    return raw, users, items, Truth(scores, exposure, P, Q, user_bias, item_bias)


def _exposure(log_odds: np.ndarray, per_user: float) -> np.ndarray:
    """Probabilities with these log-odds, shifted so that a user has `per_user` ratings on average."""
    low, high = -40.0, 40.0
    for _ in range(60):
        shift = (low + high) / 2
        mean = (1 / (1 + np.exp(-(log_odds + shift)))).sum(axis=1).mean()
        low, high = (shift, high) if mean < per_user else (low, shift)
    return 1 / (1 + np.exp(-(log_odds + shift)))


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
    """Histories of distractors in which one item decides what follows. Built in notebook 06, section 6.4.

    rule "trigger": the only trigger in the history decides. rule "marker": of several triggers, the one right after the
    marker decides; the others are decoys. Codes: triggers first, then what follows each, the marker, the distractors.

    Args:
        decoys: triggers without a marker, of rule "marker"
        at_end: share of histories whose cause stands at the end; elsewhere its place is drawn
    Raises:
        CourseError: another rule, or a history too short for what it has to hold.
    """
    if rule not in ("trigger", "marker") or length < 2 + 2 * (rule == "marker") + decoys or triggers < 2:
        raise CourseError(
            f"rule={rule!r}, length={length}, decoys={decoys}, triggers={triggers} cannot be planted: the rule is "
            "'trigger' or 'marker', there are two triggers or more, and length must hold cause, marker and decoys."
        )
    rng, rows = np.random.default_rng(seed), np.arange(n)
    marker = 2 * triggers
    histories = marker + 1 + rng.integers(0, distractors, (n, length))
    place = np.where(rng.random(n) < at_end, length - 1, rng.integers(1, length, n))
    cause, causes = rng.integers(0, triggers, n), np.zeros((n, length), dtype=bool)
    if rule == "marker":
        free = rng.random((n, length))
        free[rows, place] = free[rows, place - 1] = -1  # the cause and its marker are not taken by decoys
        for spot in np.argsort(-free, axis=1)[:, :decoys].T:
            histories[rows, spot] = rng.integers(0, triggers, n)
        histories[rows, place - 1], causes[rows, place - 1] = marker, True
    histories[rows, place], causes[rows, place] = cause, True
    return PlantedSequences(histories, triggers + cause, causes, marker + 1 + distractors)
