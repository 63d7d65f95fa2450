"""Models against closed forms and loops, and the parts of training that they lean on."""

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import metrics, models, training
from helpers.errors import CourseError

USERS, ITEMS, DIM = 6, 9, 4
rng = np.random.default_rng(3)
SEEN = (rng.random((USERS, ITEMS)) < 0.5).astype(np.float32)
USER, ITEM = (torch.tensor(codes) for codes in np.nonzero(SEEN))
RATING = torch.tensor(rng.integers(1, 6, len(USER)), dtype=torch.float32)


def every_pair(model):
    with torch.no_grad():
        return model.eval().scores(torch.arange(USERS)).double().numpy()


def test_slopes_of_the_dot_product_are_those_derived_by_hand():
    model = models.DotProduct(USERS, ITEMS, DIM, mean=3.0, seed=0)
    training.squared_error(model, USER[:1], ITEM[:1], RATING[:1]).backward()
    u, i = int(USER[0]), int(ITEM[0])
    p, q = model.user_factors.weight[u].detach(), model.item_factors.weight[i].detach()
    error = float(3 + p @ q - RATING[0])
    assert torch.allclose(model.user_factors.weight.grad[u], 2 * error * q)
    assert torch.allclose(model.item_factors.weight.grad[i], 2 * error * p)
    assert np.isclose(model.user_bias.grad[u], 2 * error) and model.user_bias.grad.count_nonzero() == 1


def test_biases_alone_reach_the_least_squares_solution():
    model = models.DotProduct(USERS, ITEMS, DIM, mean=3.0, spread=0.0, seed=0)
    settings = training.Settings(epochs=600, batch=len(USER), lr=0.1, decay={})
    training.fit(model, (USER, ITEM, RATING), settings=settings, seed=0)
    design = np.zeros((len(USER), USERS + ITEMS))
    design[np.arange(len(USER)), USER] = 1
    design[np.arange(len(USER)), USERS + ITEM.numpy()] = 1
    best = design @ np.linalg.lstsq(design, RATING.numpy(), rcond=None)[0]
    assert np.allclose(model(USER, ITEM).detach(), best, atol=1e-3)


def test_attributes_move_vectors_and_biases_as_a_loop_says():
    of_users, of_items = (torch.tensor(rng.integers(0, 2, (n, 3)), dtype=torch.float32) for n in (USERS, ITEMS))
    model = models.FeatureDotProduct(of_users, of_items, DIM, mean=3.0, seed=0)
    scores = every_pair(model)
    state = {name: value.double().numpy() for name, value in model.state_dict().items()}
    for u in range(USERS):
        p, b = state["user_factors.weight"][u].copy(), state["mean"] + state["user_bias"][u]
        for a in np.flatnonzero(of_users[u]):
            p, b = p + state["user_effect"][a, :-1], b + state["user_effect"][a, -1]
        for i in range(ITEMS):
            q, c = state["item_factors.weight"][i].copy(), b + state["item_bias"][i]
            for a in np.flatnonzero(of_items[i]):
                q, c = q + state["item_effect"][a, :-1], c + state["item_effect"][a, -1]
            assert np.isclose(scores[u, i], c + p @ q, atol=1e-5)


def test_a_user_of_histories_is_the_sum_of_their_items_and_somebody_new_gets_the_biases():
    seen = torch.tensor(SEEN)
    seen[2] = 0
    model = models.HistoryDotProduct(seen, DIM, seed=0)
    scores, y = every_pair(model), model.user_factors.weight.detach()
    for u in range(USERS):
        taken = [y[j] for j in np.flatnonzero(seen[u])]
        p = sum(taken) / len(taken) ** 0.5 if taken else torch.zeros(DIM)
        assert np.allclose(scores[u], (model.item_factors.weight @ p + model.item_bias).detach(), atol=1e-5)


def test_neumf_without_its_network_is_a_weighted_product():
    model = models.NeuMF(USERS, ITEMS, DIM, mean=3.0, seed=0)
    with torch.no_grad():
        model.output.weight[:, DIM:] = 0
    p, q = model.user_factors.weight[:, :DIM], model.item_factors.weight[:, :DIM]
    by_hand = 3 + model.output.bias + (p * model.output.weight[0, :DIM]) @ q.T
    assert np.allclose(every_pair(model), by_hand.detach(), atol=1e-5)


