"""One library's rating model, its settings searched. Runs in an environment of its own, imports nothing of the course.

    python library_search.py RATINGS.npz LIBRARY STEM

RATINGS has train, fit, validation and test, (n, 3) each, as user, item, rating; what is told of users and items; and
the same four parts for lists, (n, 2) each, as user, item, those of a user oldest first.
Writes STEM.json, a list of rows, and STEM.npy, their test predictions: (rows, test ratings), or of a library "NAME
lists" scores (rows, users, items), -inf for items it never saw.
"""

import importlib
import importlib.metadata
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd

SEED = 42
Predict = Callable[..., np.ndarray]


def cornac_mf(fit: np.ndarray, asked: np.ndarray, **settings) -> np.ndarray:
    """Matrix factorization by SGD; what was never seen gets Cornac's default score."""
    import cornac

    np.random.seed(SEED)
    triples = [(int(u), int(i), float(r)) for u, i, r in fit]
    known = cornac.data.Dataset.from_uir(triples, seed=SEED)
    model = cornac.models.MF(max_iter=100, use_bias=True, verbose=False, seed=SEED, **settings).fit(known)
    users, items = known.uid_map, known.iid_map
    pairs = [(users.get(int(u), len(users)), items.get(int(i), len(items))) for u, i, _ in asked]
    return np.array([model.rate(user, item) for user, item in pairs])


def surprise_svd(fit: np.ndarray, asked: np.ndarray, **settings) -> np.ndarray:
    """Matrix factorization by SGD."""
    import surprise

    frame = pd.DataFrame(fit, columns=["user", "item", "rating"])
    known = surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=(1, 5))).build_full_trainset()
    model = surprise.SVD(random_state=SEED, **settings).fit(known)
    return np.array([p.est for p in model.test([tuple(row) for row in asked])])


def lenskit_mf(fit: np.ndarray, asked: np.ndarray, **settings) -> np.ndarray:
    """Matrix factorization by ALS, with biases; they answer where it knows nothing."""
    from lenskit.als import BiasedMFScorer
    from lenskit.batch import predict
    from lenskit.data import from_interactions_df
    from lenskit.pipeline import predict_pipeline
    from lenskit.training import TrainingOptions

    columns = ["user_id", "item_id", "rating"]
    frames = [pd.DataFrame(rows, columns=columns).astype({"user_id": int, "item_id": int}) for rows in (fit, asked)]
    pipe = predict_pipeline(BiasedMFScorer(**settings))
    pipe.train(from_interactions_df(frames[0]), TrainingOptions(rng=SEED))
    made = predict(pipe, frames[1][columns[:2]], n_jobs=1).to_df()[["user_id", "item_id", "score"]]
    return frames[1].merge(made, on=columns[:2], how="left", validate="one_to_one")["score"].to_numpy()


def myfm(fit: np.ndarray, asked: np.ndarray, told: list[np.ndarray]) -> np.ndarray:
    """A Bayesian factorization machine, rank 10, 200 draws; its penalties are learned."""
    import scipy.sparse as sp
    from myfm import MyFMRegressor, RelationBlock

    sizes = [part.shape[0] for part in told]
    tables = [sp.csr_matrix(np.c_[np.eye(size), part]) for size, part in zip(sizes, told, strict=True)]

    def blocks(rows: np.ndarray) -> list:
        """Ids and what is told, as the library takes repeated rows."""
        return [RelationBlock(rows[:, side].astype(int), tables[side]) for side in (0, 1)]

    model = MyFMRegressor(rank=10, random_seed=SEED)
    groups = [size for part in told for size in (part.shape[0], part.shape[1]) if size]
    model.fit(None, fit[:, 2], X_rel=blocks(fit), n_iter=200, n_kept_samples=180, group_shapes=groups)
    return model.predict(None, blocks(asked))


def cornac_list(pairs: np.ndarray, shape: tuple[int, int], algorithm: str, **settings) -> np.ndarray:
    """Scores of a Cornac model of what was taken."""
    import cornac

    np.random.seed(SEED)
    known = cornac.data.Dataset.from_uir([(int(u), int(i), 1.0) for u, i in pairs], seed=SEED)
    model = getattr(cornac.models, algorithm)(verbose=False, **settings).fit(known)
    items, scores = np.array(list(known.iid_map)), np.full(shape, -np.inf, dtype=np.float32)
    for user, index in known.uid_map.items():
        scores[user, items] = model.score(index)
    return scores


def lenskit_list(pairs: np.ndarray, shape: tuple[int, int], module: str, algorithm: str, **settings) -> np.ndarray:
    """Scores of a LensKit model of what was taken."""
    from lenskit.batch import score
    from lenskit.data import ItemList, from_interactions_df
    from lenskit.pipeline import topn_pipeline
    from lenskit.training import TrainingOptions

    scorer = getattr(importlib.import_module(f"lenskit.{module}"), algorithm)(**settings)
    pipe = topn_pipeline(scorer)
    frame = pd.DataFrame(pairs, columns=["user_id", "item_id"]).astype(int)
    pipe.train(from_interactions_df(frame), TrainingOptions(rng=SEED))
    every = np.unique(pairs[:, 1])
    made = score(pipe, {int(user): ItemList(item_ids=every) for user in np.unique(pairs[:, 0])}, n_jobs=1)
    scores = np.full(shape, -np.inf, dtype=np.float32)
    for key, listed in made.items():
        scores[key.user_id, listed.ids()] = np.nan_to_num(listed.scores(), nan=-np.inf)
    return scores


