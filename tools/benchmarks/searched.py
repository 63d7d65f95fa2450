"""Models of libraries and of this course, each with a search: rating_libraries and list_libraries in data/tables/.

    python -m tools.benchmarks.searched [LIBRARY ...]

Each library tries 32 settings on the course's own validation cut (a tenth of the training rows), takes the best, and
is trained again on all of them. myFM learns its penalties, so nothing is searched; it is given the inputs of notebook
04b. Test predictions stand beside those of all answers, on the same ratings: the interval of the difference in squared
error is a bootstrap over users. A library runs in an environment of its own (see environments.py).
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import data, metrics, recipes, stored
from helpers.fetch import written_whole
from tools.benchmarks.environments import HERE, OUT, environment

LIBRARIES = {"cornac": "cornac", "surprise": "scikit-surprise", "lenskit": "lenskit", "myfm": "myfm"}
LISTS = ("cornac lists", "lenskit lists")
COLUMNS = ["model", "library", "tried", "settings", "rmse_validation", "rmse", "low", "high", "seconds"]


def parts() -> dict[str, np.ndarray]:
    """The course's split, its validation cut, and what is told of users and items, as arrays."""
    ratings = data.load_ratings("movielens-100k")
    train, test = data.split_random(ratings.table)
    fit, validation = data.split_random(train, seed=0, test=0.1)
    tables = {"train": train, "test": test, "fit": fit, "validation": validation}
    arrays = {name: table[["user", "item", "rating"]].to_numpy() for name, table in tables.items()}
    train, test = data.split_leave_last_out(ratings.table)
    fit, validation = data.split_leave_last_out(train)
    for name, table in (("train", train), ("test", test), ("fit", fit), ("validation", validation)):
        arrays[f"lists {name}"] = table.sort_values(["user", "timestamp"], kind="stable")[["user", "item"]].to_numpy()
    arrays["shape"] = np.array(ratings.shape)
    train, _ = data.split_random(ratings.table)
    for kind in ("attributes", "who rated what"):
        users, items = recipes.inputs(kind, ratings, train)
        arrays |= {f"{kind}, users": users, f"{kind}, items": items}
    return arrays


def ours() -> list[dict]:
    """One answer and all of them, with their test predictions."""
    ratings = data.load_ratings("movielens-100k")
    train, test = data.split_random(ratings.table)
    rows = []
    for kind in ("dot product", "with attributes"):
        begun = time.process_time()
        said = recipes.one_answer(ratings, train, test, kind=kind, seed=0)
        rows.append(
            {"model": kind, "tried": 27 if kind == "dot product" else 5, "seconds": time.process_time() - begun}
        )
        rows[-1]["said"] = said
    longer = {"burn_in": 100, "sweeps": 200}
    for kind, settings in (("ids", {}), ("attributes", {}), ("who rated what", {}), ("who rated what", longer)):
        begun = time.process_time()
        told = recipes.inputs(kind, ratings, train)
        said = recipes.all_answers(ratings, train, test, told, seed=0, **settings).rating
        name = f"all answers, {kind}" + (", 100 draws after 100" if settings else "")
        rows.append({"model": name, "tried": 13, "said": said, "seconds": time.process_time() - begun})
    return [row | {"library": "this course"} for row in rows]


def of_library(name: str, path: Path, *, anew: bool) -> list[dict]:
    """Rows of one library, with their test predictions; those of an earlier run lie under build/."""
    if anew or not (OUT / f"{name}.json").is_file():
        python = environment(LIBRARIES[name.split()[0]])
        subprocess.run([python, HERE / "library_search.py", path, name, OUT / name], check=True, cwd=OUT)
    rows = json.loads((OUT / f"{name}.json").read_text())
    return [row | {"said": said} for row, said in zip(rows, np.load(OUT / f"{name}.npy"), strict=True)]


