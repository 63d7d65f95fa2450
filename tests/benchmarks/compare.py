"""The course's models beside those of five libraries, on the same splits with the same evaluator.

    python tests/benchmarks/compare.py [--rounds 3] [--only PART_OF_A_NAME ...]

The libraries live in environments of their own under build/, made here on the first run: RecTools and RecBole need an
older NumPy than Cornac. Every round runs every model once, one after another, libraries in a fresh process each; times
and metrics are medians over the rounds.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import venv
from collections.abc import Callable
from functools import partial
from pathlib import Path

import libraries
import numpy as np
import ours

from helpers import data

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build"
OUT = BUILD / "benchmarks"
TORCH = "torch==2.13.0"  # first and alone, so that no library chooses another
K = 10
NEEDS = {
    "benchmarks-env": ["cornac==3.0.1", "lenskit==2025.8.0", "scikit-surprise==1.1.5"],
    "benchmarks-env-rectools": ["rectools[torch]==0.19.0"],
    "benchmarks-env-recbole": ["recbole==1.2.1", "numpy<2", "pandas<2.2", "scipy<1.12"],
}
TIME_LIMIT = 900  # seconds for one model
MEASURED = ("fit_seconds", "score_seconds", "rmse", "mae", "hr", "ndcg")
COLUMNS = {
    "rating": {"rmse": ("RMSE", ".4f"), "mae": ("MAE", ".4f"), "fit_seconds": ("fit s", ".2f")},
    "list": {
        "hr": (f"HR@{K}", ".4f"),
        "ndcg": (f"NDCG@{K}", ".4f"),
        "fit_seconds": ("fit s", ".2f"),
        "score_seconds": ("score s", ".2f"),
    },
}


# The environment and the data


def environment(package: str) -> Path:
    """The Python of the environment of a library, made if missing or made from other requirements."""
    name, needs = next((n, r) for n, r in NEEDS.items() if any(line.startswith(package) for line in r))
    folder, wanted = BUILD / name, "\n".join([TORCH, *needs])
    python, stamp = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"), folder / "installed.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    venv.create(folder, with_pip=True, clear=True)
    install = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, TORCH], check=True)
    subprocess.run([*install, TORCH, *needs], check=True)
    stamp.write_text(wanted)
    return python


def write_splits(path: Path) -> dict[str, np.ndarray]:
    """Both splits of MovieLens-100K, saved for the libraries."""
    ratings = data.load_ratings("movielens-100k")
    rating_train, rating_test = data.split_random(ratings.table, seed=42, test=0.2)
    list_train, list_test = data.split_leave_last_out(ratings.table)
    rated, pair = ["user", "item", "rating"], ["user", "item"]
    splits = {
        "rating_train": rating_train[rated].to_numpy(),
        "rating_test": rating_test[rated].to_numpy(),
        "list_train": list_train[pair].to_numpy(),
        "list_test": list_test[pair].to_numpy(),
        "shape": np.array(ratings.shape),
    }
    np.savez(path, **splits)
    return splits


# The evaluator


def full_ranking(scores: np.ndarray, seen: np.ndarray, test: np.ndarray, k: int) -> dict[str, float]:
    """HR@k and NDCG@k of one held-out item a user among all the items the user has not seen.

    The rank of an item, from 0, is the number of unseen items that score higher plus half of those that tie with it. A
    score that is no number counts as the lowest.

    Args:
        scores: (users, items)
        seen: training pairs (n, 2) of user and item
        test: held-out pairs (m, 2), at most one a user
    """
    unseen = np.ones(scores.shape, dtype=bool)
    unseen[seen[:, 0], seen[:, 1]] = False
    users, items = test.T
    unseen[users, items] = False  # the item itself is no rival
    rows, rivals = np.where(np.isnan(scores), -np.inf, scores)[users], unseen[users]
    target = rows[np.arange(len(test)), items][:, None]
    rank = ((rows > target) & rivals).sum(axis=1) + ((rows == target) & rivals).sum(axis=1) / 2
    gain = np.where(rank < k, 1 / np.log2(rank + 2), 0)
    return {"hr": float((rank < k).mean()), "ndcg": float(gain.mean())}


# Running


def run_library(splits: Path, name: str) -> dict:
    """One row of libraries.py from a fresh process, or the reason why there is none."""
    entry = libraries.ENTRIES[name]
    python = environment(entry.package)
    head = {"library": entry.library, "model": entry.model, "task": entry.task}
    scores = OUT / "scores.npy"
    command = [python, HERE / "libraries.py", splits, name, scores]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf8", timeout=TIME_LIMIT, cwd=OUT
        )  # RecTools and RecBole write logs where they run
    except subprocess.TimeoutExpired:
        return {**head, "failed": f"no result after {TIME_LIMIT} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {**head, "failed": lines[-1]}
    row = json.loads(done.stdout.splitlines()[-1])
    if row.pop("scores_file", None):
        row["scores"] = np.load(scores)
        scores.unlink()
    return row


def run_ours(name: str) -> dict:
    """One row of ours.py, or the reason why there is none."""
    try:
        return ours.ENTRIES[name]()
    except Exception as error:  # one model that fails must not end the comparison
        return {"library": "ours", "model": name, "task": None, "failed": f"{type(error).__name__}: {error}"}


def judged(row: dict, splits: dict[str, np.ndarray]) -> dict:
    """The row with its scores replaced by what the evaluator says of them, the mean over seeds if there are several."""
    scores = row.pop("scores", None)
    if scores is None:
        return row
    by_seed = scores if scores.ndim == 3 else scores[None]
    figures = [full_ranking(one, splits["list_train"], splits["list_test"], K) for one in by_seed]
    return {**row, **{key: statistics.mean(figure[key] for figure in figures) for key in figures[0]}}


def run_rounds(runners: dict[str, Callable[[], dict]], splits: dict, rounds: int) -> dict[str, list[dict]]:
    """The rows of every model, one a round; a round runs all models before the next begins."""
    rows = {name: [] for name in runners}
    for turn in range(1, rounds + 1):
        for name, run in runners.items():
            row = judged(run(), splits)
            said = row.get("failed") or ", ".join(f"{key} {row[key]:.4f}" for key in MEASURED if key in row)
            print(f"round {turn}: {name}: {said}", file=sys.stderr, flush=True)
            rows[name].append(row)
    return rows


def summary(rows: list[dict]) -> dict:
    """One row from a model's rounds: medians, or the failure if any round failed."""
    failed = [row for row in rows if "failed" in row]
    if failed:
        return failed[0]
    medians = {key: statistics.median(row[key] for row in rows) for key in MEASURED if key in rows[0]}
    return {**rows[0], **medians}


