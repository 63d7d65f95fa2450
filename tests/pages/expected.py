"""How a figure of a record is compared: a rule takes a figure and says why it is not the expected one, or None."""

import json
import math
import re
from collections.abc import Callable

import numpy as np

WEIGHTS = re.compile(r'"weights":([\[\]0-9,nul]*)')  # as in nbval_sanitize.cfg
Rule = Callable[[object], str | None]


def exact(value) -> Rule:
    """The same value of the same type."""
    return lambda got: None if (got, type(got)) == (value, type(value)) else f"{got!r} is not {value!r}"


def relative(value: float, tolerance: float) -> Rule:
    """Within a share of the value."""
    return lambda got: None if abs(got - value) <= tolerance * abs(value) else f"{got} is not near {value}"


def between(low: float, high: float) -> Rule:
    """Within an interval."""
    return lambda got: None if low <= got <= high else f"{got} is not in [{low}, {high}]"


def SECONDS(got) -> str | None:
    """A time, or what follows from one: shown, never compared."""
    return None if got > 0 else f"{got} is no time"


def compare(expected: dict[str, Rule], metrics: dict) -> list[str]:
    """All differences between a record and what is expected of it."""
    problems = [f"{name} is recorded but not expected, or the reverse" for name in expected.keys() ^ metrics.keys()]
    for name in expected.keys() & metrics.keys():
        why = expected[name](metrics[name])
        if why:
            problems.append(f"{name}: {why}")
    return problems


def weights_apart(stored: str, fresh: str) -> float:
    """The largest difference, in percentage points, between the weights of two attention explorers (HTML).

    A percentage that lies between two whole numbers is rounded up on one processor and down on another.
    """
    apart = 0.0
    both = [[np.array(json.loads(found), dtype=float) for found in WEIGHTS.findall(page)] for page in (stored, fresh)]
    if [one.shape for one in both[0]] != [one.shape for one in both[1]]:
        return math.inf
    for one, other in zip(*both, strict=True):
        if (np.isnan(one) != np.isnan(other)).any():
            return math.inf
        apart = max(apart, float(np.nanmax(np.abs(one - other))))
    return apart
