"""Training: same seed, same weights; a killed run resumes to them; no tensor on another device; bad input refused."""

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import models, training
from helpers.course import checkpoints
from helpers.course.errors import CourseError

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


def trained(**kwargs):
    model = fresh()
    training.fit(model, TENSORS, settings=SHORT, seed=1, **kwargs)
    return model


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    assert torch.equal(weights(trained()), weights(trained()))
    other = fresh()
    training.fit(other, TENSORS, settings=SHORT, seed=2)
    assert not torch.equal(weights(trained()), weights(other))


def test_a_killed_run_resumes_to_the_same_weights(tmp_path):
    class Killed(Exception):
        pass

    calls = []

    def kill_in_the_third_epoch(model):
        calls.append(1)
        if len(calls) == 3:
            raise Killed
        return 1.0 / len(calls)

    with pytest.raises(Killed):
        trained(checkpoint=tmp_path / "run", validate=kill_in_the_third_epoch)
    resumed = fresh()
    values = iter([0.4, 0.3])
    training.fit(resumed, TENSORS, settings=SHORT, seed=1, checkpoint=tmp_path / "run", validate=lambda m: next(values))
    assert torch.equal(weights(resumed), weights(trained()))


def test_data_made_anew_for_each_epoch_resume_to_the_same_weights(tmp_path):
    """Also without warm-up, and with another number of rows from epoch to epoch."""
    asked = []

    def rows_of(epoch):
        asked.append(epoch)
        return tuple(part[epoch * 20 :] for part in TENSORS)

    settings = training.Settings(epochs=4, batch=64, warm_up=0)
    whole, halted = fresh(), fresh()
    training.fit(whole, rows_of, settings=settings, seed=1)
    assert asked == [0, 0, 1, 2, 3]  # once more in front, for the number of steps

    def killed_in_the_third(epoch):
        if epoch == 2:
            raise KeyboardInterrupt
        return rows_of(epoch)

    with pytest.raises(KeyboardInterrupt):
        training.fit(halted, killed_in_the_third, settings=settings, seed=1, checkpoint=tmp_path / "run")
    resumed = fresh()
    training.fit(resumed, rows_of, settings=settings, seed=1, checkpoint=tmp_path / "run")
    assert torch.equal(weights(resumed), weights(whole))


@pytest.mark.parametrize("warm_up", [0, 0.3])
def test_the_learning_rate_rises_for_its_share_and_falls_to_nothing(warm_up):
    rates = []
    run = training._Run(fresh(), training.Settings(epochs=10, batch=30, lr=0.1, warm_up=warm_up), steps=10)
    for _ in range(100):
        rates.append(run.optimizer.param_groups[0]["lr"])
        run.optimizer.step()
        if run.schedule.last_epoch < run.steps - 1:
            run.schedule.step()
    assert abs(np.argmax(rates) - 100 * warm_up) <= 1 and max(rates) == pytest.approx(0.1)
    assert rates[-1] < 1e-4 and (np.diff(rates[30:]) <= 0).all()


@pytest.mark.parametrize("build", [fresh, lambda: models.NeuMF(20, 30, 4, seed=0)])
def test_a_step_makes_no_tensor_on_another_device(build):
    model = build().to("meta")
    batch = tuple(part.to("meta") for part in TENSORS)
    optimizer = training.make_optimizer(model, SHORT)
    assert training.train_step(model, optimizer, training.squared_error, batch).device.type == "meta"


def test_the_article_s_broadcast_is_refused():
    with pytest.raises(CourseError, match="compared crosswise"):
        training.squared_error(models.ConcatLinear(20, 30, 4, seed=0), *TENSORS)


def test_a_diverging_loss_stops_with_step_rate_and_remedy_and_keeps_the_checkpoint(tmp_path):
    path = tmp_path / "run"
    trained(checkpoint=path)
    kept = path.read_bytes()
    wild = training.Settings(epochs=4, batch=64, lr=1e30)
    with pytest.raises(CourseError, match=r"not finite at step \d+ with the learning rate 1e\+30: take a smaller lr"):
        training.fit(fresh(), TENSORS, settings=wild, seed=1, checkpoint=tmp_path / "wild")
    assert path.read_bytes() == kept and not list(tmp_path.glob("*.half"))


def test_a_truncated_or_foreign_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run"
    trained(checkpoint=path)
    with pytest.raises(CourseError, match="does not fit the model"):
        checkpoints.load(path, fresh(dim=5))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CourseError, match="or only part of one"):
        checkpoints.load(path, fresh())


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
    kinds = [fresh(), models.NeuMF(20, 30, 4, seed=0), models.ConcatLinear(20, 30, 4, seed=0)]
    kinds += [models.FeatureDotProduct(*features, 4, seed=0), models.HistoryDotProduct(seen, 4, seed=0).eval()]
    user, item = TENSORS[0], TENSORS[1]
    for model in kinds:
        grid = model.scores(torch.arange(20))
        assert torch.allclose(grid[user, item], model(user, item).reshape(-1), atol=1e-5), type(model).__name__
