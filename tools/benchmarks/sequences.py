"""RecTools' transformer beside those of notebook 06: data/tables/sequence_libraries.csv, a row a training.

    python -m tools.benchmarks.sequences

Settings and epochs are searched on each user's last item in training (library_sequences.py); a row of the table is one
of ten trainings with the best of them, and holds the place of each user's last item among all unseen ones.
"""

import subprocess

import numpy as np
import pandas as pd

from helpers import data, metrics, stored
from helpers.fetch import written_whole
from tools.benchmarks.environments import HERE, OUT, environment


def main() -> None:
    """Search and train what is missing under build/, and write the table."""
    folder = OUT / "rectools"
    folder.mkdir(parents=True, exist_ok=True)
    ratings = data.load_ratings("movielens-100k")
    train, test = data.split_leave_last_out(ratings.table)
    fit, validation = data.split_leave_last_out(train)
    pairs = lambda rows: rows.sort_values(["user", "timestamp"], kind="stable")[["user", "item"]].to_numpy()
    arrays = {"train": pairs(train), "fit": pairs(fit), "validation": pairs(validation)}
    np.savez(folder / "lists.npz", **arrays, shape=np.array(ratings.shape))
    program = [HERE / "library_sequences.py", folder / "lists.npz", folder]
    subprocess.run([environment("rectools"), *program], check=True, cwd=OUT)
    found = pd.read_csv(folder / "search.csv")
    best = found.loc[found["ndcg10_validation"].idxmax()]
    users, wanted = test["user"].to_numpy(), test["item"].to_numpy()
    seen, rows = data.interactions(train, ratings.shape), []
    for number, path in enumerate(sorted(folder.glob("scores-*.npy"))):
        places = np.ceil(metrics.places(np.load(path), users, wanted, seen)).astype(int)
        of_users = {f"user {user}": place for user, place in zip(users, places, strict=True)}
        row = {"model": "RecTools, SASRec", "histories": "as they are", "number": 3 + number}  # 3 to 12: not chosen
        rows.append(row | {"tried": len(found), **best, **of_users})
    with written_whole(stored.TABLES / "sequence_libraries.csv") as half:
        pd.DataFrame(rows).to_csv(half, index=False, float_format="%.5f", lineterminator="\n")


if __name__ == "__main__":
    main()
