"""Reference checkpoints: they have learned what their cards say, and only whole ones of the right shape are read."""

import re

import pytest
import torch

from helpers import data, metrics, training
from helpers.course import references, sequence_studies, studies
from helpers.course.errors import CourseError

PLANTED = [name for name in references.REFERENCES if name.startswith("planted")]


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_reference_answers_as_its_card_says(name, root):
    rule, seed = name.split("-")[1:]
    new = data.planted_sequences(1000, rule=rule, seed=10_000 + int(seed))
    model = references.load_reference(name)
    with torch.no_grad():
        right = (model.scores(torch.tensor(new.histories)).argmax(dim=1) == torch.tensor(new.following)).float().mean()
    assert right >= 0.99 and figure(root, name, "Share of right answers") == pytest.approx(float(right), abs=1e-4)


def figure(root, name, label):
    """A figure of a card."""
    card = (root / "data" / "models" / f"{name}.md").read_text(encoding="utf8")
    return float(re.search(rf"^\| {re.escape(label)} \| ([0-9.]+) \|$", card, re.MULTILINE)[1])


@pytest.mark.parametrize("name", references.REFERENCES)
def test_a_card_describes_its_checkpoint_and_it_is_small(name, root):
    card = (root / "data" / "models" / f"{name}.md").read_text(encoding="utf8")
    weights = sum(p.numel() for p in references.load_reference(name).parameters())
    assert f"{weights:,}" in card and references.REFERENCES[name].about in card
    assert references.REFERENCES[name].chosen in card
    assert (studies.data_row() in card) == (name not in PLANTED)
    assert (root / "data" / "models" / f"{name}.pt").stat().st_size < 2_500_000


@pytest.mark.parametrize(("direction", "place"), [("GPT", 1), ("GPT", 2), ("GPT", 3), ("BERT", 1)])
def test_a_reference_over_histories_ranks_as_its_card_says_and_has_its_place_on_validation(direction, place, root):
    ratings = data.load_ratings("movielens-100k")
    train, test = data.split_leave_last_out(ratings.table)
    name = f"{direction.lower()}-movielens" + (f"-{place}" if place > 1 else "")
    model, known = references.load_reference(name), data.histories(train, ratings.shape[0])
    quality = sequence_studies.sequence_quality(model, known, train, test)
    for label in ("HR", "NDCG"):
        stated = figure(root, name, f"{label}@10 on the test")
        assert stated == pytest.approx(quality[label.lower()].mean(), abs=0.004)
    judged = studies.read_study("sequence_validation").query("direction == @direction and epochs == 40")
    assert (
        figure(root, name, "Seed") == judged.sort_values("ndcg10_validation", ascending=False)["seed"].iloc[place - 1]
    )


@pytest.mark.parametrize("name", ["factorization-movielens", "neumf-movielens"])
def test_a_reference_of_ratings_errs_as_its_card_says(name, root):
    ratings = data.load_ratings("movielens-100k")
    _, test = data.split_random(ratings.table)
    user, item, rating = training.rating_tensors(test, ratings.shape)
    with torch.no_grad():
        predicted = references.load_reference(name)(user, item).clamp(1, 5)
    error = metrics.rmse(rating.numpy(), predicted.numpy())
    assert figure(root, name, "RMSE on the test") == pytest.approx(error, abs=1e-4)


def test_the_same_seed_learns_a_rule_to_the_same_weights():
    one, two = (sequence_studies.learn_rule("trigger", n=600, seed=1)[0].state_dict() for _ in range(2))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


@pytest.fixture
def small(monkeypatch, tmp_path, cache):
    """A reference of one linear layer, in a folder of its own."""
    build = lambda: torch.nn.Linear(2, 1)
    kept = references.Reference("A line.", build, lambda: (build(), {"Error": 0.5}), "Nothing.", False)
    monkeypatch.setattr(references, "REFERENCES", {"line": kept})
    monkeypatch.setattr(studies, "FOLDER", tmp_path / "models")
    monkeypatch.setattr(studies, "STUDIES", {})
    return tmp_path / "models" / "line.pt"


def test_references_are_made_once_unless_asked_again(small, capsys):
    assert references.main([]) == 0
    first = small.read_bytes()
    assert references.main(["line"]) == 0 and "line: is there" in capsys.readouterr().out
    assert small.read_bytes() == first and "| Error | 0.5000 |" in small.with_suffix(".md").read_text()
    assert references.main(["--again"]) == 0 and small.read_bytes() != first


def test_missing_cut_and_foreign_checkpoints_are_refused(small, capsys):
    with pytest.raises(CourseError, match="there is no reference 'circle'"):
        references.load_reference("circle")
    with pytest.raises(CourseError, match="run `make models`"):
        references.load_reference("line")
    references.main([])
    whole = small.read_bytes()
    small.write_bytes(whole[:100])
    with pytest.raises(CourseError, match="or only part of one"):
        references.load_reference("line")
    torch.save({"model": torch.nn.Linear(3, 1).state_dict()}, small)
    with pytest.raises(CourseError, match="does not fit the model"):
        references.load_reference("line")
    assert references.main(["circle"]) == 1 and "it is one of line" in capsys.readouterr().err
