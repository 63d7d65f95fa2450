"""What a page is made of: computed sentences, executable claims, parameter checks, the record of its figures."""

import os
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import display

from helpers.errors import CourseError

STRICT = "RECSYS_EXPLAINED_CLAIMS"  # "strict" under `make execute`, `make run` and `make test`
RECORD = "application/vnd.recsys-explained.record+json"
KINDS: dict[Any, str] = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}
KINDS[int | str] = "a text or a whole number"
TYPES: dict[Any, tuple[type, ...]] = {float: (int, float), int | str: (int, str)}  # of others their own

Figure = float | int | bool | str | None


class ClaimFailed(CourseError):
    """The run does not support what the page says."""


def say(sentence: str) -> None:
    """Show a sentence (Markdown) whose figures were computed in this run."""
    text = " ".join(sentence.split())
    display({"text/plain": text, "text/markdown": text}, raw=True)


def as_text(text: str) -> str:
    """A text out of data for a Markdown sentence: what would mark it up is shown as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~])", r"\\\1", " ".join(str(text).split()))


LACKING = {
    "rating": "ratings, only what was taken",
    "timestamp": "times",
    "title": "titles",
    "genres": "genres",
    "year": "years",
    "age": "attributes of users",
}


def needs(ratings: Any, *columns: str, page: bool = False) -> bool:
    """The gate of a page, or of a part of one: whether the source of the ratings has these columns.

    Where it has not, a page is refused, and of a part it is said that it is left out.

    Args:
        ratings: a `data.Ratings`
        columns: as in its `known`
    Raises:
        CourseError: at the head of a page, naming what is missing and the remedy.
    """
    missing = [column for column in columns if column not in ratings.known]
    if not missing:
        return True
    if missing == ["studies"]:
        say("*Left out here: a stored table, which was made on MovieLens-100K.*")
        return False
    lacking = " and no ".join(dict.fromkeys(LACKING[column] for column in missing if column in LACKING))
    if page:
        remedy = "Name a file that has them as ITEMS" if set(missing) <= {"title", "genres", "year"} else "Take others"
        raise CourseError(
            f"{ratings.name} has no {lacking}, and this page is about them. {remedy}, or go on to the next page."
        )
    say(f"*Left out here: these ratings have no {lacking}.*")
    return False


def here(text: str) -> str:
    """Mark a figure that belongs to the machine that ran the page, such as a time. The tests do not compare it."""
    return f"`{text} ⚙`"


def show_here(table: pd.DataFrame) -> None:
    """Show a table whose numbers belong to the machine that ran the page; the tests compare its names alone."""
    rows = [[table.index.name or "", *table.columns], ["---"] * (1 + table.shape[1])]
    for name, values in zip(table.index, table.itertuples(index=False), strict=True):
        marked = [here(digits(value)) if isinstance(value, float) else here(str(value)) for value in values]
        rows.append([name, *marked])
    text = "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)
    display({"text/plain": text, "text/markdown": text}, raw=True)


def claim(
    text: str,
    values: Iterable[float],
    *,
    above: float | None = None,
    below: float | None = None,
    varies: bool = False,
) -> None:
    """State a direction and test it on one value per seed; say the range that was seen.

    Where the range `varies` from machine to machine, it is marked as `here` does; the bound is tested all the same.

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
    holds, bounds = True, []
    if above is not None:
        holds = seen.min() > above
        bounds.append(f"above {above:g}")
    if below is not None:
        holds = holds and seen.max() < below
        bounds.append(f"below {below:g}")
    span = f"{digits(seen.min())} to {digits(seen.max())}"
    if varies:
        span = here(span)
    _judge(text, holds, f"{span} over {seen.size} runs; stated: {' and '.join(bounds)}")


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
    kind: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
) -> None:
    """Refuse a parameter of the wrong type or range, in one sentence.

    Raises:
        CourseError: naming the parameter, its value, and what it may be.
    """
    allowed = [KINDS[kind]]
    fits = type(value) in TYPES.get(kind, (kind,))
    if at_least is not None:
        allowed.append(f"at least {at_least}")
        fits = fits and value >= at_least
    if above is not None:
        allowed.append(f"above {above}")
        fits = fits and value > above
    if at_most is not None:
        allowed.append(f"at most {at_most}")
        fits = fits and value <= at_most
    if not fits:
        must = f"it must be {' and '.join(allowed)}"
        raise CourseError(f"{name} = {value!r} cannot be used: {must}. Change it in the parameters cell.")


def record(**figures: Figure) -> None:
    """Store a notebook's headline figures in the output of the cell that calls this.

    None stands for a figure that these data or parameters do not have.

    Raises:
        CourseError: if a figure is not one finite number, a truth value, a string or None.
    """
    plain = {name: _plain(name, value) for name, value in figures.items()}
    width = max(map(len, plain), default=0)
    text = "\n".join(f"{name:<{width}}  {_shown(value)}" for name, value in plain.items())
    display({RECORD: plain, "text/plain": text}, raw=True)


def _plain(name: str, value: Any) -> Figure:
    if hasattr(value, "item") and np.size(value) == 1:
        value = value.item()
    finite = isinstance(value, float) and np.isfinite(value)
    if not (value is None or isinstance(value, bool | int | str) or finite):
        raise CourseError(f"record: {name} = {value!r} is not one finite number, a truth value, a string or None.")
    return value


def _shown(value: Figure) -> str:
    if value is None:
        return "not in these data"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
