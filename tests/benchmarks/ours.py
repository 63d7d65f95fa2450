"""The course's own models in the benchmark: a name and a call without arguments that gives one row.

A row has library, model, task ("rating" or "list") and fit_seconds; a rating row also rmse and mae; a list row
score_seconds and scores, an array of shape (users, items) or (seeds, users, items). The splits are those of compare.py:
split_random with seed 42 and a test share of .2, and split_leave_last_out, both of movielens-100k. Models that start at
random are judged by the mean of three seeds.
"""

import time
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import torch

from helpers import data, metrics, models, training
from helpers.course import sequence_studies, studies


@cache
def _ratings() -> data.Ratings:
    return data.load_ratings("movielens-100k")


def rating_row(kind: str) -> dict:
    """A rating model of notebook 04: means over three seeds; the seconds are those of fitting alone."""
    train, test = data.split_random(_ratings().table, seed=42, test=0.2)
    tensors = training.rating_tensors(train, _ratings().shape)
    errors, seconds = [], []
    for seed in range(3):
        model, settings = studies.rating_model(kind, _ratings(), mean=float(tensors[2].mean()), seed=seed)
        seconds.append(training.fit(model, tensors, settings=settings, seed=seed).seconds)
        with torch.no_grad():
            predicted = model(*(torch.tensor(test[name].to_numpy()) for name in ("user", "item"))).clamp(1, 5).numpy()
        errors.append((metrics.rmse(test["rating"], predicted), metrics.mae(test["rating"], predicted)))
    rmse, mae = np.mean(errors, axis=0)
    row = {"library": "this course", "model": kind, "task": "rating", "fit_seconds": float(np.mean(seconds))}
    return {**row, "rmse": float(rmse), "mae": float(mae)}


def _fitted(kind: str, seen: np.ndarray, seed: int, settings: dict[str, float]) -> Callable[[], np.ndarray]:
    """A fitted list model of notebook 05, as a call that scores all items for all users."""
    if kind == "item-kNN":
        weights = models.neighbour_weights(seen, **settings)
        return lambda: seen @ weights
    if kind == "EASE":
        weights = models.ease_weights(seen, **settings)
        return lambda: seen @ weights
    if kind == "popularity":
        number = seen.sum(axis=0)
        return lambda: np.tile(number, (len(seen), 1))
    network = studies.softmax_dot(kind, seen, seed=seed)
    return lambda: network.scores(torch.arange(len(seen))).numpy()


def list_row(kind: str, **settings: float) -> dict:
    """A list model of notebook 05; if it starts at random, its scores with each of three seeds."""
    train, _ = data.split_leave_last_out(_ratings().table)
    seen = data.interactions(train, _ratings().shape)
    scores, fit, score = [], [], []
    for seed in range(3 if kind in studies.TRAINED else 1):
        begun = time.perf_counter()
        score_all = _fitted(kind, seen, seed, settings)
        fitted = time.perf_counter()
        with torch.no_grad():
            scores.append(score_all())
        fit.append(fitted - begun)
        score.append(time.perf_counter() - fitted)
    name = "dot product, softmax" if kind == "dot product" else kind
    row = {"library": "this course", "model": name, "task": "list", "fit_seconds": float(np.mean(fit))}
    return {**row, "score_seconds": float(np.mean(score)), "scores": np.array(scores)}


def transformer_row(name: str, **options: float | bool | str) -> dict:
    """A transformer of notebook 06 with each of three seeds."""
    train, _ = data.split_leave_last_out(_ratings().table)
    known, users = data.histories(train, _ratings().shape[0]), np.arange(_ratings().shape[0])
    scores, fit, score = [], [], []
    for seed in range(3):
        model, learning = sequence_studies.train_transformer(train, _ratings().shape, seed=seed, **options)
        begun = time.perf_counter()
        score_all = sequence_studies.sequence_scores(model, known)
        scores.append(np.concatenate([score_all(part) for part in np.array_split(users, 8)]))
        fit.append(learning.seconds)
        score.append(time.perf_counter() - begun)
    row = {"library": "this course", "model": name, "task": "list", "fit_seconds": float(np.mean(fit))}
    return {**row, "score_seconds": float(np.mean(score)), "scores": np.array(scores)}


ENTRIES: dict[str, Callable[[], dict]] = {
    "ours dot product": partial(rating_row, "dot product"),
    "ours NeuMF": partial(rating_row, "NeuMF"),
    "ours with attributes": partial(rating_row, "with attributes"),
    "ours popularity": partial(list_row, "popularity"),
    "ours item-kNN": partial(list_row, "item-kNN", neighbours=10),
    "ours EASE": partial(list_row, "EASE", ridge=100.0),
    "ours dot product, softmax": partial(list_row, "dot product"),
    "ours dot product of histories": partial(list_row, "dot product of histories"),
    "ours GPT": partial(transformer_row, "GPT, softmax, 12 epochs", dropout=0.3, epochs=12),
    "ours GPT long": partial(transformer_row, "GPT, softmax, 40 epochs", dropout=0.3, epochs=40, anew=True),
    "ours BERT long": partial(
        transformer_row, "BERT, softmax, 40 epochs", direction="BERT", dropout=0.1, epochs=40, anew=True
    ),
}
