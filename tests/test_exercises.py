"""Every stub is "not attempted", every reference passes, every listed mistake gets its own message."""

import inspect
import re
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import torch
from notebook_files import NOTEBOOKS, code_cells, read, tags

from helpers.course.errors import CourseError
from helpers.course.exercises import ex07, ex08, ex09, ex10
from helpers.course.page import Exercises, is_stub


def exercises_of(number: str) -> Exercises:
    return import_module(f"helpers.course.exercises.ex{number}").exercises


def stubs(path) -> dict:
    """The functions that the learner finds in a notebook, by exercise number."""
    found = {}
    for cell in code_cells(read(path)):
        if "exercise" in tags(cell):
            space = {
                "np": np,
                "pd": pd,
                "torch": torch,
                "check": lambda number, function: found.update({number: function}),
            }
            exec(cell.source, space)
    return found


ALL = [(path, number) for path in NOTEBOOKS for number in exercises_of(path.name[:2]).references]


@pytest.mark.parametrize(("path", "number"), ALL, ids=lambda value: getattr(value, "stem", value))
def test_stub_runs_as_it_stands_and_shares_its_signature_with_the_reference(path, number):
    exercises, stub = exercises_of(path.name[:2]), stubs(path)[number]
    reference = exercises.references[number]
    assert exercises.verdict(number, stub) == "not attempted yet."
    assert (stub.__name__, inspect.signature(stub)) == (reference.__name__, inspect.signature(reference))
    assert inspect.getdoc(stub) == inspect.getdoc(reference)


@pytest.mark.parametrize(("path", "number"), ALL, ids=lambda value: getattr(value, "stem", value))
def test_reference_passes_at_least_three_checks(path, number):
    exercises = exercises_of(path.name[:2])
    verdict = exercises.verdict(number, exercises.references[number])
    assert re.fullmatch(r"passed: ([2-9]) checks\.", verdict), verdict


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_and_module_hold_the_same_exercises(path):
    assert list(stubs(path)) == list(exercises_of(path.name[:2]).references)


def forgot_return(ratings):
    ratings.mean()


def sgd_after_u(r, u, v, step):
    u = u + step * 2 * (r - u * v) * v
    return u, v + step * 2 * (r - u * v) * u


def shuffles_in_place(score, labels, seeds):
    dealt = []
    for seed in range(seeds):
        np.random.default_rng(seed).shuffle(labels)
        dealt.append(score(labels))
    return np.array([min(dealt), max(dealt)])


def finds_nothing(recommend, history):
    assert recommend(history)


def removes_for_good(score, history):
    whole, falls = score(history), []
    for _ in range(len(history)):
        history.pop(0)
        falls.append(whole - score(history))
    return np.array(falls)


def earlier(kinds):
    return (kinds[:, None] == kinds) & np.tri(len(kinds), k=-1, dtype=bool)


def even(kinds):
    return np.tri(len(kinds)) / np.arange(1, len(kinds) + 1)[:, None]


def removals(worth, n):
    everybody = frozenset(range(n))
    return np.array([worth(everybody) - worth(everybody - {k}) for k in range(n)])


def keep_last_of_file(table):
    return table.drop_duplicates(["user", "item"], keep="last")


def in_place(table):
    table["place"] = table["timestamp"].rank()
    kept = table.sort_values("place", kind="stable").drop_duplicates(["user", "item"], keep="last")
    return kept.sort_index().drop(columns="place")


def overwrites(P, rated, user):
    if rated[user].all():
        return None
    P[user][rated[user]] = -np.inf
    return int(P[user].argmax())


def upwards(values):
    decimals = -1
    while decimals < 6 and len(set(np.round(values, decimals + 1))) == 1:
        decimals += 1
    return decimals


def svd(A):
    return np.linalg.svd(A, full_matrices=False)


def last_factor(U, V):
    P = np.zeros((len(U), V.shape[1]))
    for k in range(U.shape[1]):
        P = np.outer(U[:, k], V[k])
    return P


E = lambda R, U, V: R - U @ V
centred = lambda item, rating, n: np.bincount(item, rating - rating.mean(), n)
number_of = lambda item, n: np.bincount(item, minlength=n)


def index_batches(n, size, seed):
    order = np.random.default_rng(seed).permutation(n)
    return [order[k : k + size] for k in range(0, n, size)]


def ndcg_by(found, wanted, gain):
    return (found * gain).sum() / gain[: min(wanted, len(found))].sum()


def shuffled_ties(scores, seen, k, seed):
    order = np.random.default_rng(seed).permutation(len(scores))
    return order[np.argsort(-np.where(seen, -np.inf, scores)[order], kind="stable")[:k]]


