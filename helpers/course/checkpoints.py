"""Checkpoints: written whole or not at all, read without running code, checked against the model before use."""

import os
from pathlib import Path

import torch
from torch import nn

from helpers.course.errors import CourseError


def save(path: Path, state: dict) -> None:
    """Write whole or not at all: what was there before stays until the new file is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.{os.getpid()}.half")
    try:
        torch.save(state, half)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def load(path: Path, model: nn.Module) -> dict:
    """The state in a file, checked against the model before anything is changed. Runs no code from the file.

    Raises:
        CourseError: no such file, a truncated or foreign one, or weights of another shape.
    """
    if not path.exists():
        raise CourseError(f"there is no checkpoint {path}.")
    try:
        state = torch.load(path, map_location=next(model.parameters()).device, weights_only=True)
        found = {name: tuple(value.shape) for name, value in state["model"].items()}
    except Exception as error:
        reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise CourseError(
            f"{path} is no checkpoint, or only part of one ({reason}): delete it and train anew."
        ) from None
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    for name in wanted.keys() | found.keys():
        if wanted.get(name) != found.get(name):
            raise CourseError(
                f"{path} does not fit the model: {name} is {found.get(name, 'missing')} there and "
                f"{wanted.get(name, 'missing')} here. Build the model as it was, or delete the file."
            )
    return state
