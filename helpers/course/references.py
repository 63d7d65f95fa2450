"""Reference checkpoints: models of our own that pages look inside, each a file in data/models/ with a card.

python -m helpers.course.references            make the studies and references that are missing (`make models`)
python -m helpers.course.references --again    make everything anew
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from helpers import data, metrics, models, training
from helpers.course import checkpoints, sequence_studies, sources, studies
from helpers.course.errors import CourseError


@dataclass(frozen=True)
class Reference:
    """How a model is built and trained, and what its card says."""

    about: str
    build: Callable[[], nn.Module]  # as `train` returns it, but with other weights
    train: Callable[[], tuple[nn.Module, dict[str, float]]]  # and figures for the card
    chosen: str
    on_movielens: bool = True


def _planted(rule: str, seed: int) -> Reference:
    return Reference(
        f"A GPT with two blocks that has learned the planted rule '{rule}' (notebook 06, section 6.4), seed {seed}.",
        partial(sequence_studies.planted_transformer, rule, seed=seed),
        partial(sequence_studies.learn_rule, rule, seed=seed),
        "Seeds 0, 1 and 2 are all kept.",
        on_movielens=False,
    )


SHAPE = (943, 1682)  # users and films of MovieLens-100K
PRESETS = {"GPT": {"epochs": 40, "anew": True, "dropout": 0.3}, "BERT": {"epochs": 40, "anew": True, "dropout": 0.1}}


def _sequence(direction: str, place: int = 1) -> Reference:
    """A transformer over histories of MovieLens-100K, of the seed in this place on validation."""
    dropout = PRESETS[direction]["dropout"]

    def train() -> tuple[nn.Module, dict[str, float]]:
        """The model, and figures for its card."""
        judged = studies.read_study("sequence_validation").query("direction == @direction and epochs == 40")
        best = judged.sort_values("ndcg10_validation", ascending=False).iloc[place - 1]
        ratings = data.load_ratings("movielens-100k")
        train, test = data.split_leave_last_out(ratings.table)
        model, _ = sequence_studies.train_transformer(
            train, ratings.shape, direction=direction, seed=int(best["seed"]), **PRESETS[direction]
        )
        quality = sequence_studies.sequence_quality(model, data.histories(train, ratings.shape[0]), train, test)
        figures = {"Seed": int(best["seed"]), "NDCG@10 of this seed on validation": best["ndcg10_validation"]}
        return model, figures | {
            "HR@10 on the test": quality["hr"].mean(),
            "NDCG@10 on the test": quality["ndcg"].mean(),
        }

    return Reference(
        f"A {direction} over histories of MovieLens-100K, 40 epochs (notebook 06, section 6.5), trained on all but "
        "each user's last item.",
        lambda: sequence_studies.transformer(SHAPE[1], direction, dropout=dropout, seed=0),
        train,
        f"The seed {'best' if place == 1 else f'in place {place}'} on validation in "
        "[sequence_validation](sequence_validation.md), whatever its test figure.",
    )


def _rating(kind: str, about: str) -> Reference:
    """A rating model of notebook 04, trained on its split."""

    def train() -> tuple[nn.Module, dict[str, float]]:
        """The model, and a figure for its card."""
        ratings = data.load_ratings("movielens-100k")
        train, test = data.split_random(ratings.table)
        tensors = training.rating_tensors(train, ratings.shape)
        model, settings = studies.rating_model(kind, ratings, mean=float(tensors[2].mean()), seed=0)
        training.fit(model, tensors, settings=settings, seed=0)
        user, item, rating = training.rating_tensors(test, ratings.shape)
        with torch.no_grad():
            predicted = model.eval()(user, item).clamp(1, 5)
        return model, {"RMSE on the test": metrics.rmse(rating.numpy(), predicted.numpy())}

    build = {
        "dot product": lambda: models.DotProduct(*SHAPE, 64, seed=0),
        "NeuMF": lambda: models.NeuMF(*SHAPE, 16, seed=0),
    }
    return Reference(about, build[kind], train, "Seed 0; settings from [rating_search](rating_search.md).")


REFERENCES = {
    **{f"planted-{rule}-{seed}": _planted(rule, seed) for rule in ("trigger", "marker") for seed in range(3)},
    "factorization-movielens": _rating(
        "dot product", "The dot product with biases of notebook 04 (section 4.4), on four fifths of MovieLens-100K."
    ),
    "neumf-movielens": _rating("NeuMF", "NeuMF of notebook 04 (section 4.5), on four fifths of MovieLens-100K."),
    "gpt-movielens": _sequence("GPT"),
    "gpt-movielens-2": _sequence("GPT", 2),
    "gpt-movielens-3": _sequence("GPT", 3),
    "bert-movielens": _sequence("BERT"),
}


def load_reference(name: str, device: torch.device | str = "cpu") -> nn.Module:
    """A trained model, ready to be looked into.

    Raises:
        CourseError: an unknown name, or a checkpoint that is missing, cut short or of another shape.
    """
    if name not in REFERENCES:
        raise CourseError(f"there is no reference {name!r}: it is one of {', '.join(REFERENCES)}.")
    path = studies.FOLDER / f"{name}.pt"
    if not path.is_file():
        raise CourseError(f"{path.name} is missing in data/models/: run `make models`.")
    model = REFERENCES[name].build().to(device)
    model.load_state_dict(checkpoints.load(path, model)["model"])
    return model.eval()


@torch.enable_grad()  # a page that only looks may have switched slopes off
def transformers(
    ratings: data.Ratings,
    train: pd.DataFrame,
    *,
    direction: str = "GPT",
    number: int = 3,
    epochs: int = 12,
    device: torch.device | str = "cpu",
) -> list[models.SequenceTransformer]:
    """Several trainings of a GPT or BERT over histories: the references of MovieLens-100K; live ones for others."""
    known = (
        [name for name in REFERENCES if name.startswith(f"{direction.lower()}-movielens")]
        if ratings.name == "movielens-100k"
        else []
    )
    ready = [load_reference(name, device) for name in known[:number]]
    fit = partial(
        sequence_studies.train_transformer, train, ratings.shape, epochs=epochs, direction=direction, device=device
    )
    return ready + [fit(seed=seed)[0] for seed in range(len(ready), number)]


def make_reference(name: str) -> Path:
    """Train a model, and write its checkpoint and its card whole."""
    path = studies.FOLDER / f"{name}.pt"
    with studies.once(path, sources.cache_folder() / "studies" / f"{name}.lock") as needed:
        if not needed:
            return path
        begun = time.perf_counter()
        model, figures = REFERENCES[name].train()
        card = _card(name, model, figures, time.perf_counter() - begun)
        studies.write(path.with_suffix(".md"), card)  # first: a checkpoint that is there counts as made
        checkpoints.save(path, {"model": model.state_dict()})
    return path


def _card(name: str, model: nn.Module, figures: dict[str, float], seconds: float) -> str:
    rows = "\n".join(
        [f"| {key} | {value if isinstance(value, int) else format(value, '.4f')} |" for key, value in figures.items()]
    )
    rows += f"\n{studies.data_row()}" if REFERENCES[name].on_movielens else ""
    return f"""# {name}

{REFERENCES[name].about}

| | |
|---|---|
| Weights | [{name}.pt]({name}.pt), {sum(p.numel() for p in model.parameters()):,} |
| Chosen | {REFERENCES[name].chosen} |
{rows}
| Made by | `make models`, PyTorch {torch.__version__.split("+")[0]} |
| Made in | {seconds:.0f} s |
"""


def main(arguments: list[str] | None = None) -> int:
    """Make studies and references from the command line."""
    known = [*studies.STUDIES, *REFERENCES]
    parser = argparse.ArgumentParser(prog="python -m helpers.course.references", description="Make data/models/.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; default: all")
    parser.add_argument("--again", action="store_true", help="make also what is there")
    asked = parser.parse_args(arguments)
    try:
        for name in asked.names or known:
            if name not in known:
                raise CourseError(f"there is no study or reference {name!r}: it is one of {', '.join(known)}.")
            kind, make = ("pt", make_reference) if name in REFERENCES else ("csv", studies.make_study)
            there = (studies.FOLDER / f"{name}.{kind}").is_file() and not asked.again
            print(f"{name}: {'is there' if there else make(name)}")
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
