from __future__ import annotations

import re
from pathlib import Path

import pytest

from reports.compare_page import compare_context
from reports.compare_words import NO_JUDGE, NO_PICTURE, verdict_of
from reports.headline import MEANING
from reports.html import REPORT_NAME, render_page, render_report
from reports.results import CompareResult, CompareRow, NotMeasured, Results, is_comparison
from tests.reports import compare_factory as made
from tests.reports import factory
from tests.reports.test_html import Page

FEW = factory.FEW


@pytest.fixture(scope="module")
def page() -> Page:
    return page_of(made.document())


def page_of(document: Results) -> Page:
    return Page(render_page(document, Path("nowhere")))


def plain(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


def test_a_comparison_has_a_page_of_its_own_under_the_same_name(tmp_path: Path) -> None:
    run = factory.write_run(tmp_path / "run", made.document())
    assert render_report(run) == run / REPORT_NAME
    text = (run / REPORT_NAME).read_text()
    assert "Which model leaks most" in text
    assert "No attack was judged" not in text
    assert render_report(run).read_text() == text


def test_beside_attacks_the_report_keeps_its_own_page_and_the_same_tables(page: Page) -> None:
    document = factory.results(compare=made.comparison())
    assert not is_comparison(document)
    text = page_of(document).text
    assert "Originals and reconstructions" in text
    for shared in ("Comparison at every FMR", "clear: dlib leaks more", "+30.4 pp"):
        assert shared in text
        assert shared in page.text


def test_the_top_says_the_verdict_the_judge_and_what_it_means(page: Page) -> None:
    lead = page.lines.index(plain(verdict_of(made.comparison())))
    assert lead < 8
    top = "\n".join(page.lines[: page.lines.index("Which model leaks most")])
    assert "faceleak-mini, a recognition model that took no part in any attack," in top
    assert "1 stranger in 1,000" in top
    assert plain(MEANING) in top
    bars = [a["style"] for n, a in page.tags if n == "span" and a.get("class") == "fill"]
    assert bars == ["width:41.2%", "width:39.7%", "width:10.8%", "width:3.4%"]
    assert NO_JUDGE not in page.text


def test_what_another_judge_turns_round_stands_at_the_verdict_and_among_the_limits(
    page: Page,
) -> None:
    """lbp is ranked third by the judge of the order, and dlib accepts more of its faces than of
    mobilefacenet's."""
    matrix = [made.cell(source, judge) for source in made.NAMES for judge in made.JUDGES]
    for cell in matrix:
        if (cell.source, cell.judge) == ("lbp", "dlib"):
            cell.type1["1e-3"] = factory.rate(0.9)
    lines = page_of(made.document(made.comparison(matrix=matrix))).lines
    top = lines[: lines.index("Which model leaks most")]
    end = lines[lines.index("What these numbers do not say") :]
    says = "The order depends on the judge: dlib, which no attack on either saw, accepts 90.0 %"
    assert sum(says in line for line in top) == 1
    assert sum(says in line for line in end) == 1
    assert "The order depends" not in page.text


def row_at(page: Page, heading: str) -> list[str]:
    """The lines of text from a row's heading on."""
    return page.lines[page.lines.index(heading, page.lines.index("Which model leaks most")) :][:24]


def test_the_ranking_holds_every_number_of_a_row(page: Page) -> None:
    assert row_at(page, "1. mobilefacenet")[:18] == [
        "1. mobilefacenet",
        "appearance \u00b7 128-D \u00b7 cosine \u00b7 MIT",
        *("39.7 %", "36.7\u201342.7"),  # by the judge
        *("27.8 %", "24.8\u201330.8"),  # Type-II
        *("61.0 %", "58.0\u201364.0"),  # its reference
        *("99.7 %", "96.7\u2013100.0"),  # by the model itself
        *("99.5 %", "96.5\u2013100.0"),  # TMR at 1e-2
        *("98.1 %", "95.1\u2013100.0"),  # TMR at 1e-3
        *("17.1", "17\u201317.2"),
        *("0.4275", "0.4175\u20130.4375"),
    ]
    assert "1. dlib" in page.lines
    assert "3. lbp" in page.lines
    assert any(
        line.startswith("Rows that share a rank cannot be told apart") for line in page.lines
    )
    assert "Grade" not in page.lines


def test_grades_are_a_column_where_a_row_has_one() -> None:
    rows = [made.row("dlib", grade="D"), made.row("lbp")]
    lines = page_of(made.document(made.comparison(rows=rows))).lines
    assert "Grade" in lines
    assert "D" in lines
    assert "Rows that share" not in "\n".join(lines)


def test_differences_are_said_in_numbers_and_words(page: Page) -> None:
    at = page.lines.index("dlib \u2212 mobilefacenet", page.lines.index("Which model leaks most"))
    assert page.lines[at + 1 : at + 9] == [
        *("1 %", "+1.8 pp", "\u22120.30 to +4.1", "not clear: the interval holds 0"),
        *("0.1 %", "+1.5 pp", "\u22120.60 to +3.8", "not clear: the interval holds 0"),
    ]
    assert page.lines.count("clear: dlib leaks more") == 2 * 2
    # Said once, not in every row:
    assert f"Not measured at FMR 0.01 %: {FEW.not_measured}" in page.lines


def test_every_cell_of_the_matrix_has_its_interval(page: Page) -> None:
    at = page.lines.index("Type-I, the leaked picture, by every judge")
    end = page.lines.index("Type-II, other pictures of the person, by every judge")
    part = page.lines[at:end]
    measured = 2 * (4 * 5 - 1)
    assert sum(bool(re.fullmatch("[\\d.]+\u2013[\\d.]+,?", line)) for line in part) == measured
    assert part.count("not measured") == 2  # the cell without a rate, at both FMRs
    assert FEW.not_measured in part


def test_a_reference_that_all_sources_share_is_printed_once(page: Page) -> None:
    assert page.lines.count("any of them") == 1
    cells = made.comparison().matrix
    cells[0] = cells[0].model_copy(update={"type2_reference": made.by_fmr(0.5)})
    other = page_of(made.document(made.comparison(matrix=cells)))
    assert "any of them" not in other.lines


def test_predictability_stands_last_and_beside_its_calibration(page: Page) -> None:
    headings = [line for line in page.lines if line in SECTIONS]
    assert headings == list(SECTIONS)
    assert plain(NO_PICTURE) in page.text
    at = page.lines.index("dlib \u2192 mobilefacenet")
    assert page.lines[at + 1] == "fitted on 2,480 pairs"
    row = page.lines[page.lines.index("0.1 %", at) :][1:9]
    assert row[::2] == ["81.0 %", "97.0 %", "93.0 %", "0.13 %"]
    assert "Photographs" in page.lines
    assert "Strangers" in page.lines


SECTIONS = (
    "Which model leaks most",
    "What accuracy costs",
    "Whose templates fool whom",
    "Shorter and coarser templates",
    "Does the attack get out what is in there?",
    "How much template spaces have in common",
    "The judges",
    "People and pictures",
    "What these numbers do not say",
    "Provenance",
)


def test_formats_are_compared_with_the_first_line(page: Page) -> None:
    at = page.lines.index("Templates kept shorter or coarser, at FMR 0.1 %")
    part = page.lines[at:]
    bit = part.index("1 bit")
    assert part[bit + 1] == "128-D, 16 bytes"
    assert part[part.index("as they are") + 1] == "128-D, 512 bytes"
    assert "\u221211.5 pp" in part[bit : bit + 12]
    assert part.count("the first line") == 2 * 2  # two backbones at two FMRs
    assert "not part of this run" in part  # the change at the other FMR


def test_the_control_prints_all_three_numbers(page: Page) -> None:
    at = page.lines.index("Does the attack get out what is in there?")
    part = page.lines[at : at + 24]
    assert {"23.4", "23.19", "\u22120.21"} <= set(part)
    assert any("The control holds" in line for line in part)


def test_notes_provenance_and_limits_are_there(page: Page) -> None:
    assert made.comparison().notes[0] in page.lines
    assert "weights arcface missing" in page.text
    assert "faceleak 0.1.0" in page.text


def test_every_figure_has_words_and_its_numbers(page: Page) -> None:
    boxes = [a for n, a in page.tags if n == "div" and a.get("class") == "svg"]
    assert len(boxes) == len(page.attributes("svg")) == 1 + 2 + 2
    assert all(box["role"] == "img" and len(box["aria-label"]) > 60 for box in boxes)
    assert page.open == []
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))