def shuffled_list(scores, seen, k, seed):
    codes = np.argsort(-np.where(seen, -np.inf, scores), kind="stable")[:k]
    if len(set(scores[codes])) < k:
        np.random.default_rng(seed).shuffle(codes)
    return codes


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def attend(Q, K, V, scores):
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ V


def cut_into(history, length, padding, parts):
    return np.array([np.r_[np.full(length + 1 - len(p), padding), p] for p in parts], dtype=int).reshape(-1, length + 1)


def gini_of(x):
    return (2 * np.arange(1, len(x) + 1) - len(x) - 1) @ x / (len(x) * x.sum())


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
    ("6.1", lambda Q, K, V, a: attend(Q, K, V, Q @ K.T / np.sqrt(Q.shape[1])), "before the softmax"),
    ("6.1", lambda Q, K, V, a: attend(Q, K, V, np.where(a, Q @ K.T, -np.inf)), "by the root of d"),
    ("6.1", lambda Q, K, V, a: np.where(a, Q @ K.T, 0) @ V, "must be its own value"),
    ("6.2", lambda h, p: np.tril(np.ones((len(h), len(h)), dtype=bool)), "padding is looked at"),
    ("6.2", lambda h, p: (h != p) & np.ones((len(h), 1), dtype=bool), "somebody looks ahead"),
    ("6.2", lambda h, p: np.tril(np.ones((len(h), len(h)), dtype=bool)) & (h != p), "padding as well"),
    ("6.3", lambda i, d, n, t: (i + 2) * d + t * d + n * (4 * d + 6 * d * d) + 2 * d + i, "lack the biases"),
    ("6.3", lambda i, d, n, t: (i + 2) * d + t * d + n * (6 * d * d + 6 * d) + 2 * d + i, "lack their two norms"),
    ("6.3", lambda i, d, n, t: (i + 2) * d + n * (10 * d + 6 * d * d) + 2 * d + i, "the positions"),
    ("6.4", lambda h, n, p: cut_into(h, n, p, [h[k : k + n + 1] for k in range(0, len(h) - 1, n)]), "the beginning"),
    ("6.4", lambda h, n, p: cut_into(h, n, p, [h[max(0, k - n - 1) : k] for k in range(len(h), 0, -n)]), "no window"),
    ("6.4", lambda h, n, p: cut_into(h, n, p, [h[k - n - 1 : k] for k in range(len(h), 1, -n - 1)]), "share no item"),
    ("4.1", lambda o, r: ((o - r) ** 2).sum(), "you added up the squares"),
    ("4.1", lambda o, r: ((o - r) ** 2).mean().sqrt(), "you took the root"),
    ("4.1", lambda o, r: ((o - r) ** 2).mean(), "the article's bug"),
    ("4.2", lambda S: S - S.mean(axis=1, keepdims=True) - S.mean(axis=0), "add it once"),
    ("4.2", lambda S: S - S.mean(axis=1, keepdims=True), "only the row means are out"),
    ("4.2", lambda S: S - S.mean(axis=0), "only the column means are out"),
    ("4.3", lambda w, g, lr, d: w - lr * g - lr * d * w, "divide it by its size"),
    ("4.3", lambda w, g, lr, d: w - lr * (g + d * w) / (abs(g + d * w) + 1e-8), "the price that Adam spoils"),
    ("4.3", lambda w, g, lr, d: w - lr * g / (abs(g) + 1e-8) - d * w, "the share is ηλ"),
    ("4.4", lambda n, size, seed: index_batches(n, size, seed)[:-1], "the last, shorter batch is missing"),
    ("4.4", lambda n, size, seed: np.split(np.arange(n), range(size, n, size)), "the order is not random"),
    ("4.4", lambda n, size, seed: index_batches(n, size, 0), "the seed is not used"),
    ("5.1", lambda s, seen, k, seed: np.argsort(-s)[:k], "mask them first"),
    ("5.1", lambda s, seen, k, seed: np.argsort(-np.where(seen, -np.inf, s))[:k][::-1], "best first"),
    ("5.1", lambda s, seen, k, seed: np.argsort(-np.where(seen, 0, s))[:k], "minus infinity, not 0"),
    ("5.1", lambda s, seen, k, seed: np.argsort(-np.where(seen, -np.inf, s), kind="stable")[:k], "whatever the seed"),
    ("5.1", lambda s, seen, k, seed: shuffled_ties(s, seen, k, None), "inside the function, from the seed"),
    ("5.1", lambda s, seen, k, seed: shuffled_list(s, seen, k, seed), "permute all items, not the list"),
    ("5.2", lambda f, w: (f / np.log2(np.arange(2, len(f) + 2))).sum(), "divide by the gain of a perfect list"),
    ("5.2", lambda f, w: ndcg_by(f, w, 1 / np.arange(1, len(f) + 1)), "it is 1 / log2(place + 1)"),
    ("5.2", lambda f, w: f.mean(), "should give 1"),
    ("5.3", lambda B, seen, i: B[:, i], "multiply by what was seen"),
    ("5.3", lambda B, seen, i: seen * B[i], "in its column"),
    ("5.3", lambda B, seen, i: seen * B[:, i] / abs(seen * B[:, i]).sum(), "made shares of them"),
    ("5.4", lambda x: gini_of(np.sort(x)[::-1]), "sort upwards"),
    ("5.4", lambda x: gini_of(x), "not sorted"),
    ("5.4", lambda x: gini_of(np.sort(x)) * len(x), "divide by n and by the sum"),
    ("0.1", np.sum, "this is the sum"),
    ("0.1", np.median, "this is the median"),
    ("0.1", forgot_return, "is the `return` missing"),
    ("0.2", lambda v: 1, "you cut the digits off"),
    ("0.2", lambda v: 4, "four decimals are what is printed"),
    ("0.2", lambda v: 0, "the *most* decimals"),
    ("0.2", lambda v: 3, "differ even as whole numbers"),
    ("0.2", lambda v: "3", "a whole number, and you return"),
    ("0.2", upwards, "start from six decimals and go down"),
    ("0.3", lambda v, above: np.mean(v) > above, "the mean hides it"),
    ("0.3", lambda v, above: np.min(v) > above, "two runs are no claim"),
    ("0.3", lambda v, above: len(v) >= 3 and np.min(v) >= above, "0.1 is not above 0.1"),
    ("0.3", lambda v, above: 1, "True or False is asked for"),
    ("1.1", lambda U, V: (U @ V).T, "the table is transposed"),
    ("1.1", last_factor, "only the last factor arrived"),
    ("1.1", lambda U, V: U @ V / U.shape[1], "you averaged over the factors"),
    ("1.1", lambda U, V: U[:, :1] + V[:1], "with one factor every cell is one product"),
    ("1.2", lambda A, k: A[:k], "you returned k rows"),
    ("1.2", lambda A, k: svd(A)[0][:, :k] @ svd(A)[2][:k], "are the singular values multiplied in"),
    ("1.2", lambda A, k: np.vstack([A[:k], np.zeros((len(A) - k, A.shape[1]))]), "did you keep the *first* directions"),
    ("1.2", lambda A, k: A, "did you keep k rows or columns instead of k directions"),
    ("1.3", lambda R, P: np.sqrt(np.mean((R - P) ** 2)), "you counted the blanks as zeros"),
    ("1.3", lambda R, P: np.mean((R[R > 0] - P[R > 0]) ** 2), "take the root"),
    ("1.3", lambda R, P: np.sqrt(((R - P)[R > 0] ** 2).sum() / R.size), "you averaged over the zeros too"),
    ("1.3", lambda R, P: np.abs(R - P)[R > 0].mean(), "mean absolute error"),
    ("1.4", lambda P, rated, user: int(P[user].argmax()), "already rated: mask it first"),
    ("1.4", lambda P, rated, user: int(np.where(rated, 0, P)[user].argmax()), "mask with minus infinity, not with 0"),
    ("1.4", lambda P, rated, user: int(np.where(rated, np.inf, P)[user].argmin()), "the lowest prediction"),
    ("1.4", lambda P, rated, user: P[user].max(), "one index is asked for"),
    ("1.4", lambda P, rated, user: int(P[user][~rated[user]].argmax()), "a position among the unrated films only"),
    ("1.4", overwrites, "mask a copy of the row"),
    ("1.4", lambda P, rated, user: int(np.where(rated, -np.inf, P)[user].argmax()), "rated everything gets None"),
    ("2.1", sgd_after_u, "did you compute its slope after u had moved"),
    ("2.1", lambda r, u, v, s: (u - 2 * s * (r - u * v) * v, v - 2 * s * (r - u * v) * u), "you walk uphill"),
    ("2.1", lambda r, u, v, s: (u + s * (r - u * v) * v, v + s * (r - u * v) * u), "half as long"),
    ("2.1", lambda r, u, v, s: (u + 2 * s * (r - u * v) * u, v + 2 * s * (r - u * v) * v), "the slope in u carries v"),
    ("2.1", lambda r, u, v, s: (u + 2 * s * r * v, v + 2 * s * r * u), "nothing should move"),
    ("2.2", lambda R, m, U, V, ridge: (E(R, U, V) ** 2).sum(), "you summed over the blanks too"),
    ("2.2", lambda R, m, U, V, ridge: (E(R, U, V)[m] ** 2).mean(), "you averaged"),
    ("2.2", lambda R, m, U, V, ridge: (E(R, U, V)[m] ** 2).sum() + ridge * (U**2).sum(), "on V as well"),
    ("2.2", lambda R, m, U, V, ridge: (E(R, U, V)[m] ** 2).sum() + ridge * (V**2).sum(), "on U as well"),
    (
        "2.2",
        lambda R, m, U, V, ridge: (E(R, U, V)[m] ** 2).sum() + ridge * (np.linalg.norm(U) + np.linalg.norm(V)),
        "do not take the root",
    ),
    ("2.3", lambda H: 1 / np.linalg.eigvalsh(H)[-1], "jumps straight to the bottom"),
    ("2.3", lambda H: 2 / np.linalg.eigvalsh(H)[0], "the largest one breaks first"),
    ("2.3", lambda H: 2 * np.linalg.eigvalsh(H)[-1], "the more curved the bowl"),
    ("2.3", lambda H: 2 / H.max(), "the largest entry of H"),
    ("2.4", lambda U, A: U @ A, "the users must undo it"),
    ("2.4", lambda U, A: U @ np.linalg.inv(A).T, "a transpose too many"),
    ("2.4", lambda U, A: U, "predictions move by"),
    ("3.1", lambda table: table.drop_duplicates(), "name the columns of the pair"),
    ("3.1", keep_last_of_file, "sort by timestamp first"),
    ("3.1", lambda t: t.drop_duplicates(["user", "item"]), "you kept the first rating"),
    ("3.1", lambda t: t.drop_duplicates("user"), "is the pair user *and* item"),
    (
        "3.1",
        lambda t: t.sort_values("timestamp").drop_duplicates(["user", "item"], keep="last"),
        "sort by the index at the end",
    ),
    ("3.1", in_place, "work on a copy"),
    ("3.1", lambda t: t.loc[sorted(t.groupby(["user", "item"])["timestamp"].idxmax())], "of two rows at the same time"),
    ("3.2", lambda c, f: np.sort(c)[: max(1, int(f * len(c)))].sum() / c.sum(), "sort downwards"),
    ("3.2", lambda c, f: c[: max(1, int(f * len(c)))].sum() / c.sum(), "sort first"),
    ("3.2", lambda c, f: np.sort(c)[::-1][: int(f * len(c))].sum() / c.sum(), "take at least one item"),
    ("3.2", lambda c, f: np.sort(c)[::-1][: int(f * len(c))].sum() / len(c), "divide by the sum of all"),
    ("3.3", lambda i, r, n, s: np.bincount(i, r - r.mean()) / (np.bincount(i) + s + 1e-9), "keeps its place"),
    ("3.3", lambda i, r, n, s: np.bincount(i, r, n) / np.maximum(number_of(i, n) + s, 1e-9), "take off the mean"),
    ("3.3", lambda i, r, n, s: centred(i, r, n) / np.maximum(number_of(i, n), 1), "shrink changes nothing"),
    ("3.3", lambda i, r, n, s: centred(i, r, n) / (number_of(i, n) + s), "divides 0 by 0"),
    ("3.3", lambda i, r, n, s: (centred(i, r, n) - s) / np.maximum(number_of(i, n), 1), "add shrink to the *number*"),
    (
        "3.3",
        lambda i, r, n, s: np.bincount(i, r, n) / np.maximum(number_of(i, n) + s, 1) - r.mean(),
        "an item without ratings has a bias of 0",
    ),
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
    ("9.1", lambda a: a.mean(1)[2] @ a.mean(1)[1] @ a.mean(1)[0], "keeps half of itself"),
    ("9.1", lambda a: ex09.rollout(a[::-1]), "the order is reversed"),
    ("9.1", lambda a: 8 * ex09.rollout(a), "halve each A + I"),
    ("9.1", lambda a: a.mean(1), "the result has shape"),
    ("9.2", lambda s, c: ex09.hit_rates(s, c) * [len(s), 1], "counts the hits"),
    ("9.2", lambda s, c: np.array([(s.argmax(1) == c.argmax(1)).mean(), c.mean()]), "at any of them"),
    ("9.2", lambda s, c: np.array([ex09.hit_rates(s, c)[0], 1 / s.shape[1]]), "only with one cause"),
    ("9.3", lambda w, k: (w * earlier(k)).sum(1)[1:].mean(), "is not subtracted"),
    ("9.3", lambda w, k: ((w - even(k)) * (k[:, None] == k)).sum(1)[1:].mean(), "leave the diagonal out"),
    ("9.3", lambda w, k: ((w - 1 / len(k)) * earlier(k)).sum(1)[1:].mean(), "goes to i + 1 films"),
    ("9.3", lambda w, k: ((w - even(k)) * earlier(k)).sum(1).mean(), "from the second on"),
    ("9.4", lambda v: np.zeros(len(v)), "since your vector is 0"),
    ("9.4", lambda v: 2 * ex09.free_direction(v), "bring it to 1"),
    ("9.4", lambda v: np.linalg.svd(v.T)[2][-1], "must add up to 0"),
    ("9.4", lambda v: np.array([1, -1, *[0] * (len(v) - 2)]) / 2**0.5, "changes the mixture"),
    ("10.1", lambda f, h: -ex10.occlusion(f, h), "the sign is turned"),
    ("10.1", lambda f, h: np.array([f(h[:k] + h[k + 1 :]) for k in range(len(h))]), "these are the scores without"),
    ("10.1", lambda f, h: np.array([f(h) - f([i for i in h if i != j]) for j in h]), "removed at both places"),
    ("10.1", removes_for_good, "changes the history"),
    ("10.2", lambda g, x, b, n: (x - b) * g(x), "the slope at the end"),
    ("10.2", lambda g, x, b, n: ex10.integrated_gradients(g, x, b, n) / (x - b), "multiply by x - baseline"),
    ("10.2", lambda g, x, b, n: ex10.integrated_gradients(g, x, b, n) / (x - b) * x, "and not by x"),
    ("10.2", lambda g, x, b, n: ex10.integrated_gradients(g, x, b, n) * n, "take their mean"),
    ("10.2", lambda g, x, b, n: ex10.integrated_gradients(g, x, 0 * b, n), "begins at the baseline"),
    ("10.3", lambda v, n: np.array([v(frozenset({k})) - v(frozenset()) for k in range(n)]), "when it comes first"),
    ("10.3", lambda v, n: removals(v, n), "when it comes last"),
    ("10.3", lambda v, n: ex10.shapley(v, n) * 24, "divide by their number"),
    ("10.3", lambda v, n: ex10.shapley(v, n) + v(frozenset()) / n, "what nobody reaches"),
    ("10.4", finds_nothing, "finds no set"),
    ("10.4", lambda f, h: [h[k] for k in ex10.smallest_set(f, h)], "the set holds items"),
    ("10.4", lambda f, h: list(range(len(h))), "two are enough"),
    ("10.4", lambda f, h: [1], "is still the same"),
    ("10.4", lambda f, h: ex10.smallest_set(f, h) or [], "the answer is None"),
    ("3.4", lambda r: np.cumsum(r) / np.arange(1, len(r) + 1), "the first rating itself"),
    ("3.4", lambda r: np.r_[0, np.full(len(r) - 1, r.mean())], "the future is in the mean"),
    ("3.4", lambda r: (np.cumsum(r) - r) / np.arange(1, len(r) + 1), "you divide by one too many"),
]


