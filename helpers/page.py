"""What a page is made of: computed sentences, executable claims, parameter checks, the record of its figures."""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import display
from scipy.stats import bootstrap

from helpers.errors import CourseError
from helpers.fetch import DATA

STRICT = "RECSYS_EXPLAINED_CLAIMS"  # "strict" under `make execute`, `make run` and `make test`
CLAIM = "recsys-explained-claim"  # where a claim leaves its values in the metadata of its output
CLAIMS = DATA / "tables" / "claims.csv"
PLANTED = "planted trainings"  # on made histories: the same runs, whatever the data of the page
UNITS = ("trainings", PLANTED, "splits", "users", "made worlds", "data sets")
LEAST_USERS = 30
HOME = "movielens-100k"  # the data of the pages as they are published
APART = ("FIRST_SEED", "DEVICE", "DATASET", "COLUMNS", "ITEMS", "LISTS_OUT")  # change no question that a page asks
RECORD = "application/vnd.recsys-explained.record+json"
KINDS: dict[Any, str] = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}
KINDS[int | str] = "a text or a whole number"
TYPES: dict[Any, tuple[type, ...]] = {float: (int, float), int | str: (int, str)}  # of others their own

_asked: dict[str, Any] = {}  # the parameters of the page, as `parameter` saw them

Figure = float | int | bool | str | None


class ClaimFailed(CourseError):
    """The run does not support what the page says."""


def say(sentence: str) -> None:
    """Show a sentence (Markdown) whose figures were computed in this run."""
    _show(sentence, {})


def _show(sentence: str, metadata: dict[str, Any]) -> None:
    text = " ".join(sentence.split())
    display({"text/plain": text, "text/markdown": text}, raw=True, metadata=metadata)


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
    name: str,
    text: str,
    values: Iterable[float],
    *,
    unit: str,
    group: int = 1,
    above: float | None = None,
    below: float | None = None,
    varies: bool = False,
    fails_with: str = "",
) -> None:
    """State a direction and test it on what was drawn; say the range that was seen, and how often it held elsewhere.

    Every value must lie within the bounds. Where users are what is drawn, the values are one difference a user, and
    the 95 % interval of their mean must. With the page's own parameters and data the sentence ends with the number
    of fresh runs, of those in data/tables/claims.csv, in which the same bounds held; then with those on other data,
    where there are any.

    Under `make execute`, `make run` and `make test` a claim that does not hold stops the page. Elsewhere, and
    with other parameters or data, it is reported as "not so here" and the page goes on.

    Args:
        name: of no other claim of the course; its fresh runs are kept under it
        unit: over what the values range, one of `UNITS`
        group: how many of the unit stand behind each value, as behind a spread
        varies: the range differs from machine to machine and is marked as `here` does; its bound is tested all the same
        fails_with: parameters of a run without the effect, such as "RIDGE=1e-9"; there it must not hold
    Shapes:
        values: (draws,), at least three; of users at least thirty
    Raises:
        CourseError: no such unit, too few values, a value that is not a number, or no bound.
        ClaimFailed: a value on the wrong side of a bound, where claims are strict.
    """
    seen = np.asarray(list(values), dtype=float)
    if unit not in UNITS:
        raise CourseError(f"claim {name!r} has no unit {unit!r}: over what do its values range? {', '.join(UNITS)}.")
    is_strict = os.environ.get(STRICT) == "strict"
    if unit == "users" and seen.size < LEAST_USERS and not is_strict:
        say(f"Not asked here: {text}. {seen.size} users are too few for an interval.")
        return
    least = LEAST_USERS if unit == "users" else 3
    if seen.size < least:
        raise CourseError(
            f"claim {name!r} rests on {seen.size} value(s): it needs at least {least} {unit}. "
            "Run more seeds; where nothing random plays a part, use fact()."
        )
    if above is None and below is None:
        raise CourseError(f"claim {name!r} has no bound: give above= or below=.")
    if not np.isfinite(seen).all():
        raise CourseError(f"claim {name!r} has a value that is not a finite number: {seen.tolist()}.")
    smallest, largest = _interval(seen) if unit == "users" else (seen.min(), seen.max())
    span = f"{digits(smallest)} to {digits(largest)}"
    of_users = "95 % interval of the mean, " if unit == "users" else ""
    bound = bound_of(above, below)
    drawn = f"{seen.size} {unit}" if group == 1 else f"{seen.size} groups of {group} {unit}"
    evidence = f"{of_users}{here(span) if varies else span} over {drawn}; stated: {bound}"
    evidence += _elsewhere(name, unit, bound, fails_with)
    kept = [smallest, seen.mean(), largest] if unit == "users" else seen
    left = {
        "id": name, "unit": unit, "values": [float(f"{value:.6g}") for value in kept],
        "smallest": float(f"{smallest:.6g}"), "largest": float(f"{largest:.6g}"), "bound": bound,
        "fails_with": fails_with, "parameters": as_asked(),
    }  # fmt: skip
    _judge(text, within(bound, smallest, largest), evidence, {CLAIM: left})


