"""Execute the walk, several notebooks at a time.

python -m tools.run                       into build/run/ (this is `make run`)
python -m tools.run DATASET=planted       with another parameter, for the notebooks that have it
python -m tools.run --in-place            where they lie (this is `make execute`)
"""

import argparse
import ast
import base64
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
import yaml
from tqdm import tqdm

from helpers.errors import CourseError
from helpers.fetch import is_cached, written_whole
from helpers.page import STRICT
from tools.results import number_of, parameters_of, read_record

ROOT = Path(__file__).resolve().parents[1]
CELL_SECONDS = 600
FILES = ("DATASET", "ITEMS", "LISTS_OUT")  # parameters that may be paths
PAGE_MEMORY = 4 * 2**30  # bytes that one page may need
README_SHOWS = {
    "01_four_by_four": "Do perfect fits agree on the films nobody has rated?",
    "08_weights_and_activations": "What must go for lists to forget the user's taste?",
    "09_attention_maps": "Does attention find the cause?",
    "10_attribution": "Which explanations agree?",
}
LONGEST_FIRST = ("04", "06", "10", "08", "05", "07", "04b", "09")  # of the walk as it is; the others are short


@dataclass
class Page:
    """A notebook of the walk, and what came of it."""

    path: Path
    seconds: float = 0.0
    error: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)


def find_notebooks(folder: Path = ROOT / "notebooks") -> list[Path]:
    """The walk in its order."""
    return sorted(folder.glob("[0-9][0-9]*_*.ipynb"))


def at_a_time() -> int:
    """How many pages the machine can take: one a core, and each with its memory."""
    by_memory = psutil.virtual_memory().available // PAGE_MEMORY
    return max(1, min(os.cpu_count() or 1, by_memory))


def walk(notebooks: list[Path], into: Path | None, parameters: dict[str, Any]) -> list[Page]:
    """Execute notebooks, the longest first; `into` is a folder, or None for where they lie.

    A failure is reported and the walk goes on; in place, a notebook that fails keeps its old outputs. Interrupted, it
    stops the pages that run, and leaves what was finished.
    """
    pages = [Page(path) for path in notebooks]
    rank = {number: place for place, number in enumerate(LONGEST_FIRST)}
    order = sorted(pages, key=lambda page: rank.get(number_of(page.path), len(rank)))
    together = max(1, min(at_a_time(), len(pages)))
    running: dict[str, subprocess.Popen] = {}
    stopped = threading.Event()
    with tempfile.TemporaryDirectory() as folder, tqdm(total=len(pages), unit="page", disable=None) as bar:

        def run(page: Page) -> None:
            """One page, from its start to its place."""
            begun = time.perf_counter()
            done = Path(folder) / page.path.name
            page.error = execute(page.path, done, parameters, running, bar, together)
            page.seconds = time.perf_counter() - begun
            if stopped.is_set():
                return
            if done.exists() and not (page.error and into is None):
                try:
                    _keep(page, done, page.path if into is None else into / page.path.name)
                except (CourseError, OSError) as error:
                    page.error = str(error)
            bar.update()

        pool = ThreadPoolExecutor(together)
        try:
            list(pool.map(run, order))
        except BaseException:  # Ctrl-C
            stopped.set()
            for process in list(running.values()):
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
    return pages


def execute(
    path: Path,
    done: Path,
    parameters: dict[str, Any],
    running: dict,
    bar: tqdm,
    together: int = 1,
) -> str:
    """Run papermill on one page, in the page's folder and in a process of its own; returns why it failed, or "".

    Pages that run `together` share the cores: with a thread for every core in each, they mostly wait for one another.
    """
    own = {name: value for name, value in parameters.items() if name in parameters_of(path)}
    command = [sys.executable, "-m", "papermill", str(path), str(done), "--cwd", str(path.parent)]
    command += ["--kernel", "python3"]
    command += ["--no-progress-bar", "--log-level", "ERROR", "--execution-timeout", str(CELL_SECONDS)]
    command += ["--parameters_yaml", yaml.safe_dump(own)] if own else []
    strictness = {STRICT: "report" if parameters else "strict"}
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // together))}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                               env=threads | os.environ | strictness)  # fmt: skip
    running[done.stem] = process
    bar.set_postfix_str(", ".join(running))
    _, said = process.communicate()
    del running[done.stem]
    bar.set_postfix_str(", ".join(running))
    return _sentence(done, said) if process.returncode else ""


def _sentence(done: Path, said: str) -> str:
    """One line that says why a notebook failed."""
    if "CellTimeoutError" in said:
        return f"CellTimeoutError: a cell timed out, after {CELL_SECONDS} s."
    if done.exists():
        for cell in nbformat.read(done, as_version=4).cells:
            for output in cell.get("outputs", []):
                if output.output_type == "error":
                    return f"{output.ename}: {output.evalue}"
    lines = [line for line in said.strip().splitlines() if line.strip()] or ["the process ended without a word"]
    return " ".join(lines[-1].split())[:300]


