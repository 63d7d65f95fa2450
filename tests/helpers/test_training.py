"""Training: same seed, same weights; no tensor on another device; bad input refused."""

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import models, training
from helpers.errors import CourseError

rng = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {"user": rng.integers(0, 20, 300), "item": rng.integers(0, 30, 300), "rating": rng.integers(1, 6, 300)}
)
TENSORS = training.rating_tensors(TABLE, (20, 30))
SHORT = training.Settings(epochs=4, batch=64)


def fresh(seed=0, dim=4):
    return models.DotProduct(20, 30, dim, mean=3.0, seed=seed)


def weights(model):
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


def trained(seed=1):
    model = fresh()
    training.fit(model, TENSORS, settings=SHORT, seed=seed)
    return model


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    assert torch.equal(weights(trained()), weights(trained()))
    assert not torch.equal(weights(trained()), weights(trained(seed=2)))


def test_data_may_be_made_anew_for_each_epoch_with_another_number_of_rows():
    asked = []

    def rows_of(epoch):
        asked.append(epoch)
        return tuple(part[: 100 + 100 * epoch] for part in TENSORS)

    settings = training.Settings(epochs=3, batch=64, warm_up=0)
    curve = training.fit(fresh(), rows_of, settings=settings, seed=1)
    assert asked == [0, 0, 1, 2] and len(curve.losses) == 3  # once more in front, for the number of steps


@pytest.mark.parametrize("warm_up", [0, 0.3])
def test_the_learning_rate_rises_for_its_share_and_falls_to_nothing(warm_up):
    settings = training.Settings(lr=0.1, warm_up=warm_up)
    optimizer = training.make_optimizer(fresh(), settings)
    schedule = training.make_schedule(optimizer, settings, 100)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if schedule.last_epoch < 99:
            schedule.step()
    assert abs(np.argmax(rates) - 100 * warm_up) <= 1 and max(rates) == pytest.approx(0.1)
    assert rates[-1] < 1e-4 and (np.diff(rates[30:]) <= 0).all()


def test_a_diverging_loss_stops_with_step_rate_and_remedy():
    wild = training.Settings(epochs=4, batch=64, lr=1e30)
    with pytest.raises(CourseError, match=r"not finite at step \d+ with the learning rate 1e\+30: take a smaller lr"):
        training.fit(fresh(), TENSORS, settings=wild, seed=1)


@pytest.mark.parametrize("build", [fresh, lambda: models.NeuMF(20, 30, 4, seed=0)])
def test_a_step_makes_no_tensor_on_another_device(build):
    model = build().to("meta")
    batch = tuple(part.to("meta") for part in TENSORS)
    optimizer = training.make_optimizer(model, SHORT)
    assert training.train_step(model, optimizer, training.squared_error, batch).device.type == "meta"


def test_a_training_takes_no_more_threads_than_are_allowed_and_gives_them_back():
    before = torch.get_num_threads()
    try:
        for allowed, asked, taken in ((2, 1, 1), (1, 2, 1), (2, 2, 2)):
            torch.set_num_threads(allowed)
            with training.cpu_threads(asked):
                assert torch.get_num_threads() == taken
            assert torch.get_num_threads() == allowed
    finally:
        torch.set_num_threads(before)


def test_the_article_s_broadcast_is_refused():
    with pytest.raises(CourseError, match="compared crosswise"):
        training.squared_error(lambda user, item: torch.zeros(300, 1), *TENSORS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.iloc[:0], "there are no ratings"),
        (lambda t: t.assign(user=t["user"] + 1), "ids must be replaced by codes"),
        (lambda t: t.assign(rating=np.nan), "are no numbers"),
        (lambda t: t.assign(rating=3.0), "nothing to tell apart"),
    ],
)
def test_ratings_that_cannot_be_learned_from_are_refused(change, message):
    with pytest.raises(CourseError, match=message):
        training.rating_tensors(change(TABLE), (20, 30))


def test_scores_are_the_model_s_own_ratings():
    seen = torch.tensor(rng.random((20, 30)) < 0.3, dtype=torch.float32)
    features = torch.eye(20)[:, :3], torch.eye(30)[:, :5]
    kinds = [fresh(), models.NeuMF(20, 30, 4, seed=0)]
    kinds += [models.FeatureDotProduct(*features, 4, seed=0), models.HistoryDotProduct(seen, 4, seed=0).eval()]
    user, item = TENSORS[0], TENSORS[1]
    for model in kinds:
        grid = model.scores(torch.arange(20))
        assert torch.allclose(grid[user, item], model(user, item).reshape(-1), atol=1e-5), type(model).__name__
