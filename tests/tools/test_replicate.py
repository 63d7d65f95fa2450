"""Fresh runs of small pages: what is made, what is kept, and what is said."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.errors import CourseError
from helpers.page import CLAIM
from tools import replicate

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = "FIRST_SEED: int = 0  # the first\nSEEDS: int = 3  # how many\nSHIFT: float = 0.0  # of all values"
SETUP = """from helpers.page import claim, parameter
parameter("FIRST_SEED", FIRST_SEED, int)
parameter("SEEDS", SEEDS, int)
parameter("SHIFT", SHIFT, float)
values = [SHIFT + FIRST_SEED + k for k in range(SEEDS)]"""
GAP = 'claim("gap", "it is positive", values, above=-1, unit="trainings", fails_with="SHIFT=-100.0")'
SMALL = 'claim("small", "it is small", values, below=8, unit="trainings")'
FAILS = "assert FIRST_SEED != 6, 'it stopped'"


def left(name: str, bound: str, fails_with: str = "", parameters: str = "") -> dict:
    return {"id": name, "unit": "trainings", "values": [0, 1, 2], "smallest": 0.0, "largest": 2.0, "bound": bound,
            "fails_with": fails_with, "parameters": parameters}  # fmt: skip


def write(path: Path, *cells: str, claims: list[dict], parameters: str = PARAMETERS) -> Path:
    """A notebook as it would be stored, its claims in the outputs of the last cell."""
    page = new_notebook(cells=[new_code_cell(cell, id=f"c{k}") for k, cell in enumerate((parameters, SETUP, *cells))])
    page.cells[0].metadata["tags"] = ["parameters"]
    data = {"text/plain": "a claim"}
    outputs = [{"output_type": "display_data", "data": data, "metadata": {CLAIM: claim}} for claim in claims]
    page.cells[-1].outputs = [nbformat.from_dict(output) for output in outputs]
    page.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(page, path)
    return path


ASKED = {"SEEDS": 3, "SHIFT": 0.0}
DIGEST = subprocess.run(
    [sys.executable, "-c", f"from helpers import page; page._asked |= {ASKED}; print(page.as_asked())"],
    capture_output=True, text=True, cwd=ROOT, check=True,
).stdout.strip()  # fmt: skip
OF_GAP = left("gap", "above -1", "SHIFT=-100.0", DIGEST)
OF_SMALL = left("small", "below 8", parameters=DIGEST)


@pytest.fixture
def table(tmp_path, monkeypatch):
    """An empty table of the test's own."""
    monkeypatch.setattr(replicate, "CLAIMS", tmp_path / "claims.csv")
    monkeypatch.setattr(replicate, "at_a_time", lambda: 2)
    return tmp_path / "claims.csv"


@pytest.mark.kernel
def test_runs_are_made_kept_and_judged_and_made_once(tmp_path, table, capsys):
    page = write(tmp_path / "90_page.ipynb", GAP, SMALL, FAILS, claims=[OF_GAP, OF_SMALL])
    assert replicate.main([str(page), "--runs", "3"]) == 0
    rows = pd.read_csv(table, dtype={"page": str}, keep_default_na=False)
    assert list(rows) == replicate.COLUMNS
    of_gap = rows[rows["id"] == "gap"]
    assert of_gap["seed"].tolist() == [3, 6, 9] and of_gap["smallest"].astype(float).tolist() == [3, 6, 9]
    (failed,) = rows[rows["error"] != ""].itertuples()
    assert (failed.seed, failed.id) == (6, "") and "it stopped" in failed.error
    said = capsys.readouterr().out
    assert "3 runs made" in said and "FIRST_SEED=6" in said and "it stopped" in said
    judged = replicate.verdicts("90", {"data": "", "world": ""}, replicate.claims_of(page)).set_index("id")
    assert judged.loc["gap", ["held", "runs"]].tolist() == [3, 3]
    assert judged.loc["small", ["held", "runs"]].tolist() == [1, 3]  # 3, 4, 5 is below 8; the others are not
    assert replicate.main([str(page), "--runs", "3"]) == 0
    assert "0 runs made" in capsys.readouterr().out and len(pd.read_csv(table)) == len(rows)


@pytest.mark.kernel
def test_in_the_world_that_a_claim_names_only_that_claim_is_kept(tmp_path, table, capsys):
    page = write(tmp_path / "90_page.ipynb", GAP, SMALL, claims=[OF_GAP, OF_SMALL])
    assert replicate.main([str(page), "--worlds"]) == 0
    rows = pd.read_csv(table)
    assert set(rows["id"]) == {"gap"} and set(rows["world"]) == {"SHIFT=-100.0"} and len(rows) == 3
    assert (rows["smallest"] < -1).all() and "SHIFT=-100.0" in capsys.readouterr().out


def kept(seed: int, *claims: dict, **changes) -> list[dict]:
    run = {"page": "90", "data": "", "world": "", "seed": seed, "error": ""}
    return [run | {name: c[name] for name in c if name in replicate.COLUMNS} | changes for c in claims]


HERE = {"data": "", "world": ""}


def to_run(tmp_path, rows: list[dict], claims: list[dict], runs: int = 2, kind: dict = HERE) -> list[int]:
    replicate.add(rows)
    page = write(tmp_path / "90_page.ipynb", claims=claims)
    return replicate.seeds_to_run("90", kind, replicate.claims_of(page), 5, runs)


