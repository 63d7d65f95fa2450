"""Attributions against other libraries, loops and exhaustive search; laws that they must obey; what is refused."""

import math
from itertools import permutations

import numpy as np
import pytest
import shap
import torch
from captum.attr import FeatureAblation, InputXGradient, IntegratedGradients
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import explain, factorization, models
from helpers.errors import CourseError
from helpers.recipes import trained

ITEMS, DIM, LENGTH, LAYERS, HEADS = 19, 6, 8, 3, 2
PAD = ITEMS
HISTORY = torch.tensor(
    [
        [3, 1, 4, 1, 5, 9, 2, 6],  # as long as can be, one item twice
        [PAD, PAD, PAD, 7, 8, 7, 7, 0],
        [PAD, PAD, PAD, PAD, PAD, PAD, PAD, 11],
        [PAD, 12, 13, 2, 3, 5, 17, 18],
        [PAD, PAD, PAD, PAD, PAD, 10, 0, 4],
    ]
)
TARGET = torch.tensor([10, 16, 14, 9, 1])
both = pytest.mark.parametrize("causal", [True, False], ids=["GPT", "BERT"])


def transformer(causal=True, seed=0, spread=0.4, layers=LAYERS):
    """A model far from its start, so that items differ in what they do."""
    options = {"layers": layers, "heads": HEADS, "length": LENGTH}
    model = models.SequenceTransformer(ITEMS, DIM, **options, causal=causal, seed=seed).eval()
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in model.parameters():
            weights += spread * torch.randn(weights.shape, generator=rng)
    return model


def packed(codes, length=LENGTH):
    """A history of these items, in plain Python."""
    return [PAD] * (length - len(codes)) + codes


def all_scores(model, rows):
    with torch.no_grad():
        return model.scores(torch.tensor(rows)).numpy()


def score(model, codes, target):
    return float(all_scores(model, [codes])[0, target])


