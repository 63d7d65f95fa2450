"""Transformers over histories, trained for notebook 06 and its studies."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch

from helpers import data, metrics, models, training

LENGTH = 50  # items of a history that a model sees
DROPOUT = 0.3
RULE_EPOCHS = 10  # for planted rules
LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "all items": training.next_item_error,
    "1 negative": training.sampled_error,
}


def transformer(n_items: int, direction: str = "GPT", *, seed: int, **options: Any) -> models.SequenceTransformer:
    """A "GPT" or a "BERT" before training, of the size of notebook 06 unless `options` say otherwise."""
    options = {"length": LENGTH, "dropout": DROPOUT} | options
    return models.SequenceTransformer(n_items, causal=direction == "GPT", seed=seed, **options)


def train_transformer(
    table: pd.DataFrame,
    shape: tuple[int, int],
    *,
    direction: str = "GPT",
    loss: str = "all items",
    epochs: int = 12,
    anew: bool = False,
    seed: int,
    device: torch.device | str = "cpu",
    validation: pd.DataFrame | None = None,
    **options: Any,
) -> tuple[models.SequenceTransformer, training.History]:
    """A "GPT" or "BERT" trained on the histories of a table; `options` go to the model.

    Args:
        anew: for long trainings: windows are cut anew for each epoch, and the learning rate has no warm-up
        validation: held-out items; the model ends as it was after the epoch whose lists had the best NDCG
    """
    model = transformer(shape[1], direction, seed=seed, **options).to(device)
    sequences = data.histories(table, shape[0])

    def windows(epoch: int) -> tuple[torch.Tensor]:
        """The histories cut for an epoch."""
        rng = np.random.default_rng([seed, epoch]) if anew else None
        return (torch.tensor(data.windows(sequences, model.length, model.padding, rng), device=device),)

    warm_up = 0 if anew else 0.3
    settings = training.Settings(epochs=epochs, batch=64, lr=0.004, warm_up=warm_up, decay={}, threads=2)
    error = training.masked_item_error if direction == "BERT" else LOSSES[loss]
    judge = None if validation is None else ndcg_error(sequences, table, validation)
    history = training.fit(model, windows, error, settings, seed=seed, validate=judge)
    return model.eval(), history


def ndcg_error(sequences: list[np.ndarray], train: pd.DataFrame, validation: pd.DataFrame) -> Callable:
    """What `training.fit` is to make small: 1 - NDCG@10 of full rankings of the held-out items."""
    return lambda model: 1 - float(sequence_quality(model, sequences, train, validation)["ndcg"].mean())


def sequence_scores(model: models.SequenceTransformer, sequences: list[np.ndarray]) -> Callable:
    """Users (batch,) → scores of all items (batch, items), for `metrics.recommend`."""
    device = model.item_bias.device
    known = torch.tensor(data.pad_left(sequences, model.length, model.padding), device=device)

    def score(users: np.ndarray) -> np.ndarray:
        """Scores of all items for these users."""
        with torch.no_grad():
            return model.scores(known[torch.as_tensor(users, device=device)]).cpu().numpy()

    return score


def sequence_quality(
    model: models.SequenceTransformer,
    sequences: list[np.ndarray],
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    k: int = 10,
) -> pd.DataFrame:
    """Full-ranking metrics of the lists a transformer makes of these histories, one row a user of the test set."""
    users = np.unique(test["user"])
    lists = metrics.recommend(sequence_scores(model, sequences), users, train, model.n_items, k=k)
    return metrics.list_metrics(lists, users, test)


def shuffled(sequences: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """What a model sees of each history, in a random order."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(codes[-LENGTH:]) for codes in sequences]


def measure(*, direction: str, loss: str, epochs: int, anew: bool, dropout: float, seed: int) -> dict[str, float]:
    """One member of the study sequence_models: lists from histories as they are, and shuffled."""
    ratings = data.load_ratings("movielens-100k")
    train, test = data.split_leave_last_out(ratings.table)
    options = {"direction": direction, "loss": loss, "epochs": epochs, "anew": anew, "dropout": dropout, "seed": seed}
    model, _ = train_transformer(train, ratings.shape, **options)
    known = data.histories(train, ratings.shape[0])
    quality = sequence_quality(model, known, train, test)
    mixed = sequence_quality(model, shuffled(known, seed), train, test)
    figures = {"hr10": quality["hr"], "ndcg10": quality["ndcg"], "ndcg10_shuffled": mixed["ndcg"]}
    return {name: float(values.mean()) for name, values in figures.items()}


