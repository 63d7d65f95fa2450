"""Ratings from every source have one shape; their unit changes nothing; splits and cleaning keep their rules."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import data, metrics, models, movielens, training
from helpers.errors import CourseError
from helpers.planted import inject_mess


def refusal(call) -> str:
    with pytest.raises(CourseError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["toy", "planted"])
def test_every_source_gives_codes_from_zero_without_gaps(name):
    ratings = data.load_ratings(name)
    assert set(ratings.table["user"]) <= set(range(ratings.shape[0]))
    assert set(ratings.table["item"]) <= set(range(ratings.shape[1]))
    assert ratings.table["rating"].dtype == float and not ratings.table.isna().any().any()
    assert {"user", "item", "rating"} <= ratings.known and "id" not in ratings.known
    assert all(isinstance(name, str) for side in (ratings.users, ratings.items) for name in side["id"])
    assert {"id", "title", "year", "genres"} <= set(ratings.items) and ratings.said.startswith(f"{name}: ")


def test_the_toy_is_the_article_s_matrix():
    assert data.toy_matrix().tolist() == [[1, 5, 0, 4], [0, 0, 3, 2], [4, 0, 5, 0], [0, 1, 0, 5]]


def test_movielens_is_the_published_data():
    """Counts of the data's own README, and the hash of its ratings file."""
    import hashlib

    ratings = data.load_ratings("movielens-100k")
    table = ratings.table
    assert ratings.shape == (943, 1682) and len(table) == 100_000
    ids = ratings.users["id"].to_numpy()[table["user"]], ratings.items["id"].to_numpy()[table["item"]]
    lines = zip(*ids, table["rating"].astype(int), table["timestamp"], strict=True)
    text = "".join("\t".join(map(str, line)) + "\n" for line in lines)
    published = "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
    assert hashlib.sha256(text.encode()).hexdigest() == published
    assert (table.groupby("user").size() >= 20).all()
    assert ratings.items["title"][171] == "The Empire Strikes Back" and ratings.items["year"][171] == 1980
    assert ratings.items["title"][542] == "Les Miserables" and ratings.items["title"].iloc[266] == "unknown"
    assert ratings.items["year"].isna().sum() == 1


# Files, which test_readers.py tries in all forms


def mine(tmp_path, text: str) -> data.Ratings:
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return data.load_ratings(str(path))


def test_ids_become_codes_in_their_order_and_what_is_unknown_is_filled(tmp_path):
    ratings = mine(tmp_path, "user,item,rating\n10,Öl,4\n9,Bär,3\n10,Bär,2\n")
    assert ratings.users["id"].tolist() == ["9", "10"]  # numbers by size
    assert ratings.items["id"].tolist() == ["Bär", "Öl"] == ratings.items["title"].tolist()
    assert ratings.table["user"].tolist() == [1, 0, 1] and ratings.table["item"].tolist() == [1, 0, 0]
    assert ratings.items["year"].isna().all() and ratings.items["genres"].tolist() == [(), ()]
    assert ratings.known == {"user", "item", "rating"} and ratings.name == "mine"
    assert [ratings.user_code("9"), ratings.user_code("10")] == [0, 1]
    assert "USER = '0' is not there: the ids of these 2 users are 9, 10" in refusal(lambda: ratings.user_code("0"))


@pytest.mark.parametrize(
    ("values", "unit", "points", "liked"),
    [
        ((1, 5, 4, 3), 1, "stars", [5, 4]),
        ((0.5, 5, 4, 3.5), 1.125, "stars", [5, 4]),
        ((0.2, 1, 0.8, 0.6), 0.2, "points", [1, 0.8]),
        ((-10, 10, 5, 4), 5, "points", [10, 5]),
        ((0, 1, 1, 0), 0.25, "points", [1, 1]),
        (None, 0.25, "points", None),
    ],
)
def test_scale_unit_and_what_is_liked_follow_from_the_ratings(values, unit, points, liked, tmp_path):
    pairs = ["a,x", "a,y", "b,x", "b,z"]
    if values is None:
        ratings = mine(tmp_path, "\n".join(["user,item", *pairs]))
        assert ratings.scale == (0, 1) and len(ratings.liked()) == 4
    else:
        lines = [f"{pair},{value}" for pair, value in zip(pairs, values)]
        ratings = mine(tmp_path, "\n".join(["user,item,rating", *lines]))
        assert ratings.scale == (min(values), max(values)) and ratings.liked()["rating"].tolist() == liked
    assert abs(ratings.unit - unit) < 1e-12 and ratings.points == points


def test_what_has_no_name_and_no_path_is_refused():
    assert "name one of toy, movielens-100k, planted" in refusal(lambda: data.load_ratings("movielens-1b"))


