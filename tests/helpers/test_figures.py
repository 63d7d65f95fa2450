"""Figures: a PNG of fixed size, its caption as text under it, and drawn without complaint."""

import struct
import warnings

import numpy as np
import pandas as pd
import pytest

from helpers import figures

rng = np.random.default_rng(0)
NUMBERS = rng.integers(1, 99, 50)
DOTS = pd.DataFrame({"group": np.repeat(["one", "two"], 5), "value": rng.random(10), "open": [True, False] * 5})
CURVES = {"a": (np.arange(1, 6), rng.random((3, 5)) + 0.5), "b": (np.arange(1, 6), rng.random(5) + 0.5)}
COUNTS = {"first": pd.Series({"x": 4, "y": 1234}), "second": pd.Series({"long name": 2})}
TABLE, CLOUD = rng.random((3, 6)) - 0.5, rng.random((30, 2)) + 1
WORDS = {"title": "Is it?", "caption": "It is 3."}

DRAWN = {
    "dots_with_range": lambda: figures.dots_with_range(
        DOTS, x="value", y="group", xlabel="v", band=(0, 1), hollow="open", **WORDS
    ),
    "lines": lambda: figures.lines(CURVES, xlabel="x", ylabel="y", log="y", marks={"here": 2.0}, **WORDS),
    "each line": lambda: figures.lines(CURVES, xlabel="x", ylabel="y", each=True, **WORDS),
    "intervals": lambda: figures.intervals(
        {"all": {"a": (0.1, 0.0, 0.3), "b": (-0.2, -0.3, 0.0)}, "some": {"b": (0.1, 0.0, 0.2)}}, xlabel="v", **WORDS
    ),
    "distributions": lambda: figures.distributions({"a": NUMBERS, "b": NUMBERS[:9] * 2}, xlabel="v", **WORDS),
    "heat_maps": lambda: figures.heat_maps(
        {n: pd.DataFrame(TABLE, columns=list("uvwxyz")) for n in "abc"},
        columns=2,
        signed=True,
        scale="s",
        numbers=".2f",
        height=2,
        **WORDS,
    ),
    "framed cells": lambda: figures.heat_maps(
        {"R": pd.DataFrame(np.where(np.eye(4) > 0, 1, np.nan))}, mark=np.eye(4) > 0, numbers=".3g", **WORDS
    ),
    "clouds": lambda: figures.clouds(
        {"a": (CLOUD, {"few": np.arange(30) < 5}), "b": (CLOUD[:9], {})},
        xlabel="x",
        ylabel="y",
        log="xy",
        line=True,
        names={3: "three"},
        **WORDS,
    ),
    "bars": lambda: figures.bars(
        {n: pd.Series([1.0, -2], ["x", "y"]) for n in "ab"}, xlabel="v", errors={"b": pd.Series([0.1, 0.2])}, **WORDS
    ),
    "counts": lambda: figures.bars(COUNTS, xlabel="users", numbers="{:,.0f}", hatched_from=1, **WORDS),
}


@pytest.fixture
def shown(monkeypatch):
    """What was displayed, in order."""
    outputs = []
    monkeypatch.setattr(figures, "display", lambda bundle, raw, metadata=None: outputs.append((bundle, metadata)))
    return outputs


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_a_png_with_its_title_and_then_its_caption(name, shown):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DRAWN[name]()
    (picture, metadata), (caption, _) = shown
    assert picture["text/plain"] == "[figure: Is it?]"
    assert caption["text/plain"].startswith("Figure. ") and caption["text/markdown"].strip("*") == caption["text/plain"]
    png = picture["image/png"]
    width, height = struct.unpack(">II", png[16:24])
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and width == round(figures.WIDTH * figures.DPI) and height < width * 0.85
    assert metadata["image/png"]["width"] == round(figures.WIDTH * 96)


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_the_same_twice(name, shown):
    DRAWN[name]()
    DRAWN[name]()
    assert shown[0] == shown[2] and shown[1] == shown[3]


def test_labels_at_curve_ends_do_not_overlap():
    fig, (ax,) = figures.canvas(3.0)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    fig.draw_without_rendering()
    figures._label_ends(ax, [("a", "k", 1.0, 0.5), ("b", "k", 1.0, 0.5), ("c", "k", 1.0, 0.51)])
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert min(np.diff(heights)) > 0.07


def test_labels_can_be_drawn_are_short_and_never_alike():
    titles = ["Sabrina", "Sabrina", "千と千尋", "x" * 99, "Cash $$ & $Carry$", "Twin", "Twin"]
    years = [1954, 1995, 2001, 2000, 1990, np.nan, np.nan]
    items = pd.DataFrame({"id": list("abcdefg"), "title": titles, "year": years})
    names = figures.labels(items, longest=20)
    assert names[:3] == ["Sabrina (1954)", "Sabrina (1995)", "item c"]
    assert len(names[3]) == 20 and names[4] == "Cash $$ & $Carry$" and names[5:] == ["Twin [f]", "Twin [g]"]


def test_panels_of_bars_are_on_one_scale(monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "show", lambda fig, *words: drawn.append(fig))
    small, large = (pd.Series([size, -size], ["a", "b"]) for size in (1.0, 30.0))
    figures.bars({"small": small, "large": large}, title="Is it?", caption="none", xlabel="fall")
    one, other = drawn[0].axes
    assert one.get_xlim() == other.get_xlim() and one.get_xlim()[1] > 30


def test_a_dollar_in_a_name_is_a_dollar(shown):
    values = pd.Series([1.0, 2.0], ["Cash $$ & $Carry$", "a_b^{"])
    figures.bars({"$\\frac$": values}, title="$$", caption="none", xlabel="$")
    assert shown
