"""Anybody's ratings, from a file to three plain tables: each data line is a row, or the file is refused with it.

Text with a header in most spellings, text without one that is known by name or told (`columns`), and parquet. Ids are
text. What was understood is said in one line.
"""

import csv
import gzip
import io
import re
import unicodedata
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.errors import CourseError

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]

SPELLINGS = {  # letters and digits only
    "user": ("user", "userid", "uid", "reviewerid"),
    "item": ("item", "itemid", "iid", "movieid", "movie", "filmid", "film", "bookid", "isbn", "productid", "asin"),
    "rating": ("rating", "ratings", "bookrating", "movierating", "stars", "score", "overall"),
    "timestamp": ("timestamp", "time", "datetime", "date", "unixreviewtime"),
    "title": ("title", "name", "movietitle", "booktitle", "itemname"),
    "genres": ("genres", "genre", "class"),
    "year": ("year", "releaseyear", "yearofpublication"),
}  # fmt: skip
OF_RATINGS = ("user", "item", "rating", "timestamp")
OF_ITEMS = ("item", "title", "genres", "year")
FLAGS = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
WITHOUT_HEADER = {  # MovieLens' own files: separator and order
    "u.data": ("\t", OF_RATINGS),
    "ratings.dat": ("::", OF_RATINGS),
    "u.item": ("|", ("item", "title", "-", "-", "-", *FLAGS)),
    "movies.dat": ("::", ("item", "title", "genres")),
}
BESIDE = ("movies.csv", "u.item", "movies.dat", "items.csv")  # files of titles that are taken unasked
SEPARATORS = ("::", "\t", ";", ",", "|")
WEB_PAGE = (b"<!", b"<html", b"<?xml", b"<head", b"<body", b"<table")
DATES = (("%Y%m%d", "20200913"), ("%Y%m%d%H%M", "202009131200"), ("%Y%m%d%H%M%S", "20200913120000"))  # not seconds
FIRST_TIME, LAST_TIME = -2_208_988_800, 4_102_444_800  # 1900 and 2100
MISSING = ("", "nan", "na", "n/a", "null", "none", "<na>", "\\n")
MOST_BYTES = 2_000_000_000
MOST_CELLS = 30_000_000  # of a table of users and items; pages hold several, 8 bytes a cell
ARTICLES = "The|An?|O|Les?|La|El|Il|Lo|Las|Los|De[rt]|Das|Die|L'"


@dataclass
class Source:
    """A file's cells as text: one row a data line, indexed by its line in the file; notes: what a reader must know."""

    path: Path
    cells: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def refuse(self, bad: pd.Series, problem: str, remedy: str) -> None:
        """Stop at the first bad row."""
        if bad.any():
            line = bad.index[bad.to_numpy().argmax()]
            raise CourseError(f"{self.path}, line {line}: it {problem} (lines like it: {int(bad.sum()):,}). {remedy}")


def read_ratings(path: Path, *, columns: str = "", items: str = "") -> tuple[Tables, str]:
    """Ratings with their users and items, and one line that says what was understood.

    Args:
        columns: what the columns are, where their names do not say it: "user=customer_id,item=sku", or, for a file
            without a header, their order: "user,item,rating,timestamp". "rating=" takes the file as a log
        items: a second file, with item, title, genres, year; without it one is looked for beside the ratings
    Raises:
        CourseError: naming the file, the line and the remedy.
    """
    source = read_cells(path, columns)
    meant = _meant(source, columns, ("user", "item"))
    raw = source.cells[list(meant.values())].set_axis(list(meant), axis=1)
    for column in ("user", "item"):
        raw[column] = _ids(source, raw[column], column)
    if "rating" in raw:
        raw["rating"] = _numbers(source, raw["rating"], "rating")
    if "timestamp" in raw:
        raw["timestamp"] = _seconds(source, raw["timestamp"])
    raw = _distinct_pairs(source, raw)
    users = pd.DataFrame({"id": in_order(raw["user"].unique())})
    about = pd.DataFrame({"id": in_order(raw["item"].unique())})
    _check_size(source, raw, users, about)
    if "rating" in raw:
        _check_scale(source, raw["rating"])
    about = _with_items(source, raw, about, items)
    unused = [str(name) for name in source.cells if name not in meant.values()]
    said = _understood(source, raw, users, about, meant, unused)
    return (raw, users, about), said


