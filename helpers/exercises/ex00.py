"""Notebook 00: reference solutions and checks. They practise the mechanics of the pages."""

import numpy as np

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises()
check, solution = exercises.check, exercises.solution


@exercises.reference("0.1")
def first_guess(ratings: np.ndarray) -> float:
    """The same prediction for everybody: the mean. Shapes: (n,) → one number."""
    return float(np.mean(ratings))


@exercises.checks_for("0.1")
def _number(attempt):
    return expect_array(attempt(np.array([4.0, 5.0, 1.0, 2.0])), ())


@exercises.checks_for("0.1")
def _mean(attempt):
    got = attempt(np.array([4.0, 5.0, 1.0, 1.0]))
    if np.isclose(got, 11):
        return "this is the sum: divide by how many there are."
    if np.isclose(got, 2.5):
        return "this is the median: the mean is asked for."
    if not np.isclose(got, 2.75):
        return f"for 4, 5, 1, 1 you return {got:g}, and 2.75 is right."


@exercises.reference("0.2")
def digits_that_hold(values: np.ndarray) -> int:
    """The most decimals, up to 6, to which all values round alike; -1 if they differ even as whole numbers."""
    for decimals in range(6, -1, -1):
        if len(set(np.round(values, decimals))) == 1:
            return decimals
    return -1


_RUNS = np.array([0.9401, 0.9399, 0.9404])  # alike to three decimals when rounded, to one when cut


@exercises.checks_for("0.2")
def _whole(attempt):
    got = attempt(_RUNS)
    if isinstance(got, bool) or not np.issubdtype(type(got), np.integer):
        return f"a number of decimals is asked for, a whole number, and you return {got!r}."


@exercises.checks_for("0.2")
def _agree(attempt):
    got = attempt(_RUNS)
    if got == 1:
        return "you cut the digits off: 0.9401 and 0.9399 agree to three decimals when they are *rounded*."
    if got == 4:
        return "four decimals are what is printed, not what holds: compare the rounded values."
    if got == 0:
        return "they do agree as whole numbers, but the *most* decimals are asked for."
    if got != 3:
        return f"for 0.9401, 0.9399, 0.9404 you return {got}, and 3 is right."


@exercises.checks_for("0.2")
def _extremes(attempt):
    if attempt(np.array([0.2, 3.4])) != -1:
        return "0.2 and 3.4 differ even as whole numbers: return -1."
    if attempt(np.array([0.449, 0.451])) != 2:
        return "0.449 and 0.451 differ at one decimal and agree at two: start from six decimals and go down."
    if attempt(np.array([1.5, 1.5])) != 6:
        return "equal values hold to all six decimals that are looked at."


@exercises.reference("0.3")
def holds(values: np.ndarray, above: float) -> bool:
    """Whether a claim stands: at least three runs, and every one of them above the bound."""
    return bool(len(values) >= 3 and np.min(values) > above)


@exercises.checks_for("0.3")
def _truth(attempt):
    got = attempt(np.array([0.2, 0.3, 0.4]), 0.1)
    if not isinstance(got, bool | np.bool_):
        return f"True or False is asked for, and you return {got!r}."


@exercises.checks_for("0.3")
def _every(attempt):
    if attempt(np.array([0.05, 0.9, 0.9]), 0.1):
        return "one of the runs is below the bound, and the mean hides it: every run must be above."
    if not attempt(np.array([0.2, 0.3, 0.4]), 0.1):
        return "0.2, 0.3, 0.4 are all above 0.1, and you say no."
    if attempt(np.array([0.1, 0.3, 0.4]), 0.1):
        return "0.1 is not above 0.1."


@exercises.checks_for("0.3")
def _seeds(attempt):
    if attempt(np.array([0.9, 0.8]), 0.1):
        return "two runs are no claim: ask for at least three."
