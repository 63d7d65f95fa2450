"""A language model as a recommender, asked about many users: the study of notebook 07."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from helpers import data, language

CANDIDATES = 20
LIKED = 4  # stars from which a film counts as liked
NEGATIVES = ("any", "as famous")


@dataclass(frozen=True)
class Question:
    """One user's last liked film, what the user liked before it, and films that the user never rated.

    known: codes of liked films, oldest first; wanted: the code of the last one; others: 19 codes by kind of negatives
    """

    user: int
    known: np.ndarray
    wanted: int
    others: dict[str, np.ndarray]


def questions(ratings: data.Ratings, *, n: int, seed: int, history: int = 8) -> list[Question]:
    """Questions about `n` users drawn by seed, of those who liked more than `history` films."""
    liked = data.histories(ratings.table[ratings.table["rating"] >= LIKED], ratings.shape[0])
    able = [user for user, codes in enumerate(liked) if len(codes) > history]
    rng = np.random.default_rng([7, seed])
    seen, number = data.interactions(ratings.table, ratings.shape), fame(ratings)
    return [
        Question(
            int(user),
            liked[user][-history - 1 : -1],
            int(liked[user][-1]),
            _negatives(rng, np.flatnonzero(seen[user] == 0), number, int(liked[user][-1])),
        )
        for user in rng.permutation(able)[:n]
    ]


def _negatives(rng: np.random.Generator, unseen: np.ndarray, number: np.ndarray, wanted: int) -> dict[str, np.ndarray]:
    """Films from all, and films from those just less and just more famous than the wanted one."""
    ordered = unseen[np.argsort(number[unseen], kind="stable")]
    place = int(np.searchsorted(number[ordered], number[wanted]))
    near = ordered[max(0, min(place - CANDIDATES, len(ordered) - 2 * CANDIDATES)) :][: 2 * CANDIDATES]
    pools = dict(zip(NEGATIVES, (unseen, near), strict=True))
    return {kind: rng.choice(pool, CANDIDATES - 1, replace=False) for kind, pool in pools.items()}


def fame(ratings: data.Ratings) -> np.ndarray:
    """Ratings that each film has, those of its last place in a history left out. Shape: (items,)"""
    train, _ = data.split_leave_last_out(ratings.table)
    return np.bincount(train["item"], minlength=ratings.shape[1])


def liked_prompt(titles: list[str]) -> str:
    """What the model reads before a title: some films that somebody liked."""
    return "A list of films that one person likes:\n" + "".join(f"{title}\n" for title in titles)


def rank(scores: np.ndarray) -> int:
    """The place of the first candidate, 1 the best; a tie counts as lost."""
    return 1 + int((scores[1:] >= scores[0]).sum())