def test_without_one_judge_the_verdict_warns_and_the_table_names_each() -> None:
    rows = [made.row("dlib", judge="mobilefacenet"), made.row("lbp", judge="dlib", rank=2)]
    found = page_of(made.document(made.comparison(judge="", rows=rows)))
    assert found.text.count(NO_JUDGE) == 1
    assert next(line for line in found.lines if NO_JUDGE in line).startswith(NO_JUDGE)
    assert "judge mobilefacenet" in found.text
    assert "judge dlib" in found.text
    assert "took no part in any attack" not in found.text


def test_hostile_names_are_text_wherever_they_stand() -> None:
    bad = f'"><img src=x onerror=alert(1)>{factory.HOSTILE}'
    rows = [made.row("dlib", name=bad, attack=bad, judge=bad, licence=bad, similarity=bad)]
    rows.append(made.row("lbp", headline=NotMeasured(not_measured=bad), rank=0))
    cell = made.cell("dlib", "lbp").model_copy(update={"source": bad, "judge": bad, "attack": bad})
    form = made.formats("dlib")[0]
    form = form.model_copy(update={"backbone": bad, "form": bad, "attack": bad, "judge": bad})
    compare = made.comparison(
        judge=bad,
        rows=rows,
        differences=[made.difference(bad, "lbp", 0.1)],
        judges=[bad],
        matrix=[cell],
        predictability=[made.predictability(bad, bad)],
        formats=[form],
        projection=made.projection().model_copy(update={"attack": bad}),
        notes=[bad],
    )
    text = render_page(made.document(compare, title=bad, backbones={}), Path("nowhere"))
    found = Page(text)
    assert "<script" not in text
    assert not {n for n, _ in found.tags} & {"script", "img"}
    assert "onerror" not in {name for _, attributes in found.tags for name in attributes}
    assert found.text.count("onerror") > 12


