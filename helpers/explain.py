"""Attributions: how much each part of the input spoke for a score. Positive numbers speak for it.

Histories are (batch, length) of codes, padded on the left; targets (batch,) of items; attributions to the items of a
history (batch, length), 0 at padding. What is removed leaves no gap: older items move up, as if it had never been.
Built in notebooks 09 and 10.
"""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from helpers import language
from helpers.course.errors import CourseError
from helpers.models import Block, ConcatLinear, DotProduct, FeatureDotProduct, SequenceTransformer

MOST_PLAYERS = 16  # 65,536 coalitions
ATTENTION = ("last", "mean", "rollout", "value")


def target_scores(model: SequenceTransformer, history: Tensor, target: Tensor, vectors: Tensor | None = None) -> Tensor:
    """The score of each target after its history: (batch,); `vectors` as in `SequenceTransformer.look`."""
    state = model.ask(history, vectors=vectors, weights=False)[0][-1][:, -1]  # (batch, dim)
    return (state * model.items(target)).sum(dim=1) + model.item_bias[target]


def keep(history: Tensor, kept: Tensor, padding: int) -> Tensor:
    """Histories of the items that are kept, moved together at the right. Shapes: (batch, length) all."""
    order = kept.to(torch.uint8).sort(dim=1, stable=True).indices
    return torch.where(kept, history, padding).gather(1, order)


def check_device(model: SequenceTransformer, *tensors: Tensor) -> None:
    """Refuse tensors that do not lie where the model lies."""
    home, away = (
        model.item_bias.device,
        [tensor.device for tensor in tensors if tensor.device != model.item_bias.device],
    )
    if away:
        raise CourseError(
            f"the model is on {home}, a tensor on {away[0]}: move it to the model with .to({str(home)!r})."
        )


def check_history(model: SequenceTransformer, history: Tensor, target: Tensor) -> None:
    """Refuse what has no explanation.

    Raises:
        CourseError: tensors on another device than the model, a history of padding only, or one that holds its target.
    """
    check_device(model, history, target)
    empty, there = (history == model.padding).all(dim=1), (history == target[:, None]).any(dim=1)
    for trouble, said in ((empty, "holds only padding"), (there, "holds its target already")):
        if trouble.any():
            row = int(trouble.nonzero()[0])
            raise CourseError(f"history {row} {said}: there is no recommendation to explain, so leave it out.")


@torch.no_grad()
def occlusion(model: SequenceTransformer, history: Tensor, target: Tensor) -> Tensor:
    """Fall of the target's score when each item is removed, one at a time. Built in notebook 10, section 10.1.

    Source: Zeiler and Fergus, ECCV 2014, adapted to histories.
    """
    check_history(model, history, target)
    batch, length = history.shape
    others = ~torch.eye(length, dtype=torch.bool, device=history.device).repeat(batch, 1)
    left = keep(history.repeat_interleave(length, 0), others, model.padding)  # (batch * length, length)
    without = target_scores(model, left, target.repeat_interleave(length)).view(batch, length)
    return (target_scores(model, history, target)[:, None] - without) * (history != model.padding)


def gradient_times_input(model: SequenceTransformer, history: Tensor, target: Tensor) -> Tensor:
    """Slope of the score along the vector of each item, times that vector. Built in notebook 10, section 10.2.

    Source: Shrikumar et al., arXiv 1605.01713.
    """
    check_history(model, history, target)
    vectors = model.items(history).detach()
    return (_slopes(model, history, target, vectors) * vectors).sum(dim=2) * (history != model.padding)


