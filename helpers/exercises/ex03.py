"""Notebook 03: reference solutions and checks."""

import numpy as np
import pandas as pd

from helpers.exercises.checking import Exercises, expect_array

exercises = Exercises()
check, solution = exercises.check, exercises.solution


def _log() -> pd.DataFrame:
    """Six ratings; (0, 7) comes three times, its latest row is neither the first nor the last."""
    rows = [(0, 7, 1.0, 100), (1, 7, 4.0, 90), (0, 7, 5.0, 300), (0, 8, 2.0, 200), (0, 7, 3.0, 200), (1, 8, 2.0, 50)]
    return pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])


@exercises.reference("3.1")
def keep_last(table: pd.DataFrame) -> pd.DataFrame:
    """The latest row of each user and item. Columns user, item, rating, timestamp → the same."""
    by_time = table.sort_values("timestamp", kind="stable")
    return by_time.drop_duplicates(["user", "item"], keep="last").sort_index()


@exercises.checks_for("3.1")
def _table(attempt):
    got = attempt(_log())
    if got is None:
        return "your function returns None: is the `return` missing?"
    if not isinstance(got, pd.DataFrame) or list(got.columns) != list(_log().columns):
        return "a table with the columns user, item, rating, timestamp is asked for."
    if len(got) == 6:
        return (
            "all six rows are still there: rows of one pair differ in rating and time, so name the columns of the pair."
        )
    if len(got) < 4:
        return f"{len(got)} rows are left, and there are four pairs: is the pair user *and* item?"
    if len(got) != 4:
        return f"{len(got)} rows are left, and there are four pairs."


@exercises.checks_for("3.1")
def _latest(attempt):
    got = attempt(_log())
    rating = got[(got["user"] == 0) & (got["item"] == 7)]["rating"].iloc[0]
    if rating == 3.0:
        return "you kept the last row of the file: sort by timestamp first."
    if rating == 1.0:
        return "you kept the first rating: the last one is asked for."
    if rating != 5.0:
        return f"user 0 rated item 7 last with 5, and you have {rating:g}."


