"""RecTools' transformer on the course's histories. Runs in an environment of its own, imports nothing of the course.

    python library_sequences.py LISTS.npz FOLDER

LISTS has train, fit and validation, (n, 2) each, as user, item, those of a user oldest first; and shape (2,).
FOLDER gets search.csv, NDCG@10 on validation by settings and epoch, and scores-0.npy to scores-9.npy, (users, items),
of ten trainings with the best of them. What is there is not computed again.

The model is SASRec of the size of notebook 06's GPT, with the softmax over all items as its loss. RecTools itself reads
the last items of a user only; here it gets windows of whole histories, cut anew for each epoch as the course cuts them.
"""

import itertools
import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from library_search import ndcg
from pytorch_lightning import Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rectools.models.nn.transformers.data_preparator import SequenceDataset
from rectools.models.nn.transformers.sasrec import SASRecDataPreparator
from torch.utils.data import DataLoader

LENGTH, EPOCHS, EVERY, TRAININGS = 50, 40, 4, 10
GRID = list(itertools.product((0.3, 0.2), (0.003, 0.001)))  # dropout, learning rate
Found = tuple[SASRecModel, Dataset]


class Windows(SASRecDataPreparator):
    """Whole histories, cut anew for each epoch."""

    drawn = np.random.default_rng(0)

    def _filter_train_interactions(self, train_interactions: pd.DataFrame) -> pd.DataFrame:
        return train_interactions.sort_values(Columns.Datetime, kind="stable")

    def get_dataloader_train(self) -> DataLoader:
        """Windows of up to 51 items that share one, the last of a random length."""
        whole = SequenceDataset.from_interactions(self.train_dataset.interactions.df)
        parts = []
        for codes in whole.sessions:
            last = int(self.drawn.integers(1, LENGTH + 1))
            end, begin = len(codes), len(codes) - last - 1
            while end > 1:
                parts.append(codes[max(begin, 0) : end])
                end = begin + 1
                begin = end - LENGTH - 1
        cut = SequenceDataset(parts, [[1.0] * len(part) for part in parts])
        return DataLoader(cut, collate_fn=self._collate_fn_train, batch_size=self.batch_size, shuffle=True)


def trainer() -> Trainer:
    """Lightning without its files, bars and guesses about devices."""
    quiet: dict[str, Any] = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False)
    return Trainer(max_epochs=1, accelerator="cpu", enable_model_summary=False, **quiet)


def scores_of(model: SASRecModel, dataset: Dataset, shape: tuple[int, int]) -> np.ndarray:
    """Scores of all items for all users, -inf for items that it never saw. (users, items)"""
    made = model.recommend(np.arange(shape[0]), dataset, k=shape[1], filter_viewed=False)
    scores = np.full(shape, -np.inf, dtype=np.float32)
    scores[made[Columns.User], made[Columns.Item]] = made[Columns.Score]
    return scores


def train(pairs: np.ndarray, seed: int, dropout: float, lr: float) -> Any:
    """The model after each epoch, with its data."""
    seed_everything(seed)
    Windows.drawn = np.random.default_rng(seed)
    frame = pd.DataFrame(pairs, columns=[Columns.User, Columns.Item]).assign(**{Columns.Weight: 1.0})
    order = pd.to_timedelta(frame.groupby(Columns.User).cumcount(), "s")
    frame[Columns.Datetime] = pd.Timestamp("2000-01-01") + order
    dataset = Dataset.construct(frame)
    size = {"n_blocks": 2, "n_heads": 2, "n_factors": 64, "session_max_len": LENGTH}
    made = {"data_preparator_type": Windows, "get_trainer_func": trainer}
    model = SASRecModel(**size, **made, loss="softmax", dropout_rate=dropout, lr=lr, batch_size=64)
    while True:
        model.fit_partial(dataset, 1, 1)
        yield model, dataset


def search(arrays: dict[str, np.ndarray], path: Path) -> pd.DataFrame:
    """NDCG@10 on each user's last item in training, every few epochs of every setting."""
    shape = tuple(arrays["shape"])
    rows = pd.read_csv(path).to_dict("records") if path.is_file() else []
    for dropout, lr in GRID:
        if any((row["dropout"], row["lr"]) == (dropout, lr) for row in rows):
            continue
        for epoch, (model, dataset) in enumerate(train(arrays["fit"], 0, dropout, lr), start=1):
            if epoch % EVERY == 0:
                found = ndcg(scores_of(model, dataset, shape), arrays["fit"], arrays["validation"]).mean()
                rows.append({"dropout": dropout, "lr": lr, "epoch": epoch, "ndcg10_validation": found})
            if epoch == EPOCHS:
                break
        pd.DataFrame(rows).to_csv(path, index=False)
    return pd.DataFrame(rows)


def main(lists: str, into: str) -> None:
    """Search, then train ten times and keep the scores."""
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with np.load(lists) as file:
        arrays = dict(file)
    folder = Path(into)
    found = search(arrays, folder / "search.csv")
    best = found.loc[found["ndcg10_validation"].idxmax()]
    for number in range(TRAININGS):
        path, begun = folder / f"scores-{number}.npy", time.perf_counter()
        if path.is_file():
            continue
        epochs = train(arrays["train"], 100 + number, best["dropout"], best["lr"])
        model, dataset = next(itertools.islice(epochs, int(best["epoch"]) - 1, None))
        np.save(path, scores_of(model, dataset, tuple(arrays["shape"])))
        print(f"{path.name}: {time.perf_counter() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