def integrated_gradients(
    model: SequenceTransformer, history: Tensor, target: Tensor, *, steps: int = 50, baseline: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Slopes along the way from a baseline (zero vectors) to the vectors of the items, times that way.

    Built in notebook 10, section 10.3.

    Shapes:
        baseline: (dim,) or (batch, length, dim)
        returns: attributions (batch, length); gaps (batch,): the score's rise from baseline to input, minus their sum
    Raises:
        CourseError: a baseline of another shape, fewer than two steps, or as `check_history`.
    Source: Sundararajan, Taly and Yan, ICML 2017; points and weights of Gauss and Legendre.
    """
    check_history(model, history, target)
    vectors = model.items(history).detach()
    baseline = torch.zeros_like(vectors[0, 0]) if baseline is None else baseline
    if baseline.shape not in (vectors.shape, vectors.shape[2:]) or steps < 2:
        raise CourseError(
            f"baseline {tuple(baseline.shape)}, steps = {steps}: the baseline's shape must be ({vectors.shape[2]},) or "
            f"{tuple(vectors.shape)}, and there must be two steps or more."
        )
    check_device(model, baseline)
    way = (vectors - baseline) * (history != model.padding)[..., None]
    points, weights = (
        torch.tensor(p, dtype=way.dtype, device=way.device) for p in np.polynomial.legendre.leggauss(steps)
    )
    on_way = vectors - way + ((points + 1) / 2).view(-1, 1, 1, 1) * way  # (steps, batch, length, dim)
    slopes = _slopes(model, history.repeat(steps, 1), target.repeat(steps), on_way.flatten(0, 1)).view(on_way.shape)
    parts = (torch.einsum("sbld,s->bld", slopes, weights / 2) * way).sum(dim=2)
    with torch.no_grad():
        ends = target_scores(model, history.repeat(2, 1), target.repeat(2), torch.cat([vectors, vectors - way]))
    return parts, ends[: len(history)] - ends[len(history) :] - parts.sum(dim=1)


def _slopes(model: SequenceTransformer, history: Tensor, target: Tensor, vectors: Tensor) -> Tensor:
    """Slopes of the target's score along vectors. Shape: (batch, length, dim)"""
    with torch.enable_grad():
        vectors = vectors.detach().requires_grad_(True)
        return torch.autograd.grad(target_scores(model, history, target, vectors).sum(), vectors)[0]


@torch.enable_grad()
def token_gradients(llm: language.Language, prompt: str, answer: str) -> tuple[list[str], Tensor]:
    """Gradient × input of the log-probability of the answer's first token, for each token of a prompt. (tokens,)"""
    codes = llm.tokenizer(answer, add_special_tokens=False).input_ids
    if not codes:
        raise CourseError(f"the answer {answer!r} has no token: give the text whose probability is to be explained.")
    seen = language.look(llm, prompt, slopes=True)
    (slopes,) = torch.autograd.grad(seen.logits[-1].log_softmax(dim=0)[codes[0]], seen.vectors)
    return seen.pieces, (slopes * seen.vectors.detach())[0].sum(dim=1)


# Attention


def rollout(attention: Sequence[Tensor]) -> Tensor:
    """Attention followed through the layers, if half of each step is what a position keeps of itself.

    Built in notebook 09, section 9.2.

    Shapes:
        attention: layers of (batch, heads, length, length), a row a position that looks
        returns: (batch, length, length), rows add up to 1
    Source: Abnar and Zuidema, ACL 2020, 4190-4197.
    """
    itself = torch.eye(attention[0].shape[-1], device=attention[0].device)
    mixed = itself
    for weights in attention:
        mixed = (weights.mean(dim=1) + itself) / 2 @ mixed
    return mixed


@torch.no_grad()
def attention_scores(model: SequenceTransformer, history: Tensor, kind: str = "last") -> Tensor:
    """How much the position that answers looks at each item, over all heads.

    Args:
        kind: "last", weights of the last layer; "mean", of all layers; "rollout"; or "value", weights of the last layer
            times the length of what they bring
    Shapes:
        returns: (batch, length), 0 at padding
    """
    check_device(model, history)
    if kind not in ATTENTION:
        raise CourseError(f"there is no kind {kind!r} of attention scores: take one of {', '.join(ATTENTION)}.")
    states, attention = model.ask(history)
    if kind == "value":
        row = _brought(model.blocks[-1], states[-2], attention[-1])
    else:
        maps = {"last": lambda: attention[-1].mean(dim=1), "mean": lambda: torch.stack(attention).mean(dim=(0, 2))}
        row = (maps[kind]() if kind in maps else rollout(attention))[:, -1]
    row = row if model.causal else row[:, :-1]  # a BERT's mask is no item of the history
    row = torch.nn.functional.pad(row, (history.shape[1] - row.shape[1], 0))  # what it dropped
    return row * (history != model.padding)


def _brought(block: Block, state: Tensor, weights: Tensor) -> Tensor:
    """Lengths of what the last position takes from each, summed over heads: weights times values, sent through the
    part of the output layer that belongs to the head. Shapes: (batch, length, dim), (batch, heads, length, length)
    """
    batch, length, dim = state.shape
    value = block.to_heads(block.attention_norm(state))[..., 2 * dim :].view(batch, length, block.heads, -1)
    out = block.from_heads.weight.view(dim, block.heads, -1)  # (dim, heads, dim / heads)
    sent = torch.einsum("blhk,dhk->bhld", value, out)
    return (weights[:, :, -1] * sent.norm(dim=3)).sum(dim=1)


# Exact parts of additive scores


def linear_parts(seen: Tensor, weights: Tensor, target: Tensor) -> Tensor:
    """What each seen item adds to a target's score where scores are seen @ weights (EASE, item-kNN).

    Shapes: seen (batch, items), weights (items, items), target (batch,) → (batch, items), rows add up to the scores
    """
    return seen * weights[:, target].T


@torch.no_grad()
def concat_parts(model: ConcatLinear, user: Tensor, item: Tensor) -> Tensor:
    """Part of the user, part of the item, constant: (batch, 3), rows add up to the ratings of the article's network."""
    for_user, for_item = model.output.weight[0].chunk(2)
    parts = [model.user_factors(user) @ for_user, model.item_factors(item) @ for_item]
    return torch.stack([*parts, model.output.bias.expand_as(parts[0])], dim=1)


@torch.no_grad()
def factor_parts(model: DotProduct, user: Tensor, item: Tensor) -> Tensor:
    """Mean, bias of the user, bias of the item, each factor: (batch, 3 + dim), rows add up to the ratings."""
    (p, b_user), (q, b_item) = model.users(user), model.items(item)
    return torch.cat([torch.stack([model.mean.expand_as(b_user), b_user, b_item], dim=1), p * q], dim=1)


@torch.no_grad()
def feature_parts(model: FeatureDotProduct, user: Tensor, item: Tensor) -> Tensor:
    """Mean and the film's bias, the user's own part, each attribute of the user: (batch, 2 + attributes), rows add up
    to the ratings.
    """
    (q, b_item), features = model.items(item), model.user_features[user]
    own = model.user_bias[user] + (model.user_factors(user) * q).sum(dim=1)
    effects = features * (q @ model.user_effect[:, :-1].T + model.user_effect[:, -1])  # (batch, attributes)
    return torch.cat([torch.stack([model.mean + b_item, own], dim=1), effects], dim=1)


# Shapley values. A game is a function of coalitions: (n, players) of truth values → (n,) what they reach together.

Game = Callable[[Tensor], Tensor]


def history_game(model: SequenceTransformer, history: Tensor, target: int) -> tuple[Game, Tensor]:
    """The score of a target by the items of one history that are kept.

    Shapes: history (length,); returns the game, and the places of its players in the history (players,)
    """
    asked = torch.tensor([target], device=history.device)
    check_history(model, history[None], asked)
    places = (history != model.padding).nonzero()[:, 0]

    @torch.no_grad()
    def play(inside: Tensor) -> Tensor:
        """Scores of coalitions. Shapes: (n, players) → (n,)"""
        kept = torch.zeros(len(inside), len(history), dtype=torch.bool, device=history.device)
        kept[:, places] = inside.to(history.device)
        left = keep(history.expand(len(inside), -1), kept, model.padding)
        return target_scores(model, left, asked.expand(len(inside)))

    return play, places


def shapley(game: Game, players: int) -> Tensor:
    """Each player's mean gain over all orders in which they could come. Shape: (players,)

    Built in notebook 10, section 10.4.

    Raises:
        CourseError: no player, or too many to try all coalitions.
    Source: Shapley, *A Value for n-Person Games*, 1953.
    """
    if not 1 <= players <= MOST_PLAYERS:
        raise CourseError(
            f"{players} players have 2 ** {players} coalitions: from 1 to {MOST_PLAYERS} players can be tried, take "
            "shapley_sampled for more."
        )
    every = torch.arange(2**players)
    inside = (every[:, None] >> torch.arange(players)) & 1 == 1  # (coalitions, players)
    reached = torch.cat([game(part) for part in inside.split(1024)]).double().cpu()
    size, log_factorial = inside.sum(dim=1), torch.lgamma(torch.arange(players + 1, dtype=torch.float64) + 1)
    values = []
    for player in range(players):
        without = every[~inside[:, player]]
        share = (log_factorial[size[without]] + log_factorial[players - 1 - size[without]] - log_factorial[-1]).exp()
        values.append((share * (reached[without + (1 << player)] - reached[without])).sum())
    return torch.stack(values)


def shapley_sampled(game: Game, players: int, *, orders: int = 200, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Mean gains over some orders drawn by chance, and the standard error of each. Shapes: (players,), (players,)

    Source: Castro, Gómez and Tejada, Computers & Operations Research 36(5), 2009, 1726-1730.
    """
    if players < 1 or orders < 2:
        raise CourseError(f"players = {players}, orders = {orders}: one player and two orders are the least.")
    rng = np.random.default_rng(seed)
    turn = torch.tensor(
        np.stack([rng.permutation(players) for _ in range(orders)])
    )  # (orders, players): when one comes
    inside = (turn[:, None] < torch.arange(players + 1)[:, None]).flatten(0, 1)  # one more each time
    reached = torch.cat([game(part) for part in inside.split(1024)]).double().cpu().view(orders, players + 1)
    gains = reached.diff(dim=1).gather(1, turn)
    return gains.mean(dim=0), gains.std(dim=0) / orders**0.5


def influence(features: np.ndarray, ratings: np.ndarray, asked: np.ndarray, *, ridge: float) -> np.ndarray:
    """Fall of a user's prediction if one of their ratings had not been there; the items' factors stay as they are.

    The user's factors are a ridge regression of ratings (less mean and biases) on the factors of the rated items, and
    leaving a row out has a closed form. Built in notebook 10, section 10.5.

    Shapes:
        features: (rated, dim); ratings: (rated,); asked: (dim,) factors of the item that is predicted; returns (rated,)
    Source: Cook and Weisberg, *Residuals and Influence in Regression*, 1982; for recommenders: Cheng et al., KDD 2019.
    """
    if not ridge > 0:
        raise CourseError(f"ridge = {ridge}: without a ridge above 0 a user with few ratings has no single answer.")
    inverse = np.linalg.inv(features.T @ features + ridge * np.eye(features.shape[1]))
    leverage = np.einsum("nd,de,ne->n", features, inverse, features)
    left_over = ratings - features @ (inverse @ features.T @ ratings)
    return (features @ inverse @ asked) * left_over / (1 - leverage)


@torch.no_grad()
def counterfactual(
    model: SequenceTransformer, history: Tensor, unseen: Tensor, *, most: int = 5, exact: bool = False
) -> tuple[int, Tensor | None]:
    """The recommendation, and a small set of past items without which another item would be recommended.

    Greedy removes what costs the recommendation most of its lead, again and again; exact tries all sets, small ones
    first. Built in notebook 10, section 10.6.

    Shapes:
        history: (length,); unseen: (items,), True for what may be recommended
        returns: the recommended item; places in the history, or None if no set of up to `most` items suffices
    Source: Tran et al., *Counterfactual Explanations for Neural Recommenders*, SIGIR 2021, 1627-1631.
    """
    check_device(model, history, unseen)
    if not unseen.any():
        raise CourseError("nothing may be recommended: `unseen` is False for every item.")
    places = [int(place) for place in (history != model.padding).nonzero()[:, 0]]
    target = torch.where(unseen, model.scores(history[None]), -torch.inf).argmax(dim=1)
    check_history(model, history[None], target)
    chosen: tuple[int, ...] = ()
    for size in range(1, min(most, len(places)) + 1):
        sets = combinations(places, size) if exact else ((*chosen, place) for place in places if place not in chosen)
        sets = torch.tensor(list(sets), device=history.device)  # (sets, size)
        leads = torch.cat([_leads(model, history, part, unseen, int(target)) for part in sets.split(512)])
        chosen = tuple(sets[leads.argmin()].tolist())
        if leads.min() < 0:
            return int(target), torch.tensor(sorted(chosen))
    return int(target), None


def _leads(model: SequenceTransformer, history: Tensor, sets: Tensor, unseen: Tensor, target: int) -> Tensor:
    """How far the target stays ahead of all others without each set of items. Shape: (sets,)"""
    kept = torch.ones(len(sets), len(history), dtype=torch.bool, device=history.device).scatter(1, sets, False)
    scores = model.scores(keep(history.expand(len(sets), -1), kept, model.padding))
    others = unseen & (torch.arange(len(unseen), device=unseen.device) != target)
    return scores[:, target] - torch.where(others, scores, -torch.inf).amax(dim=1)
