"""Execute the walk, one notebook after another.

python -m helpers.course.run                       into build/run/ (this is `make run`)
python -m helpers.course.run DATASET=planted       with another parameter, for the notebooks that have it
python -m helpers.course.run --in-place            where they lie (this is `make execute`)
"""

import argparse
import ast
import base64
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from tqdm import tqdm

from helpers.course.errors import CourseError
from helpers.course.page import STRICT
from helpers.course.results import MIME, parameters_of

ROOT = Path(__file__).resolve().parents[2]
CELL_SECONDS = 600
FAILURES = (CellExecutionError, CellTimeoutError, DeadKernelError)


def find_notebooks(folder: Path = ROOT / "notebooks") -> list[Path]:
    """The walk in its order."""
    return sorted(folder.glob("[0-9][0-9]_*.ipynb"))


def execute(path: Path, parameters: dict[str, Any]) -> nbformat.NotebookNode:
    """Run one notebook in a fresh kernel, in its own folder, with a bar over its cells.

    Raises:
        one of FAILURES: when a cell fails or takes too long; its attribute `notebook` is what had been executed
    """
    notebook = load_notebook_node(str(path))
    own = {name: value for name, value in parameters.items() if name in parameters_of(notebook)}
    if own:
        notebook = parameterize_notebook(notebook, own, kernel_name="python3", language="python")
    with tqdm(total=len(notebook.cells), desc=path.stem, unit="cell", file=sys.stderr) as bar:
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": str(path.parent)}},
            on_cell_start=lambda **_: bar.update(),
        )
        try:
            client.execute(stderr=subprocess.DEVNULL)  # what the kernel itself says of its ports
        except FAILURES as error:
            error.notebook = notebook
            raise
    return tidy(notebook)


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what differs between machines and says nothing: language version, papermill's and kernel's marks."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {})
    return notebook


def needs_titles(path: Path) -> bool:
    """Whether a notebook lets a language model read the titles of films, which planted ones have not."""
    return any("needs-titles" in c.metadata.get("tags", []) for c in nbformat.read(path, as_version=4).cells)


def save(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    try:
        nbformat.write(notebook, half)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def save_picture(page: str = "01_four_by_four", title: str = "Do perfect fits agree") -> None:
    """Copy one figure out of a stored notebook, for the README."""
    path = ROOT / "notebooks" / f"{page}.ipynb"
    outputs = [o for c in nbformat.read(path, as_version=4).cells for o in c.get("outputs", [])]
    pictures = [o.data["image/png"] for o in outputs if title in o.get("data", {}).get("text/plain", "")]
    path.with_suffix(".png").write_bytes(base64.b64decode(pictures[0]))


def walk(notebooks: list[Path], into: Path | None, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Execute notebooks; `into` is a folder, or None for where they lie. A failure is reported and the walk goes on.

    In place, a notebook that fails keeps its old outputs.
    """
    os.environ[STRICT] = "report" if parameters else "strict"
    rows = []
    for path in notebooks:
        begun, error = time.perf_counter(), None
        try:
            notebook = execute(path, parameters)
            save(notebook, path if into is None else into / path.name)
        except FAILURES as failed:
            notebook, error = failed.notebook, _sentence(failed)
            if into is not None:
                save(notebook, into / path.name)
        rows.append(
            {
                "notebook": path.stem,
                "seconds": time.perf_counter() - begun,
                "error": error,
                "metrics": _metrics(notebook),
            }
        )
    return rows


def _sentence(failed: Exception) -> str:
    """One line that says why a notebook failed."""
    if isinstance(failed, CellExecutionError):
        return f"{failed.ename}: {failed.evalue}"
    return f"{type(failed).__name__}: {' '.join(str(failed).split())[:200]}"


def _metrics(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return next((dict(o.data[MIME]) for o in reversed(outputs) if MIME in o.get("data", {})), {})


def summary(rows: list[dict[str, Any]]) -> str:
    """A table of notebooks, seconds and headline figures."""
    lines = [f"{'notebook':<24}{'seconds':>8}  headline figures"]
    for row in rows:
        figures = [f"{n}={v:.4g}" if isinstance(v, float) else f"{n}={v}" for n, v in row["metrics"].items()]
        shown = f"FAILED  {row['error']}" if row["error"] else " ".join(figures)
        first, *rest = textwrap.wrap(shown, 76) or [""]
        lines.append(f"{row['notebook']:<24}{row['seconds']:>8.1f}  {first}")
        lines += [" " * 34 + line for line in rest]
    failed = sum(bool(row["error"]) for row in rows)
    lines.append(f"{len(rows) - failed} passed, {failed} failed, {sum(row['seconds'] for row in rows):.0f} s in all.")
    return "\n".join(lines)


def read_parameters(words: list[str], notebooks: list[Path]) -> dict[str, Any]:
    """NAME=VALUE words as values; unknown names are refused.

    Raises:
        CourseError: a word that is no NAME=VALUE, or a name that no notebook has.
    """
    known = sorted({name for path in notebooks for name in parameters_of(nbformat.read(path, as_version=4))})
    values = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or name not in known:
            raise CourseError(
                f"{word!r} sets no parameter of these notebooks: write NAME=VALUE with one of {', '.join(known)}."
            )
        try:
            values[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            values[name] = text
    return values


def main(arguments: list[str] | None = None) -> int:
    """Run the walk from the command line; 1 if a notebook failed, 2 if it could not begin."""
    parser = argparse.ArgumentParser(prog="python -m helpers.course.run", description="Execute the notebooks in order.")
    parser.add_argument(
        "parameters", nargs="*", metavar="NAME=VALUE", help="a parameter for every notebook that has it"
    )
    parser.add_argument("--in-place", action="store_true", help="store the outputs in the notebooks themselves")
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "run", help="folder for the executed notebooks")
    parser.add_argument("--only", nargs="*", default=[], metavar="NN", help="numbers of the notebooks to run")
    chosen = parser.parse_args(arguments)
    notebooks = [path for path in find_notebooks() if not chosen.only or path.name[:2] in chosen.only]
    try:
        parameters = read_parameters(chosen.parameters, notebooks)
        if chosen.in_place and parameters:
            raise CourseError(
                "--in-place stores the page as published, so it takes no parameters: use --into for those."
            )
    except CourseError as error:
        print(error, file=sys.stderr)
        return 2
    if parameters.get("DATASET") == "planted":
        left_out = [path for path in notebooks if needs_titles(path)]
        notebooks = [path for path in notebooks if path not in left_out]
        print(f"Planted items have no titles to read, so {', '.join(p.stem for p in left_out) or 'none'} is left out.")
    rows = walk(notebooks, None if chosen.in_place else chosen.into, parameters)
    if chosen.in_place:
        save_picture()
    print(summary(rows))
    return int(any(row["error"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