def main(names: list[str]) -> None:
    """Run the libraries that are named, or those that have not run yet, and write the table of all."""
    OUT.mkdir(parents=True, exist_ok=True)
    arrays, path = parts(), OUT / "ratings.npz"
    np.savez(path, **arrays)
    truth, users = arrays["test"][:, 2], arrays["test"][:, 0].astype(int)
    rows = ours()
    best = next(row["said"] for row in rows if row["model"] == "all answers, who rated what")
    for name in LIBRARIES:
        rows += of_library(name, path, anew=name in names)
    for row in rows:
        said = row.pop("said")
        gap = (truth - said) ** 2 - (truth - best) ** 2
        by_user = pd.Series(gap).groupby(users).agg(["sum", "size"])
        row["rmse"] = metrics.rmse(truth, said)
        row["low"], row["high"] = interval(by_user["sum"].to_numpy(), by_user["size"].to_numpy(), truth, best)
    table = pd.DataFrame(rows, columns=COLUMNS).sort_values("rmse", ignore_index=True)
    tables = {"rating_libraries": table, "list_libraries": lists(names, path, arrays)}
    for name, found in tables.items():
        with written_whole(stored.TABLES / f"{name}.csv") as half:
            found.to_csv(half, index=False, float_format="%.5f", lineterminator="\n")
        print(found.to_string(index=False))


def our_lists() -> list[dict]:
    """The list models of notebook 05, each with the settings that its search took; three trainings are averaged."""
    train, _ = data.split_leave_last_out(data.load_ratings("movielens-100k").table)
    seen = data.interactions(train, data.load_ratings("movielens-100k").shape)
    rows = []
    for kind in recipes.LIST_MODELS:
        chosen = {} if kind == "popularity" else stored.choose("list_search", kind)
        begun = time.process_time()
        tried = [
            recipes.list_scores(kind, seen, seed=seed, **chosen) for seed in range(1 + 2 * (kind in recipes.TRAINED))
        ]
        found = stored.summary("list_search", kind)
        row = {"model": kind, "tried": len(found), "seconds": (time.process_time() - begun) / len(tried)}
        rows.append(row | {"library": "this course", "said": tried})
    return rows


def lists(names: list[str], path: Path, arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """HR@10 and NDCG@10 by full ranking, and how far above the dot product of histories, users drawn again."""
    columns = ["user", "item"]
    train, test = (pd.DataFrame(arrays[f"lists {part}"], columns=columns) for part in ("train", "test"))
    rows = our_lists()
    for name in LISTS:
        rows += [row | {"said": [row["said"]]} for row in of_library(name, path, anew=name in names)]
    quality = {row["model"]: [recipes.list_quality(s, train, test) for s in row.pop("said")] for row in rows}
    mean = lambda model, metric: np.mean([q[metric] for q in quality[model]], axis=0)
    for row in rows:
        row["hr10"], row["ndcg10"] = mean(row["model"], "hr").mean(), mean(row["model"], "ndcg").mean()
        gap = mean(row["model"], "ndcg") - mean("dot product of histories", "ndcg")
        row["low"], row["high"] = metrics.bootstrap_interval(gap) if gap.any() else (0.0, 0.0)
    order = ["model", "library", "tried", "settings", "ndcg10_validation", "hr10", "ndcg10", "low", "high", "seconds"]
    return pd.DataFrame(rows, columns=order).sort_values("ndcg10", ascending=False, ignore_index=True)


def interval(gap: np.ndarray, number: np.ndarray, truth: np.ndarray, best: np.ndarray) -> tuple[float, float]:
    """95 % of how much a model's RMSE is above the best one's, users drawn again. Shapes: gap, number (users,)"""
    rng, base = np.random.default_rng(0), float(np.mean((truth - best) ** 2))
    drawn = rng.integers(0, len(gap), (2000, len(gap)))
    mean = gap[drawn].sum(axis=1) / number[drawn].sum(axis=1)
    low, high = np.quantile(np.sqrt(base + mean) - base**0.5, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main(sys.argv[1:])
