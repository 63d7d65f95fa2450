"""Ratings from MovieLens, a CSV, a plan or the toy: one shape of object, its splits, its histories."""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers import fetch, movielens, planted, readers
from helpers.errors import CourseError

Split = tuple[pd.DataFrame, pd.DataFrame]


@dataclass(frozen=True)
class Ratings:
    """Ratings with their users and items, whatever the source.

    table: one row a rating in source order: user and item (codes from 0), rating unless it is a log, and timestamp (s)
        if known
    users: one row a code: id (text, as in the source), and age, gender, occupation if known
    items: one row a code: id, title (the id where unknown), year (NaN where unknown), genres (a tuple, maybe empty)
    known: the columns that the source has, and "studies" where the tables of data/tables/ were made on these ratings
    said: what was understood of the source, one line
    """

    name: str
    table: pd.DataFrame
    users: pd.DataFrame
    items: pd.DataFrame
    known: frozenset[str]
    said: str = ""
    truth: planted.Truth | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of users and of items."""
        return len(self.users), len(self.items)

    @property
    def scale(self) -> tuple[float, float]:
        """The lowest and the highest rating; 0 and 1 for a log."""
        if "rating" not in self.table:
            return 0.0, 1.0
        rating = self.table["rating"]
        return float(rating.min()), float(rating.max())

    @property
    def unit(self) -> float:
        """A quarter of the scale's span: 1 where ratings run from 1 to 5. Models are fitted in it."""
        low, high = self.scale
        return (high - low) / 4

    @property
    def points(self) -> str:
        """What a rating is counted in."""
        low, high = self.scale
        return "stars" if high == 5 and 0 <= low <= 1 else "points"

    def liked(self) -> pd.DataFrame:
        """Rows with a rating in the highest quarter of the scale: 4 and 5 stars of five; of a log all rows."""
        if "rating" not in self.table:
            return self.table
        _, high = self.scale
        least = high - self.unit - 1e-9  # the sum of parts of a scale may be off by rounding
        return self.table[self.table["rating"] >= least]

    def user_code(self, name: str) -> int:
        """The code of the user whom the source calls so.

        Raises:
            CourseError: nobody has this id.
        """
        found = np.flatnonzero(self.users["id"] == str(name))
        if len(found) == 0:
            some = ", ".join(self.users["id"].head(3))
            raise CourseError(
                f"USER = {name!r} is not there: the ids of these {len(self.users):,} users are {some}, ..."
            )
        return int(found[0])

    def matrix(self) -> np.ndarray:
        """The ratings as a table with 0 where there is none. Shape: (users, items)"""
        dense = np.zeros(self.shape)
        dense[self.table["user"], self.table["item"]] = self.table["rating"]
        return dense


def load_ratings(source: str, columns: str = "", items: str = "", *, seed: int = 0) -> Ratings:
    """Ratings by name ("toy", "movielens-100k", "planted") or from a file, `columns` and `items` as in `readers`.

    Raises:
        CourseError: an unknown name, a file that cannot be used (which line, and what to do), or no data offline.
    """
    if source == "toy":
        tables, _ = readers.read_ratings(fetch.DATA / "toy_ratings.csv")
        return _assemble(source, *tables)
    if source == "movielens-100k":
        tables = movielens.read_movielens(fetch.movielens())
        return _assemble(source, *tables, also={"studies"})
    if source == "planted":
        return planted_ratings(seed=seed)
    if not re.search(r"[./\\]", source):
        raise CourseError(
            f"there is no dataset {source!r}: name one of toy, movielens-100k, planted, or the path of a file."
        )
    tables, said = readers.read_ratings(Path(source).expanduser(), columns=columns, items=items)
    return _assemble(Path(source).stem, *tables, said=said)


def planted_ratings(n_users: int = 600, n_items: int = 400, **settings: Any) -> Ratings:
    """Ratings made from known factors, so that an answer can be right or wrong; settings as `planted.plant`."""
    return _assemble("planted", *planted.plant(n_users, n_items, **settings))


def toy_matrix() -> np.ndarray:
    """The article's four users and four films, 0 where nothing was rated. Shape: (4, 4)"""
    return load_ratings("toy").matrix()