@pytest.mark.parametrize(("factor", "shift"), [(0.2, 0), (5, -15), (20, 0)])
def test_a_model_is_as_good_whatever_the_ratings_are_counted_in(factor, shift):
    planted = data.planted_ratings(80, 60, per_user=20)
    settings = training.Settings(epochs=10, batch=64)
    error = {}
    for name, table in (
        ("stars", planted.table),
        ("other", planted.table.eval(f"rating = rating * {factor} + {shift}")),
    ):
        ratings = replace(planted, table=table)
        train, test = data.split_random(table)
        tensors = training.rating_tensors(train, ratings.shape, unit=ratings.unit)
        model = models.DotProduct(*ratings.shape, 4, mean=train["rating"].mean() / ratings.unit, seed=0)
        training.fit(model, tensors, settings=settings, seed=0)
        user, item, _ = training.rating_tensors(test, ratings.shape)
        with torch.no_grad():
            predicted = model(user, item).numpy() * ratings.unit
        error[name] = metrics.rmse(test["rating"], predicted) / ratings.unit
    assert abs(error["other"] / error["stars"] - 1) < 0.003 and error["stars"] < planted.table["rating"].std()


@pytest.mark.parametrize(
    ("raw", "tidy"),
    [
        ("Godfather, The (1972)", "The Godfather"),
        ("American in Paris, An (1951)", "An American in Paris"),
        ("Star Maker, The (Uomo delle stelle, L') (1995)", "The Star Maker (L'Uomo delle stelle)"),
        ("Misérables, Les (1995)", "Les Miserables"),
        (
            "Land Before Time III: The Time of the Great Giving (1995) (V)",
            "Land Before Time III: The Time of the Great Giving",
        ),
        ("Jaws 2", "Jaws 2"),
        ("unkonwn", "unknown"),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey"),
        ("Love, Actually", "Love, Actually"),
    ],
)
def test_a_title_has_one_form(raw, tidy):
    assert movielens.tidy_title(raw) == tidy


# Planted ratings


def test_planted_ratings_are_repeatable_and_on_the_scale():
    one, two, other = (data.planted_ratings(60, 50, per_user=10, seed=seed) for seed in (3, 3, 4))
    assert one.table.equals(two.table) and not one.table.equals(other.table)
    assert set(one.table["rating"]) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert not one.table.duplicated(["user", "item"]).any()


@pytest.mark.parametrize("seed", range(3))
def test_planted_truth_predicts_its_ratings_to_within_the_noise(seed):
    ratings = data.planted_ratings(200, 150, per_user=30, noise=0.5, seed=seed)
    truth, table = ratings.truth, ratings.table
    rebuilt = 3.5 + truth.user_bias[:, None] + truth.item_bias + truth.user_factors @ truth.item_factors.T
    assert np.allclose(rebuilt, truth.scores)
    inside = truth.scores[table["user"], table["item"]]
    middle = (inside > 2) & (inside < 4.5)  # away from the ends, where ratings are cut
    error = (table["rating"] - inside)[middle].to_numpy()
    assert abs(np.sqrt((error**2).mean()) - np.sqrt(0.5**2 + 1 / 12)) < 0.05  # noise and rounding


@pytest.mark.parametrize("seed", range(3))
def test_exposure_is_on_target_and_follows_taste_only_when_asked(seed):
    chance, taste = (data.planted_ratings(200, 150, per_user=30, taste_exposure=t, seed=seed) for t in (0.0, 2.0))
    assert abs(chance.truth.exposure.sum(1).mean() - 30) < 0.01
    assert abs(len(chance.table) / 200 - 30) < 3
    within = lambda r: np.corrcoef((r.truth.scores - r.truth.item_bias)[:, 0], r.truth.exposure[:, 0])[0, 1]
    assert abs(within(chance)) < 1e-6 or np.isnan(within(chance))
    assert within(taste) > 0.9


@pytest.mark.parametrize(
    "bad", [{"n_users": 1}, {"n_items": 1}, {"rank": 0}, {"per_user": 0.5}, {"per_user": 500}, {"noise": -1}]
)
def test_a_plan_that_cannot_be_is_refused(bad):
    assert "cannot be planted" in refusal(lambda: data.planted_ratings(**bad))


# Splits


