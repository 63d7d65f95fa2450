"""Models in PyTorch: dot product, NeuMF, attributes (notebook 04); item models (notebook 05); transformers over
histories (notebook 06).

Everywhere: user and item (batch,) codes; a model called with both returns one rating a pair, and `scores(user)` returns
(batch, items), one score for every item. A seed decides the start of every model.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from scipy.linalg import solve
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from helpers.errors import CourseError


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """PyTorch's random numbers from `seed` inside the block; outside they go on as if nothing had happened."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


class DotProduct(nn.Module):
    """mean + b_u + b_i + p_u · q_i. Built in notebook 04, section 4.4.

    Source: Koren, Bell and Volinsky, IEEE Computer 42(8), 2009.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        dim: int,
        *,
        mean: float = 0.0,
        spread: float = 0.3,
        seed: int,
    ) -> None:
        super().__init__()
        with seeded(seed):
            self.user_factors = nn.Embedding(n_users, dim)
            self.item_factors = nn.Embedding(n_items, dim)
            nn.init.normal_(self.user_factors.weight, std=spread)
            nn.init.normal_(self.item_factors.weight, std=spread)
        self.user_bias = nn.Parameter(torch.zeros(n_users))
        self.item_bias = nn.Parameter(torch.zeros(n_items))
        self.mean = nn.Parameter(torch.tensor(float(mean)))

    def users(self, user: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (batch, dim) and biases (batch,) of users."""
        return self.user_factors(user), self.user_bias[user]

    def items(self, item: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (batch, dim) and biases (batch,) of items."""
        return self.item_factors(item), self.item_bias[item]

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Ratings, shape (batch,)."""
        p, b_user = self.users(user)
        q, b_item = self.items(item)
        meeting = (p * q).sum(dim=1)  # (batch, dim) → (batch,)
        return self.mean + b_user + b_item + meeting

    def scores(self, user: Tensor) -> Tensor:
        """(batch, items)"""
        every = torch.arange(self.item_factors.num_embeddings, device=user.device)
        p, b_user = self.users(user)
        q, b_item = self.items(every)
        return self.mean + b_user[:, None] + b_item + p @ q.T  # (batch, dim) @ (dim, items) → (batch, items)


class FeatureDotProduct(DotProduct):
    """A dot product in which attributes shift vectors and biases: p_u + sum of the user's effects, and so for items.

    Built in notebook 04, section 4.6.

    Shapes:
        user_features: (users, attributes); item_features: (items, attributes); see `data.attributes`
    Source: Chen et al., *SVDFeature*, JMLR 13, 2012.
    """

    user_features: Tensor
    item_features: Tensor

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
            user_effect = torch.randn(user_features.shape[1], dim + 1)  # the last column is a bias
            item_effect = torch.randn(item_features.shape[1], dim + 1)
        self.user_effect = nn.Parameter(user_effect * spread / 4)
        self.item_effect = nn.Parameter(item_effect * spread / 4)

    def users(self, user: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (batch, dim) and biases (batch,) of users, their attributes added."""
        vectors, bias = super().users(user)
        effects = (self.user_features @ self.user_effect)[user]  # (batch, dim + 1)
        return vectors + effects[:, :-1], bias + effects[:, -1]

    def items(self, item: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (batch, dim) and biases (batch,) of items, their attributes added."""
        vectors, bias = super().items(item)
        effects = (self.item_features @ self.item_effect)[item]  # (batch, dim + 1)
        return vectors + effects[:, :-1], bias + effects[:, -1]


class HistoryDotProduct(DotProduct):
    """A dot product whose users are what they took: p_u = sum of y_j over their items j / sqrt(their number).

    So it serves users whom training never saw; rows of `user_factors` belong to the items of a history. In training,
    a share `dropout` of each history is hidden, or an item could simply recommend itself.

    Built in notebook 05, section 5.5.

    Shapes:
        seen: (users, items), 1 where there is an interaction
    Source: Kabbur, Ning and Karypis, *FISM*, KDD 2013.
    """

    seen: Tensor

    def __init__(
        self,
        seen: Tensor,
        dim: int,
        *,
        spread: float = 0.1,
        dropout: float = 0.2,
        seed: int,
    ) -> None:
        n_items = seen.shape[1]
        super().__init__(n_items, n_items, dim, spread=spread, seed=seed)
        self.register_buffer("seen", seen, persistent=False)
        self.hide = nn.Dropout(dropout)

    def users(self, user: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (batch, dim) and biases (batch,) of users, out of their histories."""
        history = self.seen[user]  # (batch, items)
        number = history.sum(dim=1, keepdim=True).clamp(min=1)  # (batch, 1)
        weights = self.hide(history / number.sqrt())
        return weights @ self.user_factors.weight, weights @ self.user_bias


class NeuMF(nn.Module):
    """A dot product with learned weights beside a network that reads both vectors. Built in notebook 04, section 4.5.

    Source: He et al., *Neural Collaborative Filtering*, WWW 2017, 10.1145/3038912.3052569.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        dim: int,
        *,
        mean: float = 0.0,
        spread: float = 0.1,
        seed: int,
    ) -> None:
        super().__init__()
        with seeded(seed):
            self.user_factors = nn.Embedding(n_users, 2 * dim)  # half for the product, half for the network
            self.item_factors = nn.Embedding(n_items, 2 * dim)
            self.network = nn.Sequential(nn.Linear(2 * dim, dim), nn.ReLU(), nn.Linear(dim, dim // 2), nn.ReLU())
            self.output = nn.Linear(dim + dim // 2, 1)
            self.mean = nn.Parameter(torch.tensor(float(mean)))
            nn.init.normal_(self.user_factors.weight, std=spread)
            nn.init.normal_(self.item_factors.weight, std=spread)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Ratings, shape (batch,)."""
        return self._rate(self.user_factors(user), self.item_factors(item))

    def scores(self, user: Tensor) -> Tensor:
        """(batch, items): every pair goes through the network."""
        p = self.user_factors(user)[:, None]  # (batch, 1, 2 dim)
        q = self.item_factors.weight[None]  # (1, items, 2 dim)
        return self._rate(*torch.broadcast_tensors(p, q))

    def _rate(self, p: Tensor, q: Tensor) -> Tensor:
        """Shapes: (..., 2 dim) twice → (...)"""
        p_dot, p_net = p.chunk(2, dim=-1)  # (..., dim) each
        q_dot, q_net = q.chunk(2, dim=-1)
        read = self.network(torch.cat([p_net, q_net], dim=-1))  # (..., dim / 2)
        both = torch.cat([p_dot * q_dot, read], dim=-1)
        return self.mean + self.output(both)[..., 0]


# Item models: seen (users, items), 1 where there is an interaction; the scores of all users are seen @ weights.


def neighbour_weights(seen: np.ndarray, *, neighbours: int, shrink: float = 0.0) -> np.ndarray:
    """Cosine of items over users, the `neighbours` most similar of every item kept.

    Built in notebook 05, section 5.4, as `item_knn`.

    Shapes:
        returns: (items, items); column i holds what each seen item adds to the score of item i
    Source: Deshpande and Karypis, ACM TOIS 22(1), 2004.
    """
    if not 1 <= neighbours < seen.shape[1]:
        raise CourseError(f"neighbours = {neighbours} of {seen.shape[1]} items: take at least 1, and fewer than all.")
    together = seen.T @ seen  # (items, items): users who took both
    size = np.sqrt(together.diagonal())
    cosine = together / np.maximum(np.outer(size, size) + shrink, 1e-12)
    np.fill_diagonal(cosine, 0)
    weakest = np.partition(cosine, -neighbours, axis=0)[-neighbours]  # likeness of the last one kept, (items,)
    return np.where(cosine >= weakest, cosine, 0)


def ease_weights(seen: np.ndarray, *, ridge: float) -> np.ndarray:
    """The linear item model without self-weights, in closed form. Built in notebook 05, section 5.4, as `ease`.

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


# Histories in order, without a transformer


def fading(number: int, decay: float) -> np.ndarray:
    """What each item of a history weighs when the next one is asked for. Built in notebook 06, section 6.2.

    Shapes:
        returns: (number, number), row t for the one who has read items 0 to t: decay ** (t - s) over the root of their
        sum, and 0 ahead
    """
    age = np.arange(number)[:, None] - np.arange(number)
    weights = np.where(age >= 0, float(decay) ** age.clip(min=0), 0.0)
    return weights / np.sqrt(weights.sum(axis=1, keepdims=True))


def faded(histories: Sequence[np.ndarray], n_items: int, decays: Sequence[float]) -> np.ndarray:
    """Histories as rows in which recent items weigh more; one block a decay. Built in notebook 06, section 6.1.

    Shapes:
        returns: (histories, decays * items)
    """
    rows = np.zeros((len(histories), len(decays) * n_items))
    for row, items in zip(rows, histories, strict=True):
        for block, decay in enumerate(decays):
            if len(items):
                np.add.at(row, block * n_items + items, fading(len(items), decay)[-1])
    return rows


def next_item_weights(
    histories: Sequence[np.ndarray], n_items: int, *, decays: Sequence[float], ridge: float
) -> np.ndarray:
    """Ridge regression from what was read so far, faded, to the next item, in closed form.

    Built in notebook 06, section 6.2.

    Shapes:
        histories: codes of each, oldest first
        returns: (decays * items, items); the scores are `faded(...) @ weights`
    Raises:
        CourseError: a ridge that is not positive, or histories in which nothing follows.
    """
    if not ridge > 0:
        raise CourseError(f"ridge = {ridge}: the closed form inverts a matrix that needs a ridge above 0.")
    size = len(decays) * n_items
    together = np.zeros((size, size))
    follows = np.zeros((size, n_items))
    for items in histories:
        if len(items) < 2:
            continue
        read, following = items[:-1], items[1:]
        weights = np.hstack([fading(len(read), decay) for decay in decays])  # (asked, decays * read)
        columns = np.concatenate([read + block * n_items for block in range(len(decays))])
        np.add.at(together, np.ix_(columns, columns), weights.T @ weights)
        np.add.at(follows, np.ix_(columns, following), weights.T)
    if not follows.any():
        raise CourseError(f"none of {len(histories)} histories has two items: nothing follows, so nothing is learned.")
    together.flat[:: size + 1] += ridge
    return solve(together, follows, assume_a="pos", overwrite_a=True, overwrite_b=True, check_finite=False)


# Transformers over histories


class Block(nn.Module):
    """Attention, then a small network at each position; both add to what comes in. Built in notebook 06, section 6.5.

    Source: Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, with the norms in front.
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(dim)
        self.network_norm = nn.LayerNorm(dim)
        self.to_heads = nn.Linear(dim, 3 * dim)  # queries, keys, values
        self.from_heads = nn.Linear(dim, dim)
        self.network = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, allowed: Tensor, *, look: bool = False) -> tuple[Tensor, Tensor | None]:
        """x (batch, length, dim) afterwards, and the attention weights (batch, heads, length, length) on request."""
        mixed, attn_weights = self.attend(x, allowed, look=look)
        x = x + self.dropout(mixed)
        x = x + self.dropout(self.network(self.network_norm(x)))
        return x, attn_weights

    def attend(self, x: Tensor, allowed: Tensor, *, look: bool = False) -> tuple[Tensor, Tensor | None]:
        """What attention adds to x (batch, length, dim), and its weights on request."""
        q, k, v = self.queries_keys_values(x)
        if look:
            attn_scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])  # (batch, heads, length, length)
            attn_weights = attn_scores.masked_fill(~allowed, -math.inf).softmax(dim=3)
            mixed = attn_weights @ v  # (batch, heads, length, dim / heads)
        else:
            attn_weights = None
            mixed = scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        side_by_side = mixed.transpose(1, 2).flatten(2)  # (batch, length, dim)
        return self.from_heads(side_by_side), attn_weights

    def queries_keys_values(self, x: Tensor) -> Tensor:
        """Shapes: (batch, length, dim) → (3, batch, heads, length, dim / heads)"""
        batch, length, dim = x.shape
        parts = self.to_heads(self.attention_norm(x))  # (batch, length, 3 dim)
        parts = parts.view(batch, length, 3, self.heads, dim // self.heads)
        return parts.permute(2, 0, 3, 1, 4)


class SequenceTransformer(nn.Module):
    """A transformer over histories: causal it is a GPT (as SASRec), else a BERT (as BERT4Rec). For notebook 06.

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
        self.n_items = n_items
        self.padding = n_items
        self.mask = n_items + 1
        self.length = length
        self.causal = causal
        with seeded(seed):
            self.items = nn.Embedding(n_items + 2, dim)
            self.positions = nn.Embedding(length, dim)
            self.blocks = nn.ModuleList(Block(dim, heads, dropout) for _ in range(layers))
            self.norm = nn.LayerNorm(dim)
            self.dropout = nn.Dropout(dropout)
            self.item_bias = nn.Parameter(torch.zeros(n_items))
            nn.init.normal_(self.items.weight, std=0.02)
            nn.init.normal_(self.positions.weight, std=0.02)

    def forward(self, history: Tensor) -> Tensor:
        """What is known at each position: (batch, length, dim)"""
        states, _ = self.look(history, weights=False)
        return states[-1]

    def look(
        self,
        history: Tensor,
        *,
        vectors: Tensor | None = None,
        weights: bool = True,
    ) -> tuple[list[Tensor], list[Tensor | None]]:
        """Hidden states before, between and after the blocks (the last one normed), and each block's attention weights.

        Shapes: vectors (batch, length, dim), to be read in place of the items' own; states (batch, length, dim);
        weights (batch, heads, length, length), a row a position that looks
        """
        length = history.shape[1]
        if length > self.length:
            raise CourseError(f"a history of {length} is longer than the model's {self.length}: cut it.")
        if vectors is None:
            vectors = self.items(history)
        x = self.dropout(vectors + self.positions.weight[:length].flip(0))  # position 0 is the latest
        allowed = self.allowed(history)
        states, attention = [x], []
        for block in self.blocks:
            x, attn_weights = block(x, allowed, look=weights)
            states.append(x)
            attention.append(attn_weights)
        states[-1] = self.norm(x)
        return states, attention

    def allowed(self, history: Tensor) -> Tensor:
        """Who may look at whom: nobody at padding, in a GPT nobody ahead, everybody at themselves."""
        length = history.shape[1]
        itself = torch.eye(length, dtype=torch.bool, device=history.device)
        everywhere = torch.ones_like(itself)
        before = everywhere.tril() if self.causal else everywhere
        real = (history != self.padding)[:, None, None, :]  # (batch, 1, 1, length)
        return real & before | itself  # (batch, 1, length, length)

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of all items at positions: (..., dim) → (..., items)"""
        return hidden @ self.items.weight[: self.n_items].T + self.item_bias

    def scores(self, history: Tensor, vectors: Tensor | None = None) -> Tensor:
        """Scores of all items as the next one, (batch, items); `vectors` as in `look`."""
        states, _ = self.ask(history, vectors=vectors, weights=False)
        return self.logits(states[-1][:, -1])

    def ask(self, history: Tensor, *, vectors: Tensor | None = None, weights: bool = True) -> tuple[list, list]:
        """`look` when the next item is asked for: a BERT gets a mask at the end, and drops what is too old."""
        if not self.causal:
            is_full = history.shape[1] == self.length
            oldest = 1 if is_full else 0  # where the history begins that leaves room for the mask
            guess = torch.full_like(history[:, :1], self.mask)  # (batch, 1)
            history = torch.cat([history[:, oldest:], guess], dim=1)
            if vectors is not None:
                vectors = torch.cat([vectors[:, oldest:], self.items(guess)], dim=1)
        return self.look(history, vectors=vectors, weights=weights)