def _assemble(
    name: str,
    raw: pd.DataFrame,
    users: pd.DataFrame,
    items: pd.DataFrame,
    truth: planted.Truth | None = None,
    *,
    said: str = "",
    also: Set[str] = frozenset(),
) -> Ratings:
    """Replace ids by codes, and fill what is unknown. `users` and `items` have an id column in code order."""
    kept = [column for column in ("user", "item", "rating", "timestamp") if column in raw]
    known = frozenset({*kept, *users, *items, *also} - {"id"})
    table = raw[kept].reset_index(drop=True)
    for column, side in (("user", users), ("item", items)):
        code_of = pd.Series(np.arange(len(side)), index=side["id"])
        table[column] = table[column].map(code_of).astype(np.int64)
    users = users.assign(id=users["id"].astype(str))
    items = items.assign(id=items["id"].astype(str))
    titles = items["title"] if "title" in items else items["id"]
    items["title"] = titles.mask(titles == "", items["id"])
    if "year" not in items:
        items["year"] = np.nan
    if "genres" not in items:
        items["genres"] = [()] * len(items)
    return Ratings(name, table, users, items, known, said or _counted(name, table, users, items), truth)


def _counted(name: str, table: pd.DataFrame, users: pd.DataFrame, items: pd.DataFrame) -> str:
    """The line of ratings that come by name."""
    low = table["rating"].min()
    high = table["rating"].max()
    size = f"{len(table):,} ratings of {len(users):,} users and {len(items):,} items"
    return f"{name}: {size}, {low:g} to {high:g}"


def only_items(ratings: Ratings, kept: np.ndarray) -> Ratings:
    """The ratings of these items, by users who have any, with new codes. Shapes: kept (items,), rising codes"""
    is_kept = ratings.table["item"].isin(kept)
    table = ratings.table[is_kept].reset_index(drop=True)
    who = np.unique(table["user"])
    table["user"] = np.searchsorted(who, table["user"])
    table["item"] = np.searchsorted(kept, table["item"])
    users = ratings.users.iloc[who].reset_index(drop=True)
    items = ratings.items.iloc[kept].reset_index(drop=True)
    return replace(ratings, table=table, users=users, items=items)


# Tables of 0 and 1


def interactions(table: pd.DataFrame, shape: tuple[int, int]) -> np.ndarray:
    """1 where a user rated an item, whatever the rating. Shape: (users, items), float32"""
    seen = np.zeros(shape, dtype=np.float32)
    seen[table["user"], table["item"]] = 1
    return seen


def genre_table(items: pd.DataFrame) -> pd.DataFrame:
    """Whether each film has each genre: one row an item, one column of truth values a genre."""
    one_row_a_genre = pd.get_dummies(items["genres"].explode(), dtype=bool)
    return one_row_a_genre.groupby(level=0).max().reindex(items.index, fill_value=False)


