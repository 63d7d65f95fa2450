"""How wrong, how good: errors of predicted ratings."""

import numpy as np

from helpers.course.errors import CourseError


def rmse(ratings: np.ndarray, predictions: np.ndarray) -> float:
    """Root mean squared error, in the unit of the ratings. Built in notebook 01, section 1.4.

    Shapes: two arrays of one shape
    Raises:
        CourseError: if the shapes differ (they would broadcast silently) or nothing is compared.
    """
    return float(np.sqrt(np.mean(_differences(ratings, predictions) ** 2)))


def mae(ratings: np.ndarray, predictions: np.ndarray) -> float:
    """Mean absolute error, in the unit of the ratings. Shapes and errors as for `rmse`."""
    return float(np.mean(np.abs(_differences(ratings, predictions))))


def _differences(ratings: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    ratings, predictions = np.asarray(ratings, dtype=float), np.asarray(predictions, dtype=float)
    if ratings.shape != predictions.shape:
        raise CourseError(
            f"ratings have shape {ratings.shape} and predictions {predictions.shape}: they would be compared "
            "crosswise. Bring both to one shape."
        )
    if ratings.size == 0:
        raise CourseError("there is nothing to compare: both arrays are empty. Is the test set empty?")
    return ratings - predictions