@exercises.checks_for("3.1")
def _order(attempt):
    table = _log()
    if not attempt(table).equals(keep_last(_log())):
        return "the right rows, in another order: sort by the index at the end, and do not renumber it."
    many = np.arange(200)
    tied = pd.DataFrame(
        {"user": many % 3, "item": many % 2, "rating": many % 5 * 1.0, "timestamp": many * 71 % 13 // 7}
    )
    if not attempt(tied.copy()).equals(keep_last(tied)):
        return (
            "of two rows at the same time the later one in the table counts: sort with kind='stable' and keep the last."
        )
    if not table.equals(_log()):
        return "the input table was changed: work on a copy."


@exercises.reference("3.2")
def share_of_top(counts: np.ndarray, fraction: float) -> float:
    """Share of the ratings that the top fraction of items has. Shapes: (n,) → one number."""
    top = np.sort(counts)[::-1][: max(1, int(fraction * len(counts)))]
    return float(top.sum() / counts.sum())


_COUNTS = np.array([1, 40, 3, 20, 6, 10, 2, 8, 5, 5])


@exercises.checks_for("3.2")
def _share(attempt):
    return expect_array(attempt(_COUNTS, 0.2), ())


@exercises.checks_for("3.2")
def _everything(attempt):
    if not np.isclose(attempt(_COUNTS, 1.0), 1.0):
        return (
            "the top 100 % of the items have all ratings, a share of 1, and yours is another: divide by the sum of all."
        )
    if not np.isclose(attempt(np.ones(10), 0.3), 0.3):
        return "where all items are equal, three of ten have a share of 0.3, and yours is another."


@exercises.checks_for("3.2")
def _top(attempt):
    got = attempt(_COUNTS, 0.2)
    if np.isclose(got, np.sort(_COUNTS)[:2].sum() / 100):
        return "this is the share of the *least* rated: sort downwards."
    if np.isclose(got, _COUNTS[:2].sum() / 100):
        return "you took the first two items of the array: sort first."
    if not np.isclose(got, 0.6):
        return f"you return {got:.2f}, and 0.60 is right."
    if not np.isclose(attempt(_COUNTS, 0.01), 0.4):
        return "for a very small fraction take at least one item."
    if not np.isclose(attempt(_COUNTS, 0.37), 0.7):
        return "0.37 of ten items are three, and you take another number: round down."


@exercises.reference("3.3")
def item_biases(item: np.ndarray, rating: np.ndarray, n_items: int, shrink: float) -> np.ndarray:
    """Shrunk distance of each item from the overall mean. Shapes: (ratings,) twice → (n_items,)."""
    total = np.bincount(item, weights=rating - rating.mean(), minlength=n_items)
    number = np.bincount(item, minlength=n_items)
    return total / np.maximum(number + shrink, 1e-12)


_ITEM = np.array([0, 0, 0, 2, 2, 3])
_RATING = np.array([5.0, 4.0, 5.0, 1.0, 2.0, 4.0])


@exercises.checks_for("3.3")
def _item_shape(attempt):
    got = attempt(_ITEM, _RATING, 5, 2.0)
    if got is not None and np.shape(got) == (4,):
        return "the last item has no rating and is missing: `minlength=n_items` keeps its place."
    return expect_array(got, (5,))


@exercises.checks_for("3.3")
def _unshrunk(attempt):
    with np.errstate(all="ignore"):
        got = np.asarray(attempt(_ITEM, _RATING, 5, 0.0))
    if not np.isfinite(got).all():
        return "an item without ratings divides 0 by 0 when shrink is 0: give it 0."
    if np.allclose(got[[0, 2, 3]], [14 / 3, 1.5, 4.0]):
        return "these are means of the ratings: take off the mean of all ratings first."
    if np.allclose(got, 0):
        return "all biases are 0: take off the mean of *all* ratings, not each item's own."
    want = item_biases(_ITEM, _RATING, 5, 0.0)
    if not np.allclose(got[[1, 4]], 0):
        return f"an item without ratings has a bias of 0, and you return {got[1]:.3f} for it."
    if not np.allclose(got, want):
        first = int(np.flatnonzero(~np.isclose(got, want))[0])
        return f"without shrinkage item {first} has {want[first]:.3f}, and you return {got[first]:.3f}."


@exercises.checks_for("3.3")
def _shrunk(attempt):
    got, want = np.asarray(attempt(_ITEM, _RATING, 5, 2.0)), item_biases(_ITEM, _RATING, 5, 2.0)
    if np.allclose(got, item_biases(_ITEM, _RATING, 5, 0.0)):
        return "shrink changes nothing: add it to the number of ratings."
    if not np.allclose(got, want):
        return f"with shrink 2 item 0 has {want[0]:.3f}, not {got[0]:.3f}: add shrink to the *number*, and only there."


@exercises.reference("3.4")
def mean_so_far(rating: np.ndarray) -> np.ndarray:
    """Mean of the earlier ratings, in order of time. Shapes: (n,) → (n,)."""
    before = np.cumsum(rating) - rating
    return before / np.maximum(np.arange(len(rating)), 1)


_LOG = np.array([4.0, 2.0, 3.0, 5.0])


@exercises.checks_for("3.4")
def _log_shape(attempt):
    return expect_array(attempt(_LOG), (4,))


@exercises.checks_for("3.4")
def _first(attempt):
    if attempt(_LOG)[0] == 4.0:
        return "the first value is the first rating itself: at that time nothing was known, so it is 0."
    if attempt(_LOG)[0] != 0:
        return f"the first value is {attempt(_LOG)[0]:g}, and with nothing known it is 0."


@exercises.checks_for("3.4")
def _past_only(attempt):
    got = np.asarray(attempt(_LOG))
    later = np.asarray(attempt(np.array([4.0, 2.0, 3.0, 1.0])))
    if not np.allclose(got, later):
        return "a change of the last rating changes the result: the present rating or the future is in the mean."
    if np.allclose(got, (np.cumsum(_LOG) - _LOG) / np.arange(1, 5)):
        return "the sum is right, but you divide by one too many: before the second rating there is one."
    if not np.allclose(got, [0, 4, 3, 3]):
        return f"for 4, 2, 3, 5 you return {got.round(2).tolist()}, and [0, 4, 3, 3] is right."
    whole = np.asarray(attempt(np.array([5, 2, 4])))
    if not np.allclose(whole, [0, 5, 3.5]):
        return (
            f"for the whole numbers 5, 2, 4 you return {whole.tolist()}, and [0, 5, 3.5] is right: was it cut to whole?"
        )
