"""Attributions: how much each part of the input spoke for a score. Positive numbers speak for it.

Histories are (batch, length) of codes, padded on the left; targets (batch,) of items; attributions to the items of a
history (batch, length), 0 at padding. What is removed leaves no gap: older items move up, as if it had never been.
Used from notebook 09 on.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.special import roots_legendre
from torch import Tensor

from helpers.errors import CourseError
from helpers.models import SequenceTransformer

MOST_PLAYERS = 16  # 65,536 coalitions


def target_scores(model: SequenceTransformer, history: Tensor, target: Tensor, vectors: Tensor | None = None) -> Tensor:
    """The score of each target after its history: (batch,); `vectors` as in `SequenceTransformer.look`."""
    states, _ = model.ask(history, vectors=vectors, weights=False)
    *_, last_layer = states  # (batch, length, dim)
    answering = last_layer[:, -1]  # (batch, dim)
    wanted = model.items(target)  # (batch, dim)
    match = answering * wanted
    return match.sum(dim=1) + model.item_bias[target]


def keep(history: Tensor, kept: Tensor, padding: int) -> Tensor:
    """Histories of the items that are kept, moved together at the right. Shapes: (batch, length) all."""
    zero_or_one = kept.to(torch.uint8)
    _, order = zero_or_one.sort(dim=1, stable=True)  # what goes first, what is kept last
    left = torch.where(kept, history, padding)
    return left.gather(1, order)


def check_device(model: SequenceTransformer, *tensors: Tensor) -> None:
    """Refuse tensors that do not lie where the model lies."""
    home = model.item_bias.device
    for tensor in tensors:
        if tensor.device != home:
            raise CourseError(
                f"the model is on {home}, a tensor on {tensor.device}: move it to the model with .to({str(home)!r})."
            )


def check_history(model: SequenceTransformer, history: Tensor, target: Tensor) -> None:
    """Refuse what has no explanation.

    Raises:
        CourseError: tensors on another device than the model, a history of padding only, or one that holds its target.
    """
    check_device(model, history, target)
    is_empty = (history == model.padding).all(dim=1)
    holds_target = (history == target[:, None]).any(dim=1)
    for trouble, said in ((is_empty, "holds only padding"), (holds_target, "holds its target already")):
        if trouble.any():
            row = int(trouble.nonzero()[0])
            raise CourseError(f"history {row} {said}: there is no recommendation to explain, so leave it out.")


@torch.no_grad()
def occlusion(model: SequenceTransformer, history: Tensor, target: Tensor) -> Tensor:
    """Fall of the target's score when each item is removed, one at a time; in notebook 10, section 10.1.

    Source: Zeiler and Fergus, ECCV 2014, adapted to histories.
    """
    check_history(model, history, target)
    batch, length = history.shape
    all_but_one = ~torch.eye(length, dtype=torch.bool, device=history.device)  # (length, length): a row a removal
    repeated = history.repeat_interleave(length, dim=0)  # (batch * length, length)
    left = keep(repeated, all_but_one.repeat(batch, 1), model.padding)
    asked = target.repeat_interleave(length)  # (batch * length,)
    without = target_scores(model, left, asked)
    whole = target_scores(model, history, target)  # (batch,)
    without = without.view(batch, length)
    fall = whole[:, None] - without
    return fall * (history != model.padding)


def gradient_times_input(model: SequenceTransformer, history: Tensor, target: Tensor) -> Tensor:
    """Slope of the score along the vector of each item, times that vector; in notebook 10, section 10.2.

    Source: Shrikumar et al., arXiv 1605.01713.
    """
    check_history(model, history, target)
    vectors = model.items(history).detach()
    slopes = _slopes(model, history, target, vectors)  # (batch, length, dim)
    parts = (slopes * vectors).sum(dim=2)
    return parts * (history != model.padding)


def integrated_gradients(
    model: SequenceTransformer,
    history: Tensor,
    target: Tensor,
    *,
    steps: int = 50,
    baseline: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Slopes along the way from a baseline (zero vectors) to the vectors of the items, times that way.

    Built in notebook 10, section 10.3, as `along_the_way`.

    Shapes:
        baseline: (dim,) or (batch, length, dim)
        returns: attributions (batch, length); gaps (batch,): the score's rise from baseline to input, minus their sum
    Raises:
        CourseError: a baseline of another shape, fewer than two steps, or as `check_history`.
    Source: Sundararajan, Taly and Yan, ICML 2017; points and weights of Gauss and Legendre.
    """
    check_history(model, history, target)
    vectors = model.items(history).detach()  # (batch, length, dim)
    if baseline is None:
        baseline = torch.zeros_like(vectors[0, 0])
    if baseline.shape not in (vectors.shape, vectors.shape[2:]) or steps < 2:
        raise CourseError(
            f"baseline {tuple(baseline.shape)}, steps = {steps}: the baseline's shape must be ({vectors.shape[2]},) or "
            f"{tuple(vectors.shape)}, and there must be two steps or more."
        )
    check_device(model, baseline)
    is_real = (history != model.padding)[..., None]
    difference = vectors - baseline
    way = difference * is_real  # padding stays what it is
    begin = vectors - way
    points, weights = _gauss_legendre(steps, like=way)
    on_way = begin + points.view(-1, 1, 1, 1) * way  # (steps, batch, length, dim)
    at_once = on_way.flatten(0, 1)  # (steps * batch, length, dim)
    slopes = _slopes(model, history.repeat(steps, 1), target.repeat(steps), at_once)
    mean_slope = torch.einsum("sbld,s->bld", slopes.view(on_way.shape), weights)
    parts = (mean_slope * way).sum(dim=2)  # (batch, length)
    with torch.no_grad():
        at_end = target_scores(model, history, target, vectors)
        at_begin = target_scores(model, history, target, begin)
    rise = at_end - at_begin
    return parts, rise - parts.sum(dim=1)


