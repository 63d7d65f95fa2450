"""Errors of ratings against plain arithmetic, and against shapes that would broadcast."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.course.errors import CourseError
from helpers.metrics import mae, rmse

numbers = st.floats(-100, 100)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20))
def test_errors_equal_plain_arithmetic(pairs):
    a, b = (np.array(column) for column in zip(*pairs, strict=True))
    assert math.isclose(rmse(a, b), math.sqrt(math.fsum((x - y) ** 2 for x, y in pairs) / len(pairs)), abs_tol=1e-9)
    assert math.isclose(mae(a, b), math.fsum(abs(x - y) for x, y in pairs) / len(pairs), abs_tol=1e-9)


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(CourseError, match=r"shape \(3, 1\) and predictions \(3,\)"):
        rmse(np.ones((3, 1)), np.ones(3))


def test_nothing_to_compare_is_refused():
    with pytest.raises(CourseError, match="nothing to compare"):
        mae(np.array([]), np.array([]))
