"""One model of one library on given splits. Runs in an environment of its own and imports nothing of the course.

    python libraries.py SPLITS.npz NAME SCORES.npy

SPLITS has rating_train (n, 3) and rating_test (m, 3) as user, item, rating; list_train (n, 2) and list_test (users, 2)
as user, item, those of a user oldest first; and shape (2,). Prints one JSON line. A list model saves its scores,
float32 (users, items), -inf for items it never saw. Imports and the conversion of data are not timed.
"""

import contextlib
import importlib
import importlib.metadata
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

SEED = 42
Splits = dict[str, np.ndarray]


@dataclass(frozen=True)
class Entry:
    """A library's model under its name in the table, and what fits it."""

    library: str
    package: str
    model: str
    run: Callable[[Splits], dict]


def timed(call: Callable) -> tuple[float, object]:
    """Seconds a call took, and what it returned."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def rating_errors(predicted: np.ndarray, truth: np.ndarray) -> dict:
    """RMSE and MAE of predictions clipped to the scale of 1 to 5."""
    error = np.clip(predicted, 1, 5) - truth
    return {"RMSE": float(np.sqrt(np.mean(error**2))), "MAE": float(np.abs(error).mean())}


# Surprise


def surprise_rating(splits: Splits, algorithm: str, **options) -> dict:
    """Fit on the rating split. A user or item that was never seen gets Surprise's own default."""
    import surprise

    frame = pd.DataFrame(splits["rating_train"], columns=["user", "item", "rating"])
    data = surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=(1, 5))).build_full_trainset()
    model = getattr(surprise, algorithm)(**options)
    fit_seconds, _ = timed(lambda: model.fit(data))
    predicted = np.array([p.est for p in model.test([tuple(row) for row in splits["rating_test"]])])
    return {"fit s": fit_seconds, **rating_errors(predicted, splits["rating_test"][:, 2])}


# Cornac


def cornac_fit(rows: np.ndarray, algorithm: str, **options) -> tuple[float, object, object]:
    """Seconds, model and data of a Cornac model fitted on rows (n, 3) of user, item and rating."""
    import cornac
    import torch

    np.random.seed(SEED)  # a seed as an option would hold MF and BPR to one thread
    torch.manual_seed(SEED)
    data = cornac.data.Dataset.from_uir([(int(u), int(i), float(r)) for u, i, r in rows])
    model = getattr(cornac.models, algorithm)(verbose=False, **options)
    seconds, _ = timed(lambda: model.fit(data))
    return seconds, model, data


def cornac_rating(splits: Splits, algorithm: str, **options) -> dict:
    """Fit on the rating split. An item that was never seen gets Cornac's default score, the mean of all ratings."""
    fit_seconds, model, data = cornac_fit(splits["rating_train"], algorithm, **options)
    users, items = data.uid_map, data.iid_map
    pairs = [(users.get(int(u), len(users)), items.get(int(i), len(items))) for u, i, _ in splits["rating_test"]]
    predicted = np.array([model.rate(user, item) for user, item in pairs])
    return {"fit s": fit_seconds, **rating_errors(predicted, splits["rating_test"][:, 2])}


def cornac_list(splits: Splits, algorithm: str, **options) -> dict:
    """Fit on the list split, every interaction as 1, and score all items for all users."""
    pairs = splits["list_train"]
    fit_seconds, model, data = cornac_fit(np.c_[pairs, np.ones(len(pairs))], algorithm, **options)
    items = np.array(list(data.iid_map))

    def score() -> np.ndarray:
        scores = np.full(splits["shape"], -np.inf, dtype=np.float32)
        for user, index in data.uid_map.items():
            scores[user, items] = model.score(index)
        return scores

    score_seconds, scores = timed(score)
    return {"fit s": fit_seconds, "score s": score_seconds, "scores": scores}


# LensKit


def lenskit_fit(rows: np.ndarray, columns: list[str], pipeline: Callable) -> tuple[float, object]:
    """Seconds and pipeline of a LensKit pipeline trained on rows."""
    from lenskit.data import from_interactions_df
    from lenskit.parallel import ensure_parallel_init
    from lenskit.training import TrainingOptions

    ensure_parallel_init()
    frame = pd.DataFrame(rows, columns=columns).astype({"user_id": int, "item_id": int})
    data, pipe = from_interactions_df(frame), pipeline()
    seconds, _ = timed(lambda: pipe.train(data, TrainingOptions(rng=SEED)))
    return seconds, pipe


