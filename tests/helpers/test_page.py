"""Sentences, claims, parameter checks and the short traceback of the pages."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from helpers import metrics, page
from helpers.errors import CourseError
from helpers.page import (
    CLAIM,
    ClaimFailed,
    as_asked,
    as_text,
    claim,
    digits,
    fact,
    needs,
    parameter,
    record,
    say,
    show_here,
    within,
)


@pytest.fixture
def relaxed(monkeypatch):
    """Claims as a reader meets them outside of `make`."""
    monkeypatch.delenv("RECSYS_EXPLAINED_CLAIMS")


GAP = "the gap is positive"
of_gap = partial(claim, "gap", GAP, unit="trainings")


def test_say_shows_one_line(capsys):
    say("two\n   lines")
    assert "'two lines'" in capsys.readouterr().out


def test_a_true_claim_prints_its_sentence_and_range(capsys):
    of_gap([0.31, 0.44, 0.39], above=0.1)
    assert "✓ **the gap is positive** (0.31 to 0.44 over 3 trainings; stated: above 0.1)" in capsys.readouterr().out


@pytest.mark.parametrize("values", [[0.3, 0.4, 0.1], [0.3, 0.05, 0.4], [-1, -2, -3]])
def test_a_false_claim_stops_a_strict_page(values):
    with pytest.raises(ClaimFailed, match="not so in this run: the gap is positive"):
        of_gap(values, above=0.1)


def test_a_false_claim_is_reported_elsewhere_and_the_page_goes_on(relaxed, capsys):
    of_gap([0.3, 0.05, 0.4], above=0.1)
    assert "✗ not so here: the gap is positive" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("below", "above", "holds"), [(1, 0, True), (0.4, 0, False), (1, 0.3, False), (0.4, None, False)]
)
def test_both_bounds_count(below, above, holds):
    if holds:
        of_gap([0.2, 0.3, 0.5], above=above, below=below)
    else:
        with pytest.raises(ClaimFailed):
            of_gap([0.2, 0.3, 0.5], above=above, below=below)


@pytest.mark.parametrize(
    ("values", "bounds", "message"),
    [
        ([0.3, 0.4], {"above": 0}, "at least 3 trainings"),
        ([], {"above": 0}, "rests on 0 value"),
        ([1, 2, 3], {}, "has no bound"),
        ([1, np.nan, 3], {"above": 0}, "not a finite number"),
        ([1, np.inf, 3], {"above": 0}, "not a finite number"),
    ],
)
def test_a_claim_without_evidence_is_refused_everywhere(values, bounds, message, relaxed):
    with pytest.raises(CourseError, match=message):
        of_gap(values, **bounds)


@pytest.mark.parametrize("unit", ["runs", "", "training"])
def test_a_claim_without_a_known_unit_is_refused_and_told_which_there_are(unit, relaxed):
    with pytest.raises(CourseError, match=f"'gap' has no unit '{unit}': .* trainings, splits, users, made worlds"):
        claim("gap", GAP, [1, 2, 3], unit=unit, above=0)


def test_values_that_stand_for_groups_say_so(capsys):
    of_gap([0.3, 0.4, 0.5, 0.3], above=0.1, group=10)
    assert "0.30 to 0.50 over 4 groups of 10 trainings;" in capsys.readouterr().out


USERS = np.random.default_rng(0).normal(0.1, 1, 2000)


def test_of_users_the_interval_of_the_mean_must_lie_within_the_bound(capsys):
    claim("users", GAP, USERS, unit="users", above=0)
    assert "(95 % interval of the mean, 0.0" in capsys.readouterr().out
    assert USERS.min() < -2
    with pytest.raises(ClaimFailed):
        claim("users", GAP, USERS[:100], unit="users", above=0)


def test_the_interval_is_that_of_the_metrics(capsys):
    low, high = metrics.bootstrap_interval(USERS)
    claim("users", GAP, USERS, unit="users", above=0)
    assert f"{digits(low)} to {digits(high)} over 2000 users" in capsys.readouterr().out


def test_too_few_users_are_not_asked_in_other_data_and_refused_where_a_page_is_made(relaxed, capsys, monkeypatch):
    claim("users", GAP, USERS[:12], unit="users", above=0)
    assert f"Not asked here: {GAP}. 12 users are too few for an interval." in capsys.readouterr().out
    monkeypatch.setenv("RECSYS_EXPLAINED_CLAIMS", "strict")
    with pytest.raises(CourseError, match="at least 30 users"):
        claim("users", GAP, USERS[:12], unit="users", above=0)


@pytest.mark.parametrize(
    ("bound", "ends", "holds"),
    [("above 0.1", (0.2, 9), True), ("above 0.1", (0.1, 9), False), ("below 1", (-5, 0.9), True),
     ("below 1", (0, 1), False), ("above -0.1 and below 0.1", (-0.05, 0.05), True),
     ("above -0.1 and below 0.1", (-0.2, 0.05), False), ("below 1e-06", (0, 1e-7), True)],
)  # fmt: skip
def test_a_bound_is_read_as_it_is_written(bound, ends, holds):
    assert within(bound, *ends) is holds


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A table of fresh runs of the claim "gap", of which one of three did not hold."""

    def make(**changes):
        rows = pd.DataFrame({"id": "gap", "data": "", "world": "", "seed": [5, 10, 15], "bound": "above 0.1",
                             "smallest": [0.2, 0.3, 0.0], "largest": 1.0,
                             "parameters": as_asked()} | changes)  # fmt: skip
        rows.to_csv(tmp_path / "claims.csv", index=False)
        page.fresh_runs.cache_clear()

    monkeypatch.setattr("helpers.page.CLAIMS", tmp_path / "claims.csv")
    monkeypatch.setattr("helpers.page._asked", {})
    yield make
    page.fresh_runs.cache_clear()


