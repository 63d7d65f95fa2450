"""The ground: rooms and their order, everything reached, dependencies in step, nothing that does not belong."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from notebook_files import NOTEBOOKS, ROOT, code_cells, prose, read
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.results import number_of

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = sorted((ROOT / "helpers").rglob("*.py")) + sorted((ROOT / "tools").rglob("*.py"))
CODE = MODULES + sorted((ROOT / "tests").rglob("*.py"))
ROOMS = {
    "subject": "data planted factorization models training metrics recipes language asking explain lists",
    "page": "errors page figures views machine drawings",
    "files": "fetch movielens readers stored",
}
SUBJECT = ROOMS["subject"].split()


def name_of(path: Path) -> str:
    """helpers/data.py is helpers.data"""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(tree: ast.AST) -> set[str]:
    """Every module that a tree imports, and every name from a module, with dots."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


TREES = {name_of(path): ast.parse(path.read_text(encoding="utf8")) for path in MODULES}
IMPORTS = {name: {other for other in imports_of(tree) if other in TREES} for name, tree in TREES.items()}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


# Rooms


def test_every_helper_has_its_room():
    flat = {path.stem for path in (ROOT / "helpers").glob("*.py")} - {"__init__"}
    assert flat == {name for names in ROOMS.values() for name in names.split()}
    assert {path.name for path in (ROOT / "helpers").iterdir() if path.is_dir()} - {"__pycache__"} == {"exercises"}


def test_what_serves_pages_and_files_imports_nothing_of_the_subject():
    for name in f"{ROOMS['page']} {ROOMS['files']}".split():
        assert not IMPORTS[f"helpers.{name}"] & {f"helpers.{subject}" for subject in SUBJECT}, name


def test_tools_may_import_helpers_and_never_the_reverse():
    for name, others in IMPORTS.items():
        if name.startswith("helpers"):
            assert not [other for other in others if other.startswith("tools")], name


def test_files_and_folders_import_in_no_circle():
    def reached(graph: dict[str, set[str]], start: str) -> set[str]:
        found, todo = set(), [start]
        while todo:
            for other in graph.get(todo.pop(), set()) - found:
                found.add(other)
                todo.append(other)
        return found

    files = {name: others - {"helpers", "tools"} for name, others in IMPORTS.items()}
    folder = lambda name: name.rpartition(".")[0]
    folders: dict[str, set[str]] = {}
    for name, others in files.items():
        folders.setdefault(folder(name), set()).update({folder(other) for other in others} - {folder(name)})
    for graph in (files, folders):
        for name in graph:
            assert name not in reached(graph, name), name


def names_in(tree: ast.AST) -> set[str]:
    """Every name and attribute that a tree reads."""
    read_names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return read_names | attributes | {name.rpartition(".")[2] for name in imports_of(tree)}


IMPLICIT = {"forward", "_repr_html_", "_render_traceback_"}  # methods that PyTorch and IPython call
IMPLICIT |= {"_filter_train_interactions", "get_dataloader_train"}  # and RecTools


def test_every_definition_is_reached_from_a_page_or_a_tool():
    """By name: what is defined at the top of a module, or a method, is used where reached code can see it."""
    defined: dict[str, list[tuple[str, ast.AST]]] = {}
    loose: dict[str, set[str]] = {}  # what each module does when it is imported, and when it is run
    for module, tree in TREES.items():
        if module.startswith("helpers.exercises.ex"):
            continue
        loose[module] = set()
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                defined.setdefault(node.name, []).append((module, node))
                loose[module] |= set().union(*map(names_in, node.decorator_list))
                methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
                for method in methods:
                    if not method.name.startswith("__"):
                        defined.setdefault(method.name, []).append((module, method))
            else:
                loose[module] |= names_in(node)
    pages = set().union(*(names_in(ast.parse(cell.source)) for path in NOTEBOOKS for cell in code_cells(read(path))))
    exercises = set().union(
        *(names_in(tree) for name, tree in TREES.items() if name.startswith("helpers.exercises.ex"))
    )
    reached, todo = set(), pages | exercises | set().union(*loose.values())
    while todo:
        name = todo.pop()
        if name in defined and name not in reached:
            reached.add(name)
            for _, node in defined[name]:
                is_method = lambda part: (
                    isinstance(part, ast.FunctionDef) and part.name not in IMPLICIT and part.name[:2] != "__"
                )
                bodies = [part for part in node.body if isinstance(node, ast.FunctionDef) or not is_method(part)]
                if isinstance(node, ast.FunctionDef):
                    bodies += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
                for part in bodies:
                    todo |= names_in(part) - reached
    assert sorted(defined.keys() - reached - IMPLICIT) == []


