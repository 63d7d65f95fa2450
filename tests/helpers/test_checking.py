"""What the machinery of exercises says of attempts that are missing, crash, or are of the wrong kind."""

import re
from importlib import import_module

import numpy as np
import pytest

from helpers.errors import CourseError
from helpers.exercises.checking import expect_array, is_stub

EX01 = import_module("helpers.exercises.ex01").exercises


def test_a_function_that_crashes_is_reported_in_one_sentence():
    verdict = EX01.verdict("1.3", lambda R, P: R[99])
    assert verdict.startswith("not yet: your function stopped with IndexError: ") and "\n" not in verdict


def test_a_function_without_return_is_not_taken_for_a_stub():
    def forgot(U, V):
        U @ V

    assert not is_stub(forgot)
    assert "is the `return` missing" in EX01.verdict("1.1", forgot)


def test_an_unknown_exercise_is_named():
    with pytest.raises(CourseError, match=r"no exercise '9.9' here: it is one of 1.1"):
        EX01.check("9.9", len)


def test_solution_shows_the_reference_as_code(capsys):
    EX01.solution("1.3")
    assert "def rmse_rated" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("got", "message"),
    [
        (None, "`return` missing"),
        (np.ones(3), r"shape \(3,\), and \(2,\)"),
        ([1, np.nan], "not a finite"),
        (["a", "b"], "not a finite"),
        ([1, 2], None),
    ],
)
def test_expect_array_names_what_is_wrong(got, message):
    said = expect_array(got, (2,))
    assert said is None if message is None else re.search(message, said)
