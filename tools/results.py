"""A notebook's parameters and headline figures, one line of JSON each.

python -m tools.results notebooks/*.ipynb
"""

import ast
import json
import sys
from pathlib import Path
from typing import Any

import nbformat
import papermill

from helpers.errors import CourseError
from helpers.page import RECORD


def number_of(path: Path) -> str:
    """The number of a notebook, such as 03 or 04b, by its name."""
    return path.stem.partition("_")[0]


def read_record(path: Path) -> dict[str, Any]:
    """`{"notebook", "parameters", "metrics"}` of one executed notebook.

    Raises:
        CourseError: if the file is no notebook, or holds no record.
    """
    if not path.is_file():
        raise CourseError(f"{path} does not exist: name an executed notebook.")
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:
        raise CourseError(f"{path} is not a notebook ({str(error)[:80]}): name an executed .ipynb file.") from None
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    records = [output.data[RECORD] for output in outputs if RECORD in output.get("data", {})]
    if not records:
        raise CourseError(f"{path} holds no record: execute it first, with `make run` or `make execute`.")
    return {"notebook": path.stem, "parameters": parameters_of(path), "metrics": records[-1]}


def parameters_of(path: Path) -> dict[str, Any]:
    """The values of the parameters cell, replaced by those that papermill injected."""
    known = papermill.inspect_notebook(str(path))
    values = {name: ast.literal_eval(about["default"]) for name, about in known.items()}
    injected = nbformat.read(path, as_version=4).metadata.get("papermill", {}).get("parameters", {})
    return values | dict(injected)


def main(paths: list[str]) -> int:
    """Print one JSON object a line; notebooks without a record are named on stderr."""
    if not paths:
        print("usage: python -m tools.results NOTEBOOK.ipynb ...", file=sys.stderr)
        return 2
    failed = 0
    for path in paths:
        try:
            print(json.dumps(read_record(Path(path))))  # ASCII, which every console can print
        except CourseError as error:
            print(error, file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
