"""Trained models that are stored: they have learned what their cards say; unknown kinds are refused by name."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers import data, metrics, models, recipes, stored
from helpers.errors import CourseError

PLANTED = stored.checkpoints("planted")


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_model_answers_as_its_card_says(name):
    rule, seed = name.split("-")[1:]
    right = recipes.accuracy(recipes.trained(name), rule, n=1000, seed=20_000 + int(seed))  # seen by no training
    card, _ = stored.checkpoint(name)
    assert right >= 0.99 and card["figures"]["accuracy"] == pytest.approx(right, abs=2e-3)


@pytest.mark.parametrize(("architecture", "place"), [("GPT", 1), ("GPT", 2), ("GPT", 3), ("BERT", 1)])
def test_a_model_over_histories_ranks_as_its_card_says_and_has_its_place_on_validation(architecture, place):
    ratings = data.load_ratings("movielens-100k")
    train, test = data.split_leave_last_out(ratings.table)
    name = f"{architecture.lower()}-movielens" + (f"-{place}" if place > 1 else "")
    model, known = recipes.trained(name), data.histories(train, ratings.shape[0])
    quality = recipes.sequence_quality(model, known, train, test).mean()
    figures = stored.checkpoint(name)[0]["figures"]
    assert figures["hr10"] == pytest.approx(quality["hr"], abs=0.004)
    assert figures["ndcg10"] == pytest.approx(quality["ndcg"], abs=0.004)
    judged = stored.table("sequence_validation").query("architecture == @architecture and epochs == 40")
    assert figures["seed"] == judged.sort_values("ndcg10_validation", ascending=False)["seed"].iloc[place - 1]


def test_pages_that_look_inside_get_the_stored_ones_and_other_data_their_own(monkeypatch):
    monkeypatch.setattr(recipes, "trained", lambda name, device: name)
    monkeypatch.setattr(recipes, "_hold_to_card", lambda *_: None)
    monkeypatch.setattr(stored, "keep", lambda name, train: asked.append(name))
    asked = []
    monkeypatch.setattr(recipes, "train_transformer", lambda *_, seed, **__: (f"seed {seed}", None))
    movielens, other = data.load_ratings("movielens-100k"), data.planted_ratings(20, 30, per_user=5)
    train, _ = data.split_leave_last_out(movielens.table)
    assert recipes.several_trained(movielens, train, number=2) == ["gpt-movielens", "gpt-movielens-2"]
    assert recipes.several_trained(movielens, train, first=3, number=2) == ["gpt-movielens-4", "gpt-movielens-5"]
    assert asked == ["gpt-movielens-4", "gpt-movielens-5"]  # the others are stored
    assert recipes.several_trained(other, None, architecture="BERT", number=2) == ["seed 0", "seed 1"]


def test_a_seed_that_is_not_stored_is_trained_once_and_kept_in_the_cache(cache, monkeypatch):
    learn, asked = recipes.learn_rule, []
    little = lambda rule, seed, device: asked.append((rule, seed)) or learn(rule, n=300, seed=seed, device=device)
    monkeypatch.setattr(recipes, "learn_rule", little)
    with torch.no_grad():  # as on pages that look inside
        one, two = (recipes.model("planted-trigger", 17).state_dict() for _ in range(2))
    assert asked == [("trigger", 117)] and all(torch.equal(one[name], two[name]) for name in one)
    assert [path.name for path in (cache / "trained").glob("*.safetensors")] == ["planted-trigger-17.safetensors"]
    recipes.model("planted-marker", 2)
    assert len(asked) == 1  # that one is stored
    (cache / "trained" / "planted-trigger-17.safetensors").write_bytes(b"cut")
    with pytest.raises(CourseError, match=r"planted-trigger-17.safetensors is no checkpoint .* delete .*trained again"):
        recipes.model("planted-trigger", 17)


def test_a_training_that_is_not_what_its_card_says_is_named_and_the_page_goes_on(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(recipes, "say", said.append)
    ratings = data.load_ratings("movielens-100k")
    train, _ = data.split_leave_last_out(ratings.table)
    recipes.model("planted-marker", 0), recipes.several_trained(ratings, train, number=1)
    assert said == []
    for name in ("planted-marker-0", "gpt-movielens"):
        card, _ = stored.checkpoint(name)
        model = models.SequenceTransformer(**card["model"], seed=1)  # has learned nothing
        stored.write(tmp_path / f"{name}.safetensors", model, card)
    monkeypatch.setattr(stored, "MODELS", tmp_path)
    assert recipes.model("planted-marker", 0).length == 12
    assert len(recipes.several_trained(ratings, train, number=1)) == 1
    assert re.match(r"\*\*planted-marker-0 is not what its card says\*\*: accuracy 1\.000 there, 0\.\d+ here", said[0])
    assert re.match(r"\*\*gpt-movielens is not what its card says\*\*: ndcg10 0\.\d+ there, 0\.\d+ here", said[1])


def test_seeds_that_are_not_stored_are_none_of_those_among_which_the_stored_ones_were_chosen():
    used = set(stored.table("sequence_validation")["seed"])
    assert max(used) < recipes.FRESH


def test_the_same_seed_learns_a_rule_to_the_same_weights():
    one, two = (recipes.learn_rule("trigger", n=600, seed=1)[0].state_dict() for _ in range(2))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_control_attributes_are_dealt_to_others_or_move_no_vector():
    ratings = data.load_ratings("movielens-100k")
    true, dealt, biases = (
        recipes.rating_model(kind, ratings, mean=3.5, seed=0)[0]
        for kind in ("with attributes", "attributes shuffled", "attributes as biases")
    )
    assert not torch.equal(true.user_features, dealt.user_features)
    assert torch.equal(true.user_features.sum(dim=0), dealt.user_features.sum(dim=0))
    assert biases.user_effect[:, :-1].abs().sum() == 0 < biases.user_effect[:, -1].abs().sum()
    biases(torch.tensor([0]), torch.tensor([0])).sum().backward()
    assert biases.user_effect.grad[:, :-1].abs().sum() == 0 < biases.user_effect.grad[:, -1].abs().sum()


def test_lists_of_these_scores_leave_out_what_was_seen():
    table = data.planted_ratings(30, 40, per_user=8).table
    train, _ = data.split_leave_last_out(table)
    seen = data.interactions(train, (30, 40))
    for kind, settings in {"popularity": {}, "item-kNN": {"neighbours": 5}, "EASE": {"ridge": 5.0}}.items():
        scores = recipes.list_scores(kind, seen, **settings)
        lists = metrics.recommend(lambda users, scores=scores: scores[users], np.arange(30), train, 40, k=10)
        assert scores.shape == (30, 40) and not any(seen[user, row].any() for user, row in enumerate(lists))


RATINGS = data.planted_ratings(20, 30, per_user=5)
SEEN = data.interactions(RATINGS.table, RATINGS.shape)


@pytest.mark.parametrize(
    ("call", "there"),
    [
        (lambda: recipes.rating_model("attributes", RATINGS, mean=3.0, seed=0), "dot product, NeuMF, with attributes"),
        (lambda: recipes.softmax_dot("EASE", SEEN, seed=0), "dot product, dot product of histories"),
        (lambda: recipes.list_scores("kNN", SEEN), "popularity, item-kNN, EASE"),
        (lambda: recipes.train_transformer(RATINGS.table, RATINGS.shape, architecture="Bert", seed=0), "GPT, BERT"),
        (lambda: recipes.train_transformer(RATINGS.table, RATINGS.shape, loss="all", seed=0), "all items, 1 negative"),
        (lambda: recipes.several_trained(RATINGS, None, architecture="gpt"), "GPT, BERT"),
        (lambda: recipes.model("gpt", 0), "gpt-movielens, bert-movielens, planted-trigger"),
    ],
)
def test_an_unknown_kind_is_refused_with_the_list_of_what_there_is(call, there):
    with pytest.raises(CourseError, match=f"it is one of {there}"):
        call()


def test_of_a_large_catalogue_the_best_known_items_are_ranked_and_it_is_said():
    ratings = data.planted_ratings(40, 30, per_user=10)
    assert recipes.most_known(ratings) is ratings
    few = recipes.most_known(ratings, most=12)
    number = np.bincount(ratings.table["item"], minlength=30)
    assert few.shape[1] == 12 and len(few.table) == np.sort(number)[-12:].sum()
    ids = few.items["id"].to_numpy()[few.table["item"]]
    assert set(ids) == set(ratings.items["id"].to_numpy()[np.argsort(-number, kind="stable")[:12]])
    before = {tuple(row) for row in zip(ratings.users["id"][ratings.table["user"]], ratings.table["timestamp"])}
    assert {tuple(row) for row in zip(few.users["id"][few.table["user"]], few.table["timestamp"])} <= before
    assert "only the 12 items that most users know are ranked" in few.said


# All answers


def test_inputs_of_the_priors_are_what_their_names_say():
    ratings = data.planted_ratings(40, 30, per_user=8)
    train, _ = data.split_random(ratings.table)
    widths = {
        kind: [part.shape[1] for part in recipes.inputs(kind, ratings, train, width=5)] for kind in recipes.INPUTS
    }
    known = [part.shape[1] for part in data.attributes(ratings)]
    more = lambda users, items: [known[0] + users, known[1] + items]
    assert widths["ids"] == [0, 0] and widths["attributes"] == known
    assert widths["who rated what"] == widths["dealt to others"] == widths["leak"] == more(6, 6)
    assert (widths["counts alone"], widths["users alone"], widths["films alone"]) == (
        more(1, 1),
        more(6, 0),
        more(0, 6),
    )
    true, dealt = (recipes.inputs(kind, ratings, train, width=5)[0][:, known[0] :] for kind in recipes.INPUTS[2:4])
    assert not np.allclose(true, dealt) and np.allclose(np.sort(true, axis=0), np.sort(dealt, axis=0))
    with pytest.raises(CourseError, match="there is no kind of inputs 'all': it is one of ids, "):
        recipes.inputs("all", ratings, train)


def test_directions_of_who_rated_what_hold_no_row_of_the_test_unless_it_is_a_leak():
    ratings = data.planted_ratings(40, 30, per_user=8)
    train, test = data.split_random(ratings.table)
    other = ratings.table.copy()
    other.loc[test.index, "item"] = np.roll(test["item"], 1)
    told = {kind: recipes.inputs(kind, replace(ratings, table=other), train)[0] for kind in ("who rated what", "leak")}
    assert np.array_equal(told["who rated what"], recipes.inputs("who rated what", ratings, train)[0])
    assert not np.allclose(told["leak"], recipes.inputs("leak", ratings, train)[0])


def test_all_answers_do_not_depend_on_the_unit_of_the_ratings():
    ratings = data.planted_ratings(40, 30, per_user=8)
    train, test = data.split_random(ratings.table)
    larger = replace(ratings, table=ratings.table.assign(rating=ratings.table["rating"] * 20))
    told = recipes.inputs("attributes", ratings, train)
    one = recipes.all_answers(ratings, train, test, told, sweeps=30)
    other = recipes.all_answers(larger, larger.table.loc[train.index], larger.table.loc[test.index], told, sweeps=30)
    assert larger.unit == 20 * ratings.unit
    assert np.allclose(other.rating, 20 * one.rating) and np.allclose(other.width, 20 * one.width)


def test_one_answer_is_cut_to_the_scale():
    ratings = data.planted_ratings(40, 30, per_user=8)
    train, test = data.split_random(ratings.table)
    said = recipes.one_answer(ratings, train, test, kind="dot product", dim=4, seed=0)
    assert said.shape == (len(test),) and said.min() >= train["rating"].min() and said.max() <= train["rating"].max()