def test_a_claim_says_in_how_many_fresh_runs_it_held(fresh, capsys):
    fresh()
    of_gap([0.3, 0.4, 0.5], above=0.1)
    assert "stated: above 0.1; in 2 of 3 fresh ones)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "other",
    [{"id": "hole"}, {"bound": "above 0.2"}, {"parameters": "12345678"}, {"data": "ml-small/ratings.csv"},
     {"world": "RIDGE=1e-09"}],
)  # fmt: skip
def test_runs_of_something_else_are_no_evidence(fresh, other, capsys):
    fresh(**other)
    of_gap([0.3, 0.4, 0.5], above=0.1)
    assert "fresh" not in capsys.readouterr().out


def test_runs_on_other_data_are_told_apart_even_where_users_are_drawn(fresh, capsys):
    fresh(data=["", "", "ml-small/ratings.csv"])
    of_gap([0.3, 0.4, 0.5], above=0.1)
    assert "; in 2 of 2 fresh ones; in 0 of 1 on ml-small/ratings.csv)" in capsys.readouterr().out
    of_gap(np.linspace(0.5, 1, 40), unit="users", above=0.1)
    assert "stated: above 0.1; in 0 of 1 on ml-small/ratings.csv)" in capsys.readouterr().out
    of_gap([0.3, 0.4, 0.5], unit="planted trainings", above=0.1)  # made histories have nothing of these data
    assert "; in 2 of 2 fresh ones)" in capsys.readouterr().out


def test_a_run_that_failed_is_no_evidence_and_no_stumbling_block(fresh, capsys):
    fresh(id=["", "gap", "gap"], smallest=["", 0.2, 0.3], largest=["", 0.5, 0.5])
    of_gap([0.3, 0.4, 0.5], above=0.1)
    assert "in 2 of 2 fresh ones" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "value"), [("FIRST_SEED", 40), ("DATASET", "mine.csv"), ("STEPS", 7)])
def test_with_other_parameters_or_data_no_rate_is_shown(fresh, name, value, capsys):
    fresh()
    parameter(name, value, type(value))
    of_gap([0.3, 0.4, 0.5], above=0.1)
    assert "fresh" not in capsys.readouterr().out


def test_a_world_without_the_effect_is_named_with_what_came_out_there(fresh, capsys):
    fresh(world="RIDGE=1e-09", smallest=[-1, -1, -1])
    of_gap([0.3, 0.4, 0.5], above=0.1, fails_with="RIDGE=1e-09")
    assert "; in 0 of 3 with RIDGE=1e-09)" in capsys.readouterr().out


def test_a_claim_leaves_id_unit_and_values_for_tools(monkeypatch):
    left = []
    monkeypatch.setattr(page, "display", lambda data, raw, metadata: left.append(metadata))
    of_gap([0.3, 0.4, 1 / 3], above=0.1, below=2, fails_with="RANK=1")
    kept = left[0][CLAIM]
    assert kept["id"] == "gap" and kept["unit"] == "trainings" and kept["values"] == [0.3, 0.4, 0.333333]
    assert (kept["smallest"], kept["largest"], kept["bound"]) == (0.3, 0.4, "above 0.1 and below 2")


def test_a_fact_holds_or_stops(capsys):
    fact("two is more than one", 2 > 1)
    assert "✓ **two is more than one**" in capsys.readouterr().out
    with pytest.raises(ClaimFailed):
        fact("one is more than two", np.bool_(1 > 2))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2e-16, "0"),
        (-3e-10, "0"),
        (0.0123, "0.01"),
        (0.94123, "0.94"),
        (3.14159, "3.14"),
        (-0.2, "-0.20"),
        (12345, "1e+04"),
    ],
)
def test_digits_shows_what_holds(value, text):
    assert digits(value) == text


