"""Ratings from MovieLens, a CSV, a plan or the toy: one shape of object, its cleaning and its splits.

Built in notebook 03.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers.course import planting, readers, sources
from helpers.course.errors import CourseError
from helpers.course.planting import Truth


@dataclass(frozen=True)
class Ratings:
    """Ratings with their users and items, whatever the source.

    table: one row a rating in source order: user and item (codes from 0), rating, and timestamp (s) if known
    users: one row a code: id (as in the source), and age, gender, occupation if known
    items: one row a code: id, and title, year, genres (a tuple) if known
    """

    name: str
    table: pd.DataFrame
    users: pd.DataFrame
    items: pd.DataFrame
    truth: Truth | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of users and of items."""
        return len(self.users), len(self.items)

    def has(self, *columns: str) -> bool:
        """Whether the ratings, users or items carry all these columns."""
        known = {*self.table.columns, *self.users.columns, *self.items.columns}
        return set(columns) <= known

    def matrix(self) -> np.ndarray:
        """The ratings as a table with 0 where there is none. Shape: (users, items)"""
        dense = np.zeros(self.shape)
        dense[self.table["user"], self.table["item"]] = self.table["rating"]
        return dense


def interactions(table: pd.DataFrame, shape: tuple[int, int]) -> np.ndarray:
    """1 where a user rated an item, whatever the rating. Shape: (users, items), float32"""
    seen = np.zeros(shape, dtype=np.float32)
    seen[table["user"], table["item"]] = 1
    return seen


