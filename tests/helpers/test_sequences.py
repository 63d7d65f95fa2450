"""Transformers over histories: attention by hand, nothing from the future or from padding, losses by loops."""

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import data, models, recipes, training
from helpers.errors import CourseError
from helpers.planted import planted_sequences

ITEMS, LENGTH = 20, 7
rng = np.random.default_rng(5)
HISTORY = torch.tensor(data.pad_left([rng.integers(0, ITEMS, n) for n in (7, 3, 1, 5)], LENGTH, ITEMS))


def transformer(**options):
    model = models.SequenceTransformer(ITEMS, 8, length=LENGTH, seed=0, **options).eval()
    with torch.no_grad():
        for weights in model.parameters():  # far from the start, where all attention is alike
            weights += 0.3 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(weights.numel()))
    return model


both = pytest.mark.parametrize("causal", [True, False])


@both
def test_looking_gives_what_the_fast_path_gives(causal):
    model = transformer(causal=causal)
    with torch.no_grad():
        fast, (states, attention) = model(HISTORY), model.look(HISTORY)
    assert torch.allclose(fast, states[-1], atol=1e-5) and len(states) == 3 and len(attention) == 2
    for weights in attention:
        assert weights.shape == (4, 2, LENGTH, LENGTH) and torch.allclose(weights.sum(dim=3), torch.ones(4, 2, LENGTH))


def test_attention_agrees_with_a_loop_over_heads_and_positions():
    model, x = transformer(), torch.randn(1, LENGTH, 8, generator=torch.Generator().manual_seed(0))
    block, allowed = model.blocks[0], model.allowed(HISTORY[1:2])
    with torch.no_grad():
        mixed, _ = block.attend(x, allowed)
        parts = block.to_heads(
            block.attention_norm(x)[0]
        )  # (length, 3 · dim): queries, keys, values, each head after head
        slow = torch.zeros(LENGTH, 8)
        for head in range(2):
            q, k, v = (parts[:, 8 * part + 4 * head : 8 * part + 4 * head + 4] for part in range(3))
            for i in range(LENGTH):
                seen = [j for j in range(LENGTH) if allowed[0, 0, i, j]]
                alike = torch.tensor([float(q[i] @ k[j]) / 2 for j in seen])
                share = torch.exp(alike) / torch.exp(alike).sum()
                slow[i, 4 * head : 4 * head + 4] = sum(s * v[j] for s, j in zip(share, seen, strict=True))
        assert torch.allclose(mixed[0], block.from_heads(slow), atol=1e-5)


@pytest.mark.parametrize("look", [True, False])
def test_no_position_of_a_gpt_sees_its_future_and_a_bert_does(look):
    changed = HISTORY.clone()
    changed[:, 5:] = (changed[:, 5:] + 1) % ITEMS
    with torch.no_grad():
        seen = [[transformer(causal=c).look(h, weights=look)[0][-1] for h in (HISTORY, changed)] for c in (True, False)]
    gpt, bert = seen
    assert torch.equal(gpt[0][:, :5], gpt[1][:, :5]) and not torch.allclose(gpt[0][:, 5:], gpt[1][:, 5:])
    assert not torch.allclose(bert[0][:, :5], bert[1][:, :5])


@both
def test_padding_changes_nothing(causal):
    model = transformer(causal=causal)
    with torch.no_grad():
        for row, size in zip(HISTORY, (7, 3, 1, 5), strict=True):
            alone = row[None, -size:]
            assert torch.allclose(model.scores(row[None]), model.scores(alone), atol=1e-5)
            _, attention = model.look(row[None])
            assert all(weights[0, :, -size:, : LENGTH - size].sum() == 0 for weights in attention)


@both
def test_scores_of_a_batch_are_those_of_each_alone(causal):
    model = transformer(causal=causal)
    with torch.no_grad():
        together = model.scores(HISTORY)
        assert together.shape == (4, ITEMS)
        for row, scores in zip(HISTORY, together, strict=True):
            assert torch.allclose(model.scores(row[None])[0], scores, atol=1e-5)


def test_an_empty_history_has_scores():
    empty = torch.full((1, LENGTH), ITEMS)
    assert transformer().scores(empty).isfinite().all()


