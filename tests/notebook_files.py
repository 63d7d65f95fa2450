"""The notebooks as the tests see them, and what is said of each in tests/pages/."""

import ast
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import torch

from tools.results import number_of

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def read(path: Path) -> nbformat.NotebookNode:
    """One notebook."""
    return nbformat.read(path, as_version=4)


def page_of(path: Path) -> ModuleType:
    """What tests/pages/ says of a notebook."""
    sys.path[:0] = [folder for folder in [str(ROOT / "tests" / "pages")] if folder not in sys.path]
    return import_module(f"page_{number_of(path)}")


def tags(cell) -> list[str]:
    """The tags of a cell."""
    return cell.metadata.get("tags", [])


def code_cells(notebook) -> list:
    """Its code cells that hold something."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def prose(notebook) -> str:
    """All its Markdown."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def definitions(number: str, **given) -> SimpleNamespace:
    """The functions and classes that a notebook defines, exercises apart; what they use besides must be given."""
    (path,) = (path for path in NOTEBOOKS if number_of(path) == number)
    space = {"np": np, "pd": pd, "torch": torch, "nn": torch.nn, **given}
    for cell in code_cells(read(path)):
        if "exercise" not in tags(cell):
            body = ast.parse(cell.source).body
            defined = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
            exec("from __future__ import annotations\n" + "\n".join(map(ast.unparse, defined)), space)
    return SimpleNamespace(**space)
