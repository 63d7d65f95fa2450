"""A language model as a recommender: questions about users, prompts, and what it picks. For notebook 07."""

from dataclasses import dataclass

import numpy as np

from helpers import data, language
from helpers.errors import CourseError

CANDIDATES = 20
HISTORY = 8  # liked films that a prompt may tell
LIKED = 4  # stars from which a film counts as liked
USERS = 120
NEGATIVES = ("any", "as famous")
LISTED = 5  # candidates that a prompt lists, to see whether their place matters


@dataclass(frozen=True)
class Question:
    """One user's last liked film, what the user liked before it, and films that the user never rated.

    known: codes of liked films, oldest first; wanted: the code of the last one; others: 19 codes by kind of negatives;
    stranger: liked films of another user, none of them among the films asked about
    """

    user: int
    known: np.ndarray
    wanted: int
    others: dict[str, np.ndarray]
    stranger: np.ndarray

    def candidates(self, kind: str) -> np.ndarray:
        """The wanted film, then those it competes with. Shape: (20,)"""
        return np.array([self.wanted, *self.others[kind]])


def questions(ratings: data.Ratings, *, n: int = USERS, seed: int = 0) -> list[Question]:
    """Questions about `n` users drawn by seed, of those who liked more films than a prompt tells.

    Raises:
        CourseError: too few films or users.
    """
    liked_rows = ratings.table[ratings.table["rating"] >= LIKED]
    liked = data.histories(liked_rows, ratings.shape[0])
    rng = np.random.default_rng([7, seed])
    able = [user for user, codes in enumerate(liked) if len(codes) > HISTORY]
    if ratings.shape[1] < 4 * CANDIDATES or len(able) < 2:
        raise CourseError(
            f"{ratings.name} is too small for questions to a language model: it has {ratings.shape[1]} films and "
            f"{len(able)} users with more than {HISTORY} ratings of {LIKED} or more; {4 * CANDIDATES} and 2 are needed."
        )
    drawn = rng.permutation(able)[:n]
    seen = data.interactions(ratings.table, ratings.shape)
    number = fame(ratings)
    asked = []
    for user, stranger in zip(drawn, np.roll(drawn, 1), strict=True):
        *_, wanted = liked[user]
        known = liked[user][-HISTORY - 1 : -1]
        unseen = np.flatnonzero(seen[user] == 0)
        others = _negatives(rng, unseen, number, wanted)
        candidates = [wanted, *np.concatenate([*others.values()])]
        theirs = liked[stranger][~np.isin(liked[stranger], candidates)]
        asked.append(Question(int(user), known, int(wanted), others, theirs[-HISTORY:]))
    return asked


def _negatives(rng: np.random.Generator, unseen: np.ndarray, number: np.ndarray, wanted: int) -> dict[str, np.ndarray]:
    """Films from all, and films from those just less and just more famous than the wanted one."""
    ordered = unseen[np.argsort(number[unseen], kind="stable")]  # the least famous first
    place = int(np.searchsorted(number[ordered], number[wanted]))
    latest = len(ordered) - 2 * CANDIDATES
    begin = max(0, min(place - CANDIDATES, latest))
    near = ordered[begin : begin + 2 * CANDIDATES]
    pools = dict(zip(NEGATIVES, (unseen, near), strict=True))
    return {kind: rng.choice(pool, CANDIDATES - 1, replace=False) for kind, pool in pools.items()}


def fame(ratings: data.Ratings) -> np.ndarray:
    """Ratings that each film has, those of its last place in a history left out. Shape: (items,)"""
    train, _ = data.split_leave_last_out(ratings.table)
    return np.bincount(train["item"], minlength=ratings.shape[1])


def rank(scores: np.ndarray) -> int:
    """The place of the first candidate, 1 the best; a tie counts as lost."""
    return 1 + int((scores[1:] >= scores[0]).sum())


# Prompts


def liked_prompt(titles: list[str]) -> str:
    """What the model reads before a title: some films that somebody liked, or none."""
    return "A list of films that one person likes:\n" + "".join(f"{title}\n" for title in titles)


def listing_prompt(titles: list[str], listed: list[str], *, numbered: bool = False) -> str:
    """The same, then candidates to choose from, and a question for a title or for its number."""
    lines = [f"{title}\n" for title in listed]
    question = "the one that this person will like most:\n"
    if numbered:
        lines = [f"{place}. {line}" for place, line in enumerate(lines, start=1)]
        question = "the one that this person will like most is number "
    told = liked_prompt(titles)
    return f"{told}\nFive films that this person has not seen:\n{''.join(lines)}\nOf these, {question}"


def picks(llm: language.Language, known: list[str], listed: list[str], *, numbered: bool = False) -> np.ndarray:
    """The place that the model picks, with the first film at each place in turn. Shape: (5,), places from 0"""
    chosen = []
    for shift in range(len(listed)):
        order = list(np.roll(listed, shift))
        prompt = listing_prompt(known, order, numbered=numbered)
        answers = [f"{title}\n" for title in order]
        if numbered:
            answers = [str(place) for place in range(1, len(order) + 1)]
        scores, _ = language.log_likelihood(llm, prompt, answers)
        chosen.append(int(np.argmax(scores)))
    return np.array(chosen)


# What it knows: the years of films

YEARS = tuple(range(1990, 1999))