@pytest.mark.parametrize(
    ("value", "kind", "rules", "sentence"),
    [
        ("many", int, {"at_least": 3}, "SEEDS = 'many' cannot be used: it must be a whole number and at least 3"),
        (2, int, {"at_least": 3}, "SEEDS = 2 cannot be used"),
        (True, int, {}, "must be a whole number"),
        (2.5, int, {}, "must be a whole number"),
        ("yes", bool, {}, "must be True or False"),
        (1, bool, {}, "must be True or False"),
        (0.0, float, {"above": 0}, "a number and above 0"),
        (float("nan"), float, {"at_least": 0}, "a number and at least 0"),
        (None, str, {}, "must be a text"),
        (99, int, {"at_most": 50}, "at most 50"),
    ],
)
def test_a_bad_parameter_is_refused_in_one_sentence(value, kind, rules, sentence):
    with pytest.raises(CourseError, match=sentence) as error:
        parameter("SEEDS", value, kind, **rules)
    assert "\n" not in str(error.value) and "Change it in the parameters cell." in str(error.value)


@pytest.mark.parametrize(("value", "kind"), [(3, int), (3, float), (0.5, float), ("toy", str), (True, bool)])
def test_a_good_parameter_passes_silently(value, kind, capsys):
    parameter("X", value, kind)
    assert capsys.readouterr().out == ""


def test_the_reader_sees_their_line_and_one_sentence_and_no_stack(capsys):
    shell = InteractiveShell.instance()
    shell.run_cell("from helpers.data import load_ratings\n\nratings = load_ratings('nothing')")
    shown = capsys.readouterr()
    lines = [line for line in (shown.out + shown.err).splitlines() if line.strip()]
    assert len(lines) == 2
    assert "ratings = load_ratings('nothing')" in lines[0]
    assert lines[1].startswith("CourseError: there is no dataset 'nothing'")


def test_a_range_that_varies_is_marked_and_its_bound_is_tested_all_the_same(capsys):
    of_gap([0.31, 0.44, 0.39], above=0.1, varies=True)
    assert "(`0.31 to 0.44 ⚙` over 3 trainings; stated: above 0.1)" in capsys.readouterr().out
    with pytest.raises(ClaimFailed):
        of_gap([0.31, 0.04, 0.39], above=0.1, varies=True)


def test_a_table_of_the_machine_marks_every_number_and_no_name(capsys):
    show_here(pd.DataFrame({"error": [0.123, 0.2], "n": [3, 4]}, index=pd.Index(["a", "b"], name="model")))
    shown = capsys.readouterr().out
    assert "| a | `0.12 ⚙` | `3 ⚙` |" in shown and "| model | error | n |" in shown


def test_record_takes_numpy_numbers_and_missing_figures(capsys):
    record(count=np.int64(3), error=np.float32(0.5), temporal=None, name="x", flag=np.bool_(True))
    shown = capsys.readouterr().out
    assert "count" in shown and "not in these data" in shown


@pytest.mark.parametrize("bad", [float("nan"), np.inf, [1, 2], np.ones(2), object()])
def test_record_refuses_what_is_no_figure(bad):
    with pytest.raises(CourseError, match="rmse = "):
        record(rmse=bad)


# Gates and text out of data


@pytest.fixture
def published(monkeypatch):
    """What a page shows."""
    seen = []
    monkeypatch.setattr("helpers.page.display", lambda data, **_: seen.append(data))
    return seen


class Films:
    name = "mine"
    known = frozenset({"user", "item", "rating", "title"})


def test_a_gate_lets_through_says_what_is_left_out_or_refuses_a_page(published):
    assert needs(Films, "rating", "title") and published == []
    assert not needs(Films, "rating", "timestamp")
    assert published.pop()["text/plain"] == "*Left out here: these ratings have no times.*"
    assert not needs(Films, "studies") and "stored table" in published.pop()["text/plain"]
    with pytest.raises(CourseError, match=r"mine has no genres and no years, .* Name a file that has them as ITEMS"):
        needs(Films, "title", "genres", "year", page=True)
    with pytest.raises(CourseError, match=r"mine has no times, and this page is about them. Take others"):
        needs(Films, "timestamp", page=True)


def test_text_out_of_data_marks_nothing_up():
    assert as_text("M*A*S*H\n<b> $x$ a_b `c`") == r"M\*A\*S\*H \<b\> \$x\$ a\_b \`c\`"