# Showing


def table(rows: list[dict], task: str) -> str:
    """A Markdown table of one task's rows, best first and failures last."""
    columns = COLUMNS[task]
    chosen = [row for row in rows if row["task"] in (task, None)]
    key = "rmse" if task == "rating" else "ndcg"
    chosen.sort(key=lambda row: (key not in row, row.get(key, 0) * (1 if key == "rmse" else -1)))
    heads = ["Library", "Model", *(head for head, _ in columns.values())]
    lines = ["| " + " | ".join(heads) + " |", "|---|---|" + "---:|" * len(columns)]
    for row in chosen:
        cells = [f"{row['library']} {row.get('version', '')}".strip(), row["model"]]
        if "failed" in row:
            cells += ["failed: " + row["failed"].replace("|", "/")] + [""] * (len(columns) - 1)
        else:
            cells += [format(row[name], form) if name in row else "" for name, (_, form) in columns.items()]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run what the command line asks for, print two tables and save everything."""
    parser = argparse.ArgumentParser(description="The course's models beside those of five libraries.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART", help="models whose name has one of these")
    asked = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "splits.npz"
    splits = write_splits(path)
    runners = {name: partial(run_library, path, name) for name in libraries.ENTRIES}
    runners |= {name: partial(run_ours, name) for name in ours.ENTRIES}
    runners = {name: run for name, run in runners.items() if any(part in name for part in asked.only)}
    for entry in {libraries.ENTRIES[name].package for name in runners if name in libraries.ENTRIES}:
        environment(entry)
    rounds = run_rounds(runners, splits, asked.rounds)
    rows = [summary(made) for made in rounds.values()]
    machine = {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}
    saved = {"machine": machine, "rounds": asked.rounds, "rows": rows, "every_round": rounds}
    (OUT / "results.json").write_text(json.dumps(saved, indent=1), encoding="utf8")
    print(f"Ratings\n\n{table(rows, 'rating')}\n\nLists\n\n{table(rows, 'list')}")


if __name__ == "__main__":
    main()
