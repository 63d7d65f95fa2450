"""`make run` and `make execute`: the walk executed, stored whole or not at all, and summed up."""

import re
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from expected import compare
from notebook_files import NOTEBOOKS, ROOT, page_of

from helpers.errors import CourseError
from tools import run
from tools.results import read_record

SPEC = {"name": "python3", "language": "python", "display_name": "Python 3"}


def page(folder, name: str, *sources: str):
    """A small notebook whose first cell holds parameters."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    folder.mkdir(exist_ok=True)
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": SPEC})
    nbformat.write(notebook, folder / name)
    return folder / name


RECORD = "from helpers.page import record\nrecord(value=A * 1.5)"
FALSE_CLAIM = "from helpers.page import claim\nclaim('large', 'A is large', [A, A, A], above=5, unit='trainings')"


@pytest.mark.kernel
def test_the_walk_gives_the_expected_records_in_its_order(tmp_path, capsys):
    assert run.main(["--into", str(tmp_path), "--only", "00", "01"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if re.match(r"\d\d_", line)]
    assert [line[:2] for line in lines] == ["00", "01"]
    for path in NOTEBOOKS[:2]:
        assert compare(page_of(path).EXPECTED, read_record(tmp_path / path.name)["metrics"]) == []


def test_what_follows_only_still_sets_parameters_and_an_unknown_number_is_refused(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(run, "walk", lambda paths, into, parameters: asked.append((paths, parameters)) or [])
    assert run.main(["--only", "03", "TEST_SHARE=0.1"]) == 0
    assert asked == [([NOTEBOOKS[3]], {"TEST_SHARE": 0.1})]
    assert run.main(["--only", "99"]) == 2 and "no notebook's number" in capsys.readouterr().err


def test_the_walk_is_in_order():
    assert run.find_notebooks() == NOTEBOOKS


@pytest.mark.kernel
def test_one_failure_hides_nothing_and_in_place_it_keeps_the_old_outputs(tmp_path):
    first = page(tmp_path / "in", "01_a.ipynb", "A: int = 2", RECORD, FALSE_CLAIM)
    second = page(tmp_path / "in", "02_b.ipynb", "A: int = 2", RECORD)
    dies = page(tmp_path / "in", "03_c.ipynb", "A: int = 2", "import os\nos._exit(1)")
    before = first.read_bytes()
    pages = run.walk([first, second, dies], None, {})
    assert "not so in this run: A is large" in pages[0].error and "died" in pages[2].error.lower()
    assert pages[1].error == "" and pages[1].metrics == {"value": 3.0}
    text = run.summary(pages)
    assert "FAILED  ClaimFailed" in text and "1 passed, 2 failed" in text
    assert first.read_bytes() == before
    assert sorted(path.name for path in first.parent.iterdir()) == ["01_a.ipynb", "02_b.ipynb", "03_c.ipynb"]
    run.walk([first], tmp_path / "out", {})  # elsewhere, what was executed is kept, to be looked at
    assert "ClaimFailed" in (tmp_path / "out" / "01_a.ipynb").read_text(encoding="utf8")


@pytest.mark.kernel
def test_a_page_that_hangs_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "CELL_SECONDS", 3)
    hangs = page(tmp_path / "in", "02_b.ipynb", "A: int = 2", "import time\ntime.sleep(600)")
    (one,) = run.walk([hangs], tmp_path / "out", {})
    assert "timed out" in one.error.lower()


@pytest.mark.kernel
def test_with_other_parameters_claims_report_and_only_known_names_are_set(tmp_path):
    first = page(tmp_path / "in", "01_a.ipynb", "A: int = 2", FALSE_CLAIM, RECORD)
    second = page(tmp_path / "in", "02_b.ipynb", "B: int = 1", "from helpers.page import record\nrecord(b=B)")
    pages = run.walk([first, second], tmp_path / "out", {"A": 4})
    assert [one.error for one in pages] == ["", ""] and pages[0].metrics == {"value": 6.0}
    assert read_record(tmp_path / "out" / "01_a.ipynb")["parameters"] == {"A": 4}
    assert read_record(tmp_path / "out" / "02_b.ipynb")["parameters"] == {"B": 1}


@pytest.mark.kernel
def test_twice_in_place_gives_the_same_file_without_marks_of_the_machine(tmp_path):
    path = page(tmp_path / "in", "01_a.ipynb", "A: int = 2", RECORD, "import numpy as np\nnp.arange(3)")
    run.walk([path], None, {})
    once = path.read_bytes()
    run.walk([path], None, {})
    assert path.read_bytes() == once
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.language_info == {"name": "python"} and "papermill" not in notebook.metadata
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3]


@pytest.mark.kernel
def test_ctrl_c_stops_the_pages_and_leaves_nothing_half_written(tmp_path):
    begun = tmp_path / "begun"
    cell = f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(600)"
    for name in "abcd":  # more than run at a time
        page(tmp_path / "in", f"01_{name}.ipynb", "A: int = 2", cell)
    code = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"  # what starts with & ignores it
    code += f"from tools import run\nfolder = run.Path({str(tmp_path)!r})\n"
    code += "run.at_a_time = lambda: 2\nrun.walk(run.find_notebooks(folder / 'in'), folder / 'out', {})"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, cwd=ROOT, text=True) as walk:
        try:
            while not begun.exists() and walk.poll() is None:
                time.sleep(0.2)
            walk.send_signal(signal.SIGINT)
            _, said = walk.communicate(timeout=60)
        finally:
            walk.kill()
    assert walk.returncode != 0 and "KeyboardInterrupt" in said
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_disk_that_fills_up_leaves_the_old_notebook_and_nothing_else(tmp_path, monkeypatch):
    path = page(tmp_path / "in", "01_a.ipynb", "A: int = 2")
    before = path.read_bytes()

    def fills_up(notebook, target):
        target.write_text("{")
        raise OSError("No space left on device")

    monkeypatch.setattr(run.nbformat, "write", fills_up)
    with pytest.raises(OSError, match="No space"):
        run._keep(run.Page(path), path, path)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["01_a.ipynb"]


def test_pages_whose_needs_are_not_met_are_left_out_and_named(monkeypatch):
    numbers = lambda left: [path.name[:2] for path in left]
    monkeypatch.setattr(run, "is_cached", lambda name: True)
    assert numbers(run.left_out(NOTEBOOKS, {})) == []
    assert numbers(run.left_out(NOTEBOOKS, {"DATASET": "planted"})) == ["07", "08", "09", "10"]
    monkeypatch.setattr(run, "is_cached", lambda name: name != "gemma")
    assert numbers(run.left_out(NOTEBOOKS, {})) == ["07", "08", "09"]


def test_as_many_pages_at_a_time_as_cores_and_memory_allow(monkeypatch):
    free = lambda gib: lambda: type("Memory", (), {"available": gib * 2**30})
    monkeypatch.setattr(run.os, "cpu_count", lambda: 4)
    for gib, number in ((3, 1), (9, 2), (64, 4)):
        monkeypatch.setattr(run.psutil, "virtual_memory", free(gib))
        assert run.at_a_time() == number


def test_pages_that_run_together_share_the_cores_unless_threads_were_told(tmp_path, monkeypatch):
    asked = []

    class Done:
        """A page that ran at once."""

        returncode = 0

        def __init__(self, command, env, **_):
            asked.append(env["OMP_NUM_THREADS"])

        def communicate(self):
            return "", ""

    monkeypatch.setattr(run.subprocess, "Popen", Done)
    monkeypatch.setattr(run.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(run, "at_a_time", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    paths = [page(tmp_path / "in", f"0{k}_a.ipynb", "A: int = 2") for k in range(3)]
    run.walk(paths, tmp_path, {})
    run.walk(paths[:1], tmp_path, {})
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    run.walk(paths[:1], tmp_path, {})
    assert asked == ["4", "4", "4", "8", "3"]


@pytest.mark.parametrize("word", ["DATASET", "NOTHING=1", "=3"])
def test_unknown_parameters_are_refused(word, capsys):
    assert run.main([word]) == 2
    assert "sets no parameter of these notebooks" in capsys.readouterr().err


def test_parameters_are_read_as_python_values_text_or_paths_from_where_they_are_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    got = run.read_parameters(["SEEDS=5", "RIDGE=0.25", "DATASET=planted"], NOTEBOOKS)
    assert got == {"SEEDS": 5, "RIDGE": 0.25, "DATASET": "planted"}
    assert run.read_parameters(["DATASET=mine.csv"], NOTEBOOKS) == {"DATASET": str(tmp_path / "mine.csv")}
    with pytest.raises(CourseError):
        run.read_parameters(["SEED S=5"], NOTEBOOKS)


def test_in_place_takes_no_parameters(capsys):
    assert run.main(["--in-place", "SEEDS=5"]) == 2
    assert "takes no parameters" in capsys.readouterr().err


def test_the_readme_s_pictures_are_the_notebooks_own_and_all_are_refreshed_together(monkeypatch):
    shown = re.findall(r"\]\(notebooks/(\S+)\.png\)", (ROOT / "README.md").read_text(encoding="utf8"))
    assert sorted(shown) == sorted(run.README_SHOWS)
    written = {}
    monkeypatch.setattr(run.Path, "write_bytes", lambda path, content: written.update({path: content}))
    run.save_pictures()
    assert len(written) == len(shown)
    for path, content in written.items():
        assert path.read_bytes() == content
    monkeypatch.setitem(run.README_SHOWS, "01_four_by_four", "Is it?")
    with pytest.raises(CourseError, match="has no figure"):
        run.save_pictures()