def test_neighbours_agree_with_a_loop_over_pairs():
    weights = models.neighbour_weights(SEEN, neighbours=3, shrink=1.5)
    for i in range(ITEMS):
        alike = []
        for j in range(ITEMS):
            both = sum(SEEN[u, i] * SEEN[u, j] for u in range(USERS))
            size = (SEEN[:, i].sum() * SEEN[:, j].sum()) ** 0.5
            alike.append(both / (size + 1.5) if j != i else 0)
        third = sorted(alike)[-3]
        assert np.allclose(weights[:, i], [a if a >= third else 0 for a in alike])


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (lambda: models.neighbour_weights(SEEN, neighbours=0), "take at least 1"),
        (lambda: models.neighbour_weights(SEEN, neighbours=ITEMS), "fewer than all"),
        (lambda: models.ease_weights(SEEN, ridge=0.0), "ridge above 0"),
    ],
)
def test_impossible_item_models_are_refused(refused, message):
    with pytest.raises(CourseError, match=message):
        refused()


def test_the_softmax_loss_is_the_mean_surprise_at_what_was_taken():
    model, seen = models.DotProduct(USERS, ITEMS, DIM, spread=1.0, seed=0), torch.tensor(SEEN)
    scores = np.exp(every_pair(model))
    surprises = [-np.log(scores[u, i] / scores[u].sum()) for u, i in zip(USER, ITEM, strict=True)]
    loss = training.softmax_error(model, torch.arange(USERS), seen)
    assert np.isclose(float(loss.detach()), np.mean(surprises), rtol=1e-5)


def test_decay_is_decoupled_and_only_for_the_parameters_that_are_named():
    model = models.DotProduct(USERS, ITEMS, DIM, seed=0)
    with torch.no_grad():
        model.user_bias.fill_(1.0)
    before = model.user_factors.weight.detach().clone()
    optimizer = training.make_optimizer(model, training.Settings(lr=0.1, decay={"factors": 0.5}))
    for weights in model.parameters():
        weights.grad = torch.zeros_like(weights)
    optimizer.step()
    assert torch.allclose(model.user_factors.weight, before * (1 - 0.1 * 0.5))
    assert torch.equal(model.user_bias, torch.ones(USERS))


def test_scores_are_asked_for_in_batches_whatever_the_number_of_users():
    sizes, none = [], np.empty((0, 2), dtype=int)

    def score(batch):
        sizes.append(len(batch))
        return np.zeros((len(batch), ITEMS))

    seen = pd.DataFrame(none, columns=["user", "item"])
    metrics.recommend(score, np.arange(1_000), seen, ITEMS, k=2, batch=64)
    assert max(sizes) == 64 and sum(sizes) == 1_000


def test_ease_solves_the_regressions_of_which_it_is_made():
    seen = (np.random.default_rng(1).random((30, 8)) < 0.4).astype(float)
    weights = models.ease_weights(seen, ridge=2.0)
    for j in range(8):
        others = np.arange(8) != j
        X, y = seen[:, others], seen[:, j]
        slow = np.linalg.solve(X.T @ X + 2.0 * np.eye(7), X.T @ y)
        assert np.allclose(weights[others, j], slow) and weights[j, j] == 0


def test_training_ends_with_the_weights_of_the_best_epoch():
    model, seen = models.DotProduct(USERS, ITEMS, DIM, seed=0), []
    errors = iter([0.9, 0.5, 0.6, 0.7])

    def validate(network):
        seen.append(network.user_factors.weight.detach().clone())
        return next(errors)

    settings = training.Settings(epochs=4, batch=8)
    curve = training.fit(model, (USER, ITEM, RATING), settings=settings, seed=0, validate=validate)
    assert (curve.best_epoch, curve.validation) == (2, [0.9, 0.5, 0.6, 0.7])
    assert torch.equal(model.user_factors.weight, seen[1]) and not torch.equal(seen[1], seen[3])
