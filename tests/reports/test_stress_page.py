from __future__ import annotations

import re
from pathlib import Path

import pytest

from audit.stress.findings import stress_findings
from audit.stress.rules import load_rules
from reports.headline import MEANING
from reports.html import render_page, render_report
from reports.results import (
    STRESS_FAMILIES,
    Measured,
    NotMeasured,
    Results,
    StressResult,
    is_stress,
)
from reports.stress_families import FAMILIES
from reports.stress_select import BY_FMR
from reports.stress_strip import SIDE
from reports.stress_words import kind_of, told_of, worst_of
from reports.words import Kind, count, interval, main
from tests.reports import factory
from tests.reports import stress_factory as made
from tests.reports.test_html import Page, page_of, pictures_of
from tests.reports.test_pictures import detail_energy


@pytest.fixture(scope="module")
def document() -> Results:
    rows = made.rows()
    return made.document(rows, findings=stress_findings(rows, load_rules()))


@pytest.fixture(scope="module")
def text(document: Results) -> str:
    return render_page(document, Path("nowhere"))


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def plain(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


def section(page: Page, family: str) -> list[str]:
    """The lines of a family's section."""
    titles = [words.title for words in FAMILIES.values()]
    here = page.lines.index(FAMILIES[family].title)  # type: ignore[index]
    ends = [i for i, line in enumerate(page.lines) if i > here and line in (*titles, "What to do")]
    return page.lines[here : min(ends, default=None)]


def test_a_stress_run_has_a_page_of_its_own(document: Results, page: Page) -> None:
    assert is_stress(document)
    titles = [line for line in page.lines if line in {w.title for w in FAMILIES.values()}]
    assert titles[: len(STRESS_FAMILIES)] == [FAMILIES[name].title for name in STRESS_FAMILIES]
    assert page.open == []
    assert plain(MEANING) in page.text


def test_the_top_says_the_worst_three_findings_and_what_was_tried(
    document: Results, page: Page
) -> None:
    top = page.lines[: page.lines.index(FAMILIES["occlusion"].title)]
    worst = worst_of(document)
    assert len(worst) == 3
    assert [f.severity for f in worst] == ["high"] * 3
    places = [top.index(plain(finding.title)) for finding in worst]
    assert places == sorted(places)
    said = next(line for line in top if line.startswith("Templates of dlib and mobilefacenet"))
    assert "inverted by linear" in said
    assert "judged by dlib and mobilefacenet" in said
    assert "1,150 leaked people" in said


@pytest.mark.parametrize("family", STRESS_FAMILIES)
def test_every_section_tells_what_was_tried_and_three_sentences(
    document: Results, page: Page, family: str
) -> None:
    lines = section(page, family)
    words = FAMILIES[family]  # type: ignore[index]
    assert lines[1].startswith(plain(words.tried))
    told = told_of(document, family)  # type: ignore[arg-type]
    assert len(told) == 3
    assert [line for line in lines if line in {plain(f.title) for f in told}] == [
        plain(f.title) for f in told
    ]
    assert (
        words.curve in lines
        or "Rebuilt faces accepted, by what was done" in lines
        or (family == "invariance")
    )
    assert "All numbers of dlib" in lines
    assert "All numbers of mobilefacenet" in lines


def numbers(row: StressResult) -> list[tuple[Measured | NotMeasured, Kind]]:
    rates = [(v, kind_of(name)) for name in BY_FMR for v in getattr(row, name).values()]
    return rates + [(v, kind_of(f"measures.{name}")) for name, v in row.measures.items()]


def test_every_number_of_every_row_is_printed_with_its_interval(page: Page) -> None:
    for family in STRESS_FAMILIES:
        lines = set(section(page, family))
        for row in made.rows():
            if row.family != family:
                continue
            assert plain(row.label) in "\n".join(lines)
            for value, kind in numbers(row):
                if isinstance(value, Measured):
                    assert plain(main(value, kind)) in lines, (family, row.label, value)
                    assert plain(interval(value, kind)) in lines, (family, row.label, value)
                else:
                    assert any(value.not_measured in line for line in lines)


def test_n_and_attempts_are_printed(page: Page) -> None:
    for family in ("occlusion", "damage", "quality"):
        lines = section(page, family)
        assert any(f"n = {count(412)}" in line for line in lines)
        assert any(f"n = {count(260)}" in line for line in lines)
        assert "1,000" in lines
        assert "12" in lines
        assert "1,000 templates under each condition." in lines[1]


def test_what_was_not_measured_says_why() -> None:
    why = NotMeasured(not_measured="no two pictures of anybody")
    rows = [
        row.model_copy(update={"type2": dict.fromkeys(row.type2, why), "measures": {"shift": why}})
        for row in made.quality()
    ]
    lines = Page(render_page(made.document(rows), Path("nowhere"))).lines
    assert "not measured" in lines
    assert any(why.not_measured in line for line in lines)
    assert any(factory.FEW.not_measured in line for line in lines)


def test_table_two_has_a_line_without_and_one_with_the_map(page: Page) -> None:
    lines = section(page, "geometry")
    here = lines.index("Photographs recognised at FMR 0.1 %, without and with the learnt map")
    part = lines[here:][:90]
    assert part.count("without") == part.count("with") == 2
    first = part.index("without")
    assert part[first + 1 : first + 5] == [
        "94.0 %",
        "91.0\u201397.0",
        "47.0 %",
        "44.0\u201350.0",
    ]
    mapped = part.index("with")
    assert part[mapped + 1 : mapped + 4] == ["needs none", "77.0 %", "74.0\u201380.0"]
    assert "turned by 60\u00b0" not in part[:first]


def test_every_figure_has_words_and_its_numbers(page: Page) -> None:
    boxes = [a for n, a in page.tags if n == "div" and a.get("class") == "svg"]
    assert len(boxes) == len(page.attributes("svg")) > 8
    assert all(box["role"] == "img" and len(box["aria-label"]) > 60 for box in boxes)
    assert page.lines.count("The numbers") == len(boxes)
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))


