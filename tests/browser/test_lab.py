"""The pages in a real JupyterLab and a real browser. Skipped where Chromium is not installed."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from notebook_files import NOTEBOOKS
from playwright.sync_api import expect, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
ALL_CELLS = {"windowingMode": "none"}  # JupyterLab otherwise keeps only visible cells in the page


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab over copies of the notebooks, in folders of its own. Yields its address."""
    folder = tmp_path_factory.mktemp("lab")
    for path in NOTEBOOKS:
        shutil.copy(path, folder)
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps(ALL_CELLS))
    own = {
        name: str(folder / name.lower()) for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")
    }
    env = os.environ | own | {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    subprocess.run([sys.executable, "-m", "jupyter", "trust", str(folder / NOTEBOOKS[1].name)], env=env, check=True)
    subprocess.run([sys.executable, "-m", "jupyter", "trust", str(folder / NOTEBOOKS[10].name)], env=env, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "jupyter",
        "lab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
    ]
    command += ["--ServerApp.port_retries=0", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
    server = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/status")
        yield f"http://127.0.0.1:{port}/lab/tree/"
    finally:
        server.terminate()  # it then waits for its kernels, on a busy machine for long: what it says is asked no more
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for(address: str) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(address)
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail("JupyterLab did not start")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def open_page(browser, lab: str, path: Path):
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    page.goto(f"{lab}{path.name}?reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=120_000)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=120_000)
    return page


@pytest.fixture(scope="module")
def trusted(browser, lab):
    """Notebook 01, trusted: its scripts run."""
    page = open_page(browser, lab, NOTEBOOKS[1])
    page.wait_for_selector('#dot-product-view[data-ready="1"]', timeout=60_000)
    yield page
    page.close()


def test_the_view_begins_with_its_table_and_the_first_cell(trusted):
    view = trusted.locator("#dot-product-view")
    assert view.locator("> *").first.evaluate("node => node.tagName") == "TABLE"
    expect(view.locator("td", has_text="1.2·0.8 + 0.8·1.2 = 1.92")).to_be_visible()
    expect(view.locator("[aria-live]")).to_have_text("User 1, film 1: 1.2·0.8 + 0.8·1.2 = 1.92; the rating is 1.")


def test_the_view_works_by_keyboard(trusted):
    view = trusted.locator("#dot-product-view")
    film = view.locator("label", has_text=re.compile(r"^film\d")).locator("input")
    film.focus()
    film.press("Home")
    film.press("ArrowRight")
    film.press("ArrowRight")
    expect(view.locator("[aria-live]")).to_contain_text("film 3: 1.2·0.4 + 0.8·1.6 = 1.76; there is no rating here.")
    film.press("Home")


def test_the_view_works_by_mouse(trusted):
    view = trusted.locator("#dot-product-view")
    factor = view.locator("input").nth(2)
    factor.scroll_into_view_if_needed()
    box = factor.bounding_box()
    trusted.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    expect(view.locator("[aria-live]")).to_contain_text("User 1, film 1: 2·0.8 + 0.8·1.2 = 2.56")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_view_is_accessible(trusted, scheme):
    trusted.emulate_media(color_scheme=scheme)
    results = Axe().run(trusted, context="#dot-product-view")
    assert [(v["id"], v["description"]) for v in results.response["violations"]] == []


def test_the_explorer_obeys_mouse_and_keyboard_in_jupyterlab(browser, lab):
    page = open_page(browser, lab, NOTEBOOKS[10])
    page.wait_for_selector('#attention-explorer[data-ready="1"]', timeout=120_000)
    view = page.locator("#attention-explorer")
    view.scroll_into_view_if_needed()
    assert view.locator("select").count() == 3
    view.locator("select").nth(0).select_option(index=1)
    rows = view.locator("tbody th, tr th[scope=row]")
    rows.nth(3).hover()
    spoken = view.locator("[aria-live]").inner_text()
    rows.nth(3).focus()
    page.keyboard.press("ArrowDown")
    expect(view.locator("[aria-live]")).not_to_have_text(spoken)
    results = Axe().run(page, context="#attention-explorer")
    assert [(v["id"], v["description"]) for v in results.response["violations"]] == []
    page.close()


def test_figures_stand_above_their_captions(trusted):
    pictures = trusted.locator(".jp-OutputArea-output img")
    assert pictures.count() == 6  # of page 1
    for k in range(6):
        area = pictures.nth(k).locator("xpath=ancestor::div[contains(@class, 'jp-OutputArea ')][1]")
        picture, caption = pictures.nth(k).bounding_box(), area.get_by_text("Figure. ").first.bounding_box()
        assert 600 <= picture["width"] <= 700 and picture["y"] + picture["height"] <= caption["y"] + 1


def test_a_learner_fills_in_an_exercise_and_sees_the_verdict(trusted):
    cell = trusted.locator(".jp-CodeCell", has_text=re.compile(r"def rmse_rated"))
    expect(cell.locator(".jp-OutputArea-output").last).to_contain_text("not attempted yet")
    for k in (0, 1):  # parameters, imports
        trusted.locator(".jp-CodeCell .cm-content").nth(k).click()
        trusted.keyboard.press("Shift+Enter")
    cell.locator(".cm-content").click()
    trusted.keyboard.press("Control+A")
    trusted.keyboard.insert_text(
        "def rmse_rated(R, P):\n    return np.sqrt(np.mean((R - P) ** 2))\n\n\ncheck('1.3', rmse_rated)"
    )
    trusted.keyboard.press("Shift+Enter")
    expect(cell.locator(".jp-OutputArea-output").last).to_contain_text(
        "you counted the blanks as zeros", timeout=60_000
    )


def test_an_untrusted_page_reads_without_its_script(browser, lab):
    path = NOTEBOOKS[1].with_name("untrusted.ipynb")
    root = lab  # the copy has no signature, since its text is another
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    notebook = json.loads(NOTEBOOKS[1].read_text(encoding="utf8"))
    notebook["cells"][0]["source"].append("\n")
    body = json.dumps({"type": "notebook", "format": "json", "content": notebook}).encode()
    address = root.replace("/lab/tree/", "/api/contents/") + path.name
    token = page.context.request.get(root.replace("/lab/tree/", "/lab"))
    cookies = {c["name"]: c["value"] for c in page.context.cookies()}
    headers = {"Content-Type": "application/json", "X-XSRFToken": cookies.get("_xsrf", "")}
    assert token.ok and page.context.request.put(address, data=body, headers=headers).ok
    page.goto(f"{root}{path.name}?reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=120_000)
    table = page.locator("table", has_text="one product a factor").first
    expect(table).to_contain_text("1.2·0.8 + 0.8·1.2 = 1.92", timeout=60_000)
    assert page.locator("#dot-product-view input").count() == 0
    expect(page.locator("summary", has_text="Commit").first).to_be_visible()
    page.close()
