"""How the models of the pages are built, trained and judged, and the trained ones that are stored."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch

from helpers import data, metrics, models, stored, training
from helpers.errors import CourseError
from helpers.factorization import Averaged, averaged, posterior, who_rated_what
from helpers.page import say
from helpers.planted import planted_sequences


def known(what: str, name: str, among: Sequence[str]) -> str:
    """The name, if it is one of these.

    Raises:
        CourseError: naming what there is.
    """
    if name not in among:
        raise CourseError(f"there is no {what} {name!r}: it is one of {', '.join(among)}.")
    return name


# Of a catalogue that is ranked: EASE inverts a table of items by items, a transformer scores them all
MOST_ITEMS = 4000
FEW_ITEMS = 2000  # where several transformers are trained on it (notebooks 08 to 10)


def most_known(ratings: data.Ratings, most: int = MOST_ITEMS) -> data.Ratings:
    """The ratings of the items that most users know, where there are too many to rank; then `said` says so."""
    number = np.bincount(ratings.table["item"], minlength=ratings.shape[1])
    if len(number) <= most:
        return ratings
    kept = np.sort(np.argsort(-number, kind="stable")[:most])
    share = number[kept].sum() / number.sum()
    said = f"{ratings.said}; only the {most:,} items that most users know are ranked: {share:.0%} of all lines"
    return replace(data.only_items(ratings, kept), said=said)


# Ratings (notebook 04)

RATING_MODELS = ("dot product", "NeuMF", "with attributes", "attributes shuffled", "attributes as biases")
NEUMF = training.Settings(epochs=12, lr=0.01, decay={"factors": 2.0, "network": 0.1, "output": 0.1})


def rating_model(
    kind: str,
    ratings: data.Ratings,
    *,
    dim: int | None = None,
    mean: float,
    seed: int,
) -> tuple[torch.nn.Module, training.Settings]:
    """A model of notebook 04 before training, one of `RATING_MODELS`, and the settings it is trained with."""
    known("rating model", kind, RATING_MODELS)
    if kind == "NeuMF":
        return models.NeuMF(*ratings.shape, dim or 16, mean=mean, seed=seed), NEUMF
    if kind == "dot product":
        return models.DotProduct(*ratings.shape, dim or 64, mean=mean, seed=seed), training.Settings()
    return attribute_model(kind, ratings, dim=dim or 64, mean=mean, seed=seed), training.Settings()


def attribute_model(
    kind: str,
    ratings: data.Ratings,
    *,
    dim: int,
    mean: float,
    seed: int,
) -> models.FeatureDotProduct:
    """A dot product with attributes, or one of its controls: dealt to somebody else, or as biases alone."""
    of_users, of_items = (torch.tensor(part.to_numpy(np.float32)) for part in data.attributes(ratings))
    if kind == "attributes shuffled":
        with models.seeded(1_000 + seed):
            of_users, of_items = (part[torch.randperm(len(part))] for part in (of_users, of_items))
    model = models.FeatureDotProduct(of_users, of_items, dim, mean=mean, seed=seed)
    if kind == "attributes as biases":
        for effect in (model.user_effect, model.item_effect):
            _only_biases(effect)
    return model


def _only_biases(effect: torch.nn.Parameter) -> None:
    """Vectors do not move: their effects are 0 and have no slope. Shape: (attributes, dim + 1), the bias last"""
    is_bias = torch.zeros_like(effect)
    is_bias[:, -1] = 1
    effect.data *= is_bias
    effect.register_hook(lambda slope: slope * is_bias)


def one_answer(
    ratings: data.Ratings,
    train: pd.DataFrame,
    asked: pd.DataFrame,
    *,
    kind: str = "with attributes",
    dim: int | None = None,
    seed: int,
    **decay: float,
) -> np.ndarray:
    """What a model of notebook 04, trained on one table, says of the rows of another, cut to the scale. (rows,)"""
    tensors = training.rating_tensors(train, ratings.shape, unit=ratings.unit)
    model, settings = rating_model(kind, ratings, dim=dim, mean=float(tensors[2].mean()), seed=seed)
    if "network" in decay:
        decay["output"] = decay["network"]
    training.fit(model, tensors, settings=replace(settings, decay={**settings.decay, **decay}), seed=seed)
    pairs = (torch.tensor(asked[name].to_numpy()) for name in ("user", "item"))
    with torch.no_grad():
        said = ratings.unit * model(*pairs).numpy()
    return said.clip(train["rating"].min(), train["rating"].max())


# All answers (notebook 04b)

INPUTS = (
    "ids",
    "attributes",
    "who rated what",
    "dealt to others",
    "counts alone",
    "users alone",
    "films alone",
    "leak",
)


def inputs(
    kind: str,
    ratings: data.Ratings,
    train: pd.DataFrame,
    *,
    width: int = 30,
    scale: float = 0.3,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """What the priors of users and items are told: one of `INPUTS`, all but "ids" on top of the attributes.

    "who rated what" looks at rows of training alone. Its controls: the same rows dealt to other users and items, the
    counts without directions, one side alone, and a leak on purpose, which looks at all rows.
    Shapes: returns (users, a), (items, b)
    """
    known("kind of inputs", kind, INPUTS)
    if kind == "ids":
        return np.zeros((ratings.shape[0], 0)), np.zeros((ratings.shape[1], 0))
    told = [part.to_numpy(float) for part in data.attributes(ratings)]
    if kind == "attributes":
        return told[0], told[1]
    rows = ratings.table if kind == "leak" else train
    pairs = (rows["user"].to_numpy(), rows["item"].to_numpy())
    more = list(who_rated_what(*pairs, ratings.shape, width=width, scale=scale))
    rng = np.random.default_rng(seed)
    if kind == "dealt to others":
        more = [rng.permutation(part) for part in more]
    if kind == "counts alone":
        more = [part[:, -1:] for part in more]
    if kind == "users alone":
        more[1] = more[1][:, :0]
    if kind == "films alone":
        more[0] = more[0][:, :0]
    return np.c_[told[0], more[0]], np.c_[told[1], more[1]]


def all_answers(
    ratings: data.Ratings,
    train: pd.DataFrame,
    asked: pd.DataFrame,
    told: tuple[np.ndarray, np.ndarray],
    *,
    burn_in: int = 20,
    **settings: Any,
) -> Averaged:
    """The posterior of notebook 04b, trained on one table and asked for the pairs of another, in the ratings' unit."""
    user, item = (train[name].to_numpy() for name in ("user", "item"))
    rating = train["rating"].to_numpy(float) / ratings.unit
    draws = posterior(user, item, rating, ratings.shape, *told, **settings)
    found = averaged(draws, asked["user"].to_numpy(), asked["item"].to_numpy(), burn_in=burn_in)
    low, high = train["rating"].min(), train["rating"].max()
    rating, unit = found.rating * ratings.unit, ratings.unit
    return Averaged(rating.clip(low, high), found.spread * unit, found.noise * unit**2)


