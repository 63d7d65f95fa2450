"""Training: all data as tensors on the device, batches drawn by index, one loop for every model of the course.

Built in notebook 04, section 4.7.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid
from tqdm.auto import tqdm

from helpers.course import checkpoints
from helpers.course.errors import CourseError
from helpers.models import seeded

Loss = Callable[..., Tensor]


@dataclass(frozen=True)
class Settings:
    """How to train. The defaults were chosen for DotProduct(64) on a validation set; see data/models/README.md.

    decay: decoupled weight decay of the parameters whose name contains the key; of the others 0
    patience: epochs without a better validation error before training stops; None: never
    threads: CPU threads; small batches are faster with one
    mixed: bfloat16 where that is safe, on CUDA only
    """

    epochs: int = 16
    batch: int = 1024
    lr: float = 0.0176  # peak of the schedule
    warm_up: float = 0.3  # share of the steps in which the rate rises (one cycle); 0: it falls along a cosine
    decay: Mapping[str, float] = field(default_factory=lambda: {"factors": 0.9, "bias": 0.05, "effect": 8.0})
    patience: int | None = None
    threads: int = 1
    mixed: bool = False


@dataclass
class History:
    """Mean loss of each epoch, validation error after it if there is one, and what it took."""

    losses: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best_epoch: int = 0  # counted from 1
    seconds: float = 0.0


# Data


def rating_tensors(
    table: pd.DataFrame, shape: tuple[int, int], device: torch.device | str = "cpu"
) -> tuple[Tensor, ...]:
    """user, item (ratings,) as int64 and rating (ratings,) as float32, on the device.

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
    columns = (table["user"].to_numpy(np.int64), table["item"].to_numpy(np.int64), rating)
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


def softmax_error(model: nn.Module, user: Tensor, seen: Tensor) -> Tensor:
    """Mean surprise at what the users took: -log of its share in the softmax over all items. Notebook 05, section 5.5.

    Shapes:
        seen: (batch, items), 1 where the user has an interaction
    """
    shares = torch.log_softmax(model.scores(user), dim=1)  # (batch, items)
    return -(shares * seen).sum() / seen.sum()


def next_item_error(model: nn.Module, window: Tensor) -> Tensor:
    """GPT: mean surprise at the next item, at every position. Notebook 06, section 6.3. Shapes: (batch, length + 1)"""
    history, target = window[:, :-1], window[:, 1:].masked_fill(window[:, :-1] == model.padding, model.padding)
    logits = model.logits(model(history))  # (batch, length, items)
    return cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=model.padding)


def masked_item_error(model: nn.Module, window: Tensor, *, share: float = 0.4) -> Tensor:
    """BERT: mean surprise at items hidden from it, the last one in every second window. Notebook 06,
    section 6.3. Shapes: (batch, length + 1)"""
    history = window[:, 1:]
    chance = torch.full(history.shape, share, device=window.device)
    chance[:, -1] = 0.5
    hidden = (torch.rand(history.shape, device=window.device) < chance) & (history != model.padding)
    hidden[:, -1] |= ~hidden.any(dim=1)  # in every window at least one
    most = min(history.shape[1], int(history.shape[1] * share) + 8)  # a fixed number of places; more are rare
    asked, places = hidden.float().topk(most)  # (batch, most)
    states = model(history.masked_fill(hidden, model.mask))
    states = states.gather(1, places[:, :, None].expand(-1, -1, states.shape[2]))
    target = history.gather(1, places).masked_fill(asked == 0, model.padding)
    return cross_entropy(model.logits(states).flatten(0, 1), target.flatten(), ignore_index=model.padding)


def sampled_error(model: nn.Module, window: Tensor, *, negatives: int = 1, calibration: float = 0.0) -> Tensor:
    """GPT, asked of each next item and of a few drawn at random whether they come: for catalogues too large to rank.

    calibration 0 is the loss of SASRec; towards 1 it undoes what drawing few negatives does to the scores.

    Shapes: (batch, length + 1)
    Source: Petrov and Macdonald, *gSASRec*, RecSys 2023.
    """
    states, target = model(window[:, :-1]), window[:, 1:, None]
    real = (window[:, :-1] != model.padding)[..., None]
    drawn = torch.randint(model.n_items, (*target.shape[:2], negatives), device=window.device)
    asked = torch.cat([target.masked_fill(~real, 0), drawn], dim=2)  # (batch, length, 1 + negatives)
    scores = (model.items(asked) @ states[..., None])[..., 0] + model.item_bias[asked]
    share = negatives / (model.n_items - 1)
    power = share * (calibration * (1 - 1 / share) + 1 / share)
    surprise = -power * logsigmoid(scores[..., 0]) - logsigmoid(-scores[..., 1:]).sum(dim=2)
    return (surprise * real[..., 0]).sum() / real.sum()


# The loop


def train_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, loss: Loss, batch: tuple[Tensor, ...], *, mixed: bool = False
) -> Tensor:
    """One step of the optimizer on one batch; returns the loss before it. All stays on the device of the batch."""
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cuda", torch.bfloat16) if mixed else nullcontext():
        value = loss(model, *batch)
    value.backward()
    optimizer.step()
    return value.detach()


