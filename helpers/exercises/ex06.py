"""Notebook 06: reference solutions and checks."""

import numpy as np

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises()
check, solution = exercises.check, exercises.solution

_RNG = np.random.default_rng(6)
_Q, _K, _V = (_RNG.normal(size=(5, 4)) for _ in range(3))
_PAST = np.tril(np.ones((5, 5), dtype=bool))
_B = _RNG.normal(size=(7, 7))
_HISTORY = np.array([4, 0, 5, 2])


@exercises.reference("6.1")
def explain_next(history: np.ndarray, decay: float, B: np.ndarray, item: int) -> np.ndarray:
    """What each item of a history adds to a score. (n,), number, (items, items), code → (n,)"""
    weights = decay ** np.arange(len(history))[::-1]
    return weights / np.sqrt(weights.sum()) * B[history, item]


def _explain(attempt, history=_HISTORY, decay=0.5, item=1):
    return np.asarray(attempt(history.copy(), decay, _B.copy(), item), dtype=float)


@exercises.checks_for("6.1")
def _a_part_each(attempt):
    if _explain(attempt).shape == (7,):
        return "one number for each item of the *history*, in its order, and not for every item of the catalogue."
    return expect_array(attempt(_HISTORY.copy(), 0.5, _B.copy(), 1), (4,))


@exercises.checks_for("6.1")
def _without_decay(attempt):
    got, right = _explain(attempt, decay=1.0), explain_next(_HISTORY, 1.0, _B, 1)
    if np.allclose(got, _B[1, _HISTORY] / 2):
        return "you took a part of a row of B: what items add to the score of `item` stands in its column."
    if np.allclose(got, right * 2) or np.allclose(got, right / 2):
        return "with a decay of 1 each of four items counts 1/√4: divide the weights by the root of their sum."
    if np.allclose(got, right[::-1]):
        return "the parts come newest first: give them in the order of the history, oldest first."
    if not np.allclose(got, right):
        return f"with a decay of 1 the parts are half of B[history, item], {right.round(2)}; yours are {got.round(2)}."


@exercises.checks_for("6.1")
def _with_decay(attempt):
    got, right = _explain(attempt), explain_next(_HISTORY, 0.5, _B, 1)
    weights = 0.5 ** np.arange(4)
    if np.allclose(got, weights / np.sqrt(weights.sum()) * _B[_HISTORY, 1]):
        return "the oldest item weighs most in yours; the latest one, at the end, has an age of 0."
    if np.allclose(got, right * np.sqrt(0.5)) or np.allclose(got[-1] / right[-1], 0.5):
        return "the latest item has an age of 0, so its weight before the root is 1."
    if np.allclose(got, weights[::-1] * _B[_HISTORY, 1]):
        return "divide the weights by the root of their sum."
    if np.allclose(got, right[::-1]):
        return "the parts come newest first: give them in the order of the history, oldest first."
    if np.allclose(got, weights[::-1] / np.sqrt((weights**2).sum()) * _B[_HISTORY, 1]):
        return "divide by the root of the sum of the weights, not of their squares."
    if np.allclose(got, weights[::-1] / 2 * _B[_HISTORY, 1]):
        return "divide by the root of the sum of the weights, not of their number."
    if not np.allclose(got, right):
        return f"with a decay of 0.5 the parts are {right.round(3)}; yours are {got.round(3)}."
    other = np.array([3, 6])
    if not np.allclose(_explain(attempt, other, 0.9, 2), explain_next(other, 0.9, _B, 2)):
        return "for a shorter history, another decay and another item it is wrong: are all four arguments used?"


