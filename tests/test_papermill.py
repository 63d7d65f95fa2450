"""Every notebook with other parameters, and what a wrong one gets."""

import re

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
import yaml
from notebook_files import NOTEBOOKS

from helpers.course.results import read_record

SETS = {
    "00": [{"NUMBERS": 5000}, {"SEEDS": 3}, {"NUMBERS": 300_000, "SEEDS": 8}],
    "01": [{"SEEDS": 12, "RANK": 1}, {"SEEDS": 12, "RANK": 3, "ITERATIONS": 800}, {"SEEDS": 12, "RIDGE": 0.05}],
    "02": [{"SEEDS": 3, "RANK": 1}, {"SEEDS": 3, "STEP": 0.01, "PASSES": 10}, {"SEEDS": 3, "RIDGE": 0.1, "STRETCH": 2}],
    "03": [
        {"DATASET": "planted"},
        {"DATASET": "CSV"},
        {"DATASET": "planted", "SEED": 7, "TEST_SHARE": 0.1, "SEEDS": 3},
    ],
    "04": [
        {"DATASET": "planted", "ARTICLE_EPOCHS": 1},
        {"DATASET": "planted", "ARTICLE_EPOCHS": 1, "EMBEDDING_DIM": 16, "EPOCHS": 4},
        {"DATASET": "planted", "ARTICLE_EPOCHS": 2, "ARTICLE_DIM": 8, "SEED": 7, "LEARNING_RATE": 0.01},
    ],
    "05": [
        {"DATASET": "planted", "SCALE_USERS": 800},
        {"DATASET": "planted", "K": 5, "NEIGHBOURS": 30, "SCALE_USERS": 800},
        {"SCALE_USERS": 800, "EMBEDDING_DIM": 16, "RIDGE": 200.0},
    ],
    "06": [
        {"DATASET": "planted", "PLANTED": 500, "EPOCHS": 2},
        {"DATASET": "planted", "PLANTED": 500, "EPOCHS": 1, "DIM": 16, "LAYERS": 1, "HEADS": 4},
        {"PLANTED": 500, "EPOCHS": 1, "DIM": 8, "DROPOUT": 0.0},
    ],
}
SETS["07"] = [
    {"SPLITS": 3, "TUNE_STEPS": 2, "ASKED_USERS": 1},
    {"SPLITS": 3, "TUNE_STEPS": 2, "ASKED_USERS": 1, "COLD_FILMS": 30, "TUNED_BLOCKS": 2},
    {"SPLITS": 3, "TUNE_STEPS": 2, "ASKED_USERS": 1, "DATASET": "TITLES"},
]
SETS["08"] = [
    {"STEPS": 20, "FEATURES": 16},
    {"STEPS": 20, "FEATURES": 16, "LEAST_RATINGS": 60, "FOLDS": 3},
    {"STEPS": 20, "FEATURES": 64, "SPARSITY": 0.2},
]
SETS["09"] = [
    {"PLANTED": 100, "ASKED_USERS": 10, "EXACT_USERS": 3},
    {"PLANTED": 60, "ASKED_USERS": 12, "EXACT_USERS": 4},
    {"PLANTED": 60, "ASKED_USERS": 10, "EXACT_USERS": 3, "DATASET": "TITLES"},
]
QUICK = {"PLANTED": 50, "CHECKED_USERS": 10, "COMPARED_USERS": 5, "ORDERS": 10}
SETS["10"] = [
    QUICK | {"RANK": 4},
    QUICK | {"USER": 3, "RIDGE": 20.0},
    QUICK | {"RANK": 3, "USER": 5, "DATASET": "TITLES"},
]
WRONG = {
    "08": ({"DATASET": "planted"}, "DATASET = 'planted' has no titles, years, genres or times"),
    "09": ({"DATASET": "planted"}, "DATASET = 'planted' has no titles or no times: maps of attention need"),
    "10": ({"USER": 943}, "USER = 943 is not there: the users of these ratings have the codes 0 to 942"),
    "00": ({"NUMBERS": "many"}, "NUMBERS = 'many' cannot be used: it must be a whole number"),
    "01": ({"SEEDS": 3}, "SEEDS = 3 cannot be used: it must be a whole number and at least 12"),
    "02": ({"STEP": -0.1}, "STEP = -0.1 cannot be used: it must be a number and above 0"),
    "04": ({"DEVICE": "tpu"}, "DEVICE = 'tpu' is not there: PyTorch sees"),
    "07": ({"DATASET": "planted"}, "DATASET = 'planted' has no titles or no times: language models need films with"),
    "06": ({"DIM": 6, "HEADS": 4}, "dim = 6 cannot be shared by 4 heads: take a multiple of 4"),
    "05": ({"K": 0}, "K = 0 cannot be used: it must be a whole number and at least 1"),
    "03": (
        {"DATASET": "netflix"},
        "there is no dataset 'netflix': name one of toy, movielens-100k, movielens-1m, planted",
    ),
}


