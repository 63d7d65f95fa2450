"""What was made once and is read by the pages: tables of studies, and weights of trained models.

`make models` makes those that are missing, `python -m tools.studies NAME` one of them anew (data/README.md).
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import pandas as pd
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from helpers.errors import CourseError
from helpers.fetch import DATA, cache_folder, storage_errors_told, written_whole

TABLES = DATA / "tables"
MODELS = DATA / "models"
WITHIN = 0.002
RULE = (
    f"The narrowest width whose best settings come within {WITHIN} of the best mean; of that width the best settings."
)


def table(name: str) -> pd.DataFrame:
    """The table of a study, one row a member.

    Raises:
        CourseError: a table that is not there.
    """
    path = TABLES / f"{name}.csv"
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in TABLES.glob("*.csv")))
        raise CourseError(f"there is no table {name!r} in data/tables/ ({there}): mend the name, or run `make models`.")
    return pd.read_csv(path)


def summary(name: str, model: str | None = None) -> pd.DataFrame:
    """What a search found (for one model), best first: settings, the mean figure, and its spread over seeds."""
    found = table(name)
    if model is not None:
        found = found[found["model"] == model]
    found = found.dropna(axis=1, how="all")
    figure = found.columns[-1]
    no_settings = ("model", "last_but", "seed", "rmse_last", figure)
    settings = [column for column in found if column not in no_settings]
    if not settings:
        return pd.DataFrame({figure: [found[figure].mean()]})
    cuts = [column for column in found if column == "last_but"]
    by_cut = found.groupby([*settings, *cuts])[figure].agg(["mean", "std"]).reset_index()
    means = by_cut.groupby(settings)[["mean", "std"]].mean().reset_index()
    means = means.rename(columns={"mean": figure, "std": "std over seeds"}).dropna(axis=1, how="all")
    return means.sort_values(figure, ascending=figure.startswith("rmse"), ignore_index=True)


def choose(name: str, model: str | None = None) -> dict[str, float | int]:
    """The settings that `RULE` takes out of a search."""
    found = summary(name, model)
    figure = next(column for column in found if "validation" in column)
    good = found[(found[figure] - found[figure][0]).abs() <= WITHIN]
    if "dim" in good:
        good = good[good["dim"] == good["dim"].min()]
    settings = good.drop(columns=[figure, "std over seeds"], errors="ignore").iloc[0].to_dict()
    return {name: int(value) if value == int(value) else value for name, value in settings.items()}


def describe(model: Any) -> dict[str, Any]:
    """The sizes of a `models.SequenceTransformer`, as its card holds them."""
    return {
        "n_items": model.n_items,
        "dim": model.items.embedding_dim,
        "layers": len(model.blocks),
        "heads": model.blocks[0].heads,
        "length": model.length,
        "dropout": model.dropout.p,
        "causal": model.causal,
    }


def write(path: Path, model: Any, card: dict[str, Any]) -> None:
    """A trained model as a file, whole, its card inside."""
    card = card | {"model": describe(model)}
    with written_whole(path) as half:
        save_file(model.state_dict(), half, {"card": json.dumps(card)})
        half.chmod(0o644)


def keep(name: str, train: Callable[[], tuple[Any, dict[str, Any]]]) -> None:
    """Train a model and keep it in the cache, unless it is there; a second page that wants it waits for the first."""
    path = cache_folder() / "trained" / f"{name}.safetensors"
    with storage_errors_told():
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{path}.lock"):
            if not path.is_file():
                write(path, *train())


def checkpoints(begin: str) -> list[str]:
    """Names of the stored models that begin so, in order."""
    return sorted(path.stem for path in MODELS.glob(f"{begin}*.safetensors"))


def checkpoint(name: str) -> tuple[dict, dict[str, Tensor]]:
    """Card and weights of a model, stored or in the cache; the card says what it is, how chosen, and its figures.

    Raises:
        CourseError: a name that is not there, or a file that is cut short, foreign or of the old format.
    """
    path, remedy = MODELS / f"{name}.safetensors", f"run `python -m tools.studies {name}`"
    in_cache = cache_folder() / "trained" / path.name
    if not path.is_file() and in_cache.is_file():
        path, remedy = in_cache, f"delete {in_cache}, and it is trained again"
    if not path.is_file():
        old = path.with_suffix(".pt").is_file()
        why = "has the old format, .pt" if old else f"is not among {', '.join(checkpoints(''))}"
        raise CourseError(f"the trained model {name!r} {why}: run `make models`.")
    try:
        with safe_open(path, framework="pt") as file:
            card = json.loads(file.metadata()["card"])
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118, since it is no dict
    except (SafetensorError, TypeError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise CourseError(
            f"{path.name} is no checkpoint of this course, or only part of one ({reason}): {remedy}."
        ) from None
    return card, weights