def attributes(ratings: Ratings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is known of users and items, in columns of 0 and 1 (genres share one 1); in notebook 04, section 4.6.

    Shapes:
        returns: (users, a) ages by decade, gender, occupation; (items, b) genres, years of release by fives; a or b
        is 0 where nothing is known; float32
    """
    users, items = ratings.users, ratings.items
    of_users = pd.DataFrame(index=users.index)
    of_items = pd.DataFrame(index=items.index)
    if {"age", "gender", "occupation"} <= ratings.known:
        decade = users["age"] // 10
        described = users.assign(age=decade)[["age", "gender", "occupation"]]
        of_users = pd.get_dummies(described.astype(str))
    if {"genres", "year"} <= ratings.known:
        genres = genre_table(items)
        shared = genres.div(genres.sum(axis=1).clip(lower=1), axis=0)
        five_years = pd.get_dummies((items["year"] // 5).astype(str), prefix="year")
        of_items = pd.concat([shared, five_years], axis=1)
    return of_users.astype(np.float32), of_items.astype(np.float32)


# Sequences


def histories(table: pd.DataFrame, n_users: int) -> list[np.ndarray]:
    """Item codes of every user, oldest first; ties of the timestamp keep source order. (items of the user,) each"""
    _needs_time(table)
    ordered = table.sort_values(["user", "timestamp"], kind="stable")
    number = np.bincount(ordered["user"], minlength=n_users)  # (users,)
    return np.split(ordered["item"].to_numpy(), number.cumsum()[:-1])


def in_drawn_order(ratings: Ratings, seed: int = 0) -> Ratings:
    """Ratings without times, given an order drawn at random: what a page about order can still compute."""
    times = np.random.default_rng(seed).permutation(len(ratings.table))
    return replace(ratings, table=ratings.table.assign(timestamp=times))


def check_histories(sequences: Sequence[np.ndarray], length: int, users: int) -> None:
    """Refuse histories of which too few are long enough for what a page shows."""
    lengths = np.array([len(codes) for codes in sequences])
    enough = int((lengths >= length).sum())
    if enough < users and len(sequences) == 1:
        raise CourseError(
            f"the user asked for has {lengths[0]} items before the last one, and an explanation needs {length}: name "
            "another one as USER."
        )
    if enough < users:
        raise CourseError(
            f"{enough} users have {length} items or more before their last one, and this page shows such histories of "
            f"{users} users: take more data."
        )


def pad_left(sequences: Sequence[np.ndarray], length: int, padding: int) -> np.ndarray:
    """The last `length` codes of each, filled up on the left. Shape: (sequences, length)"""
    table = np.full((len(sequences), length), padding)
    for row, codes in zip(table, sequences, strict=True):
        if len(codes):
            row[-min(length, len(codes)) :] = codes[-length:]
    return table


def windows(
    sequences: Sequence[np.ndarray],
    length: int,
    padding: int,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Histories cut from their end into windows of length + 1 that share one item, so that each item but the first has
    a place after another one exactly once. With `rng` the last window has a length drawn for each history.

    Shapes:
        returns: (windows, length + 1)
    """
    parts = []
    for codes in sequences:
        last = length if rng is None else int(rng.integers(1, length + 1))
        end, begin = len(codes), len(codes) - last - 1
        while end > 1:
            parts.append(codes[max(begin, 0) : end])
            end = begin + 1
            begin = end - length - 1
    return pad_left(parts, length + 1, padding)


# Splits


def split_random(table: pd.DataFrame, *, seed: int = 42, test: float = 0.2) -> Split:
    """Train and test by a random permutation of the rows; the first `test` of it is the test set."""
    rng = np.random.default_rng(seed)
    perm = rng.permutation(len(table))
    return _cut(table.iloc[perm], test)


def split_temporal(table: pd.DataFrame, *, test: float = 0.2) -> Split:
    """Train on the past, test on the last `test` of all ratings. Rows with one timestamp keep source order."""
    _needs_time(table)
    newest_first = table.iloc[::-1].sort_values("timestamp", kind="stable", ascending=False)
    return _cut(newest_first, test)


def split_leave_last_out(table: pd.DataFrame) -> Split:
    """Test on every user's last rating. Ties of the timestamp keep source order; users with one rating only train."""
    _needs_time(table)
    ordered = table.sort_values(["user", "timestamp"], kind="stable")
    is_last = ~ordered.duplicated("user", keep="last")
    is_first = ~ordered.duplicated("user", keep="first")
    out = is_last & ~is_first
    return ordered[~out], ordered[out]


def _cut(ordered: pd.DataFrame, test: float) -> Split:
    """The first share of the rows is the test set."""
    n = len(ordered)
    size = int(n * test + 1e-9)
    if not 0 < size < n:
        raise CourseError(
            f"a test share of {test} of {n} ratings leaves {size} to test and {n - size} to train: neither may be 0."
        )
    return ordered.iloc[size:], ordered.iloc[:size]


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
    trained = pd.MultiIndex.from_frame(train[["user", "item"]])
    tested = pd.MultiIndex.from_frame(test[["user", "item"]])
    later = float("nan")
    if "timestamp" in train:
        newest = test["user"].map(train.groupby("user")["timestamp"].max())
        later = float((newest > test["timestamp"]).mean())
    return {
        "shared_pairs": int(tested.isin(trained).sum()),
        "trained_on_later": later,
        "cold_users": float((~test["user"].isin(train["user"])).mean()),
        "cold_items": float((~test["item"].isin(train["item"])).mean()),
    }
