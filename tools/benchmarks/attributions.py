"""Attributions to a history of 50 films beside Captum's: the same values, timed one after the other.

    python -m tools.benchmarks.attributions

All 50 removals go in one batch. Medians of 15 rounds, ours and Captum's in turn, after 3 that do not count; 2 threads.
"""

import statistics
import time

import torch
from captum.attr import FeatureAblation, IntegratedGradients

from helpers import data, explain, recipes

LENGTH, STEPS, WARM_UPS, ROUNDS = 50, 50, 3, 15


def main() -> None:
    """Measure, and print a table."""
    torch.set_num_threads(2)
    model, ratings = recipes.trained("gpt-movielens"), data.load_ratings("movielens-100k")
    train, test = data.split_leave_last_out(ratings.table)
    past = data.histories(train, ratings.shape[0])
    user = next(user for user in test["user"] if len(past[user]) >= LENGTH)
    history = torch.tensor(data.pad_left([past[user]], LENGTH, model.padding))
    target = torch.tensor(test.loc[test["user"] == user, "item"].to_numpy())
    vectors = model.items(history).detach()

    @torch.no_grad()
    def play(kept: torch.Tensor) -> torch.Tensor:
        """The target's score after the items that are kept. Shapes: (n, length) → (n,)"""
        return explain.target_scores(model, explain.keep(history, kept.bool(), model.padding), target)

    slopes = IntegratedGradients(lambda given, *asked: explain.target_scores(model, *asked, given))
    options = {
        "n_steps": STEPS,
        "method": "gausslegendre",
        "return_convergence_delta": True,
    }  # ours returns its gap, too
    pairs = {
        "occlusion": (
            lambda: explain.occlusion(model, history, target),
            lambda: FeatureAblation(play).attribute(torch.ones(1, LENGTH), perturbations_per_eval=LENGTH),
        ),
        f"integrated gradients, {STEPS} steps": (
            lambda: explain.integrated_gradients(model, history, target, steps=STEPS)[0],
            lambda: slopes.attribute(vectors, None, None, (history, target), **options)[0].sum(dim=2),
        ),
    }
    print(f"{'median ms':<32}{'ours':>8}{'Captum':>8}{'differ by':>12}")
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
