"""The ground: dependencies in step, the design's limits kept, nothing in the tree that does not belong there."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from notebook_files import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SUBJECT = sorted((ROOT / "helpers").glob("*.py"))
CODE = [p for folder in ("helpers", "tests") for p in sorted((ROOT / folder).rglob("*.py"))]
ORDER = [
    "errors",
    "sources",
    "pretrained",
    "readers",
    "mess",
    "planting",
    "results",
    "figures",
    "pictures",
    "panels",
    "page",
    "views",
    "explorer",
    "environment",
    "checkpoints",
]
ORDER += [
    "run",
    "data",
    "metrics",
    "factorization",
    "models",
    "training",
    "language",
    "explain",
    "faithfulness",
    "plots",
    "sequence_studies",
    "language_studies",
    "studies",
    "references",
]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(text) for text in [*PROJECT["dependencies"], *(t for extra in extras for t in extra)]]


def test_environment_yml_is_generated_from_pyproject():
    tool = Path(sys.executable).with_name("pyproject2conda")
    command = [tool, "yaml", "--name", "recsys-explained", "--extra", "test", "--python-include", "infer"]
    made = subprocess.run(
        [*command, "--req", "-e .", "--no-header"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert made.stdout.strip() == (ROOT / "environment.yml").read_text().strip()


def test_environment_yml_names_every_dependency_once_with_its_bound():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    found = {}
    for text in [entry for entry in listed if isinstance(entry, str)] + [t for t in pip if not t.startswith("-e")]:
        need = Requirement(text)
        assert need.name not in found
        found[need.name.replace("pytorch", "torch")] = str(need.specifier)
    for need in requirements():
        assert found[need.name] == str(need.specifier), need


def test_the_tested_set_satisfies_the_bounds_and_is_what_is_installed():
    from importlib import metadata

    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    pins = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    for need in requirements():
        assert need.specifier.contains(pins[canonicalize_name(need.name)]), need
        assert metadata.version(need.name).split("+")[0] == pins[canonicalize_name(need.name)], need


def test_every_import_is_a_declared_dependency():
    declared = {need.name.replace("-", "_") for need in requirements()} | {"IPython", "packaging", "yaml"}
    own = {"helpers"} | {path.stem for path in CODE}
    for path in CODE:
        if path.name == "libraries.py":  # runs in an environment of its own
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in {n.split(".")[0] for n in names} - own - set(sys.stdlib_module_names):
                assert name in declared, f"{path.name} imports {name}"


def test_helpers_import_downwards_only():
    for path in sorted((ROOT / "helpers").rglob("*.py")):
        if path.stem == "__init__" or path.parent.name == "exercises":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("helpers"):
                modules = [node.module.split(".")[-1]] if node.module.count(".") > 1 else []
                modules += [a.name for a in node.names if a.name in ORDER]
                for module in modules:
                    assert ORDER.index(module) < ORDER.index(path.stem), f"{path.name} imports {module}"


def test_the_subject_can_be_read_in_an_evening():
    assert sum(len(path.read_text(encoding="utf8").splitlines()) for path in SUBJECT) <= 2000


@pytest.mark.parametrize("path", [p for p in CODE if "helpers" in p.parts], ids=lambda path: path.stem)
def test_functions_are_short_and_public_ones_are_documented(path):
    tree = ast.parse(path.read_text(encoding="utf8"))
    assert ast.get_docstring(tree), "module without a docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            inner = path.parent.name == "exercises" or node.name in ("register", "documented", "bare")
            assert inner or ast.get_docstring(node), f"{node.name} has no docstring"
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert length <= 40, f"{node.name} has {length} lines"


def test_every_section_that_a_docstring_names_exists():
    for path in SUBJECT:
        for number, section in re.findall(r"notebook (\d\d), section (\d+\.\d+)", path.read_text(encoding="utf8")):
            (notebook,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
            assert f"## {section} " in notebook.read_text(encoding="utf8"), f"{path.name}: {section}"


def test_the_tree_speaks_of_itself_alone():
    hosts = ["py" + "pi.org", "python" + "hosted", "npm" + "js.org", "debian" + ".org"]
    for path in tracked():
        if path.suffix in (".png",) or path.stat().st_size > 2_000_000:
            continue
        text = path.read_text(encoding="utf8", errors="replace")
        assert not [host for host in hosts if host in text], path.name
        assert str(ROOT) + "/" not in text, path.name


def test_no_data_of_others_and_nothing_large_is_in_the_tree():
    for path in tracked():
        assert path.stat().st_size < 2_600_000, path.name
        assert path.suffix not in (".whl", ".zip", ".pkl", ".pickle"), path.name
        if path.suffix == ".pt":  # a reference of our own, with its card
            assert path.parent == ROOT / "data" / "models" and path.with_suffix(".md").is_file(), path.name
    assert not [path for path in tracked() if "cache" in path.parts]


def test_no_pickle_no_shell_strings_and_safe_loading():
    for path in [p for p in CODE if "helpers" in p.parts]:
        text = path.read_text(encoding="utf8")
        assert not re.search(r"\bpickle\b|shell=True|os\.system", text), path.name
        for call in re.findall(r"torch\.load\(.*", text):
            assert "weights_only=True" in call


def test_the_top_level_is_the_promised_one():
    have = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {"notebooks", "helpers", "data", "environment.yml", "tests", "README.md"} <= have
    assert {"pyproject.toml", "constraints.txt", "Makefile", "LICENSE", "LICENSE-text", "CITATION.cff"} <= have
    assert {"CONTRIBUTING.md", ".ci", ".github", ".gitignore"} <= have


def test_the_readme_s_links_and_commands_exist():
    text = (ROOT / "README.md").read_text()
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / link).exists(), link
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"make ([a-z]+)", text)) - {"it"} <= targets
    assert {"run", "lab", "test", "execute", "data", "lint", "clean", "help"} <= targets


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_help_lists_every_command():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "lab", "test", "execute", "data", "lint", "clean", "help"):
        assert re.search(rf"^{target} +\S", shown, re.M), target


def test_ci_runs_the_readme_s_test_command():
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("make test")
    assert yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["test"]["steps"][-1] == {
        "run": "bash .ci/run"
    }
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
