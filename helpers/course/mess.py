"""What real tables of ratings contain, put into a clean one, for notebook 03 to clean."""

import numpy as np
import pandas as pd

from helpers.course.errors import CourseError


def inject_mess(table: pd.DataFrame, *, seed: int = 0, share: float = 0.01) -> pd.DataFrame:
    """A copy of a ratings table with what real tables contain; `share` of the rows for each kind of trouble.

    Repeated rows, later changes of a rating, missing ratings, ratings off the scale, and user ids that became
    text ("17.0", " 17"). Rows come back in a new order, and their columns as Python objects.
    """
    rng, n = np.random.default_rng(seed), len(table)
    count = max(1, int(share * n))
    if not 0 < share <= 0.2 or 5 * count > n:
        raise CourseError(
            f"share = {share} of {n} rows: five kinds of trouble need 0 < share <= 0.2 and five rows or more."
        )
    repeated, changed, missing, off_scale, retyped = np.split(rng.permutation(n)[: 5 * count], 5)
    messy = table.astype({"user": object, "rating": object})
    again = messy.iloc[changed].copy()
    span = table["rating"].max() - table["rating"].min()
    again["rating"] = [
        table["rating"].max() if r < table["rating"].mean() else table["rating"].min() for r in again["rating"]
    ]
    if "timestamp" in again:
        again["timestamp"] += 60
    messy.iloc[missing, messy.columns.get_loc("rating")] = None
    messy.iloc[off_scale, messy.columns.get_loc("rating")] = [
        float(table["rating"].max() + span * k) for k in rng.integers(2, 20, len(off_scale))
    ]
    ids = [
        f"{u}.0" if k else f" {u}"
        for u, k in zip(table["user"].iloc[retyped], rng.integers(0, 2, len(retyped)), strict=True)
    ]
    messy.iloc[retyped, messy.columns.get_loc("user")] = ids
    whole = pd.concat([messy, messy.iloc[repeated], again], ignore_index=True)
    return whole.iloc[rng.permutation(len(whole))].reset_index(drop=True)
