"""Interactive views: a static table first, controls added by a script of their own, nothing fetched."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from helpers.errors import CourseError

MOST_TOKENS = 16  # what a table can show
LONGEST = 20  # characters of a title in the table
STRONGEST = 0.7  # opacity of a weight of 1: text on it keeps its contrast on light and on dark pages


class DotProductView:
    """Every cell of U @ V as a sum of products, and sliders that take one cell apart.

    Readable without a kernel, a script or a network: the script only adds to the table.

    Shapes:
        U (users, 2), V (2, items), ratings (users, items); a rating of 0 means "not rated"
    """

    def __init__(self, U: np.ndarray, V: np.ndarray, ratings: np.ndarray) -> None:
        self.U, self.V, self.ratings = (np.asarray(a, dtype=float) for a in (U, V, ratings))

    def __repr__(self) -> str:
        users, items = self.ratings.shape
        return f"[dot product view: {users} users, {items} films]"

    def _repr_html_(self) -> str:
        data = {name: getattr(self, name).tolist() for name in ("U", "V", "ratings")}
        script = _file("dot_product_view.js")
        payload = json.dumps(data).replace("<", "\\u003c")
        return (
            '<div id="dot-product-view" data-ready="0">'
            f"{self._table()}"
            f'<script type="application/json">{payload}</script><script>{script}</script></div>'
        )

    def _table(self) -> str:
        films = range(self.V.shape[1])
        head = "".join(f'<th scope="col">film {j + 1}</th>' for j in films)
        rows = "".join(
            f'<tr><th scope="row">user {i + 1}</th>{"".join(f"<td>{self._sum(i, j)}</td>" for j in films)}</tr>'
            for i in range(len(self.U))
        )
        caption = "Every cell of U @ V: one product a factor, added up"
        return (
            f"<table><caption>{caption}</caption><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def _sum(self, i: int, j: int) -> str:
        parts = " + ".join(f"{u:g}·{v:g}" for u, v in zip(self.U[i], self.V[:, j], strict=True))
        return html.escape(f"{parts} = {self.U[i] @ self.V[:, j]:.2f}")


def _file(name: str) -> str:
    """The text of a file that lies beside this module."""
    return Path(__file__).with_name(name).read_text(encoding="utf8")


class AttentionExplorer:
    """Attention weights as a table of numbers and shades; a script adds the choice of example, layer and head.

    Readable without a kernel, a script or a network. `start` counts as the view does: layers and heads from 1.
    A weight of exactly 0, such as one that a causal mask forbids, is drawn as a dot.

    Shapes:
        maps: name of an example -> (tokens, weights); weights (layers, heads, tokens, tokens), a row looks at a column
    """

    def __init__(
        self,
        maps: Mapping[str, tuple[Sequence[str], np.ndarray]],
        *,
        start: tuple[str, int, int] | None = None,
        name: str = "attention-explorer",
    ) -> None:
        if not maps:
            raise CourseError("AttentionExplorer has nothing to show: give at least one example in maps.")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise CourseError(f"name = {name!r} cannot be an id: take small letters, digits and hyphens.")
        self.name = name
        self.maps = {str(key): _checked(key, *value) for key, value in maps.items()}
        self.example, self.layer, self.head = self._start(start or (next(iter(self.maps)), 1, 1))

    def __repr__(self) -> str:
        tokens, weights = self.maps[self.example]
        rows = weights[self.layer - 1][self.head - 1]
        best = [max((w or 0, -j) for j, w in enumerate(row)) for row in rows]
        free = [i for i, row in enumerate(rows) if row.count(None) < len(row) - 1]  # the others have no choice
        looks = sorted((-best[i][0], i, -best[i][1]) for i in free)[:3]
        said = [f'"{tokens[i]}" looks most at "{tokens[j]}" ({_number(-w)})' for w, i, j in looks]
        where = f"layer {self.layer}, head {self.head} of {self.example}"
        number = f"{len(self.maps)} example{'s' if len(self.maps) > 1 else ''}"
        return f"AttentionExplorer: {number}; {where}: {', '.join(said) or 'each row looks at one column alone'}"

    def _repr_html_(self) -> str:
        examples = [{"name": key, "tokens": t, "weights": w} for key, (t, w) in self.maps.items()]
        start = [list(self.maps).index(self.example), self.layer - 1, self.head - 1]
        data = {"examples": examples, "start": start, "longest": LONGEST, "strongest": STRONGEST}
        payload = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
        style = _file("attention_explorer.css").replace("attention-explorer", self.name)
        script = _file("attention_explorer.js").replace("attention-explorer", self.name)
        label = 'role="group" tabindex="0" aria-label="Table of attention weights, scrolls sideways"'
        return (
            f'<div id="{self.name}" data-ready="0"><div class="scroll" {label}>{self._table()}</div>'
            f'<style>{style}</style><script type="application/json">{payload}</script><script>{script}</script></div>'
        )

    def _table(self) -> str:
        tokens, weights = self.maps[self.example]
        head = "".join(f'<th scope="col"{_title(token)}' for token in tokens)
        rows = "".join(
            f'<tr><th scope="row"{_title(token)}{"".join(map(_cell, row))}</tr>'
            for token, row in zip(tokens, weights[self.layer - 1][self.head - 1], strict=True)
        )
        where = html.escape(f"{self.example}, layer {self.layer}, head {self.head}")
        caption = f"<b>{where}</b>: how much each row looks at each column. A row sums to 1; a dot is a weight of 0."
        caption, head = f"<caption>{caption}</caption>", f"<thead><tr><td></td>{head}</tr></thead>"
        return f"<table>{caption}{head}<tbody>{rows}</tbody></table>"

    def _start(self, start: tuple[str, int, int]) -> tuple[str, int, int]:
        example, layer, head = start
        if example not in self.maps:
            raise CourseError(f"start names the example {example!r}: take one of {', '.join(self.maps)}.")
        layers, heads = len(self.maps[example][1]), len(self.maps[example][1][0])
        if not (1 <= layer <= layers and 1 <= head <= heads):
            known = f"layers 1 to {layers} and heads 1 to {heads}"
            raise CourseError(f"start asks for layer {layer}, head {head}: {example!r} has {known}.")
        return example, int(layer), int(head)


def _checked(name: str, tokens: Sequence[str], weights: np.ndarray) -> tuple[list[str], list]:
    """The tokens as text and the weights as hundredths, None for an exact 0."""
    tokens, weights, n = [str(token) for token in tokens], np.asarray(weights, dtype=float), len(tokens)
    if n > MOST_TOKENS:
        raise CourseError(f"example {name!r} has {n} tokens and the table shows at most {MOST_TOKENS}: cut it.")
    if weights.ndim != 4 or weights.shape[2:] != (n, n) or 0 in weights.shape:
        need = f"its {n} tokens need (layers, heads, {n}, {n})"
        raise CourseError(f"example {name!r} has weights of the shape {weights.shape}: {need}.")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise CourseError(f"example {name!r} has weights that are negative or not finite: give them after the softmax.")
    off = np.argwhere(np.abs(weights.sum(-1) - 1) > 1e-3)
    if len(off):
        layer, head, row = off[0] + 1
        total = f"row {row} of layer {layer}, head {head} sums to {weights.sum(-1)[tuple(off[0])]:.3f}, not to 1"
        raise CourseError(f"example {name!r}: {total}; give the weights after the softmax, the last axis looked at.")
    hundredths: Any = np.rint(100 * weights).astype(int).astype(object)
    hundredths[weights == 0] = None
    return tokens, hundredths.tolist()


def _title(token: str) -> str:
    cut = token if len(token) <= LONGEST else token[: LONGEST - 1].rstrip() + "…"
    return f' title="{html.escape(token)}"><span>{html.escape(cut)}</span></th>'


def _cell(weight: int | None) -> str:
    shade = STRONGEST * ((weight or 0) / 100) ** 0.5  # the root, so that small weights can be told apart
    return f'<td style="background-color:rgba(0,114,178,{shade:.3f})">{_number(weight)}</td>'


def _number(weight: int | None) -> str:
    return "·" if weight is None else f"{weight / 100:.2f}".removeprefix("0")
