"""The check of the reader's machine says what is missing and how to get it."""

from types import SimpleNamespace

import pytest

from helpers import fetch, machine
from helpers.errors import CourseError


def test_what_is_missing_comes_first_with_its_remedy(cache):
    table = machine.show_machine()
    missing = table[table["ready"] == "NO"]
    assert missing["need"].tolist() == list(fetch.LICENCES) == table["need"].tolist()[:3]
    assert missing["what to do"].str.contains("network|make lab LLM=1").all()
    assert (table.loc[table["ready"] == "yes", "what to do"] == "").all()


@pytest.mark.parametrize(("free", "ready"), [(1, "NO"), (5, "yes")])
def test_memory_and_disk(free, ready, monkeypatch):
    found = SimpleNamespace(available=free * machine.GIB, free=free * machine.GIB)
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: found)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: found)
    table = machine.show_machine().set_index("need")["ready"]
    assert table["4 GiB of free memory"] == table["2 GiB of free disk"] == ready


def test_the_device_is_one_that_is_there():
    assert machine.find_device().type in ("cpu", "cuda", "mps")
    assert machine.find_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["cuda:99", "tpu", "", "mps:3"])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(CourseError, match="is not there"):
        machine.find_device(name)
