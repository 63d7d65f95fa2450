"""Every page: its exercises, its figures, other parameters, wrong ones, and its code beside the helpers'."""

import inspect
import os
import re
from importlib import import_module

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
import torch
import yaml
from expected import SECONDS, between, compare, exact, relative
from notebook_files import NOTEBOOKS, code_cells, page_of, read, tags

from helpers.errors import CourseError
from helpers.exercises.checking import Exercises
from helpers.page import STRICT
from tools.results import read_record

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def exercises_of(number: str) -> Exercises:
    return import_module(f"helpers.exercises.ex{number}").exercises


def stubs(path) -> dict:
    """The functions that the learner finds in a notebook, by exercise number."""
    found = {}
    for cell in code_cells(read(path)):
        if "exercise" in tags(cell):
            space = {"np": np, "pd": pd, "torch": torch, "check": lambda number, stub: found.update({number: stub})}
            exec(cell.source, space)
    return found


# Exercises

ALL = [(path, number) for path in NOTEBOOKS for number in exercises_of(path.name[:2]).references]
every_exercise = pytest.mark.parametrize(("path", "number"), ALL, ids=lambda value: getattr(value, "stem", value))
MISTAKES = [(path, *mistake) for path in NOTEBOOKS for mistake in page_of(path).MISTAKES]


@every_exercise
def test_stub_runs_as_it_stands_and_shares_its_signature_with_the_reference(path, number):
    exercises, stub = exercises_of(path.name[:2]), stubs(path)[number]
    reference = exercises.references[number]
    assert exercises.verdict(number, stub) == "not attempted yet."
    assert (stub.__name__, inspect.signature(stub)) == (reference.__name__, inspect.signature(reference))
    assert inspect.getdoc(stub).split() == inspect.getdoc(reference).split()


@every_exercise
def test_reference_passes_at_least_two_checks(path, number):
    exercises = exercises_of(path.name[:2])
    verdict = exercises.verdict(number, exercises.references[number])
    assert re.fullmatch(r"passed: ([2-9]) checks\.", verdict), verdict


@every_notebook
def test_notebook_and_module_hold_the_same_exercises(path):
    assert list(stubs(path)) == list(exercises_of(path.name[:2]).references)


@every_notebook
def test_a_learner_finds_check_and_solution_imported(path):
    setup = code_cells(read(path))[1]
    assert re.search(rf"^from helpers\.exercises\.ex{path.name[:2]} import check, solution$", setup.source, re.M)


@pytest.mark.parametrize(("path", "number", "mistake", "message"), MISTAKES, ids=[f"{m[1]} {m[3]}" for m in MISTAKES])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_listed_mistake_gets_its_own_message(path, number, mistake, message):
    verdict = exercises_of(path.name[:2]).verdict(number, mistake)
    assert verdict.startswith("not yet: ") and message in verdict


@every_exercise
def test_every_exercise_lists_at_least_three_mistakes_with_different_messages(path, number):
    assert len({message for _, n, _, message in MISTAKES if n == number}) >= 3


# Figures. What nbval executes is compared, too: conftest.py


@every_notebook
def test_stored_figures_are_the_expected_ones(path):
    assert compare(page_of(path).EXPECTED, read_record(path)["metrics"]) == []


def test_a_figure_that_is_missing_new_or_wrong_is_named():
    expected = {"n": exact(3), "rmse": relative(0.9, 0.01), "share": between(0, 1), "seconds": SECONDS}
    good = {"n": 3, "rmse": 0.905, "share": 0.5, "seconds": 2.0}
    assert compare(expected, good) == []
    for wrong in ({"n": 3.0}, {"n": 4}, {"rmse": 0.91}, {"share": 1.1}, {"seconds": 0.0}, {"more": 1}):
        (problem,) = compare(expected, good | wrong)
        assert problem.startswith(next(iter(wrong)))
    assert compare(expected, {"n": 3, "rmse": 0.9, "share": 0.5}) != []


# Code of the page beside that of the helpers


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if hasattr(page_of(p), "same_as_helpers")], ids=lambda p: p.stem)
def test_what_the_page_builds_is_what_the_helpers_hold(path):
    page_of(path).same_as_helpers()


