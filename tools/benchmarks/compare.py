"""The course's models beside those of five libraries, on the same splits with the same evaluator.

    python -m tools.benchmarks.compare [--rounds 3] [--only PART_OF_A_NAME ...]

The libraries live in environments of their own under build/, made here on the first run: RecTools and RecBole need
an older NumPy than Cornac. Every round runs every model once, one after another, each in a fresh process; figures
are medians over the rounds, those of models that start at random also means over three seeds.
"""

import argparse
import json
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import data
from tools.benchmarks import libraries, ours

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build"
OUT = BUILD / "benchmarks"
TORCH = "torch==2.13.0"  # first and alone, so that no library chooses another
K = 10
NEEDS = {
    "benchmarks-env": ["cornac==3.0.1", "lenskit==2025.8.0", "scikit-surprise==1.1.5"],
    "benchmarks-env-myfm": ["myfm==0.4.0", "setuptools<81", "pandas"],  # it asks for pkg_resources
    "benchmarks-env-rectools": ["rectools[torch]==0.19.0"],
    "benchmarks-env-recbole": ["recbole==1.2.1", "numpy<2", "pandas<2.2", "scipy<1.12"],
}
TIME_LIMIT = 900  # seconds for one model of a library


def environment(package: str) -> Path:
    """The Python of the environment of a library, made if missing or made from other requirements."""
    name, needs = next((n, r) for n, r in NEEDS.items() if any(line.startswith(package) for line in r))
    folder, wanted = BUILD / name, "\n".join([TORCH, *needs])
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        for packages in ([TORCH], [TORCH, *needs]):
            subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        stamp.write_text(wanted)
    return python


def write_splits(path: Path) -> dict[str, np.ndarray]:
    """Both splits of MovieLens-100K, saved for the libraries."""
    ratings = data.load_ratings("movielens-100k")
    splits = {"shape": np.array(ratings.shape)}
    for name, parts in (
        ("rating", data.split_random(ratings.table)),
        ("list", data.split_leave_last_out(ratings.table)),
    ):
        columns = ["user", "item", *(["rating"] if name == "rating" else [])]
        splits[f"{name}_train"], splits[f"{name}_test"] = (part[columns].to_numpy() for part in parts)
    np.savez(path, **splits)
    return splits


def full_ranking(scores: np.ndarray, seen: np.ndarray, test: np.ndarray, k: int) -> dict[str, float]:
    """HR@k and NDCG@k of one held-out item a user among all the items the user has not seen.

    The rank of an item, from 0, is the number of unseen items that score higher plus half of those that tie with it. A
    score that is no number counts as the lowest.

    Shapes:
        scores: (users, items); seen: training pairs (n, 2) of user and item; test: held-out pairs (m, 2)
    """
    unseen = np.ones(scores.shape, dtype=bool)
    unseen[seen[:, 0], seen[:, 1]] = False
    users, items = test.T
    unseen[users, items] = False  # the item itself is no rival
    rows, rivals = np.where(np.isnan(scores), -np.inf, scores)[users], unseen[users]
    target = rows[np.arange(len(test)), items][:, None]
    rank = ((rows > target) & rivals).sum(axis=1) + ((rows == target) & rivals).sum(axis=1) / 2
    gain = np.where(rank < k, 1 / np.log2(rank + 2), 0)
    return {"HR@10": float((rank < k).mean()), "NDCG@10": float(gain.mean())}


def run_one(name: str, splits: Path) -> dict:
    """One row from a fresh process, or the reason why there is none."""
    scores = OUT / "scores.npy"
    scores.unlink(missing_ok=True)
    if name in ours.ENTRIES:
        command = [sys.executable, "-m", "tools.benchmarks.ours", name, scores]
    else:
        command = [environment(libraries.ENTRIES[name].package), HERE / "libraries.py", splits, name, scores]
    folder = BUILD.parent if name in ours.ENTRIES else OUT  # RecTools and RecBole write logs where they run
    limit = None if name in ours.ENTRIES else TIME_LIMIT  # ours are three trainings in one
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, cwd=folder)
    except subprocess.TimeoutExpired:
        return {"model": name, "failed": f"no result after {TIME_LIMIT} s"}
    if done.returncode:
        return {"model": name, "failed": (done.stderr.strip().splitlines() or ["no word"])[-1]}
    row = json.loads(done.stdout.splitlines()[-1])
    if scores.exists():
        with np.load(splits) as file:
            seen, test = file["list_train"], file["list_test"]
        by_seed = np.load(scores).reshape(-1, *np.load(splits)["shape"])
        row |= pd.DataFrame([full_ranking(one, seen, test, K) for one in by_seed]).mean().to_dict()
    return row


def table(rows: pd.DataFrame, metric: str, columns: list[str]) -> str:
    """A Markdown table of the rows that have a metric, best first, and of those that failed."""
    shown = rows[rows[metric].notna()].sort_values(metric, ascending=metric == "RMSE")[["library", "model", *columns]]
    lines = ["| " + " | ".join(shown.columns) + " |", "|---|---|" + "---:|" * len(columns)]
    for row in shown.itertuples(index=False):
        shown_row = ("" if pd.isna(v) else f"{v:.4f}" if isinstance(v, float) else str(v) for v in row)
        lines.append("| " + " | ".join(shown_row) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run what the command line asks for, print two tables and save every round."""
    parser = argparse.ArgumentParser(description="The course's models beside those of five libraries.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART", help="models whose name has one of these")
    asked = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "splits.npz"
    write_splits(path)
    names = [name for name in [*libraries.ENTRIES, *ours.ENTRIES] if any(part in name for part in asked.only)]
    rows = []
    for turn in range(asked.rounds):
        for name in names:
            rows.append({"name": name, "round": turn, **run_one(name, path)})
            print(rows[-1], file=sys.stderr, flush=True)
    (OUT / "results.json").write_text(json.dumps(rows, indent=1), encoding="utf8")
    figures = {"RMSE": ["RMSE", "MAE", "fit s"], "NDCG@10": ["HR@10", "NDCG@10", "fit s", "score s"]}
    found = pd.DataFrame(rows)
    numbers = {column for columns in figures.values() for column in columns}
    found = found.reindex(columns=["name", "round", "library", "model", "failed", *sorted(numbers)])
    groups = found.groupby("name", sort=False)
    medians = groups[["library", "model"]].first().join(groups.median(numeric_only=True).drop(columns="round"))
    for metric, columns in figures.items():
        if medians[metric].notna().any():
            print(table(medians, metric, columns))
    for row in found[found["failed"].notna()].itertuples():
        print(f"{row.name} failed in round {row.round}: {row.failed}")


if __name__ == "__main__":
    main()
