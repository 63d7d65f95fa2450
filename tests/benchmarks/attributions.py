"""Attributions to a history of 50 films beside Captum's: the same values, timed one after the other.

    python tests/benchmarks/attributions.py

Occlusion removes each film in turn; Captum does so for all 50 in one batch. Integrated gradients take 50 steps. Times
are medians of 15 rounds, ours and Captum's in turn, after 3 rounds that do not count; two threads.
"""

import statistics
import time

import torch
from captum.attr import FeatureAblation, IntegratedGradients

from helpers import data, explain
from helpers.course.references import load_reference

LENGTH, STEPS, WARM_UPS, ROUNDS = 50, 50, 3, 15


def main() -> None:
    """Measure, and print a table."""
    torch.set_num_threads(2)
    model, ratings = load_reference("gpt-movielens"), data.load_ratings("movielens-100k")
    train, test = data.split_leave_last_out(ratings.table)
    past = data.histories(train, ratings.shape[0])
    user = next(user for user in test["user"] if len(past[user]) >= LENGTH)
    history = torch.tensor(data.pad_left([past[user]], LENGTH, model.padding))
    target = torch.tensor(test.loc[test["user"] == user, "item"].to_numpy())
    vectors = model.items(history).detach()

    @torch.no_grad()
    def play(kept: torch.Tensor) -> torch.Tensor:
        """Scores of the target where kept is 1: (n, length) → (n,)"""
        order = kept.bool().byte().argsort(dim=1, stable=True)  # what is left moves up
        moved = torch.where(kept.bool(), history, model.padding).gather(1, order)
        return explain.target_scores(model, moved, target)

    with_vectors = lambda given, codes, to: explain.target_scores(model, codes, to, given)
    everything, slopes = torch.ones(1, LENGTH), IntegratedGradients(with_vectors)
    options = {"n_steps": STEPS, "method": "gausslegendre", "internal_batch_size": None}
    pairs = {
        "occlusion": (
            lambda: explain.occlusion(model, history, target),
            lambda: FeatureAblation(play).attribute(everything, perturbations_per_eval=LENGTH),
        ),
        f"integrated gradients, {STEPS} steps": (
            lambda: explain.integrated_gradients(model, history, target, steps=STEPS)[0],
            lambda: slopes.attribute(vectors, additional_forward_args=(history, target), **options).sum(dim=2),
        ),
    }
    print(f"{'ms, median of ' + str(ROUNDS):<32}{'ours':>8}{'Captum':>8}{'differ by':>12}")
    for name, calls in pairs.items():
        taken, values = ([], []), [call() for call in calls]
        for _ in range(WARM_UPS + ROUNDS):
            for call, times in zip(calls, taken, strict=True):
                begun = time.perf_counter()
                call()
                times.append(1000 * (time.perf_counter() - begun))
        ours, captum = (statistics.median(times[WARM_UPS:]) for times in taken)
        print(f"{name:<32}{ours:>8.1f}{captum:>8.1f}{float((values[0] - values[1]).abs().max()):>12.1e}")


if __name__ == "__main__":
    main()
