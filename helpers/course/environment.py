"""Is this machine ready? What is missing, and how to get it. Shown by notebook 00."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata

import pandas as pd
import psutil
import torch
from packaging.requirements import Requirement

from helpers.course import pretrained, sources
from helpers.course.errors import CourseError

PACKAGE = "recsys-explained"
GIB = 2**30


@dataclass(frozen=True)
class Check:
    """One thing a notebook needs: what was found, whether it is enough, and what to do if not."""

    need: str
    found: str
    ready: bool
    remedy: str


def check_machine() -> list[Check]:
    """Every check, in the order in which to mend them."""
    return [_python(), *_packages(), _memory(), _disk(), *_datasets(), _device()]


def show_machine() -> pd.DataFrame:
    """The checks as a table, the remedies of what is missing first."""
    rows = [
        {
            "need": c.need,
            "found": c.found,
            "ready": "yes" if c.ready else "NO",
            "what to do": "" if c.ready else c.remedy,
        }
        for c in check_machine()
    ]
    return pd.DataFrame(rows).sort_values("ready", kind="stable", ignore_index=True)


def find_device(name: str = "auto") -> torch.device:
    """ "cpu", "cuda", "cuda:1", "mps", or "auto" for the fastest that is there.

    Raises:
        CourseError: a device that PyTorch does not see here.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, seen in there.items() if seen))
    kind, _, number = name.partition(":")
    known = there.get(kind, False) and (not number or (number.isdecimal() and int(number) < _count(kind)))
    if not known:
        seen = ", ".join(kind for kind, seen in there.items() if seen)
        raise CourseError(f"DEVICE = {name!r} is not there: PyTorch sees {seen} on this machine. Take one, or 'auto'.")
    return torch.device(name)


@contextmanager
def profiler() -> Iterator[torch.profiler.profile]:
    """PyTorch's profiler for the CPU, without the lines that it prints when it starts and stops."""
    nowhere, kept = os.open(os.devnull, os.O_WRONLY), os.dup(2)
    os.dup2(nowhere, 2)
    try:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as running:
            yield running
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def _count(kind: str) -> int:
    return torch.cuda.device_count() if kind == "cuda" else 1


def _python() -> Check:
    version = sys.version_info
    return Check(
        "Python 3.11 or later",
        platform.python_version(),
        version >= (3, 11),
        "Install Python 3.11 or later, delete .venv, run `make run`.",
    )


def _packages(installed: Callable[[str], str] = metadata.version) -> list[Check]:
    """One check a package that the project asks for."""
    wanted = [Requirement(text) for text in metadata.requires(PACKAGE) or []]
    return [_package(need, installed) for need in wanted if need.marker is None]


def _package(need: Requirement, installed: Callable[[str], str]) -> Check:
    remedy = f"In the course's environment: pip install '{need}' (torch first, see the README)."
    try:
        version = installed(need.name)
    except metadata.PackageNotFoundError:
        return Check(str(need), "missing", False, remedy)
    return Check(str(need), version, need.specifier.contains(version.split("+")[0], prereleases=True), remedy)


def _memory(available: int | None = None) -> Check:
    free = psutil.virtual_memory().available if available is None else available
    return Check(
        "4 GiB of free memory",
        f"{free / GIB:.0f} GiB",
        free >= 4 * GIB,
        "Close other programs; notebooks 00 to 03 run in 1 GiB.",
    )


def _disk(free: int | None = None) -> Check:
    folder = sources.cache_folder()
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(existing).free if free is None else free
    return Check(
        "2 GiB of free disk for data",
        f"{free / GIB:.0f} GiB",
        free >= 2 * GIB,
        f"Free some space, or set {sources.CACHE} to a folder on another disk.",
    )


def _datasets() -> list[Check]:
    remedy = "Run `make data` once with a network, or use DATASET = 'planted'."
    return [
        Check(name, "cached" if sources.cached(name) else "not yet", bool(sources.cached(name)), remedy)
        for name, dataset in sources.DATASETS.items()
        if dataset.by_default
    ] + [
        Check(name, "cached" if there else "not yet", there, "Run `make data` once with a network, before notebook 07.")
        for name in pretrained.MODELS
        for there in [pretrained.is_cached(name)]
    ]


def _device() -> Check:
    return Check("a device for PyTorch", find_device().type, True, "")
