"""`make run` and `make execute`: the walk executed, stored whole or not at all, and summed up."""

import base64
import re

import nbformat
import pytest
from notebook_files import NOTEBOOKS, ROOT
from test_results import compare

from helpers.course import run
from helpers.course.errors import CourseError


def page(folder, name: str, *sources: str):
    """A small notebook whose first cell holds parameters."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    folder.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / name)
    return folder / name


@pytest.fixture
def restored(monkeypatch):
    """The walk sets how strict claims are; put it back."""
    monkeypatch.setenv("RECSYS_EXPLAINED_CLAIMS", "strict")


RECORD = "from helpers.course.results import record\nrecord(value=A * 1.5)"
FALSE_CLAIM = "from helpers.course.page import claim\nclaim('A is large', [A, A, A], above=5)"


def test_the_whole_walk_gives_the_expected_records(tmp_path, restored, capsys):
    assert run.main(["--into", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "11 passed, 0 failed" in shown and "rmse_bias=0.9355" in shown
    for path in NOTEBOOKS:
        record = run._metrics(nbformat.read(tmp_path / path.name, as_version=4))
        assert compare(path.stem, record) == []


def test_with_planted_ratings_pages_that_read_titles_are_left_out(tmp_path, restored, monkeypatch, capsys):
    pages = [page(tmp_path / "in", f"0{k}_a.ipynb", "DATASET: str = 'x'", "1") for k in (1, 2)]
    reader = nbformat.read(pages[1], as_version=4)
    reader.cells[0].metadata["tags"] = ["parameters", "needs-titles"]
    nbformat.write(reader, pages[1])
    monkeypatch.setattr(run, "find_notebooks", lambda: pages)
    assert run.main(["DATASET=planted", "--into", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "02_a is left out" in shown and "1 passed, 0 failed" in shown
    assert [path.stem for path in NOTEBOOKS if run.needs_titles(path)] == [
        "07_language_models",
        "08_weights_and_activations",
        "09_attention_maps",
        "10_attribution",
    ]


def test_the_walk_is_in_order():
    assert [path.name[:2] for path in run.find_notebooks()] == [path.name[:2] for path in NOTEBOOKS]


def test_a_failing_notebook_is_reported_and_the_walk_goes_on(tmp_path, restored):
    first = page(tmp_path / "in", "01_a.ipynb", "A: int = 2", FALSE_CLAIM)
    second = page(tmp_path / "in", "02_b.ipynb", "A: int = 2", RECORD)
    rows = run.walk([first, second], tmp_path / "out", {})
    assert "not so in this run: A is large" in rows[0]["error"] and rows[1]["error"] is None
    assert rows[1]["metrics"] == {"value": 3.0}
    text = run.summary(rows)
    assert "FAILED  ClaimFailed" in text and "1 passed, 1 failed" in text


def test_in_place_a_failing_notebook_keeps_its_old_outputs(tmp_path, restored):
    path = page(tmp_path / "in", "01_a.ipynb", "A: int = 2", FALSE_CLAIM)
    before = path.read_bytes()
    assert run.walk([path], None, {})[0]["error"]
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["01_a.ipynb"]


def test_a_disk_that_fills_up_leaves_the_old_notebook_and_nothing_else(tmp_path, monkeypatch):
    path = page(tmp_path / "in", "01_a.ipynb", "A: int = 2")
    before = path.read_bytes()

    def fills_up(notebook, target):
        target.write_text("{")
        raise OSError("No space left on device")

    monkeypatch.setattr(run.nbformat, "write", fills_up)
    with pytest.raises(OSError, match="No space"):
        run.save(nbformat.v4.new_notebook(), path)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["01_a.ipynb"]


def test_with_other_parameters_claims_report_and_only_known_names_are_set(tmp_path, restored):
    first = page(tmp_path / "in", "01_a.ipynb", "A: int = 2", FALSE_CLAIM, RECORD)
    second = page(tmp_path / "in", "02_b.ipynb", "B: int = 1", "print(B)")
    rows = run.walk([first, second], tmp_path / "out", {"A": 4})
    assert [row["error"] for row in rows] == [None, None] and rows[0]["metrics"] == {"value": 6.0}


def test_executed_notebooks_carry_no_marks_of_the_machine(tmp_path, restored):
    path = page(tmp_path / "in", "01_a.ipynb", "A: int = 2", RECORD)
    run.walk([path], None, {})
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.language_info == {"name": "python"}
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)
    assert [cell.execution_count for cell in notebook.cells] == [1, 2]


def test_twice_in_place_gives_the_same_file(tmp_path, restored):
    path = page(tmp_path / "in", "01_a.ipynb", "A: int = 2", RECORD, "import numpy as np\nnp.arange(3)")
    run.walk([path], None, {})
    once = path.read_bytes()
    run.walk([path], None, {})
    assert path.read_bytes() == once


@pytest.mark.parametrize("word", ["DATASET", "NOTHING=1", "=3"])
def test_unknown_parameters_are_refused(word, capsys):
    assert run.main([word]) == 2
    assert "sets no parameter of these notebooks" in capsys.readouterr().err


def test_parameters_are_read_as_python_values_or_text():
    got = run.read_parameters(["SEEDS=5", "RIDGE=0.25", "DATASET=planted"], NOTEBOOKS)
    assert got == {"SEEDS": 5, "RIDGE": 0.25, "DATASET": "planted"}
    with pytest.raises(CourseError):
        run.read_parameters(["SEED S=5"], NOTEBOOKS)


def test_a_kernel_that_dies_or_hangs_is_reported(tmp_path, restored, monkeypatch):
    monkeypatch.setattr(run, "CELL_SECONDS", 3)
    dies = page(tmp_path / "in", "01_a.ipynb", "A: int = 2", "import os\nos._exit(1)")
    hangs = page(tmp_path / "in", "02_b.ipynb", "A: int = 2", "import time\ntime.sleep(60)")
    rows = run.walk([dies, hangs], tmp_path / "out", {})
    assert rows[0]["error"].startswith("DeadKernelError: ") and rows[1]["error"].startswith("CellTimeoutError: ")


def test_in_place_takes_no_parameters(capsys):
    assert run.main(["--in-place", "SEEDS=5"]) == 2
    assert "takes no parameters" in capsys.readouterr().err


def test_the_readme_s_pictures_are_the_notebooks_own():
    shown = re.findall(r"\]\((notebooks/\S+\.png)\)", (ROOT / "README.md").read_text(encoding="utf8"))
    assert len(shown) == 4
    for name in shown:
        notebook = nbformat.read((ROOT / name).with_suffix(".ipynb"), as_version=4)
        outputs = [o for c in notebook.cells for o in c.get("outputs", [])]
        pictures = [base64.b64decode(o.data["image/png"]) for o in outputs if "image/png" in o.get("data", {})]
        assert (ROOT / name).read_bytes() in pictures, name
