"""The views: what they refuse and what stands in their tables; the explorer also in a real browser."""

import html
import json
import re
import shutil

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from helpers.errors import CourseError
from helpers.views import LONGEST, MOST_TOKENS, STRONGEST, AttentionExplorer, DotProductView

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]

TITLES = ["Star Wars: Episode IV - A New Hope (1977)", "Alien (1979)", "Aliens (1986)", "Fargo (1996)"]
TITLES += ["Terminator 2: Judgment Day (1991)", "Monty Python and the Holy Grail (1974)", "Casablanca (1942)"]
TITLES += ["Shawshank Redemption, The (1994)", "Princess Bride, The (1987)", "Blade Runner (1982)"]
SHELL = """<!doctype html><html lang="en"><head><meta charset="utf8"><meta name="color-scheme" content="light dark">
<title>Attention</title><link rel="icon" href="data:,"><style>body {{background: Canvas}}</style></head>
<body><main><h1>Attention</h1>{}</main></body></html>"""
TABLE = """table => [...table.rows].map(row => [...row.cells].map(cell =>
    [cell.tagName, cell.scope, cell.title, cell.textContent, cell.style.backgroundColor]))"""


def causal(tokens: int, layers: int, heads: int, seed: int) -> np.ndarray:
    """Random attention weights of a causal model."""
    scores = np.random.default_rng(seed).normal(0, 2, (layers, heads, tokens, tokens))
    scores[..., np.triu(np.ones((tokens, tokens), bool), 1)] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


MAPS = {
    "user 17": (TITLES, causal(10, 2, 4, 0)),
    "user 405": (TITLES[::-1], causal(10, 2, 4, 1)),
    "one layer": (["Alien", "Aliens", "Alien"], causal(3, 1, 2, 2)),
}


def built() -> AttentionExplorer:
    """The explorer that most tests look at."""
    return AttentionExplorer(MAPS, start=("user 405", 2, 3))


def number(weight: float) -> str:
    return "·" if weight == 0 else f"{np.rint(100 * weight) / 100:.2f}".removeprefix("0")


def numbers(weights: np.ndarray) -> list[str]:
    return [number(weight) for weight in weights.ravel()]


def sentence(example: str, layer: int, head: int, row: int) -> str:
    tokens, weights = MAPS[example]
    line = np.rint(100 * weights[layer - 1, head - 1, row])
    a, b = np.argsort(-line, kind="stable")[:2]
    at = [f"at {'itself' if j == row else chr(34) + tokens[j] + chr(34)} ({number(line[j] / 100)})" for j in (a, b)]
    more = f", then {at[1]}" if line[b] else ""
    return f'Head {head} of layer {layer}: "{tokens[row]}" looks most {at[0]}{more}.'


def test_the_same_maps_give_the_same_block_and_text():
    assert built()._repr_html_() == built()._repr_html_()
    assert repr(built()) == repr(built())
    assert '<div id="attention-explorer" data-ready="0">' in built()._repr_html_()


def test_the_text_names_the_strongest_looks():
    weights = np.array([[[[1, 0, 0], [0.3, 0.7, 0], [0.1, 0.8, 0.1]]]])
    assert repr(AttentionExplorer({"a user": (["x", "y", "z"], weights)})) == (
        "AttentionExplorer: 1 example; layer 1, head 1 of a user: "
        '"z" looks most at "y" (.80), "y" looks most at "y" (.70)'
    )
    assert repr(AttentionExplorer({"a": (["x"], np.ones((1, 1, 1, 1)))})).endswith("each row looks at one column alone")


def test_the_static_table_comes_first_and_holds_every_number():
    shown = built()._repr_html_()
    table = shown[: shown.index("</table>")]
    assert not re.search(r"<(script|style|select)", table)
    assert re.findall(r"<td style[^>]*>([^<]*)</td>", table) == numbers(MAPS["user 405"][1][1, 2])
    assert "<caption><b>user 405, layer 2, head 3</b>" in table
    for scope in ("col", "row"):
        full = re.findall(f'<th scope="{scope}" title="([^"]*)"><span>([^<]*)</span></th>', table)
        assert [html.unescape(title) for title, _ in full] == TITLES[::-1]
        assert max(len(cut) for _, cut in full) <= LONGEST


def test_another_name_is_used_throughout():
    shown = AttentionExplorer(MAPS, name="layers-of-09")._repr_html_()
    assert "attention-explorer" not in shown and 'id="layers-of-09"' in shown


def test_nothing_is_fetched_and_the_data_are_small():
    shown = built()._repr_html_()
    assert not re.search(r"https?:|\bsrc=|\bhref=|@import|\bfetch\(", shown)
    assert len(shown) < 25_000


