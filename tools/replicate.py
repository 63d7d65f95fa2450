"""Run pages on seeds that nobody looked at while writing, and keep what each claim gave, in data/tables/claims.csv.

python -m tools.replicate notebooks/02_*.ipynb --runs 10     ten fresh runs of a page: another FIRST_SEED, nothing else
python -m tools.replicate notebooks/02_*.ipynb --worlds      the worlds that its claims name, in which they must fail
python -m tools.replicate notebooks/03_*.ipynb DATASET=my.csv

A run whose row is there is not made again, so an interrupted command goes on where it stood. A claim whose bound has
changed since is asked again, on seeds that were not used before.
"""

import argparse
import itertools
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import filelock
import nbformat
import pandas as pd
from tqdm import tqdm

from helpers.errors import CourseError
from helpers.fetch import written_whole
from helpers.page import CLAIM, CLAIMS, HOME, PLANTED, within
from tools.results import number_of, parameters_of
from tools.run import at_a_time, execute, read_parameters

COLUMNS = ["page", "id", "unit", "data", "world", "parameters", "seed", "smallest", "largest", "bound", "error"]
OF_DATA = ("DATASET", "COLUMNS", "ITEMS")


def claims_of(path: Path) -> pd.DataFrame:
    """The claims that an executed notebook left in its outputs, one row a claim, by id.

    Raises:
        CourseError: two claims with one id.
    """
    outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
    left = [output.metadata[CLAIM] for output in outputs if CLAIM in output.get("metadata", {})]
    columns = ["id", "unit", "values", "smallest", "largest", "bound", "fails_with", "parameters"]
    claims = pd.DataFrame(left, columns=columns).set_index("id", drop=False)
    twice = claims.index[claims.index.duplicated()].unique()
    if len(twice):
        raise CourseError(f"{path.name} has two claims with the id {', '.join(twice)}: give each its own.")
    return claims


def table() -> pd.DataFrame:
    """All rows that there are.

    Raises:
        CourseError: a table with other columns.
    """
    if not CLAIMS.is_file():
        return pd.DataFrame(columns=COLUMNS)
    rows = pd.read_csv(
        CLAIMS, keep_default_na=False, na_values={"smallest": [""], "largest": [""]}, dtype={"page": str}
    )
    if list(rows) != COLUMNS:
        raise CourseError(f"{CLAIMS} has the columns {list(rows)}, and {COLUMNS} are needed: restore or delete it.")
    return rows


def add(rows: list[dict[str, Any]]) -> None:
    """Append rows; two commands that write at the same time wait for each other, and the table is always whole."""
    with filelock.FileLock(f"{CLAIMS}.lock"), written_whole(CLAIMS) as half:
        together = pd.concat([table(), pd.DataFrame(rows, columns=COLUMNS)])
        together.sort_values(["page", "data", "world", "seed", "id"], kind="stable").to_csv(half, index=False)


def name_of(data: str) -> str:
    """Data as the table calls them: a file by its folder and name, without the places of a machine."""
    return "/".join(Path(data).parts[-2:])


def asked(claims: pd.DataFrame, kind: dict[str, str]) -> pd.DataFrame:
    """The claims that such a run is about: those that name its world; of other data none over made histories."""
    if kind["world"]:
        claims = claims[claims["fails_with"] == kind["world"]]
    is_other = kind["data"] not in ("", HOME)
    return claims[claims["unit"] != PLANTED] if is_other else claims


def rows_of(path: Path, kind: dict[str, str], executed: Path, seed: int, error: str) -> list[dict[str, Any]]:
    """What one run adds to the table: a row a claim, and one without id if it failed."""
    run = {"page": number_of(path), "seed": seed} | kind
    claims = asked(claims_of(executed), kind) if executed.exists() else claims_of(path)[:0]
    rows = [run | claim for claim in claims.drop(columns=["values", "fails_with"]).to_dict("records")]
    return rows + ([run | {"id": "", "error": error}] if error else [])


def is_current(run: pd.DataFrame, claims: pd.DataFrame, kind: dict[str, str]) -> bool:
    """Whether a run need not be made again: it failed, or asked today's claims with today's bounds and parameters."""
    if (run["error"] != "").any():
        return True
    asked = run[run["id"].isin(claims.index)].set_index("id")
    today = claims.loc[asked.index]
    same = asked["bound"].eq(today["bound"]).all()
    if kind["world"] == "":
        same = same and asked["parameters"].eq(today["parameters"]).all()
    may_leave_out = kind["world"] == "" and kind["data"] not in ("", HOME)  # what cannot be asked of other data
    return bool(same and (may_leave_out or len(asked) == len(claims)))


