"""Notebook 04: reference solutions and checks."""

import re

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
    got = attempt(_OUTPUT.clone(), _RATING.clone())
    return expect_array(got.detach() if isinstance(got, torch.Tensor) else got, ())


@exercises.checks_for("4.1")
def _value(attempt):
    got, want = float(attempt(_OUTPUT.clone(), _RATING.clone())), float(safe_mse(_OUTPUT, _RATING))
    if np.isclose(got, 3 * want):
        return "you added up the squares: take their mean."
    if np.isclose(got, want**0.5):
        return "you took the root: the loss is the mean of the squares itself."
    if np.isclose(got, float((_OUTPUT - _RATING).abs().mean())):
        return "you averaged sizes: square the differences."
    if not np.isclose(got, want):
        return f"for (3, 4, 1) against (1, 4, 2) you return {got:.3f}, and {want:.3f} is right."


@exercises.checks_for("4.1")
def _slope(attempt):
    output = _OUTPUT.clone().requires_grad_()
    with torch.enable_grad():
        got = attempt(output, _RATING)
    if not isinstance(got, torch.Tensor):
        return "a number comes back, and not a tensor: nothing could be learned from it, since it has no gradient."
    if not got.requires_grad:
        return "the result has no gradient, so nothing could be learned from it: stay in PyTorch, and do not detach."


@exercises.checks_for("4.1")
def _refusal(attempt):
    refused = "must raise a ValueError, and yours returns a number"
    try:
        attempt(_OUTPUT[:, None], _RATING)
    except ValueError as error:
        if not (re.search(r"[\[(]3, 1[\])]", str(error)) and re.search(r"[\[(]3,?[\])]", str(error))):
            return f"it refuses (3, 1) against (3,), but the message does not name both shapes: {error}"
    else:
        return f"a column (3, 1) against a row (3,) {refused}: the article's bug."
    try:
        attempt(_OUTPUT[:1], _RATING)
    except ValueError:
        return None
    return (
        f"(1,) against (3,) {refused}: both have one dimension, and still broadcast. Compare shapes, not their number."
    )


@exercises.reference("4.2")
def interaction_part(S: np.ndarray) -> np.ndarray:
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
    if not np.allclose(got, interaction_part(_S)):
        return f"on a table that is not additive you are off by up to {abs(got - interaction_part(_S)).max():.2f}."


@exercises.checks_for("4.2")
def _square(attempt):
    square = _S[:, :3]
    if not np.allclose(attempt(square.copy()), interaction_part(square)):
        return "on a square table you are wrong: there a mean over the wrong axis broadcasts without a word."


@exercises.reference("4.3")
def decoupled_step(w: np.ndarray, slope: np.ndarray, lr: float, decay: float) -> np.ndarray:
    """w after one step, the penalty kept out of the slope. Shapes: (n,), (n,) → (n,)."""
    return w - lr * slope / (np.abs(slope) + 1e-8) - lr * decay * w


_W, _SLOPE = np.array([2.0, -1.0, 0.5, 3.0]), np.array([10.0, -0.1, 0.3, 0.2])


@exercises.checks_for("4.3")
def _vector(attempt):
    return expect_array(attempt(_W.copy(), _SLOPE.copy(), 0.1, 0.5), _W.shape)


@exercises.checks_for("4.3")
def _without_decay(attempt):
    got, want = np.asarray(attempt(_W.copy(), _SLOPE.copy(), 0.1, 0.0)), decoupled_step(_W, _SLOPE, 0.1, 0.0)
    if np.allclose(got, _W - 0.1 * _SLOPE):
        return "without a penalty you step by the slope itself: divide it by its size first."
    if np.allclose(got, 2 * _W - want):
        return "you walk uphill: subtract the step."
    if not np.allclose(got, want):
        return f"without a penalty you return {got.round(3).tolist()}, and {want.round(3).tolist()} is right."