def test_titles_are_text_and_never_markup():
    nasty = ["<script>alert(1)</script>", '</script>"><img src=x>', "'&amp;"]
    shown = AttentionExplorer({"</script><b>": (nasty, causal(3, 1, 1, 0))})._repr_html_()
    assert shown.count("<script") == shown.count("</script") == 2
    assert "<img" not in shown and "<b>&lt;/script&gt;&lt;b&gt;, layer 1" in shown
    (payload,) = re.findall(r'<script type="application/json">(.*?)</script>', shown)
    assert json.loads(payload)["examples"][0]["tokens"] == nasty


def test_numbers_on_a_shade_keep_their_contrast():
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return np.dot([0.2126, 0.7152, 0.0722], linear)

    blue = np.array([0, 114, 178]) / 255
    for page, ink in ((1.0, 0.0), (17 / 255, 1.0)):  # white and JupyterLab's dark, the text at 87 % opacity
        for shade in np.linspace(0, STRONGEST, 50):
            ground = shade * blue + (1 - shade) * page
            low, high = sorted([luminance(ground), luminance(0.87 * ink + 0.13 * ground)])
            assert (high + 0.05) / (low + 0.05) >= 4.5


GOOD, SEVEN = np.full((1, 1, 2, 2), 0.5), np.full((1, 1, 2, 2), 0.35)
REFUSED = {
    "no example": ({}, {}, "nothing to show"),
    "no heads": ({"a": (["x", "y"], GOOD[0])}, {}, r"shape \(1, 2, 2\): its 2 tokens need \(layers, heads, 2, 2\)"),
    "tokens do not fit": ({"a": (["x", "y", "z"], GOOD)}, {}, r"its 3 tokens need \(layers, heads, 3, 3\)"),
    "no tokens": ({"a": ([], np.ones((1, 1, 0, 0)))}, {}, "shape"),
    "rows do not sum to 1": ({"a": (["x", "y"], SEVEN)}, {}, "row 1 of layer 1, head 1 sums to 0.700, not to 1"),
    "not a number": ({"a": (["x", "y"], GOOD * np.nan)}, {}, "negative or not finite"),
    "negative": ({"a": (["x", "y"], GOOD * [3, -1])}, {}, "negative or not finite"),
    "too many tokens": ({"a": (["x"] * 17, np.ones((1, 1, 17, 17)) / 17)}, {}, f"17 tokens.*{MOST_TOKENS}: cut it"),
    "start without such an example": ({"a": (["x", "y"], GOOD)}, {"start": ("b", 1, 1)}, "take one of a"),
    "start counts from 0": ({"a": (["x", "y"], GOOD)}, {"start": ("a", 0, 1)}, "layers 1 to 1 and heads 1 to 1"),
    "no id": ({"a": (["x", "y"], GOOD)}, {"name": "Two words"}, "cannot be an id"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_shown_is_refused_in_one_sentence(case):
    maps, more, message = REFUSED[case]
    with pytest.raises(CourseError, match=message):
        AttentionExplorer(maps, **more)


def test_the_dot_product_view_shows_every_sum_without_a_script():
    U, V = np.array([[1.2, 0.8], [0.6, 1.2]]), np.array([[0.8, 1.6, 0.4], [1.2, 0.4, 1.6]])
    html = DotProductView(U, V, np.zeros((2, 3)))._repr_html_()
    table = html[: html.index("<script")]
    for i in range(2):
        for j in range(3):
            assert f"{U[i, 0]:g}·{V[0, j]:g} + {U[i, 1]:g}·{V[1, j]:g} = {U[i] @ V[:, j]:.2f}" in table
    assert "<input" not in table and table.count('scope="row"') == 2 and table.count('scope="col"') == 3
    assert "http" not in html


def test_the_view_is_the_same_twice_and_cannot_be_closed_early_by_its_data():
    make = lambda: DotProductView(np.eye(2), np.eye(2), np.eye(2))._repr_html_()
    assert make() == make() and make().count("</script>") == 2


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, tmp_path):
    """A function that shows an explorer in a page of its own; the page must not complain or fetch anything."""
    complaints, asked, contexts = [], [], []

    def show(explorer, script=True):
        path = tmp_path / "page.html"
        path.write_text(SHELL.format(explorer._repr_html_()), encoding="utf8")
        contexts.append(browser.new_context(java_script_enabled=script, viewport={"width": 700, "height": 800}))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        if script:
            page.wait_for_selector('#attention-explorer[data-ready="1"]')
        return page

    yield show
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in asked if not url.endswith("/page.html") and url != "data:,"] == []


def expect_numbers(page, weights):
    expect(page.locator("tbody td")).to_have_text(numbers(weights))


