"""Loss, gradient, descent and biases against independent truth."""

import numpy as np
import pytest
import scipy.optimize
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import factorization as mf
from helpers.errors import CourseError


def problem(seed: int, users: int = 5, items: int = 7, rank: int = 3):
    rng = np.random.default_rng(seed)
    mask = rng.random((users, items)) < 0.6
    mask[np.arange(users), np.arange(users)] = True
    return rng.integers(1, 6, mask.shape) * 1.0, mask, *mf.start(users, items, rank, seed=seed)


def loss(R, mask, U, V, ridge):
    """The penalised squared error, by loops."""
    users, items = mask.shape
    squares = sum((R[i, j] - U[i] @ V[:, j]) ** 2 for i in range(users) for j in range(items) if mask[i, j])
    return squares + ridge * (sum(x**2 for x in U.ravel()) + sum(x**2 for x in V.ravel()))


def slopes(R, mask, U, V, ridge):
    """Its slopes in U and V, by autograd."""
    u, v = (torch.tensor(x, requires_grad=True) for x in (U, V))
    total = ((torch.tensor(R) - u @ v)[torch.tensor(mask)] ** 2).sum() + ridge * ((u**2).sum() + (v**2).sum())
    total.backward()
    return u.grad.numpy(), v.grad.numpy()


@given(st.integers(0, 999), st.floats(0, 2))
@settings(max_examples=25, deadline=None)
def test_a_step_of_descent_follows_autograd_and_its_losses_a_slow_loop(seed, ridge):
    R, mask, U, V = problem(seed)
    U2, V2, losses = mf.gradient_descent(R, mask, U, V, step=1e-3, iterations=1, ridge=ridge)
    assert np.allclose(losses, [loss(R, mask, U, V, ridge), loss(R, mask, U2, V2, ridge)])
    slope_U, slope_V = slopes(R, mask, U, V, ridge)
    assert np.allclose(U2, U - 1e-3 * slope_U) and np.allclose(V2, V - 1e-3 * slope_V)


@pytest.mark.parametrize("seed", range(3))
def test_descent_ends_where_another_optimiser_finds_no_way_down(seed):
    R, mask, U, V = problem(seed)
    U, V, losses = mf.gradient_descent(R, mask, U, V, step=0.005, iterations=8000, ridge=0.3)
    assert (np.diff(losses) <= 1e-9).all()
    flat = lambda x: loss(R, mask, x[:15].reshape(5, 3), x[15:].reshape(3, 7), 0.3)
    other = scipy.optimize.minimize(flat, np.concatenate([U.ravel(), V.ravel()]), method="BFGS")
    assert other.fun >= losses[-1] - 1e-5


@pytest.mark.parametrize("seed", range(3))
def test_a_round_of_als_solves_each_half_exactly(seed):
    R, mask, U, V = problem(seed)
    V0 = V
    U, V, losses = mf.alternating_least_squares(R, mask, U, V, rounds=1, ridge=0.3)
    assert losses[1] < losses[0]
    slope_V = slopes(R, mask, U, V, 0.3)[1]
    assert np.allclose(slope_V, 0, atol=1e-9)
    slope_U = slopes(R, mask, U, V0, 0.3)[0]
    assert np.allclose(slope_U, 0, atol=1e-9)


def test_the_arguments_are_left_alone():
    R, mask, U, V = problem(2)
    before = U.copy(), V.copy()
    mf.alternating_least_squares(R, mask, U, V, rounds=2, ridge=0.1)
    mf.gradient_descent(R, mask, U, V, step=0.01, iterations=2)
    assert (before[0] == U).all() and (before[1] == V).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_step_that_is_too_long_is_named():
    R, mask, U, V = problem(0)
    with pytest.raises(CourseError, match="at step size 9: take a smaller step"):
        mf.gradient_descent(R, mask, U, V, step=9, iterations=100)


def test_als_without_a_price_is_refused():
    R, mask, U, V = problem(0)
    with pytest.raises(CourseError, match="ridge above 0"):
        mf.alternating_least_squares(R, mask, U, V, rounds=1, ridge=0)


def test_cosine_of_known_angles():
    assert np.isclose(mf.cosine(np.array([1.0, 0]), np.array([1.0, 1])), np.sqrt(0.5))
    assert np.isclose(mf.cosine(np.array([2.0, 1]), np.array([-4.0, -2])), -1)


@pytest.mark.parametrize("seed", range(3))
def test_biases_are_the_ridge_regression_that_they_claim_to_be(seed):
    rng = np.random.default_rng(seed)
    user, item, rating = rng.integers(0, 6, 80), rng.integers(0, 5, 80), rng.integers(1, 6, 80) * 1.0
    mean, b_user, b_item = mf.fit_biases(user, item, rating, (6, 5), shrink_user=2.0, shrink_item=3.0, rounds=300)
    X = np.zeros((80, 11))
    X[np.arange(80), user] = X[np.arange(80), 6 + item] = 1
    penalty = np.diag([2.0] * 6 + [3.0] * 5)
    direct = np.linalg.solve(X.T @ X + penalty, X.T @ (rating - rating.mean()))
    assert np.isclose(mean, rating.mean())
    assert np.allclose(np.r_[b_user, b_item], direct, atol=1e-8)


def test_an_item_nobody_rated_has_no_bias():
    _, b_user, b_item = mf.fit_biases(
        np.array([0, 1]), np.array([0, 0]), np.array([1.0, 5.0]), (3, 2), shrink_user=0, shrink_item=0
    )
    assert b_item[1] == 0 and b_user[2] == 0