@exercises.checks_for("4.3")
def _with_decay(attempt):
    got, want = np.asarray(attempt(_W.copy(), _SLOPE.copy(), 0.1, 0.5)), decoupled_step(_W, _SLOPE, 0.1, 0.5)
    coupled = _SLOPE + 0.5 * _W
    if np.allclose(got, _W - 0.1 * coupled / (np.abs(coupled) + 1e-8)):
        return "you added λw to the slope before dividing: that is the penalty that Adam spoils."
    if np.allclose(got, want + 0.1 * 0.5 * _W - 0.5 * _W):
        return "you shrink by λ: the share is ηλ, or a small step size would still shrink w at full speed."
    if np.allclose(got, decoupled_step(_W, _SLOPE, 0.1, 0.0) * (1 - 0.1 * 0.5)):
        return "you shrink what is left after the step: the old w is to be shrunk, by ηλ of it."
    if np.allclose(got, want + 2 * 0.1 * 0.5 * _W):
        return "the penalty lets w grow: subtract it."
    if not np.allclose(got, want):
        return f"with a penalty you return {got.round(3).tolist()}, and {want.round(3).tolist()} is right."


@exercises.checks_for("4.3")
def _no_slope(attempt):
    with np.errstate(all="ignore"):
        got = np.asarray(attempt(np.array([2.0, 1.0]), np.array([0.0, 1.0]), 0.1, 0.0))
    if not np.isfinite(got).all():
        return "a weight whose slope is 0 becomes nan: add the tiny number before you divide."
    if not np.allclose(attempt(np.array([2.0]), np.array([1e-8]), 0.1, 0.0), 1.95):
        return "a slope as small as 1e-8 makes half a step: the sign alone is not the formula."


@exercises.reference("4.4")
def pick(dims: np.ndarray, errors: np.ndarray, within: float) -> int:
    """Place of the setting that the rule takes. Shapes: (n,), (n,), one number → one number."""
    good = errors <= errors.min() + within
    narrowest = dims[good].min()
    of_width = np.flatnonzero(dims == narrowest)
    return int(of_width[np.argmin(errors[of_width])])


_DIMS = np.array([64, 16, 32, 16, 32, 64, 128])
_ERRORS = np.array([0.905, 0.93, 0.9065, 0.94, 0.906, 0.9052, 0.9049])


@exercises.checks_for("4.4")
def _place(attempt):
    got = attempt(_DIMS.copy(), _ERRORS.copy(), 0.002)
    if got is None or np.ndim(got) != 0:
        return "one place is asked for: a number."
    if got in (16, 32, 64, 128):
        return "you return the width: its place in the arrays is asked for."
    if got != int(got) or not 0 <= got < len(_DIMS):
        return f"you return {got}, and places run from 0 to {len(_DIMS) - 1}."


@exercises.checks_for("4.4")
def _rule(attempt):
    got = int(attempt(_DIMS.copy(), _ERRORS.copy(), 0.002))
    if got == 6:
        return "you take the smallest error of all: a narrower width comes close enough."
    if got == 1:
        return "you take the narrowest width of all, which does not come close enough to the best."
    if got == 2:
        return "you take the first setting of the right width that comes close: the best of that width is asked for."
    if got in (0, 5):
        return "width 64 comes close, and so does 32, which is narrower."
    if got != 4:
        return f"you return {got}, and 4 is right: width 32 is the narrowest within .002, and .906 its best."


@exercises.checks_for("4.4")
def _tolerance(attempt):
    got = int(attempt(_DIMS.copy(), _ERRORS.copy(), 0.0))
    if got != 6:
        return f"with `within` = 0 only the best itself is close enough, in place 6, and you return {got}."
    if int(attempt(np.array([64, 32, 128]), np.array([0.906, 0.906, 0.905]), 0.002)) != 1:
        return "a wider setting has the same error as the best of the right width: look for it among that width only."
    if int(attempt(np.array([64, 32]), np.array([9.0, 9.01]), 0.002)) != 0:
        return "`within` is a distance, in the unit of the errors, and no share of the smallest."
    if int(attempt(_DIMS.copy(), _ERRORS.copy(), 0.1)) != 1:
        return "with a wide `within` the narrowest width counts, and its best setting: place 1."