# Lists (notebook 05)

LIST_MODELS = ("popularity", "item-kNN", "EASE", "dot product", "dot product of histories")
TRAINED = LIST_MODELS[3:]  # those that start at random
SOFTMAX = training.Settings(epochs=40, batch=64, lr=0.05, decay={"factors": 1.0})


def softmax_dot(
    kind: str,
    seen: np.ndarray,
    *,
    dim: int = 64,
    lr: float = SOFTMAX.lr,
    factors: float = SOFTMAX.decay["factors"],
    seed: int,
) -> models.DotProduct:
    """A dot product, trained to give what users took a large share of the softmax. Shapes: seen (users, items)"""
    known("trained list model", kind, TRAINED)
    taken = torch.tensor(seen, dtype=torch.float32)
    model: models.DotProduct = models.HistoryDotProduct(taken, dim, seed=seed)
    if kind == "dot product":
        model = models.DotProduct(len(seen), seen.shape[1], dim, spread=0.1, seed=seed)
    settings = replace(SOFTMAX, lr=lr, decay={"factors": factors})
    training.fit(model, (torch.arange(len(seen)), taken), training.softmax_error, settings, seed=seed)
    return model.eval()


def list_scores(kind: str, seen: np.ndarray, *, seed: int = 0, **settings: Any) -> np.ndarray:
    """Scores of every item for every user, by one of `LIST_MODELS`. Shapes: (users, items) → (users, items)"""
    known("list model", kind, LIST_MODELS)
    if kind == "popularity":
        return np.tile(seen.sum(axis=0), (len(seen), 1))
    if kind == "item-kNN":
        return seen @ models.neighbour_weights(seen, **settings)
    if kind == "EASE":
        return seen @ models.ease_weights(seen, **settings)
    model = softmax_dot(kind, seen, seed=seed, **settings)
    with torch.no_grad():
        return model.scores(torch.arange(len(seen))).numpy()


