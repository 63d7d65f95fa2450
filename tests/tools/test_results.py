"""Headline figures read back out of notebooks, as JSON lines."""

import json

import nbformat
import pytest
from notebook_files import NOTEBOOKS

from tools import results


def test_command_prints_one_json_object_a_notebook(capsys):
    assert results.main(list(map(str, NOTEBOOKS))) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["notebook"] for line in lines] == [path.stem for path in NOTEBOOKS]
    assert all(set(line) == {"notebook", "parameters", "metrics"} for line in lines)
    assert lines[3]["parameters"]["DATASET"] == "movielens-100k"


def test_command_names_what_it_cannot_read_and_goes_on(tmp_path, capsys):
    (tmp_path / "broken.ipynb").write_text("{")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "empty.ipynb")
    asked = [tmp_path / "broken.ipynb", tmp_path / "empty.ipynb", tmp_path / "none.ipynb", NOTEBOOKS[1]]
    assert results.main(list(map(str, asked))) == 1
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 1
    assert "is not a notebook" in shown.err and "holds no record" in shown.err and "does not exist" in shown.err
    assert results.main([]) == 2


@pytest.mark.parametrize("injected", [{}, {"A": 7}])
def test_injected_parameters_replace_the_defaults(injected, tmp_path):
    cell = nbformat.v4.new_code_cell("A: int = 1  # one\nB: str = 'x'", metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    notebook.metadata["papermill"] = {"parameters": injected}
    nbformat.write(notebook, tmp_path / "page.ipynb")
    assert results.parameters_of(tmp_path / "page.ipynb") == {"A": 1, "B": "x"} | injected
