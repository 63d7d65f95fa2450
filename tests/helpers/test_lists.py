"""Lists as a file: what could not be written is refused first; each place is a row; nothing is left half-written."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from helpers import data, lists
from helpers.errors import CourseError

RATINGS = data.load_ratings("toy")
NAMED = replace(RATINGS, items=RATINGS.items.assign(id=list("wxyz"), title=['A "B", C', "é; $x$", "*c*", "d"]))
USERS = np.array([2, 0])
LISTS = np.array([[3, 1, -1], [2, -1, -1]])
SCORES = np.array([[4.5, 1 / 3, -np.inf], [-0.25, -np.inf, -np.inf]])
WRITTEN = [("3", 1, "z", "d", 4.5), ("3", 2, "x", "é; $x$", 1 / 3), ("1", 1, "y", "*c*", -0.25)]
READERS = {".csv": lambda path: pd.read_csv(path, dtype={"user": str}), ".parquet": pd.read_parquet}


def refusal(path) -> str:
    with pytest.raises(CourseError) as error:
        lists.check_out(str(path))
    said = str(error.value)
    assert f"LISTS_OUT = {str(path)!r}" in said and "\n" not in said and said.endswith(".")
    return said


def test_what_could_not_be_written_is_refused_before_anything_long(tmp_path, monkeypatch):
    for name in ("mine.xlsx", "mine", "mine.csv.gz"):
        assert "lists are written as .parquet or .csv, so name such a file" in refusal(tmp_path / name)
    assert f"no folder {tmp_path / 'no'} that could hold it. Make it first" in refusal(tmp_path / "no" / "mine.csv")
    (tmp_path / "folder.csv").mkdir()
    refusal(tmp_path / "folder.csv")
    there = tmp_path / "there.csv"
    there.touch()
    for place, locked in ((there, there), (tmp_path / "new.csv", tmp_path)):
        with monkeypatch.context() as patch:
            patch.setattr(lists.os, "access", lambda path, mode, locked=locked: path != locked)
            assert "may not be written: choose another place" in refusal(place)
    with monkeypatch.context() as patch:
        patch.setattr(lists.importlib.util, "find_spec", lambda name: None)
        assert "parquet needs pyarrow (pip install pyarrow)" in refusal(tmp_path / "new.parquet")
        lists.check_out(str(tmp_path / "new.csv"))


def test_what_can_be_written_is_not_refused_and_not_touched(tmp_path):
    (tmp_path / "there.csv").write_text("old")
    for name in ("there.csv", "new.CSV", "new.parquet"):
        lists.check_out(str(tmp_path / name))
    lists.check_out("")  # no file is wanted
    assert [file.name for file in tmp_path.iterdir()] == ["there.csv"]
    assert (tmp_path / "there.csv").read_text() == "old"


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("reasons", [None, ["since, $ and *", 'a "quote"']])
def test_each_place_of_a_list_is_a_row_with_the_ids_of_the_source(suffix, reasons, tmp_path):
    path = tmp_path / f"mine{suffix}"
    path.write_text("old")
    said = lists.write(str(path), NAMED, USERS, LISTS, SCORES, reasons)
    assert said == f"3 rows of 2 lists were written to mine{suffix}."
    read = READERS[suffix](path)
    columns = ["user", "place", "item", "title", "score"]
    assert list(read) == columns + ["reason"] * bool(reasons)
    assert list(read[columns].itertuples(index=False, name=None)) == WRITTEN
    if reasons:
        assert read["reason"].fillna("").tolist() == [reasons[0], "", reasons[1]]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", READERS)
def test_what_stops_half_way_leaves_the_file_as_it_was(suffix, tmp_path, monkeypatch):
    path = tmp_path / f"mine{suffix}"
    path.write_text("old")

    def stop(frame, place, **options):
        place.write_text("half")
        raise OSError("no space left")

    monkeypatch.setattr(pd.DataFrame, lists.WRITERS[suffix], stop)
    with pytest.raises(OSError):
        lists.write(str(path), NAMED, USERS, LISTS, SCORES)
    assert path.read_text() == "old"
