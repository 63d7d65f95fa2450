"""The figures that pages share: one palette, one width, a PNG of fixed size, and under it a caption as text."""

import io
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

INK, QUIET = "#222222", "#8c8c8c"
PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]  # Okabe and Ito, 2008
WIDTH, DPI = 7.0, 144
NAMED = 24  # rows and columns up to which a heat map names them
STYLE: dict[Any, Any] = {
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": INK, "axes.labelcolor": INK,
    "axes.titlelocation": "left", "axes.titlesize": 10, "axes.labelsize": 10, "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5, "text.color": INK, "xtick.color": INK, "ytick.color": INK, "font.family": "DejaVu Sans",
    "figure.facecolor": "white", "savefig.facecolor": "white", "hatch.linewidth": 0.6, "lines.linewidth": 2,
    "text.parse_math": False,  # a $ in a title is a dollar
}  # fmt: skip
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


matplotlib.rcParams.update(STYLE)


def labels(items: pd.DataFrame, longest: int = 36) -> list[str]:
    """What stands for each item in figures and tables: its title, short, in letters that can be drawn, no two alike.

    Shapes: items with id, title and year, as in `data.Ratings` → (items,)
    """
    drawable = get_font(findfont(STYLE["font.family"])).get_charmap()
    names = []
    for name, title in zip(items["id"], items["title"], strict=True):
        plain = " ".join(unicodedata.normalize("NFC", title).split())
        if any(ord(letter) not in drawable for letter in plain):
            plain = f"item {name}"
        names.append(plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…")
    told = pd.Series(names, index=items.index)
    twice = told.duplicated(keep=False)
    told = told.mask(twice & items["year"].notna(), told + items["year"].map(" ({:.0f})".format))
    twice = told.duplicated(keep=False)
    return told.mask(twice, told + " [" + items["id"] + "]").tolist()


def canvas(height: float, columns: int = 1, *, rows: int = 1, **kwargs) -> tuple[Figure, np.ndarray]:
    """A figure of the house's width and style, and its axes, row by row: (rows * columns,)"""
    fig = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = fig.subplots(rows, columns, squeeze=False, **kwargs).ravel()
    return fig, axes


def show(fig: Figure, title: str, caption: str) -> None:
    """Show a figure under its title as a PNG, then its caption as text: for every reader, and for nbval."""
    fig.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    width, height = (round(96 * inches) for inches in fig.get_size_inches())
    picture = {"image/png": buffer.getvalue(), "text/plain": f"[figure: {title}]"}
    display(picture, raw=True, metadata={"image/png": {"width": width, "height": height}})
    text = "Figure. " + " ".join(caption.split())
    display({"text/plain": text, "text/markdown": f"*{text}*"}, raw=True)


def dots_with_range(
    frame: pd.DataFrame,
    *,
    x: str,
    y: str,
    title: str,
    caption: str,
    xlabel: str,
    band: tuple[float, float] | None = None,
    band_label: str = "",
    hollow: str | None = None,
) -> None:
    """One row a group, one dot a seed, a bar over the range; optionally a shaded band of reference.

    Shapes: frame with a column `x` (a number per seed) and a column `y` (the group), in the order to draw; rows in
    which the column `hollow` is true are drawn as open dots, without a bar.
    """
    groups = list(dict.fromkeys(frame[y]))
    fig, (ax,) = canvas(0.36 * len(groups) + 1.25)
    jitter = np.random.default_rng(0)
    for row, group in enumerate(groups):
        of_group = frame[frame[y] == group]
        is_open = of_group[hollow].to_numpy(bool) if hollow else np.zeros(len(of_group), dtype=bool)
        opened, values = of_group[x][is_open], of_group[x][~is_open]
        ax.scatter(opened, np.full(len(opened), row), s=34, color="white", edgecolor=PALETTE[1], lw=1.5)
        is_crowd = len(values) > 8  # dots of a crowd are smaller, and spread a little
        height = row + jitter.uniform(-0.13, 0.13, len(values)) * is_crowd
        ax.scatter(values, height, s=16 if is_crowd else 26, color=PALETTE[0], alpha=0.75, lw=0)
        if len(values):
            ends = [values.min(), values.max()]
            ax.plot(ends, [row, row], color=PALETTE[0], lw=5, alpha=0.18, solid_capstyle="round")
    if band is not None:
        ax.axvspan(*band, color=PALETTE[4], alpha=0.22, lw=0, zorder=0)
        ax.text(np.mean(band), 0.99, band_label, transform=ax.get_xaxis_transform(), fontsize=9, va="top", ha="center")
    ax.set(yticks=range(len(groups)), yticklabels=groups, xlabel=xlabel, ylim=(len(groups) - 0.5, -0.7))
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    show(fig, title, caption)


def lines(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    caption: str,
    log: str = "",
    marks: Mapping[str, float] | None = None,
    each: bool = False,
) -> None:
    """Curves with direct labels at their ends; several rows of y are seeds, drawn as a range round their median.

    Shapes: each curve is x (points,) and y (points,) or (seeds, points). `log` is "", "x", "y" or "xy".
    `marks` are labelled vertical lines. With `each`, every seed is a thin line of its own.
    """
    fig, (ax,) = canvas(3.2)
    ends = []
    for colour, (name, (x, y)) in zip(PALETTE, curves.items()):
        y = np.atleast_2d(y)
        middle = np.median(y, axis=0)
        dots = {"marker": "o", "ms": 4} if len(x) <= 10 else {}
        if each:
            ax.plot(x, y.T, color=colour, lw=1, **dots)
        else:
            ax.plot(x, middle, color=colour, **dots)
            ax.fill_between(x, y.min(axis=0), y.max(axis=0), color=colour, alpha=0.15, lw=0)
        last = int(np.argmax(x))
        ends.append((name, colour, x[last], middle[last]))
    ax.set(xlabel=xlabel, ylabel=ylabel)
    _log_scales(ax, log)
    for (label, place), shade in zip((marks or {}).items(), (INK, PALETTE[3])):
        ax.axvline(place, color=shade, lw=1.2, ls="--", zorder=0)
        beside = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        ax.annotate(label, (place, 0.4), (4, 0), fontsize=9, color=shade, **beside)
    if np.issubdtype(np.asarray(x).dtype, np.integer) and "x" not in log:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(ends) > 1:
        fig.draw_without_rendering()  # so that places in the axes are known
        _label_ends(ax, ends)
    show(fig, title, caption)


def _log_scales(ax: Axes, log: str) -> None:
    """Logarithmic axes, with plain numbers where powers of ten would be clumsy."""
    for name, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        if name in log:
            ax.set(**{f"{name}scale": "log"})
            low, high = axis.get_view_interval()
            if np.log10(high / low) < 2.5:
                _plain_numbers(axis)
            else:
                axis.set_major_formatter(lambda value, place: "10" + str(round(np.log10(value))).translate(RAISED))
                axis.set_minor_formatter(NullFormatter())


def _plain_numbers(axis: Axis) -> None:
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def _label_ends(ax: Axes, ends: Sequence[tuple[str, str, float, float]], gap: float = 0.075) -> None:
    """Names at the right ends of curves, pushed apart where they would overlap."""
    to_axes = ax.transData + ax.transAxes.inverted()
    placed = sorted((to_axes.transform((x, y))[1], name, colour) for name, colour, x, y in ends)
    height = -1.0
    for fraction, name, colour in placed:
        height = max(fraction, height + gap)
        ax.text(1.015, height, name, color=colour, transform=ax.transAxes, va="center", fontsize=9.5, fontweight="bold")


def intervals(
    groups: Mapping[str, Mapping[str, tuple[float, float, float]]], *, title: str, xlabel: str, caption: str
) -> None:
    """A row a name: its mean and the ends of its interval, the groups one above another in it; the caption ends with
    the means.

    Shapes: (mean, low, high) of each name in a group; a name may be missing in some
    """
    names = list(dict.fromkeys(name for of_group in groups.values() for name in of_group))
    fig, (ax,) = canvas(0.42 * len(names) + 1.2)
    for place, (group, of_group) in enumerate(groups.items()):
        shift = 0.3 * (place - (len(groups) - 1) / 2)
        for name, (mean, low, high) in of_group.items():
            row = names.index(name) + shift
            ax.plot([low, high], [row, row], color=PALETTE[place], lw=2)
            ax.plot(mean, row, "o", color=PALETTE[place], ms=5)
        if len(groups) > 1:
            from_right = 1 - 0.2 * (len(groups) - 1 - place)  # their names stand above the axes, side by side
            ax.text(from_right, 1.01, group, color=PALETTE[place], ha="right", va="bottom", transform=ax.transAxes)
            caption += f" {group[0].upper()}{group[1:]}:"
        caption += " " + ", ".join(f"{name} {mean:+.3f}" for name, (mean, _, _) in of_group.items()) + "."
    ax.axvline(0, color=INK, lw=0.8)
    ax.set(yticks=range(len(names)), yticklabels=names, xlabel=xlabel, ylim=(len(names) - 0.5, -0.6))
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    show(fig, title, caption)


def distributions(samples: Mapping[str, np.ndarray], *, title: str, xlabel: str, caption: str) -> None:
    """Shares of values in 40 equal bins, one outline a sample. Shapes: each (values,)"""
    fig, (ax,) = canvas(2.9)
    span = (min(map(np.min, samples.values())), max(map(np.max, samples.values())))
    for colour, (name, values) in zip(PALETTE, samples.items()):
        options = {"stat": "proportion", "element": "step", "alpha": 0.25, "color": colour, "label": name}
        sns.histplot(values, bins=40, binrange=span, ax=ax, **options)
    ax.set(xlabel=xlabel, ylabel="share of the values")
    ax.legend(frameon=False, labelcolor=PALETTE, fontsize=9.5)
    show(fig, title, caption)


def heat_maps(
    tables: Mapping[str, pd.DataFrame],
    *,
    title: str,
    caption: str,
    columns: int | None = None,
    height: float = 3.0,
    signed: bool = False,
    numbers: str = "",
    mark: np.ndarray | None = None,
    scale: str = "",
    ylabel: str = "",
    xlabel: str = "",
) -> None:
    """Tables as shades, one scale for all panels, `columns` of them side by side; cells that are NaN stay blank.

    Args:
        height: of a row of panels, inches
        signed: the scale has a meaningful 0 in its middle; else it begins at 0
        numbers: a format, such as ".2f", in which every cell is annotated
        mark: truth values in the shape of the tables; these cells are framed
        scale: what a shade means; then a colour bar is drawn
    """
    columns = columns or len(tables)
    rows = -(-len(tables) // columns)
    fig, axes = canvas(height * rows + 0.6, columns, rows=rows)
    top = max(np.nanmax(np.abs(table.to_numpy(float))) for table in tables.values())
    shades = {"cmap": "vlag", "vmin": -top, "vmax": top} if signed else {"cmap": "mako_r", "vmin": 0, "vmax": top}
    if numbers and not signed:
        shades["vmax"] = 1.25 * top  # dark numbers on the darkest shade could not be read
    first = next(iter(tables.values()))
    for place, (ax, (name, table)) in enumerate(zip(axes, tables.items())):
        is_small = max(table.shape) <= NAMED
        repeats_names = place % columns > 0 and table.index.equals(first.index)
        mesh = sns.heatmap(
            table, ax=ax, cbar=False, annot=numbers != "", fmt=numbers, annot_kws={"fontsize": 8},
            linewidths=0.6 * is_small, xticklabels=is_small, yticklabels=len(table) <= NAMED and not repeats_names,
            **shades,
        ).collections[0]  # fmt: skip
        longest = max(len(str(column)) for column in table.columns)
        ax.tick_params(length=0, labelsize=8.5)
        ax.tick_params(axis="y", rotation=0)
        ax.tick_params(axis="x", rotation=60 if is_small and longest > 6 else 0)
        ax.set(xlabel=xlabel, ylabel="" if place % columns else ylabel, title=name)
        for i, j in np.argwhere(mark) if mark is not None else ():
            ax.add_patch(Rectangle((j + 0.04, i + 0.04), 0.92, 0.92, fill=False, ec=PALETTE[1], lw=2))
    for ax in axes[len(tables) :]:
        ax.axis("off")
    if scale:
        fig.colorbar(mesh, ax=list(axes), label=scale, shrink=0.8, aspect=30, pad=0.02)
    show(fig, title, caption)


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
    names: Mapping[int, str] | None = None,
) -> None:
    """Points, groups of them in colours, the others grey; several panels. `line` draws where both axes are equal.

    Shapes: each panel points (n, 2), and groups (n,) of truth values or nothing. `log` is "", "x", "y" or "xy";
    names: a point's row → what is written beside it in the first panel
    """
    fig, axes = canvas(height, len(panels))
    for ax, (name, (points, groups)) in zip(axes, panels.items(), strict=True):
        in_none = ~np.any([*groups.values()], axis=0) if groups else np.ones(len(points), dtype=bool)
        ax.scatter(*points[in_none].T, s=6, color=QUIET if groups else PALETTE[0], alpha=0.45, lw=0)
        for colour, (label, inside) in zip(PALETTE, groups.items()):
            ax.scatter(*points[inside].T, s=12, color=colour, alpha=0.8, lw=0, label=label)
        if line:
            ends = [points.min(), points.max()]
            ax.plot(ends, ends, color=INK, lw=1, ls=":", zorder=0)
        ax.set(xlabel=xlabel, title=name)
        _log_scales(ax, log)
        if not ticks:
            ax.set(xticks=[], yticks=[])
    points = next(iter(panels.values()))[0]
    for row, name in (names or {}).items():
        arrow = {"arrowstyle": "-", "color": INK, "lw": 0.6, "shrinkA": 0, "shrinkB": 1}
        axes[0].annotate(name, points[row], (6, 4), textcoords="offset points", fontsize=8.5, arrowprops=arrow)
    axes[0].set_ylabel(ylabel)
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        look = {"frameon": False, "labelcolor": "linecolor", "handletextpad": 0.1, "fontsize": 9.5, "markerscale": 1.6}
        fig.legend(handles, labels, loc="outside lower center", ncols=4, **look)
    show(fig, title, caption)


def bars(
    panels: Mapping[str, pd.Series],
    *,
    title: str,
    caption: str,
    xlabel: str,
    errors: Mapping[str, pd.Series] | None = None,
    numbers: str = "",
    hatched_from: int | None = None,
) -> None:
    """Values as bars from 0 on one scale, one row a name; panels that share their rows name them once.

    Args:
        errors: half-widths by panel, in the order of the values
        numbers: a format in which each bar is labelled, such as "{:,.0f}"
        hatched_from: the first row that is hatched instead of filled
    """
    rows = max(len(values) for values in panels.values())
    first = next(iter(panels.values()))
    fig, axes = canvas(0.26 * rows + 1.2, len(panels))
    for ax, (name, values) in zip(axes, panels.items(), strict=True):
        error = None if errors is None else errors.get(name)
        drawn = ax.barh(
            np.arange(len(values)), values, height=0.7, color=np.where(values >= 0, PALETTE[0], PALETTE[1]), xerr=error,
            error_kw={"ecolor": INK, "lw": 1, "capsize": 2},
        )  # fmt: skip
        for bar in drawn[hatched_from:] if hatched_from is not None else ():
            bar.set(facecolor="white", edgecolor=PALETTE[0], hatch="////")
        if numbers:
            ax.bar_label(drawn, fmt=numbers, padding=3, fontsize=8.5)
            ax.set_xlim(0, 1.22 * values.max())
        if numbers or len(panels) > 1:
            ax.xaxis.set_major_locator(MaxNLocator(3))
        ax.axvline(0, color=INK, lw=0.8)
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0, labelsize=8.5)
        repeats_names = ax is not axes[0] and values.index.equals(first.index)
        labels = [] if repeats_names else values.index
        ax.set(yticks=range(len(labels)), yticklabels=labels, ylim=(rows - 0.4, -0.6), xlabel=xlabel, title=name)
    lows, highs = zip(*(ax.get_xlim() for ax in axes), strict=True)
    for ax in axes:
        ax.set_xlim(min(lows), max(highs))
    show(fig, title, caption)