def list_quality(scores: np.ndarray, train: pd.DataFrame, test: pd.DataFrame, *, k: int = 10) -> pd.DataFrame:
    """Metrics of the lists that these scores give, one row a user of the test set. Shapes: scores (users, items)"""
    users = np.unique(test["user"])
    lists = metrics.recommend(lambda batch: scores[batch], users, train, scores.shape[1], k=k)
    return metrics.list_metrics(lists, users, test)


# Order without a transformer (notebook 06)

EASE_RIDGE = 100.0
LINEAR: dict[str, dict[str, Any]] = {  # chosen in data/tables/order_search.csv
    "EASE, recent films": {"decays": (0.93,), "ridge": EASE_RIDGE},
    "linear, one decay": {"decays": (0.8,), "ridge": 100.0},
    "linear, two decays": {"decays": (0.99, 0.7), "ridge": 100.0},
}


def order_scores(
    kind: str,
    histories: Sequence[np.ndarray],
    n_items: int,
    *,
    decays: Sequence[float] | None = None,
    ridge: float | None = None,
    asked: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Scores by one of `LINEAR`: EASE asked with faded histories, or the linear model of the next item.

    Args:
        asked: histories to ask with, if they are others than those of training
    Shapes:
        returns: (histories asked, items)
    """
    known("model of order", kind, list(LINEAR))
    decays = decays or LINEAR[kind]["decays"]
    ridge = ridge or LINEAR[kind]["ridge"]
    if kind.startswith("EASE"):
        seen = (models.faded(histories, n_items, (1.0,)) > 0).astype(float)
        weights = models.ease_weights(seen, ridge=ridge)
    else:
        weights = models.next_item_weights(histories, n_items, decays=decays, ridge=ridge)
    return models.faded(histories if asked is None else asked, n_items, decays) @ weights


def standardised(scores: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Each user's scores at mean 0 and spread 1 over what is unseen, so that those of two models can be added.

    Built in notebook 06, section 6.7.

    Shapes: (users, items) twice → (users, items)
    """
    unseen = np.where(seen > 0, np.nan, scores)
    mean = np.nanmean(unseen, axis=1, keepdims=True)
    spread = np.nanstd(unseen, axis=1, keepdims=True)
    return (scores - mean) / np.maximum(spread, 1e-12)


# Transformers over histories (notebook 06)

ARCHITECTURES = ("GPT", "BERT")
LENGTH = 50  # items of a history that a model sees
LOSSES: dict[str, training.Loss] = {"all items": training.next_item_error, "1 negative": training.sampled_error}


def train_transformer(
    table: pd.DataFrame,
    shape: tuple[int, int],
    *,
    architecture: str = "GPT",
    loss: str = "all items",
    epochs: int = 12,
    anew: bool = False,
    seed: int,
    device: torch.device | str = "cpu",
    validation: pd.DataFrame | None = None,
    **options: Any,
) -> tuple[models.SequenceTransformer, training.Curve]:
    """A GPT or BERT trained on the histories of a table; `options` go to the model.

    Args:
        anew: for long trainings: windows are cut anew for each epoch, and the learning rate has no warm-up
        validation: held-out items; the model ends as it was after the epoch whose lists had the best NDCG
    """
    known("architecture", architecture, ARCHITECTURES)
    known("loss", loss, list(LOSSES))
    options = {"length": LENGTH, "dropout": 0.3} | options
    model = models.SequenceTransformer(shape[1], causal=architecture == "GPT", seed=seed, **options).to(device)
    histories = data.histories(table, shape[0])

    def windows(epoch: int) -> tuple[torch.Tensor]:
        """The histories cut for an epoch: (windows, length + 1)"""
        rng = np.random.default_rng([seed, epoch]) if anew else None
        return (torch.tensor(data.windows(histories, model.length, model.padding, rng), device=device),)

    def error(model: models.SequenceTransformer) -> float:
        """1 - NDCG@10 of full rankings of the held-out items."""
        return 1 - float(sequence_quality(model, histories, table, validation)["ndcg"].mean())

    settings = training.Settings(epochs, batch=64, lr=0.004, warm_up=0 if anew else 0.3, decay={}, threads=2)
    asked = training.masked_item_error if architecture == "BERT" else LOSSES[loss]
    validate = None if validation is None else error
    curve = training.fit(model, windows, asked, settings, seed=seed, validate=validate)
    return model.eval(), curve


def sequence_scores(model: models.SequenceTransformer, histories: Sequence[np.ndarray]) -> Callable:
    """Users (batch,) → scores of all items (batch, items), for `metrics.recommend`."""
    device = model.item_bias.device
    padded = torch.tensor(data.pad_left(histories, model.length, model.padding), device=device)  # (users, length)

    @torch.no_grad()
    def score(users: np.ndarray) -> np.ndarray:
        """Scores of all items for these users."""
        return model.scores(padded[torch.as_tensor(users, device=device)]).cpu().numpy()

    return score


def sequence_quality(
    model: models.SequenceTransformer,
    histories: Sequence[np.ndarray],
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    k: int = 10,
) -> pd.DataFrame:
    """Full-ranking metrics of the lists a transformer makes of these histories, one row a user of the test set."""
    users = np.unique(test["user"])
    lists = metrics.recommend(sequence_scores(model, histories), users, train, model.n_items, k=k)
    return metrics.list_metrics(lists, users, test)


def shuffled(histories: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
    """What a model sees of each history, in a random order."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(codes[-LENGTH:]) for codes in histories]


# Planted rules (notebook 06)


def following_error(model: models.SequenceTransformer, history: torch.Tensor, following: torch.Tensor) -> torch.Tensor:
    """Mean surprise at what follows a history. Shapes: (batch, length), (batch,)"""
    return torch.nn.functional.cross_entropy(model.scores(history), following)


def learn_rule(
    rule: str,
    *,
    layers: int = 2,
    heads: int = 2,
    dim: int = 32,
    epochs: int = 10,
    n: int = 6000,
    seed: int,
    device: torch.device | str = "cpu",
) -> tuple[models.SequenceTransformer, training.Curve]:
    """A GPT trained on planted histories; the curve's validation is the share of wrong answers on new ones."""
    told = planted_sequences(n, rule=rule, seed=seed)
    as_tensor = partial(torch.tensor, device=device)
    wrong = lambda model: 1 - accuracy(model, rule, n=1000, seed=10_000 + seed)
    options = {"layers": layers, "heads": heads, "length": told.histories.shape[1], "dropout": 0.0}
    model = models.SequenceTransformer(told.n_items, dim, **options, seed=seed).to(device)
    settings = training.Settings(epochs=epochs, batch=128, lr=0.004, decay={}, threads=1)
    rows = (as_tensor(told.histories), as_tensor(told.following))
    curve = training.fit(model, rows, following_error, settings, seed=seed, validate=wrong)
    return model.eval(), curve


@torch.no_grad()
def accuracy(model: models.SequenceTransformer, rule: str, *, n: int, seed: int) -> float:
    """Share of new planted histories after which a model gives the first place to what follows."""
    new = planted_sequences(n, rule=rule, seed=seed)
    asked, answer = (torch.tensor(part, device=model.item_bias.device) for part in (new.histories, new.following))
    return float((model.scores(asked).argmax(dim=1) == answer).double().mean())


# Trained models: stored, in the cache, or trained now

LONG = {"epochs": 40, "anew": True}
DROPOUT = {"GPT": 0.3, "BERT": 0.1}
GPT_SHARE = {"linear, two decays": 4.0, "EASE": 8.0}  # of a GPT's scores beside these; chosen in blend_search
CARD_HOLDS_WITHIN = 0.02  # more than processors and 200 new histories differ by
FRESH = 100  # added to a seed that is not stored: those that are were chosen among the seeds 0 to 4
MODELS = ("gpt-movielens", "bert-movielens", "planted-trigger", "planted-marker")


def trained(name: str, device: torch.device | str = "cpu") -> models.SequenceTransformer:
    """A transformer of data/models/ or of the cache, ready to be looked into.

    Raises:
        CourseError: an unknown name, or a checkpoint that is missing, cut short or does not fit its own description.
    """
    card, weights = stored.checkpoint(name)
    try:
        model = models.SequenceTransformer(**card["model"], seed=0)
        model.load_state_dict(weights)
    except (TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:140]
        raise CourseError(
            f"{name} does not fit its description ({reason}): run `python -m tools.studies {name}`."
        ) from None
    return model.to(device).eval()


def model(name: str, seed: int, device: torch.device | str = "cpu") -> models.SequenceTransformer:
    """A trained transformer of `MODELS` by its seed: the stored one, or trained now, and kept in the cache.

    The first seeds are stored in data/models/. Training another takes seconds for a planted rule and minutes for
    MovieLens; whoever asks for it again, on this page or another one, finds it.
    """
    known("trained model", name, MODELS)
    stem = _stem(name, seed)
    if stem not in stored.checkpoints(name):
        with torch.enable_grad():  # pages that look inside have turned it off
            stored.keep(stem, lambda: _train(name, seed, device))
    learned = trained(stem, device)
    if name.startswith("planted"):
        rule = name.partition("-")[2]
        _hold_to_card(stem, "accuracy", lambda: accuracy(learned, rule, n=200, seed=10_000))
    return learned


def _stem(name: str, seed: int) -> str:
    """The name of a trained model's file; those of MovieLens are called by their place on validation."""
    if not name.endswith("movielens"):
        return f"{name}-{seed}"
    return name if seed == 0 else f"{name}-{seed + 1}"


def _hold_to_card(stem: str, figure: str, measure: Callable[[], float]) -> None:
    """Say so where a trained model does not reach what its card says; the page goes on."""
    card, _ = stored.checkpoint(stem)
    if figure not in card.get("figures", {}):
        return
    stated, seen = card["figures"][figure], measure()
    if abs(seen - stated) > CARD_HOLDS_WITHIN:
        say(
            f"**{stem} is not what its card says**: {figure} {stated:.3f} there, {seen:.3f} here. The page goes on "
            f"with it; `python -m tools.studies {stem}` makes it anew."
        )


def _train(name: str, seed: int, device: torch.device | str) -> tuple[models.SequenceTransformer, dict[str, Any]]:
    """A transformer of `MODELS` by a seed that is not stored, and its card."""
    kind, _, what = name.partition("-")
    if kind == "planted":
        learned, _ = learn_rule(what, seed=FRESH + seed, device=device)
    else:
        architecture = kind.upper()
        ratings = data.load_ratings("movielens-100k")
        train, _ = data.split_leave_last_out(ratings.table)
        options: dict[str, Any] = {"architecture": architecture, "dropout": DROPOUT[architecture], **LONG}
        learned, _ = train_transformer(train, ratings.shape, seed=FRESH + seed, device=device, **options)
    return learned, {"about": f"{name}, trained with seed {FRESH + seed}."}


def several_trained(
    ratings: data.Ratings,
    train: pd.DataFrame,
    *,
    architecture: str = "GPT",
    number: int = 3,
    first: int = 0,
    device: torch.device | str = "cpu",
) -> list[models.SequenceTransformer]:
    """Trainings of a GPT or BERT over histories, by seeds from `first` on; of other data than MovieLens-100K live."""
    known("architecture", architecture, ARCHITECTURES)
    seeds = range(first, first + number)
    if "studies" in ratings.known:
        name = f"{architecture.lower()}-movielens"
        learned = [model(name, seed, device) for seed in seeds]
        histories, test = data.histories(train, ratings.shape[0]), data.split_leave_last_out(ratings.table)[1]
        for seed, one in zip(seeds, learned, strict=True):
            ndcg = lambda one=one: sequence_quality(one, histories, train, test)["ndcg"].mean()
            _hold_to_card(_stem(name, seed), "ndcg10", ndcg)
        return learned
    options: dict[str, Any] = {"architecture": architecture, "device": device}
    return [train_transformer(train, ratings.shape, seed=seed, **options)[0] for seed in seeds]
