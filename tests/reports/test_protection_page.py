from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reports.headline import MEANING
from reports.html import render_page
from reports.protection_select import BY_FMR, is_control
from reports.protection_words import PROPERTIES
from reports.results import Estimate, Measured, ProtectionResult, Results, is_protection
from reports.stress_strip import SIDE
from reports.words import Kind, count, interval, main
from tests.reports import factory
from tests.reports import protection_factory as made
from tests.reports.test_html import Page, page_of, pictures_of
from tests.reports.test_pictures import detail_energy

SECTIONS = (
    "results properties pictures schemes controls missing "
    "compliance judges faces limits licences provenance"
)
CHANGES = ("difference", "type2_difference", "tmr_difference")


@pytest.fixture(scope="module")
def document() -> Results:
    return made.document()


@pytest.fixture(scope="module")
def text(document: Results) -> str:
    return render_page(document, Path("nowhere"))


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def few() -> list[ProtectionResult]:
    """Two schemes of one backbone, which is enough for most of what a page says."""
    told = [row for row in made.rows() if row.backbone == "dlib"]
    return [row for row in told if row.scheme in ("none", "polyprotect")]


def plain(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


def test_a_protection_run_has_a_page_of_its_own(document: Results, page: Page) -> None:
    assert is_protection(document)
    assert page.open == []
    ids = [a["id"] for tag, a in page.tags if tag == "section" and "id" in a]
    assert ids == SECTIONS.split()
    assert plain(MEANING) in page.text


def test_the_top_is_the_recommendation_and_what_it_rests_on(page: Page) -> None:
    finding = made.recommendation()
    places = [page.lines.index(finding.title), page.lines.index(finding.recommendation)]
    places.append(page.lines.index("Recognition and rebuilt faces, templates of dlib"))
    places.append(page.lines.index("The three properties, and their price"))
    assert places == sorted(places)
    top = "\n".join(page.lines[: places[-1]])
    assert "rebuilt faces accepted, key known" in top
    assert "6 ways of protecting templates of dlib and mobilefacenet" not in top  # one was silent
    assert "7 ways of protecting templates of dlib and mobilefacenet, under 20 keys" in top
    assert page.lines.count(finding.title) == 1


def test_without_a_recommendation_the_page_says_so() -> None:
    page = Page(render_page(made.document(few(), findings=[]), Path("nowhere")))
    assert "No recommendation was drawn from these numbers." in page.lines


def test_other_findings_are_listed_below() -> None:
    other = made.recommendation().model_copy(
        update={"id": "protection.linkable", "title": "Templates can be linked", "severity": "high"}
    )
    both = made.document(few(), findings=[made.recommendation(), other])
    page = Page(render_page(both, Path("nowhere")))
    assert page.lines.index("Templates can be linked") > page.lines.index("Scheme by scheme")
    assert page.lines.count(made.recommendation().title) == 1


def numbers(row: ProtectionResult) -> list[tuple[Estimate, Kind]]:
    rates: list[tuple[Estimate, Kind]] = [
        (v, "margin" if name in CHANGES else "rate")
        for name in BY_FMR
        for v in getattr(row, name).values()
    ]
    rates += [(v, "number") for v in (*row.image.values(), *row.measures.values())]
    for linkage in row.linkage:
        rates += [(v, "ratio") for v in (linkage.d_sys, linkage.null, linkage.maximal)]
    if row.attack:
        return [*rates, (row.detection_rate, "rate"), (row.recovered_cosine, "ratio")]
    return [*rates, (row.microseconds, "number")]


def test_every_number_of_every_row_is_printed_with_its_interval(
    document: Results, page: Page
) -> None:
    lines = set(page.lines)
    whole = page.text
    for row in document.protections:
        for value, kind in numbers(row):
            if isinstance(value, Measured):
                assert plain(main(value, kind)) in lines, (row.label, row.attack, value)
                spread = plain(interval(value, kind))
                assert {spread, f"{spread},"} & lines, (row.label, row.attack, value)
            else:
                assert value.not_measured in whole
        for number in (row.n_attempts, row.n_failed, row.stored_bits, row.keys, row.queries):
            assert not number or count(number) in lines
        assert row.note in whole


def test_every_scheme_has_a_fold_that_names_its_bound(page: Page) -> None:
    folds = [line for line in page.lines if "of rebuilt faces accepted" in line]
    told = [line for line in folds if line.startswith("dlib, ")]
    assert len(told) == len(made.SCHEMES)  # and the unprotected; of a ciphertext nothing is known
    assert any("CKKS: no bound was measured" in line for line in page.lines)
    assert "dlib, PolyProtect, overlap 2: up to 3.9 % of rebuilt faces accepted, keys leaked" in (
        " ".join(told)
    )


def test_words_are_explained_and_no_scheme_is_called_irreversible(page: Page) -> None:
    for name, says in PROPERTIES:
        assert name in page.lines
        assert plain(says) in page.lines
    assert "The attacker has each leaked template together with its own key (a stolen key)." in (
        page.lines
    )
    found = [line for line in page.lines if "irreversible" in line.lower()]
    assert all("No scheme is called irreversible" in line for line in found)


def test_what_was_not_measured_stands_with_its_reason(page: Page) -> None:
    at = page.lines.index("What was not measured")
    assert "PFRNet-like split" in page.lines[at:]
    assert made.NO_LABELS in page.lines[at : at + 20]


def test_controls_have_a_section_of_their_own(document: Results, page: Page) -> None:
    assert any(is_control(row) for row in document.protections)
    start, end = page.lines.index("Controls"), page.lines.index("What was not measured")
    assert any("control:mean" in line for line in page.lines[start:end])
    assert not any("control:mean" in line for line in page.lines[:start])


def test_names_of_plug_ins_are_texts(tmp_path: Path) -> None:
    document = made.document(
        [*few()[:2], *made.hostile()],
        findings=[made.recommendation().model_copy(update={"title": factory.HOSTILE})],
    )
    page = Page(render_page(document, tmp_path))
    assert "<script" not in page.source
    assert page.open == []
    assert page.lines.count(factory.HOSTILE) > 3


@pytest.mark.parametrize(
    ("generated", "reveal", "blurred"),
    [(False, False, True), (True, False, False), (False, True, False)],
)
def test_people_are_blurred_unless_revealed_or_generated(
    generated: bool, reveal: bool, blurred: bool, tmp_path: Path
) -> None:
    results = made.document(few(), faces=factory.faces(generated))
    page = page_of(made.write_run(tmp_path / "run", results), reveal=reveal)
    sharp = detail_energy(factory.picture(0).resize((SIDE, SIDE)), 6)
    found = pictures_of(page)
    assert len(found) == 2 * 3  # two people: what was enrolled, and two schemes
    for alt, picture in found:
        assert alt.startswith("Blurred: ") == blurred
        if "Enrolled" in alt:
            assert (detail_energy(picture, 6) < 0.01 * sharp) == blurred
    assert ("Pictures of people are blurred" in page.text) == blurred


def test_pictures_stand_by_person_and_scheme(tmp_path: Path) -> None:
    page = page_of(made.write_run(tmp_path / "run", made.document(few())))
    alts = [a["alt"] for a in page.attributes("img")]
    assert "Blurred: Enrolled picture, person 1 (S-01)" in alts
    assert any("PolyProtect, overlap 2, attacker knows each key, person 2" in alt for alt in alts)


def test_an_audit_with_protections_shows_them_below_stress(tmp_path: Path) -> None:
    none: dict[str, Any] = {"histograms": {}, "det": {}, "curves": {}, "samples": []}
    page = Page(render_page(factory.results(protections=few(), **none), tmp_path))
    at = page.lines.index("Stress and protection")
    below = page.lines[at:]
    assert "Irreversibility, keys leaked" in below
    assert any("PolyProtect, overlap 2: up to" in line for line in below)
    assert page.open == []
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
