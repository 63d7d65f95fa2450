"""All that the tests know of page 08: weights and activations."""

import numpy as np
from expected import between

from helpers.exercises import ex08

SETS = [
    {"STEPS": 20, "FEATURES": 40, "DATASET": "SMALL short", "LEAST_RATINGS": 5},
    {"STEPS": 20, "FEATURES": 40, "DATASET": "LARGE"},
    {"STEPS": 20, "FEATURES": 16},
    {"STEPS": 20, "FEATURES": 40, "LEAST_RATINGS": 60},
    {"STEPS": 20, "FEATURES": 40, "DEALT_GENRES": True},
]
WRONG = ({"DATASET": "planted"}, "planted has no titles and no years and no genres, and this page is about them")
EXPECTED = {
    "probe_genre_auc": between(0.68, 0.75),
    "probe_genre_auc_gpt": between(0.78, 0.85),
    "probe_genre_auc_table": between(0.84, 0.89),
    "neighbours_after_stretch": between(0.25, 0.36),
    "stay_without_units": between(0.7, 0.82),
    "follows_taste": between(0.43, 0.54),
    "follows_taste_without_direction": between(-0.12, 0.05),
    "stay_l1": between(0.68, 0.82),
    "stay_pca": between(0.88, 0.96),
}


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def pairs(s, y, g):
    """Which pairs of a true and a false one are won, tied, and of one group."""
    return s[y][:, None] > s[~y], s[y][:, None] == s[~y], g[y][:, None] == g[~y]


def by_group(s, y, g):
    parts = [g == k for k in np.unique(g)]
    both = [p for p in parts if 0 < y[p].sum() < p.sum()]
    return np.mean([ex08.auc_within(s[p], y[p], g[p]) for p in both])


def one_by_one(s, d):
    for v in unit(d):
        s = s - np.outer(s @ v, v)
    return s


def together(s, d):
    return s - s @ d.T @ d


def differences(s, d):
    return ex08.remove_all(s, d) + (s - ex08.remove_all(s, d)).mean(axis=0)


def neighbours_only(scores, labels, groups):
    cuts = np.flatnonzero(np.diff(groups)) + 1
    parts = np.concatenate([np.full(len(part), k) for k, part in enumerate(np.split(groups, cuts))])
    return ex08.auc_within(scores, labels, parts)


def first_two_only(states, directions):
    return ex08.remove_all(states, directions[:2])


MISTAKES = [
    ("8.1", lambda s, y, g: pairs(s, y, g)[0][pairs(s, y, g)[2]].mean(), "a tie counts as lost"),
    ("8.1", lambda s, y, g: (pairs(s, y, g)[0] | pairs(s, y, g)[1])[pairs(s, y, g)[2]].mean(), "a tie counts as won"),
    ("8.1", lambda s, y, g: ex08.auc_within(s, y, np.zeros(len(s))), "the share over all pairs"),
    ("8.1", lambda s, y, g: 1 - ex08.auc_within(s, y, g), "the false ones win"),
    ("8.1", by_group, "this is a mean over groups"),
    ("8.1", lambda s, y, g: ex08.auc_within(s, y, g) * pairs(s, y, g)[2].sum(), "the number of pairs won"),
    ("8.1", lambda s, y, g: ex08.auc_within(s, y, g) * pairs(s, y, g)[2].mean(), "you divide by all pairs"),
    ("8.1", lambda s, y, g: (s.sort(), 0.5)[1], "work on a copy"),
    ("8.1", neighbours_only, "for the 14 scores"),
    ("8.2", lambda P, Q: unit(Q) @ unit(Q).T, "which a stretch changes"),
    ("8.2", lambda P, Q: (P @ Q.T).T @ (P @ Q.T), "these are dot products"),
    ("8.2", lambda P, Q: np.corrcoef((P @ Q.T).T), "this is a correlation"),
    ("8.2", lambda P, Q: ex08.taste_cosine(Q, P), "the result has shape"),
    ("8.3", lambda s, d: 0 * s, "more than the part along the direction"),
    ("8.3", first_two_only, "with three directions some dot product"),
    ("8.3", together, "bring it to length 1 first"),
    ("8.3", lambda s, d: s - ex08.remove_all(s, d), "subtract it from the states"),
    ("8.3", differences, "the mean of the states still points"),
    ("8.3", one_by_one, "one after the other"),
    ("8.3", lambda s, d: together(s, unit(d)), "which is taken off twice"),
    ("8.3", lambda s, d: s - d[0], "with a single direction the states that are left"),
]
