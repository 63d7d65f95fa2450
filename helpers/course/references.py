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

import torch
from torch import nn

from helpers.course import checkpoints, sequence_studies, sources, studies
from helpers.course.errors import CourseError


@dataclass(frozen=True)
class Reference:
    """How a model is built and trained, and what its card says."""

    about: str
    build: Callable[[], nn.Module]  # as `train` returns it, but with other weights
    train: Callable[[], tuple[nn.Module, dict[str, float]]]  # and figures for the card
    chosen: str


def _planted(rule: str, seed: int) -> Reference:
    return Reference(
        f"A GPT with two blocks that has learned the planted rule '{rule}' (notebook 06, section 6.4), seed {seed}.",
        partial(sequence_studies.planted_transformer, rule, seed=seed),
        partial(sequence_studies.learn_rule, rule, seed=seed),
        "Seeds 0, 1 and 2 are all kept.",
    )


REFERENCES = {f"planted-{rule}-{seed}": _planted(rule, seed) for rule in ("trigger", "marker") for seed in range(3)}


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


def make_reference(name: str) -> Path:
    """Train a model, and write its checkpoint and its card whole."""
    path = studies.FOLDER / f"{name}.pt"
    with studies.alone(sources.cache_folder() / "studies" / f"{name}.lock"):
        begun = time.perf_counter()
        model, figures = REFERENCES[name].train()
        checkpoints.save(path, {"model": model.state_dict()})
        studies.write(path.with_suffix(".md"), _card(name, model, figures, time.perf_counter() - begun))
    return path


def _card(name: str, model: nn.Module, figures: dict[str, float], seconds: float) -> str:
    rows = "\n".join(f"| {key} | {value:.4f} |" for key, value in figures.items())
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
