"""Notebook 09: reference solutions and checks."""

import numpy as np

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises()
check, solution = exercises.check, exercises.solution

_RNG = np.random.default_rng(9)


def _attention(*shape: int) -> np.ndarray:
    """Weights of a GPT, rows add up to 1."""
    weights = _RNG.random(shape) * np.tri(shape[-1])
    return weights / weights.sum(axis=-1, keepdims=True)


_LAYERS = _attention(3, 2, 5, 5)


@exercises.reference("9.1")
def rollout(layers: np.ndarray) -> np.ndarray:
    """Attention followed through all layers. Shapes: (layers, heads, n, n) → (n, n)."""
    itself = np.eye(layers.shape[-1])
    mixed = itself
    for weights in layers:
        mixed = (weights.mean(axis=0) + itself) / 2 @ mixed
    return mixed


@exercises.checks_for("9.1")
def _one_map(attempt):
    return expect_array(attempt(_LAYERS.copy()), (5, 5))


@exercises.checks_for("9.1")
def _rolled_well(attempt):
    got, means, itself = np.asarray(attempt(_LAYERS.copy())), _LAYERS.mean(axis=1), np.eye(5)
    if np.allclose(got, means[2] @ means[1] @ means[0]):
        return "a position keeps half of itself in each step: (A + I) / 2 instead of A."
    if np.allclose(got, rollout(_LAYERS[::-1])):
        return "the order is reversed: the first layer comes first, so later ones multiply from the left."
    if np.allclose(got, (means[2] + itself) @ (means[1] + itself) @ (means[0] + itself)):
        return "rows must add up to 1: halve each A + I."
    if not np.allclose(got.sum(axis=1), 1):
        return "the rows of your map do not add up to 1."
    if not np.allclose(got, rollout(_LAYERS)):
        return "the map is not the product of (A + I) / 2 over the layers, heads averaged."


_SCORES = _RNG.random((40, 6))
_CAUSES = np.zeros((40, 6), dtype=bool)
_CAUSES[np.arange(40), _RNG.integers(0, 6, 40)] = True
_CAUSES[:15, 2] = True


@exercises.reference("9.2")
def hit_rates(scores: np.ndarray, causes: np.ndarray) -> np.ndarray:
    """hit@1 of the scores, and of chance. Shapes: (n, length), (n, length) → (2,)."""
    hit = causes[np.arange(len(scores)), scores.argmax(axis=1)]
    return np.array([hit.mean(), causes.mean()])


@exercises.checks_for("9.2")
def _two_rates(attempt):
    return expect_array(attempt(_SCORES.copy(), _CAUSES.copy()), (2,))


@exercises.checks_for("9.2")
def _hit_well(attempt):
    got, right = np.asarray(attempt(_SCORES.copy(), _CAUSES.copy()), dtype=float), hit_rates(_SCORES, _CAUSES)
    if np.isclose(got[0], right[0] * 40):
        return "the first number counts the hits: divide by the number of histories."
    if np.isclose(got[0], (_SCORES.argmax(axis=1) == _CAUSES.argmax(axis=1)).mean()):
        return "a history may hold two causes: the highest score hits if it is at any of them."
    if np.isclose(got[0], right[0]) and np.isclose(got[1], 1 / 6):
        return "chance is one in six only with one cause: take the share of causes in a history."
    if not np.allclose(got, right):
        return f"for these forty histories it is {right.round(3).tolist()}, and you return {got.round(3).tolist()}."


_WEIGHTS, _KINDS = _attention(7, 7), np.array([0, 1, 0, 0, 2, 1, 0])


@exercises.reference("9.3")
def same_kind_lift(weights: np.ndarray, kinds: np.ndarray) -> float:
    """Attention to earlier films of the same kind, less that of an even spread. Shapes: (n, n), (n,)."""
    n = len(kinds)
    same = (kinds[:, None] == kinds[None]) & np.tri(n, k=-1, dtype=bool)
    even = np.tri(n) / np.arange(1, n + 1)[:, None]
    return float(((weights - even) * same).sum(axis=1)[1:].mean())


@exercises.checks_for("9.3")
def _a_lift(attempt):
    return expect_array(attempt(_WEIGHTS.copy(), _KINDS.copy()), ())


@exercises.checks_for("9.3")
def _lifted_well(attempt):
    got, right = float(attempt(_WEIGHTS.copy(), _KINDS.copy())), same_kind_lift(_WEIGHTS, _KINDS)
    same = _KINDS[:, None] == _KINDS[None]
    even = np.tri(7) / np.arange(1, 8)[:, None]
    earlier = same & np.tri(7, k=-1, dtype=bool)
    if np.isclose(got, (_WEIGHTS * earlier).sum(axis=1)[1:].mean()):
        return "what an even spread would give is not subtracted."
    if np.isclose(got, ((_WEIGHTS - even) * same).sum(axis=1)[1:].mean()):
        return "the film itself is counted: only earlier ones belong in, so leave the diagonal out."
    if np.isclose(got, ((_WEIGHTS - 1 / 7) * earlier).sum(axis=1)[1:].mean()):
        return "an even spread of row i goes to i + 1 films, not to all of them."
    if np.isclose(got, ((_WEIGHTS - even) * earlier).sum(axis=1).mean()):
        return "the first position has nobody before it: take the mean from the second on."
    if not np.isclose(got, right):
        return f"for the map of this check it is {right:.3f}, and you return {got:.3f}."


_VALUES = _RNG.normal(size=(8, 3))


@exercises.reference("9.4")
def free_direction(values: np.ndarray) -> np.ndarray:
    """A change of attention weights that no one notices. Shapes: (n, dim) → (n,)."""
    return np.linalg.svd(np.vstack([values.T, np.ones(len(values))]))[2][-1]


@exercises.checks_for("9.4")
def _one_change(attempt):
    return expect_array(attempt(_VALUES.copy()), (8,))


@exercises.checks_for("9.4")
def _unnoticed(attempt):
    got = np.asarray(attempt(_VALUES.copy()), dtype=float)
    if np.allclose(got, 0):
        return "nothing changes, since your vector is 0: it must have length 1."
    if not np.isclose(np.linalg.norm(got), 1):
        return f"your vector has length {np.linalg.norm(got):.2f}: bring it to 1."
    if not np.allclose(got @ _VALUES, 0, atol=1e-8):
        return "added to the weights, your vector changes the mixture: got @ values is not 0."
    if not np.isclose(got.sum(), 0, atol=1e-8):
        return "the weights would no longer add up to 1: your vector must add up to 0."