def _gauss_legendre(steps: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Points between 0 and 1, and the weight of each. Shapes: (steps,), (steps,)"""
    points, weights = roots_legendre(steps)  # between -1 and 1, weights add up to 2
    from_0_to_1 = (points + 1) / 2
    of_1 = weights / 2
    return like.new_tensor(from_0_to_1), like.new_tensor(of_1)


def _slopes(model: SequenceTransformer, history: Tensor, target: Tensor, vectors: Tensor) -> Tensor:
    """Slopes of the target's score along vectors. Shape: (batch, length, dim)"""
    with torch.enable_grad():
        vectors = vectors.detach().requires_grad_(True)
        scores = target_scores(model, history, target, vectors)
        (slopes,) = torch.autograd.grad(scores.sum(), vectors)
    return slopes


# Attention


def rollout(attention: Sequence[Tensor]) -> Tensor:
    """Attention followed through the layers, if half of each step is what a position keeps of itself.

    By hand in notebook 09, section 9.4.

    Shapes:
        attention: layers of (batch, heads, length, length), a row a position that looks
        returns: (batch, length, length), rows add up to 1
    Source: Abnar and Zuidema, ACL 2020, 4190-4197.
    """
    itself = torch.eye(attention[0].shape[-1], device=attention[0].device)
    share = itself
    for weights in attention:
        step = (weights.mean(dim=1) + itself) / 2  # over heads: (batch, length, length)
        share = step @ share
    return share


# Shapley values. A game is a function of coalitions: (n, players) of truth values → (n,) what they reach together.

Game = Callable[[Tensor], Tensor]


def history_game(model: SequenceTransformer, history: Tensor, target: int) -> tuple[Game, Tensor]:
    """The score of a target by the items of one history that are kept.

    Shapes: history (length,); returns the game, and the places of its players in the history (players,)
    """
    asked = torch.tensor([target], device=history.device)
    check_history(model, history[None], asked)
    is_real = history != model.padding
    places = is_real.nonzero()[:, 0]

    @torch.no_grad()
    def play(inside: Tensor) -> Tensor:
        """Scores of coalitions. Shapes: (n, players) → (n,)"""
        n = len(inside)
        kept = torch.zeros(n, len(history), dtype=torch.bool, device=history.device)
        kept[:, places] = inside.to(history.device)
        whole = history.expand(n, -1)
        left = keep(whole, kept, model.padding)
        longest = max(1, int(inside.sum(dim=1).max()))
        return target_scores(model, left[:, -longest:], asked.expand(n))  # without what is padding in all of them

    return play, places


def shapley(game: Game, players: int) -> Tensor:
    """Each player's mean gain over all orders in which they could come. Shape: (players,)

    By hand in notebook 10, section 10.4.

    Raises:
        CourseError: no player, or too many to try all coalitions.
    Source: Shapley, *A Value for n-Person Games*, 1953.
    """
    if not 1 <= players <= MOST_PLAYERS:
        raise CourseError(
            f"{players} players have 2 ** {players} coalitions: from 1 to {MOST_PLAYERS} players can be tried, take "
            "shapley_sampled for more."
        )
    coalition = torch.arange(2**players)  # its bits say who is inside
    bit = 2 ** torch.arange(players)
    inside = (coalition[:, None] & bit) > 0  # (coalitions, players)
    reached = torch.cat([game(part) for part in inside.split(1024)])
    reached = reached.double().cpu()
    values = []
    for player in range(players):
        without = coalition[~inside[:, player]]
        joined = without + bit[player]
        gain = reached[joined] - reached[without]
        before = inside[without].sum(dim=1)
        share = _share_of_orders(before, players)
        mean_gain = (share * gain).sum()
        values.append(mean_gain)
    return torch.stack(values)


def _share_of_orders(before: Tensor, players: int) -> Tensor:
    """Of all orders of the players, the share in which just these `before` come first, and then one certain player.

    before! (players - 1 - before)! / players!, by logarithms. Shapes: (n,) → (n,)
    """
    number = torch.arange(players + 1, dtype=torch.float64)
    log_factorial = torch.lgamma(number + 1)
    after = players - 1 - before
    log_share = log_factorial[before] + log_factorial[after] - log_factorial[players]
    return log_share.exp()


def shapley_sampled(game: Game, players: int, *, orders: int = 200, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Mean gains over some orders drawn by chance, and the standard error of each. Shapes: (players,), (players,)

    Source: Castro, Gómez and Tejada, Computers & Operations Research 36(5), 2009, 1726-1730.
    """
    if players < 1 or orders < 2:
        raise CourseError(f"players = {players}, orders = {orders}: one player and two orders are the least.")
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(players) for _ in range(orders)]
    turn = torch.tensor(np.stack(drawn))  # when each player comes, (orders, players)
    stages = players + 1
    stage = torch.arange(stages)[:, None, None]
    inside = turn < stage  # who is there at each stage, those of one size together: (stages, orders, players)
    coalitions = inside.flatten(0, 1)  # (stages * orders, players)
    reached = torch.cat([game(part) for part in coalitions.split(1024)])
    by_stage = reached.double().cpu().view(stages, orders).T
    gain_at_stage = by_stage.diff(dim=1)  # (orders, players)
    gains = gain_at_stage.gather(1, turn)
    error = gains.std(dim=0) / orders**0.5
    return gains.mean(dim=0), error


def influence(features: np.ndarray, ratings: np.ndarray, asked: np.ndarray, *, ridge: float) -> np.ndarray:
    """Fall of a user's prediction if one of their ratings had not been there; the items' factors stay as they are.

    The user's factors are a ridge regression of ratings (less mean and biases) on the factors of the rated items, and
    leaving a row out has a closed form; in notebook 10, section 10.5.

    Shapes:
        features: (rated, dim); ratings: (rated,); asked: (dim,) factors of the item that is predicted; returns (rated,)
    Source: Cook and Weisberg, *Residuals and Influence in Regression*, 1982; for recommenders: Cheng et al., KDD 2019.
    """
    if not ridge > 0:
        raise CourseError(f"ridge = {ridge}: without a ridge above 0 a user with few ratings has no single answer.")
    _, dim = features.shape
    regularized = features.T @ features + ridge * np.eye(dim)
    inverse = np.linalg.inv(regularized)
    leverage = np.einsum("nd,de,ne->n", features, inverse, features)
    fitted = inverse @ features.T @ ratings  # the user's factors, (dim,)
    left_over = ratings - features @ fitted
    reach = features @ inverse @ asked  # how far each rating moves the prediction, (rated,)
    return reach * left_over / (1 - leverage)