def judge(*, direction: str, epochs: int, anew: bool, dropout: float, seed: int) -> dict[str, float]:
    """One member of the study sequence_validation: trained without each user's last item in training, asked for it."""
    ratings = data.load_ratings("movielens-100k")
    train, _ = data.split_leave_last_out(ratings.table)
    shorter, validation = data.split_leave_last_out(train)
    options = {"direction": direction, "epochs": epochs, "anew": anew, "dropout": dropout, "seed": seed}
    _, history = train_transformer(shorter, ratings.shape, **options, validation=validation)
    curve = 1 - np.array(history.validation)
    return {"ndcg10_validation": float(curve[-1]), "ndcg10_best_epoch": float(curve.max())}


MEMBERS = tuple(
    {"direction": direction, "loss": loss, "epochs": epochs, "anew": epochs == 40, "dropout": dropout, "seed": seed}
    for direction, loss, epochs, dropout, seeds in (
        ("GPT", "all items", 12, 0.3, 5),
        ("GPT", "all items", 40, 0.3, 5),
        ("GPT", "1 negative", 40, 0.3, 3),
        ("BERT", "all items", 40, 0.1, 3),
    )
    for seed in range(seeds)
)
JUDGED = tuple(
    {"direction": direction, "epochs": epochs, "anew": epochs == 40, "dropout": dropout, "seed": seed}
    for direction, epochs, dropout, seeds in (("GPT", 12, 0.3, 3), ("GPT", 40, 0.3, 5), ("BERT", 40, 0.1, 3))
    for seed in range(seeds)
)


# Planted rules


def following_error(model: models.SequenceTransformer, history: torch.Tensor, following: torch.Tensor) -> torch.Tensor:
    """Mean surprise at what follows a history. Shapes: (batch, length), (batch,)"""
    return torch.nn.functional.cross_entropy(model.scores(history), following)


def planted_transformer(rule: str, *, layers: int = 2, seed: int) -> models.SequenceTransformer:
    """A GPT for planted histories, before training."""
    n_items = data.planted_sequences(1, rule=rule).n_items
    return models.SequenceTransformer(n_items, 32, layers=layers, length=12, dropout=0.0, seed=seed)


def learn_rule(
    rule: str, *, layers: int = 2, n: int = 6000, seed: int, device: torch.device | str = "cpu"
) -> tuple[models.SequenceTransformer, dict[str, float]]:
    """A GPT trained on planted histories, with the share of right answers on new ones and the seconds."""
    model, curve, seconds = rule_curve(rule, layers=layers, n=n, seed=seed, device=device)
    return model, {"Share of right answers": float(curve.max()), "Seconds": seconds}


def rule_curve(
    rule: str, *, layers: int = 2, n: int = 6000, seed: int, device: torch.device | str = "cpu"
) -> tuple[models.SequenceTransformer, np.ndarray, float]:
    """A GPT trained on planted histories, its share of right answers after each epoch (epochs,), and the seconds."""
    planted, new = (data.planted_sequences(k, rule=rule, seed=s) for k, s in ((n, seed), (1000, 10_000 + seed)))
    model = planted_transformer(rule, layers=layers, seed=seed).to(device)
    asked, answer, *told = (
        torch.tensor(part, device=device)
        for part in (new.histories, new.following, planted.histories, planted.following)
    )
    right = lambda model: -float((model.scores(asked).argmax(dim=1) == answer).float().mean())
    settings = training.Settings(epochs=RULE_EPOCHS, batch=128, lr=0.004, decay={}, threads=1)
    seen = training.fit(model, tuple(told), following_error, settings, seed=seed, validate=right)
    return model.eval(), -np.array(seen.validation), seen.seconds
