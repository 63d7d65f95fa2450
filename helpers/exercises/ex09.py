"""Notebook 09: reference solutions and checks."""

import numpy as np

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises(keep_inputs=True)
check, solution = exercises.check, exercises.solution

_RNG = np.random.default_rng(9)
_PAIRS = _RNG.normal(size=(8, 8))


class _Model:
    """Scores of eight items after a history, in which order and pairs count; it remembers how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, history) -> np.ndarray:
        self.asked += 1
        codes = [int(code) for code in history]
        total = _PAIRS[codes].sum(axis=0) if codes else np.zeros(8)
        for place, code in enumerate(codes[1:], start=1):
            total = total + np.roll(_PAIRS[codes[place - 1]], code) / place
        return total


_HISTORY, _TARGETS = np.array([2, 5, 1, 2]), np.array([7, 1])


@exercises.reference("9.1")
def falls(score, history: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Fall of each target's score without each film. (n,), (t,) → (n, t)"""
    whole = score(history)[targets]
    left = [score(np.delete(history, place))[targets] for place in range(len(history))]
    return whole - np.array(left)


def _without_kind(score, history: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The likely mistake: all of a film's places go at once."""
    return np.array([(score(history) - score(history[history != film]))[targets] for film in history])


@exercises.checks_for("9.1")
def _a_table(attempt):
    return expect_array(attempt(_Model(), _HISTORY.copy(), _TARGETS.copy()), (4, 2))


@exercises.checks_for("9.1")
def _fell_well(attempt):
    model, right = _Model(), falls(_Model(), _HISTORY, _TARGETS)
    got = np.asarray(attempt(model, _HISTORY.copy(), _TARGETS.copy()), dtype=float)
    whole_table = falls(_Model(), _HISTORY, np.arange(8))
    first = np.r_[right[:3], falls(_Model(), _HISTORY, _TARGETS)[:1]]
    if np.allclose(got, -right):
        return "the sign is turned: what falls without a film spoke for it, so whole minus what is left."
    if np.allclose(got, falls(_Model(), _HISTORY, _TARGETS) - _Model()(_HISTORY)[_TARGETS]):
        return "these are scores of what is left, less than 0: subtract them from those of the whole history."
    if np.allclose(got, [_Model()(np.delete(_HISTORY, k))[_TARGETS] for k in range(4)]):
        return "these are the scores without each film: subtract them from those of the whole history."
    if np.allclose(got, _without_kind(_Model(), _HISTORY, _TARGETS)):
        return "film 2 stands there twice: leave out one place, not both."
    if np.allclose(got, [_Model()(_HISTORY)[_TARGETS] - _Model()(_HISTORY[[k]])[_TARGETS] for k in range(4)]):
        return "you keep the one film and leave out the others."
    if np.allclose(got, right) and model.asked > 5:
        return (
            f"the falls are right, and the model was asked {model.asked} times: 5 are enough, for all targets at once."
        )
    if not np.allclose(got, right):
        if np.allclose(got, right.astype(int)):
            return "the falls lost their fractions: fill an array of floats, not one of whole numbers."
        if np.allclose(got, whole_table[:, :2]):
            return "column j is for item j: it should be for item targets[j]."
        if np.allclose(got, np.abs(right)):
            return "the sign is lost: a film may speak against a target."
        if np.allclose(got, first):
            return "film 2 stands there twice: for its second place you leave out the first."
        if np.allclose(got, falls(_Model(), _HISTORY[::-1], _TARGETS)[::-1]):
            return "the falls are those of another order: leave out one place at a time, the others in their order."
        return "these are not the falls: entry (k, j) is whole minus without place k, for targets[j]."


def _attention(*shape: int) -> np.ndarray:
    """Weights that hide nothing, rows add up to 1."""
    weights = _RNG.random(shape)
    return weights / weights.sum(axis=-1, keepdims=True)


_LAYERS = _attention(3, 4, 5, 5)


@exercises.reference("9.2")
def rollout(layers: np.ndarray, share: float) -> np.ndarray:
    """Attention followed through all layers. (layers, heads, n, n), share → (n, n)"""
    itself = np.eye(layers.shape[-1])
    mixed = itself
    for weights in layers:
        mixed = (share * weights.mean(axis=0) + (1 - share) * itself) @ mixed
    return mixed


@exercises.checks_for("9.2")
def _one_map(attempt):
    return expect_array(attempt(_LAYERS.copy(), 0.3), (5, 5))


@exercises.checks_for("9.2")
def _rolled_well(attempt):
    got, means = np.asarray(attempt(_LAYERS.copy(), 0.3)), _LAYERS.mean(axis=1)
    if np.allclose(got, means[2] @ means[1] @ means[0]):
        return "a position keeps something of itself in each step: the rest, 1 - share, of the identity."
    if np.allclose(got, rollout(_LAYERS, 0.5)):
        return "this is the share one half: use the argument."
    if np.allclose(got, rollout(_LAYERS, 0.7)):
        return "the shares are exchanged: `share` is what is taken in, the rest is kept."
    if np.allclose(got, rollout(_LAYERS[::-1], 0.3)):
        return "the order is reversed: the first layer comes first, so later ones multiply from the left."
    if np.allclose(got, rollout(_LAYERS[:, :1], 0.3)):
        return "this is the first head only: take the mean of the heads."
    if not np.allclose(got.sum(axis=1), 1):
        return "the rows of your map do not add up to 1."
    if not np.allclose(got, rollout(_LAYERS, 0.3)):
        return (
            "the map is not the product, over the layers, of share times the mean of the heads plus the rest of itself."
        )
    for share in (0, 1):
        if not np.allclose(attempt(_LAYERS.copy(), share), rollout(_LAYERS, share)):
            return f"with share {share} the map is another one."


_X, _SENT, _WEIGHTS = _RNG.normal(size=(5, 3)), _RNG.normal(size=(5, 3)), _RNG.random((5, 5))


@exercises.reference("9.3")
def brought_lengths(x: np.ndarray, weights: np.ndarray, sent: np.ndarray) -> np.ndarray:
    """Lengths of what each position gets from each. (n, dim), (n, n), (n, dim) → (n, n)"""
    parts = weights[:, :, None] * sent  # (n, n, dim)
    parts[np.arange(len(x)), np.arange(len(x))] += x
    return np.linalg.norm(parts, axis=2)


@exercises.checks_for("9.3")
def _a_map(attempt):
    return expect_array(attempt(_X.copy(), _WEIGHTS.copy(), _SENT.copy()), (5, 5))


@exercises.checks_for("9.3")
def _measured_well(attempt):
    got = np.asarray(attempt(_X.copy(), _WEIGHTS.copy(), _SENT.copy()), dtype=float)
    right, nothing = brought_lengths(_X, _WEIGHTS, _SENT), np.zeros_like(_X)
    alone = brought_lengths(nothing, _WEIGHTS, _SENT)
    if np.allclose(got, alone):
        return "the position's own vector is missing: it belongs to what stands at i itself."
    if np.allclose(got, alone + np.diag(np.linalg.norm(_X, axis=1))):
        return "you add the two lengths on the diagonal: add the vectors first, then take the length."
    if np.allclose(got, np.linalg.norm(_WEIGHTS[:, :, None] * _SENT + _X[:, None], axis=2)):
        return "the own vector is added in the whole row: it belongs on the diagonal only."
    if np.allclose(got, right.T):
        return "rows and columns are exchanged: row i gets, column j brings."
    if np.allclose(got, right / right.sum(axis=1, keepdims=True)):
        return "these are shares: return the lengths as they are."
    if np.allclose(got, right**2):
        return "these are squares of the lengths."
    if not np.allclose(got, right):
        return "the lengths are not those of weight times what is sent, with x added on the diagonal."