def test_the_page_is_self_contained(page: Page) -> None:
    text = render_page(made.document(), Path("nowhere"))
    assert not re.search(r"https?://|@import|url\((?!#)|javascript:", text)
    names = {name for name, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "form", "base", "img"}
    policy = [m["content"] for m in page.attributes("meta") if "http-equiv" in m]
    assert policy[0].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "compare",
    [
        CompareResult(),
        CompareResult(rows=[CompareRow(name="dlib")]),
        made.comparison(rows=[made.row("dlib")], differences=[], matrix=[], formats=[]),
        made.comparison(
            rows=[made.row(n, rank=0, headline=FEW, sar={}, tmr={}, image={}) for n in made.NAMES],
            fmr=None,
            predictability=[],
            projection=None,
        ),
    ],
)
def test_a_comparison_with_little_in_it_can_be_rendered(compare: CompareResult) -> None:
    found = page_of(made.document(compare, backbones={}, judges_missing={}, faces=None))
    assert found.open == []
    assert plain(verdict_of(compare)) in found.lines


@pytest.mark.parametrize(("target", "own"), [("dlib", 1), ("lbp", 1), ("", 0), ("arcface", 0)])
def test_a_run_of_any_name_is_framed_at_the_model_that_it_attacked(target: str, own: int) -> None:
    cells = [made.cell("dlib", judge) for judge in made.JUDGES]
    compare = made.comparison(
        rows=[made.row("dlib", name="my run", target=target)],
        matrix=[cell.model_copy(update={"source": "my run"}) for cell in cells],
    )
    for chart in compare_context(compare)["maps"]:
        assert chart.svg.count("stroke-dasharray") == own + 1  # and the legend
