"""Models in PyTorch: the article's network, dot product, NeuMF, attributes (notebook 04); item models (notebook 05);
transformers over histories (notebook 06).

Everywhere: user and item (batch,) codes; a model called with both returns one rating a pair, and `scores(user)` returns
(batch, items), one score for every item. A seed decides the start of every model.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from helpers.course.errors import CourseError


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """PyTorch's random numbers from `seed` inside the block; outside they go on as if nothing had happened."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


class ConcatLinear(nn.Module):
    """The article's network, with its two defects: output (batch, 1), and no way for user and item to meet.

    w · [p_u, q_i] + b = w_1 · p_u + w_2 · q_i + b. Built in notebook 04, section 4.1.
    """

    def __init__(self, n_users: int, n_items: int, dim: int, *, seed: int) -> None:
        super().__init__()
        with seeded(seed):
            self.user_factors, self.item_factors = nn.Embedding(n_users, dim), nn.Embedding(n_items, dim)
            self.output = nn.Linear(2 * dim, 1)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Ratings, shape (batch, 1) as in the article."""
        return self.output(torch.cat([self.user_factors(user), self.item_factors(item)], dim=1))

    def scores(self, user: Tensor) -> Tensor:
        """(batch, items): a part of the user plus a part of the item, which is all that there is."""
        for_user, for_item = self.output.weight[0].chunk(2)  # (dim,) each
        of_users, of_items = self.user_factors(user) @ for_user, self.item_factors.weight @ for_item
        return of_users[:, None] + of_items + self.output.bias


class DotProduct(nn.Module):
    """mean + b_u + b_i + p_u · q_i. Built in notebook 04, section 4.4.

    Source: Koren, Bell and Volinsky, IEEE Computer 42(8), 2009.
    """

    def __init__(
        self, n_users: int, n_items: int, dim: int, *, mean: float = 0.0, spread: float = 0.3, seed: int
    ) -> None:
        super().__init__()
        with seeded(seed):
            self.user_factors, self.item_factors = nn.Embedding(n_users, dim), nn.Embedding(n_items, dim)
            nn.init.normal_(self.user_factors.weight, std=spread)
            nn.init.normal_(self.item_factors.weight, std=spread)
        self.user_bias, self.item_bias = nn.Parameter(torch.zeros(n_users)), nn.Parameter(torch.zeros(n_items))
        self.mean = nn.Parameter(torch.tensor(float(mean)))

    def users(self, user: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (batch, dim) and biases (batch,) of users."""
        return self.user_factors(user), self.user_bias[user]

    def items(self, item: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (batch, dim) and biases (batch,) of items."""
        return self.item_factors(item), self.item_bias[item]

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Ratings, shape (batch,)."""
        (p, b_user), (q, b_item) = self.users(user), self.items(item)
        return self.mean + b_user + b_item + (p * q).sum(dim=1)

    def scores(self, user: Tensor) -> Tensor:
        """(batch, items)"""
        every = torch.arange(self.item_factors.num_embeddings, device=user.device)
        (p, b_user), (q, b_item) = self.users(user), self.items(every)
        return self.mean + b_user[:, None] + b_item + p @ q.T


class FeatureDotProduct(DotProduct):
    """A dot product in which attributes shift vectors and biases: p_u + sum of the user's effects, and so for items.

    Built in notebook 04, section 4.6.

    Shapes:
        user_features: (users, attributes); item_features: (items, attributes); see `data.attributes`
    Source: Chen et al., *SVDFeature*, JMLR 13, 2012.
    """

    def __init__(
        self,
        user_features: Tensor,
        item_features: Tensor,
        dim: int,
        *,
        mean: float = 0.0,
        spread: float = 0.3,
        seed: int,
    ) -> None:
        super().__init__(len(user_features), len(item_features), dim, mean=mean, spread=spread, seed=seed)
        self.register_buffer("user_features", user_features, persistent=False)
        self.register_buffer("item_features", item_features, persistent=False)
        with seeded(seed + 1):
            for side, features in (("user", user_features), ("item", item_features)):
                effect = torch.randn(features.shape[1], dim + 1) * spread / 4  # the last column is a bias
                self.register_parameter(f"{side}_effect", nn.Parameter(effect))

    def users(self, user: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (batch, dim) and biases (batch,) of users, their attributes added."""
        return self._with_effects(super().users(user), self.user_features @ self.user_effect, user)

    def items(self, item: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (batch, dim) and biases (batch,) of items, their attributes added."""
        return self._with_effects(super().items(item), self.item_features @ self.item_effect, item)

    @staticmethod
    def _with_effects(own: tuple[Tensor, Tensor], effects: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        (vectors, bias), chosen = own, effects[code]  # (batch, dim), (batch,), (batch, dim + 1)
        return vectors + chosen[:, :-1], bias + chosen[:, -1]


class HistoryDotProduct(DotProduct):
    """A dot product whose users are what they took: p_u = sum of y_j over their items j / sqrt(their number).

    So it serves users whom training never saw; rows of `user_factors` belong to the items of a history. In training,
    a share `dropout` of each history is hidden, or an item could simply recommend itself. Notebook 05, section 5.5.

    Shapes:
        seen: (users, items), 1 where there is an interaction
    Source: Kabbur, Ning and Karypis, *FISM*, KDD 2013.
    """

    def __init__(self, seen: Tensor, dim: int, *, spread: float = 0.1, dropout: float = 0.2, seed: int) -> None:
        super().__init__(seen.shape[1], seen.shape[1], dim, spread=spread, seed=seed)
        self.register_buffer("seen", seen, persistent=False)
        self.hide = nn.Dropout(dropout)

    def users(self, user: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (batch, dim) and biases (batch,) of users, out of their histories."""
        history = self.seen[user]  # (batch, items)
        weights = self.hide(history / history.sum(dim=1, keepdim=True).clamp(min=1).sqrt())
        return weights @ self.user_factors.weight, weights @ self.user_bias


class NeuMF(nn.Module):
    """A dot product with learned weights beside a network that reads both vectors. Built in notebook 04, section 4.5.

    Source: He et al., *Neural Collaborative Filtering*, WWW 2017, 10.1145/3038912.3052569.
    """

    def __init__(
        self, n_users: int, n_items: int, dim: int, *, mean: float = 0.0, spread: float = 0.1, seed: int
    ) -> None:
        super().__init__()
        with seeded(seed):
            self.user_factors, self.item_factors = nn.Embedding(n_users, 2 * dim), nn.Embedding(n_items, 2 * dim)
            self.network = nn.Sequential(nn.Linear(2 * dim, dim), nn.ReLU(), nn.Linear(dim, dim // 2), nn.ReLU())
            self.output = nn.Linear(dim + dim // 2, 1)
            self.mean = nn.Parameter(torch.tensor(float(mean)))
            for factors in (self.user_factors, self.item_factors):
                nn.init.normal_(factors.weight, std=spread)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Ratings, shape (batch,)."""
        return self._rate(self.user_factors(user), self.item_factors(item))

    def scores(self, user: Tensor) -> Tensor:
        """(batch, items): every pair goes through the network."""
        p, q = self.user_factors(user)[:, None], self.item_factors.weight[None]  # (batch, 1, 2 dim), (1, items, 2 dim)
        return self._rate(*torch.broadcast_tensors(p, q))

    def _rate(self, p: Tensor, q: Tensor) -> Tensor:
        (p_dot, p_net), (q_dot, q_net) = p.chunk(2, dim=-1), q.chunk(2, dim=-1)  # (..., dim) each
        both = torch.cat([p_dot * q_dot, self.network(torch.cat([p_net, q_net], dim=-1))], dim=-1)
        return self.mean + self.output(both)[..., 0]


# Item models: seen (users, items), 1 where there is an interaction; the scores of all users are seen @ weights.


def neighbour_weights(seen: np.ndarray, *, neighbours: int, shrink: float = 0.0) -> np.ndarray:
    """Cosine of items over users, the `neighbours` most similar of every item kept. Built in notebook 05, section 5.4.

    Shapes:
        returns: (items, items); column i holds what each seen item adds to the score of item i
    Source: Deshpande and Karypis, ACM TOIS 22(1), 2004.
    """
    if not 1 <= neighbours < seen.shape[1]:
        raise CourseError(f"neighbours = {neighbours} of {seen.shape[1]} items: take at least 1, and fewer than all.")
    together = seen.T @ seen
    size = np.sqrt(together.diagonal())
    cosine = together / np.maximum(np.outer(size, size) + shrink, 1e-12)
    np.fill_diagonal(cosine, 0)
    weakest = np.partition(cosine, -neighbours, axis=0)[-neighbours]  # (items,)
    return np.where(cosine >= weakest, cosine, 0)


def ease_weights(seen: np.ndarray, *, ridge: float) -> np.ndarray:
    """The linear item model without self-weights, in closed form. Built in notebook 05, section 5.4.

    Shapes:
        returns: (items, items), 0 on the diagonal
    Source: Steck, *Embarrassingly Shallow Autoencoders for Sparse Data*, WWW 2019, 10.1145/3308558.3313710.
    """
    if not ridge > 0:
        raise CourseError(f"ridge = {ridge}: EASE inverts a matrix that needs a ridge above 0.")
    together = (seen.T @ seen).astype(np.float64)
    inverse = np.linalg.inv(together + ridge * np.eye(len(together)))
    weights = -inverse / inverse.diagonal()
    np.fill_diagonal(weights, 0)
    return weights


# Transformers over histories


class Block(nn.Module):
    """Attention, then a small network at each position; both add to what comes in. Built in notebook 06, section 6.2.

    Source: Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, with the norms in front.
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.network_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.to_heads, self.from_heads = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.network = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, allowed: Tensor, *, look: bool = False) -> tuple[Tensor, Tensor | None]:
        """x (batch, length, dim) afterwards, and the attention weights (batch, heads, length, length) on request."""
        mixed, weights = self._attend(self.attention_norm(x), allowed, look)
        x = x + self.dropout(mixed)
        return x + self.dropout(self.network(self.network_norm(x))), weights

    def _attend(self, x: Tensor, allowed: Tensor, look: bool) -> tuple[Tensor, Tensor | None]:
        batch, length, dim = x.shape
        parts = self.to_heads(x).view(batch, length, 3, self.heads, dim // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # (batch, heads, length, dim / heads) each
        if look:
            alike = q @ k.transpose(2, 3) / math.sqrt(dim // self.heads)
            weights = alike.masked_fill(~allowed, -math.inf).softmax(dim=3)
            mixed = weights @ v
        else:
            weights, mixed = None, scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        return self.from_heads(mixed.transpose(1, 2).reshape(batch, length, dim)), weights


class SequenceTransformer(nn.Module):
    """A transformer over histories: causal it is a GPT (as SASRec), else a BERT (as BERT4Rec). Built in notebook 06.

    Codes below `n_items` are items, `padding` fills histories on the left, and `mask` is what BERT has to guess. The
    vectors of the items are those of the output, too. Positions count from the latest item.

    Shapes:
        history (batch, length) of codes, oldest first, at most `length` of them
    Source: Kang and McAuley, *SASRec*, ICDM 2018; Sun et al., *BERT4Rec*, CIKM 2019.
    """

    def __init__(
        self,
        n_items: int,
        dim: int = 64,
        *,
        layers: int = 2,
        heads: int = 2,
        length: int = 50,
        dropout: float = 0.2,
        causal: bool = True,
        seed: int,
    ) -> None:
        super().__init__()
        if dim % heads:
            raise CourseError(f"dim = {dim} cannot be shared by {heads} heads: take a multiple of {heads}.")
        self.n_items, self.padding, self.mask = n_items, n_items, n_items + 1
        self.length, self.causal = length, causal
        with seeded(seed):
            self.items, self.positions = nn.Embedding(n_items + 2, dim), nn.Embedding(length, dim)
            self.blocks = nn.ModuleList(Block(dim, heads, dropout) for _ in range(layers))
            self.norm, self.dropout = nn.LayerNorm(dim), nn.Dropout(dropout)
            self.item_bias = nn.Parameter(torch.zeros(n_items))
            for table in (self.items, self.positions):
                nn.init.normal_(table.weight, std=0.02)

    def forward(self, history: Tensor) -> Tensor:
        """What is known at each position: (batch, length, dim)"""
        return self.look(history, weights=False)[0][-1]

    def look(
        self, history: Tensor, *, vectors: Tensor | None = None, weights: bool = True
    ) -> tuple[list[Tensor], list[Tensor | None]]:
        """Hidden states before, between and after the blocks (the last one normed), and each block's attention weights.

        Shapes: vectors (batch, length, dim), to be read in place of the items' own; states (batch, length, dim);
        weights (batch, heads, length, length), a row a position that looks
        """
        if history.shape[1] > self.length:
            raise CourseError(f"a history of {history.shape[1]} is longer than the model's {self.length}: cut it.")
        vectors = self.items(history) if vectors is None else vectors
        x = self.dropout(vectors + self.positions.weight[: history.shape[1]].flip(0))
        allowed, states, attention = self._allowed(history), [x], []
        for block in self.blocks:
            x, seen = block(x, allowed, look=weights)
            states.append(x)
            attention.append(seen)
        return [*states[:-1], self.norm(states[-1])], attention

    def _allowed(self, history: Tensor) -> Tensor:
        """Who may look at whom: nobody at padding, in a GPT nobody ahead, everybody at themselves."""
        length = history.shape[1]
        itself = torch.eye(length, dtype=torch.bool, device=history.device)
        before = torch.ones_like(itself).tril() if self.causal else torch.ones_like(itself)
        return (history != self.padding)[:, None, None, :] & before | itself  # (batch, 1, length, length)

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of all items at positions: (..., dim) → (..., items)"""
        return hidden @ self.items.weight[: self.n_items].T + self.item_bias

    def scores(self, history: Tensor, vectors: Tensor | None = None) -> Tensor:
        """Scores of all items as the next one, (batch, items); `vectors` as in `look`."""
        return self.logits(self.ask(history, vectors=vectors, weights=False)[0][-1][:, -1])

    def ask(self, history: Tensor, *, vectors: Tensor | None = None, weights: bool = True) -> tuple[list, list]:
        """`look` when the next item is asked for: a BERT gets a mask at the end, and drops what is too old."""
        if not self.causal:
            guess, kept = torch.full_like(history[:, :1], self.mask), slice(int(history.shape[1] == self.length), None)
            history = torch.cat([history[:, kept], guess], dim=1)
            vectors = None if vectors is None else torch.cat([vectors[:, kept], self.items(guess)], dim=1)
        return self.look(history, vectors=vectors, weights=weights)
