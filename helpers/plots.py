"""The figures of the course. Each answers one question and shows a computed caption under it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from helpers.course.figures import INK, PALETTE, QUIET, canvas, set_title, show


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
    jitter, spread = np.random.default_rng(0), 0.13
    for row, group in enumerate(groups):
        of_group = frame[frame[y] == group]
        opened = of_group[hollow].to_numpy(bool) if hollow else np.zeros(len(of_group), dtype=bool)
        values = of_group[x].to_numpy()[~opened]
        ax.scatter(of_group[x][opened], np.full(opened.sum(), row), s=34, color="white", edgecolor=PALETTE[1], lw=1.5)
        if len(values):
            ax.plot(
                [values.min(), values.max()], [row, row], color=PALETTE[0], lw=5, alpha=0.18, solid_capstyle="round"
            )
        height = row + jitter.uniform(-spread, spread, len(values)) * (len(values) > 8)  # only crowds need it
        ax.scatter(values, height, s=16 if len(values) > 8 else 26, color=PALETTE[0], alpha=0.75, lw=0)
    if band is not None:
        ax.axvspan(*band, color=PALETTE[4], alpha=0.22, lw=0, zorder=0)
        ax.text(np.mean(band), 0.99, band_label, transform=ax.get_xaxis_transform(), fontsize=9, va="top", ha="center")
    ax.set(yticks=range(len(groups)), yticklabels=groups, xlabel=xlabel, ylim=(len(groups) - 0.5, -0.7))
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    set_title(fig, title)
    show(fig, caption)


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
    height: float = 3.2,
) -> None:
    """Curves with direct labels at their ends; several rows of y are seeds, drawn as a range round their median.

    Shapes: each curve is x (points,) and y (points,) or (seeds, points). `log` is "", "x", "y" or "xy".
    `marks` are labelled vertical lines. With `each`, every seed is a thin line of its own.
    """
    fig, (ax,) = canvas(height)
    ends = []
    for colour, (name, (x, y)) in zip(PALETTE, curves.items(), strict=False):
        y = np.atleast_2d(y)
        middle = np.median(y, axis=0)
        dots = {"marker": "o", "ms": 4} if len(x) <= 10 else {}
        ax.plot(x, y.T if each else middle, color=colour, lw=1 if each else 2, **dots)
        if len(y) > 1 and not each:
            ax.fill_between(x, y.min(0), y.max(0), color=colour, alpha=0.15, lw=0)
        last = int(np.argmax(x))
        ends.append((name, colour, x[last], middle[last]))
    ax.set(
        xlabel=xlabel, ylabel=ylabel, xscale="log" if "x" in log else "linear", yscale="log" if "y" in log else "linear"
    )
    for (label, place), shade in zip((marks or {}).items(), (INK, PALETTE[3]), strict=False):
        ax.axvline(place, color=shade, lw=1.2, ls="--", zorder=0)
        ax.annotate(label, (place, 0.4), (4, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
                    fontsize=9, color=shade)  # fmt: skip
    if np.issubdtype(np.asarray(x).dtype, np.integer) and "x" not in log:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if "y" in log and np.ptp(np.log10(ax.get_ylim())) < 2.5:  # plain numbers where powers of ten would be clumsy
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_locator(NullLocator())
    if len(ends) > 1:
        _label_ends(ax, ends)
    set_title(fig, title)
    show(fig, caption)


def _label_ends(ax: Axes, ends: Sequence[tuple[str, str, float, float]], gap: float = 0.075) -> None:
    """Names at the right ends of curves, pushed apart where they would overlap."""
    ax.figure.draw_without_rendering()
    to_axes = ax.transData + ax.transAxes.inverted()
    placed = sorted((to_axes.transform((x, y))[1], name, colour) for name, colour, x, y in ends)
    height = -1.0
    for fraction, name, colour in placed:
        height = max(fraction, height + gap)
        ax.text(1.015, height, name, color=colour, transform=ax.transAxes, va="center", fontsize=9.5, fontweight="bold")


def distributions(samples: Mapping[str, np.ndarray], *, title: str, xlabel: str, caption: str) -> None:
    """Shares of values in 40 equal bins, one outline a sample, labelled at its highest bin. Shapes: each (values,)"""
    fig, (ax,) = canvas(2.9)
    low, high = min(map(np.min, samples.values())), max(map(np.max, samples.values()))
    for colour, (name, values) in zip(PALETTE, samples.items(), strict=False):
        share, edges = np.histogram(values, bins=40, range=(low, high))
        ax.stairs(share / len(values), edges, color=colour, fill=True, alpha=0.25)
        ax.stairs(share / len(values), edges, color=colour, lw=1.6)
        top = int(share.argmax())
        ax.annotate(name, (edges[top], share[top] / len(values)), (-5, -3), textcoords="offset points", ha="right",
                    va="top", color=colour, fontsize=9.5, fontweight="bold")  # fmt: skip
    ax.set(xlabel=xlabel, ylabel="share of the values", ylim=(0, None))
    set_title(fig, title)
    show(fig, caption)


def film_map(
    points: np.ndarray, groups: Mapping[str, np.ndarray], names: Mapping[int, str], *, title: str, caption: str
) -> None:
    """Films as points of a plane: groups in colours, all others grey, and some of them named.

    Shapes: points (films, 2); each group (films,) of truth values; names: a film's row → what is written beside it.
    """
    fig, (ax,) = canvas(5.0)
    ax.scatter(*points[~np.any([*groups.values()], axis=0)].T, s=5, color=QUIET, alpha=0.3, lw=0)
    for colour, (name, inside) in zip(PALETTE, groups.items(), strict=False):
        ax.scatter(*points[inside].T, s=13, color=colour, alpha=0.75, lw=0, label=name)
    for row, name in names.items():
        ax.annotate(name, points[row], (6, 4), textcoords="offset points", fontsize=8.5,
                    arrowprops={"arrowstyle": "-", "color": INK, "lw": 0.6, "shrinkA": 0, "shrinkB": 1})  # fmt: skip
    ax.legend(loc="upper left", bbox_to_anchor=(0, 1.1), ncols=len(groups), frameon=False, labelcolor="linecolor",
              handletextpad=0.1, columnspacing=1.2, fontsize=9.5, markerscale=1.6)  # fmt: skip
    ax.set(xlabel="direction in which films differ most", ylabel="second direction", xticks=[], yticks=[])
    set_title(fig, title)
    show(fig, caption)
