"""All that the tests know of page 07: language models."""

import numpy as np
from expected import between, exact

from helpers.exercises import ex07

SETS = [
    {"SPLITS": 3, "TUNE_STEPS": 2, "ASKED_USERS": 1, "DATASET": "SMALL", "COLD_FILMS": 20},
    {"SPLITS": 3, "TUNE_STEPS": 2, "ASKED_USERS": 1},
    {"SPLITS": 3, "TUNE_STEPS": 2, "ASKED_USERS": 1, "COLD_FILMS": 30, "TUNED_BLOCKS": 2},
    {"SPLITS": 3, "TUNE_STEPS": 2, "ASKED_USERS": 1},
]
WRONG = ({"DATASET": "planted"}, "planted has no titles, and this page is about them")
EXPECTED = {
    "ndcg10_cold_random": between(0.07, 0.1),
    "ndcg10_cold_genre": between(0.19, 0.24),
    "ndcg10_cold_text": between(0.25, 0.32),
    "ndcg10_cold_oracle": between(0.37, 0.41),
    "ndcg10_hybrid_rare": between(0.098, 0.108),
    "ndcg10_ratings_rare": between(0.09, 0.097),
    "hit5_llm_raw": between(0.5, 0.7),
    "hit5_llm_prior": between(0.4, 0.55),
    "hit5_llm_calibrated": between(0.35, 0.52),
    "hit5_llm_matched": between(0.28, 0.44),
    "hit5_popularity": between(0.7, 0.85),
    "hit5_chance": exact(0.25),
    "position_bias": between(0.2, 0.4),
}


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


MISTAKES = [
    ("7.1", lambda s, r: s[0] / np.linalg.norm(s[0]), "first token alone"),
    ("7.1", lambda s, r: s.mean(axis=0) / np.linalg.norm(s.mean(axis=0)), "padding is counted"),
    ("7.1", lambda s, r: (s * r[:, None]).sum(axis=0) / r.sum(), "divide it by its length"),
    ("7.1", lambda s, r: s, "the result has shape"),
    ("7.2", lambda s, v, k: s @ unit(v) @ unit(v).T, "subtract the mean vector"),
    ("7.2", lambda s, v, k: ex07.text_scores(s, v, k | True), "take it over the known ones"),
    ("7.2", lambda s, v, k: s @ (v - v[k].mean(axis=0)) @ (v - v[k].mean(axis=0)).T, "bring each to length 1"),
    ("7.2", lambda s, v, k: ex07.text_scores(s, v, k) / s.sum(axis=1, keepdims=True), "the sum is asked for"),
    ("7.3", lambda g, t, k: log_softmax(g)[np.arange(k, len(t)), t[k:]].sum(), "the row before its own"),
    ("7.3", lambda g, t, k: g[np.arange(k, len(t)) - 1, t[k:]].sum(), "the softmax of each row"),
    ("7.3", lambda g, t, k: ex07.log_likelihood(g, t, 1), "begin with the token at `start`"),
    ("7.3", lambda g, t, k: ex07.log_likelihood(g, t, k) / (len(t) - k), "its logarithm a sum"),
    ("7.4", lambda p, n: np.bincount(p.ravel(), minlength=n), "these are counts"),
    ("7.4", lambda p, n: np.bincount(p[:, 0], minlength=n) / len(p), "only the first turn"),
    ("7.4", lambda p, n: np.bincount(p.ravel(), minlength=n) / len(p), "questions times turns"),
]
