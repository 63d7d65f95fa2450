"""A notebook's headline figures: recorded in its own output, read back as JSON lines.

python -m helpers.course.results notebooks/*.ipynb
"""

import ast
import json
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from IPython.display import display

from helpers.course.errors import CourseError

MIME = "application/vnd.recsys-explained.record+json"


Figure = float | int | bool | str | None


def record(**metrics: Figure) -> None:
    """Store a notebook's headline figures in the output of the cell that calls this.

    None stands for a figure that these data or parameters do not have.

    Raises:
        CourseError: if a figure is not one finite number, a truth value, a string or None.
    """
    plain = {name: _plain(name, value) for name, value in metrics.items()}
    width = max(map(len, plain), default=0)
    text = "\n".join(f"{name:<{width}}  {_shown(value)}" for name, value in plain.items())
    display({MIME: plain, "text/plain": text}, raw=True)


def _plain(name: str, value: Any) -> Figure:
    value = value.item() if hasattr(value, "item") and np.size(value) == 1 else value
    good = value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and np.isfinite(value))
    if not good:
        raise CourseError(f"record: {name} = {value!r} is not one finite number, a truth value, a string or None.")
    return value


def _shown(value: Figure) -> str:
    if value is None:
        return "not in these data"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def read_record(path: Path) -> dict[str, Any]:
    """`{"notebook", "parameters", "metrics"}` of one executed notebook.

    Raises:
        CourseError: if the file is no notebook, or holds no record.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise CourseError(f"{path} does not exist: name an executed notebook.") from None
    except Exception as error:
        raise CourseError(f"{path} is not a notebook ({str(error)[:80]}): name an executed .ipynb file.") from None
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    records = [output.data[MIME] for output in outputs if MIME in output.get("data", {})]
    if not records:
        raise CourseError(f"{path} holds no record: execute it first, with `make run` or `make execute`.")
    return {"notebook": path.stem, "parameters": parameters_of(notebook), "metrics": records[-1]}


def parameters_of(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """The values of the parameters cell, replaced by those that papermill injected."""
    values: dict[str, Any] = {}
    for tag in ("parameters", "injected-parameters"):
        for cell in notebook.cells:
            if tag in cell.metadata.get("tags", []):
                values |= _assignments(cell.source)
    return values


def _assignments(source: str) -> dict[str, Any]:
    found = {}
    for node in ast.parse(source).body:
        target = (
            node.target
            if isinstance(node, ast.AnnAssign)
            else node.targets[0]
            if isinstance(node, ast.Assign)
            else None
        )
        if isinstance(target, ast.Name) and node.value is not None:
            found[target.id] = ast.literal_eval(node.value)
    return found


def main(paths: list[str]) -> int:
    """Print one JSON object a line; notebooks without a record are named on stderr."""
    if not paths:
        print("usage: python -m helpers.course.results NOTEBOOK.ipynb ...", file=sys.stderr)
        return 2
    failed = False
    for path in paths:
        try:
            print(json.dumps(read_record(Path(path)), ensure_ascii=False))
        except CourseError as error:
            print(error, file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