def ndcg(scores: np.ndarray, seen: np.ndarray, asked: np.ndarray, k: int = 10) -> np.ndarray:
    """NDCG@k of one held-out item a user among all unseen ones, half of the ties before it. (asked,)"""
    rivals = scores.copy()
    rivals[seen[:, 0], seen[:, 1]] = -np.inf
    rows = rivals[asked[:, 0]]
    own = scores[asked[:, 0], asked[:, 1]][:, None]
    rank = (rows > own).sum(axis=1) + ((rows == own).sum(axis=1) - 1) / 2
    return np.where((rank < k) & np.isfinite(own[:, 0]), 1 / np.log2(rank + 2), 0)


def grid(**values) -> list[dict]:
    """All settings of a grid."""
    return [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]


SEARCHES: dict[str, tuple[str, str, Predict, list[dict]]] = {
    "cornac": ("cornac", "Cornac, MF", cornac_mf, grid(
        k=[50, 100, 200, 400], learning_rate=[0.005, 0.01], lambda_reg=[0.05, 0.085, 0.12, 0.16])),
    "surprise": ("scikit-surprise", "Surprise, SVD", surprise_svd, grid(
        n_factors=[50, 100, 200, 400], n_epochs=[50, 100], reg_all=[0.05, 0.08, 0.11, 0.14])),
    "lenskit": ("lenskit", "LensKit, BiasedMF", lenskit_mf, grid(
        embedding_size=[10, 25, 50, 100], regularization=[0.05, 0.1, 0.2, 0.3], epochs=[10, 20])),
}  # fmt: skip


LISTS: dict[str, list[tuple[str, Predict, list[dict]]]] = {
    "cornac": [
        ("Cornac, EASE", partial(cornac_list, algorithm="EASE", posB=False), grid(
            lamb=[25, 50, 100, 200, 400, 800])),
        ("Cornac, multinomial VAE", partial(cornac_list, algorithm="VAECF", batch_size=50, n_epochs=100), grid(
            k=[50, 100], autoencoder_structure=[[200], [400]], beta=[0.1, 0.3, 1.0])),
        ("Cornac, BPR", partial(cornac_list, algorithm="BPR", max_iter=100), grid(
            k=[32, 64, 128], learning_rate=[0.02, 0.05], lambda_reg=[0.005, 0.02])),
    ],
    "lenskit": [
        ("LensKit, ImplicitMF", partial(lenskit_list, module="als", algorithm="ImplicitMFScorer",
                                        user_embeddings="prefer"), grid(
            embedding_size=[16, 32, 64], weight=[2, 10], regularization=[0.5, 2.0])),
        ("LensKit, ItemKNN", partial(lenskit_list, module="knn", algorithm="ItemKNNScorer", feedback="implicit"), grid(
            max_nbrs=[10, 20, 50, 100])),
    ],
}  # fmt: skip


def lists_of(name: str, arrays: dict[str, np.ndarray]) -> Iterator[tuple[dict, np.ndarray]]:
    """Rows of a library's list models, and their scores for the test."""
    train, fit, validation = (arrays[f"lists {part}"] for part in ("train", "fit", "validation"))
    shape = tuple(arrays["shape"])
    for called, score, tried in LISTS[name]:
        found = [ndcg(score(fit, shape, **settings), fit, validation).mean() for settings in tried]
        best = tried[int(np.argmax(found))]
        begun = time.process_time()
        scores = score(train, shape, **best)
        settings = ", ".join(f"{name} {value}" for name, value in best.items())
        row = {"model": called, "tried": len(tried), "settings": settings, "ndcg10_validation": float(max(found))}
        yield row | {"seconds": time.process_time() - begun}, scores


def error(said: np.ndarray, truth: np.ndarray) -> float:
    """RMSE on the scale of 1 to 5."""
    return float(np.sqrt(np.mean((np.clip(said, 1, 5) - truth) ** 2)))


def rows_of(name: str, arrays: dict[str, np.ndarray]) -> Iterator[tuple[dict, np.ndarray]]:
    """Rows of a library, and their test predictions."""
    train, test, fit, validation = (arrays[part] for part in ("train", "test", "fit", "validation"))
    if name == "myfm":
        nothing = [np.zeros((len(arrays[f"attributes, {side}"]), 0)) for side in ("users", "items")]
        inputs = {"ids": nothing} | {
            called: [arrays[f"{kind}, {side}"] for side in ("users", "items")]
            for called, kind in (("attributes", "attributes"), ("same inputs", "who rated what"))
        }
        for called, told in inputs.items():
            begun = time.process_time()
            said = np.clip(myfm(train, test, told), 1, 5)
            row = {"model": f"myFM, {called}", "tried": 1, "settings": "rank 10, 200 draws"}
            yield row | {"seconds": time.process_time() - begun}, said
        return
    _, called, predict, tried = SEARCHES[name]
    found = [error(predict(fit, validation, **settings), validation[:, 2]) for settings in tried]
    best = tried[int(np.argmin(found))]
    begun = time.process_time()
    said = np.clip(predict(train, test, **best), 1, 5)
    settings = ", ".join(f"{name} {value}" for name, value in best.items())
    row = {"model": called, "tried": len(tried), "settings": settings, "rmse_validation": min(found)}
    yield row | {"seconds": time.process_time() - begun}, said


def main(path: str, name: str, stem: str) -> None:
    """Search, train, predict and write."""
    with np.load(path) as file:
        arrays = dict(file)
    name, _, lists = name.partition(" ")
    package = "myfm" if name == "myfm" else SEARCHES[name][0]
    made = list(lists_of(name, arrays) if lists else rows_of(name, arrays))
    rows = [row | {"library": f"{package} {importlib.metadata.version(package)}"} for row, _ in made]
    np.save(f"{stem}.npy", np.array([said for _, said in made]))
    with open(f"{stem}.json", "w", encoding="utf8") as file:
        json.dump(rows, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
