"""Tables and checkpoints out of data/: whole ones of the right kind are read, all others named with their remedy."""

import json

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from helpers import recipes, stored, training
from helpers.errors import CourseError


def test_the_course_uses_what_the_rule_takes_out_of_the_searches():
    settings = training.Settings()
    assert stored.choose("rating_search", "with attributes") == {"dim": 64, **settings.decay}
    assert stored.choose("rating_search", "dot product") == {"dim": 64, "factors": 0.9, "bias": 0.05}
    decay = {name: recipes.NEUMF.decay[name] for name in ("factors", "network")}
    assert stored.choose("rating_search", "NeuMF") == {"dim": 16, **decay}
    for name in recipes.TRAINED:
        softmax = {"dim": 64, "lr": recipes.SOFTMAX.lr, "factors": recipes.SOFTMAX.decay["factors"]}
        assert stored.choose("list_search", name) == softmax


def test_the_rule_takes_the_narrowest_of_the_good_and_the_best_of_the_narrow(monkeypatch):
    columns = ["dim", "factors", "seed", "rmse_validation"]
    rows = [[8, 1.0, 0, 0.9100], [16, 1.0, 0, 0.9014], [16, 2.0, 0, 0.9012], [32, 1.0, 0, 0.9000]]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(0, "model", "m")
    monkeypatch.setattr(stored, "table", lambda name: table)
    assert stored.choose("any", "m") == {"dim": 16, "factors": 2}


def test_an_unknown_table_is_named_with_those_there_are():
    with pytest.raises(CourseError, match=r"no table 'large' in data/tables/ \(blend_search, claims, .*make models"):
        stored.table("large")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "MODELS", tmp_path)
    return tmp_path


CARD = {"model": {"n_items": 5, "dim": 4, "length": 3}}


def test_missing_old_cut_and_foreign_checkpoints_are_refused_with_the_command(folder):
    path = folder / "line.safetensors"
    with pytest.raises(CourseError, match=r"'line' is not among .*run `make models`"):
        recipes.trained("line")
    (folder / "line.pt").write_bytes(b"old")
    with pytest.raises(CourseError, match=r"'line' has the old format, \.pt: run `make models`"):
        recipes.trained("line")
    save_file({"weight": torch.ones(2)}, path)
    with pytest.raises(CourseError, match="is no checkpoint of this course"):
        recipes.trained("line")
    save_file({"weight": torch.ones(2)}, path, {"card": json.dumps(CARD)})
    with pytest.raises(CourseError, match="does not fit its description"):
        recipes.trained("line")
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(CourseError, match="or only part of one"):
        recipes.trained("line")


def test_every_stored_model_is_small_and_says_what_it_is():
    assert len(stored.checkpoints("")) == 24
    for name in stored.checkpoints(""):
        card, weights = stored.checkpoint(name)
        assert {"about", "chosen", "figures", "data", "model", "made_by"} <= card.keys()
        assert sum(tensor.numel() for tensor in weights.values()) < 200_000
        assert (stored.MODELS / f"{name}.safetensors").stat().st_size < 2_500_000
