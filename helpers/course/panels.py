"""Figures of the pages that look inside models: heat maps, clouds of points and bars, several beside each other."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from helpers.course.figures import INK, PALETTE, QUIET, canvas, set_title, show

NAMED = 24  # rows and columns up to which a heat map names them


def heat_maps(
    tables: Mapping[str, pd.DataFrame],
    *,
    title: str,
    caption: str,
    columns: int | None = None,
    height: float = 3.0,
    signed: bool = False,
    numbers: bool = False,
    scale: str = "",
    ylabel: str = "",
    xlabel: str = "",
) -> None:
    """Tables as shades, one scale for all panels, `columns` of them side by side.

    Args:
        height: of a row of panels, inches
        signed: the scale has a meaningful 0 in its middle; else it begins at 0
        numbers: every cell is annotated
        scale: what a shade means; then a colour bar is drawn
    """
    columns = columns or len(tables)
    fig, axes = canvas(height * -(-len(tables) // columns) + 0.6, columns, rows=-(-len(tables) // columns))
    top = max(np.nanmax(np.abs(table.to_numpy())) for table in tables.values())
    shades = {"cmap": "vlag", "vmin": -top, "vmax": top} if signed else {"cmap": "mako_r", "vmin": 0, "vmax": top}
    first = next(iter(tables.values()))
    for place, (ax, (name, table)) in enumerate(zip(axes, tables.items())):
        named, few = len(table) <= NAMED, max(table.shape) <= NAMED
        mesh = sns.heatmap(
            table, ax=ax, cbar=False, annot=numbers, fmt=".2f", annot_kws={"fontsize": 8}, linewidths=0.6 * few,
            xticklabels=few, yticklabels=named and not (place % columns and table.index.equals(first.index)), **shades,
        ).collections[0]  # fmt: skip
        ax.set_xlabel(xlabel)
        ax.set_ylabel(ylabel if place % columns == 0 else "")
        ax.tick_params(length=0, labelsize=8.5)
        ax.tick_params(axis="y", rotation=0)
        ax.tick_params(axis="x", rotation=60 if few and table.columns.map(lambda c: len(str(c))).max() > 3 else 0)
        ax.set_title(name, loc="left", fontsize=10)
    for ax in axes[len(tables) :]:
        ax.axis("off")
    if scale:
        fig.colorbar(mesh, ax=list(axes), label=scale, shrink=0.8, aspect=30, pad=0.02)
    set_title(fig, title)
    show(fig, caption)


def clouds(
    panels: Mapping[str, tuple[np.ndarray, Mapping[str, np.ndarray]]],
    *,
    title: str,
    caption: str,
    xlabel: str = "",
    ylabel: str = "",
    log: str = "",
    ticks: bool = True,
    line: bool = False,
    height: float = 3.2,
) -> None:
    """Points, groups of them in colours, the others grey; several panels. `line` draws where both axes are equal.

    Shapes: each panel points (n, 2), and groups (n,) of truth values or nothing. `log` is "", "x", "y" or "xy".
    """
    fig, axes = canvas(height, len(panels))
    for ax, (name, (points, groups)) in zip(axes, panels.items(), strict=True):
        rest = ~np.any([*groups.values()], axis=0) if groups else np.ones(len(points), dtype=bool)
        ax.scatter(*points[rest].T, s=6, color=QUIET if groups else PALETTE[0], alpha=0.45, lw=0)
        for colour, (label, inside) in zip(PALETTE, groups.items()):
            ax.scatter(*points[inside].T, s=12, color=colour, alpha=0.8, lw=0, label=label)
        if line:
            ends = [points.min(), points.max()]
            ax.plot(ends, ends, color=INK, lw=1, ls=":", zorder=0)
        ax.set(xlabel=xlabel, xscale="log" if "x" in log else "linear", yscale="log" if "y" in log else "linear")
        for axis, how in ((ax.xaxis, "x"), (ax.yaxis, "y")):
            if how in log:  # plain numbers instead of powers of ten
                axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.set_major_formatter("{x:g}")
                axis.set_minor_locator(NullLocator())
        if not ticks:
            ax.set(xticks=[], yticks=[])
        ax.set_title(name, loc="left", fontsize=10)
    axes[0].set_ylabel(ylabel)
    if axes[0].get_legend_handles_labels()[0]:
        fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False,
                   labelcolor="linecolor", handletextpad=0.1, fontsize=9.5, markerscale=1.6)  # fmt: skip
    set_title(fig, title)
    show(fig, caption)


def bars(
    panels: Mapping[str, pd.Series],
    *,
    title: str,
    caption: str,
    xlabel: str,
    errors: Mapping[str, pd.Series] | None = None,
) -> None:
    """Signed values as bars from 0, one row a name, the same rows in all panels; `errors` are half-widths."""
    first = next(iter(panels.values()))
    fig, axes = canvas(0.25 * len(first) + 1.2, len(panels), sharey=True)
    for ax, (name, values) in zip(axes, panels.items(), strict=True):
        _draw_bars(ax, values, None if errors is None else errors.get(name))
        ax.set_xlabel(xlabel)
        ax.set_title(name, loc="left", fontsize=10)
    axes[0].set(yticks=range(len(first)), yticklabels=first.index, ylim=(len(first) - 0.4, -0.6))
    set_title(fig, title)
    show(fig, caption)


def _draw_bars(ax: Axes, values: pd.Series, error: pd.Series | None) -> None:
    colours = np.where(values >= 0, PALETTE[0], PALETTE[1])
    ax.barh(np.arange(len(values)), values, height=0.7, color=colours, xerr=error,
            error_kw={"ecolor": INK, "lw": 1, "capsize": 2})  # fmt: skip
    ax.axvline(0, color=INK, lw=0.8)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0, labelsize=8.5)
