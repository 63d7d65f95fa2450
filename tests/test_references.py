"""Reference checkpoints: they have learned what their cards say, and only whole ones of the right shape are read."""

import pytest
import torch

from helpers import data
from helpers.course import references, sequence_studies, studies
from helpers.course.errors import CourseError


@pytest.mark.parametrize("name", references.REFERENCES)
def test_a_reference_answers_as_its_card_says(name, root):
    rule, seed = name.split("-")[1:]
    new = data.planted_sequences(1000, rule=rule, seed=10_000 + int(seed))
    model = references.load_reference(name)
    with torch.no_grad():
        right = (model.scores(torch.tensor(new.histories)).argmax(dim=1) == torch.tensor(new.following)).float().mean()
    card = (root / "data" / "models" / f"{name}.md").read_text(encoding="utf8")
    assert right >= 0.99 and f"| Share of right answers | {right:.4f} |" in card
    assert f"{sum(p.numel() for p in model.parameters()):,}" in card and references.REFERENCES[name].about in card
    assert (root / "data" / "models" / f"{name}.pt").stat().st_size < 2_500_000


def test_the_same_seed_learns_a_rule_to_the_same_weights():
    one, two = (sequence_studies.learn_rule("trigger", n=600, seed=1)[0].state_dict() for _ in range(2))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


@pytest.fixture
def small(monkeypatch, tmp_path, cache):
    """A reference of one linear layer, in a folder of its own."""
    build = lambda: torch.nn.Linear(2, 1)
    kept = references.Reference("A line.", build, lambda: (build(), {"Error": 0.5}), "Nothing.")
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