def _keep(page: Page, done: Path, place: Path) -> None:
    """Move an executed notebook to its place whole, and read its figures."""
    notebook = tidy(nbformat.read(done, as_version=4))
    with written_whole(place) as half:
        nbformat.write(notebook, half)
    if not page.error:
        page.metrics = read_record(place)["metrics"]


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what differs between machines and says nothing: language version, kernel's and papermill's marks."""
    parameters = notebook.metadata.get("papermill", {}).get("parameters")
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    if parameters:
        notebook.metadata["papermill"] = {"parameters": parameters}
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {})
    return notebook


def has_tag(path: Path, tag: str) -> bool:
    """Whether a cell of the notebook carries a tag."""
    return any(tag in cell.metadata.get("tags", []) for cell in nbformat.read(path, as_version=4).cells)


def left_out(notebooks: list[Path], parameters: dict[str, Any]) -> dict[Path, str]:
    """Notebooks that cannot run here, and why."""
    why = {}
    for path in notebooks:
        if parameters.get("DATASET") == "planted" and has_tag(path, "needs-titles"):
            why[path] = "planted items have no titles to read"
        elif has_tag(path, "needs-language-models") and not (is_cached("minilm") and is_cached("gemma")):
            why[path] = "the language models are not in the cache (`make data` says why)"
    return why


def save_pictures() -> None:
    """Copy the figures that the README shows out of the stored notebooks."""
    for page, title in README_SHOWS.items():
        path = ROOT / "notebooks" / f"{page}.ipynb"
        outputs = [o for cell in nbformat.read(path, as_version=4).cells for o in cell.get("outputs", [])]
        pictures = [o.data["image/png"] for o in outputs if o.get("data", {}).get("text/plain") == f"[figure: {title}]"]
        if not pictures:
            raise CourseError(f"{path.name} has no figure {title!r}, which the README shows: mend README_SHOWS.")
        path.with_suffix(".png").write_bytes(base64.b64decode(pictures[0]))


def summary(pages: list[Page]) -> str:
    """A table of notebooks, seconds and headline figures, in the order of the walk."""
    lines = [f"{'notebook':<30}{'seconds':>8}  headline figures"]
    for page in pages:
        figures = [f"{n}={v:.4g}" if isinstance(v, float) else f"{n}={v}" for n, v in page.metrics.items()]
        shown = f"FAILED  {page.error}" if page.error else " ".join(figures)
        first, *rest = textwrap.wrap(shown, 76) or [""]
        lines.append(f"{page.path.stem:<30}{page.seconds:>8.1f}  {first}")
        lines += [" " * 40 + line for line in rest]
    failed = sum(bool(page.error) for page in pages)
    return "\n".join([*lines, f"{len(pages) - failed} passed, {failed} failed."])


def read_parameters(words: list[str], notebooks: list[Path]) -> dict[str, Any]:
    """NAME=VALUE words as values; a path is taken from where it was typed.

    Raises:
        CourseError: a word that is no NAME=VALUE, or a name that no notebook has.
    """
    known = sorted({name for path in notebooks for name in parameters_of(path)})
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
            is_path = (name in FILES and "." in text) or Path(text).exists()  # the id of a hub, owner/model.1, is none
            values[name] = str(Path(text).resolve()) if is_path else text
    return values


def main(arguments: list[str] | None = None) -> int:
    """Run the walk from the command line; 1 if a notebook failed, 2 if it could not begin."""
    parser = argparse.ArgumentParser(prog="python -m tools.run", description="Execute the notebooks.")
    parser.add_argument("parameters", nargs="*", metavar="NAME=VALUE", help="for every notebook that has it")
    parser.add_argument("--in-place", action="store_true", help="store the outputs in the notebooks themselves")
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "run", help="folder for the executed notebooks")
    parser.add_argument("--only", nargs="*", default=[], metavar="NN", help="numbers of the notebooks to run")
    chosen = parser.parse_args(arguments)
    numbers = [word for word in chosen.only if "=" not in word]
    told = chosen.parameters + [word for word in chosen.only if "=" in word]  # what was meant for every notebook
    notebooks = [path for path in find_notebooks() if not numbers or number_of(path) in numbers]
    try:
        if len(notebooks) < len(set(numbers)):
            raise CourseError(f"--only {' '.join(numbers)}: some of these are no notebook's number, such as 03.")
        parameters = read_parameters(told, notebooks)
        if chosen.in_place and parameters:
            raise CourseError("--in-place stores the page as published, so it takes no parameters: use --into.")
    except CourseError as error:
        print(error, file=sys.stderr)
        return 2
    not_here = left_out(notebooks, parameters)
    begun = time.perf_counter()
    here = [path for path in notebooks if path not in not_here]
    pages = walk(here, None if chosen.in_place else chosen.into, parameters)
    print(summary(pages))
    for path, why in not_here.items():
        print(f"{path.stem} was left out: {why}.")
    print(f"{time.perf_counter() - begun:.0f} s, {at_a_time()} at a time.")
    failed = any(page.error for page in pages)
    if chosen.in_place and not failed:
        save_pictures()
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
