"""A language model as a recommender, asked about many users: the study of notebook 07."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from helpers import data, language
from helpers.course.errors import CourseError

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
    liked = data.histories(ratings.table[ratings.table["rating"] >= LIKED], ratings.shape[0])
    rng = np.random.default_rng([7, seed])
    able = [user for user, codes in enumerate(liked) if len(codes) > HISTORY]
    if ratings.shape[1] < 4 * CANDIDATES or len(able) < 2:
        raise CourseError(
            f"{ratings.name} is too small for questions to a language model: it has {ratings.shape[1]} films and "
            f"{len(able)} users with more than {HISTORY} ratings of {LIKED} or more; {4 * CANDIDATES} and 2 are needed."
        )
    drawn = rng.permutation(able)[:n]
    seen, number, asked = data.interactions(ratings.table, ratings.shape), fame(ratings), []
    for user, stranger in zip(drawn, np.roll(drawn, 1), strict=True):
        wanted = int(liked[user][-1])
        others = _negatives(rng, np.flatnonzero(seen[user] == 0), number, wanted)
        theirs = liked[stranger][~np.isin(liked[stranger], [wanted, *np.concatenate([*others.values()])])]
        asked.append(Question(int(user), liked[user][-HISTORY - 1 : -1], wanted, others, theirs[-HISTORY:]))
    return asked


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


def rank(scores: np.ndarray) -> int:
    """The place of the first candidate, 1 the best; a tie counts as lost."""
    return 1 + int((scores[1:] >= scores[0]).sum())


# Prompts


def liked_prompt(titles: list[str]) -> str:
    """What the model reads before a title: some films that somebody liked, or none."""
    return "A list of films that one person likes:\n" + "".join(f"{title}\n" for title in titles)


def listing_prompt(titles: list[str], listed: list[str], *, numbered: bool = False) -> str:
    """The same, then candidates to choose from, and a question for a title or for its number."""
    lines = (f"{place}. {title}\n" if numbered else f"{title}\n" for place, title in enumerate(listed, start=1))
    question = "the one that this person will like most" + (" is number " if numbered else ":\n")
    return f"{liked_prompt(titles)}\nFive films that this person has not seen:\n{''.join(lines)}\nOf these, {question}"


def picks(llm: language.Language, known: list[str], listed: list[str], *, numbered: bool = False) -> np.ndarray:
    """The place that the model picks, with the first film at each place in turn. Shape: (5,), places from 0"""
    chosen = []
    for shift in range(len(listed)):
        order = [*np.roll(listed, shift)]
        answers = [str(place + 1) if numbered else f"{title}\n" for place, title in enumerate(order)]
        scores, _ = language.log_likelihood(llm, listing_prompt(known, order, numbered=numbered), answers)
        chosen.append(int(np.argmax(scores)))
    return np.array(chosen)


# The study


def ranks(llm: language.Language, titles: list[str], question: Question, number: np.ndarray) -> dict[str, int]:
    """Places of the wanted film among 20, by prompt, by score and by kind of negatives. Shapes: number (items,)"""
    asked = np.array([question.wanted, *question.others["any"], *question.others["as famous"]])
    answers = [f"{titles[item]}\n" for item in asked]
    mixed = np.random.default_rng(question.user).permutation(question.known)
    prompts = {"0 films": [], "3 films": question.known[-3:], "8 films": question.known, "shuffled": mixed,
               "stranger": question.stranger}  # fmt: skip
    scores = {}
    for name, codes in prompts.items():
        scores[name], tokens = language.log_likelihood(llm, liked_prompt([titles[c] for c in codes]), answers)
    scores["per token"] = scores["8 films"] / tokens
    scores["minus prior"] = scores["8 films"] - scores["0 films"]
    scores["popularity"] = number[asked]
    of_kind = {"any": np.arange(CANDIDATES), "as famous": np.r_[0, CANDIDATES : 2 * CANDIDATES - 1]}
    return {f"{name}, {kind}": rank(s[rows]) for kind, rows in of_kind.items() for name, s in scores.items()}


def shares(chosen: np.ndarray, name: str) -> dict[str, float]:
    """How often each place was picked. Shapes: chosen (5,), places from 0"""
    return {f"{name} {place + 1}": float((chosen == place).mean()) for place in range(LISTED)}


@cache
def _asked() -> tuple[language.Language, data.Ratings, list[Question], np.ndarray]:
    ratings = data.load_ratings("movielens-100k")
    return language.load_llm(), ratings, questions(ratings), fame(ratings)


def ask(*, number: int) -> dict[str, float]:
    """One member of the study llm_ranking: one user."""
    llm, ratings, asked, known_by = _asked()
    question, titles = asked[number], ratings.items["title"].tolist()
    known, listed = ([titles[c] for c in codes] for codes in (question.known, question.candidates("any")[:LISTED]))
    by_title, by_number = (picks(llm, known, listed, numbered=numbered) for numbered in (False, True))
    films = (by_title - np.arange(LISTED)) % LISTED  # with shift k, film f stands at place f + k
    return {
        **ranks(llm, titles, question, known_by),
        **shares(by_title, "place"),
        **shares(by_number, "number"),
        "picks of the wanted film": float((films == 0).mean()),
        "films picked": len(set(films.tolist())),
    }


MEMBERS = tuple({"number": number} for number in range(USERS))

# What it knows: the years of films

YEARS = tuple(range(1990, 1999))
FILMS = 150


@cache
def year_films() -> dict[str, np.ndarray]:
    """Films of the nineties, drawn from the 200 best known of them and from those with five ratings or fewer."""
    _, ratings, _, known_by = _asked()
    of_years = np.flatnonzero(ratings.items["year"].isin(YEARS))
    ordered = of_years[np.argsort(-known_by[of_years], kind="stable")]
    pools = {"well known": ordered[:200], "hardly known": ordered[known_by[ordered] <= 5]}
    return {kind: np.random.default_rng(7).permutation(pool)[:FILMS] for kind, pool in pools.items()}


def year_scores(llm: language.Language, title: str) -> np.ndarray:
    """How likely the model holds each of `YEARS` after a title. Shape: (years,)"""
    answers = [f" {year}" for year in YEARS]
    return language.log_likelihood(llm, f'The film "{title}" was first shown in the year', answers)[0]


def ask_year(*, kind: str, number: int) -> dict[str, int]:
    """One member of the study llm_years: one film."""
    llm, ratings, *_ = _asked()
    film = ratings.items.loc[year_films()[kind][number]]
    return {"year": int(film["year"]), "said": YEARS[int(year_scores(llm, film["title"]).argmax())]}


YEAR_MEMBERS = tuple({"kind": kind, "number": k} for kind in ("well known", "hardly known") for k in range(FILMS))