def seeds_to_run(page: str, kind: dict[str, str], claims: pd.DataFrame, step: int, runs: int) -> list[int]:
    """First seeds of the runs still to be made: none of them used before, all of them beyond the page's own."""
    rows = table()
    rows = rows[(rows["page"] == page) & (rows["data"] == kind["data"]) & (rows["world"] == kind["world"])]
    done = sum(is_current(run, claims, kind) for _, run in rows.groupby("seed"))
    unused = (k * step for k in itertools.count(1) if k * step not in set(rows["seed"]))
    return list(itertools.islice(unused, max(0, runs - done)))


def verdicts(page: str, kind: dict[str, str], claims: pd.DataFrame) -> pd.DataFrame:
    """Which claims of a page held in how many runs, and over what range, by today's bounds."""
    rows = table()
    rows = rows[(rows["page"] == page) & (rows["data"] == kind["data"]) & (rows["world"] == kind["world"])]
    found = []
    for claim in claims.itertuples():
        of_claim = rows[(rows["id"] == claim.id) & (rows["bound"] == claim.bound)]
        held = sum(within(claim.bound, row.smallest, row.largest) for row in of_claim.itertuples())
        seen = {"held": held, "runs": len(of_claim), "smallest": of_claim["smallest"].min(),
                "largest": of_claim["largest"].max()} if len(of_claim) else {"held": "not asked"}  # fmt: skip
        found.append({"id": claim.id, "unit": claim.unit, "stated": claim.bound} | seen)
    columns = ["id", "unit", "stated", "held", "runs", "smallest", "largest"]
    return pd.DataFrame(found, columns=columns, dtype=object).fillna("")


def replicate(path: Path, told: dict[str, Any], runs: int) -> None:
    """Make the runs of one page that are missing, and say what its claims gave in all of them."""
    own = parameters_of(path)
    if "FIRST_SEED" not in own:
        print(f"{path.stem} draws nothing, so no fresh run differs: none was made.")
        return
    world = " ".join(f"{name}={value}" for name, value in told.items() if name not in OF_DATA or value == "planted")
    kind = {"data": name_of(str(told.get("DATASET", own.get("DATASET", "")))), "world": world}
    claims = claims_of(path)
    if claims.empty:
        raise CourseError(f"{path.name} has no claim in its outputs, so nothing could be kept: execute it first.")
    claims = asked(claims, kind)
    seeds = seeds_to_run(number_of(path), kind, claims, own["SEEDS"], runs)
    together = max(1, min(at_a_time(), len(seeds)))
    running: dict = {}
    with tempfile.TemporaryDirectory() as folder, tqdm(total=len(seeds), unit="run", disable=None) as bar:

        def run(seed: int) -> None:
            """One run, from its start to its rows."""
            done = Path(folder) / f"{path.stem} {seed}.ipynb"
            error = execute(path, done, told | {"FIRST_SEED": seed}, running, bar, together)
            add(rows_of(path, kind, done, seed, error))
            bar.update()

        pool = ThreadPoolExecutor(together)
        try:
            list(pool.map(run, seeds))
        finally:
            pool.shutdown(cancel_futures=True)
            for process in list(running.values()):  # after Ctrl-C
                process.terminate()
    print(f"\n{path.stem} {' '.join(filter(None, kind.values()))}: {len(seeds)} runs made.")
    print(verdicts(number_of(path), kind, claims).to_string(index=False))
    rows = table()
    rows = rows[(rows["page"] == number_of(path))]
    gone = sorted(set(rows["id"]) - set(claims_of(path)["id"]) - {""})
    if gone:
        print(f"Rows of claims that this page no longer has, shown nowhere: {', '.join(gone)}.")
    for row in rows[rows["error"] != ""].itertuples():
        print(f"The run with FIRST_SEED={row.seed} {row.data} {row.world} failed: {row.error}")


def main(arguments: list[str] | None = None) -> int:
    """Replicate pages from the command line; 2 if it could not begin."""
    parser = argparse.ArgumentParser(prog="python -m tools.replicate", description="Run pages on fresh seeds.")
    parser.add_argument("words", nargs="+", metavar="NOTEBOOK.ipynb | NAME=VALUE")
    parser.add_argument("--runs", type=int, default=10, help="fresh runs that there shall be of a page (default 10)")
    parser.add_argument("--worlds", action="store_true", help="run the worlds that the claims name, three times each")
    chosen = parser.parse_intermixed_args(arguments)
    paths = [Path(word) for word in chosen.words if word.endswith(".ipynb")]
    try:
        missing = [str(path) for path in paths if not path.is_file()]
        if missing or not paths:
            raise CourseError(
                f"no notebook {', '.join(missing) or 'was named'}: name files such as notebooks/02_*.ipynb."
            )
        told = read_parameters([word for word in chosen.words if not word.endswith(".ipynb")], paths)
        for path in paths:
            worlds = [told]
            if chosen.worlds:
                named = sorted(set(claims_of(path)["fails_with"]) - {""})
                worlds = [read_parameters(world.split(), [path]) for world in named]
            for world in worlds:
                replicate(path, world, 3 if chosen.worlds else chosen.runs)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
