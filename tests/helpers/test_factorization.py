"""Loss, gradient, descent and biases against independent truth."""

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
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


# The posterior


def small_ratings(seed=0, shape=(12, 9), number=60):
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(shape[0] * shape[1])[:number]
    user, item = pairs // shape[1], pairs % shape[1]
    return user, item, rng.integers(1, 6, number).astype(float), shape


NOTHING = (np.zeros((12, 0)), np.zeros((9, 0)))


def test_rows_are_drawn_from_the_normal_law_of_the_regression():
    rng = np.random.default_rng(0)
    rated = np.array([[1, 0, 1, 1], [0, 0, 0, 0]])
    weight, target = sp.csr_array(2.0 * rated), sp.csr_array(2.0 * rated * rng.normal(size=rated.shape))
    other, mean, precision = rng.normal(size=(4, 2)), rng.normal(size=(2, 2)), np.array([[2.0, 0.5], [0.5, 1.0]])
    drawn = np.array([mf.draw_rows(rng, weight, target, other, mean, precision) for _ in range(20_000)])
    for user in range(2):
        covariance = np.linalg.inv(2 * other[rated[user] > 0].T @ other[rated[user] > 0] + precision)
        middle = covariance @ (target.toarray()[user] @ other + precision @ mean[user])
        assert np.allclose(drawn[:, user].mean(axis=0), middle, atol=0.03)
        assert np.allclose(np.cov(drawn[:, user].T), covariance, atol=0.03)


def test_a_link_is_found_where_rows_follow_what_is_known():
    rng = np.random.default_rng(1)
    known = rng.normal(size=(4000, 2))
    known -= known.mean(axis=0)
    truth = np.array([[1.0, -0.5, 0.0], [0.0, 0.3, 2.0]])
    rows, link = np.array([0.5, 0.0, -1.0]) + known @ truth + rng.normal(0, 0.2, (4000, 3)), np.zeros((2, 3))
    for _ in range(5):
        prior = mf.draw_prior(rng, rows, known, link, 1.0)
        link = prior.link
    assert np.allclose(link, truth, atol=0.05) and np.allclose(prior.mean, [0.5, 0, -1], atol=0.05)
    assert np.allclose(np.linalg.inv(prior.precision), 0.04 * np.eye(3), atol=0.01)


def test_a_user_without_ratings_is_predicted_from_the_others_and_less_surely():
    user, item, rating, shape = small_ratings()
    known = user != 3  # user 3 is in the table of users, but in no training row
    draws = list(mf.posterior(user[known], item[known], rating[known], shape, *NOTHING, dim=2, sweeps=400))
    everyone = np.repeat(np.arange(12), 9), np.tile(np.arange(9), 12)
    found = mf.averaged(draws, *everyone, burn_in=100)
    spread, said = found.spread.reshape(12, 9).mean(axis=1), found.rating.reshape(12, 9)
    assert np.isfinite(said).all() and np.argmax(spread) == 3
    assert np.allclose(said[3].mean(), np.delete(said, 3, axis=0).mean(), atol=0.5)


def test_ratings_that_are_all_equal_are_predicted_as_they_are():
    user, item, rating, shape = small_ratings()
    draws = mf.posterior(user, item, 0 * rating + 4, shape, *NOTHING, dim=2, sweeps=60)
    found = mf.averaged(draws, user, item)
    assert np.allclose(found.rating, 4, atol=0.3) and np.isfinite(found.width).all()


def test_two_users_and_few_films_have_fewer_directions_than_asked_for():
    user, item, rating, _ = small_ratings(shape=(2, 3), number=5)
    told = mf.who_rated_what(user, item, (2, 3), width=30)
    assert [part.shape for part in told] == [(2, 31), (3, 31)] and np.isfinite(told[0]).all()
    found = mf.averaged(mf.posterior(user, item, rating, (2, 3), *told, sweeps=30), user, item)
    assert np.isfinite(found.rating).all()


@pytest.mark.parametrize("settings", [{"sweeps": 0}, {"dim": 0}, {"ridge": 0.0}, {"ridge": -1.0}, {"spread": 0.0}])
def test_what_nothing_can_be_drawn_from_is_refused_by_name(settings):
    ((name, value),) = settings.items()
    with pytest.raises(CourseError, match=f"^{name} = {value}: to draw answers it must be above 0"):
        next(mf.posterior(*small_ratings(), *NOTHING, **settings))


def test_no_ratings_and_no_draw_after_the_burn_in_are_refused():
    user, item, rating, shape = small_ratings()
    with pytest.raises(CourseError, match="there is no rating to learn from"):
        next(mf.posterior(user[:0], item[:0], rating[:0], shape, *NOTHING))
    draws = mf.posterior(user, item, rating, shape, *NOTHING, dim=2, sweeps=5)
    with pytest.raises(CourseError, match="no draw is left after the first 5: draw more, or leave out fewer"):
        mf.averaged(draws, user, item, burn_in=5)


def test_a_noisy_user_is_found_out():
    rng = np.random.default_rng(2)
    user, item = np.repeat(np.arange(40), 25), np.tile(np.arange(25), 40)
    rating = 3 + rng.normal(0, np.where(user < 4, 2.0, 0.4))
    *_, last = mf.posterior(user, item, rating, (40, 25), np.zeros((40, 0)), np.zeros((25, 0)), dim=1, sweeps=40)
    assert last.of_user[:4].max() < last.of_user[4:].min()
    assert np.allclose(last.noise(user, item)[user >= 4].mean(), 0.16, atol=0.06)