def table_game(players, seed=0):
    """A game in which each coalition reaches something else."""
    reached = torch.randn(2**players, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return lambda inside: reached[(inside * 2 ** torch.arange(players)).sum(dim=1)]


def refusal(call) -> str:
    with pytest.raises(CourseError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


# Scores and removals


@both
def test_the_score_of_a_target_is_its_entry_among_all_scores(causal):
    model = transformer(causal)
    wanted = [score(model, row.tolist(), target) for row, target in zip(HISTORY, TARGET, strict=True)]
    assert torch.allclose(explain.target_scores(model, HISTORY, TARGET), torch.tensor(wanted), atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(1, 9), st.randoms(use_true_random=False))
def test_what_is_kept_moves_to_the_right_in_its_order(batch, length, chance):
    history = [[chance.randint(0, PAD) for _ in range(length)] for _ in range(batch)]
    kept = [[chance.random() < 0.6 for _ in range(length)] for _ in range(batch)]
    left = [[code for code, stays in zip(*row, strict=True) if stays] for row in zip(history, kept, strict=True)]
    wanted = [packed(codes, length) for codes in left]
    assert explain.keep(torch.tensor(history), torch.tensor(kept), PAD).tolist() == wanted


@both
def test_occlusion_is_the_fall_after_each_removal_by_a_loop_and_by_captum(causal):
    model = transformer(causal)
    ours = explain.occlusion(model, HISTORY, TARGET)
    assert ours.shape == HISTORY.shape and not ours.requires_grad and (ours[HISTORY == PAD] == 0).all()
    for row, to, values in zip(HISTORY.tolist(), TARGET.tolist(), ours, strict=True):

        def play(kept, row=row, to=to):
            left = [c for c, stays in zip(row, kept[0].tolist(), strict=True) if stays and c != PAD]
            return torch.tensor([score(model, packed(left), to)])

        assert torch.allclose(values, FeatureAblation(play).attribute(torch.ones(1, LENGTH))[0], atol=1e-5)
        for place in range(LENGTH):
            left = packed([c for k, c in enumerate(row) if k != place and c != PAD])
            assert abs(float(values[place]) - score(model, row, to) + score(model, left, to)) < 1e-5
        assert values.abs().max() > 0.05


def test_an_item_that_a_bert_cannot_see_has_no_effect():
    model = transformer(causal=False)  # the mask takes the place of the oldest of eight items
    assert explain.occlusion(model, HISTORY, TARGET)[0, 0] == 0
    assert explain.gradient_times_input(model, HISTORY, TARGET)[0, 0] == 0
    assert explain.integrated_gradients(model, HISTORY, TARGET)[0][0, 0] == 0


# Gradients


@both
def test_gradient_times_input_is_captum_s(causal):
    model = transformer(causal)
    vectors = model.items(HISTORY).detach().requires_grad_(True)
    theirs = InputXGradient(lambda v, h: model.scores(h, v)).attribute(vectors, TARGET, HISTORY).sum(dim=2)
    ours = explain.gradient_times_input(model, HISTORY, TARGET)
    assert torch.allclose(ours, theirs * (HISTORY != PAD), atol=1e-5) and ours.abs().sum() > 1
    assert not ours.requires_grad and all(weights.grad is None for weights in model.parameters())


@both
@pytest.mark.parametrize("kind", ["none", "one", "each"])
def test_integrated_gradients_are_captum_s_from_any_baseline(causal, kind):
    model, rng = transformer(causal), torch.Generator().manual_seed(4)
    vectors, real = model.items(HISTORY).detach(), (HISTORY != PAD)[..., None]
    shape = {"none": (), "one": (DIM,), "each": vectors.shape}[kind]
    start = torch.randn(shape, generator=rng) if shape else torch.zeros(())
    ours, gaps = explain.integrated_gradients(model, HISTORY, TARGET, baseline=start if shape else None)
    bases = torch.where(real, start, vectors)  # padding stays what it is
    theirs = IntegratedGradients(lambda v, h: model.scores(h, v)).attribute(
        vectors, bases, TARGET, HISTORY, n_steps=50, method="gausslegendre"
    )
    assert ours.abs().max() > 0.1 and torch.allclose(ours, theirs.sum(dim=2), atol=1e-4)
    with torch.no_grad():
        chosen = torch.arange(len(TARGET)), TARGET
        rise = model.scores(HISTORY)[chosen] - model.scores(HISTORY, bases)[chosen]
    assert rise.abs().max() > 0.1 and torch.allclose(gaps, rise - ours.sum(dim=1), atol=1e-5)
    assert not ours.requires_grad and not gaps.requires_grad


def test_integrated_gradients_of_a_trained_model_add_up_to_what_its_items_bring():
    model, rng = trained("gpt-movielens"), np.random.default_rng(2)
    codes = [rng.permutation(model.n_items)[: n + 1].tolist() for n in (50, 31, 8, 1)]
    history = torch.tensor([[model.padding] * (51 - len(row)) + row[:-1] for row in codes])
    target = torch.tensor([row[-1] for row in codes])
    parts, gaps = explain.integrated_gradients(model, history, target)
    vectors = model.items(history).detach() * (history == model.padding)[..., None]
    with torch.no_grad():
        chosen = torch.arange(4), target
        rise = model.scores(history)[chosen] - model.scores(history, vectors)[chosen]
    assert torch.allclose(parts.sum(dim=1), rise, atol=1e-4) and gaps.abs().max() < 1e-4
    assert rise.abs().max() > 0.5


def test_more_steps_leave_a_smaller_gap():
    model = transformer(spread=1.0)
    gaps = [explain.integrated_gradients(model, HISTORY, TARGET, steps=n)[1].abs().mean() for n in (2, 8, 64)]
    assert gaps[0] > 3 * gaps[1] > 9 * gaps[2]


# Attention


def test_rollout_is_a_product_by_loops_and_keeps_shares():
    raw = [torch.randn(3, HEADS, 5, 5, generator=torch.Generator().manual_seed(k)) for k in range(4)]
    attention = [weights.softmax(dim=3) for weights in raw]
    ours = explain.rollout(attention)
    assert ours.shape == (3, 5, 5) and torch.allclose(ours.sum(dim=2), torch.ones(3, 5), atol=1e-5)
    for row in range(3):
        share = np.eye(5)
        for weights in attention:
            to = (weights[row, 0] + weights[row, 1]).numpy() / 4 + np.eye(5) / 2
            share = np.array([[sum(to[i, k] * share[k, j] for k in range(5)) for j in range(5)] for i in range(5)])
        assert np.allclose(ours[row], share, atol=1e-5)


def test_rollout_of_one_layer_that_looks_at_all_alike_is_known():
    alike = torch.ones(1, HEADS, 4, 4).tril() / torch.arange(1, 5)[:, None]
    wanted = [[1, 0, 0, 0], [1 / 4, 3 / 4, 0, 0], [1 / 6, 1 / 6, 2 / 3, 0], [1 / 8, 1 / 8, 1 / 8, 5 / 8]]
    assert torch.allclose(explain.rollout([alike])[0], torch.tensor(wanted))


# Shapley values


def test_shapley_values_are_mean_gains_over_all_orders():
    game, gains = table_game(5), np.zeros(5)
    for order in permutations(range(5)):
        inside = torch.zeros(1, 5, dtype=torch.bool)
        for player in order:
            before = float(game(inside)[0])
            inside[0, player] = True
            gains[player] += float(game(inside)[0]) - before
    assert np.allclose(explain.shapley(game, 5), gains / math.factorial(5), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 7), st.integers(0, 1000), st.floats(-3, 3))
def test_shapley_values_obey_their_laws(players, seed, factor):
    game, other = table_game(players, seed), table_game(players, seed + 1)
    values, ends = explain.shapley(game, players), torch.tensor([[False] * players, [True] * players]).bool()
    assert torch.isclose(values.sum(), game(ends).diff()[0], atol=1e-9)
    both_games = explain.shapley(lambda inside: game(inside) + factor * other(inside), players)
    assert torch.allclose(both_games, values + factor * explain.shapley(other, players), atol=1e-9)
    with_idle = explain.shapley(lambda inside: game(inside[:, :-1]), players + 1)  # the last one changes nothing
    assert torch.allclose(with_idle, torch.cat([values, torch.zeros(1)]), atol=1e-9)
    # where two are only counted, they are worth the same
    twins = lambda inside: game(torch.cat([inside[:, :1] & inside[:, 1:2], inside[:, 2:]], dim=1))
    shared = explain.shapley(twins, players + 1)
    assert torch.isclose(shared[0], shared[1], atol=1e-9)


@both
def test_shapley_values_of_a_history_are_those_of_the_library(causal):
    model = transformer(causal)
    for row in (0, 1, 3):
        game, places = explain.history_game(model, HISTORY[row], int(TARGET[row]))
        values = explain.shapley(game, len(places))
        play = lambda zero_one, game=game: game(torch.tensor(zero_one > 0.5)).double().numpy()
        nothing, all_of_them = np.zeros((1, len(places))), np.ones((1, len(places)))
        library = shap.explainers.Exact(play, shap.maskers.Independent(nothing))(all_of_them)
        assert np.allclose(values, library.values[0], atol=1e-5) and values.abs().max() > 0.05
        rise = play(all_of_them) - play(nothing)
        assert abs(float(values.sum()) - rise[0]) < 1e-4


@both
def test_the_game_of_a_history_scores_what_is_kept(causal):
    model, (row, target) = transformer(causal), (HISTORY[1], int(TARGET[1]))
    game, places = explain.history_game(model, row, target)
    assert places.tolist() == [3, 4, 5, 6, 7]
    inside = torch.tensor([[0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 1, 0], [0, 1, 1, 0, 1]]).bool()
    wanted = [score(model, packed(codes), target) for codes in ([], [7, 8, 7, 7, 0], [7, 7], [8, 7, 0])]
    assert np.allclose(game(inside), wanted, atol=1e-5) and len(set(np.round(wanted, 3))) == 4
    assert not game(inside).requires_grad


def test_sampled_shapley_values_are_near_the_exact_ones_and_always_complete():
    game = table_game(7)
    exact, ends = explain.shapley(game, 7), torch.tensor([[False] * 7, [True] * 7])
    (values, errors), again, other = (explain.shapley_sampled(game, 7, orders=300, seed=s) for s in (0, 0, 1))
    assert ((values - exact).abs() < 4 * errors).sum() >= 6 and (values - exact).abs().max() < 0.4
    assert torch.isclose(values.sum(), game(ends).diff()[0], atol=1e-9)
    assert torch.equal(values, again[0]) and torch.equal(errors, again[1]) and not torch.equal(values, other[0])


def test_the_standard_error_is_how_much_values_of_many_seeds_spread():
    game = table_game(4)
    runs = [explain.shapley_sampled(game, 4, orders=40, seed=seed) for seed in range(150)]
    spread, said = torch.stack([r[0] for r in runs]).std(dim=0), torch.stack([r[1] for r in runs]).mean(dim=0)
    assert torch.allclose(spread, said, rtol=0.25)


def test_too_many_players_and_none_are_refused():
    message = refusal(lambda: explain.shapley(table_game(3), 17))
    assert "17 players" in message and "shapley_sampled" in message
    assert "0 players" in refusal(lambda: explain.shapley(table_game(3), 0))
    assert "players = 0" in refusal(lambda: explain.shapley_sampled(table_game(3), 0))
    assert "orders = 1" in refusal(lambda: explain.shapley_sampled(table_game(3), 3, orders=1))
    values, _ = explain.shapley_sampled(lambda inside: inside.double() @ torch.arange(20.0).double(), 20, orders=3)
    assert torch.allclose(values, torch.arange(20.0).double())


# Influence


def test_influence_is_what_a_regression_without_each_row_says():
    rng = np.random.default_rng(8)
    features, ratings, asked = rng.normal(size=(12, 5)), rng.normal(size=12), rng.normal(size=5)
    fit = lambda X, y: asked @ np.linalg.solve(X.T @ X + 0.7 * np.eye(5), X.T @ y)
    wanted = [fit(features, ratings) - fit(np.delete(features, k, 0), np.delete(ratings, k)) for k in range(12)]
    assert np.allclose(explain.influence(features, ratings, asked, ridge=0.7), wanted, rtol=0, atol=1e-9)
    for ridge in (0.0, -1.0):
        assert "ridge above 0" in refusal(lambda ridge=ridge: explain.influence(features, ratings, asked, ridge=ridge))


def test_influence_foretells_a_whole_factorization_without_the_rating():
    rng, users, items, ridge = np.random.default_rng(0), 60, 40, 2.0
    R = rng.normal(size=(users, 3)) @ rng.normal(size=(3, items)) + 0.3 * rng.normal(size=(users, items))
    mask = rng.random((users, items)) < 0.6
    R = R - R[mask].mean()
    begin = factorization.start(users, items, 3, seed=0)
    train = lambda mask: factorization.alternating_least_squares(R, mask, *begin, rounds=60, ridge=ridge)[:2]
    U, V = train(mask)
    user, (rated, asked) = 7, (np.flatnonzero(mask[7]), np.flatnonzero(~mask[7])[0])
    ours = explain.influence(V[:, rated].T, R[user, rated], V[:, asked], ridge=ridge)
    real = []
    for item in rated:
        without = mask.copy()
        without[user, item] = False
        left_u, left_v = train(without)
        real.append(U[user] @ V[:, asked] - left_u[user] @ left_v[:, asked])
    assert len(rated) >= 20 and np.corrcoef(ours, real)[0, 1] >= 0.95
    assert 0.7 < np.polyfit(ours, real, 1)[0] < 1.4  # of the same size, too


# What goes in


METHODS = {
    "occlusion": explain.occlusion,
    "gradient": explain.gradient_times_input,
    "path": lambda *given: explain.integrated_gradients(*given)[0],
    "game": lambda model, history, target: [
        explain.history_game(model, row, int(to)) for row, to in zip(history, target, strict=True)
    ],
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
attributions = pytest.mark.parametrize("method", [METHODS[name] for name in list(METHODS)[:3]], ids=list(METHODS)[:3])


@both
@attributions
def test_a_history_of_one_item_and_rows_of_a_batch_are_explained_alone(method, causal):
    model = transformer(causal)
    together = method(model, HISTORY, TARGET)
    assert together.shape == HISTORY.shape and (together[HISTORY == PAD] == 0).all()
    for row, target, values in zip(HISTORY, TARGET, together, strict=True):
        codes = row[row != PAD]
        alone = method(model, codes[None] if causal or len(codes) < LENGTH else row[None], target[None])[0]
        assert torch.allclose(values[row != PAD], alone, atol=1e-4)
    assert together[2, -1].abs() > 1e-3


@attributions
def test_a_repeated_item_gets_a_value_at_each_of_its_places(method):
    values = method(transformer(), HISTORY, TARGET)
    assert values[0, 1].abs() > 1e-3 < values[0, 3].abs() and (values[0, 1] - values[0, 3]).abs() > 1e-3
    if method is explain.occlusion:  # of two neighbours alike, it makes no difference which one goes
        assert torch.isclose(values[1, 5], values[1, 6]) and values[1, 5] != 0


@every_method
def test_a_history_without_an_explanation_is_refused_with_its_row(method):
    model, empty, known = transformer(), HISTORY.clone(), TARGET.clone()
    empty[3:], known[1] = PAD, 8
    row = "history 0" if method is METHODS["game"] else None  # one history at a time
    assert f"{row or 'history 3'} holds only padding" in refusal(lambda: method(model, empty, TARGET))
    assert f"{row or 'history 1'} holds its target already" in refusal(lambda: method(model, HISTORY, known))


@every_method
def test_a_model_on_another_device_is_refused(method):
    message = refusal(lambda: method(transformer().to("meta"), HISTORY, TARGET))
    assert "the model is on meta, a tensor on cpu: move it to the model with .to('meta')" in message


def test_baselines_of_another_shape_and_too_few_steps_are_refused():
    for wrong in ((LENGTH, DIM), (DIM + 1,), (), (1, LENGTH, DIM)):
        call = lambda wrong=wrong: explain.integrated_gradients(
            transformer(), HISTORY, TARGET, baseline=torch.zeros(wrong)
        )
        assert f"baseline {wrong}" in (message := refusal(call)) and f"({DIM},) or (5, {LENGTH}, {DIM})" in message
    message = refusal(lambda: explain.integrated_gradients(transformer(), HISTORY, TARGET, steps=1))
    assert "steps = 1" in message and "two steps" in message
