"""The pages in a real headless Chromium: axe-core finds nothing, nothing overflows, nothing is
said on the console and nothing is asked of anybody."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.html import render_report
from reports.pdf import PdfError, find_browser
from reports.results import Results
from tests.reports import factory, page_factory, stress_factory

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="no axe-playwright-python"
)

WIDTHS = (360, 768, 1440)
SCHEMES = ("light", "dark")
# What a screen reader is told of a figure is the label of the box around it.
CONTEXT = {"exclude": [[".svg > svg"]]}
OPTIONS = {"resultTypes": ["violations"]}
IN_FULL = ("leaking",)
"""Every width in both schemes. The others, to save time: the widest in the dark one, narrower ones
in the light one, and axe at both ends alone."""
OVERFLOW = """() => {
  const root = document.documentElement, wide = root.clientWidth;
  const free = (e) => !e.closest('.scroll, .sr, .skip') && e.getBoundingClientRect().width > 0;
  const out = [...document.body.querySelectorAll('*')].filter(
    (e) => free(e) && !e.closest('svg') && e.getBoundingClientRect().right > wide + 0.5);
  return {page: root.scrollWidth - wide, out: out.map((e) => e.tagName + '.' + e.className)};
}"""


def documents() -> dict[str, Results]:
    """Every kind of page."""
    return {**page_factory.pages(), "stress": stress_factory.document()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        program = find_browser(os.environ)
    except PdfError as error:
        pytest.skip(str(error))
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    return {
        name: render_report(factory.write_run(folder / name, document))
        for name, document in documents().items()
    }


@pytest.mark.parametrize("name", sorted(documents()))
def test_no_violation_no_overflow_no_word_and_no_request(
    browser: Any, pages: dict[str, Path], name: str
) -> None:
    said: list[str] = []
    asked: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(pages[name].as_uri())
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [pages[name].as_uri()]
    for i, width in enumerate(WIDTHS):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES if name in IN_FULL else SCHEMES[i // 2 :][:1]:
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(OVERFLOW) == {"page": 0, "out": []}, (width, scheme)
            if name not in IN_FULL and width not in (WIDTHS[0], WIDTHS[-1]):
                continue
            found = axe.Axe().run(page, CONTEXT, OPTIONS).response["violations"]
            told = [(v["id"], v["nodes"][0]["html"][:200], len(v["nodes"])) for v in found]
            assert told == [], (width, scheme)
    page.close()


def test_folds_are_as_clean_as_the_rest(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 900})
    page.goto(pages["leaking"].as_uri())
    page.evaluate("() => document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate(OVERFLOW) == {"page": 0, "out": []}
    found = axe.Axe().run(page, CONTEXT, OPTIONS).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found] == []
    page.close()


def test_the_keyboard_reaches_the_content_first_and_sees_where_it_is(
    browser: Any, pages: dict[str, Path]
) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(pages["leaking"].as_uri())
    page.keyboard.press("Tab")
    focused = "() => document.activeElement"
    assert page.evaluate(f"({focused})().getAttribute('href')") == "#main"
    box = page.evaluate(f"({focused})().getBoundingClientRect().toJSON()")
    assert box["left"] >= 0
    assert box["top"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate(f"({focused})().id") == "main"
    page.keyboard.press("Tab")
    outline = page.evaluate(f"getComputedStyle(({focused})()).outlineStyle")
    assert outline not in ("none", "")
    page.close()


def test_the_first_screen_says_how_bad_for_whom_and_what_first(
    browser: Any, pages: dict[str, Path]
) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(pages["leaking"].as_uri())
    for selector in (".grade", ".lead", ".big", ".plain", "#actions li"):
        box = page.locator(selector).first.bounding_box()
        assert box["y"] + box["height"] <= 900, selector
    page.close()


def test_folds_are_printed_open_and_figures_are_whole(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 700, "height": 1000})
    page.goto(pages["leaking"].as_uri())
    hidden = (
        "() => [...document.querySelectorAll('details table')]"
        ".filter((t) => !t.checkVisibility()).length"
    )
    assert page.evaluate(hidden) > 0
    page.emulate_media(media="print")
    assert page.evaluate(hidden) == 0
    breaks = (
        "() => [...document.querySelectorAll('.svg')].map((e) => getComputedStyle(e).breakInside)"
    )
    assert set(page.evaluate(breaks)) == {"avoid"}
    assert (
        page.evaluate("() => getComputedStyle(document.querySelector('.skip')).display") == "none"
    )
    page.close()