def attributes(ratings: Ratings) -> tuple[np.ndarray, np.ndarray]:
    """What is known of users and items, in columns of 0 and 1 (genres share one 1). Built in notebook 04, section 4.6.

    Shapes:
        returns: (users, a) ages by decade, gender, occupation; (items, b) genres, years of release by fives; a or b
        is 0 where nothing is known
    """
    users, items = ratings.users, ratings.items
    of_users, of_items = [pd.DataFrame(index=users.index)], [pd.DataFrame(index=items.index)]
    if ratings.has("age", "gender", "occupation"):
        described = users.assign(age=users["age"] // 10)[["age", "gender", "occupation"]]
        of_users.append(pd.get_dummies(described.astype(str)))
    if ratings.has("genres", "year"):
        genres = pd.get_dummies(items["genres"].explode()).groupby(level=0).max()
        of_items.append(genres.div(genres.sum(axis=1).clip(lower=1), axis=0))
        of_items.append(pd.get_dummies((items["year"] // 5).astype(str), prefix="year"))
    return tuple(pd.concat(parts, axis=1).to_numpy(np.float32) for parts in (of_users, of_items))


def load_ratings(source: str, *, seed: int = 0) -> Ratings:
    """Ratings by name ("toy", "movielens-100k", "movielens-1m", "planted") or from a CSV file.

    A CSV needs the columns user, item and rating; timestamp and title are optional. Ids may be text.

    Raises:
        CourseError: an unknown name, a file that cannot be used (which line, and what to do), or no data offline.
    """
    loaders = {
        "toy": lambda: _assemble("toy", *readers.read_csv(sources.DATA / "toy_ratings.csv")),
        "movielens-100k": lambda: _assemble(source, *readers.read_movielens(sources.fetch("movielens-100k"))),
        "movielens-1m": lambda: _assemble(source, *readers.read_movielens_1m(sources.fetch("movielens-1m"))),
        "planted": lambda: planted_ratings(seed=seed),
    }
    if source in loaders:
        return loaders[source]()
    if str(source).lower().endswith(".csv"):
        return _assemble(Path(source).stem, *readers.read_csv(Path(source)))
    raise CourseError(f"there is no dataset {source!r}: name one of {', '.join(loaders)}, or the path of a .csv file.")


def toy_matrix() -> np.ndarray:
    """The article's four users and four films, 0 where nothing was rated. Shape: (4, 4)"""
    return load_ratings("toy").matrix()


def _assemble(
    name: str, raw: pd.DataFrame, users: pd.DataFrame, items: pd.DataFrame, truth: Truth | None = None
) -> Ratings:
    """Replace ids by codes. `users` and `items` have an id column in code order."""
    table = raw[[c for c in ("user", "item", "rating", "timestamp") if c in raw]].copy()
    for column, side in (("user", users), ("item", items)):
        codes = pd.Series(np.arange(len(side)), index=side["id"])
        table[column] = table[column].map(codes).astype(np.int64)
    return Ratings(name, table.reset_index(drop=True), users, items, truth)


def planted_ratings(n_users: int = 600, n_items: int = 400, **settings: Any) -> Ratings:
    """Ratings made from known factors, so that an answer can be right or wrong; settings as `planting.plant`."""
    return _assemble("planted", *planting.plant(n_users, n_items, **settings))


planted_sequences = planting.planted_sequences


# Sequences


def histories(table: pd.DataFrame, n_users: int) -> list[np.ndarray]:
    """Item codes of every user, oldest first; ties of the timestamp keep source order. (items of the user,) each"""
    _needs_time(table)
    ordered = table.sort_values(["user", "timestamp"], kind="stable")
    return np.split(ordered["item"].to_numpy(), np.bincount(ordered["user"], minlength=n_users).cumsum()[:-1])


def pad_left(sequences: list[np.ndarray], length: int, padding: int) -> np.ndarray:
    """The last `length` codes of each, filled up on the left. Shape: (sequences, length)"""
    table = np.full((len(sequences), length), padding)
    for row, codes in zip(table, sequences, strict=True):
        if len(codes):
            row[-min(length, len(codes)) :] = codes[-length:]
    return table


def windows(
    sequences: list[np.ndarray], length: int, padding: int, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Histories cut from their end into windows of length + 1 that share one item, so that each item but the first has
    a place after another one exactly once. With `rng` the last window has a length drawn for each history.

    Shapes:
        returns: (windows, length + 1)
    """
    parts = []
    for codes in sequences:
        last = length if rng is None else int(rng.integers(1, length + 1))
        ends = [len(codes), *range(len(codes) - last, 1, -length)]
        begins = [end - 1 for end in ends[1:]] + [0]
        parts += [codes[begin:end] for begin, end in zip(begins, ends, strict=True) if end - begin > 1]
    return pad_left(parts, length + 1, padding)


# Cleaning


def clean(messy: pd.DataFrame, *, low: float, high: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mend user ids, drop what cannot be used, keep the last rating of a pair. Built in notebook 03, section 3.2.

    Returns:
        the clean table, and one row a step with its counts: step, before, after
    Raises:
        CourseError: if a user id is no whole number in any spelling.
    """
    steps = {
        "ids to whole numbers": lambda t: t.assign(user=[_whole(u) for u in t["user"]]),
        "drop missing ratings": lambda t: t.dropna(subset=["rating"]),
        "drop ratings off the scale": lambda t: t[t["rating"].astype(float).between(low, high)],
        "drop repeated rows": lambda t: t.drop_duplicates(),
        "keep the last rating of a pair": _keep_last,
    }
    table, report = messy, []
    for name, step in steps.items():
        before, table = len(table), step(table)
        report.append({"step": name, "before": before, "after": len(table)})
    return table.astype({"rating": float}).reset_index(drop=True), pd.DataFrame(report)


def _whole(user: object) -> int:
    """17 from 17, "17.0" or " 17"."""
    text = str(user).strip()
    if not text.removesuffix(".0").isdecimal():
        raise CourseError(f"the user id {user!r} is no whole number: mend it before cleaning.")
    return int(text.removesuffix(".0"))


def _keep_last(table: pd.DataFrame) -> pd.DataFrame:
    ordered = table.sort_values("timestamp", kind="stable") if "timestamp" in table else table
    return ordered.drop_duplicates(["user", "item"], keep="last").sort_index()


# Splits

Split = tuple[pd.DataFrame, pd.DataFrame]


def split_random(table: pd.DataFrame, *, seed: int = 42, test: float = 0.2) -> Split:
    """Train and test by a random permutation of the rows; the first `test` of it is the test set."""
    perm = np.random.default_rng(seed).permutation(len(table))
    return _cut(table.iloc[perm], _test_size(len(table), test))


def split_temporal(table: pd.DataFrame, *, test: float = 0.2) -> Split:
    """Train on the past, test on the last `test` of all ratings. Rows with one timestamp keep source order."""
    _needs_time(table)
    newest_first = table.iloc[::-1].sort_values("timestamp", kind="stable", ascending=False)
    return _cut(newest_first, _test_size(len(table), test))


def split_leave_last_out(table: pd.DataFrame) -> Split:
    """Test on every user's last rating. Ties of the timestamp keep source order; users with one rating only train."""
    _needs_time(table)
    ordered = table.sort_values(["user", "timestamp"], kind="stable")
    last = ~ordered.duplicated("user", keep="last") & ordered.duplicated("user", keep="first")
    return ordered[~last], ordered[last]


def _cut(ordered: pd.DataFrame, size: int) -> Split:
    return ordered.iloc[size:], ordered.iloc[:size]


def _test_size(n: int, test: float) -> int:
    size = int(n * test + 1e-9)
    if not 0 < size < n:
        raise CourseError(
            f"a test share of {test} of {n} ratings leaves {size} to test and {n - size} to train: neither may be 0."
        )
    return size


def _needs_time(table: pd.DataFrame) -> None:
    if "timestamp" not in table:
        raise CourseError("this split needs a column timestamp, and the ratings have none: use split_random.")


def leakage(train: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    """What the training set knows that it should not, and what the test set asks that nobody can know.

    Returns:
        shared_pairs: test ratings whose user and item are also in training (should be 0)
        trained_on_later: share of test ratings whose user has a rating of a later second in training (NaN without
            timestamps; ratings of the same second do not count)
        cold_users, cold_items: share of test ratings whose user or item was never seen in training
    """
    pairs = pd.MultiIndex.from_frame(train[["user", "item"]])
    later = float("nan")
    if "timestamp" in train:
        newest = test["user"].map(train.groupby("user")["timestamp"].max())
        later = float((newest > test["timestamp"]).mean())
    return {
        "shared_pairs": int(pd.MultiIndex.from_frame(test[["user", "item"]]).isin(pairs).sum()),
        "trained_on_later": later,
        "cold_users": float((~test["user"].isin(train["user"])).mean()),
        "cold_items": float((~test["item"].isin(train["item"])).mean()),
    }