def lenskit_rating(splits: Splits, scorer: Callable) -> dict:
    """Fit on the rating split. Where the scorer knows nothing, LensKit's pipeline falls back on its bias model."""
    from lenskit.batch import predict
    from lenskit.pipeline import predict_pipeline

    columns = ["user_id", "item_id", "rating"]
    fit_seconds, pipe = lenskit_fit(splits["rating_train"], columns, lambda: predict_pipeline(scorer()))
    test = pd.DataFrame(splits["rating_test"], columns=columns).astype({"user_id": int, "item_id": int})
    made = predict(pipe, test[columns[:2]], n_jobs=1).to_df()[["user_id", "item_id", "score"]]
    both = test.merge(made, on=["user_id", "item_id"], how="left", validate="one_to_one")
    errors = rating_errors(both["score"].to_numpy(), both["rating"].to_numpy())
    return {"fit s": fit_seconds, **errors}


def lenskit_list(splits: Splits, scorer: Callable) -> dict:
    """Fit on the list split and score all items that were seen for all users."""
    from lenskit.batch import score
    from lenskit.data import ItemList
    from lenskit.pipeline import topn_pipeline

    pairs = splits["list_train"]
    fit_seconds, pipe = lenskit_fit(pairs, ["user_id", "item_id"], lambda: topn_pipeline(scorer()))
    wanted = {int(user): ItemList(item_ids=np.unique(pairs[:, 1])) for user in np.unique(pairs[:, 0])}
    score_seconds, made = timed(lambda: score(pipe, wanted, n_jobs=1))
    scores = np.full(splits["shape"], -np.inf, dtype=np.float32)
    for key, listed in made.items():
        scores[key.user_id, listed.ids()] = np.nan_to_num(listed.scores(), nan=-np.inf)
    return {"fit s": fit_seconds, "score s": score_seconds, "scores": scores}


def lenskit_scorer(module: str, algorithm: str, **options) -> object:
    """A scorer of LensKit, such as ALS or nearest neighbours."""
    return getattr(importlib.import_module(f"lenskit.{module}"), algorithm)(**options)


# RecTools


def rectools_list(splits: Splits, **options) -> dict:
    """Fit SASRec on the histories of the list split and score all items for all users."""
    import torch
    from rectools import Columns
    from rectools.dataset import Dataset
    from rectools.models import SASRecModel

    users, items = splits["list_train"].T
    times = pd.Timestamp("2000-01-01") + pd.to_timedelta(np.arange(len(users)), unit="s")  # rows are in order
    rows = {Columns.User: users, Columns.Item: items, Columns.Weight: 1.0, Columns.Datetime: times}
    data = Dataset.construct(pd.DataFrame(rows))
    torch.manual_seed(SEED)
    model = SASRecModel(verbose=0, deterministic=True, **options)
    fit_seconds, _ = timed(lambda: model.fit(data))
    ask = {"users": np.unique(users), "dataset": data, "k": splits["shape"][1], "filter_viewed": False}
    score_seconds, made = timed(lambda: model.recommend(**ask))
    scores = np.full(splits["shape"], -np.inf, dtype=np.float32)
    scores[made[Columns.User], made[Columns.Item]] = made[Columns.Score]
    return {"fit s": fit_seconds, "score s": score_seconds, "scores": scores}


# RecBole


