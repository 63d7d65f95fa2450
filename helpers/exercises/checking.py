"""The exercises of a page: a reference and checks each; a check names the likely mistake."""

import copy
import dis
import functools
import inspect
import textwrap
from collections.abc import Callable, Set

import numpy as np
from IPython.display import display

from helpers.errors import CourseError
from helpers.page import say


class Exercises:
    """The exercises of one notebook: a reference and its checks each, registered by decorators.

    A check takes the learner's function and returns None, or a sentence that names the likely mistake.

    Args:
        keep_inputs: whether an attempt must leave the arrays and lists that it is given as they are
    """

    def __init__(self, *, keep_inputs: bool = False) -> None:
        self.keep_inputs = keep_inputs
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
        asked = _keeping(attempt) if self.keep_inputs else attempt
        for check in self.checks[number]:
            try:
                mistake = check(asked)
            except _Changed:
                mistake = "your function changes what it is given: work on a copy."
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


class _Changed(Exception):
    """An attempt has changed what it was given."""


def _keeping(attempt: Callable) -> Callable:
    """The same function, which raises `_Changed` where it has changed an array or list that it was given."""

    @functools.wraps(attempt)
    def kept(*given):
        """The attempt, asked and watched."""
        before = [copy.copy(one) for one in given]
        result = attempt(*given)
        for one, old in zip(given, before, strict=True):
            if isinstance(one, np.ndarray | list) and not np.array_equal(one, old):
                raise _Changed
        return result

    return kept


def is_stub(function: Callable) -> bool:
    """Whether a function's body is nothing but a docstring and `...` (or `pass`)."""

    def documented():
        """Nothing."""
        ...

    def bare(): ...

    code = getattr(function, "__code__", None)
    empty = (documented.__code__.co_code, bare.__code__.co_code)
    return code is not None and code.co_code in empty and code.co_consts[-1] is None  # and not a constant


MULTIPLIES = frozenset({"@", "dot", "matmul", "einsum", "inner", "tensordot", "vdot", "multi_dot"})


def found_in(function: Callable, words: Set[str]) -> list[str]:
    """Which of these operators and names the code of a function uses, and that of the functions inside it."""
    used: set[str] = set()
    codes = [inspect.unwrap(function).__code__]
    while codes:
        code = codes.pop()
        codes += [const for const in code.co_consts if inspect.iscode(const)]
        for step in dis.get_instructions(code):
            used |= {step.argrepr.removesuffix("="), str(step.argval)}
    return sorted(used & words)


def expect_array(got: object, shape: tuple[int, ...]) -> str | None:
    """The first check of most exercises: an array of this shape came back."""
    if got is None:
        return "your function returns None: is the `return` missing?"
    array = np.asarray(got)
    if array.shape != shape:
        return f"the result has shape {array.shape}, and {shape} is asked for."
    if not np.issubdtype(array.dtype, np.number) or not np.isfinite(array).all():
        return "the result holds something that is not a finite number."
    return None