@pytest.fixture(scope="session")
def users_csv(tmp_path_factory):
    """A CSV of the size of a well-known one: 610 users, 9,724 items, half stars, no demographics, times."""
    rng = np.random.default_rng(0)
    popular = rng.zipf(1.4, 9724).clip(max=400).astype(float)
    user = np.r_[rng.integers(1, 611, 90_000), np.arange(1, 611), rng.integers(1, 611, 9724)]
    item = np.r_[rng.choice(9724, 90_610, p=popular / popular.sum()), np.arange(9724)]
    taste = 3.5 + rng.normal(0, 0.4, 611)[user] + rng.normal(0, 0.5, 9724)[item]
    rating = np.clip(np.rint(2 * (taste + rng.normal(0, 0.8, user.size))) / 2, 0.5, 5)
    rows = {"userId": user, "movieId": 3 * item + 1, "rating": rating, "timestamp": 10**9 + 10**5 * user + item}
    path = tmp_path_factory.mktemp("mine") / "file.csv"
    pd.DataFrame(rows).drop_duplicates(["userId", "movieId"]).to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def titles_csv(tmp_path_factory):
    """A CSV with titles and nothing else about the items, many of them rare."""
    rng, fame = np.random.default_rng(1), 1 / np.arange(3, 503)
    item = rng.choice(500, 9000, p=fame / fame.sum())
    rows = pd.DataFrame({"user": rng.integers(0, 150, 9000), "item": item}).drop_duplicates()
    rows = rows.assign(rating=rng.integers(1, 6, len(rows)), timestamp=10**9 + np.arange(len(rows)))
    path = tmp_path_factory.mktemp("named") / "books.csv"
    rows.assign(title=[f"The {item}th Book" for item in rows["item"]]).to_csv(path, index=False)
    return path


@pytest.fixture
def relaxed(monkeypatch):
    """Claims of a page hold for its defaults; elsewhere they report."""
    monkeypatch.delenv("RECSYS_EXPLAINED_CLAIMS")


def run(path, out, parameters):
    papermill.execute_notebook(path, out, parameters=parameters, progress_bar=False, kernel_name="python3")
    return nbformat.read(out, as_version=4)


@pytest.mark.parametrize("k", range(3))
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_other_parameters_run_through_and_matter(path, k, tmp_path, relaxed, users_csv, titles_csv):
    files = {"CSV": str(users_csv), "TITLES": str(titles_csv)}
    chosen = {n: files.get(v, v) if n == "DATASET" else v for n, v in SETS[path.name[:2]][k].items()}
    run(path, tmp_path / "out.ipynb", chosen)
    ours, default = read_record(tmp_path / "out.ipynb"), read_record(path)
    assert ours["parameters"] == default["parameters"] | chosen
    assert ours["metrics"].keys() == default["metrics"].keys()
    assert ours["metrics"] != default["metrics"]


def test_a_user_s_csv_runs_through_03_and_skips_what_it_lacks(tmp_path, relaxed, users_csv):
    notebook = run(NOTEBOOKS[3], tmp_path / "out.ipynb", {"DATASET": str(users_csv)})
    record = read_record(tmp_path / "out.ipynb")["metrics"]
    assert (record["n_users"], record["n_items"]) == (610, 9724)
    assert 0 < record["rmse_bias"] < record["rmse_mean"] and record["rmse_bias_temporal"] > 0
    text = "".join(o["data"].get("text/plain", "") for c in notebook.cells for o in c.get("outputs", []) if "data" in o)
    assert "nothing about age, gender or occupation: skipped" in text
    assert "no genres or years: their figure is skipped" in text and "have no titles" in text


def test_a_csv_without_times_runs_through_03_too(tmp_path, relaxed):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"user": rng.integers(0, 60, 3000), "item": rng.integers(0, 80, 3000)}).drop_duplicates()
    frame.assign(rating=rng.integers(1, 6, len(frame))).to_csv(tmp_path / "plain.csv", index=False)
    run(NOTEBOOKS[3], tmp_path / "out.ipynb", {"DATASET": str(tmp_path / "plain.csv")})
    assert read_record(tmp_path / "out.ipynb")["metrics"]["rmse_bias_temporal"] is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_wrong_parameter_is_refused_at_the_start_in_one_sentence(path, tmp_path):
    parameters, sentence = WRONG[path.name[:2]]
    with pytest.raises(papermill.PapermillExecutionError) as error:
        run(path, tmp_path / "out.ipynb", parameters)
    assert sentence in error.value.evalue and "\n" not in error.value.evalue
    assert (
        len([line for line in re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.value.traceback)).splitlines() if line]) <= 2
    )
    done = [c.execution_count for c in nbformat.read(tmp_path / "out.ipynb", 4).cells if c.get("execution_count")]
    assert len(done) <= 4


def test_a_bad_csv_stops_03_with_its_line(tmp_path):
    (tmp_path / "bad.csv").write_text("user,item,rating\na,b,4\nb,c,good\n")
    with pytest.raises(papermill.PapermillExecutionError) as error:
        run(NOTEBOOKS[3], tmp_path / "out.ipynb", {"DATASET": str(tmp_path / "bad.csv")})
    assert "line 3: it has the rating 'good'" in error.value.evalue
    assert len(error.value.traceback) <= 3


def test_a_missing_cache_without_network_stops_03_with_the_remedy(tmp_path, cache):
    with pytest.raises(papermill.PapermillExecutionError) as error:
        run(NOTEBOOKS[3], tmp_path / "out.ipynb", {})
    assert "make data" in error.value.evalue and "'planted'" in error.value.evalue
    assert not cache.exists() or not any(cache.iterdir())


def test_papermill_s_help_explains_every_parameter():
    for path in NOTEBOOKS:
        for name, about in papermill.inspect_notebook(str(path)).items():
            assert about["help"] and about["inferred_type_name"] in ("int", "float", "str", "bool"), name


PRESETS = sorted((NOTEBOOKS[0].parent / "presets").glob("*.yaml"))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_names_parameters_of_its_notebook(preset):
    (notebook,) = (path for path in NOTEBOOKS if path.name[:2] == preset.name[:2])
    known = papermill.inspect_notebook(notebook)
    for name, value in yaml.safe_load(preset.read_text(encoding="utf8")).items():
        assert type(value).__name__ == known[name]["inferred_type_name"], name
        assert str(value) != known[name]["default"].strip("\"'"), f"{name} is the default already"
