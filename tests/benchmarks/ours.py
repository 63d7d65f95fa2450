"""The course's own models in the benchmark: a name and a call without arguments that gives one row.

A row has library, model, task ("rating" or "list") and fit_seconds; a rating row also rmse and mae; a list row
score_seconds and scores, an array of shape (users, items). The splits are those of compare.py: split_random with seed
42 and a test share of .2, and split_leave_last_out, both of movielens-100k.
"""

from collections.abc import Callable

ENTRIES: dict[str, Callable[[], dict]] = {}
