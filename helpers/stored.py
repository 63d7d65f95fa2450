"""What was made once and is read by the pages: tables of studies, and weights of trained models.

`make models` makes those that are missing, `python -m tools.studies NAME` one of them anew (data/README.md).
"""

import json

import pandas as pd
from safetensors import SafetensorError, safe_open
from torch import Tensor

from helpers.errors import CourseError
from helpers.fetch import DATA

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


def checkpoints(begin: str) -> list[str]:
    """Names of the stored models that begin so, in order."""
    return sorted(path.stem for path in MODELS.glob(f"{begin}*.safetensors"))


def checkpoint(name: str) -> tuple[dict, dict[str, Tensor]]:
    """Card and weights of a stored model; the card says what it is, how it was chosen, and its figures.

    Raises:
        CourseError: a name that is not there, or a file that is cut short, foreign or of the old format.
    """
    path = MODELS / f"{name}.safetensors"
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
            f"{path.name} is no checkpoint of this course, or only part of one ({reason}): run "
            f"`python -m tools.studies {name}`."
        ) from None
    return card, weights
