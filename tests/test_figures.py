"""Figures: a PNG of fixed size, its caption as text under it, and drawn without complaint."""

import base64
import struct
import warnings

import numpy as np
import pandas as pd
import pytest

from helpers import plots
from helpers.course import figures, panels, pictures
from helpers.course.views import DotProductView

rng = np.random.default_rng(0)
PATHS, ARROWS, NUMBERS = {"a": rng.random((9, 2))}, rng.random((2, 4)), rng.integers(1, 99, 50)
DOTS = pd.DataFrame({"group": np.repeat(["one", "two"], 5), "value": rng.random(10), "open": [True, False] * 5})
CURVES = {"a": (np.arange(1, 6), rng.random((3, 5)) + 0.5), "b": (np.arange(1, 6), rng.random(5) + 0.5)}
COUNTS = {"first": pd.Series({"x": 4, "y": 1234}), "second": pd.Series({"long name": 2})}
TABLE, CLOUD = rng.random((3, 6)) - 0.5, rng.random((30, 2)) + 1
WORDS = {"title": "Is it?", "caption": "It is 3."}

DRAWN = {
    "matrices": lambda: pictures.matrices(
        {"R": np.eye(4), "P": np.where(np.eye(4) > 0, np.nan, 1)}, mark=np.eye(4) > 0, **WORDS
    ),
    "singular_values": lambda: pictures.singular_values(np.array([3.0, 2, 1]), reachable=2, title="Is it?"),
    "dots_with_range": lambda: plots.dots_with_range(
        DOTS, x="value", y="group", xlabel="v", band=(0, 1), hollow="open", **WORDS
    ),
    "lines": lambda: plots.lines(CURVES, xlabel="x", ylabel="y", log="y", marks={"here": 2.0}, **WORDS),
    "distributions": lambda: plots.distributions({"a": NUMBERS, "b": NUMBERS[:9] * 2}, xlabel="v", **WORDS),
    "stacked": lambda: pictures.stacked(
        pd.DataFrame({"x": [1.0, 2], "y": [3.0, 1]}, index=["a", "b"]), xlabel="s", **WORDS
    ),
    "counts": lambda: pictures.counts(COUNTS, xlabel="users", **WORDS),
    "long_tail": lambda: pictures.long_tail(NUMBERS, head=0.1, **WORDS),
    "valleys": lambda: pictures.valleys(4.0, {0.0: PATHS, 0.5: PATHS}, **WORDS),
    "arrows": lambda: pictures.arrows(ARROWS, {"turned": 2 * ARROWS}, names=list("abcd"), **WORDS),
    "film_map": lambda: plots.film_map(
        np.random.default_rng(0).normal(size=(30, 2)),
        {"a": np.arange(30) < 9, "b": np.arange(30) > 20},
        {3: "three"},
        **WORDS,
    ),
    "heat_maps": lambda: panels.heat_maps(
        {n: pd.DataFrame(TABLE, columns=list("uvwxyz")) for n in "abc"},
        columns=2,
        signed=True,
        scale="s",
        numbers=True,
        height=2,
        **WORDS,
    ),
    "clouds": lambda: panels.clouds(
        {"a": (CLOUD, {"few": np.arange(30) < 5}), "b": (CLOUD[:9], {})},
        xlabel="x",
        ylabel="y",
        log="xy",
        line=True,
        **WORDS,
    ),
    "bars": lambda: panels.bars(
        {n: pd.Series([1.0, -2], ["x", "y"]) for n in "ab"}, xlabel="v", errors={"b": pd.Series([0.1, 0.2])}, **WORDS
    ),
    "pipeline": lambda: pictures.pipeline(["a", "b"], ["c", "d"], **WORDS),
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


def test_every_public_figure_is_drawn_here():
    made = [
        (n, f) for module in (plots, pictures, panels) for n, f in vars(module).items() if callable(f) and n[0] != "_"
    ]
    public = {
        n for n, f in made if f.__module__ in ("helpers.plots", "helpers.course.pictures", "helpers.course.panels")
    }
    assert public - {"valley"} == DRAWN.keys()  # valley is drawn by valleys


def test_labels_at_curve_ends_do_not_overlap():
    _, (ax,) = figures.canvas(3.0)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    plots._label_ends(ax, [("a", "k", 1.0, 0.5), ("b", "k", 1.0, 0.5), ("c", "k", 1.0, 0.51)])
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert min(np.diff(heights)) > 0.07


def test_the_dot_product_view_shows_every_sum_without_a_script():
    U, V = np.array([[1.2, 0.8], [0.6, 1.2]]), np.array([[0.8, 1.6, 0.4], [1.2, 0.4, 1.6]])
    html = DotProductView(U, V, np.zeros((2, 3)))._repr_html_()
    table = html[: html.index("<script")]
    for i in range(2):
        for j in range(3):
            assert f"{U[i, 0]:g}·{V[0, j]:g} + {U[i, 1]:g}·{V[1, j]:g} = {U[i] @ V[:, j]:.2f}" in table
    assert "<input" not in table and table.count('scope="row"') == 2 and table.count('scope="col"') == 3
    assert "http" not in html


def test_the_view_is_the_same_twice_and_cannot_be_closed_early_by_its_data():
    make = lambda: DotProductView(np.eye(2), np.eye(2), np.eye(2))._repr_html_()
    assert make() == make() and make().count("</script>") == 2
    assert base64.b64encode(make().encode())
