"""The visible text of one page of each kind, figures aside, as it was last wanted.

After a wanted change: ``python -c "from tests.reports.test_golden import write; write()"``, and
read the difference.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import pytest

from reports.html import render_report
from tests.reports import factory
from tests.reports.page_factory import EVIL, pages
from tests.reports.test_html import Page

GOLDEN = Path(__file__).with_name("golden")


def page_of(name: str, folder: Path) -> Page:
    return Page(render_report(factory.write_run(folder / "run", pages()[name])).read_text())


def write() -> None:
    for name in pages():
        with tempfile.TemporaryDirectory() as folder:
            text = page_of(name, Path(folder)).text
            (GOLDEN / f"{name}.txt").write_text(text + "\n")


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_whole_page_reads_as_it_did(name: str, tmp_path: Path) -> None:
    page = page_of(name, tmp_path)
    assert page.text + "\n" == (GOLDEN / f"{name}.txt").read_text()
    assert page.open == []
    assert "<script" not in page.source
    shown = [line for line in page.lines if EVIL in line]
    assert f"Input: {EVIL}" in shown  # a file
    assert shown.count(EVIL) >= 4  # a finding: title, id, recommendation, clause
    subjects = [s for s in pages()[name].samples if s.subject == EVIL]
    assert shown.count(EVIL) >= 4 + bool(subjects)


def test_headings_are_in_order_and_ids_are_unique(tmp_path: Path) -> None:
    for name in pages():
        page = page_of(name, tmp_path / name)
        levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4")]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), name


def test_sections_stand_in_their_order(tmp_path: Path) -> None:
    page = page_of("leaking", tmp_path)
    ids = [a["id"] for tag, a in page.tags if "id" in a and tag in ("section", "div")]
    wanted = "verdict actions findings results pictures transfer likeness search more"
    assert (
        ids == f"{wanted} compliance grade judges training faces limits licences provenance".split()
    )
    store = page_of("store", tmp_path / "store")
    ids = [a["id"] for tag, a in store.tags if "id" in a and tag == "section"]
    assert ids.index("more") < ids.index("store") < ids.index("beyond") < ids.index("compliance")


def test_a_partial_report_says_so_at_the_top(tmp_path: Path) -> None:
    lines = page_of("partial", tmp_path).lines
    said = next(line for line in lines if line.startswith("This report is partial."))
    assert lines.index(said) < lines.index("What to do first")
    for word in ("66.7 %", f"995: {EVIL}", "the file ends in the middle of a row"):
        assert word in said
