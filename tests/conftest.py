"""What all tests share: strict claims, no network, fresh figures compared by kind, and a plain summary."""

import importlib.util
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GUARD = ROOT / "tests" / "guard"

os.environ["RECSYS_EXPLAINED_CLAIMS"] = "strict"
os.environ["PYTHONPATH"] = os.pathsep.join([str(GUARD), *filter(None, [os.environ.get("PYTHONPATH")])])
os.environ |= {"PIP_NO_INDEX": "1", "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1,localhost"}
os.environ |= {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}  # nobody listens there
workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0))
if workers:  # tests that run side by side share the cores, as do the kernels that they start
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))

_spec = importlib.util.spec_from_file_location("network_guard", GUARD / "sitecustomize.py")
_spec.loader.exec_module(importlib.util.module_from_spec(_spec))


def pytest_collection_modifyitems(items):
    """Cells that nbval executes start kernels; so `make check` leaves them out."""
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker(pytest.mark.kernel)


class FreshOutputs:
    """A plugin: a hook that stands in this file alone is not asked about notebooks/, which lies elsewhere."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        """Compare a page's record, by kind, and percentages of attention, as soon as a cell ran."""
        result = yield
        outputs = getattr(item, "test_outputs", None)
        if outputs is not None:
            from expected import compare, weights_apart
            from notebook_files import page_of

            from helpers.page import RECORD

            for output in outputs:
                metrics = output.get("data", {}).get(RECORD)
                if metrics is not None:
                    assert compare(page_of(item.path).EXPECTED, metrics) == []
            pages = ["".join(o.get("data", {}).get("text/html", "") for o in of) for of in (item.cell.outputs, outputs)]
            assert weights_apart(*pages) <= 1
        return result


def pytest_configure(config):
    """Compare what nbval leaves out, wherever a notebook lies."""
    config.pluginmanager.register(FreshOutputs())


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.setenv("RECSYS_EXPLAINED_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pytest_terminal_summary(terminalreporter):
    """One line a test file: what was proved, in words that need no pytest."""
    passed = Counter(report.nodeid.split("::")[0] for report in terminalreporter.stats.get("passed", []))
    failed = Counter(report.nodeid.split("::")[0] for report in terminalreporter.stats.get("failed", []))
    terminalreporter.section("summary")
    for name in sorted(passed | failed):
        kind = "cells equal to their stored outputs" if name.endswith(".ipynb") else "tests"
        bad = f", {failed[name]} FAILED" if failed[name] else ""
        terminalreporter.write_line(f"{name:<40}{passed[name]:>5} {kind}{bad}")
    terminalreporter.write_line(f"Python {sys.version.split()[0]}, no network used.")