# Cells


def read_cells(path: Path, columns: str = "") -> Source:
    """The cells of a text or parquet file.

    Raises:
        CourseError: what is no such file, or the line that is not like the others.
    """
    content = _content(path)
    if content[:4] == b"PAR1":
        return Source(path, _parquet(path, content))
    source = Source(path, pd.DataFrame())
    text = _decoded(source, content)
    lines = [(k, line) for k, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1) if line.strip()]
    if not lines:
        raise CourseError(f"{path} is empty: it needs a header user,item,rating and one line a rating.")
    separator, names = _header(path, *lines[0], columns)
    if names is None:
        names = _names(_split(path, *lines.pop(0), separator))
        if not lines:
            raise CourseError(f"{path} has a header and no ratings: add one line a rating.")
    if len(set(names) - {"-"}) < sum(name != "-" for name in names):
        raise CourseError(
            f"{path} has two columns of one name ({', '.join(names)}): rename one. If there is no header, say the "
            'order, COLUMNS="user,item,rating".'
        )
    rows = [_row(path, k, _split(path, k, line, separator), len(names)) for k, line in lines]
    cells = pd.DataFrame(rows, columns=list(names), index=[k for k, _ in lines], dtype=str)
    source.cells = cells.drop(columns="-", errors="ignore")
    return source