@exercises.reference("6.2")
def attention(Q: np.ndarray, K: np.ndarray, V: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Values mixed by the softmax of allowed scores. (n, d) three times, (n, n) → (n, d)."""
    scores = np.where(allowed, Q @ K.T / np.sqrt(Q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ V


def _attend(attempt, allowed):
    return np.asarray(attempt(_Q.copy(), _K.copy(), _V.copy(), allowed.copy()), dtype=float)


@exercises.checks_for("6.2")
def _mixed_shape(attempt):
    return expect_array(attempt(_Q.copy(), _K.copy(), _V.copy(), _PAST.copy()), (5, 4))


@exercises.checks_for("6.2")
def _first_alone(attempt):
    got = _attend(attempt, _PAST)
    if np.allclose(got, attention(_Q, _K, _V, np.ones((5, 5), dtype=bool))):
        return "what is not allowed is mixed in all the same: set its score to minus infinity before the softmax."
    if np.allclose(got, _attend(attention, _PAST.T)):
        return "this is the other way round: allowed[i, j] says what film i, a row, may take of film j."
    zeros = np.exp(np.where(_PAST, _Q @ _K.T / 2, 0))
    if np.allclose(got, zeros / zeros.sum(axis=1, keepdims=True) @ _V):
        return "a score of 0 still gets a share, e to the 0: what is not allowed needs a score of minus infinity."
    if not np.allclose(got[0], _V[0]):
        return "the first film may look at itself only, so its result must be its own value."


@exercises.checks_for("6.2")
def _all_rows(attempt):
    got, right = _attend(attempt, _PAST), attention(_Q, _K, _V, _PAST)
    raw = np.where(_PAST, _Q @ _K.T, -np.inf)
    raw = np.exp(raw - raw.max(axis=1, keepdims=True))
    if np.allclose(got, raw / raw.sum(axis=1, keepdims=True) @ _V):
        return "divide the scores by the root of d, the width of a query."
    if np.allclose(got, attention(_Q / 2, _K, _V, _PAST)):
        return "divide the scores by the root of d, not by d."
    if not np.allclose(got, right):
        return (
            "the rows do not agree with the softmax of the allowed scores times V: do your shares add up to 1 in a row?"
        )


_OTHER = np.array([[0, 1, 0], [1, 0, 1], [1, 1, 1]], dtype=bool)  # neither causal nor with everybody at themselves


@exercises.checks_for("6.2")
def _any_mask(attempt):
    parts = (_Q[:3, :2], _K[:3, :2], _V[:3])
    got = np.asarray(attempt(*(part.copy() for part in parts), _OTHER.copy()), dtype=float)
    if got.shape != (3, 4) or not np.allclose(got, attention(*parts, _OTHER)):
        return f"for the mask {_OTHER.astype(int).tolist()} it is wrong: look at `allowed`, and at nothing else."


@exercises.checks_for("6.2")
def _large_scores(attempt):
    with np.errstate(all="ignore"):
        got = np.asarray(attempt(_Q * 100, _K * 100, _V.copy(), _PAST.copy()), dtype=float)
    if not np.isfinite(got).all():
        return "for large scores nothing finite comes out, it overflows: mask first, then subtract each row's largest."


@exercises.reference("6.3")
def next_item_surprise(logits: np.ndarray, window: np.ndarray, padding: int) -> float:
    """Mean surprise of a GPT at the next item. (length, items), (length + 1,) → a number."""
    real = window[:-1] != padding
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_shares = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_shares[real, window[1:][real]].mean())


_LOGITS = _RNG.normal(size=(5, 8))
_WINDOW = np.array([8, 8, 3, 1, 6, 0])  # 8 is padding
_WHOLE = np.array([2, 7, 3, 1, 6, 0])


def _surprise(attempt, window, logits=_LOGITS):
    return float(attempt(logits.copy(), window.copy(), 8))


def _of_pairs(rows, items):
    log_shares = _LOGITS - np.log(np.exp(_LOGITS).sum(axis=1, keepdims=True))
    return -log_shares[rows, items]


@exercises.checks_for("6.3")
def _one_number(attempt):
    return expect_array(attempt(_LOGITS.copy(), _WHOLE.copy(), 8), ())


@exercises.checks_for("6.3")
def _without_padding(attempt):
    got, right = _surprise(attempt, _WHOLE), next_item_surprise(_LOGITS, _WHOLE, 8)
    if np.isclose(got, _of_pairs(np.arange(5), _WHOLE[:-1]).mean()):
        return "row t is asked for window[t + 1], and you asked it for its own item."
    if np.isclose(got, right * 5):
        return "take the mean over the places, not their sum."
    if np.isclose(got, -right):
        return "surprise is *minus* the log share: a loss must fall as the share grows."
    if np.isclose(got, right / np.log(2)):
        return "take the natural logarithm: yours is to base 2."
    if not np.isclose(got, right):
        return f"for a window without padding it is {right:.3f}, and you return {got:.3f}."


@exercises.checks_for("6.3")
def _with_padding(attempt):
    got, right = _surprise(attempt, _WINDOW), next_item_surprise(_LOGITS, _WINDOW, 8)
    from_padding = _of_pairs([1, 2, 3, 4], _WINDOW[2:]).mean()
    if np.isclose(got, from_padding):
        return "the padding before the first item was asked for it: nothing is asked at padding."
    if np.isclose(got, _of_pairs([2, 3, 4], _WINDOW[3:]).sum() / 5):
        return "divide by the number of places that are asked, not by the length."
    if not np.isclose(got, right):
        return f"with two places of padding it is {right:.3f}, and you return {got:.3f}: ask real places only."


@exercises.checks_for("6.3")
def _another_padding(attempt):
    window = np.where(_WINDOW == 8, -1, _WINDOW)
    if not np.isclose(float(attempt(_LOGITS.copy(), window, -1)), next_item_surprise(_LOGITS, window, -1)):
        return "with another code for padding it is wrong: use the argument `padding`."


@exercises.checks_for("6.3")
def _of_large_logits(attempt):
    with np.errstate(all="ignore"):
        got = _surprise(attempt, _WHOLE, _LOGITS * 1000)
    if not np.isfinite(got):
        return "for large logits the exponential overflows: subtract the largest of each row first."
    if not np.isclose(got, next_item_surprise(_LOGITS * 1000, _WHOLE, 8)):
        return "a share near 0 is a large surprise: take the logarithm of the softmax itself, with nothing added."
