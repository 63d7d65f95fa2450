"""What a page is made of: computed sentences, executable claims, parameter checks, exercises."""

import inspect
import os
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from IPython.display import display

from helpers.course.errors import CourseError

STRICT = "RECSYS_EXPLAINED_CLAIMS"  # "strict" under `make execute`, `make run` and `make test`


class ClaimFailed(CourseError):
    """The run does not support what the page says."""


def say(sentence: str) -> None:
    """Show a sentence (Markdown) whose figures were computed in this run."""
    text = " ".join(sentence.split())
    display({"text/plain": text, "text/markdown": text}, raw=True)


def here(text: str) -> str:
    """Mark a figure that belongs to the machine that ran the page, such as a time. The tests do not compare it."""
    return f"`{text} ⚙`"


def claim(text: str, values: Iterable[float], *, above: float | None = None, below: float | None = None) -> None:
    """State a direction and test it on one value per seed; say the range that was seen.

    Under `make execute`, `make run` and `make test` a claim that does not hold stops the page. Elsewhere, and
    with other parameters or data, it is reported as "not so here" and the page goes on.

    Shapes:
        values: (seeds,), at least three
    Raises:
        CourseError: fewer than three values, a value that is not a number, or no bound.
        ClaimFailed: a value on the wrong side of a bound, where claims are strict.
    """
    seen = np.asarray(list(values), dtype=float)
    if seen.size < 3:
        raise CourseError(
            f"claim {text!r} rests on {seen.size} value(s): a direction needs at least three seeds. "
            "Run more seeds; where no seed plays a part, use fact()."
        )
    if above is None and below is None:
        raise CourseError(f"claim {text!r} has no bound: give above= or below=.")
    if not np.isfinite(seen).all():
        raise CourseError(f"claim {text!r} has a value that is not a finite number: {seen.tolist()}.")
    holds = (above is None or seen.min() > above) and (below is None or seen.max() < below)
    bounds = " and ".join(
        f"{side} {bound:g}" for side, bound in (("above", above), ("below", below)) if bound is not None
    )
    _judge(text, holds, f"{digits(seen.min())} to {digits(seen.max())} over {seen.size} runs; stated: {bounds}")


def fact(text: str, holds: bool) -> None:
    """State something that no seed can change, and test it. Fails and reports as `claim` does."""
    _judge(text, bool(holds), "one computation, no seed")


def _judge(text: str, holds: bool, evidence: str) -> None:
    if holds:
        say(f"✓ **{text}** ({evidence})")
    elif os.environ.get(STRICT) == "strict":
        raise ClaimFailed(f"not so in this run: {text} ({evidence}). Mend the page or the code, not the bound.")
    else:
        say(f"✗ not so here: {text} ({evidence}). The page was written for its default parameters and data.")


def digits(value: float) -> str:
    """A figure with the digits that hold on every machine; what is only rounding error reads as 0."""
    if abs(value) < 1e-9:
        return "0"
    return f"{value:.2f}" if 0.1 <= abs(value) < 1000 else f"{value:.1g}"


def parameter(
    name: str,
    value: Any,
    kind: type,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    one_of: Iterable | None = None,
) -> None:
    """Refuse a parameter of the wrong type or range, in one sentence.

    Raises:
        CourseError: naming the parameter, its value, and what it may be.
    """
    kinds = (int, float) if kind is float else (kind,)
    wrong = not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool)
    rules = [
        (at_least, lambda v: v >= at_least, f"at least {at_least}"),
        (above, lambda v: v > above, f"above {above}"),
        (at_most, lambda v: v <= at_most, f"at most {at_most}"),
        (one_of, lambda v: v in one_of, f"one of {list(one_of or [])}"),
    ]
    asked = [rule for bound, _, rule in rules if bound is not None]
    if wrong or not all(holds(value) for bound, holds, _ in rules if bound is not None):
        allowed = " and ".join(
            [{int: "a whole number", float: "a number", bool: "True or False"}.get(kind, kind.__name__), *asked]
        )
        raise CourseError(f"{name} = {value!r} cannot be used: it must be {allowed}. Change it in the parameters cell.")


class Exercises:
    """The exercises of one notebook: a reference and its checks each, registered by decorators.

    A check takes the learner's function and returns None, or a sentence that names the likely mistake.
    """

    def __init__(self) -> None:
        self.references: dict[str, Callable] = {}
        self.checks: dict[str, list[Callable[[Callable], str | None]]] = {}

    def reference(self, number: str) -> Callable:
        """Register the decorated function as the solution of exercise `number`."""

        def register(function: Callable) -> Callable:
            self.references[number] = function
            return function

        return register

    def checks_for(self, number: str) -> Callable:
        """Register the decorated function as the next check of exercise `number`."""

        def register(function: Callable) -> Callable:
            self.checks.setdefault(number, []).append(function)
            return function

        return register

    def check(self, number: str, attempt: Callable) -> None:
        """Say whether an attempt is missing, wrong (and probably why), or passed."""
        self._known(number)
        say(f"**{number}** {self.verdict(number, attempt)}")

    def verdict(self, number: str, attempt: Callable) -> str:
        """The sentence that `check` shows."""
        if is_stub(attempt):
            return "not attempted yet."
        for check in self.checks[number]:
            try:
                mistake = check(attempt)
            except Exception as error:
                mistake = f"your function stopped with {type(error).__name__}: {error}"
            if mistake:
                return f"not yet: {mistake}"
        return f"passed: {len(self.checks[number])} checks."

    def solution(self, number: str) -> None:
        """Show the reference of exercise `number`."""
        self._known(number)
        source = inspect.getsource(self.references[number])
        source = textwrap.dedent(source[source.index("def ") :])
        display({"text/plain": source, "text/markdown": f"```python\n{source}```"}, raw=True)

    def _known(self, number: str) -> None:
        if number not in self.references:
            raise CourseError(f"there is no exercise {number!r} here: it is one of {', '.join(self.references)}.")


def is_stub(function: Callable) -> bool:
    """Whether a function's body is nothing but a docstring and `...` (or `pass`)."""

    def documented():
        """Nothing."""
        ...

    def bare(): ...

    code = getattr(function, "__code__", None)
    empty = (documented.__code__.co_code, bare.__code__.co_code)
    return code is not None and code.co_code in empty and code.co_consts[-1] is None  # and not a constant


def expect_array(got: Any, shape: tuple[int, ...]) -> str | None:
    """The first check of most exercises: an array of this shape came back."""
    if got is None:
        return "your function returns None: is the `return` missing?"
    array = np.asarray(got)
    if array.shape != shape:
        return f"the result has shape {array.shape}, and {shape} is asked for."
    if not np.issubdtype(array.dtype, np.number) or not np.isfinite(array).all():
        return "the result holds something that is not a finite number."
    return None