# What docstrings say


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_are_short_and_public_ones_are_documented(path):
    tree = TREES[name_of(path)]
    assert ast.get_docstring(tree), "module without a docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            inner = path.stem.startswith("ex") or node.name in ("register", "documented", "bare", "score", "play")
            assert inner or ast.get_docstring(node), f"{node.name} has no docstring"
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert length <= 40, f"{node.name} has {length} lines"


def section_of(number: str, section: str) -> str:
    """The code of one section of a notebook."""
    (path,) = (path for path in NOTEBOOKS if number_of(path) == number)
    code, inside = [], False
    for cell in read(path).cells:
        for heading in re.findall(r"^## (\S+)", cell.source, re.M) if cell.cell_type == "markdown" else []:
            inside = heading == section
        if inside and cell.cell_type == "code":
            code.append(cell.source)
    return "\n".join(code)


def test_what_a_docstring_calls_built_in_a_notebook_is_defined_there():
    pattern = r"Built in notebook (\d\db?), section (\d+b?\.\d+)(?:, as `(\w+)`)?\."
    found = 0
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                continue
            said = ast.get_docstring(node) or ""
            assert said.count("Built in notebook") == len(re.findall(pattern, said)), f"{name}: {said[:80]}"
            for number, section, other in re.findall(pattern, said):
                wanted = other or node.name
                assert re.search(rf"^(def|class) {wanted}\b", section_of(number, section), re.M), f"{name}: {wanted}"
                found += 1
    assert found >= 10


def test_every_section_that_a_docstring_names_exists():
    for path in MODULES:
        for number, section in re.findall(r"notebook (\d\db?), section (\d+b?\.\d+)", path.read_text(encoding="utf8")):
            (notebook,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
            assert re.search(rf"^## {re.escape(section)} ", prose(read(notebook)), re.M), f"{path.name}: {section}"


def test_files_that_docstrings_and_readmes_name_exist():
    for path in [*MODULES, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "data" / "README.md"]:
        text = path.read_text(encoding="utf8")
        for named in re.findall(
            r"\b((?:data|tools|helpers|notebooks|tests)/[\w/.-]+\.(?:md|py|csv|txt|yaml|ipynb))\b", text
        ):
            if "NN" not in named and "NAME" not in named:
                assert (ROOT / named).is_file(), f"{path.name} names {named}"
        for module in re.findall(r"python -m ((?:helpers|tools)[\w.]*)", text):
            assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), f"{path.name} names {module}"


# Dependencies


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(text) for text in [*PROJECT["dependencies"], *(t for extra in extras for t in extra)]]