def test_an_interrupted_command_goes_on_where_it_stood(tmp_path, table):
    assert to_run(tmp_path, kept(5, OF_GAP), [OF_GAP]) == [10]
    assert to_run(tmp_path, [], [OF_GAP], runs=1) == []


@pytest.mark.parametrize("change", [{"bound": "above 0"}, {"parameters": "another"}])
def test_a_moved_bound_or_other_parameters_are_asked_on_seeds_not_used_before(tmp_path, table, change):
    assert to_run(tmp_path, kept(5, OF_GAP) + kept(10, OF_GAP), [OF_GAP | change]) == [15, 20]


def test_a_new_claim_is_asked_and_one_that_is_gone_is_not(tmp_path, table):
    assert to_run(tmp_path, kept(5, OF_GAP), [OF_GAP, OF_SMALL], runs=1) == [10]
    assert to_run(tmp_path, kept(15, OF_GAP, OF_SMALL), [OF_GAP], runs=2) == []


def test_other_data_may_leave_claims_out(tmp_path, table):
    rows = kept(5, OF_GAP, data="ml/ratings.csv")
    kind = {"data": "ml/ratings.csv", "world": ""}
    assert to_run(tmp_path, rows, [OF_GAP, OF_SMALL], runs=1, kind=kind) == []
    judged = replicate.verdicts("90", kind, replicate.claims_of(tmp_path / "90_page.ipynb")).set_index("id")
    assert judged["held"].tolist() == [1, "not asked"]


def test_trainings_on_made_histories_say_nothing_of_other_data(tmp_path):
    page = write(tmp_path / "90_page.ipynb", GAP, claims=[OF_GAP, OF_SMALL | {"unit": "planted trainings"}])
    for data, ids in (("", ["gap", "small"]), ("ml/ratings.csv", ["gap"])):
        rows = replicate.rows_of(page, {"data": data, "world": ""}, page, 5, "")
        assert [row["id"] for row in rows] == ids


def test_a_world_must_be_asked_of_every_claim_that_names_it(tmp_path, table):
    kind = {"data": "planted", "world": "DATASET=planted"}
    other = OF_SMALL | {"fails_with": "DATASET=planted"}
    rows = kept(5, OF_GAP, **kind)
    assert to_run(tmp_path, rows, [OF_GAP, other], runs=1, kind=kind) == [10]


def test_a_page_that_was_not_executed_is_refused(tmp_path, table, capsys):
    page = write(tmp_path / "90_page.ipynb", GAP, claims=[])
    assert replicate.main([str(page)]) == 2
    assert "90_page.ipynb has no claim in its outputs" in capsys.readouterr().err and not table.exists()


def test_a_page_without_draws_is_told_and_none_is_made(tmp_path, table, capsys):
    page = write(tmp_path / "91_still.ipynb", claims=[], parameters="SHIFT: float = 0.0  # of all values")
    assert replicate.main([str(page)]) == 0
    assert "91_still draws nothing, so no fresh run differs: none was made." in capsys.readouterr().out
    assert not table.exists()


def test_rows_of_a_claim_that_is_gone_are_listed_and_not_shown(tmp_path, table, capsys):
    replicate.add(kept(3, OF_GAP, left("old", "above 3")))
    page = write(tmp_path / "90_page.ipynb", GAP, claims=[OF_GAP])
    assert replicate.main([str(page), "--runs", "1"]) == 0
    said = capsys.readouterr().out
    assert "Rows of claims that this page no longer has, shown nowhere: old." in said and said.count("old") == 1


def test_two_claims_with_one_id_are_refused(tmp_path, table):
    page = write(tmp_path / "90_page.ipynb", claims=[OF_GAP, OF_GAP])
    with pytest.raises(CourseError, match="two claims with the id gap: give each its own"):
        replicate.claims_of(page)


def test_a_table_with_other_columns_is_refused_and_left_as_it_is(table):
    table.write_text("id,seed\ngap,3\n")
    with pytest.raises(CourseError, match="restore or delete it"):
        replicate.add(kept(3, OF_GAP))
    assert table.read_text() == "id,seed\ngap,3\n"


WRITER = """
import sys; from pathlib import Path; from tools import replicate
replicate.CLAIMS = Path(sys.argv[1])
for seed in range(20):
    replicate.add([{"page": "90", "id": sys.argv[2], "seed": seed, "data": "", "world": "", "error": ""}])
"""


def test_two_commands_that_write_at_the_same_time_lose_nothing(tmp_path):
    place = tmp_path / "claims.csv"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(place), name], cwd=ROOT) for name in ("one", "two")]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert pd.read_csv(place).groupby("id").size().to_dict() == {"one": 20, "two": 20}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nothing.ipynb"], "no notebook nothing.ipynb: name files such as"),
        (["SHIFT=3"], "no notebook was named"),
    ],
)
def test_a_command_that_cannot_begin_says_why(words, sentence, table, capsys):
    assert replicate.main(words) == 2
    assert sentence in capsys.readouterr().err


def test_files_are_called_by_folder_and_name_without_the_places_of_a_machine():
    assert replicate.name_of("/somewhere/data/ml-small/ratings.csv") == "ml-small/ratings.csv"
    assert replicate.name_of("movielens-100k") == "movielens-100k"
