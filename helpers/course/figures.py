"""How every figure of the course is made and shown: one palette, one width, a caption as text under it."""

import io

import matplotlib
import numpy as np
from IPython.display import display
from matplotlib.figure import Figure

INK, QUIET = "#222222", "#8c8c8c"
PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]  # Okabe and Ito, 2008
WIDTH, DPI = 7.0, 144
STYLE = {
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": INK, "axes.labelcolor": INK,
    "axes.titlelocation": "left", "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlepad": 12,
    "axes.labelsize": 10, "xtick.labelsize": 9.5, "ytick.labelsize": 9.5, "text.color": INK,
    "xtick.color": INK, "ytick.color": INK, "font.family": "DejaVu Sans", "figure.facecolor": "white",
    "savefig.facecolor": "white", "hatch.linewidth": 0.6, "lines.linewidth": 2,
}  # fmt: skip


def canvas(
    height: float, columns: int = 1, *, rows: int = 1, width: float = WIDTH, **kwargs
) -> tuple[Figure, np.ndarray]:
    """A figure of the house's size and style. Returns the figure and its axes, row by row, shape (rows * columns,)."""
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(width, height), layout="constrained")
        axes = fig.subplots(rows, columns, squeeze=False, **kwargs).ravel()
    return fig, axes


def show(fig: Figure, caption: str) -> None:
    """Show a figure as a PNG and, under it, its caption as text: for every reader, and for nbval."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        fig.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    width, height = (round(96 * inches) for inches in fig.get_size_inches())
    display(
        {"image/png": buffer.getvalue(), "text/plain": f"[figure: {fig.get_suptitle()}]"},
        raw=True,
        metadata={"image/png": {"width": width, "height": height}},
    )
    text = "Figure. " + " ".join(caption.split())
    display({"text/plain": text, "text/markdown": f"*{text}*"}, raw=True)


def set_title(fig: Figure, text: str) -> None:
    """The question that a figure answers, at its top left."""
    fig.suptitle(text, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
