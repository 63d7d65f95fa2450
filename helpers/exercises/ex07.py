"""Notebook 07: reference solutions and checks."""

import numpy as np

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises()
check, solution = exercises.check, exercises.solution

_RNG = np.random.default_rng(7)
_STATES, _REAL = _RNG.normal(size=(6, 3)), np.array([1, 1, 1, 1, 0, 0])


@exercises.reference("7.1")
def mean_pool(states: np.ndarray, real: np.ndarray) -> np.ndarray:
    """The mean of the vectors of real tokens, at length 1. Shapes: (tokens, dim), (tokens,) → (dim,)."""
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
    if not np.allclose(got, mean_pool(_STATES, _REAL)):
        return "the direction is not that of the mean of the four real vectors."


_SEEN = np.array([[1, 1, 0, 0, 0], [0, 1, 1, 1, 0]])
_VECTORS = _RNG.normal(size=(5, 4)) + 2.0
_KNOWN = np.array([True, True, True, True, False])


@exercises.reference("7.2")
def text_scores(seen: np.ndarray, vectors: np.ndarray, known: np.ndarray) -> np.ndarray:
    """How alike each film is to those seen. Shapes: (users, films), (films, dim), (films,) → (users, films)."""
    own = vectors - vectors[known].mean(axis=0)
    own = own / np.linalg.norm(own, axis=1, keepdims=True)
    return seen @ own @ own.T


@exercises.checks_for("7.2")
def _score_table(attempt):
    return expect_array(attempt(_SEEN.copy(), _VECTORS.copy(), _KNOWN.copy()), (2, 5))


@exercises.checks_for("7.2")
def _scored_well(attempt):
    got = np.asarray(attempt(_SEEN.copy(), _VECTORS.copy(), _KNOWN.copy()))
    right = text_scores(_SEEN, _VECTORS, _KNOWN)
    unit = _VECTORS / np.linalg.norm(_VECTORS, axis=1, keepdims=True)
    centred = _VECTORS - _VECTORS[_KNOWN].mean(axis=0)
    if np.allclose(got, text_scores(_SEEN, _VECTORS, np.ones(5, dtype=bool))):
        return "the mean is that of all films: take it over the known ones, so that a cold film does not rank itself."
    if np.allclose(got, _SEEN @ unit @ unit.T) or np.allclose(got, _SEEN @ _VECTORS @ _VECTORS.T):
        return "what all films share is still in: subtract the mean vector of the films first."
    if np.allclose(got, _SEEN @ centred @ centred.T):
        return "after the subtraction the vectors have different lengths: bring each to length 1 again."
    if np.allclose(got, right / _SEEN.sum(axis=1, keepdims=True)):
        return "this is the mean over the seen films; the sum is asked for."
    if not np.allclose(got, right):
        return "the scores do not agree with the sum of cosines between own vectors of the films."


_LOGITS, _TOKENS = _RNG.normal(size=(6, 9)), np.array([3, 0, 8, 2, 2, 5])


@exercises.reference("7.3")
def log_likelihood(logits: np.ndarray, tokens: np.ndarray, start: int) -> float:
    """Log probability of tokens[start:] after those before. Shapes: (length, vocabulary), (length,) → a number."""
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    logs = np.log(e / e.sum(axis=1, keepdims=True))
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
    if np.isclose(got, right / 4):
        return "this is the mean over the tokens; the probability of all of them is a product, its logarithm a sum."
    if not np.isclose(got, right):
        return f"for the logits of this check it is {right:.2f}, and you return {got:.2f}."


def _late(logits: np.ndarray, places: np.ndarray) -> float:
    """What comes out if each token is judged by its own row."""
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return float(logs[places, _TOKENS[places]].sum())


_PICKED = np.array([[0, 0, 2], [0, 1, 2], [0, 0, 0], [0, 1, 1]])


@exercises.reference("7.4")
def pick_shares(picked: np.ndarray, places: int) -> np.ndarray:
    """How often each place was picked, over all questions and turns. Shapes: (questions, turns) → (places,)."""
    return np.bincount(picked.ravel(), minlength=places) / picked.size


@exercises.checks_for("7.4")
def _one_share_each(attempt):
    return expect_array(attempt(_PICKED.copy(), 4), (4,))


@exercises.checks_for("7.4")
def _shared_well(attempt):
    got = np.asarray(attempt(_PICKED.copy(), 4), dtype=float)
    right = pick_shares(_PICKED, 4)
    first = np.bincount(_PICKED[:, 0], minlength=4) / len(_PICKED)
    if np.allclose(got, right * _PICKED.size):
        return "these are counts: divide by the number of picks."
    if np.allclose(got, first):
        return "only the first turn of each question is counted: all turns belong in."
    if np.allclose(got, right * _PICKED.size / len(_PICKED)):
        return "divide by the number of all picks, questions times turns; your shares add up to more than 1."
    if not np.allclose(got, right):
        return (
            f"for these twelve picks the shares are {right.round(2).tolist()}, and you return {got.round(2).tolist()}."
        )