@in_a_browser
def test_the_script_draws_the_same_table(opened):
    without, with_script = opened(built(), script=False), opened(built())
    shown = with_script.locator("table").evaluate(TABLE)
    (tmp,) = re.findall(r"<table>.*</table>", built()._repr_html_())
    static = with_script.evaluate(
        f"text => ({TABLE})(new DOMParser().parseFromString(text, 'text/html').querySelector('table'))", tmp
    )
    assert shown == static
    assert with_script.locator("caption").text_content() == without.locator("caption").text_content()


@in_a_browser
def test_it_works_by_mouse(opened):
    page = opened(built())
    live = page.locator("[aria-live]")
    expect(live).to_have_text(sentence("user 405", 2, 3, 9))
    for row in (4, 0):
        page.locator("tbody tr").nth(row).locator("td").nth(1).hover()
        expect(live).to_have_text(sentence("user 405", 2, 3, row))
    expect(live).not_to_contain_text("then")  # the first row sees itself alone
    page.get_by_label("head").select_option("1")
    expect_numbers(page, MAPS["user 405"][1][1, 0])
    page.get_by_label("layer").select_option("1")
    expect_numbers(page, MAPS["user 405"][1][0, 0])
    expect(page.locator("caption b")).to_have_text("user 405, layer 1, head 1")
    page.get_by_label("example").select_option("user 17")
    expect_numbers(page, MAPS["user 17"][1][0, 0])
    expect(page.locator("thead th").first).to_have_attribute("title", TITLES[0])


@in_a_browser
def test_examples_may_differ_in_size(opened):
    page = opened(built())
    page.get_by_label("example").select_option("one layer")
    expect(page.get_by_label("layer").locator("option")).to_have_text(["1"])
    expect(page.get_by_label("head").locator("option")).to_have_text(["1", "2"])
    expect_numbers(page, MAPS["one layer"][1][0, 1])  # head 3 is not there: the last one is
    expect(page.locator("[aria-live]")).to_have_text(sentence("one layer", 1, 2, 2))
    page.get_by_label("example").select_option("user 17")
    expect_numbers(page, MAPS["user 17"][1][0, 1])


@in_a_browser
def test_it_works_by_keyboard(opened):
    page = opened(built())
    live = page.locator("[aria-live]")
    for label in ("example", "layer", "head"):
        page.keyboard.press("Tab")
        expect(page.get_by_label(label)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("head")).to_have_value("3")
    expect_numbers(page, MAPS["user 405"][1][1, 3])
    page.keyboard.press("Tab")
    expect(page.get_by_label("Table of attention weights")).to_be_focused()
    page.keyboard.press("Tab")
    for key, row in (("", 0), ("ArrowUp", 0), ("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("Tab", 2)):
        if key:
            page.keyboard.press(key)
        expect(page.locator("tbody th").nth(row)).to_be_focused()
        expect(live).to_have_text(sentence("user 405", 2, 4, row))
        expect(page.locator("tr.said th")).to_have_attribute("title", TITLES[::-1][row])
    assert page.evaluate("scrollY") == 0


@in_a_browser
def test_it_reads_without_its_script(opened):
    page = opened(built(), script=False)
    assert (
        page.locator("#attention-explorer > *").first.locator("> *").first.evaluate("node => node.tagName") == "TABLE"
    )
    expect_numbers(page, MAPS["user 405"][1][1, 2])
    expect(page.locator("td", has_text=".").first).to_be_visible()
    expect(page.locator("caption")).to_be_visible()
    assert page.locator("select, input, button, [aria-live], th[tabindex]").count() == 0


@in_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(opened, scheme):
    page = opened(built())
    page.emulate_media(color_scheme=scheme)
    page.locator("tbody th").nth(3).focus()
    results = Axe().run(page)
    found = results.response["violations"]
    assert [(v["id"], node["failureSummary"]) for v in found for node in v["nodes"]] == []


@in_a_browser
@pytest.mark.parametrize("tokens", [1, 10, MOST_TOKENS])
def test_the_page_never_scrolls_sideways(opened, tokens):
    page = opened(AttentionExplorer({"a " * 60: ((TITLES * 2)[:tokens], causal(tokens, 2, 2, 0))}))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    wider = page.locator(".scroll").evaluate("node => node.scrollWidth > node.clientWidth")
    assert wider == (tokens == MOST_TOKENS)


@in_a_browser
def test_titles_are_harmless_in_the_page(opened):
    nasty = ["<script>alert(1)</script>", "</script>", '<img src=x onerror="alert(2)">']
    page = opened(AttentionExplorer({"<b>bold</b>": (nasty, causal(3, 1, 2, 0))}))
    page.get_by_label("head").select_option("2")
    assert page.locator("tbody th").evaluate_all("heads => heads.map(head => head.title)") == nasty
    expect(page.locator("tbody th").nth(1)).to_have_text("</script>")
    expect(page.get_by_label("example").locator("option")).to_have_text("<b>bold</b>")
    assert page.locator("main img").count() == 0
