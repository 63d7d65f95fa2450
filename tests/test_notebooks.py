"""Rules of the pages that need no kernel, among them what nbval lets through."""

import ast
import itertools
import re
import statistics
from collections import Counter

import nbformat
import pandas as pd
import pytest
from notebook_files import NOTEBOOKS, ROOT, code_cells, prose, read, tags

from helpers.page import CLAIM, CLAIMS, HOME, within
from tools.replicate import claims_of
from tools.results import number_of

FINISHED = NOTEBOOKS[1:]  # all that make claims
finished = pytest.mark.parametrize("path", FINISHED, ids=lambda path: path.stem)
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_the_walk_is_numbered_without_gaps():
    numbers = [number_of(path) for path in NOTEBOOKS]
    whole = [number for number in numbers if number.isdigit()]
    assert whole == [f"{k:02d}" for k in range(len(whole))]
    halves = [place for place, number in enumerate(numbers) if not number.isdigit()]
    assert all(numbers[place] == numbers[place - 1] + "b" for place in halves)
    assert len(NOTEBOOKS) >= 4


@every_notebook
def test_executed_in_order_from_a_fresh_kernel(path):
    cells = code_cells(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


@every_notebook
def test_no_stored_output_is_an_error_or_a_warning(path):
    outputs = [output for cell in code_cells(read(path)) for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]


@every_notebook
def test_every_figure_is_followed_by_its_caption(path):
    for cell in code_cells(read(path)):
        for k, output in enumerate(cell.outputs):
            if "image/png" in output.get("data", {}):
                assert output.data["text/plain"].startswith("[figure: ")
                caption = cell.outputs[k + 1].data["text/plain"]
                assert re.match(r"Figure\. .*\d", caption), caption


@every_notebook
def test_nbval_ignores_only_the_record_and_the_machine(path):
    for cell in code_cells(read(path)):
        skipped = {t for t in tags(cell) if t.startswith("nbval")} or "NBVAL" in cell.source
        assert not skipped or "record" in tags(cell) or "machine" in tags(cell), cell.source


@every_notebook
def test_has_parameters_first_and_a_record_last(path):
    cells = code_cells(read(path))
    assert "parameters" in tags(cells[0]) and "record" in tags(cells[-1])
    assert "nbval-ignore-output" in tags(cells[-1])


@every_notebook
def test_parameters_are_upper_case_annotated_and_explained(path):
    source = code_cells(read(path))[0].source
    for node, line in zip(ast.parse(source).body, source.splitlines(), strict=True):
        assert isinstance(node, ast.AnnAssign) and node.target.id.isupper() and " # " in line, line


@every_notebook
def test_every_parameter_is_checked_in_the_next_cell(path):
    parameters, *setup = code_cells(read(path))[:3]
    names = [node.target.id for node in ast.parse(parameters.source).body]
    checked = re.findall(r'^parameter\("(\w+)", (\w+), ', "\n".join(cell.source for cell in setup), re.M)
    assert checked == [(name, name) for name in names]


@every_notebook
def test_headings_form_a_tree_under_one_title(path):
    levels = [len(marks) for marks in re.findall(r"^(#+) ", prose(read(path)), re.M)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in itertools.pairwise(levels))


@every_notebook
def test_header_names_stage_minutes_needs_and_abilities(path):
    notebook = read(path)
    header = notebook.cells[0].source
    number = number_of(path).lstrip("0") or "0"
    assert header.startswith(f"# {number} · ")
    for part in ("*Pipeline:*", "**", "*Time:*", "minutes", "*Needs:*", "After this page you can"):
        assert part in header
    assert 3 <= len(re.findall(r"^- ", header, re.M)) <= 6


@every_notebook
def test_ends_with_limits_recap_next_and_sources(path):
    text = prose(read(path))
    places = [text.index(part) for part in ("## What this does not tell you", "## Recap", "**Next:**", "**Sources.**")]
    assert places == sorted(places)


@every_notebook
def test_predictions_offer_answers_and_fold_the_reveal(path):
    text = prose(read(path))
    predictions = re.findall(r"> \*\*Predict\.\*\*(.*?)</details>", text, re.S)
    assert len(predictions) >= (1 if path.name.startswith("00") else 3)
    for block in predictions:
        assert "<details><summary>Commit" in block and block.count("\n- *") >= 2


@every_notebook
def test_three_to_five_exercises_each_with_stub_check_and_hidden_solution(path):
    notebook = read(path)
    cells = code_cells(notebook)
    stubs = [k for k, cell in enumerate(cells) if "exercise" in tags(cell)]
    assert 3 <= len(stubs) <= 5
    for k in stubs:
        number = re.search(r'check\("([\db.]+)"', cells[k].source).group(1)
        assert cells[k + 1].source == f'# solution("{number}")'
        assert f"### Exercise {number} ●" in prose(notebook)


@every_notebook
def test_is_of_readable_size(path):
    notebook = read(path)
    assert path.stat().st_size < 1_500_000
    assert 15 <= len(notebook.cells) <= 90
    assert max(len(cell.source.splitlines()) for cell in code_cells(notebook)) <= 40


@finished
def test_a_finished_page_has_short_cells_and_draws_its_mechanisms(path):
    cells = code_cells(read(path))
    lengths = [len(cell.source.splitlines()) for cell in cells]
    assert statistics.median(lengths) <= 10 and max(lengths) <= 25
    assert max(len(line) for cell in cells for line in cell.source.splitlines()) <= 100
    assert sum("drawing" in tags(cell) for cell in cells) >= 3


def right_places() -> list[tuple[str, bool]]:
    """The letter of each prediction's right answer, and whether it is the last one."""
    found = []
    for path in FINISHED:
        for block in re.findall(r"> \*\*Predict\.\*\*(.*?)</details>", prose(read(path)), re.S):
            offered = re.findall(r"^> - ([a-d])\) ", block, re.M)
            told = re.findall(r"^- \*([a-d])\) ", block, re.M)
            (right,) = re.findall(r"^- \*([a-d])\) [^*]*\* ✓", block, re.M) if offered else [""]
            if offered:
                assert set(told) <= set(offered) and len(offered) >= 3
                found.append((right, right == offered[-1]))
    return found


def test_right_answers_stand_at_no_place_more_often_than_two_in_five():
    places = right_places()
    assert len(places) >= 30
    assert max(Counter(letter for letter, _ in places).values()) <= 0.4 * len(places)
    assert sum(is_last for _, is_last in places) <= 0.4 * len(places)


# Claims


@pytest.fixture(scope="module")
def fresh():
    """Rows of data/tables/claims.csv."""
    return pd.read_csv(
        CLAIMS, keep_default_na=False, na_values={"smallest": [""], "largest": [""]}, dtype={"page": str}
    )


def sentences(path) -> dict[str, str]:
    """What each claim of a page says, by id."""
    outputs = [output for cell in code_cells(read(path)) for output in cell.outputs]
    return {o.metadata[CLAIM]["id"]: o.data["text/plain"] for o in outputs if CLAIM in o.get("metadata", {})}


def test_every_claim_of_the_course_has_an_id_of_its_own_and_leaves_its_values():
    claims = pd.concat([claims_of(path) for path in NOTEBOOKS])
    assert len(claims) >= 120 and claims["id"].is_unique
    assert all(re.fullmatch(r"[a-z0-9-]{3,40}", name) for name in claims["id"])


RESERVATIONS = ("in most runs", "in some runs", "depends on the run", "depends on the seed")


@finished
def test_a_claim_of_a_finished_page_held_in_nine_of_ten_fresh_runs_or_says_that_it_does_not_always(path, fresh):
    said = sentences(path)
    for claim in claims_of(path).itertuples():
        rows = fresh[(fresh["id"] == claim.id) & (fresh["bound"] == claim.bound) & (fresh["world"] == "")]
        rows = rows[rows["data"].isin(["", HOME]) & (rows["parameters"] == claim.parameters)]
        assert len(rows) >= 10, claim.id
        held = sum(within(claim.bound, row.smallest, row.largest) for row in rows.itertuples())
        assert held >= 0.9 * len(rows) or any(words in said[claim.id] for words in RESERVATIONS), claim.id
        assert claim.unit == "users" or f"in {held} of {len(rows)} fresh ones" in said[claim.id], claim.id


@finished
def test_a_claim_fails_in_the_world_that_it_names(path, fresh):
    named = claims_of(path).query("fails_with != ''")
    assert len(named) >= 2 or number_of(path) in ("04", "04b", "05")  # which claim little of made data
    for claim in named.itertuples():
        rows = fresh[(fresh["id"] == claim.id) & (fresh["bound"] == claim.bound)]
        rows = rows[rows["world"] == claim.fails_with]
        assert len(rows) >= 3, claim.id
        assert not any(within(claim.bound, row.smallest, row.largest) for row in rows.itertuples()), claim.id


def test_no_run_in_the_table_is_of_a_place_on_a_machine(fresh):
    assert (
        not fresh["data"].str.startswith(("/", ".")).any() and not fresh["error"].str.contains("/home|/root|/tmp").any()
    )


@every_notebook
def test_is_valid_with_unique_ids_and_no_traces_of_a_machine(path):
    nbformat.validate(read(path))
    text = path.read_text(encoding="utf8")
    assert not re.search(r"ipykernel_\d|/(home|root|Users)/|\\\\Users|site-packages", text)
    assert "papermill" not in read(path).metadata


@every_notebook
def test_relative_links_lead_somewhere_and_images_have_alt_text(path):
    text = prose(read(path))
    for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
        assert (path.parent / link).exists(), link
    assert not re.search(r"!\[\s*\]\(", text)


@every_notebook
def test_no_figure_is_typed_into_the_prose_between_cells(path):
    """A decimal in prose must come from the code nearby, the scale, or a source; limits and recaps have none."""
    text = prose(read(path))
    for section in re.findall(r"\*\*What we saw\.\*\*(.*?)(?=\n#|\Z)", text, re.S):
        plain = re.sub(r"notebooks? [\d, and]+|\(\db?\.\d\)|section \db?\.\d|MovieLens-100K", "", section, flags=re.I)
        assert not re.search(r"\d+\.\d+|\d+ ?%", plain), section


def test_glossary_has_forty_terms_with_the_article_s_word():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", prose(read(NOTEBOOKS[0])), re.M)
    glossary = rows[[row[2] for row in rows].index("中文") + 1 :]
    terms = [term for term, *_ in glossary if not term.startswith("-")]
    assert len(terms) == len(set(terms)) >= 40
    assert terms == sorted(terms, key=str.lower)


def test_the_map_names_every_notebook_that_exists():
    text = prose(read(NOTEBOOKS[0]))
    for path in NOTEBOOKS[1:]:
        assert f"]({path.name})" in text


def test_the_article_s_five_questions_are_answered():
    answers = prose(read(NOTEBOOKS[0])).split("## 0.7")[1].split("\n## ")[0]
    assert len(re.findall(r"^\*\*[^*]+\?\*\* ", answers, re.M)) == 5


def test_toy_ratings_are_the_article_s(root=ROOT):
    assert (root / "data" / "toy_ratings.csv").read_text().count("\n") == 10
