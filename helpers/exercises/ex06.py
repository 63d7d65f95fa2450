"""Notebook 06: reference solutions and checks."""

import numpy as np

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises()
check, solution = exercises.check, exercises.solution

_RNG = np.random.default_rng(6)
_Q, _K, _V = (_RNG.normal(size=(5, 4)) for _ in range(3))
_PAST = np.tril(np.ones((5, 5), dtype=bool))


@exercises.reference("6.1")
def attention(Q: np.ndarray, K: np.ndarray, V: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Values mixed by the softmax of allowed scores. Shapes: (n, d), (n, d), (n, d), (n, n) → (n, d)."""
    scores = np.where(allowed, Q @ K.T / np.sqrt(Q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ V


def _attend(attempt, allowed):
    return np.asarray(attempt(_Q.copy(), _K.copy(), _V.copy(), allowed.copy()), dtype=float)


@exercises.checks_for("6.1")
def _mixed_shape(attempt):
    return expect_array(attempt(_Q.copy(), _K.copy(), _V.copy(), _PAST.copy()), (5, 4))


@exercises.checks_for("6.1")
def _first_alone(attempt):
    got = _attend(attempt, _PAST)
    if np.allclose(got, attention(_Q, _K, _V, np.ones((5, 5), dtype=bool))):
        return "what is not allowed is mixed in all the same: set its score to minus infinity before the softmax."
    if not np.allclose(got[0], _V[0]):
        return "the first film may look at itself only, so its result must be its own value."


@exercises.checks_for("6.1")
def _all_rows(attempt):
    got, right = _attend(attempt, _PAST), attention(_Q, _K, _V, _PAST)
    raw = np.where(_PAST, _Q @ _K.T, -np.inf)
    raw = np.exp(raw - raw.max(axis=1, keepdims=True))
    if np.allclose(got, raw / raw.sum(axis=1, keepdims=True) @ _V):
        return "divide the scores by the root of d, the width of a query."
    if not np.allclose(got, right):
        return (
            "the rows do not agree with the softmax of the allowed scores times V: do your shares add up to 1 in a row?"
        )


@exercises.reference("6.2")
def may_look(history: np.ndarray, padding: int) -> np.ndarray:
    """Who may look at whom in a GPT. Shapes: (n,) → (n, n)."""
    past = np.tril(np.ones((len(history), len(history)), dtype=bool))
    return past & (history != padding) | np.eye(len(history), dtype=bool)


_HISTORY = np.array([9, 9, 4, 1, 7])


@exercises.checks_for("6.2")
def _square(attempt):
    return expect_array(np.asarray(attempt(_HISTORY.copy(), 9), dtype=float), (5, 5))


@exercises.checks_for("6.2")
def _no_future(attempt):
    got = np.asarray(attempt(_HISTORY.copy(), 9), dtype=bool)
    if np.array_equal(got, may_look(_HISTORY, 9).T):
        return "this is the other way round: row i is the one who looks, column j the one looked at."
    if np.triu(got, 1).any():
        return "somebody looks ahead: above the diagonal all must be False."


@exercises.checks_for("6.2")
def _no_padding(attempt):
    got = np.asarray(attempt(_HISTORY.copy(), 9), dtype=bool)
    if got[4, 0] or got[2, 1]:
        return "padding is looked at: its columns must be False, but for itself."
    if not got.diagonal().all():
        return "everybody may look at themselves, padding as well."
    if not np.array_equal(got, may_look(_HISTORY, 9)):
        return "the mask does not agree: at the end of the history all its items, and no padding, may be looked at."


@exercises.reference("6.3")
def parameters(items: int, dim: int, layers: int, length: int) -> int:
    """Weights of a transformer over histories. Four numbers → one number."""
    linear = lambda a, b: a * b + b
    block = 2 * 2 * dim + linear(dim, 3 * dim) + linear(dim, dim) + 2 * linear(dim, dim)
    return (items + 2) * dim + length * dim + layers * block + 2 * dim + items


@exercises.checks_for("6.3")
def _one_number(attempt):
    return expect_array(attempt(100, 8, 2, 10), ())


@exercises.checks_for("6.3")
def _by_parts(attempt):
    none, one, two = (int(attempt(100, 8, layers, 10)) for layers in (0, 1, 2))
    block = parameters(100, 8, 1, 10) - parameters(100, 8, 0, 10)
    if two - one == one - none == block - 8 * (3 + 1 + 1 + 1):
        return "your blocks lack the biases of their linear layers."
    if two - one == one - none == block - 32:
        return "your blocks lack their two norms, 2 · dim each."
    if one - none != block:
        return f"a block of width 8 has {block} weights, and yours has {one - none}."


@exercises.checks_for("6.3")
def _around(attempt):
    got, right = int(attempt(100, 8, 2, 10)), parameters(100, 8, 2, 10)
    missing = {16: "padding and mask (or the last norm)", 100: "the biases of the items", 80: "the positions"}
    if right - got in missing:
        return f"{missing[right - got]} are not counted."
    if got != right:
        return f"for 100 items, width 8, two blocks and ten positions it is {right}, and you return {got}."


@exercises.reference("6.4")
def windows(history: np.ndarray, length: int, padding: int) -> np.ndarray:
    """Windows of length + 1 items that share one. Shapes: (n,) → (windows, length + 1)."""
    cut = []
    for end in range(len(history), 1, -length):
        part = history[max(0, end - length - 1) : end]
        cut.append(np.r_[np.full(length + 1 - len(part), padding), part])
    return np.array(cut, dtype=int).reshape(-1, length + 1)


@exercises.checks_for("6.4")
def _table(attempt):
    got = np.asarray(attempt(np.arange(1, 9), 3, 0))
    return expect_array(got, (len(got) if got.ndim == 2 else 3, 4))


@exercises.checks_for("6.4")
def _from_the_end(attempt):
    rows = sorted(np.asarray(attempt(np.arange(1, 9), 3, 0)).astype(int).tolist())
    if rows == sorted([[1, 2, 3, 4], [4, 5, 6, 7], [0, 0, 7, 8]]):
        return "you cut from the beginning: then the latest items fill the shortest window. Cut from the end."
    if rows == sorted([[5, 6, 7, 8], [1, 2, 3, 4]]):
        return "your windows share no item, so that one step of the history is never asked about."
    if rows != sorted([[5, 6, 7, 8], [2, 3, 4, 5], [0, 0, 1, 2]]):
        return f"for items 1 to 8, three at a time, [[5 6 7 8] [2 3 4 5] [0 0 1 2]] is right, and you return {rows}."


@exercises.checks_for("6.4")
def _short(attempt):
    short = np.asarray(attempt(np.array([5]), 3, 0))
    if short.size:
        return "a history of one item has no next one: it gives no window."
    if np.asarray(attempt(np.array([5, 6]), 3, 0)).tolist() != [[0, 0, 5, 6]]:
        return "a history of two items gives one window, filled up on the left."
