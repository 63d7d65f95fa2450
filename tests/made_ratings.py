"""Small made files of ratings, as readers bring them: titles that try every kind of letter, rows in no order."""

from pathlib import Path

import numpy as np
import pandas as pd

TITLES = [
    "Cash $$ & $Carry$",
    "M*A*S*H",
    '"Quoted", The',
    "A <b>bold</b> _one_",
    "千と千尋",
    "x" * 200,
    "Sabrina",
    "Sabrina",
]
KINDS = ["Action", "Comedy", "Drama", "Horror", "Western"]
FIRST = 1_600_000_000
SIZES = {"SMALL": (80, 120, 25), "60": (40, 60, 20), "12": (30, 12, 6), "LARGE": (610, 9724, 164)}  # users, items, each


def made_ratings(n_users: int, n_items: int, each: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ratings by taste and fame over 116 days, and the films: movieId, title (year), genres."""
    rng = np.random.default_rng(0)
    fame = 1 / np.arange(2, n_items + 2)
    user = np.repeat(np.arange(n_users), each)
    item = np.concatenate([rng.choice(n_items, each, replace=False, p=fame / fame.sum()) for _ in range(n_users)])
    of_user, of_item = rng.normal(0, 0.4, n_users), rng.normal(0, 0.4, n_items)
    P, Q = rng.normal(0, 0.6, (n_users, 3)), rng.normal(0, 0.6, (n_items, 3))
    score = 3.3 + of_user[user] + of_item[item] + (P[user] * Q[item]).sum(axis=1) / 2
    columns = {"userId": user + 1, "movieId": item + 1, "rating": np.clip(np.rint(score), 1, 5).astype(int)}
    columns["timestamp"] = FIRST + rng.integers(0, 116 * 86_400, len(user))
    ratings = pd.DataFrame(columns).sample(frac=1, random_state=0)
    names = TITLES + [f"Film {k}" for k in range(len(TITLES), n_items)]
    titles = [f"{name} ({1950 + k % 60})" for k, name in enumerate(names[:n_items])]
    genres = ["|".join(sorted(rng.choice(KINDS, 2, replace=False))) for _ in range(n_items)]
    return ratings, pd.DataFrame({"movieId": np.arange(1, n_items + 1), "title": titles, "genres": genres})


def made_file(folder: Path, kind: str) -> str:
    """A file of ratings with one of titles beside it, by kind: a size, and what is changed ("SMALL", "SMALL log", ...).

    Any other kind is the name of data that the course knows, and is given back.
    """
    size, _, change = kind.partition(" ")
    if size not in SIZES:
        return kind
    ratings, films = made_ratings(*SIZES[size])
    short = ratings.head(3).assign(userId=[900, 901, 901])  # a user with one item, one with two
    changed = {
        "": ratings,
        "short": pd.concat([ratings, short]),
        "log": ratings.drop(columns="rating"),
        "no times": ratings.drop(columns="timestamp"),
        "fifths": ratings.assign(rating=ratings["rating"] / 5),
        "shifted": ratings.assign(rating=(ratings["rating"] - 3) * 5),
    }[change]
    changed.to_csv(folder / "ratings.csv", index=False)
    films.to_csv(folder / "movies.csv", index=False)
    return str(folder / "ratings.csv")