def _content(path: Path) -> bytes:
    """The file's bytes, unpacked; refused where they are no text and no parquet."""
    if re.match(r"[A-Za-z][\w+.-]+:[/\\]", str(path)):
        raise CourseError(f"{path} is an address: download the file first, and give its path.")
    if path.is_dir():
        raise CourseError(f"{path} is a folder: name the file of ratings in it.")
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MOST_BYTES else b""
        if content[:2] == b"\x1f\x8b":
            with gzip.open(path) as packed:
                content = packed.read(MOST_BYTES + 1)
            size = len(content)
    except FileNotFoundError:
        raise CourseError(f"{path} does not exist (seen from {Path.cwd()}): check the path.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise CourseError(f"{path} cannot be read ({error}): mend the file or its path.") from None
    if size > MOST_BYTES:
        raise CourseError(f"{path} has more than {MOST_BYTES / 1e9:.0f} GB: take a sample of its users.")
    if content[:4] == b"PK\x03\x04":
        raise CourseError(f"{path} is a spreadsheet or an archive: save the sheet as CSV, or unpack the archive.")
    begin = content[:200].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if begin.startswith(WEB_PAGE):
        raise CourseError(f"{path} is a saved web page, not a table: download the file itself.")
    if begin.startswith((b"{", b"[")):
        raise CourseError(f"{path} is JSON, not a table: write it as CSV, for example with pandas.read_json.")
    return content


def _decoded(source: Source, content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1")
        source.notes.append("read as Latin-1, since it is not UTF-8")
    if "\0" in text:
        raise CourseError(f"{source.path} is not text: save it as CSV in UTF-8.")
    return text


def _header(path: Path, number: int, first: str, columns: str) -> tuple[str, tuple[str, ...] | None]:
    """The separator, and the names where they do not stand in the file."""
    name = path.name.lower().removesuffix(".gz")
    known = {spelling for group in SPELLINGS.values() for spelling in group}
    named = lambda s: sum(_letters(part) in known for part in first.split(s))
    if columns and "=" not in columns:
        order = tuple(_alias(part) for part in columns.split(","))
        separator = max(SEPARATORS, key=lambda s: (len(first.split(s)) == len(order), len(first.split(s))))
        if named(separator) == len(order):
            raise CourseError(
                f"{path}, line {number}: it is a header ({first[:80]}), and COLUMNS gives an order, which is for files "
                "without one. Leave COLUMNS out."
            )
        return separator, order
    if name in WITHOUT_HEADER:
        separator, order = WITHOUT_HEADER[name]
        if len(first.split(separator)) == len(order):
            return separator, order
    separator = max(SEPARATORS, key=lambda s: (named(s), s in first and named(s) > 0, len(first.split(s))))
    return separator, None


def _alias(name: str) -> str:
    """Our name for what `columns` calls it; "-" for a column to pass over."""
    plain = name.strip().lower()
    ours = "timestamp" if plain == "time" else plain
    if ours not in (*SPELLINGS, "-"):
        raise CourseError(
            f"COLUMNS cannot name {name.strip()!r}: it names {', '.join(SPELLINGS)}, or - for none of them."
        )
    return ours


def _names(cells: list[str]) -> tuple[str, ...]:
    """A header's names, without the empty ones at its end that spreadsheets write."""
    names = [cell.strip() for cell in cells]
    while len(names) > 1 and not names[-1]:
        names.pop()
    return tuple(names)


def _split(path: Path, number: int, line: str, separator: str) -> list[str]:
    if separator == "\t":
        return [_unquoted(cell) for cell in line.split(separator)]
    if separator not in (",", ";"):
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error:
        raise CourseError(
            f"{path}, line {number}: it opens a quotation mark that it does not close, or has text after one. Write a "
            'quotation mark inside a quoted cell twice (""), and each rating on one line.'
        ) from None


def _unquoted(cell: str) -> str:
    """A cell between tabs, where a quotation mark is a letter like others unless it encloses the cell."""
    is_quoted = re.fullmatch(r'"([^"]|"")*"', cell)
    return cell[1:-1].replace('""', '"') if is_quoted else cell


def _row(path: Path, number: int, cells: list[str], width: int) -> list[str]:
    """As many cells as names; further ones may only be empty."""
    if len(cells) == 1 < width:
        raise CourseError(
            f"{path}, line {number}: it is one cell, and there are {width} columns. Cells are parted by commas, tabs "
            "or semicolons, the same in every line: replace what parts them, or delete the line."
        )
    if len(cells) < width or any(cell.strip() for cell in cells[width:]):
        raise CourseError(
            f"{path}, line {number}: it has {len(cells)} cells, and there are {width} columns. Put a cell that holds "
            "the separator in quotation marks, or delete the line."
        )
    return cells[:width]


def _parquet(path: Path, content: bytes) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(io.BytesIO(content))
    except ImportError:
        raise CourseError(f"{path}: parquet is read by pyarrow, which is not installed: pip install pyarrow.") from None
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())[:100]
        raise CourseError(f"{path} cannot be read as parquet ({why}): write it anew.") from None
    if frame.empty:
        raise CourseError(f"{path} is empty: it needs columns user, item, rating and one row a rating.")
    cells = {str(name): [_as_text(value) for value in column] for name, column in frame.items()}
    return pd.DataFrame(cells, index=np.arange(1, len(frame) + 1), dtype=str)


def _as_text(value: object) -> str:
    if isinstance(value, list | tuple | np.ndarray):
        return "|".join(map(str, value))
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return "" if pd.isna(value) else str(value)


# Columns


def _letters(name: object) -> str:
    """A column's name as it is compared: letters and digits, without RecBole's :type."""
    plain = str(name).split(":")[0].lower()
    return re.sub(r"[^a-z0-9]", "", plain)


def _meant(source: Source, columns: str, needed: Iterable[str], may_be: Iterable[str] = SPELLINGS) -> dict[str, str]:
    """Our names, and the columns they stand for."""
    listed = [str(name) for name in source.cells]
    by_letters: dict[str, str] = {}
    for name in reversed(listed):
        by_letters[_letters(name)] = name
    told = dict(part.partition("=")[::2] for part in columns.split(",")) if "=" in columns else {}
    told = {_alias(ours): theirs.strip() for ours, theirs in told.items()}
    meant: dict[str, str] = {}
    for ours in may_be:
        if ours in told:
            if told[ours] and told[ours] not in listed:
                raise CourseError(f"{source.path} has no column {told[ours]!r}: it has {', '.join(listed)}.")
            found = told[ours]
        else:
            found = next((by_letters[s] for s in SPELLINGS[ours] if s in by_letters), "")
        if found and found not in meant.values():
            meant[ours] = found
    missing = [ours for ours in needed if ours not in meant]
    if missing:
        remedy = (
            'Say which it is, COLUMNS="user=...,item=...", or, if there is no header, the order, '
            'COLUMNS="user,item,rating".'
        )
        if "user" not in needed:
            remedy = "Name its columns item, title, genres, year in its first line."
        if len(listed) == 1:
            remedy = "Cells are parted by commas, tabs or semicolons: replace what parts them."
        raise CourseError(
            f"{source.path} names no column {' or '.join(missing)} (it has: {', '.join(listed)[:120]}). {remedy}"
        )
    return meant


def _ids(source: Source, text: pd.Series, column: str) -> pd.Series:
    """Ids without blanks around them; refused where two of them could be one."""
    ids = text.str.strip()
    looks = {one: _looks(one) for one in sorted(ids.unique())}
    is_missing = ids.map(looks).str.lower().isin(MISSING)
    source.refuse(is_missing, f"has no {column}", "Fill it in or delete the line.")
    seen: dict[str, str] = {}
    for one, look in looks.items():
        other = seen.setdefault(look, one)
        if other != one:
            both = " and ".join(ascii(name) for name in (other, one))
            raise CourseError(
                f"{source.path}: the {column}s {both} look like one. Write both alike if they are, or rename one."
            )
    return ids


def _looks(name: str) -> str:
    """What a reader sees: composed letters, nothing invisible, one kind of blank, no .0 at the end of a number."""
    composed = unicodedata.normalize("NFC", name)
    visible = "".join(letter for letter in composed if unicodedata.category(letter) not in ("Cf", "Cc"))
    return re.sub(r"^(\d+)\.0+$", r"\1", " ".join(visible.split()))


def in_order(ids: Iterable[str]) -> list[str]:
    """Distinct ids, numbers by size and text by alphabet."""
    distinct = set(ids)
    numeric = all(re.fullmatch(r"[0-9]{1,18}", i) for i in distinct)
    return sorted(distinct, key=lambda i: (int(i), i) if numeric else (0, i))


def _numbers(source: Source, text: pd.Series, column: str) -> pd.Series:
    remedy = f"Write a number for every {column}, with a point, or delete the line."
    source.refuse(text.str.strip().str.lower().isin(MISSING), f"has no {column}", remedy)
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        shown = text[wrong].iloc[0][:40]
        source.refuse(wrong, f"has the {column} {shown!r}, which is not a number", remedy)
    return numbers


def _seconds(source: Source, text: pd.Series) -> pd.Series:
    """Times in seconds since 1970, from seconds, their thousandths and so on, or ISO dates, with every digit."""
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    are_dates = numbers.isna().all()
    if are_dates:
        dates = pd.to_datetime(text, errors="coerce", utc=True, format="ISO8601")
        numbers = (dates - pd.Timestamp("1970-01-01", tz="UTC")) // pd.Timedelta(microseconds=1) / 1e6
    else:
        digits = text.str.strip()
        for form, example in DATES:
            if (digits.str.len() == len(example)).all():
                are_days = pd.to_datetime(digits, errors="coerce", format=form).notna().all()
                what = f"dates like {example}: write 2020-09-13 or 2020-09-13T12:00"
                _refuse_times(source, text, are_days, what)
        whole = numbers.abs().max()
        for power, unit in ((1e9, "nanoseconds"), (1e6, "microseconds"), (1e3, "milliseconds")):
            is_in_unit = numbers.abs() > 1e7 * power
            if whole >= 1e8 * power and is_in_unit.mean() > 0.5:
                source.refuse(~is_in_unit, f"has a time that is not in {unit} like the others", "Mend it.")
                numbers = numbers / power
                source.notes.append(f"times were {unit}, and are divided")
                break
    wrong = ~numbers.between(FIRST_TIME, LAST_TIME)  # also true of what is no number
    if wrong.any():
        shown = text[wrong].iloc[0][:40]
        problem = f"has the time {shown!r}, and times are seconds since 1970 or ISO dates, all alike, from 1900 to 2100"
        source.refuse(wrong, problem, 'Mend it, or leave the column out, COLUMNS="time=".')
    _refuse_times(source, text, not are_dates and numbers.max() < 31_536_000, "no seconds since 1970, which all lie in "
                  "its first year: format days of a spreadsheet as dates; to a mere order add 1000000000")  # fmt: skip
    is_whole = (numbers == numbers.round()).all()
    return numbers.astype(np.int64) if is_whole else numbers


def _refuse_times(source: Source, text: pd.Series, bad: bool, what: str) -> None:
    if bad:
        raise CourseError(f"{source.path}: its times ({text.iloc[0][:30]}, ...) are {what}.")


# What there is


def _distinct_pairs(source: Source, raw: pd.DataFrame) -> pd.DataFrame:
    """One row a user and item. Of a log the first is kept, and it is said; two ratings are for the user to decide."""
    if "rating" in raw:
        remedy = "Keep one rating a pair, for example df.drop_duplicates(['user', 'item'], keep='last')."
        source.refuse(raw.duplicated(["user", "item"]), "rates an item that its user has rated before", remedy)
        return raw
    in_time = raw.sort_values("timestamp", kind="stable") if "timestamp" in raw else raw
    repeated = in_time.duplicated(["user", "item"])
    if repeated.any():
        source.notes.append(f"{int(repeated.sum()):,} repeated pairs were left out, the first of each is kept")
    return raw[~repeated.reindex(raw.index)]


def _check_size(source: Source, raw: pd.DataFrame, users: pd.DataFrame, items: pd.DataFrame) -> None:
    for column, side in (("user", users), ("item", items)):
        if len(side) < 2:
            raise CourseError(
                f"{source.path} has ratings of one {column} only, and a recommender needs at least two: add more rows."
            )
    if len(raw) == len(users):
        raise CourseError(
            f"{source.path} has one line for each user, and nothing can be learned from one: add more rows."
        )
    cells = len(users) * len(items)
    if cells > MOST_CELLS:
        raise CourseError(
            f"{source.path} has {len(users):,} users and {len(items):,} items: pages hold several tables of both, of "
            f"{cells * 8 / 1e9:.1f} GB each, and {MOST_CELLS * 8 / 1e9:.1f} GB is the most. Keep the items with at "
            "least 5 or 10 lines, or a sample of the users."
        )


def _check_scale(source: Source, rating: pd.Series) -> None:
    low, high = rating.min(), rating.max()
    as_log = 'To read the file as a log of what was taken, COLUMNS="rating=".'
    if low == high:
        raise CourseError(
            f"{source.path}: all {len(rating):,} ratings are {low:g}, so there is nothing to tell apart. {as_log}"
        )
    whole = (rating == rating.round()).all()
    if whole and low >= 0 and high > 100 and high > 20 * rating.median():
        raise CourseError(
            f"{source.path}: its ratings, {low:g} to {high:,.0f} with a median of {rating.median():g}, look like "
            f"counts, and errors would be those of the few largest. {as_log}"
        )
    zeros = int((rating == 0).sum())
    if low == 0 and zeros:
        source.notes.append(
            f"{zeros:,} ratings are 0 and count as the lowest rating: delete their lines if 0 means not rated"
        )


def _with_items(source: Source, raw: pd.DataFrame, items: pd.DataFrame, path: str) -> pd.DataFrame:
    """Titles, genres and years: from the ratings' own columns, a file, or one that lies beside."""
    names = (*BESIDE, f"{source.path.name.split('.')[0]}.item")
    beside = [source.path.with_name(name) for name in names if name != source.path.name]
    found = Path(path).expanduser() if path else next((file for file in beside if file.is_file()), None)
    described = raw
    if found and path:
        described = _item_cells(found)
        if not items["id"].isin(described["item"]).any():
            raise CourseError(
                f"{found} describes none of the {len(items):,} items of {source.path}: are its ids others?"
            )
    elif found and "title" not in raw:
        try:
            described = _item_cells(found)
        except CourseError as error:
            source.notes.append(f"no titles, since what lies beside cannot be read: {str(error).rstrip('.')}")
    if found and described is not raw:
        number = int(items["id"].isin(described["item"]).sum())
        own = ", ".join(column for column in OF_ITEMS[1:] if column in raw)
        said = f"titles of {number:,} items from {found.name}" + ("" if path else ", which lies beside")
        source.notes.append(said + (f", in place of {own} in {source.path.name}" if own else ""))
    columns = [column for column in OF_ITEMS[1:] if column in described]
    filled = described[["item", *columns]].mask(lambda cells: cells == "")
    of_item = filled.groupby("item", sort=False)
    if "title" in columns and (several := int((of_item["title"].nunique() > 1).sum())):
        source.notes.append(f"items with more than one title, of which the first is kept: {several:,}")
    items = items.join(of_item.first(), on="id")
    if "title" in items:
        pairs = [plain_title(title) for title in items["title"].fillna("").str.strip()]
        items["title"] = [title for title, _ in pairs]
        if "year" not in items:
            items["year"] = [year for _, year in pairs]
    if "year" in items:
        items["year"] = pd.to_numeric(items["year"], errors="coerce").astype(float)
    if "genres" in items:
        items["genres"] = _genres(items["genres"].fillna(""))
    return items.drop(columns=[name for name in ("title", "year", "genres") if name in items and _empty(items[name])])


def _empty(column: pd.Series) -> bool:
    """Whether a column says nothing of any item."""
    return not any(bool(value) and value == value for value in column)


def _genres(texts: pd.Series) -> list[tuple[str, ...]]:
    """Each item's genres, parted by the first of | ; and , that any item has."""
    separator = next((mark for mark in "|;," if any(mark in text for text in texts)), "|")
    genres = []
    for text in texts:
        names = {part.strip() for part in text.split(separator)} - {"", "(no genres listed)"}
        genres.append(tuple(sorted(names)))
    return genres


def plain_title(title: str) -> tuple[str, float]:
    """A title without its year and with its article first, and the year."""
    years = re.findall(r"\((\d{4})\)", title)
    plain = re.sub(r"\s*\(\d{4}\)(\s*\(T?V\))?\s*$", "", title).strip()
    front = re.sub(rf"^([^()]+), ({ARTICLES})(?= \(|$)", r"\2 \1", plain)
    front = re.sub(rf"\(([^()]+), ({ARTICLES})\)", r"(\2 \1)", front).replace("L' ", "L'")
    return front, float(years[-1]) if years else float("nan")


def _item_cells(path: Path) -> pd.DataFrame:
    """item, title, genres and year of a second file, as text."""
    source = read_cells(path)
    cells = source.cells
    meant = _meant(source, "", ("item",), OF_ITEMS)
    described = cells[list(meant.values())].set_axis(list(meant), axis=1)
    if meant.get("genres", "").endswith(":token_seq"):  # RecBole parts them by blanks
        described["genres"] = described["genres"].str.split().str.join("|")
    if set(FLAGS) <= set(cells):
        is_kind = cells[list(FLAGS)] == "1"
        described["genres"] = ["|".join(row.index[row]) for _, row in is_kind.iterrows()]
    described["item"] = _ids(source, described["item"], "item")
    twice = described["item"].duplicated()
    source.refuse(twice, "describes an item that stands before", "Keep one line an item.")
    return described


def _understood(source: Source, raw: pd.DataFrame, users: pd.DataFrame, items: pd.DataFrame, meant: dict[str, str],
                unused: list[str]) -> str:  # fmt: skip
    """One line: how much, of whom, on which scale, from which columns, when, and what was left."""
    kind = "ratings" if "rating" in raw else "lines of a log"
    what = f"{len(raw):,} {kind} of {len(users):,} users and {len(items):,} items"
    parts = [f"{what}, {_scale(raw['rating'])}" if "rating" in raw else what]
    renamed = [f"{ours} = {theirs}" for ours, theirs in meant.items() if ours != theirs.strip().lower()]
    parts += [", ".join(renamed)] if renamed else []
    if "timestamp" in raw:
        begin, end = (pd.Timestamp(raw["timestamp"].agg(side), unit="s").date() for side in ("min", "max"))
        parts.append(f"{begin} to {end}")
    else:
        parts.append("no times")
    parts += source.notes
    parts.append(f"not used: {', '.join(unused) or 'none'}")
    return "; ".join(parts)


def _scale(rating: pd.Series) -> str:
    span = f"{rating.min():g} to {rating.max():g}"
    for step, said in ((1, "by ones"), (0.5, "by halves")):
        steps = rating / step
        if (steps == steps.round()).all():
            return f"{span} {said}"
    return f"{span}, {rating.nunique():,} different ones"
