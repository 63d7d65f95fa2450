"""Headline figures: stored by record, read back as JSON lines, compared by kind."""

import json
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from notebook_files import NOTEBOOKS, ROOT

from helpers.course import results
from helpers.course.errors import CourseError

KINDS = {"exact", "relative", "interval", "time"}
REQUIRED = {
    "01_four_by_four": "cells_matching rank_printed rmse_article_factors rmse_printed rmse_mean "
    "rmse_rated_fit unseen_std",
    "02_gradient_descent": "max_gradient_error predicted_divergence_step seen_divergence_step "
    "cosine_before cosine_after max_prediction_change",
    "04_embedding_model": "rmse_article_loop rmse_article_repaired rmse_bias rmse_dot rmse_best rmse_five_fold_mean "
    "rmse_five_fold_std fit_seconds_dot throughput_ratio distinct_rankings_article distinct_rankings_dot",
    "05_recommendation_lists": "hr10_popularity ndcg10_popularity ndcg10_itemknn ndcg10_ease hr10_ease "
    "ndcg10_best_matrix ndcg10_dot sampled_order_reversed",
    "06_transformer_recommender": "planted_accuracy hr10_gpt ndcg10_gpt hr10_gpt_seeds_mean ndcg10_gpt_seeds_mean "
    "ndcg10_gpt_seeds_std ndcg10_gpt_reference hr10_bert_reference ndcg10_bert_reference ndcg10_shuffled_order "
    "ndcg10_ease train_seconds_gpt parameters",
    "07_language_models": "ndcg10_cold_random ndcg10_cold_genre ndcg10_cold_text ndcg10_cold_oracle ndcg10_hybrid_rare "
    "ndcg10_ratings_rare hit5_llm_raw hit5_llm_prior hit5_llm_calibrated hit5_llm_matched hit5_popularity hit5_chance "
    "position_bias",
    "08_weights_and_activations": "probe_genre_auc probe_genre_auc_chance probe_year_r2 neighbour_overlap_dot_cosine",
    "09_attention_maps": "hit1_last_attention hit1_last_attention_std hit1_rollout hit1_rollout_std hit1_random "
    "hit1_random_std hit1_two_part_attention attention_occlusion_rank_corr alternative_attention_output_gap",
    "10_attribution": "ig_completeness_gap shapley_gap influence_retraining_pearson counterfactual_size_mean "
    "method_agreement",
    "03_movielens": "n_users n_items n_ratings rmse_mean rmse_bias rmse_bias_temporal",
}


def expected(stem: str) -> dict:
    return json.loads((ROOT / "tests" / "expected" / f"{stem[:2]}.json").read_text())


def differs(rule: dict, value) -> str | None:
    """Why a figure is not what is expected, by the kind of its rule; None if it is."""
    if rule["kind"] == "exact":
        return (
            None if value == rule["value"] and type(value) is type(rule["value"]) else f"{value} is not {rule['value']}"
        )
    if rule["kind"] == "relative":
        gap = abs(value - rule["value"]) / abs(rule["value"])
        return None if gap <= rule["tolerance"] else f"{value} is {gap:.1e} off {rule['value']}"
    if rule["kind"] == "interval":
        return None if rule["low"] <= value <= rule["high"] else f"{value} is not in [{rule['low']}, {rule['high']}]"
    return None if value > 0 else f"{value} is no time"


def compare(stem: str, metrics: dict) -> list[str]:
    """All differences between a record and what is expected of it."""
    rules = expected(stem)
    problems = [f"{name} is recorded but not expected, or the reverse" for name in rules.keys() ^ metrics.keys()]
    return problems + [f"{n}: {why}" for n in rules.keys() & metrics.keys() if (why := differs(rules[n], metrics[n]))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_figures_are_the_expected_ones(path):
    assert compare(path.stem, results.read_record(path)["metrics"]) == []


@pytest.mark.parametrize("stem", REQUIRED)
def test_the_promised_figures_are_recorded(stem):
    assert set(REQUIRED[stem].split()) <= expected(stem).keys()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_rule_has_a_known_kind(path):
    assert {rule["kind"] for rule in expected(path.stem).values()} <= KINDS


def test_a_changed_figure_of_each_kind_is_noticed():
    assert differs({"kind": "exact", "value": 4}, 5) and differs({"kind": "exact", "value": 4}, 4.0)
    assert differs({"kind": "relative", "value": 1.563, "tolerance": 1e-3}, 1.57)
    assert differs({"kind": "interval", "low": 0, "high": 0.94}, 0.95)
    assert differs({"kind": "time"}, -1)
    assert compare("03_movielens", {"n_users": 943})


def test_the_bias_baseline_keeps_its_promise():
    rule = expected("03")["rmse_bias"]
    assert rule["value"] * (1 + rule["tolerance"]) <= 0.940


def test_command_prints_one_json_object_a_notebook():
    command = [sys.executable, "-m", "helpers.course.results", *map(str, NOTEBOOKS)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["notebook"] for line in lines] == [path.stem for path in NOTEBOOKS]
    assert all(set(line) == {"notebook", "parameters", "metrics"} for line in lines)
    assert lines[3]["parameters"]["DATASET"] == "movielens-100k"


def test_command_names_what_it_cannot_read_and_goes_on(tmp_path, capsys):
    (tmp_path / "broken.ipynb").write_text("{")
    empty = tmp_path / "empty.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), empty)
    assert (
        results.main([str(tmp_path / "broken.ipynb"), str(empty), str(tmp_path / "none.ipynb"), str(NOTEBOOKS[1])]) == 1
    )
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 1
    assert "is not a notebook" in shown.err and "holds no record" in shown.err and "does not exist" in shown.err
    assert results.main([]) == 2


def test_injected_parameters_replace_the_defaults():
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("A: int = 1  # one\nB: str = 'x'", metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell("# Parameters\nA = 7\n", metadata={"tags": ["injected-parameters"]}),
        ]
    )
    assert results.parameters_of(notebook) == {"A": 7, "B": "x"}


def test_record_takes_numpy_numbers_and_missing_figures(capsys):
    results.record(count=np.int64(3), error=np.float32(0.5), temporal=None, name="x", flag=np.bool_(True))
    shown = capsys.readouterr().out
    assert "count" in shown and "not in these data" in shown


@pytest.mark.parametrize("bad", [float("nan"), np.inf, [1, 2], np.ones(2), object()])
def test_record_refuses_what_is_no_figure(bad):
    with pytest.raises(CourseError, match="rmse = "):
        results.record(rmse=bad)
