"""All that the tests know of page 08: weights and activations."""

import numpy as np
from expected import between

from helpers.exercises import ex08

SETS = [
    {"STEPS": 20, "FEATURES": 16, "DATASET": "SMALL", "LEAST_RATINGS": 5},
    {"STEPS": 20, "FEATURES": 16, "DATASET": "LARGE"},
    {"STEPS": 20, "FEATURES": 16},
    {"STEPS": 20, "FEATURES": 16, "LEAST_RATINGS": 60, "FOLDS": 3},
    {"STEPS": 20, "FEATURES": 64, "SPARSITY": 0.2},
]
WRONG = ({"DATASET": "planted"}, "planted has no titles and no years and no genres, and this page is about them")
EXPECTED = {
    "probe_genre_auc": between(0.68, 0.75),
    "probe_genre_auc_chance": between(0.45, 0.53),
    "probe_genre_auc_gpt": between(0.78, 0.85),
    "probe_genre_auc_fame": between(0.56, 0.63),
    "probe_year_r2": between(0.25, 0.36),
    "probe_year_r2_gpt": between(0.52, 0.63),
    "neighbour_overlap_dot_cosine": between(0.44, 0.53),
    "neighbour_overlap_gauge": between(0.26, 0.35),
    "genre_share_without_unit": between(0, 0.03),
    "genre_share_without_direction": between(0.45, 0.65),
    "sae_twins": between(0.2, 0.45),
    "genre_share_without_differences": between(0.06, 0.14),
}


def shuffles_in_place(score, labels, seeds):
    dealt = []
    for seed in range(seeds):
        np.random.default_rng(seed).shuffle(labels)
        dealt.append(score(labels))
    return np.array([min(dealt), max(dealt)])


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


MISTAKES = [
    ("8.1", lambda s, y: (s[y][:, None] > s[~y]).mean(), "a tie counts as lost"),
    ("8.1", lambda s, y: (s[y][:, None] >= s[~y]).mean(), "a tie counts as won"),
    ("8.1", lambda s, y: 1 - ex08.auc(s, y), "the false ones win"),
    ("8.1", lambda s, y: ex08.auc(s, y) * y.sum() * (~y).sum(), "divide by all pairs"),
    ("8.2", lambda score, y, n: ex08.chance_range(score, y, n)[::-1], "the ends are swapped"),
    ("8.2", lambda score, y, n: ex08.chance_range(score, y, n + 1), "off by one"),
    ("8.2", lambda score, y, n: np.full(2, score(y)), "deal the labels out anew"),
    ("8.2", shuffles_in_place, "changes the labels"),
    ("8.3", lambda P, Q: unit(Q) @ unit(Q).T, "which a stretch changes"),
    ("8.3", lambda P, Q: (P @ Q.T).T @ (P @ Q.T), "these are dot products"),
    ("8.3", lambda P, Q: np.corrcoef((P @ Q.T).T), "this is a correlation"),
    ("8.3", lambda P, Q: ex08.taste_cosine(Q, P), "the result has shape"),
    ("8.4", lambda s, d: s - np.outer(s @ d, d), "bring it to length 1 first"),
    ("8.4", lambda s, d: s - d, "the same vector from each state"),
    ("8.4", lambda s, d: s - ex08.remove_direction(s, d), "subtract it from the states"),
]
