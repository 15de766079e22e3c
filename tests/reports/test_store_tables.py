from __future__ import annotations

from pathlib import Path

import pytest

from reports.html import render_report
from reports.results import Results
from tests.reports import factory, store_factory
from tests.reports.test_html import Page


def page_of(document: Results, folder: Path) -> Page:
    return Page(render_report(factory.write_run(folder, document)).read_text())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return page_of(store_factory.results(), tmp_path_factory.mktemp("store") / "run")


@pytest.mark.parametrize(
    "line",
    [
        "encodings.pickle",
        "a dictionary with 'encodings' and 'names'",
        "12 in img.content",
        "yes, it is a pickle",
        "10: 3 numbers where 128 are expected",
        "99.5 %",
        "1,985 templates, encodings, 500 people",
        "128-D, norms 1.41 ± .03",
        "Another template of the person",
        "glasses",
        "plain accuracy 80.0 %",
        "map of 1,500 pairs",
    ],
)
def test_the_page_says_what_is_known_of_the_store(page: Page, line: str) -> None:
    assert line in page.text.replace("\u00a0", " ")


def test_no_photograph_is_spoken_of(page: Page) -> None:
    text = page.text
    assert "Originals and reconstructions" not in text
    assert "picture removed" not in text
    assert "against the picture whose template leaked" not in text
    assert "against the template that leaked" in text
    assert "Another photograph" not in text


def test_predictions_stand_beside_their_calibration_and_never_on_top(page: Page) -> None:
    text = page.text.replace("\u00a0", " ")
    top, rest = text.split("How often reconstructions are accepted", 1)
    assert "faceleak-mini" not in top
    assert "The attacked model's own number: there is no unseen judge behind it." in top
    for share in ("61.0 %", "71.0 %", "3.0 %"):
        assert share in rest
    assert "this is no success rate" in rest


def test_a_store_that_was_not_inverted_says_why(tmp_path: Path) -> None:
    store = store_factory.summary(
        not_inverted="no attack ships for this model", predicted=[], attributes=[]
    )
    document = store_factory.results(store, attacks=[], backbones={}, samples=[])
    text = page_of(document, tmp_path / "run").text
    assert "No face was rebuilt: no attack ships for this model." in text
    assert "Reconstructions" not in text


def test_hostile_names_are_text(tmp_path: Path) -> None:
    bad = factory.HOSTILE
    store = store_factory.summary(
        name=bad, kind=bad, family=bad, evidence=[bad], pictures={bad: 3}, unreadable={bad: 1}
    )
    document = store_factory.results(store)
    text = render_report(factory.write_run(tmp_path / "run", document)).read_text()
    assert "<script" not in text
    assert Page(text).open == []


def test_pictures_of_people_are_blurred(page: Page) -> None:
    assert "Pictures of people are blurred." in page.text