@pytest.mark.parametrize("seed", [None, *range(12)])
def test_windows_hold_every_item_but_the_first_once_as_a_target(seed):
    sequences = [rng.integers(0, ITEMS, n) for n in (0, 1, 2, 5, 6, 11, 23)]
    cut = data.windows(sequences, 5, ITEMS, None if seed is None else np.random.default_rng(seed))
    assert cut.shape[1] == 6
    targets = np.concatenate([row[1:][row[:-1] < ITEMS] for row in cut])
    wanted = np.concatenate([codes[1:] for codes in sequences])
    assert np.array_equal(np.sort(targets), np.sort(wanted))
    for row in cut:
        real = row[row < ITEMS].tolist()
        assert row.tolist() == [ITEMS] * (6 - len(real)) + real
        assert any(real == codes[k : k + len(real)].tolist() for codes in sequences for k in range(len(codes)))


def test_windows_cut_anew_are_other_windows():
    sequences = [rng.integers(0, ITEMS, 40) for _ in range(5)]
    cuts = [data.windows(sequences, 5, ITEMS, np.random.default_rng(seed)).tolist() for seed in (0, 0, 1)]
    assert cuts[0] == cuts[1] != cuts[2]
    assert max(len([code for code in row if code < ITEMS]) for row in cuts[2]) == 6


def test_training_on_histories_keeps_the_epoch_of_the_best_lists():
    table = pd.DataFrame({"user": np.repeat(range(30), 12), "item": 0, "timestamp": np.tile(range(12), 30)})
    table["item"] = (table["timestamp"] + np.repeat(rng.integers(0, ITEMS, 30), 12)) % ITEMS  # each a step of a cycle
    train, test = data.split_leave_last_out(table)
    options = {"epochs": 6, "anew": True, "dim": 8, "length": LENGTH, "dropout": 0.0, "seed": 0}
    model, history = recipes.train_transformer(train, (30, ITEMS), validation=test, **options)
    error = 1 - recipes.sequence_quality(model, data.histories(train, 30), train, test)["ndcg"].mean()
    assert len(history.validation) == 6 and error == min(history.validation) < history.validation[0]
    again, _ = recipes.train_transformer(train, (30, ITEMS), validation=test, **options)
    assert torch.equal(again.items.weight, model.items.weight)


def test_histories_are_in_order_and_ties_keep_the_order_of_the_rows():
    table = pd.DataFrame({"user": [1, 0, 1, 1], "item": [5, 6, 7, 8], "timestamp": [9, 3, 2, 9]})
    assert [codes.tolist() for codes in data.histories(table, 3)] == [[6], [7, 5, 8], []]


def test_the_next_item_loss_is_the_mean_surprise_over_real_targets():
    model = transformer()
    window = torch.tensor(data.windows([rng.integers(0, ITEMS, n) for n in (4, 8)], LENGTH, ITEMS))
    surprises = []
    with torch.no_grad():
        for row in window:
            for p in range(1, LENGTH + 1):
                if row[p - 1] < ITEMS:
                    shares = model.logits(model(row[None, :-1]))[0, p - 1].softmax(dim=0)
                    surprises.append(-float(shares[row[p]].log()))
        assert np.isclose(float(training.next_item_error(model, window)), np.mean(surprises), rtol=1e-4)


def test_bert_never_sees_what_it_has_to_guess():
    model, asked = transformer(causal=False), []
    plain = model.forward
    model.forward = lambda history: asked.append(history) or plain(history)
    window = torch.tensor(data.windows([rng.integers(0, ITEMS, 40)], LENGTH, ITEMS))
    with models.seeded(0), torch.no_grad():
        training.masked_item_error(model, window, share=0.3)
    hidden = asked[0] == model.mask
    assert hidden.any(dim=1).all() and torch.equal(asked[0][~hidden], window[:, 1:][~hidden])
    assert not hidden[window[:, 1:] == ITEMS].any()


@pytest.mark.parametrize("loss", [training.next_item_error, training.masked_item_error, training.sampled_error])
def test_a_step_of_a_transformer_makes_no_tensor_on_another_device(loss):
    model = transformer(causal=loss is not training.masked_item_error).to("meta")
    window = torch.tensor(data.windows([rng.integers(0, ITEMS, 40)], LENGTH, ITEMS)).to("meta")
    optimizer = training.make_optimizer(model, training.Settings())
    assert training.train_step(model, optimizer, loss, (window,)).device.type == "meta"