def test_the_map_and_the_roc_are_drawn_where_they_belong(page: Page) -> None:
    assert "Where a template looks" in section(page, "occlusion")
    assert "row 14, column 14" in section(page, "occlusion")
    assert "Does decoding undo the attack?" in section(page, "adversarial")
    assert sum(line == "Does decoding undo the attack?" for line in page.lines) == 1


def test_advice_is_given_once_the_worst_first(document: Results, page: Page) -> None:
    here = page.lines.index("What to do")
    advice = {f.recommendation for f in document.findings if f.severity in ("high", "medium")}
    lines = page.lines[here:]
    for what in advice - {""}:
        assert lines.count(plain(what)) == 1
    low = {f.recommendation for f in document.findings if f.severity in ("low", "info")} - advice
    assert not low & set(lines)


def test_the_page_is_self_contained_and_the_same_every_time(document: Results, text: str) -> None:
    assert not re.search(r"https?://|@import|url\((?!#)|javascript:", text)
    page = Page(text)
    names = {name for name, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "form", "base"}
    geometry = made.document(made.geometry())
    assert render_page(geometry, Path("nowhere")) == render_page(geometry, Path("nowhere"))


def few(rows: list[StressResult]) -> list[StressResult]:
    """A cover that is shown, and nothing else."""
    names = ("none", "surgical-mask")
    return [r for r in rows if r.perturbation in names and r.backbone == "dlib"]


@pytest.mark.parametrize(
    ("generated", "reveal", "blurred"),
    [(False, False, True), (False, True, False), (True, False, False)],
)
def test_people_are_blurred_unless_revealed_or_generated(
    tmp_path: Path, generated: bool, reveal: bool, blurred: bool
) -> None:
    results = made.document(few(made.occlusion()), faces=factory.faces(generated))
    page = page_of(made.write_run(tmp_path / "run", results), reveal=reveal)
    found = pictures_of(page)
    sharp = detail_energy(factory.picture(0).resize((SIDE, SIDE)), 6)
    # Two conditions of two people: what was enrolled, and what was rebuilt from it.
    assert len(found) == 2 * 2 * 2
    for alt, picture in found:
        assert alt.startswith("Blurred: ") == blurred
        assert re.search(r"person [12] \(S-0[12]\)", alt)
        if "Rebuilt" in alt:
            assert picture.getpixel((3, picture.height - 3))[0] > 90  # type: ignore[index]
            assert picture.getpixel((3, picture.height - 3))[1] < 60  # type: ignore[index]
        else:
            assert (detail_energy(picture, 6) < 0.01 * sharp) == blurred
    assert ("Pictures of people are blurred" in page.text) == blurred


def test_pictures_that_are_gone_are_said_to_be(page: Page) -> None:
    assert "picture removed" in page.lines
    assert page.attributes("img") == []


def test_hostile_names_are_text_wherever_they_stand() -> None:
    bad = f'"><img src=x onerror=alert(1)>{factory.HOSTILE}'
    rows = [
        row.model_copy(
            update={"label": bad, "attack": bad, "backbone": bad, "judge": bad, "note": bad}
        )
        for row in few(made.occlusion())
    ]
    rows += [r.model_copy(update={"measures": {bad: made.number(0.1)}}) for r in rows]
    text = render_page(made.document(rows, title=bad, backbones={}), Path("nowhere"))
    page = Page(text)
    assert "<script" not in text
    assert not {n for n, _ in page.tags} & {"script", "img"}
    assert "onerror" not in {name for _, attributes in page.tags for name in attributes}


@pytest.mark.parametrize(
    "rows",
    [
        [StressResult(perturbation="x", attack="linear", backbone="dlib", judge="dlib")],
        [made.row("invariance")],
        [made.row("geometry", attack="", perturbation="rotation", strength=30.0)],
        made.inverted("damage", None),
    ],
)
def test_a_run_with_little_in_it_can_be_rendered(tmp_path: Path, rows: list[StressResult]) -> None:
    results = made.document(rows, backbones={}, judges_missing={}, faces=None)
    run = factory.write_run(tmp_path / "run", results)
    assert page_of(run).open == []
    assert render_report(run).stat().st_mode & 0o777 == 0o600


def test_beside_attacks_stress_rows_are_tables_of_the_audit() -> None:
    results = factory.results(stress=few(made.occlusion()))
    assert not is_stress(results)
    text = Page(render_page(results, Path("nowhere"))).text
    assert "Templates of dlib, inverted by linear, judge mobilefacenet, which it never saw" in text
    assert "surgical mask" in text