def test_environment_yml_is_generated_from_pyproject():
    tool = Path(sys.executable).with_name("pyproject2conda")
    extras = [word for extra in PROJECT["optional-dependencies"] for word in ("--extra", extra)]
    command = [tool, "yaml", "--name", "recsys-explained", *extras, "--python-include", "infer"]
    made = subprocess.run(
        [*command, "--req", "-e .", "--no-header"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    stored = (ROOT / "environment.yml").read_text()
    assert made.stdout.strip() == stored.strip()
    for package in ("jupyterlab", "torch", "numpy", "pandas", "matplotlib", "seaborn", "nbval", "papermill"):
        assert re.search(rf"^  - (py)?{package}\b", stored, re.M), package


def test_the_tested_set_satisfies_the_bounds_and_is_what_is_installed():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    pins = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    for need in requirements():
        assert need.specifier.contains(pins[canonicalize_name(need.name)]), need
        assert metadata.version(need.name).split("+")[0] == pins[canonicalize_name(need.name)], need


def declared(*extras: str) -> set[str]:
    """Import names of the core and of these extras."""
    listed = [*PROJECT["dependencies"], *(text for extra in extras for text in PROJECT["optional-dependencies"][extra])]
    names = {Requirement(text).name.replace("-", "_") for text in listed}
    return names | {
        "IPython",
        *(["yaml"] if "pyyaml" in names else []),
        *(["sklearn"] if "scikit_learn" in names else []),
    }


def test_every_import_is_declared_where_it_is_needed():
    own = {"helpers", "tools", *(path.stem for path in CODE)} | set(sys.stdlib_module_names)
    for path in CODE:
        where = path.relative_to(ROOT).parts
        if where[:2] == ("tools", "benchmarks"):  # in environments of their own
            continue
        allowed = declared(
            *(
                ("llm",)
                if where[0] == "helpers"
                else ("llm", "run")
                if where[0] == "tools"
                else PROJECT["optional-dependencies"]
            )
        )
        used = {name.split(".")[0] for name in imports_of(ast.parse(path.read_text(encoding="utf8")))}
        assert used - own - allowed - ({"packaging"} if where[0] == "tests" else set()) == set(), path.name


def test_pages_up_to_six_import_no_language_model_and_two_of_them_no_torch():
    for path in NOTEBOOKS[:8]:
        setup = ast.parse(code_cells(read(path))[1].source).body
        lines = "\n".join(ast.unparse(node) for node in setup if isinstance(node, ast.Import | ast.ImportFrom))
        without = ["transformers", "huggingface_hub", "gguf"] + (["torch"] if number_of(path) in ("01", "03") else [])
        code = f"import sys\n{lines}\nprint([name for name in {without} if name in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
        assert done.stdout.strip() == "[]", path.name


def test_threads_that_wait_sleep_whatever_the_way_in():
    code = "import os; print(os.environ['OMP_WAIT_POLICY'])"
    env = {"PATH": "/usr/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.stdout.strip() == "PASSIVE"


# The tree


def test_the_tree_speaks_of_itself_alone():
    hosts = ["py" + "pi.org", "python" + "hosted", "npm" + "js.org", "debian" + ".org"]
    for path in tracked():
        if path.suffix in (".png", ".safetensors"):
            continue
        text = path.read_text(encoding="utf8", errors="replace")
        assert not [host for host in hosts if host in text], path.name
        assert str(ROOT) + "/" not in text, path.name


def test_no_data_of_others_and_nothing_large_is_in_the_tree():
    for path in tracked():
        assert path.stat().st_size < 2_600_000, path.name
        assert path.suffix not in (".whl", ".zip", ".pkl", ".pickle", ".pt"), path.name
        assert path.suffix != ".safetensors" or path.parent == ROOT / "data" / "models", path.name
    assert not [path for path in tracked() if "cache" in path.parts]


def test_every_table_is_described():
    said = (ROOT / "data" / "README.md").read_text(encoding="utf8")
    for path in (ROOT / "data" / "tables").glob("*.csv"):
        assert f"### {path.stem}\n" in said, path.stem


def test_no_pickle_no_shell_strings_and_safe_loading():
    for path in MODULES:
        text = path.read_text(encoding="utf8")
        assert not re.search(r"\bimport pickle\b|shell=True|os\.system|torch\.load\(", text), path.name


def test_the_top_level_is_the_promised_one():
    have = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {"notebooks", "helpers", "data", "environment.yml", "tests", "README.md", "tools"} <= have
    assert {"pyproject.toml", "constraints.txt", "Makefile", "LICENSE", "LICENSE-text", "CITATION.cff"} <= have
    assert {"CONTRIBUTING.md", "CHANGELOG.md", ".ci", ".github", ".gitignore", ".pre-commit-config.yaml"} <= have


def test_the_readme_s_links_and_commands_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for name in ("README.md", "CONTRIBUTING.md", "data/README.md"):
        text = (ROOT / name).read_text(encoding="utf8")
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert ((ROOT / name).parent / link).exists(), link
        assert set(re.findall(r"`make ([a-z]+)(?![a-z.])", text)) <= targets, name


def test_the_guard_refuses_the_network_in_every_python_that_is_started():
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=3)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "the tests refuse the network: 192.0.2.1" in done.stderr
