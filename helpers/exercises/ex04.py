"""Notebook 04: reference solutions and checks."""

import numpy as np
import torch

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises()
check, solution = exercises.check, exercises.solution

_rng = np.random.default_rng(4)
_OUTPUT, _RATING = torch.tensor([3.0, 4.0, 1.0]), torch.tensor([1.0, 4.0, 2.0])


@exercises.reference("4.1")
def safe_mse(output: torch.Tensor, rating: torch.Tensor) -> torch.Tensor:
    """Mean squared error, refusing shapes that would broadcast. Shapes: (n,), (n,) → ()."""
    if output.shape != rating.shape:
        raise ValueError(f"output has shape {tuple(output.shape)} and rating {tuple(rating.shape)}")
    return ((output - rating) ** 2).mean()


@exercises.checks_for("4.1")
def _one_number(attempt):
    got = attempt(_OUTPUT, _RATING)
    return expect_array(got.detach() if isinstance(got, torch.Tensor) else got, ())


@exercises.checks_for("4.1")
def _value(attempt):
    got, want = float(attempt(_OUTPUT, _RATING)), float(safe_mse(_OUTPUT, _RATING))
    if np.isclose(got, 3 * want):
        return "you added up the squares: take their mean."
    if np.isclose(got, want**0.5):
        return "you took the root: the loss is the mean of the squares itself."
    if np.isclose(got, float((_OUTPUT - _RATING).abs().mean())):
        return "you averaged sizes: square the differences."
    if not np.isclose(got, want):
        return f"for (3, 4, 1) against (1, 4, 2) you return {got:.3f}, and {want:.3f} is right."


@exercises.checks_for("4.1")
def _refusal(attempt):
    try:
        attempt(_OUTPUT[:, None], _RATING)
    except ValueError as error:
        if not all(str(size) in str(error) for size in (tuple(_OUTPUT[:, None].shape), tuple(_RATING.shape))):
            return f"it refuses (3, 1) against (3,), but the message does not name both shapes: {error}"
        return None
    return "a column (3, 1) against a row (3,) must raise a ValueError, and yours returns a number: the article's bug."


@exercises.reference("4.2")
def what_users_share_not(S: np.ndarray) -> np.ndarray:
    """What no sum of a row number and a column number can make. Shapes: (m, n) → (m, n)."""
    return S - S.mean(axis=1, keepdims=True) - S.mean(axis=0, keepdims=True) + S.mean()


_S = _rng.normal(size=(3, 5))
_ADDITIVE = np.array([1.0, 2.0, 4.0])[:, None] + np.array([0.0, 3.0, 1.0, 2.0, 9.0])


@exercises.checks_for("4.2")
def _table(attempt):
    return expect_array(attempt(_S.copy()), _S.shape)


@exercises.checks_for("4.2")
def _nothing_left(attempt):
    got = np.asarray(attempt(_ADDITIVE.copy()))
    if np.allclose(got, -_ADDITIVE.mean()):
        return "an additive table leaves minus its mean everywhere: both kinds of means hold it, so add it once."
    if np.allclose(got, _ADDITIVE - _ADDITIVE.mean(axis=1, keepdims=True)):
        return "only the row means are out: the columns have means, too."
    if np.allclose(got, _ADDITIVE - _ADDITIVE.mean(axis=0)):
        return "only the column means are out: the rows have means, too."
    if not np.allclose(got, 0):
        return f"an additive table should leave 0 everywhere, and yours leaves up to {abs(got).max():.2f}."


@exercises.checks_for("4.2")
def _what_is_left(attempt):
    got = np.asarray(attempt(_S.copy()))
    if not np.allclose(got, what_users_share_not(_S)):
        return f"on a table that is not additive you are off by up to {abs(got - what_users_share_not(_S)).max():.2f}."


@exercises.reference("4.3")
def decoupled_step(w: np.ndarray, slope: np.ndarray, lr: float, decay: float) -> np.ndarray:
    """w after one step, the price kept out of the slope. Shapes: (n,), (n,) → (n,)."""
    return w - lr * slope / (np.abs(slope) + 1e-8) - lr * decay * w


_W, _SLOPE = np.array([2.0, -1.0, 0.5, 3.0]), np.array([10.0, -0.1, 0.3, 0.2])


@exercises.checks_for("4.3")
def _vector(attempt):
    return expect_array(attempt(_W.copy(), _SLOPE.copy(), 0.1, 0.5), _W.shape)


@exercises.checks_for("4.3")
def _without_decay(attempt):
    got, want = np.asarray(attempt(_W.copy(), _SLOPE.copy(), 0.1, 0.0)), decoupled_step(_W, _SLOPE, 0.1, 0.0)
    if np.allclose(got, _W - 0.1 * _SLOPE):
        return "without a price you step by the slope itself: divide it by its size first."
    if np.allclose(got, 2 * _W - want):
        return "you walk uphill: subtract the step."
    if not np.allclose(got, want):
        return f"without a price you return {got.round(3).tolist()}, and {want.round(3).tolist()} is right."


@exercises.checks_for("4.3")
def _with_decay(attempt):
    got, want = np.asarray(attempt(_W.copy(), _SLOPE.copy(), 0.1, 0.5)), decoupled_step(_W, _SLOPE, 0.1, 0.5)
    coupled = _SLOPE + 0.5 * _W
    if np.allclose(got, _W - 0.1 * coupled / (np.abs(coupled) + 1e-8)):
        return "you added λw to the slope before dividing: that is the price that Adam spoils."
    if np.allclose(got, want + 0.1 * 0.5 * _W - 0.5 * _W):
        return "you shrink by λ: the share is ηλ, or a small step size would still shrink w at full speed."
    if np.allclose(got, want + 2 * 0.1 * 0.5 * _W):
        return "the price lets w grow: subtract it."
    if not np.allclose(got, want):
        return f"with a price you return {got.round(3).tolist()}, and {want.round(3).tolist()} is right."


@exercises.reference("4.4")
def index_batches(n: int, size: int, seed: int) -> list[np.ndarray]:
    """Every number below n once, in batches. Returns arrays of shape (size,), the last one maybe shorter."""
    order = np.random.default_rng(seed).permutation(n)
    return [order[begin : begin + size] for begin in range(0, n, size)]


@exercises.checks_for("4.4")
def _sizes(attempt):
    batches = list(attempt(11, 4, 0))
    sizes = [len(batch) for batch in batches]
    if sizes == [4, 4]:
        return "the last, shorter batch is missing: three of eleven numbers would never be trained on."
    if sizes != [4, 4, 3]:
        return f"eleven numbers in fours come as batches of {sizes}, and [4, 4, 3] is asked for."


@exercises.checks_for("4.4")
def _each_once(attempt):
    drawn = np.concatenate(list(attempt(11, 4, 0)))
    if len(set(drawn.tolist())) < 11:
        return "some numbers come twice and others never: permute, do not draw."
    if sorted(drawn.tolist()) != list(range(11)):
        return f"the numbers run from {drawn.min()} to {drawn.max()}, and 0 to 10 is asked for."


@exercises.checks_for("4.4")
def _order(attempt):
    drawn, again = (np.concatenate(list(attempt(40, 7, 3))) for _ in range(2))
    if drawn.tolist() == sorted(drawn.tolist()):
        return "the order is not random: the last users would always be trained on last."
    if drawn.tolist() != again.tolist():
        return "the same seed gives another order the second time: use a generator made from the seed."
    if np.concatenate(list(attempt(40, 7, 4))).tolist() == drawn.tolist():
        return "another seed gives the same order: the seed is not used."
