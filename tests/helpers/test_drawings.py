"""Drawings of mechanisms: what stands in them."""

import numpy as np

from helpers import drawings


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_a_table_shows_each_number_in_its_cell_and_nothing_where_there_is_none():
    _, ax = drawings.sheet(6, 4)
    drawings.table(ax, np.array([[1.25, np.nan], [0, 3]]), (1, 1), name="R", rows=["a", "b"], columns=["x", "y"])
    placed = {text.get_text(): text.get_position() for text in ax.texts}
    assert texts(ax) == ["1.25", "0", "3", "a", "b", "x", "y", "R"]
    assert placed["3"] == (2.5, 2.52) and placed["1.25"] == (1.5, 1.52)


def test_only_lit_cells_are_shaded():
    _, ax = drawings.sheet(6, 4)
    drawings.table(ax, np.zeros((2, 3)), (0, 0), lit=np.array([[True, False, False], [False, False, True]]))
    shaded = [patch.get_xy() for patch in ax.patches if patch.get_alpha() == 0.35]
    assert shaded == [(0, 0), (2, 1)]


def test_a_wide_drawing_keeps_the_width_of_the_page_with_smaller_cells_and_letters():
    narrow, wide = drawings.sheet(10, 5), drawings.sheet(40, 5)
    for _, ax in (narrow, wide):
        drawings.table(ax, np.ones((1, 1)), (0, 0))
    assert narrow[0].get_figwidth() == wide[0].get_figwidth()
    assert wide[0].get_figheight() < narrow[0].get_figheight()
    assert wide[1].texts[0].get_fontsize() < narrow[1].texts[0].get_fontsize()


def test_signs_and_arrows_stand_where_they_are_told():
    _, ax = drawings.sheet(6, 4)
    drawings.sign(ax, (2, 1), "@")
    drawings.arrow(ax, (0, 0), (3, 2))
    assert texts(ax) == ["@"] and ax.texts[0].get_position() == (2, 1) and len(ax.patches) == 1


def test_an_equation_has_every_table_and_sign_in_its_order():
    fig = drawings.equation(("a", np.eye(2)), "+", ("b", [[1.0, 2.0]], None), "=", ("c", np.ones((3, 1))))
    texts = [(text.get_text(), text.get_position()[0]) for text in fig.axes[0].texts]
    places = {name: x for name, x in texts if name in "ab+=c"}
    assert list(places) != [] and places["a"] < places["+"] < places["b"] < places["="] < places["c"]


def test_the_transformer_is_drawn_with_its_shapes_and_only_what_is_lit_is_shaded():
    fig = drawings.transformer(n_items=1682, length=50, dim=64, heads=2, layers=2, lit=("attention", "block 2"))
    ax = fig.axes[0]
    shown = texts(ax)
    assert {"block 1", "block 2", "(50, 1,682)", "2 × (50, 32)", "inside a block"} <= set(shown)
    shaded = [patch for patch in ax.patches if patch.get_alpha() == 0.35]
    assert len(shaded) == 2
    many = texts(drawings.transformer(n_items=9, length=5, dim=4, heads=1, layers=6).axes[0])
    assert "…" in many and "block 6" in many and "block 2" not in many
