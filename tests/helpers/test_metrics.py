"""Errors against plain arithmetic; lists and their metrics against slow loops over sets, from the definitions."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import metrics
from helpers.errors import CourseError

numbers = st.floats(-100, 100)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20))
def test_errors_equal_plain_arithmetic(pairs):
    a, b = (np.array(column) for column in zip(*pairs, strict=True))
    slow = math.sqrt(math.fsum((x - y) ** 2 for x, y in pairs) / len(pairs))
    assert math.isclose(metrics.rmse(a, b), slow, abs_tol=1e-9)


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(CourseError, match=r"shape \(3, 1\) and predictions \(3,\)"):
        metrics.rmse(np.ones((3, 1)), np.ones(3))


def test_nothing_to_compare_is_refused():
    with pytest.raises(CourseError, match="nothing to compare"):
        metrics.rmse(np.array([]), np.array([]))


# Lists


def slowly(listed, wanted, k):
    """Metrics of one list by loops."""
    hits = [1 if item in wanted else 0 for item in listed]
    gains = sum(h / np.log2(p + 2) for p, h in enumerate(hits))
    ideal = sum(1 / np.log2(p + 2) for p in range(min(k, len(wanted))))
    precisions = [sum(hits[: p + 1]) / (p + 1) for p, h in enumerate(hits) if h]
    first = next((1 / (p + 1) for p, h in enumerate(hits) if h), 0)
    return [
        float(any(hits)),
        sum(hits) / k,
        sum(hits) / len(wanted),
        gains / ideal,
        first,
        sum(precisions) / min(k, len(wanted)),
    ]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [1, 4, 30])
def test_lists_and_metrics_agree_with_loops(seed, k):
    rng = np.random.default_rng(seed)
    n_users, n_items = 13, 17
    scores = rng.integers(0, 4, (n_users, n_items)) + 1e-3 * rng.random((n_users, n_items)) * (seed % 2)  # many ties
    seen = pd.DataFrame(np.argwhere(rng.random((n_users, n_items)) < 0.4), columns=["user", "item"])
    seen = seen[seen["user"] != 3].sample(frac=1, random_state=seed)  # user 3 has no history
    held = pd.DataFrame(np.argwhere(rng.random((n_users, n_items)) < 0.15), columns=["user", "item"])
    users = np.arange(n_users)
    lists = metrics.recommend(lambda u: scores[u], users, seen, n_items, k=k, batch=5, tie_seed=seed)
    got = metrics.list_metrics(lists, users, held)
    for user in users:
        hidden = set(seen.loc[seen["user"] == user, "item"])
        listed = [i for i in lists[user] if i >= 0]
        assert not hidden & set(listed) and len(listed) == min(k, n_items - len(hidden)) == len(set(listed))
        left = [scores[user, i] for i in range(n_items) if i not in hidden | set(listed)]
        assert all(a >= b for a, b in zip(scores[user, listed], scores[user, listed][1:], strict=False))
        assert not left or not listed or max(left) <= scores[user, listed].min()
        wanted = set(held.loc[held["user"] == user, "item"])
        assert (user in got.index) == bool(wanted)
        if wanted:
            columns = ["hr", "precision", "recall", "ndcg", "mrr", "map"]
            assert np.allclose(got.loc[user, columns], slowly(lists[user].tolist(), wanted, k))


def test_what_is_in_lists_agrees_with_loops():
    rng = np.random.default_rng(0)
    lists, features = np.array([rng.permutation(12)[:4] for _ in range(9)]), rng.random((12, 3))
    lists[2, 3] = -1
    cosine = lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    for row, value in zip(lists, metrics.diversity(lists, features), strict=True):
        row = row[row >= 0]
        pairs = [1 - cosine(features[a], features[b]) for a in row for b in row if a != b]
        assert np.isclose(value, np.mean(pairs))
    number = np.bincount(lists[lists >= 0], minlength=12)
    apart = np.abs(number[:, None] - number).sum() / (2 * 12 * number.sum())
    assert np.isclose(metrics.gini(lists, 12), apart)
    assert metrics.coverage(lists, 12) == (number > 0).mean()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"k": 0}, "at least one place"), ({"n_items": 5}, "seen items run"), ({"score": np.full}, "no numbers")],
)
def test_lists_that_cannot_be_made_are_refused(change, message):
    score = (lambda u: np.full((len(u), 6), np.nan)) if "score" in change else (lambda u: np.zeros((len(u), 6)))
    options = {"k": change.get("k", 2)}
    seen = pd.DataFrame({"user": [0], "item": [5]})
    with pytest.raises(CourseError, match=message):
        metrics.recommend(score, np.arange(2), seen, change.get("n_items", 6), **options)


def test_an_interval_of_the_mean_covers_it_in_about_ninety_five_of_a_hundred_samples():
    rng = np.random.default_rng(0)
    samples = [rng.exponential(size=60) for _ in range(200)]
    intervals = [metrics.bootstrap_interval(values, draws=300) for values in samples]
    assert 0.87 < np.mean([low < 1 < high for low, high in intervals]) < 0.99
    assert metrics.bootstrap_interval(np.ones(5)) == (1, 1)
    with pytest.raises(CourseError, match="1 value"):
        metrics.bootstrap_interval(np.ones(1))


def test_an_interval_is_fined_by_how_far_the_truth_lies_outside():
    truth, low, high = np.array([1.0, 2.0, 5.0, 3.0]), np.full(4, 2.0), np.full(4, 4.0)
    slow = [2 + (20 * (2 - 1)), 2, 2 + 20 * (5 - 4), 2]
    assert np.allclose(metrics.interval_score(truth, low, high), slow)
    assert np.allclose(metrics.interval_score(truth, low, high, level=0.5), [2 + 4, 2, 2 + 4, 2])


def test_the_place_of_a_held_out_item_counts_unseen_rivals_and_half_of_the_ties():
    scores = np.array([[5.0, 3, 4, 3, 9], [1, 1, 1, 1, 1], [0, 0, 0, 0, 7]])
    seen = np.array([[0, 0, 0, 0, 1], [0, 0, 1, 0, 0], [1, 0, 0, 0, 0]])
    places = metrics.places(scores, np.array([0, 1, 2]), np.array([1, 0, 4]), seen)
    assert places.tolist() == [3.5, 2.5, 1]
    assert np.allclose(metrics.gain_at(np.array([1, 3, 10, 11])), [1, 0.5, 1 / np.log2(11), 0])


def test_the_gain_at_a_place_is_the_ndcg_of_the_list():
    rng = np.random.default_rng(2)
    scores, users = rng.normal(size=(20, 30)), np.arange(20)
    wanted, seen = rng.integers(0, 30, 20), np.zeros((20, 30))
    held_out = pd.DataFrame({"user": users, "item": wanted})
    lists = metrics.recommend(lambda asked: scores[asked], users, held_out.iloc[:0], 30)
    by_list = metrics.list_metrics(lists, users, held_out)["ndcg"]
    assert np.allclose(metrics.gain_at(metrics.places(scores, users, wanted, seen)), by_list)
