"""Recommendation lists as a file: what pages 05, 06 and 10 write for `LISTS_OUT`."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.data import Ratings
from helpers.errors import CourseError

WRITERS = {".parquet": "to_parquet", ".csv": "to_csv"}


def check_out(path: str) -> None:
    """Refuse a file that could not be written, before anything long; "" stands for no file."""
    if not path:
        return
    place = Path(path)
    if place.suffix.lower() not in WRITERS:
        raise CourseError(f"LISTS_OUT = {path!r}: lists are written as .parquet or .csv, so name such a file.")
    if place.suffix.lower() == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise CourseError(f"LISTS_OUT = {path!r}: parquet needs pyarrow (pip install pyarrow). Or name a .csv file.")
    if place.is_dir():
        raise CourseError(f"LISTS_OUT = {path!r} is a folder: name a file in it.")
    if not place.parent.is_dir():
        raise CourseError(f"LISTS_OUT = {path!r}: there is no folder {place.parent} that could hold it. Make it first.")
    if not os.access(place if place.exists() else place.parent, os.W_OK):
        raise CourseError(f"LISTS_OUT = {path!r} may not be written: choose another place.")


def write(
    path: str,
    ratings: Ratings,
    users: np.ndarray,
    lists: np.ndarray,
    scores: np.ndarray,
    reasons: list[str] | None = None,
) -> str:
    """One row a place: user and item (ids as in the source), place from 1, title, score, and a reason if there is one.

    Shapes:
        users: (users,) codes; lists: (users, k) codes, -1 where a user has no further item; scores: (users, k);
        reasons: (users,), of the first place
    Returns:
        a sentence for the page
    """
    k = lists.shape[1]
    frame = pd.DataFrame(
        {
            "user": np.repeat(ratings.users["id"].to_numpy()[users], k),
            "place": np.tile(np.arange(1, k + 1), len(users)),
            "item": ratings.items["id"].to_numpy()[lists.ravel()],
            "title": ratings.items["title"].to_numpy()[lists.ravel()],
            "score": scores.ravel(),
        }
    )
    if reasons is not None:
        frame["reason"] = np.where(frame["place"] == 1, np.repeat(reasons, k), "")
    frame = frame[lists.ravel() >= 0]
    place = Path(path)
    half = place.with_name(f".{place.name}.half")
    try:
        getattr(frame, WRITERS[place.suffix.lower()])(half, index=False)
        os.replace(half, place)
    finally:
        half.unlink(missing_ok=True)
    return f"{len(frame):,} rows of {len(users):,} lists were written to {place.name}."
