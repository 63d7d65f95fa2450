"""Studies: some of every table is computed again, the rule is the one applied, an interruption costs nothing."""

import threading

import numpy as np
import pandas as pd
import pytest

from helpers import training
from helpers.course import studies
from helpers.course.errors import CourseError

SAMPLE = {  # rows of every table, by what they ask for
    "rating_search": [
        {"model": "dot product", "dim": 64},
        {"model": "NeuMF", "dim": 16},
        {"model": "with attributes"},
        {"model": "attributes shuffled"},
        {"model": "attributes as biases"},
    ],
    "no_price_search": [{"lr": 0.005, "spread": 0.1}],
    "rating_five_folds": [{"fold_number": 3}],
    "attribute_gains": [{"fold_number": 1}],
    "sequence_models": [{"direction": "GPT", "epochs": 12, "seed": 4}],
    "sequence_validation": [{"epochs": 12, "seed": 1}],
    "llm_ranking": [{"number": 3}],
    "llm_years": [{"kind": "well known", "number": 0}, {"kind": "hardly known", "number": 1}],
    "list_search": [
        {"model": "popularity", "last_but": 3},
        {"model": "EASE", "ridge": 100.0},
        {"model": "item-kNN", "shrink": 10.0, "last_but": 2},
        {"model": "dot product", "dim": 64},
        {"model": "dot product of histories", "last_but": 4},
    ],
}


@pytest.mark.parametrize("name", studies.STUDIES)
def test_a_table_holds_what_its_members_compute(name):
    study, table = studies.STUDIES[name], studies.read_study(name)
    parameters = list(study.members[0])
    written = pd.DataFrame(study.members)[parameters]
    pd.testing.assert_frame_equal(written, table[parameters], check_dtype=False)
    for wanted in SAMPLE[name]:
        row = next(k for k, m in enumerate(study.members) if wanted.items() <= m.items())
        again = study.compute(**study.members[row])
        learned = study.members[row].get("model") not in ("popularity", "EASE", "item-kNN")
        allowed = 0.03 if name.startswith("sequence") else 4e-3 if learned else 1e-5
        if name == "llm_ranking":  # rounding may turn one pair of candidates, or one pick of five
            allowed = np.array([1 if "," in column else 0.2 + 1e-9 for column in again])
        stored = table.loc[row, list(again)].astype(float)
        assert np.allclose(stored, list(again.values()), atol=allowed, rtol=0), study.members[row]


def test_a_card_says_what_its_table_is(root):
    for name, study in studies.STUDIES.items():
        card = (root / "data" / "models" / f"{name}.md").read_text(encoding="utf8")
        assert study.about in card and study.chosen in card and f"{len(study.members)} members" in card, name


def test_the_course_uses_what_the_rule_takes_out_of_the_searches():
    settings = training.Settings()
    assert studies.choose("rating_search", "with attributes") == {"dim": 64, **settings.decay}
    assert studies.choose("rating_search", "dot product") == {"dim": 64, "factors": 0.9, "bias": 0.05}
    decay = {name: studies.NEUMF.decay[name] for name in ("factors", "network")}
    assert studies.choose("rating_search", "NeuMF") == {"dim": 16, **decay}
    for name in studies.TRAINED:
        softmax = {"dim": 64, "lr": studies.SOFTMAX.lr, "factors": studies.SOFTMAX.decay["factors"]}
        assert studies.choose("list_search", name) == softmax


def test_the_rule_takes_the_narrowest_of_the_good_and_the_best_of_the_narrow(monkeypatch):
    table = pd.DataFrame(
        [[8, 1.0, 0.9100], [16, 1.0, 0.9014], [16, 2.0, 0.9012], [32, 1.0, 0.9000]],
        columns=["dim", "factors", "rmse_validation"],
    ).assign(model="m", seed=0)
    table = table[["model", "dim", "factors", "seed", "rmse_validation"]]
    monkeypatch.setattr(studies, "read_study", lambda name: table)
    assert studies.choose("any", "m") == {"dim": 16, "factors": 2}


@pytest.fixture(scope="module")
def movielens():
    """The ratings that every card names, read before a test takes an empty cache."""
    return studies._movielens()


@pytest.fixture
def small_study(movielens, monkeypatch, tmp_path, cache):
    """A study of six members that notes what it computes, and stops when told to."""
    done, stop = [], []

    def compute(*, number, seed):
        if number in stop:
            raise KeyboardInterrupt
        done.append(number)
        return {"square": float(number**2)}

    members = tuple({"number": k, "seed": 0} for k in range(6))
    monkeypatch.setattr(studies, "STUDIES", {"small": studies.Study("Squares.", members, compute, "Nothing.")})
    monkeypatch.setattr(studies, "FOLDER", tmp_path / "models")
    return done, stop


def test_an_interrupted_study_goes_on_where_it_was(small_study, cache):
    done, stop = small_study
    stop.append(4)
    with pytest.raises(KeyboardInterrupt):
        studies.make_study("small", progress=False)
    assert not (studies.FOLDER / "small.csv").exists()
    half = cache / "studies" / "small.jsonl"
    half.write_text(half.read_text() + '["cut sho')  # as a kill in the middle of a line leaves it
    stop.clear()
    path = studies.make_study("small", progress=False)
    assert done == [0, 1, 2, 3, 4, 5]
    assert pd.read_csv(path)["square"].tolist() == [0, 1, 4, 9, 16, 25]
    assert "6 members" in path.with_suffix(".md").read_text(encoding="utf8") and not half.exists()


def test_two_that_ask_at_once_compute_once(small_study, monkeypatch):
    done, _ = small_study
    both_there = threading.Barrier(2)

    class Announced(studies.filelock.FileLock):
        def __enter__(self):
            both_there.wait(timeout=30) if not done else None
            return super().__enter__()

    monkeypatch.setattr(studies.filelock, "FileLock", Announced)
    both = [threading.Thread(target=studies.make_study, args=["small"], kwargs={"progress": False}) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert done == [0, 1, 2, 3, 4, 5] and studies.read_study("small")["square"].tolist() == [0, 1, 4, 9, 16, 25]
    studies.make_study("small", progress=False)  # asked again, it is made again
    assert done == 2 * [0, 1, 2, 3, 4, 5]


def test_a_killed_process_leaves_no_lock(small_study, cache):
    done, _ = small_study
    lock = cache / "studies" / "small.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    studies.make_study("small", progress=False)
    assert len(done) == 6


def test_unknown_and_missing_studies_are_named(small_study):
    with pytest.raises(CourseError, match="there is no study 'large'"):
        studies.read_study("large")
    with pytest.raises(CourseError, match="run `make models`"):
        studies.read_study("small")
