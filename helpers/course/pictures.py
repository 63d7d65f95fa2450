"""Figures that one page alone needs, in the style of all others."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.ticker import MaxNLocator

from helpers.course.figures import INK, PALETTE, QUIET, WIDTH, canvas, set_title, show


def singular_values(values: np.ndarray, *, reachable: int, title: str) -> None:
    """Bars of singular values; those that a product of `reachable` factors cannot have are hatched."""
    fig, (ax,) = canvas(2.7)
    within = np.arange(len(values)) < reachable
    bars = ax.bar(
        np.arange(1, len(values) + 1),
        values,
        width=0.6,
        color=np.where(within, PALETTE[0], "white"),
        edgecolor=PALETTE[0],
    )
    for bar, inside in zip(bars, within, strict=True):
        bar.set_hatch("" if inside else "////")
    ax.bar_label(bars, fmt="%.1f", padding=2, fontsize=9.5)
    ax.set(xlabel="direction", ylabel="singular value", xticks=range(1, len(values) + 1))
    if reachable < len(values):
        ax.annotate(
            f"out of reach of rank {reachable}",
            (reachable + 1.3, values[reachable] * 0.8),
            (reachable + 1.6, values[0] * 0.85),
            ha="center",
            arrowprops={"arrowstyle": "-", "color": QUIET},
        )
    set_title(fig, title)
    listed = ", ".join(f"{v:.1f}" for v in values)
    show(fig, f"Singular values {listed}. {reachable} factors can carry the first {reachable}.")


def long_tail(number: np.ndarray, *, head: float, title: str, caption: str) -> None:
    """Items sorted by how often they were rated, the most popular `head` of them shaded. Shapes: number (items,)"""
    fig, (ax,) = canvas(2.9)
    ordered = np.sort(number)[::-1]
    cut = max(1, int(head * len(ordered)))
    ranks = np.arange(1, len(ordered) + 1)
    ax.fill_between(ranks, ordered, color=PALETTE[0], alpha=0.25, lw=0)
    ax.fill_between(ranks[:cut], ordered[:cut], color=PALETTE[0], lw=0)
    share = ordered[:cut].sum() / ordered.sum()
    at = len(ordered) * 0.16
    ax.annotate(
        f"top {head:.0%} of the items: {share:.0%} of the ratings",
        (cut * 0.7, ordered[cut - 1]),
        (at, ordered[0] * 0.72),
        color=PALETTE[0],
        fontweight="bold",
        arrowprops={"arrowstyle": "-", "color": QUIET},
    )
    ax.text(at * 2.2, ordered[cut - 1] * 0.55, f"the other {1 - head:.0%}: {1 - share:.0%}")
    ax.set(
        xlabel="items, from the most to the least rated",
        ylabel="ratings of the item",
        xlim=(1, len(ordered)),
        ylim=(0, None),
    )
    set_title(fig, title)
    show(fig, caption)


def valley(rating: float, paths: Mapping[str, np.ndarray], *, ridge: float, ax: Axes) -> None:
    """The loss of one rating over one user factor and one film factor, and ways down from several starts.

    Shapes: each path (steps, 2), columns user factor and film factor.
    """
    grid = np.linspace(-3.2, 3.2, 240)
    u, v = np.meshgrid(grid, grid)
    loss = (rating - u * v) ** 2 + ridge * (u**2 + v**2)
    shade = sns.color_palette("mako_r", as_cmap=True)
    ax.imshow(
        np.log10(loss + 0.05),
        extent=(-3.2, 3.2, -3.2, 3.2),
        origin="lower",
        cmap=shade,
        alpha=0.6,
        interpolation="bilinear",
    )
    if ridge == 0:
        for side in (grid[grid > 0.3], grid[grid < -0.3]):
            ax.plot(side, rating / side, color=INK, lw=1.2, ls=":")
    for path in paths.values():
        ax.plot(*path.T, color=PALETTE[1], lw=1.6)
        ax.scatter(*path[0], s=26, facecolor="white", edgecolor=PALETTE[1], zorder=3)
        ax.scatter(*path[-1], s=34, color=PALETTE[1], edgecolor="white", zorder=3)
    ax.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal", xlabel="user factor u")


def valleys(rating: float, by_ridge: Mapping[float, Mapping[str, np.ndarray]], *, title: str, caption: str) -> None:
    """`valley` side by side for several ridges."""
    fig, axes = canvas(4.2, len(by_ridge), sharey=True)
    for ax, (ridge, paths) in zip(axes, by_ridge.items(), strict=True):
        valley(rating, paths, ridge=ridge, ax=ax)
        ax.set_title(f"price {ridge:g}" if ridge else "without a price", loc="left", fontsize=10)
    axes[0].set_ylabel("film factor v")
    set_title(fig, title)
    show(fig, caption)


def arrows(
    before: np.ndarray, after: Mapping[str, np.ndarray], *, title: str, caption: str, names: Sequence[str]
) -> None:
    """Item factors as arrows, before and after a change of gauge. Shapes: (2, items) each."""
    tables = {"as printed": before, **after}
    fig, axes = canvas(3.0, len(tables))
    for ax, (label, V) in zip(axes, tables.items(), strict=True):
        for j in range(len(names)):
            colour = PALETTE[j % len(PALETTE)]
            ax.annotate(
                "",
                V[:, j],
                (0, 0),
                arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.8, "shrinkA": 0, "shrinkB": 0},
            )
        reach = np.abs(V).max() * 1.25
        ax.set(xlim=(min(0, V[0].min() * 1.3), reach), ylim=(min(0, V[1].min() * 1.3), reach), xlabel="factor 1")
        _name_points(ax, V.T, names)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.set_title(label, loc="left", fontsize=10)
    axes[0].set_ylabel("factor 2")
    set_title(fig, title)
    show(fig, caption)


def _name_points(ax: Axes, points: np.ndarray, names: Sequence[str]) -> None:
    """Name points; where they lie on one level, the names stand on a staircase above them. Shapes: points (n, 2)."""
    level = np.ptp(points[:, 1]) < 0.1 * np.ptp(ax.get_ylim())
    for k, j in enumerate(np.argsort(points[:, 0])):
        lift = 14 * (len(points) - k) + 8 if level else 4
        ax.annotate(
            names[j],
            points[j],
            (0 if level else 2, lift),
            textcoords="offset points",
            color=PALETTE[j % len(PALETTE)],
            fontsize=9,
            fontweight="bold",
            ha="center" if level else "left",
            arrowprops={"arrowstyle": "-", "color": QUIET, "lw": 0.7, "shrinkB": 2} if level else None,
        )


def pipeline(stages: Sequence[str], notes: Sequence[str], *, title: str, caption: str) -> None:
    """The stages of a recommender as boxes in a ring of arrows, each with a note under it."""
    fig, (ax,) = canvas(2.2)
    width = 1 / len(stages)
    for k, (stage, note) in enumerate(zip(stages, notes, strict=True)):
        left = k * width + 0.012
        ax.add_patch(FancyBboxPatch((left, 0.52), width - 0.036, 0.26, boxstyle="round,pad=0.004,rounding_size=0.02",
                                    fc="#e8f1f8", ec=PALETTE[0], lw=1.4))  # fmt: skip
        middle = left + (width - 0.036) / 2
        ax.text(middle, 0.65, stage, ha="center", va="center", fontsize=9, fontweight="bold")
        ax.text(middle, 0.44, note, ha="center", va="top", fontsize=8, color=INK, linespacing=1.3)
        if k < len(stages) - 1:
            ax.add_patch(
                FancyArrowPatch(
                    (left + width - 0.032, 0.65),
                    (left + width + 0.0, 0.65),
                    arrowstyle="-|>",
                    mutation_scale=10,
                    color=INK,
                )
            )
    back = FancyArrowPatch(
        (1 - width / 2, 0.8),
        (width / 2, 0.8),
        connectionstyle="arc3,rad=0.13",
        arrowstyle="-|>",
        mutation_scale=12,
        color=PALETTE[1],
    )
    ax.add_patch(back)
    loop = "what users do next becomes the next data"
    box = {"fc": "white", "ec": "none", "pad": 2}
    ax.text(0.5, 1.03, loop, ha="center", va="center", fontsize=8.5, color=PALETTE[1], bbox=box)
    ax.set(xlim=(0, 1), ylim=(0.22, 1.1))
    ax.axis("off")
    set_title(fig, title)
    show(fig, caption)


def matrices(
    tables: Mapping[str, np.ndarray], *, title: str, caption: str, mark: np.ndarray | None = None, digits: int = 2
) -> None:
    """Small tables side by side, every cell annotated; cells in `mark` are framed.

    Shapes: each table (rows, columns), mark (rows, columns) of truth values; NaN cells are left blank.
    """
    cell = min(0.62, (WIDTH - 1.0) / sum(t.shape[1] + 0.4 for t in tables.values()))  # inches
    fig, axes = canvas(cell * max(len(t) for t in tables.values()) + 0.95, len(tables))
    top = max(np.nanmax(np.abs(t)) for t in tables.values())
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        labels = np.where(np.isnan(table), "", np.vectorize(lambda v: f"{v:.{digits}f}".rstrip("0").rstrip("."))(table))
        shade = sns.color_palette("mako_r", as_cmap=True)
        sns.heatmap(
            table, ax=ax, annot=labels, fmt="", cmap=shade, vmin=0, vmax=1.25 * top, cbar=False, square=True,
            linewidths=1.5, linecolor="white", annot_kws={"fontsize": 9.5},
            xticklabels=[f"film {j + 1}" for j in range(table.shape[1])],
            yticklabels=[f"user {i + 1}" for i in range(len(table))] if ax is axes[0] else False,
        )  # fmt: skip
        for i, j in np.argwhere(mark) if mark is not None else []:
            ax.add_patch(
                matplotlib.patches.Rectangle((j + 0.04, i + 0.04), 0.92, 0.92, fill=False, ec=PALETTE[1], lw=2)
            )
        ax.tick_params(length=0, labelsize=8.5, rotation=0)
        ax.set_title(name, loc="left", fontsize=10, pad=6)
    set_title(fig, title)
    show(fig, caption)


def counts(panels: Mapping[str, pd.Series], *, title: str, xlabel: str, caption: str) -> None:
    """How many of each kind: horizontal bars, one panel a question, one bar width for all panels."""
    rows = max(len(series) for series in panels.values())
    fig, axes = canvas(0.27 * rows + 1.1, len(panels))
    for ax, (name, series) in zip(axes, panels.items(), strict=True):
        bars = ax.barh(np.arange(len(series)), series, height=0.72, color=PALETTE[0])
        ax.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8.5)
        ax.set(
            yticks=range(len(series)),
            yticklabels=series.index,
            ylim=(rows - 0.4, -0.6),
            xlabel=xlabel,
            xlim=(0, series.max() * 1.22),
        )
        ax.tick_params(axis="y", length=0, labelsize=8.5)
        ax.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        ax.set_title(name, loc="left", fontsize=10)
    set_title(fig, title)
    show(fig, caption)


def stacked(table: pd.DataFrame, *, title: str, xlabel: str, caption: str) -> None:
    """One bar a row, made of its columns; the names of the columns stand over the longest bar."""
    fig, (ax,) = canvas(0.5 * len(table) + 1.35)
    begin, longest = np.zeros(len(table)), int(table.sum(axis=1).argmax())
    for colour, (name, values) in zip(PALETTE, table.items(), strict=False):
        ax.barh(np.arange(len(table)), values, left=begin, color=colour, height=0.6)
        ax.text(begin[longest] + values.iloc[longest] / 2, longest - 0.38, name, ha="center", va="bottom", color=colour,
                fontsize=9.5, fontweight="bold")  # fmt: skip
        begin = begin + values.to_numpy()
    ax.set(yticks=range(len(table)), yticklabels=table.index, xlabel=xlabel, ylim=(len(table) - 0.5, -0.85))
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    set_title(fig, title)
    show(fig, caption)
