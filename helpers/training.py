"""Training: all data as tensors on the device, batches drawn by index, one loop for every model of the course;
in notebook 04, section 4.4.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from helpers.errors import CourseError
from helpers.models import DotProduct, SequenceTransformer, seeded

Loss = Callable[..., Tensor]
Data = tuple[Tensor, ...]


@dataclass(frozen=True)
class Settings:
    """How to train. The defaults were chosen for DotProduct(64) on a validation set; see data/README.md, rating_search.

    decay: decoupled weight decay of the parameters whose name contains the key; of the others 0
    threads: CPU threads at most; small batches are faster with one
    """

    epochs: int = 16
    batch: int = 1024
    lr: float = 0.0176  # peak of the schedule
    warm_up: float = 0.3  # share of the steps in which the rate rises (one cycle); 0: it falls along a cosine
    decay: Mapping[str, float] = field(default_factory=lambda: {"factors": 0.9, "bias": 0.05, "effect": 8.0})
    threads: int = 1


@dataclass
class Curve:
    """Mean loss of each epoch, validation error after it if there is one, and what it took."""

    losses: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best_epoch: int = 0  # counted from 1
    seconds: float = 0.0


# Data


def rating_tensors(
    table: pd.DataFrame,
    shape: tuple[int, int],
    device: torch.device | str = "cpu",
    *,
    unit: float = 1.0,
) -> Data:
    """user, item (ratings,) as int64 and rating (ratings,) as float32, on the device.

    Args:
        unit: what ratings are counted in, `Ratings.unit`: learning rates and decays were chosen for a span of four
    Raises:
        CourseError: no rows, codes outside the tables, missing ratings, or ratings that are all the same.
    """
    if len(table) == 0:
        raise CourseError("there are no ratings to learn from: this part of the split is empty. Take another share.")
    for name, size in zip(("user", "item"), shape, strict=True):
        low, high = table[name].min(), table[name].max()
        if low < 0 or high >= size:
            raise CourseError(
                f"{name} codes run from {low} to {high}, but the table has {size} rows (0 to {size - 1}): "
                "ids must be replaced by codes first, see helpers.data."
            )
    rating = table["rating"].to_numpy(dtype=np.float32, na_value=np.nan)
    if not np.isfinite(rating).all():
        raise CourseError(f"{(~np.isfinite(rating)).sum()} of {len(rating)} ratings are no numbers: clean them first.")
    if len(rating) > 1 and np.ptp(rating) == 0:
        raise CourseError(f"all {len(rating)} ratings are {rating[0]:g}: there is nothing to tell apart.")
    columns = (table["user"].to_numpy(np.int64), table["item"].to_numpy(np.int64), rating / np.float32(unit))
    return tuple(torch.tensor(column, device=device) for column in columns)


# Losses: they take the model and one batch


def squared_error(model: nn.Module, user: Tensor, item: Tensor, rating: Tensor) -> Tensor:
    """Mean squared error of ratings; refuses the silent broadcast of notebook 04, section 4.2."""
    predicted = model(user, item)
    if predicted.shape != rating.shape:
        raise CourseError(
            f"predictions have shape {tuple(predicted.shape)} and ratings {tuple(rating.shape)}: they would be "
            "compared crosswise. Squeeze the model's output."
        )
    return (predicted - rating).square().mean()


def softmax_error(model: DotProduct, user: Tensor, seen: Tensor) -> Tensor:
    """Mean surprise at what the users took: -log of its share in the softmax over all items.

    Built in notebook 05, section 5.5, as `softmax_loss`.

    Shapes:
        seen: (batch, items), 1 where the user has an interaction
    """
    scores = model.scores(user)  # (batch, items)
    log_shares = torch.log_softmax(scores, dim=1)
    surprise = -(log_shares * seen)
    return surprise.sum() / seen.sum()


def next_item_error(model: SequenceTransformer, window: Tensor) -> Tensor:
    """GPT: mean surprise at the next item, at every position; in notebook 06, section 6.5.

    Shapes: (batch, length + 1)
    """
    history = window[:, :-1]
    is_padding = history == model.padding
    target = window[:, 1:].masked_fill(is_padding, model.padding)  # nothing is asked at padding
    logits = model.logits(model(history))  # (batch, length, items)
    return cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=model.padding)


def masked_item_error(model: SequenceTransformer, window: Tensor, *, share: float = 0.4) -> Tensor:
    """BERT: mean surprise at items hidden from it, the last one in every second window; in notebook 06, section 6.5.

    Shapes: (batch, length + 1)
    """
    history = window[:, 1:]
    length = history.shape[1]
    chance = torch.full(history.shape, share, device=window.device)
    chance[:, -1] = 0.5
    is_real = history != model.padding
    hidden = (torch.rand(history.shape, device=window.device) < chance) & is_real
    has_none = ~hidden.any(dim=1)
    hidden[:, -1] |= has_none  # in every window at least one
    most = min(length, int(length * share) + 8)  # so many places are asked, the same number a window; more are rare
    asked, places = hidden.float().topk(most)  # (batch, most) each: 1 where hidden, and where that is
    states = model(history.masked_fill(hidden, model.mask))  # (batch, length, dim)
    at_places = places[:, :, None].expand(-1, -1, states.shape[2])
    states = states.gather(1, at_places)  # (batch, most, dim)
    target = history.gather(1, places).masked_fill(asked == 0, model.padding)  # (batch, most)
    return cross_entropy(model.logits(states).flatten(0, 1), target.flatten(), ignore_index=model.padding)


def sampled_error(model: SequenceTransformer, window: Tensor) -> Tensor:
    """GPT, asked of each next item and of one drawn at random whether they come: for catalogues too large to rank.

    Shapes: (batch, length + 1)
    Source: Kang and McAuley, *SASRec*, ICDM 2018.
    """
    history = window[:, :-1]
    is_real = history != model.padding
    target = window[:, 1:].masked_fill(~is_real, 0)
    drawn = torch.randint(model.n_items, target.shape, device=window.device)
    asked = torch.stack([target, drawn], dim=2)  # (batch, length, 2)
    states = model(history)  # (batch, length, dim)
    match = model.items(asked) @ states[..., None]  # (batch, length, 2, 1)
    scores = match[..., 0] + model.item_bias[asked]  # (batch, length, 2)
    of_target = scores[..., 0]
    of_drawn = scores[..., 1]
    surprise = -logsigmoid(of_target) - logsigmoid(-of_drawn)
    return (surprise * is_real).sum() / is_real.sum()


# The loop


def make_optimizer(model: nn.Module, settings: Settings) -> torch.optim.AdamW:
    """AdamW, each parameter with the decay that its name asks for.

    Source: Loshchilov and Hutter, *Decoupled Weight Decay Regularization*, ICLR 2019.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for name, weights in model.named_parameters():
        fitting = [decay for part, decay in settings.decay.items() if part in name]
        decay = fitting[0] if fitting else 0.0
        groups.setdefault(decay, []).append(weights)
    listed = [{"params": members, "weight_decay": decay} for decay, members in groups.items()]
    device = next(model.parameters()).device
    can_fuse = device.type in ("cpu", "cuda")
    return torch.optim.AdamW(listed, lr=settings.lr, fused=can_fuse or None)


