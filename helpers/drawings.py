"""Shapes of which pages draw their mechanisms: tables of numbers, signs between them, arrows.

Places are (x, y) in cells of a table, y downwards.
"""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from helpers.figures import INK, PALETTE, QUIET, WIDTH

CELL = 0.42  # inches of a cell, where the drawing is not wider than the house's figures

Place = tuple[float, float]


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty drawing, so many cells wide and high."""
    cell = min(CELL, WIDTH / width)
    fig = Figure(figsize=(WIDTH, cell * height + 0.45), layout="constrained")
    ax = fig.subplots()
    middle, half = width / 2, max(width, WIDTH / cell) / 2
    ax.set(xlim=(middle - half, middle + half), ylim=(height, 0), aspect="equal")
    ax.axis("off")
    return fig, ax


def table(
    ax: Axes,
    values: np.ndarray,
    at: Place,
    *,
    name: str = "",
    lit: np.ndarray | None = None,
    colour: int = 0,
    numbers: str = ".3g",
    rows: list[str] | None = None,
    columns: list[str] | None = None,
) -> None:
    """A table of numbers with its upper left corner at a place; cells that are NaN stay empty.

    Args:
        name: stands above
        lit: truth values in the shape of the table; these cells are shaded
        colour: of the shade, a place in the house's palette
        numbers: the format of each
        rows: names left of the table
        columns: names above it
    Shapes: values (m, n)
    """
    x, y = at
    frame = pd.DataFrame(values)
    letter = 8.5 * min(1.0, WIDTH / np.ptp(ax.get_xlim()) / 0.32)  # so that numbers fit a cell
    for (i, j), value in np.ndenumerate(frame.to_numpy(dtype=float)):
        is_lit = lit is not None and bool(lit[i, j])
        face = PALETTE[colour] if is_lit else "white"
        ax.add_patch(Rectangle((x + j, y + i), 1, 1, fc=face, ec=QUIET, lw=0.8, alpha=0.35 if is_lit else 1))
        if np.isfinite(value):
            ax.text(x + j + 0.5, y + i + 0.52, format(value, numbers), ha="center", va="center", fontsize=letter)
    m, n = frame.shape
    ax.add_patch(Rectangle((x, y), n, m, fill=False, ec=INK, lw=1))
    for i, row in enumerate(rows or []):
        ax.text(x - 0.15, y + i + 0.52, row, ha="right", va="center", fontsize=8.5)
    for j, column in enumerate(columns or []):
        ax.text(x + j + 0.5, y - 0.15, column, ha="center", va="bottom", fontsize=8.5)
    if name:
        above = 0.2 if not columns else 0.85
        ax.text(x + n / 2, y - above, name, ha="center", va="bottom", fontsize=9.5, fontweight="bold")


def sign(ax: Axes, at: Place, text: str, *, size: float = 12, ha: str = "center", colour: str = INK) -> None:
    """A sign or a word, its middle at a place."""
    ax.text(*at, text, ha=ha, va="center", fontsize=size, color=colour)


def arrow(ax: Axes, start: Place, end: Place, *, bend: float = 0.0, colour: str = INK) -> None:
    """From one place to another."""
    line = FancyArrowPatch(
        start, end, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", mutation_scale=11, color=colour, lw=1.2
    )
    ax.add_patch(line)


def equation(*parts: str | tuple, numbers: str = ".1f") -> Figure:
    """Tables and signs side by side, as a formula is written; every table has a colour of its own.

    Args:
        parts: signs, and tables as (name, values) or (name, values, lit); lit: truth values, or None for the whole
        numbers: the format of each number
    """
    tables = [part for part in parts if not isinstance(part, str)]
    high = max(np.shape(part[1])[0] for part in tables)
    widths = [1.0 + 0.3 * len(part) if isinstance(part, str) else np.shape(part[1])[1] for part in parts]
    fig, ax = sheet(sum(widths), high + 1.4)
    x, colour = 0.0, 0
    for part, width in zip(parts, widths, strict=True):
        if isinstance(part, str):
            sign(ax, (x + width / 2, 1.2 + high / 2), part, size=11 if len(part) < 3 else 9)
        else:
            values = np.asarray(part[1], dtype=float)
            lit = np.full(values.shape, True) if len(part) == 2 else part[2]
            top = 1.2 + (high - len(values)) / 2
            table(ax, values, (x, top), name=part[0], lit=lit, colour=colour, numbers=numbers)
            colour += 1
        x += width
    return fig


def chain(ax: Axes, boxes: Sequence[tuple[str, str]], at: Place, width: float, *, lit: Collection[str] = ()) -> None:
    """Boxes from left to right, joined by arrows: the name of each, and below it the shape of what it gives.

    Args:
        boxes: (name, shape); a name may have two lines
        at: the upper left corner; the chain is `width` cells wide
        lit: names of the boxes to shade
    """
    x, y = at
    step = width / len(boxes)
    for place, (name, shape) in enumerate(boxes):
        left = x + place * step
        is_lit = name in lit
        face = PALETTE[1] if is_lit else "white"
        ax.add_patch(Rectangle((left, y), step * 0.78, 1.5, fc=face, ec=INK, lw=1, alpha=0.35 if is_lit else 1))
        sign(ax, (left + step * 0.39, y + 0.76), name, size=8.5)
        sign(ax, (left + step * 0.39, y + 1.95), shape, size=7.5, colour=QUIET)
        if place:
            arrow(ax, (left - step * 0.22, y + 0.75), (left, y + 0.75))


def transformer(*, n_items: int, length: int, dim: int, heads: int, layers: int, lit: Collection[str] = ()) -> Figure:
    """The transformer of notebook 06 for histories: the whole model above, one block of it opened below.

    Args:
        lit: names of the boxes to shade, such as "attention", with their line breaks
    """
    states = f"({length}, {dim})"
    blocks = ["block 1", "block 2"][:layers] if layers < 3 else ["block 1", "…", f"block {layers}"]
    whole = [("history", f"({length},)"), ("item vectors\n+ positions", states), *((name, states) for name in blocks)]
    whole += [("norm", states), ("times item\nvectors", f"({length}, {n_items:,})")]
    of_head = f"{heads} × ({length}, {dim // heads})"
    opened = [("norm", states), ("queries, keys\nand values", f"3 × {of_head}"), ("attention", of_head)]
    opened += [("mix heads,\nadd", states), ("norm", states), ("network,\nadd", states)]
    fig, ax = sheet(20, 6.8)
    chain(ax, whole, (0.4, 0.2), 20, lit=lit)
    chain(ax, opened, (0.4, 4.3), 20, lit=lit)
    for begin, end in ((0, 3), (3, 5)):  # past what is added to what came in
        places = (0.4 + 20 / 6 * begin + (0 if begin == 0 else 1.3), 0.4 + 20 / 6 * end + 1.3)
        arrow(ax, (places[0], 4.2), (places[1], 4.25), bend=-0.12, colour=QUIET)
    sign(ax, (0.4, 2.9), "inside a block", size=9, ha="left")
    return fig
