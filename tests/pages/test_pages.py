"""Every page: its exercises, its figures, other parameters, wrong ones, and its code beside the helpers'."""

import inspect
import math
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
from expected import SECONDS, between, compare, exact, relative, weights_apart
from made_ratings import made_file
from notebook_files import NOTEBOOKS, code_cells, page_of, read, tags

from helpers.errors import CourseError
from helpers.exercises.checking import Exercises
from helpers.page import STRICT
from helpers.views import AttentionExplorer
from tools.results import number_of, read_record

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

ALL = [(path, number) for path in NOTEBOOKS for number in exercises_of(number_of(path)).references]
every_exercise = pytest.mark.parametrize(("path", "number"), ALL, ids=lambda value: getattr(value, "stem", value))
MISTAKES = [(path, *mistake) for path in NOTEBOOKS for mistake in page_of(path).MISTAKES]


@every_exercise
def test_stub_runs_as_it_stands_and_shares_its_signature_with_the_reference(path, number):
    exercises, stub = exercises_of(number_of(path)), stubs(path)[number]
    reference = exercises.references[number]
    assert exercises.verdict(number, stub) == "not attempted yet."
    assert (stub.__name__, inspect.signature(stub)) == (reference.__name__, inspect.signature(reference))
    assert inspect.getdoc(stub).split() == inspect.getdoc(reference).split()


@every_exercise
def test_reference_passes_at_least_two_checks(path, number):
    exercises = exercises_of(number_of(path))
    verdict = exercises.verdict(number, exercises.references[number])
    assert re.fullmatch(r"passed: ([2-9]) checks\.", verdict), verdict


@every_notebook
def test_notebook_and_module_hold_the_same_exercises(path):
    assert list(stubs(path)) == list(exercises_of(number_of(path)).references)


@every_notebook
def test_a_learner_finds_check_and_solution_imported(path):
    setup = code_cells(read(path))[1]
    assert re.search(rf"^from helpers\.exercises\.ex{number_of(path)} import check, solution$", setup.source, re.M)


@pytest.mark.parametrize(("path", "number", "mistake", "message"), MISTAKES, ids=[f"{m[1]} {m[3]}" for m in MISTAKES])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_listed_mistake_gets_its_own_message(path, number, mistake, message):
    verdict = exercises_of(number_of(path)).verdict(number, mistake)
    assert verdict.startswith("not yet: ") and message in verdict


RIGHT = [(path, *right) for path in NOTEBOOKS for right in getattr(page_of(path), "RIGHT", [])]


@pytest.mark.parametrize(("path", "number", "attempt"), RIGHT, ids=[f"{r[1]} {r[2].__name__}" for r in RIGHT])
def test_another_right_solution_is_accepted(path, number, attempt):
    assert exercises_of(number_of(path)).verdict(number, attempt).startswith("passed")


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


def test_percentages_of_attention_may_differ_by_one_and_not_by_more():
    html = AttentionExplorer({"a": (["x", "y"], np.array([[[[1, 0], [0.33, 0.67]]]]))})._repr_html_()
    assert '"weights":[[[[100,null],[33,67]]]]' in html
    assert weights_apart(html, html) == 0 and weights_apart("", "") == 0
    assert weights_apart(html, html.replace("[33,67]", "[34,66]")) == 1
    assert weights_apart(html, html.replace("[33,67]", "[35,65]")) == 2
    for other in ("[null,67]", "[33,67],[1,2]"):
        assert weights_apart(html, html.replace("[33,67]", other)) == math.inf
    assert weights_apart(html, "") == math.inf


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
def test_other_parameters_run_through_and_matter(path, chosen, tmp_path, relaxed):
    places = {"DATASET": lambda kind: made_file(tmp_path, kind), "LISTS_OUT": lambda name: str(tmp_path / name)}
    chosen = {name: places.get(name, lambda value: value)(value) for name, value in chosen.items()}
    run(path, tmp_path / path.name, chosen)
    ours, default = read_record(tmp_path / path.name), read_record(path)
    assert ours["parameters"] == default["parameters"] | chosen
    assert ours["metrics"].keys() == default["metrics"].keys()
    assert ours["metrics"] != default["metrics"]
    if "LISTS_OUT" in chosen:
        lists = pd.read_csv(chosen["LISTS_OUT"], dtype=str)
        assert list(lists)[:5] == ["user", "place", "item", "title", "score"] and lists["user"].nunique() > 50
        if number_of(path) == "10":
            reasons = lists.loc[lists["place"] == "1", "reason"].dropna()  # none where each removal raises the score
            assert len(reasons) > 40 and reasons.str.fullmatch("without .+ its score would be lower").all()


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
    (notebook,) = (path for path in NOTEBOOKS if number_of(path) == number_of(preset))
    known = papermill.inspect_notebook(notebook)
    for name, value in yaml.safe_load(preset.read_text(encoding="utf8")).items():
        assert type(value).__name__ == known[name]["inferred_type_name"], name
        assert str(value) != known[name]["default"].strip("\"'"), f"{name} is the default already"