def test_the_sampled_loss_asks_of_the_next_item_and_of_one_drawn():
    model = transformer()
    window = torch.tensor(data.windows([rng.integers(0, ITEMS, 5)], LENGTH, ITEMS))
    with models.seeded(3), torch.no_grad():
        loss = float(training.sampled_error(model, window))
    with models.seeded(3), torch.no_grad():
        drawn = torch.randint(ITEMS, (1, LENGTH))[0].tolist()
        scores = model.logits(model(window[:, :-1]))[0].double().numpy()
    yes = lambda score: 1 / (1 + np.exp(-score))
    slow = []
    for place, target in enumerate(window[0, 1:].tolist()):
        if window[0, place] < ITEMS:
            slow.append(-np.log(yes(scores[place, target])) - np.log(1 - yes(scores[place, drawn[place]])))
    assert np.isclose(loss, np.mean(slow), rtol=1e-4)


@both
def test_a_cycle_of_items_is_learned(causal):
    """Training on windows and asking for the next item fit together: a cycle of items is learned."""
    cycle = [np.arange(40) % 5 + shift for shift in (0, 5, 10)]
    model = models.SequenceTransformer(ITEMS, 16, length=LENGTH, dropout=0.0, causal=causal, seed=0)
    loss = training.next_item_error if causal else training.masked_item_error
    settings = training.Settings(epochs=60, batch=16, lr=0.01, decay={})
    training.fit(model, (torch.tensor(data.windows(cycle, LENGTH, ITEMS)),), loss, settings, seed=0)
    history = torch.tensor(data.pad_left([codes[:-1] for codes in cycle], LENGTH, ITEMS))
    assert model.eval().scores(history).argmax(dim=1).tolist() == [int(codes[-1]) for codes in cycle]


@pytest.mark.parametrize("rule", ["trigger", "marker"])
def test_what_follows_is_decided_by_the_causes_alone(rule):
    planted = planted_sequences(500, rule=rule, at_end=0.3, seed=1)
    for history, cause, following in zip(planted.histories, planted.causes, planted.following, strict=True):
        looked = history[cause]
        triggers = looked[looked < 10]
        assert len(triggers) == 1 and following == 10 + triggers[0] and cause.sum() == (2 if rule == "marker" else 1)
        assert (history < 10).sum() == (4 if rule == "marker" else 1) and (history == 20).sum() == (rule == "marker")
        if rule == "marker":
            assert history[np.flatnonzero(cause)[0]] == 20  # the marker stands before its item
    at_end = planted.causes[:, -1].mean()
    assert 0.3 < at_end < 0.5


def test_twins_are_the_same_items_with_two_triggers_exchanged():
    planted = planted_sequences(400, rule="twins", seed=2)
    one, other = planted.histories[::2], planted.histories[1::2]
    assert np.array_equal(np.sort(one), np.sort(other)) and ((one != other).sum(axis=1) == 2).all()
    for history, cause, following in zip(planted.histories, planted.causes, planted.following, strict=True):
        marker, trigger = np.flatnonzero(cause)
        assert trigger == marker + 1 and history[marker] == 20 and following == 10 + history[trigger]
        assert (history < 10).sum() == 2 and (history == 20).sum() == 1
    many = planted_sequences(20_000, rule="twins", seed=3)
    is_trigger = many.histories < 10
    first = is_trigger.argmax(axis=1)
    cause_first = (many.causes & is_trigger).argmax(axis=1) == first
    assert abs(cause_first.mean() - 0.5) < 0.02  # nor does it help to know which trigger came last
    answers = planted.following.reshape(-1, 2)
    assert (answers[:, 0] != answers[:, 1]).all()  # whoever is blind to order is right once in two at most
    assert len(planted_sequences(7, rule="twins", seed=2).histories) == 7


# Order without a transformer

READ = [rng.permutation(9)[:n] for n in (6, 1, 4, 8, 2)]


def test_a_faded_history_weighs_an_item_by_how_many_came_after_it():
    rows = models.faded([np.array([3, 1, 4]), np.array([], dtype=int)], 5, [0.5, 1.0])
    weights = np.array([0.25, 0.5, 1])
    assert np.allclose(rows[0, [3, 1, 4]], weights / np.sqrt(weights.sum()))
    assert np.allclose(rows[0, [8, 6, 9]], 1 / np.sqrt(3)) and np.count_nonzero(rows[0]) == 6
    assert not rows[1].any()
    assert np.allclose(models.faded([np.array([2, 2])], 3, [0.5])[0], [0, 0, 1.5 / np.sqrt(1.5)])  # a repeated item


