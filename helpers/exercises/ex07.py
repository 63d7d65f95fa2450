"""Notebook 07: reference solutions and checks."""

import numpy as np

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises()
check, solution = exercises.check, exercises.solution

_RNG = np.random.default_rng(7)
_STATES, _REAL = _RNG.normal(size=(6, 3)), np.array([1, 1, 1, 1, 0, 0])


@exercises.reference("7.1")
def mean_pool(states: np.ndarray, real: np.ndarray) -> np.ndarray:
    """The mean of the vectors of real tokens, at unit length. (tokens, dim), (tokens,)"""
    mean = (states * real[:, None]).sum(axis=0) / real.sum()
    return mean / np.linalg.norm(mean)


@exercises.checks_for("7.1")
def _one_vector(attempt):
    return expect_array(attempt(_STATES.copy(), _REAL.copy()), (3,))


@exercises.checks_for("7.1")
def _pooled_well(attempt):
    got, unit = np.asarray(attempt(_STATES.copy(), _REAL.copy())), lambda v: v / np.linalg.norm(v)
    if np.allclose(unit(got), unit(_STATES[0])):
        return "this is the vector of the first token alone: take the mean over all real ones."
    if np.allclose(unit(got), unit(_STATES.mean(axis=0))):
        return "padding is counted, too: only tokens with real = 1 may enter."
    if not np.isclose(np.linalg.norm(got), 1):
        return f"the result has length {np.linalg.norm(got):.2f}: divide it by its length."
    by_token = _STATES[:4] / np.linalg.norm(_STATES[:4], axis=1, keepdims=True)
    if np.allclose(got, unit(by_token.sum(axis=0))):
        return "you bring each token to unit length first: the mean comes first, then its length."
    if np.allclose(got, unit(_STATES[2:].mean(axis=0))):
        return "padding stands on the right here: do not count on the real tokens coming last."
    if not np.allclose(got, mean_pool(_STATES, _REAL)):
        return "the direction is not that of the mean of the four real vectors."


@exercises.checks_for("7.1")
def _leaves_what_it_was_given(attempt):
    given = _STATES.copy()
    attempt(given, _REAL.copy())
    if not np.array_equal(given, _STATES):
        return "your function changes the states it was given: multiply into a new array."


@exercises.checks_for("7.1")
def _padding_on_the_left(attempt):
    left = np.array([0, 0, 1, 1, 0, 1])
    if not np.allclose(attempt(_STATES.copy(), left.copy()), mean_pool(_STATES, left)):
        return "padding may stand on the left, or between: do not count on the real tokens coming first."


_YEARS = np.array([1990.0, np.nan, 1997.0, 1940.0])
_CENTRES, _WIDTHS = np.array([1950.0, 1990.0, 1998.0]), np.array([10.0, 3.0, 1.0])