def _interval(values: np.ndarray) -> tuple[float, float]:
    """As `metrics.bootstrap_interval`, whose room this module must not enter."""
    if np.ptp(values) == 0:
        return values[0], values[0]
    drawn = bootstrap((values,), np.mean, n_resamples=1000, method="percentile", rng=np.random.default_rng(0))
    return drawn.confidence_interval


def bound_of(above: float | None, below: float | None) -> str:
    """Bounds as a text, which `within` reads."""
    parts = {"above": above, "below": below}
    return " and ".join(f"{side} {value:g}" for side, value in parts.items() if value is not None)


def within(bound: str, smallest: float, largest: float) -> bool:
    """Whether a range lies within a bound such as "above 0.1 and below 2"."""
    sides = dict(part.split() for part in bound.split(" and "))
    return smallest > float(sides.get("above", "-inf")) and largest < float(sides.get("below", "inf"))


def as_asked() -> str:
    """A short name of the parameters of this page, as they are now; seed, data and device do not count."""
    told = {name: value for name, value in _asked.items() if name not in APART}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]


@cache
def fresh_runs() -> pd.DataFrame:
    """Every claim in every fresh run that was made: data/tables/claims.csv."""
    missing = {"smallest": [""], "largest": [""]}  # of a run that failed
    return pd.read_csv(CLAIMS, keep_default_na=False, na_values=missing, dtype={"parameters": str})


def _elsewhere(name: str, unit: str, bound: str, fails_with: str) -> str:
    """How often a claim held in fresh runs with the parameters of the page: at home, on other data, without effect."""
    is_own = _asked.get("DATASET", HOME) == HOME and _asked.get("FIRST_SEED", 0) == 0
    if not is_own or not CLAIMS.is_file():
        return ""
    rows = fresh_runs()
    rows = rows[(rows["id"] == name) & (rows["bound"] == bound)]
    at_home = (rows["world"] == "") & rows["data"].isin(["", HOME]) & (rows["parameters"] == as_asked())
    told = ""
    if at_home.any() and unit != "users":
        told += f"; in {_held(rows[at_home])} fresh ones"
    others = rows[(rows["world"] == "") & ~rows["data"].isin(["", HOME]) & (rows["parameters"] == as_asked())]
    for data, of_these in others.groupby("data") if unit != PLANTED else ():
        told += f"; in {_held(of_these)} on {as_text(data)}"
    if fails_with and (rows["world"] == fails_with).any():
        told += f"; in {_held(rows[rows['world'] == fails_with])} with {fails_with}"
    return told


def _held(rows: pd.DataFrame) -> str:
    held = [within(row.bound, row.smallest, row.largest) for row in rows.itertuples()]
    return f"{sum(held)} of {len(held)}"


def fact(text: str, holds: bool) -> None:
    """State something that no seed can change, and test it. Fails and reports as `claim` does."""
    _judge(text, bool(holds), "one computation", {})


def _judge(text: str, holds: bool, evidence: str, left: dict[str, Any]) -> None:
    """Show a judgement; what is left for tools stands in the metadata of the output."""
    if holds:
        _show(f"✓ **{text}** ({evidence})", left)
    elif os.environ.get(STRICT) == "strict":
        raise ClaimFailed(f"not so in this run: {text} ({evidence}). Mend the page or the code, not the bound.")
    else:
        _show(f"✗ not so here: {text} ({evidence}). The page was written for its default parameters and data.", left)


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
    """Refuse a parameter of the wrong type or range, in one sentence; claims are told its value.

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
    _asked[name] = value


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