def make_optimizer(model: nn.Module, settings: Settings) -> torch.optim.AdamW:
    """AdamW, each parameter with the decay that its name asks for.

    Source: Loshchilov and Hutter, *Decoupled Weight Decay Regularization*, ICLR 2019.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for name, weights in model.named_parameters():
        decay = next((d for part, d in settings.decay.items() if part in name), 0.0)
        groups.setdefault(decay, []).append(weights)
    fused = next(model.parameters()).device.type in ("cpu", "cuda")
    listed = [{"params": members, "weight_decay": decay} for decay, members in groups.items()]
    return torch.optim.AdamW(listed, lr=settings.lr, fused=fused or None)


def fit(
    model: nn.Module,
    data: tuple[Tensor, ...] | Callable[[int], tuple[Tensor, ...]],
    loss: Loss = squared_error,
    settings: Settings | None = None,
    *,
    seed: int,
    validate: Callable[[nn.Module], float] | None = None,
    checkpoint: Path | None = None,
    progress: bool = False,
) -> History:
    """Train a model where it lies; with `validate`, it ends as it was after its best epoch.

    The same seed gives the same weights on the same machine, also after an interruption if `checkpoint` names a file:
    it is written after every epoch, and read when it exists.

    Shapes:
        data: tensors with one row an example, all on the model's device; `loss` gets the model and a batch of each.
            Or what makes them anew for an epoch, given its number from 0; the first decides the number of steps
    Args:
        validate: an error of the model, to be made small
    Raises:
        CourseError: no rows, a loss that is not finite, or a checkpoint that cannot be used.
    """
    settings = settings or Settings()
    made = data if callable(data) else lambda epoch: data
    rows = len(made(0)[0])
    if rows == 0 or settings.epochs < 1 or settings.batch < 1:
        raise CourseError(
            f"{rows} rows, {settings.epochs} epochs of batches of {settings.batch}: each must be above 0."
        )
    run = _Run(model, settings, -(-rows // settings.batch))
    if checkpoint is not None and checkpoint.exists():
        run.load(checkpoint, seed)
    begun, before, threads = time.perf_counter(), run.history.seconds, torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        epochs = range(len(run.history.losses), settings.epochs)
        for epoch in tqdm(epochs, unit="epoch", initial=epochs.start, total=settings.epochs, disable=not progress):
            if run.finished():
                break
            with seeded(seed * 100_003 + epoch):  # so that an epoch does not depend on how it was reached
                run.epoch(made(epoch), loss)
            run.note(validate)
            run.history.seconds = before + time.perf_counter() - begun
            if checkpoint is not None:
                checkpoints.save(checkpoint, run.state(seed))
    finally:
        torch.set_num_threads(threads)
    if run.best is not None:
        model.load_state_dict(run.best)
    return run.history


class _Run:
    """What one training carries from epoch to epoch."""

    def __init__(self, model: nn.Module, settings: Settings, steps: int) -> None:
        self.model, self.settings, self.history, self.best = model, settings, History(), None
        self.optimizer = make_optimizer(model, settings)
        total = max(2, steps * settings.epochs)
        schedules = torch.optim.lr_scheduler
        self.steps = total
        if settings.warm_up:
            one_cycle = {"total_steps": total, "pct_start": settings.warm_up}
            self.schedule = schedules.OneCycleLR(self.optimizer, settings.lr, **one_cycle)
        else:
            self.schedule = schedules.CosineAnnealingLR(self.optimizer, total)

    def epoch(self, data: tuple[Tensor, ...], loss: Loss) -> None:
        """One pass over all rows in a new order."""
        self.model.train()
        device, losses = data[0].device, []
        mixed = self.settings.mixed and device.type == "cuda"
        order = torch.randperm(len(data[0])).to(device)  # drawn on the CPU: the same batches on every device
        for index in order.split(self.settings.batch):
            batch = tuple(part[index] for part in data)
            losses.append(train_step(self.model, self.optimizer, loss, batch, mixed=mixed))
            if self.schedule.last_epoch < self.steps - 1:
                self.schedule.step()
        self._keep(torch.stack(losses))  # one look an epoch: looking at every step would stall a GPU

    def _keep(self, losses: Tensor) -> None:
        bad = (~losses.isfinite()).nonzero()
        if len(bad):
            step = len(self.history.losses) * len(losses) + int(bad[0]) + 1
            lr = self.settings.lr
            raise CourseError(
                f"the loss is not finite at step {step} with the learning rate {lr:g}: take a smaller lr."
            )
        self.history.losses.append(float(losses.mean()))

    def note(self, validate: Callable[[nn.Module], float] | None) -> None:
        """Ask for the validation error, and keep the weights if it is the best so far."""
        if validate is None:
            return
        self.model.eval()
        with torch.no_grad():
            self.history.validation.append(float(validate(self.model)))
        if self.history.validation[-1] == min(self.history.validation):
            self.history.best_epoch = len(self.history.validation)
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def finished(self) -> bool:
        """Whether the last `patience` epochs brought nothing."""
        patience, done = self.settings.patience, len(self.history.validation)
        return patience is not None and done > 0 and done - self.history.best_epoch >= patience

    def state(self, seed: int) -> dict:
        """All that the next epoch needs."""
        parts = {"model": self.model, "optimizer": self.optimizer, "schedule": self.schedule}
        states = {name: part.state_dict() for name, part in parts.items()}
        return states | {"best": self.best, "history": asdict(self.history), "made_by": _made_by(seed, self.settings)}

    def load(self, path: Path, seed: int) -> None:
        """Go on from a checkpoint."""
        state = checkpoints.load(path, self.model)
        if state["made_by"] != _made_by(seed, self.settings):
            raise CourseError(f"{path} was made with another seed or other settings: delete it, or name another file.")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.best, self.history = state["best"], History(**state["history"])


def _made_by(seed: int, settings: Settings) -> str:
    return repr((seed, sorted(asdict(settings).items(), key=lambda pair: pair[0])))