def log(n: int, users: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = {"user": rng.integers(0, users, n), "item": np.arange(n), "rating": 1.0, "timestamp": rng.integers(0, 5, n)}
    return pd.DataFrame(rows)


def test_the_random_split_is_the_one_that_is_written_down():
    table = log(53, 9, 0)
    train, test = data.split_random(table)
    perm = np.random.default_rng(42).permutation(53)
    assert test.index.tolist() == perm[: 53 // 5].tolist() and train.index.tolist() == perm[53 // 5 :].tolist()


@given(st.integers(5, 60), st.integers(1, 8), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_splits_part_the_table(n, users, seed):
    table = log(n, users, seed)
    for split in (data.split_random, data.split_temporal, data.split_leave_last_out):
        train, test = split(table)
        assert sorted([*train.index, *test.index]) == list(range(n))
        assert data.leakage(train, test)["shared_pairs"] == 0


@given(st.integers(5, 60), st.integers(1, 8), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_the_temporal_split_never_trains_on_what_comes_after(n, users, seed):
    table = log(n, users, seed)
    train, test = data.split_temporal(table)
    latest, earliest = train["timestamp"].max(), test["timestamp"].min()
    assert latest <= earliest and len(test) == n // 5
    tied = latest == earliest
    if tied:  # source order decides
        same = lambda part: part.index[part["timestamp"] == latest]
        assert max(same(train)) < min(same(test))
    assert data.leakage(train, test)["trained_on_later"] == 0


@given(st.integers(5, 60), st.integers(1, 8), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_leave_last_out_takes_the_last_row_of_everyone_who_has_two(n, users, seed):
    table = log(n, users, seed)
    _, test = data.split_leave_last_out(table)
    slow = {}
    for index, row in table.iterrows():
        best = slow.setdefault(row["user"], [])
        best.append((row["timestamp"], index))
    wanted = {max(rows)[1] for rows in slow.values() if len(rows) > 1}
    assert set(test.index) == wanted


def test_leakage_counts_what_training_should_not_know():
    train = pd.DataFrame({"user": [0, 0, 1], "item": [0, 1, 0], "rating": 1.0, "timestamp": [1, 9, 5]})
    test = pd.DataFrame({"user": [0, 0, 1, 2], "item": [1, 2, 3, 0], "rating": 1.0, "timestamp": [9, 4, 6, 7]})
    assert data.leakage(train, test) == {
        "shared_pairs": 1,
        "trained_on_later": 0.25,
        "cold_users": 0.25,
        "cold_items": 0.5,
    }


def test_without_timestamps_splits_by_time_are_refused_and_leakage_says_nan():
    table = log(20, 3, 0).drop(columns="timestamp")
    assert "use split_random" in refusal(lambda: data.split_temporal(table))
    assert "use split_random" in refusal(lambda: data.split_leave_last_out(table))
    assert np.isnan(data.leakage(*data.split_random(table))["trained_on_later"])


@pytest.mark.parametrize("share", [0.0, 1.0, 0.01, -1])
def test_a_split_that_leaves_a_side_empty_is_refused(share):
    assert "neither may be 0" in refusal(lambda: data.split_random(log(20, 3, 0), test=share))


# Mess


@pytest.mark.parametrize("seed", range(3))
def test_a_mess_has_so_many_rows_of_each_kind_and_leaves_the_others(seed):
    table = data.planted_ratings(80, 60, per_user=20, seed=seed).table
    messy, count = inject_mess(table, seed=seed, share=0.02), int(0.02 * len(table))
    assert len(messy) == len(table) + 2 * count and messy["rating"].isna().sum() == count
    assert (messy["rating"].astype(float) > 5).sum() == count
    assert messy["user"].map(lambda user: isinstance(user, str)).sum() == count
    mended = messy.assign(user=messy["user"].map(lambda user: int(float(user))))
    assert set(map(tuple, mended[["user", "item"]].to_numpy())) == set(map(tuple, table[["user", "item"]].to_numpy()))
    assert mended.duplicated(["user", "item"]).sum() == 2 * count  # the repeated ones, and those that came later


@pytest.mark.parametrize(("rows", "share"), [(4, 0.01), (100, 0.5), (100, 0)])
def test_a_mess_that_does_not_fit_is_refused(rows, share):
    assert "five kinds of trouble" in refusal(lambda: inject_mess(log(rows, 3, 0), share=share))


def test_ratings_without_times_get_an_order_that_is_drawn():
    ratings = data.planted_ratings(20, 30, per_user=5)
    drawn = data.in_drawn_order(ratings)
    assert sorted(drawn.table["timestamp"]) == list(range(len(ratings.table)))
    assert drawn.table["timestamp"].tolist() == data.in_drawn_order(ratings).table["timestamp"].tolist()
    assert drawn.table["timestamp"].tolist() != data.in_drawn_order(ratings, seed=1).table["timestamp"].tolist()


@pytest.mark.parametrize(("lengths", "said"), [([1], "name another one as USER"), ([3, 1, 0], "1 users have 2 items")])
def test_histories_too_short_to_be_explained_are_refused_with_the_remedy(lengths, said):
    histories = [np.arange(length) for length in lengths]
    with pytest.raises(CourseError, match=said):
        data.check_histories(histories, 2, users=len(lengths))
    data.check_histories([np.arange(2)], 2, users=1)