def test_what_is_read_for_each_next_item_is_what_the_history_up_to_it_gives():
    table = models.fading(5, 0.7)
    for t in range(5):
        assert np.allclose(table[t, : t + 1], models.faded([np.arange(t + 1)], 5, [0.7])[0][: t + 1])
        assert not table[t, t + 1 :].any()


@pytest.mark.parametrize("decays", [[0.8], [0.95, 0.5]])
def test_the_closed_form_is_the_ridge_regression_of_all_its_rows(decays):
    read = [np.array([0, 3, 0, 5]), *READ]  # one that repeats an item
    rows = [(h[:t], h[t]) for h in read for t in range(1, len(h))]
    x = models.faded([past for past, _ in rows], 9, decays)
    y = np.eye(9)[[item for _, item in rows]]
    slow = np.vstack([x, np.sqrt(2.0) * np.eye(x.shape[1])]), np.vstack([y, np.zeros((x.shape[1], 9))])
    assert np.allclose(
        models.next_item_weights(read, 9, decays=decays, ridge=2.0), np.linalg.lstsq(*slow, rcond=None)[0]
    )


def test_a_chain_of_items_is_followed():
    chain = [np.roll(np.arange(8), -k) for k in range(8)]
    weights = models.next_item_weights(chain, 8, decays=[0.3], ridge=0.1)
    scores = models.faded([h[:-1] for h in chain], 8, [0.3]) @ weights
    unseen = np.where(models.faded([h[:-1] for h in chain], 8, [1.0]) > 0, -np.inf, scores)
    assert [int(row.argmax()) for row in unseen] == [int(h[-1]) for h in chain]


def test_scores_of_order_are_ease_or_the_linear_model_asked_with_faded_histories():
    settings = {"decays": [0.6], "ridge": 3.0}
    ease, one, two = recipes.LINEAR
    seen = np.zeros((5, 9))
    for row, items in zip(seen, READ, strict=True):
        row[items] = 1
    assert np.allclose(
        recipes.order_scores(ease, READ, 9, **settings),
        models.faded(READ, 9, [0.6]) @ models.ease_weights(seen, ridge=3.0),
    )
    weights = models.next_item_weights(READ, 9, **settings)
    assert np.allclose(
        recipes.order_scores(one, READ, 9, **settings, asked=READ[:2]), models.faded(READ[:2], 9, [0.6]) @ weights
    )
    assert recipes.order_scores(two, READ, 9).shape == (5, 9)


def test_standardised_scores_have_mean_0_and_spread_1_over_what_is_unseen():
    seen = rng.random((4, 9)) < 0.4
    scores = recipes.standardised(rng.normal(3, 5, (4, 9)), seen)
    for row, known in zip(scores, seen, strict=True):
        assert row[~known].mean() == pytest.approx(0) and row[~known].std() == pytest.approx(1)
    assert np.isfinite(recipes.standardised(np.ones((2, 9)), seen[:2])).all()  # all alike: nothing to divide by


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (lambda: models.next_item_weights(READ, 9, decays=[0.9], ridge=0.0), "needs a ridge above 0"),
        (lambda: models.next_item_weights([h[:1] for h in READ], 9, decays=[0.9], ridge=1.0), "nothing follows"),
        (lambda: recipes.order_scores("a network", READ, 9), "there is no model of order"),
        (lambda: planted_sequences(5, rule="chance"), "cannot be planted"),
        (lambda: planted_sequences(5, rule="marker", length=6), "cannot be planted"),
        (lambda: models.SequenceTransformer(9, 10, heads=3, seed=0), "cannot be shared by 3 heads"),
        (lambda: transformer().look(torch.zeros(1, 9, dtype=torch.long)), "longer than the model's 7"),
        (lambda: data.histories(pd.DataFrame({"user": [0], "item": [0]}), 1), "needs a column timestamp"),
    ],
)
def test_impossible_histories_and_models_are_refused(refused, message):
    with pytest.raises(CourseError, match=message):
        refused()
