"""All that the tests know of page 00: start here."""

import numpy as np
from expected import between

SETS = [{"NUMBERS": 5000}, {"SEEDS": 3}, {"NUMBERS": 300000, "SEEDS": 8}]
WRONG = ({"NUMBERS": "many"}, "NUMBERS = 'many' cannot be used: it must be a whole number")
EXPECTED = {"sum_gap_32_bit": between(1e-08, 0.0001), "sum_gap_64_bit": between(0, 1e-09)}


def forgot_return(ratings):
    ratings.mean()


def upwards(values):
    decimals = -1
    while decimals < 6 and len(set(np.round(values, decimals + 1))) == 1:
        decimals += 1
    return decimals


MISTAKES = [
    ("0.1", np.sum, "this is the sum"),
    ("0.1", np.median, "this is the median"),
    ("0.1", forgot_return, "is the `return` missing"),
    ("0.2", lambda v: 1, "you cut the digits off"),
    ("0.2", lambda v: 4, "four decimals are what is printed"),
    ("0.2", lambda v: 0, "the *most* decimals"),
    ("0.2", lambda v: 3, "differ even as whole numbers"),
    ("0.2", lambda v: "3", "a whole number, and you return"),
    ("0.2", upwards, "start from six decimals and go down"),
    ("0.3", lambda v, above: np.mean(v) > above, "the mean hides it"),
    ("0.3", lambda v, above: np.min(v) > above, "two runs are no claim"),
    ("0.3", lambda v, above: len(v) >= 3 and np.min(v) >= above, "0.1 is not above 0.1"),
    ("0.3", lambda v, above: 1, "True or False is asked for"),
]
