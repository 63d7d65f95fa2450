"""The course's own models in the benchmark: one entry in a process of its own.

    python -m tools.benchmarks.ours NAME SCORES.npy

Prints one JSON line, as libraries.py does. Models that start at random are judged by the mean of three seeds.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from helpers import data, metrics, recipes, training

RATINGS = data.load_ratings("movielens-100k")


def rating_row(kind: str) -> tuple[dict, None]:
    """A rating model of notebook 04: means over three seeds; the seconds are those of fitting alone."""
    train, test = data.split_random(RATINGS.table)
    tensors = training.rating_tensors(train, RATINGS.shape)
    user, item = (torch.tensor(test[name].to_numpy()) for name in ("user", "item"))
    found = []
    for seed in range(3):
        model, settings = recipes.rating_model(kind, RATINGS, mean=float(tensors[2].mean()), seed=seed)
        seconds = training.fit(model, tensors, settings=settings, seed=seed).seconds
        with torch.no_grad():
            predicted = model(user, item).clamp(1, 5).numpy()
        found.append((metrics.rmse(test["rating"], predicted), np.abs(test["rating"] - predicted).mean(), seconds))
    return dict(zip(("RMSE", "MAE", "fit s"), np.mean(found, axis=0).tolist(), strict=True)), None


def list_row(kind: str, **settings: float) -> tuple[dict, np.ndarray]:
    """A list model of notebook 05; its scores of all pairs come with the fit, so their time is in it."""
    train, _ = data.split_leave_last_out(RATINGS.table)
    seen = data.interactions(train, RATINGS.shape)
    scores, begun = [], time.perf_counter()
    for seed in range(3 if kind in recipes.TRAINED else 1):
        scores.append(recipes.list_scores(kind, seen, seed=seed, **settings))
    return {"fit s": (time.perf_counter() - begun) / len(scores)}, np.array(scores)


def transformer_row(**options: float | bool | str) -> tuple[dict, np.ndarray]:
    """A transformer of notebook 06 with each of three seeds."""
    train, _ = data.split_leave_last_out(RATINGS.table)
    known, users = data.histories(train, RATINGS.shape[0]), np.arange(RATINGS.shape[0])
    scores, fit, asked = [], [], []
    for seed in range(3):
        model, curve = recipes.train_transformer(train, RATINGS.shape, seed=seed, **options)
        begun = time.perf_counter()
        score = recipes.sequence_scores(model, known)
        scores.append(np.concatenate([score(part) for part in np.array_split(users, 8)]))
        asked.append(time.perf_counter() - begun)
        fit.append(curve.seconds)
    return {"fit s": float(np.mean(fit)), "score s": float(np.mean(asked))}, np.array(scores)


LONG = {"epochs": 40, "anew": True}
ENTRIES: dict[str, Callable[[], tuple[dict, np.ndarray | None]]] = {
    **{f"ours {kind}": partial(rating_row, kind) for kind in ("dot product", "NeuMF", "with attributes")},
    "ours popularity": partial(list_row, "popularity"),
    "ours item-kNN": partial(list_row, "item-kNN", neighbours=10),
    "ours EASE": partial(list_row, "EASE", ridge=100.0),
    "ours dot product, softmax": partial(list_row, "dot product"),
    "ours dot product of histories": partial(list_row, "dot product of histories"),
    "ours GPT, 12 epochs": partial(transformer_row, epochs=12),
    "ours GPT, 40 epochs": partial(transformer_row, **LONG),
    "ours BERT, 40 epochs": partial(transformer_row, architecture="BERT", dropout=0.1, **LONG),
}


def main(name: str, scores_path: str) -> None:
    """Fit one entry and print its row."""
    row, scores = ENTRIES[name]()
    if scores is not None:
        np.save(scores_path, scores)
    print(json.dumps({"library": "this course", "model": name.removeprefix("ours "), **row}))


if __name__ == "__main__":
    main(*sys.argv[1:])
