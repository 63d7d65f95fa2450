"""Ratings from every source have one shape; CSVs are checked line by line; splits and cleaning keep their rules."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import data, readers
from helpers.errors import CourseError
from helpers.planted import inject_mess

FIELDS = ["user", "item", "rating", "timestamp"]


def csv(tmp_path, text: str, encoding: str = "utf8"):
    path = tmp_path / "mine.csv"
    path.write_bytes(text.encode(encoding))
    return path


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
    assert ratings.has("user", "item", "rating") and not ratings.has("nothing")


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


# CSV


def test_a_csv_with_text_ids_half_stars_dates_and_titles(tmp_path):
    path = csv(
        tmp_path,
        "item,extra,user,rating,timestamp,title\nb,x,ann,4.5,2020-01-02T00:00:00,Bee\n"
        "a,x,bob,0.5,2020-01-01,Ay\nb,x, bob,3,2020-01-03,Bee\n",
    )
    ratings = data.load_ratings(str(path))
    assert ratings.users["id"].tolist() == ["ann", "bob"] and ratings.items["title"].tolist() == ["Ay", "Bee"]
    assert ratings.table["rating"].tolist() == [4.5, 0.5, 3.0]
    assert ratings.table["user"].tolist() == [0, 1, 1]
    assert ratings.table["timestamp"].tolist() == [1577923200, 1577836800, 1578009600]


def test_movielens_spellings_and_a_byte_order_mark_are_understood(tmp_path):
    path = csv(tmp_path, "userId,movieId,rating,timestamp\n10,7,4,5\n9,8,3,6\n", "utf-8-sig")
    ratings = data.load_ratings(str(path))
    assert ratings.users["id"].tolist() == ["9", "10"]  # numbers by size, not by alphabet
    assert not ratings.has("title")


def test_two_spellings_of_a_column_and_an_empty_title_do_no_harm(tmp_path):
    path = csv(tmp_path, "user,userId,item,rating,title\na,9,x,4,\nb,8,x,3,Ex\nb,8,y,3,\n\n")
    ratings = data.load_ratings(str(path))
    assert ratings.users["id"].tolist() == ["a", "b"] and ratings.items["title"].tolist() == ["Ex", "untitled"]


BAD = {
    "no rating column": ("user,item,stars\na,b,4\n", "has no column rating (it has user, item, stars)"),
    "another separator": ("user;item;rating\na;b;4\n", "Is the separator a comma?"),
    "empty file": ("", "is empty"),
    "only a header": ("user,item,rating\n", "a header and no ratings"),
    "text for a rating": (
        "user,item,rating\na,b,4\nb,c,good\n",
        "line 3: it has the rating 'good', which is not a number",
    ),
    "infinite rating": ("user,item,rating\na,b,inf\nb,c,3\n", "line 2: it has the rating 'inf'"),
    "missing rating": ("user,item,rating\na,b,4\nb,c,\n", "line 3: it has no rating"),
    "NaN": ("user,item,rating\na,b,4\nb,c,NaN\n", "line 3: it has no rating"),
    "one user": ("user,item,rating\na,b,4\na,c,5\n", "of one user only"),
    "one item": ("user,item,rating\na,b,4\nc,b,5\n", "of one item only"),
    "missing user": ("user,item,rating\na,b,4\n ,c,3\n", "line 3: it has no user"),
    "a pair twice": (
        "user,item,rating\na,b,4\nb,b,3\nb,c,3\na,b,5\n",
        "line 5: it rates an item that its user has rated before",
    ),
    "a bad time": ("user,item,rating,timestamp\na,b,4,1\nb,c,3,noon\n", "line 3: it has a timestamp that is neither"),
    "milliseconds": ("user,item,rating,timestamp\na,b,4,1600000000000\nb,c,3,1600000000001\n", "divide by 1000"),
    "a huge time": ("user,item,rating,timestamp\na,b,4,5\nb,c,3,1e20\n", "line 3: it has a timestamp that is neither"),
    "blank lines before": ("user,item,rating\na,b,4\n\n\nb,c,good\n", "line 5: it has the rating 'good'"),
    "too many cells": ("user,item,rating\na,b,4,9\nb,c,3,9\n", "more cells than its header has names"),
    "too many cells later": ("user,item,rating\na,b,4\nb,c,3,9\n", "cannot be read as CSV"),
    "too few cells": ("user,item,rating\na,b,4\nb,c\n", "line 3: it has no rating"),
    "ragged line": ('user,item,rating\na,b,4\n"b,c,3\n', "cannot be read as CSV"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_csv_that_cannot_be_used_is_refused_with_its_line(name, tmp_path):
    text, message = BAD[name]
    path = csv(tmp_path, text)
    said = refusal(lambda: data.load_ratings(str(path)))
    assert message in said and "mine.csv" in said


def test_a_missing_file_an_unknown_name_and_another_encoding(tmp_path):
    assert "does not exist (seen from " in refusal(lambda: data.load_ratings(str(tmp_path / "no.csv")))
    unknown = refusal(lambda: data.load_ratings("movielens-1b"))
    assert "name one of toy, movielens-100k, planted" in unknown
    path = csv(tmp_path, "user,item,rating,title\na,b,4,é\nb,c,3,ü\n", "latin-1")
    assert "is not UTF-8" in refusal(lambda: data.load_ratings(str(path)))
    assert "cannot be read as CSV" in refusal(lambda: readers.read_csv(tmp_path))


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=4), st.integers(0, 6), st.integers(1, 10)
        ),
        unique_by=lambda row: (row[0].strip(), row[1]),
        min_size=2,
        max_size=30,
    )
)
@settings(max_examples=40, deadline=None)
def test_any_table_survives_the_way_through_a_csv(tmp_path_factory, rows):
    frame = pd.DataFrame(rows, columns=["user", "item", "rating"]).assign(rating=lambda t: t["rating"] / 2)
    if frame["user"].nunique() < 2 or frame["item"].nunique() < 2:
        return
    path = tmp_path_factory.mktemp("csv") / "any.csv"
    frame.to_csv(path, index=False)
    ratings = data.load_ratings(str(path))
    assert ratings.users["id"].to_numpy()[ratings.table["user"]].tolist() == frame["user"].tolist()
    assert ratings.items["id"].to_numpy()[ratings.table["item"]].tolist() == frame["item"].astype(str).tolist()
    assert ratings.table["rating"].tolist() == frame["rating"].tolist()


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
    assert readers.tidy_title(raw) == tidy


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
