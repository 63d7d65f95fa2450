"""A language model as a recommender: questions about users, prompts, and what it picks. For notebook 07."""

from dataclasses import dataclass

import numpy as np

from helpers import data, language
from helpers.errors import CourseError

CANDIDATES = 20
HISTORY = 8  # liked films that a prompt may tell
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
        others = self.others[kind]
        return np.array([self.wanted, *others])


def questions(ratings: data.Ratings, *, n: int = USERS, seed: int = 0) -> list[Question]:
    """Questions about `n` users drawn by seed, of those who liked more films than a prompt tells.

    Raises:
        CourseError: too few films or users.
    """
    n_users, n_items = ratings.shape
    liked = data.histories(ratings.liked(), n_users)
    rng = np.random.default_rng([7, seed])
    lengths = np.array([len(codes) for codes in liked])
    able = np.flatnonzero(lengths > HISTORY)
    if n_items < 4 * CANDIDATES or len(able) < 2:
        raise CourseError(
            f"{ratings.name} is too small for questions to a language model: it has {n_items} films and "
            f"{len(able)} users who like more than {HISTORY} of them; {4 * CANDIDATES} and 2 are needed."
        )
    drawn = rng.permutation(able)[:n]
    seen = data.interactions(ratings.table, ratings.shape)
    number = fame(ratings)
    asked = []
    strangers = np.roll(drawn, 1)
    for user, stranger in zip(drawn, strangers, strict=True):
        *earlier, wanted = liked[user]
        known = np.array(earlier[-HISTORY:])
        unseen = np.flatnonzero(seen[user] == 0)
        others = _negatives(rng, unseen, number, wanted)
        candidates = np.concatenate([[wanted], *others.values()])
        theirs = liked[stranger]
        is_asked = np.isin(theirs, candidates)
        theirs = theirs[~is_asked]
        asked.append(Question(int(user), known, int(wanted), others, theirs[-HISTORY:]))
    return asked


def _negatives(rng: np.random.Generator, unseen: np.ndarray, number: np.ndarray, wanted: int) -> dict[str, np.ndarray]:
    """Films from all, and films from those just less and just more famous than the wanted one."""
    order = np.argsort(number[unseen], kind="stable")
    ordered = unseen[order]  # the least famous first
    place = np.searchsorted(number[ordered], number[wanted])
    width = 2 * CANDIDATES
    latest = len(ordered) - width
    begin = min(place - CANDIDATES, latest)
    begin = max(int(begin), 0)
    near = ordered[begin : begin + width]
    others = {}
    for kind, pool in zip(NEGATIVES, (unseen, near), strict=True):
        others[kind] = rng.choice(pool, CANDIDATES - 1, replace=False)
    return others


def fame(ratings: data.Ratings) -> np.ndarray:
    """Ratings that each film has, those of its last place in a history left out. Shape: (items,)"""
    train, _ = data.split_leave_last_out(ratings.table)
    _, n_items = ratings.shape
    return np.bincount(train["item"], minlength=n_items)


def rank(scores: np.ndarray) -> int:
    """The place of the first candidate, 1 the best; a tie counts as lost."""
    wanted = scores[0]
    others = scores[1:]
    ahead = others >= wanted
    return 1 + int(ahead.sum())


# Prompts


def liked_prompt(titles: list[str]) -> str:
    """What the model reads before a title: some films that somebody liked, or none."""
    lines = [f"{title}\n" for title in titles]
    return "A list of films that one person likes:\n" + "".join(lines)


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
    n = len(listed)
    numbers = [str(place) for place in range(1, n + 1)]
    chosen = []
    for shift in range(n):
        order = list(np.roll(listed, shift))
        prompt = listing_prompt(known, order, numbered=numbered)
        answers = numbers if numbered else [f"{title}\n" for title in order]
        scores, _ = language.log_likelihood(llm, prompt, answers)
        best = int(np.argmax(scores))
        chosen.append(best)
    return np.array(chosen)