@exercises.reference("7.2")
def nearness(years: np.ndarray, centres: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """How near each year is to each centre, from 0 to 1. (films,), (k,), (k,) → (films, k)"""
    away = (years[:, None] - centres) / widths
    return np.nan_to_num(np.exp(-0.5 * away**2))


def _near(attempt, years=_YEARS):
    return np.asarray(attempt(years.copy(), _CENTRES.copy(), _WIDTHS.copy()), dtype=float)


@exercises.checks_for("7.2")
def _a_row_a_film(attempt):
    if _near(attempt).shape == (3, 4):
        return "a row a film and a column a centre are asked for; yours is the other way round."
    return expect_array(np.nan_to_num(_near(attempt)), (4, 3))


@exercises.checks_for("7.2")
def _missing_years(attempt):
    got = _near(attempt)
    if not np.isfinite(got).all():
        return "a film without a year has no nearness: put 0 in its row."
    if not np.allclose(got[1], 0):
        return f"a film without a year has 0 in all columns, and yours has {got[1].round(2).tolist()}."


@exercises.checks_for("7.2")
def _no_year_is_no_year(attempt):
    got = np.asarray(attempt(np.array([np.nan, 3.0]), np.array([0.0, 3.0]), np.array([1.0, 2.0])), dtype=float)
    if not np.allclose(got[0], 0):
        return "a missing year is taken for the year 0, which may stand near a centre: put 0 in its row at the end."


@exercises.checks_for("7.2")
def _bumps(attempt):
    got, right = _near(attempt), nearness(_YEARS, _CENTRES, _WIDTHS)
    away = _YEARS[:, None] - _CENTRES
    if np.allclose(got, np.nan_to_num(np.exp(-((away / _WIDTHS) ** 2)))):
        return "the exponent lacks its half: -(year - centre)² / (2 · width²)."
    if np.allclose(got, np.nan_to_num(np.exp(-(away**2) / 2 * _WIDTHS**2))):
        return "mind the brackets: divide by (2 · width²), or the width is multiplied."
    if np.allclose(got, np.nan_to_num(np.exp(-(away**2) / (2 * _WIDTHS) ** 2))):
        return "mind the brackets: only the width is squared, not the 2."
    if np.allclose(got, np.nan_to_num(np.exp(-0.5 * away**2 / _WIDTHS))):
        return "square the width, too."
    if np.allclose(got, np.nan_to_num(np.exp(-0.5 * np.abs(away) / _WIDTHS))):
        return "square the distance, too."
    if np.allclose(got, right / np.maximum(right.sum(axis=1, keepdims=True), 1e-12)):
        return "rows need not add up to 1: return the nearness itself."
    if not np.allclose(got, right):
        return f"a film of 1997 has {right[2].round(2).tolist()} here, and yours {got[2].round(2).tolist()}."


_LOGITS, _TOKENS = _RNG.normal(size=(6, 9)), np.array([3, 0, 8, 2, 2, 5])


@exercises.reference("7.3")
def log_likelihood(logits: np.ndarray, tokens: np.ndarray, start: int) -> float:
    """Log probability of tokens[start:] after those before. (length, vocabulary), (length,)"""
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    places = np.arange(start, len(tokens))
    return float(logs[places - 1, tokens[places]].sum())


@exercises.checks_for("7.3")
def _a_number(attempt):
    return expect_array(attempt(_LOGITS.copy(), _TOKENS.copy(), 2), ())


@exercises.checks_for("7.3")
def _said_well(attempt):
    got, right = float(attempt(_LOGITS.copy(), _TOKENS.copy(), 2)), log_likelihood(_LOGITS, _TOKENS, 2)
    places = np.arange(2, 6)
    if np.isclose(got, _late(_LOGITS, places)):
        return "row t of the logits is about token t + 1: each token is judged by the row before its own."
    if np.isclose(got, _LOGITS[places - 1, _TOKENS[places]].sum()):
        return "these are logits, not logarithms of probabilities: the softmax of each row is missing."
    if np.isclose(got, log_likelihood(_LOGITS, _TOKENS, 1)):
        return "the prompt is judged, too: begin with the token at `start`."
    if np.isclose(got, -right):
        return "the sign is turned: this is the surprise of notebook 6; a log probability is below 0."
    if np.isclose(got, np.exp(right)):
        return "this is the probability: its logarithm is asked for."
    if np.isclose(got, right / 4):
        return "this is the mean over the tokens; the probability of all of them is a product, its logarithm a sum."
    if not np.isclose(got, right):
        return f"for the logits of this check it is {right:.2f}, and you return {got:.2f}."


@exercises.checks_for("7.3")
def _large_logits(attempt):
    with np.errstate(all="ignore"):
        got = float(attempt(_LOGITS * 1000, _TOKENS.copy(), 2))
    if not np.isclose(got, log_likelihood(_LOGITS * 1000, _TOKENS, 2)):
        return (
            "for logits in the thousands it is wrong: an exponential overflows, or a probability rounds to 0. Do not "
            "go through the probability: logit - largest - log of the sum of exp(logit - largest)."
        )


def _late(logits: np.ndarray, places: np.ndarray) -> float:
    """What comes out if each token is judged by its own row."""
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return float(logs[places, _TOKENS[places]].sum())


_UNSEEN = np.array([9, 4, 0, 7, 2, 6])
_NUMBER = np.array([5, 50, 30, 41, 12, 40, 49, 40, 3, 31])
_WANTED = 5  # 40 ratings


@exercises.reference("7.4")
def nearest_in_fame(unseen: np.ndarray, number: np.ndarray, wanted: int, k: int) -> np.ndarray:
    """The k unseen films nearest in number of ratings. (n,), (films,), code, number → (k,)"""
    others = np.sort(unseen[unseen != wanted])
    away = np.abs(number[others] - number[wanted])
    return others[np.argsort(away, kind="stable")[:k]]


def _nearest(attempt, unseen=_UNSEEN, wanted=_WANTED, k=4):
    return np.asarray(attempt(unseen.copy(), _NUMBER.copy(), wanted, k))


@exercises.checks_for("7.4")
def _codes(attempt):
    got = expect_array(_nearest(attempt), (4,))
    return got


@exercises.checks_for("7.4")
def _nearest_first(attempt):
    got, right = _nearest(attempt), nearest_in_fame(_UNSEEN, _NUMBER, _WANTED, 4)
    if not np.isin(got, _UNSEEN).all():
        return "some of these films have been seen, or are places instead of codes: choose among `unseen`."
    if np.array_equal(got, np.sort(_UNSEEN)[np.argsort(-_NUMBER[np.sort(_UNSEEN)], kind="stable")[:4]]):
        return "these are the most famous ones: take the distance to the number of ratings of `wanted`."
    by_fame = np.sort(_UNSEEN)[np.argsort(_NUMBER[np.sort(_UNSEEN)], kind="stable")]
    place = int(np.searchsorted(_NUMBER[by_fame], _NUMBER[_WANTED]))
    if np.array_equal(got, by_fame[place - 2 : place + 2]):
        return "these are as many on each side in the order of fame: take the nearest, on whichever side they stand."
    if set(got.tolist()) == set(right.tolist()) and not np.array_equal(got, right):
        return "the films are right, and their order is not: nearest first, of equals the lower code."
    if not np.array_equal(got, right):
        return f"of {_UNSEEN.tolist()} the nearest four are {right.tolist()}, and you return {got.tolist()}."


@exercises.checks_for("7.4")
def _ties_and_itself(attempt):
    with_itself = np.array([7, 5, 2, 9])
    got = _nearest(attempt, with_itself, k=2).tolist()
    if 5 in got:
        return "`wanted` itself is among them: it is no rival of its own."
    if len(got) < 2:
        return "with `wanted` among the unseen you return one film less than k: leave it out first, then count."
    if got != [7, 9]:
        return f"with `wanted` among the unseen, [7, 9] is right for k = 2, and you return {got}."
    counts = np.array([40, 10, 80, 75])  # 10 is thirty away, 75 thirty-five; as ratios 75 is nearer
    if np.asarray(attempt(np.array([1, 2, 3]), counts, 0, 1)).tolist() != [1]:
        return "the distance is the difference of the numbers of ratings, not their ratio."
    equal = np.array([6, 9, 4, 0])  # 49 and 31 are both nine away
    fewer_first = np.asarray(attempt(np.array([1, 0]), np.array([30, 50, 40]), 2, 1)).tolist()
    if _nearest(attempt, equal, k=1).tolist() != [6] or fewer_first != [0]:
        return "of films equally far the one with the lower code comes first, whichever has more ratings."
