"""All that the tests know of page 01: four by four."""

import numpy as np
from expected import between, exact, relative

SETS = [{"SEEDS": 12, "RANK": 1}, {"SEEDS": 12, "RANK": 3, "ITERATIONS": 800}, {"SEEDS": 12, "RIDGE": 0.05}]
WRONG = ({"SEEDS": 3}, "SEEDS = 3 cannot be used: it must be a whole number and at least 12")
EXPECTED = {
    "cells_matching": exact(0),
    "rank_printed": exact(4),
    "rmse_article_factors": relative(2.335199, 1e-05),
    "rmse_printed": relative(1.858745, 1e-05),
    "rmse_mean": relative(1.563472, 1e-05),
    "rmse_rated_fit": between(0, 1e-06),
    "unseen_std": relative(3.946, 0.01),
}


def overwrites(P, rated, user):
    if rated[user].all():
        return None
    P[user][rated[user]] = -np.inf
    return int(P[user].argmax())


def svd(A):
    return np.linalg.svd(A, full_matrices=False)


def last_factor(U, V):
    P = np.zeros((len(U), V.shape[1]))
    for k in range(U.shape[1]):
        P = np.outer(U[:, k], V[k])
    return P


MISTAKES = [
    ("1.1", lambda U, V: (U @ V).T, "the table is transposed"),
    ("1.1", lambda U, V: U @ V, "by @: write the three loops"),
    ("1.1", lambda U, V: np.array([[np.dot(u, v) for v in V.T] for u in U]), "by dot: write the three loops"),
    ("1.1", lambda U, V: np.array([[U[i] * V[:, j] for j in range(4)] for i in range(4)]), "take its length from"),
    ("1.1", last_factor, "only the last factor arrived"),
    ("1.1", lambda U, V: U @ V / U.shape[1], "you averaged over the factors"),
    ("1.1", lambda U, V: U[:, :1] + V[:1], "with one factor every cell is one product"),
    ("1.2", lambda A, k: A[:k], "you returned k rows"),
    ("1.2", lambda A, k: svd(A)[0][:, :k] @ svd(A)[2][:k], "are the singular values multiplied in"),
    ("1.2", lambda A, k: np.vstack([A[:k], np.zeros((len(A) - k, A.shape[1]))]), "did you keep the *first* directions"),
    ("1.2", lambda A, k: A, "nothing was cut off"),
    ("1.2", lambda A, k: np.where(np.arange(A.shape[1]) < k + 1, A, 0), "k rows or columns instead of k directions"),
    ("1.2", lambda A, k: svd(A)[0][:, :k] * svd(A)[1][:k] @ svd(A)[2][:, :k], "of `right` the first k *rows*"),
    ("1.3", lambda R, P: np.sqrt(np.mean((R - P) ** 2)), "you counted the blanks as zeros"),
    ("1.3", lambda R, P: np.mean((R[R > 0] - P[R > 0]) ** 2), "take the root"),
    ("1.3", lambda R, P: np.sqrt(((R - P)[R > 0] ** 2).sum() / R.size), "you averaged over the zeros too"),
    ("1.3", lambda R, P: np.abs(R - P)[R > 0].mean(), "mean absolute error"),
    ("1.4", lambda P, rated, user: int(P[user].argmax()), "already rated: mask it first"),
    ("1.4", lambda P, rated, user: int(np.where(rated, -np.inf, P)[user].argmin()), "take the largest value, not"),
    ("1.4", lambda P, rated, user: int(np.where(rated, 0, P)[user].argmax()), "mask with minus infinity, not with 0"),
    ("1.4", lambda P, rated, user: int(np.where(rated, np.inf, P)[user].argmin()), "the lowest prediction"),
    ("1.4", lambda P, rated, user: P[user].max(), "one index is asked for"),
    ("1.4", lambda P, rated, user: int(P[user][~rated[user]].argmax()), "a position among the unrated films only"),
    ("1.4", overwrites, "mask a copy of the row"),
    ("1.4", lambda P, rated, user: int(np.where(rated, -np.inf, P)[user].argmax()), "rated everything gets None"),
]