def recbole_list(splits: Splits, **options) -> dict:
    """Fit SASRec on the histories of the list split and score all items for all users.

    RecBole splits by itself: it is given each user's test item as the last one, and told to hold out the last.
    """
    import torch
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.sequential_recommender import SASRec
    from recbole.trainer import Trainer

    rows = np.r_[splits["list_train"], splits["list_test"]]
    columns = ("user_id:token", "item_id:token", "timestamp:float")
    fixed = {
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "eval_args": {"split": {"LS": "test_only"}, "order": "TO", "group_by": "user", "mode": "full"},
        **{"train_neg_sample_args": None, "loss_type": "CE", "use_gpu": False, "seed": SEED, "state": "ERROR"},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "histories" / "histories.inter"
        path.parent.mkdir()
        table = pd.DataFrame(dict(zip(columns, (*rows.T, np.arange(len(rows))), strict=True)))
        table.to_csv(path, sep="\t", index=False)
        fixed |= {"data_path": folder, "checkpoint_dir": folder}
        config = Config(model="SASRec", dataset="histories", config_dict=fixed | options)
        data = create_dataset(config)
        train, _, test = data_preparation(config, data)
        model = SASRec(config, train.dataset)
        fit_seconds, _ = timed(lambda: Trainer(config, model).fit(train, saved=False, show_progress=False))
    items = data.id2token("item_id", np.arange(1, data.item_num)).astype(int)
    scores = np.full(splits["shape"], -np.inf, dtype=np.float32)

    def score() -> None:
        for asked, *_ in test:
            users = data.id2token("user_id", asked["user_id"].numpy()).astype(int)
            scores[users[:, None], items] = model.full_sort_predict(asked).view(len(users), -1)[:, 1:].numpy()

    model.eval()
    with torch.no_grad():
        score_seconds, _ = timed(score)
    return {"fit s": fit_seconds, "score s": score_seconds, "scores": scores}


# Entries. Rating models take their defaults or values set by hand. The values of list models were chosen by hand on a
# validation split inside list_train: its last item of every user.

surprise_svd = partial(surprise_rating, algorithm="SVD", random_state=SEED)
TUNED_SVD = {"n_factors": 100, "n_epochs": 50, "reg_all": 0.1}
VAE = {"k": 50, "autoencoder_structure": [200], "beta": 0.3, "n_epochs": 100, "batch_size": 50}
SASREC = {"n_factors": 64, "n_blocks": 2, "n_heads": 2, "dropout_rate": 0.2, "session_max_len": 50, "lr": 0.001}
RECTOOLS = {**SASREC, "epochs": 80, "batch_size": 128, "loss": "softmax"}
RECBOLE = {"hidden_size": 64, "inner_size": 256, "n_layers": 2, "n_heads": 2, "MAX_ITEM_LIST_LENGTH": 50, "epochs": 4}
IMPLICIT_MF = {"embedding_size": 32, "weight": 2, "regularization": 2.0, "user_embeddings": "prefer"}
lenskit_mf = partial(lenskit_scorer, "als", "BiasedMFScorer")
lenskit_implicit = partial(lenskit_scorer, "als", "ImplicitMFScorer", **IMPLICIT_MF)
lenskit_knn = partial(lenskit_scorer, "knn", "ItemKNNScorer")
implicit_knn = partial(lenskit_knn, feedback="implicit", max_nbrs=100)
surprise, cornac, lenskit = (
    partial(Entry, *names) for names in (("Surprise", "scikit-surprise"), ("Cornac", "cornac"), ("LensKit", "lenskit"))
)

ENTRIES = {
    "surprise-baseline": surprise("BaselineOnly", partial(surprise_rating, algorithm="BaselineOnly", verbose=False)),
    "surprise-svd": surprise("SVD, default", surprise_svd),
    "surprise-svd-tuned": surprise("SVD f=100, 50 epochs, reg .1", partial(surprise_svd, **TUNED_SVD)),
    "cornac-mf": cornac(
        "MF k=50, 50 iterations, reg .1", partial(cornac_rating, algorithm="MF", k=50, max_iter=50, lambda_reg=0.1)
    ),
    "lenskit-biased-mf": lenskit("BiasedMF, default", partial(lenskit_rating, scorer=lenskit_mf)),
    "lenskit-item-knn": lenskit("ItemKNN explicit", partial(lenskit_rating, scorer=lenskit_knn)),
    "cornac-ease": cornac("EASE, λ=100", partial(cornac_list, algorithm="EASE", lamb=100, posB=False)),
    "cornac-vae": cornac("multinomial VAE", partial(cornac_list, algorithm="VAECF", **VAE)),
    "cornac-bpr": cornac("BPR k=64", partial(cornac_list, algorithm="BPR", k=64, learning_rate=0.05, lambda_reg=0.005)),
    "lenskit-implicit-mf": lenskit("ImplicitMF k=32", partial(lenskit_list, scorer=lenskit_implicit)),
    "lenskit-item-knn-implicit": lenskit("ItemKNN k=100", partial(lenskit_list, scorer=implicit_knn)),
    "rectools-sasrec": Entry("RecTools", "rectools", "SASRec, softmax, 80 epochs", partial(rectools_list, **RECTOOLS)),
    "recbole-sasrec": Entry("RecBole", "recbole", "SASRec, softmax, 4 epochs", partial(recbole_list, **RECBOLE)),
}


def main(splits_path: str, name: str, scores_path: str) -> None:
    """Fit one entry and print its row."""
    entry = ENTRIES[name]
    with np.load(splits_path) as file:
        splits = dict(file)
    with contextlib.redirect_stdout(sys.stderr):  # whatever a library prints stays off the one line
        row = entry.run(splits)
    if "scores" in row:
        np.save(scores_path, row.pop("scores"))
    version = importlib.metadata.version(entry.package)
    print(json.dumps({"library": f"{entry.library} {version}", "model": entry.model, **row}))


if __name__ == "__main__":
    main(*sys.argv[1:])