# Other parameters

NIGHT = "RECSYS_EXPLAINED_NIGHT" in os.environ  # then all sets are run, and not only the first
CHOSEN = [(path, chosen) for path in NOTEBOOKS for chosen in page_of(path).SETS[: None if NIGHT else 1]]
run_id = [f"{path.stem}-{k}" for k, (path, _) in enumerate(CHOSEN)]


@pytest.fixture
def relaxed(monkeypatch):
    """Claims of a page hold for its defaults; elsewhere they report."""
    monkeypatch.delenv(STRICT)


def run(path, out, parameters):
    papermill.execute_notebook(path, out, parameters=parameters, progress_bar=False, kernel_name="python3")
    return nbformat.read(out, as_version=4)


@pytest.mark.kernel
@pytest.mark.parametrize(("path", "chosen"), CHOSEN, ids=run_id)
def test_other_parameters_run_through_and_matter(path, chosen, tmp_path, relaxed, users_csv, titles_csv):
    files = {"CSV": str(users_csv), "TITLES": str(titles_csv)}
    chosen = {name: files.get(value, value) if name == "DATASET" else value for name, value in chosen.items()}
    run(path, tmp_path / path.name, chosen)
    ours, default = read_record(tmp_path / path.name), read_record(path)
    assert ours["parameters"] == default["parameters"] | chosen
    assert ours["metrics"].keys() == default["metrics"].keys()
    assert ours["metrics"] != default["metrics"]


@pytest.mark.kernel
def test_a_user_s_csv_runs_through_03_and_skips_what_it_lacks(tmp_path, relaxed, users_csv):
    notebook = run(NOTEBOOKS[3], tmp_path / "out.ipynb", {"DATASET": str(users_csv)})
    record = read_record(tmp_path / "out.ipynb")["metrics"]
    assert (record["n_users"], record["n_items"]) == (610, 9724)
    assert 0 < record["rmse_bias"] < record["rmse_mean"] and record["rmse_bias_temporal"] > 0
    text = "".join(o["data"].get("text/plain", "") for c in notebook.cells for o in c.get("outputs", []) if "data" in o)
    assert "nothing about age, gender or occupation: skipped" in text
    assert "no genres or years: their figure is skipped" in text and "have no titles" in text


@pytest.mark.kernel
def test_a_csv_without_times_runs_through_03_too(tmp_path, relaxed):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"user": rng.integers(0, 60, 3000), "item": rng.integers(0, 80, 3000)}).drop_duplicates()
    frame.assign(rating=rng.integers(1, 6, len(frame))).to_csv(tmp_path / "plain.csv", index=False)
    run(NOTEBOOKS[3], tmp_path / "out.ipynb", {"DATASET": str(tmp_path / "plain.csv")})
    assert read_record(tmp_path / "out.ipynb")["metrics"]["rmse_bias_temporal"] is None


# Wrong parameters


@every_notebook
def test_a_wrong_parameter_is_refused_by_the_first_cells_in_one_sentence(path):
    wrong, sentence = page_of(path).WRONG
    parameters, setup, *later = code_cells(read(path))
    space = {}
    exec(parameters.source, space)
    space |= wrong
    with pytest.raises(CourseError, match=re.escape(sentence)) as error:
        for cell in (setup, *later[:2]):
            exec(cell.source, space)
    assert "\n" not in str(error.value)


@pytest.mark.kernel
def test_a_reader_sees_one_line_and_one_sentence_and_nothing_after_it_runs(tmp_path):
    (tmp_path / "bad.csv").write_text("user,item,rating\na,b,4\nb,c,good\n")
    with pytest.raises(papermill.PapermillExecutionError) as error:
        run(NOTEBOOKS[3], tmp_path / "out.ipynb", {"DATASET": str(tmp_path / "bad.csv")})
    assert "line 3: it has the rating 'good'" in error.value.evalue
    shown = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.value.traceback)).splitlines()
    assert len([line for line in shown if line]) <= 2
    done = [c.execution_count for c in nbformat.read(tmp_path / "out.ipynb", 4).cells if c.get("execution_count")]
    assert len(done) <= 4


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


# Files of a reader's own


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