def make_schedule(optimizer: torch.optim.Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """The learning rate over all steps: up and down in one cycle, or down along a cosine."""
    if settings.warm_up:
        return OneCycleLR(optimizer, settings.lr, total_steps=steps, pct_start=settings.warm_up)
    return CosineAnnealingLR(optimizer, steps)


def train_step(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Loss, batch: Data) -> Tensor:
    """One step of the optimizer on one batch; returns the loss before it. All stays on the device of the batch."""
    optimizer.zero_grad(set_to_none=True)
    value = loss(model, *batch)
    value.backward()
    optimizer.step()
    return value.detach()


def fit(
    model: nn.Module,
    data: Data | Callable[[int], Data],
    loss: Loss = squared_error,
    settings: Settings | None = None,
    *,
    seed: int,
    validate: Callable[[Any], float] | None = None,
) -> Curve:
    """Train a model where it lies; with `validate`, it ends as it was after its best epoch.

    The same seed gives the same weights on the same machine.

    Shapes:
        data: tensors with one row an example, all on the model's device; `loss` gets the model and a batch of each.
            Or what makes them anew for an epoch, given its number from 0; the first decides the number of steps
    Args:
        validate: an error of the model, to be made small
    Raises:
        CourseError: no rows, or a loss that is not finite.
    """
    settings = settings or Settings()
    made = data if callable(data) else lambda epoch: data
    rows = len(made(0)[0])
    if rows == 0 or settings.epochs < 1 or settings.batch < 1:
        raise CourseError(
            f"{rows} rows, {settings.epochs} epochs of batches of {settings.batch}: each must be above 0."
        )
    steps = max(2, math.ceil(rows / settings.batch) * settings.epochs)
    optimizer = make_optimizer(model, settings)
    schedule = make_schedule(optimizer, settings, steps)
    curve, best, begun = Curve(), None, time.perf_counter()
    with cpu_threads(settings.threads):
        for epoch in range(settings.epochs):
            model.train()
            losses = []
            with seeded(seed * 100_003 + epoch):
                for batch in batches(made(epoch), settings.batch):
                    losses.append(train_step(model, optimizer, loss, batch))
                    if schedule.last_epoch < steps - 1:  # data made anew may have more batches than at first
                        schedule.step()
            curve.losses.append(_mean_loss(torch.stack(losses), epoch, settings.lr))
            if validate is not None:
                model.eval()
                with torch.no_grad():
                    curve.validation.append(float(validate(model)))
                if curve.validation[-1] == min(curve.validation):
                    curve.best_epoch = epoch + 1
                    best = copy.deepcopy(model.state_dict())
    if best is not None:
        model.load_state_dict(best)
    curve.seconds = time.perf_counter() - begun
    return curve


def batches(data: Data, size: int) -> Iterator[Data]:
    """All rows once in a new order, `size` at a time. The order is drawn on the CPU: the same one for every device."""
    order = torch.randperm(len(data[0])).to(data[0].device)
    for index in order.split(size):
        yield tuple(part[index] for part in data)


@contextmanager
def cpu_threads(number: int) -> Iterator[None]:
    """At most so many threads inside the block, never more than were allowed outside it."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(number, before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _mean_loss(losses: Tensor, epoch: int, lr: float) -> float:
    """The mean over an epoch's batches. One look an epoch: looking at every step would stall a GPU."""
    bad = (~losses.isfinite()).nonzero()
    if len(bad):
        step = epoch * len(losses) + int(bad[0]) + 1
        raise CourseError(f"the loss is not finite at step {step} with the learning rate {lr:g}: take a smaller lr.")
    return float(losses.mean())
