"""The check of the reader's machine says what is missing and how to get it."""

from importlib import metadata

import pytest

from helpers.course import environment, sources
from helpers.course.errors import CourseError


def test_this_machine_has_its_packages():
    rows = environment._packages()
    assert len(rows) >= 10 and all(row.ready for row in rows), rows


def test_a_missing_package_is_named_with_its_remedy():
    def installed(name):
        if name == "papermill":
            raise metadata.PackageNotFoundError(name)
        return metadata.version(name)

    (row,) = [row for row in environment._packages(installed) if row.need.startswith("papermill")]
    assert (row.found, row.ready) == ("missing", False) and "pip install 'papermill>=" in row.remedy


def test_an_old_package_is_not_ready_and_a_local_build_is():
    old = environment._packages(lambda name: "0.0.1")
    assert not any(row.ready for row in old if ">=" in row.need)
    torch = [row for row in environment._packages(lambda name: "2.13.0+cpu") if row.need.startswith("torch")]
    assert torch[0].ready


@pytest.mark.parametrize(("free", "ready"), [(1 * environment.GIB, False), (5 * environment.GIB, True)])
def test_memory_and_disk(free, ready):
    assert environment._memory(free).ready is ready and environment._disk(free).ready is ready


def test_data_are_ready_once_cached(cache):
    rows = environment._datasets()
    assert [row.need for row in rows] == ["movielens-100k", "minilm", "gemma"]
    assert not any(row.ready for row in rows) and all("make data" in row.remedy for row in rows)
    assert sources.cached("movielens-100k") is None


def test_the_table_puts_what_is_missing_first(cache):
    table = environment.show_machine()
    assert table["ready"].iloc[0] == "NO" and table["what to do"].iloc[0]
    assert (table.loc[table["ready"] == "yes", "what to do"] == "").all()


def test_an_older_python_is_refused(monkeypatch):
    monkeypatch.setattr(environment.sys, "version_info", (3, 10, 9))
    assert not environment._python().ready


def test_the_device_is_one_that_is_there():
    assert environment.find_device().type in ("cpu", "cuda", "mps")
    assert environment.find_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["cuda:99", "tpu", "", "mps:3"])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(CourseError, match="is not there"):
        environment.find_device(name)
