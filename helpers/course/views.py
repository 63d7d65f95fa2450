"""Interactive views: a static table first, controls added by a script of their own, nothing fetched."""

import html
import json
from pathlib import Path

import numpy as np


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
        script = (Path(__file__).parent / "dot_product_view.js").read_text(encoding="utf8")
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