@pytest.mark.parametrize(("number", "mistake", "message"), MISTAKES, ids=[f"{m[0]} {m[2]}" for m in MISTAKES])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_listed_mistake_gets_its_own_message(number, mistake, message):
    verdict = exercises_of(number.split(".")[0].zfill(2)).verdict(number, mistake)
    assert verdict.startswith("not yet: ") and message in verdict


def test_every_exercise_lists_at_least_three_mistakes_with_different_messages():
    for _, number in ALL:
        messages = {message for n, _, message in MISTAKES if n == number}
        assert len(messages) >= 3, number


def test_a_function_that_crashes_is_reported_in_one_sentence():
    verdict = exercises_of("01").verdict("1.1", lambda U, V: U[99])
    assert verdict.startswith("not yet: your function stopped with IndexError: ") and "\n" not in verdict


def test_a_function_without_return_is_not_taken_for_a_stub():
    def forgot(U, V):
        U @ V

    assert not is_stub(forgot)
    assert "is the `return` missing" in exercises_of("01").verdict("1.1", forgot)


def test_an_unknown_exercise_is_named():
    with pytest.raises(CourseError, match=r"no exercise '9.9' here: it is one of 1.1"):
        exercises_of("01").check("9.9", len)


def test_solution_shows_the_reference_as_code(capsys):
    exercises_of("01").solution("1.3")
    assert "def rmse_rated" in capsys.readouterr().out
