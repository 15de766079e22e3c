"""Which numbers of a run speak to the tables, and how the section of the page tells them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from reports.compliance import compliance_context
from reports.compliance.assessment import word_for
from reports.compliance.evaluate import judge_row
from reports.compliance.page import FOOTER
from reports.compliance.select import Selector, evidence_for
from reports.compliance.tables import shipped_assessment, shipped_sources
from reports.html import _environment, render_page
from reports.results import (
    About,
    ByFmr,
    Finding,
    Measured,
    NotMeasured,
    ProtectionResult,
    Results,
    WeightResult,
)
from tests.reports import compare_factory, factory, store_factory, stress_factory
from tests.reports.test_html import Page


def status(row_id: str, results: Results) -> str:
    source = shipped_sources()[row_id.partition(".")[0]]
    row = next(row for row in source.rows if row.id == row_id)
    return judge_row(row, results).status


def told(selector: dict[str, str], results: Results) -> list[Any]:
    return evidence_for(Selector.model_validate(selector), results)


def rates(value: float) -> ByFmr:
    return {"1e-3": factory.rate(value, width=0.01)}


def judged(unseen: bool, success: float, **changes: Any) -> Any:
    fields = {"type1": rates(success), "type2": rates(success), "type2_reference": rates(0.9)}
    return factory.judge(unseen, success, 0.001).model_copy(update={**fields, **changes})


def audit(own: float, other: float, **changes: Any) -> Results:
    judges = {"dlib": judged(False, own), "mobilefacenet": judged(True, other)}
    row = factory.attack("linear", own, judges=judges)
    mean = factory.attack("control:mean", 0.9, judges={"dlib": judged(False, 0.9)})
    return factory.results(attacks=[row, mean], **changes)


def test_of_an_audit_the_judges_that_count_speak_and_no_control_does() -> None:
    results = factory.results()
    for judge, names in (
        ("own", {"dlib"}),
        ("unseen", {"mobilefacenet"}),
        ("any", {"dlib", "mobilefacenet"}),
    ):
        found = told({"measure": "type2", "judge": judge}, results)
        expected = {
            (row.attack, name, row.judges[name].type2["1e-3"])
            for row in results.attacks
            if not row.control
            for name in names
        }
        assert len(found) == len(expected)
        for one in found:
            assert (one.attack, one.judge, one.value) in expected
            assert one.fmr == "1e-3"


def test_an_attack_that_does_not_work_decides_nothing() -> None:
    found = told({"measure": "type1", "judge": "unseen"}, factory.results())
    assert {one.attack: (one.weak, one.doubtful) for one in found} == {
        "linear": ("", ""),
        "landmark-texture": (factory.NOT_WORKING, factory.NOT_WORKING),
    }


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        (0.9, 0.5, "contradicted by measurement"),
        (0.9, 0.055, "not measured"),
        (0.9, 0.01, "supported by measurement"),
    ],
)
def test_a_row_about_other_matchers_listens_to_unseen_judges(
    own: float, other: float, expected: str
) -> None:
    assert status("gdpr.by-design", audit(own, other)) == expected
    assert status("iso24745.irreversibility", audit(own, other)) == "contradicted by measurement"


def test_a_quick_run_supports_nothing() -> None:
    assert status("gdpr.by-design", audit(0.9, 0.01, quick=True)) == "not measured"
    assert status("gdpr.by-design", audit(0.9, 0.5, quick=True)) == "contradicted by measurement"


def test_a_judge_that_hardly_recognises_anybody_says_nothing() -> None:
    weak = judged(True, 0.01, type2_reference=rates(0.3))
    row = factory.attack("linear", 0.9, judges={"dlib": judged(False, 0.9), "other": weak})
    found = told({"measure": "type2", "judge": "unseen"}, factory.results(attacks=[row]))
    assert [one.value for one in found] == [
        NotMeasured(not_measured="no unseen judge accepts half of the genuine pairs at FMR 1e-3")
    ]


def test_everybodys_face_cannot_contradict() -> None:
    flattered = judged(True, 0.9, reconstruction_fmr=rates(0.05))
    row = factory.attack("linear", 0.9, judges={"mobilefacenet": flattered})
    results = factory.results(attacks=[row])
    assert status("gdpr.by-design", results) == "not measured"


def test_rows_about_protection_are_not_measured_without_one() -> None:
    rows = [
        row
        for source in shipped_sources().values()
        for row in source.rows
        if row.evidence and row.evidence.measure.startswith("protected")
    ]
    assert len(rows) >= 3
    for row in rows:
        decision = judge_row(row, factory.results())
        assert (decision.status, decision.reason) == ("not measured", "no protection was measured")


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(0.01, "supported by measurement"), (0.4, "contradicted by measurement")],
)
def test_with_a_protection_its_numbers_decide(rate: float, expected: str) -> None:
    row = ProtectionResult(
        scheme="biohash",
        key_known=True,
        attack="linear",
        backbone="dlib",
        judge="dlib",
        type2=rates(rate),
    )
    results = factory.results(protections=[row])
    assert status("gdpr.testing", results) == expected
    assert status("iso30136.attack-protected", results) == expected
    residual = compliance_context(results)["dpia"].rows[0][-1]
    assert ("unlikely" in residual.text) is (rate == 0.01)
    assert "linear on biohash, key known" in residual.detail


def test_a_store_speaks_of_what_lies_in_it() -> None:
    results = store_factory.results()
    assert status("iso24745.confidentiality", results) == "contradicted by measurement"
    assert status("gdpr.pseudonyms", results) == "contradicted by measurement"
    assert status("bipa.pictures", results) == "contradicted by measurement"
    assert status("gdpr.by-design", results) == "not measured"  # nobody unseen was asked
    clean = store_factory.summary(encrypted=True, pictures={}, n_named=0)
    results = store_factory.results(clean)
    for row in ("iso24745.confidentiality", "gdpr.pseudonyms", "bipa.pictures"):
        assert status(row, results) == "supported by measurement"
    unknown = store_factory.results(store_factory.summary(encrypted=None))
    assert status("nist.central", unknown) == "not measured"


def test_attributes_count_above_chance() -> None:
    results = store_factory.results()
    found = told({"measure": "attribute_gain"}, results)
    assert results.store is not None
    for one, leak in zip(found, results.store.attributes, strict=True):
        rate = leak.balanced_accuracy
        if isinstance(rate, Measured) and len(leak.classes) == 2:
            assert isinstance(one.value, Measured)
            assert one.value.value == pytest.approx(2 * rate.value - 1)


def test_a_comparison_speaks_for_all_its_backbones() -> None:
    results = compare_factory.document()
    assert results.compare is not None
    found = told({"measure": "type1", "judge": "any"}, results)
    names = {row.name: row.target or row.name for row in results.compare.rows}
    expected = [
        (cell.attack, cell.judge, names[cell.source])
        for cell in results.compare.matrix
        if cell.attack and (cell.unseen or cell.judge == names[cell.source])
    ]
    assert {(one.attack, one.judge, one.backbone) for one in found} <= set(expected)
    assert found
    assert told({"measure": "across_models"}, results)[0].attack == "linear map"
    reduced = told({"measure": "reduced", "judge": "any"}, results)
    assert {one.backbone for one in reduced} <= {r.backbone for r in results.compare.formats}


def test_a_stress_run_speaks_by_its_clean_rows_and_by_damaged_templates() -> None:
    results = stress_factory.document()
    found = told({"measure": "type2", "judge": "any"}, results)
    assert any(isinstance(one.value, Measured) for one in found)
    damaged = told({"measure": "reduced", "judge": "any"}, results)
    assert all("," in one.attack for one in damaged if isinstance(one.value, Measured))


def test_search_speaks_of_scores_alone() -> None:
    results = factory.results(**factory.extensions())
    found = told({"measure": "search", "judge": "unseen"}, results)
    assert {one.attack for one in found} == {
        "linear from 99 scores",
        "linear from 10 scores of 1 decimals",
    }


def test_likelihood_is_told_by_the_lower_and_residual_risk_by_the_upper_limit() -> None:
    bands = shipped_assessment().bands
    for rate, word in ((0.5, "very likely"), (0.49, "likely"), (0.05, "possible")):
        assert word_for(bands, rate) == word
    assert word_for(bands, 0.0).startswith("unlikely")
    table = compliance_context(audit(0.505, 0.2))["dpia"]
    own, elsewhere = table.rows[0], table.rows[1]
    assert own[1].text == "likely"  # from 49.5 %
    assert elsewhere[1].text == "possible"
    assert own[-1].text == "not measured"
    assert "no protection was measured" in table.notes


def protected(low: float, high: float, *, key_known: bool) -> ProtectionResult:
    rate = Measured(value=(low + high) / 2, low=low, high=high, n=100)
    return ProtectionResult(
        scheme="biohash",
        key_known=key_known,
        attack="linear",
        backbone="dlib",
        judge="dlib",
        type2={"1e-3": rate},
    )


def test_residual_risk_takes_the_upper_limit_of_what_was_measured_with_that_key() -> None:
    secret = protected(0.01, 0.3, key_known=False)
    rows = compliance_context(audit(0.5, 0.5, protections=[secret]))["dpia"].rows
    assert rows[0][-1].text == "likely"  # up to 30 %
    assert rows[3][-1].text == "not measured"  # linking asks what a leaked key leaves
    known = protected(0.01, 0.6, key_known=True)
    rows = compliance_context(audit(0.5, 0.5, protections=[secret, known]))["dpia"].rows
    assert rows[3][-1].text == "very likely"


def test_findings_stand_beside_their_risk() -> None:
    finding = Finding(id="audit.inverted-own", severity="high", title="t")
    table = compliance_context(audit(0.5, 0.5, findings=[finding]))["dpia"]
    assert [row[0].detail for row in table.rows[:2]] == ["audit.inverted-own (high)", ""]


def test_the_terms_of_every_weight_file_are_told() -> None:
    weight = WeightResult(name="lpips-alex", use="LPIPS", sha256="ab" * 32)
    table = compliance_context(factory.results(weights=[weight]))["licences"]
    told = {row[0].text: row[2].text for row in table.rows}
    assert told == {
        "lpips-alex": "not recorded by this run",
        "dlib": "CC0-1.0",
        "mobilefacenet": "CC0-1.0",
        "eigenfaces": "CC0-1.0",
    }


DOCUMENTS = {
    "audit": factory.results,
    "store": store_factory.results,
    "comparison": compare_factory.document,
    "stress": stress_factory.document,
}


def section(results: Results) -> Page:
    """The section alone."""
    template = _environment().get_template("compliance.html.j2")
    return Page(template.render(compliance_context(results)))


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_every_kind_of_run_has_the_section_with_its_footer(kind: str) -> None:
    page = section(DOCUMENTS[kind]())
    assert page.open == []
    assert page.text.endswith(FOOTER)
    for name in ("ISO/IEC 24745", "GDPR", "EU AI Act", "BIPA", "NIST", "ISO/IEC 19795-1"):
        assert any(line.startswith(f"{name}: ✕") for line in page.lines), name
    assert not re.search("compliant|iapar", page.source, re.IGNORECASE)
    assert not re.search("https?://", page.source)


def test_the_page_of_a_run_has_the_section(tmp_path: Path) -> None:
    plain = audit(0.9, 0.5, histograms={}, det={}, curves={}, samples=[])
    page = Page(render_page(plain, tmp_path))
    assert [a.get("id") for n, a in page.tags if n == "section"].count("compliance") == 1
    assert FOOTER in page.text


def test_a_status_is_a_symbol_and_a_word() -> None:
    page = section(audit(0.9, 0.01))
    for text in ("✕ contradicted by measurement", "○ not measured", "✓ supported by measurement"):
        assert page.lines.count(text) >= 1


def test_hostile_names_are_text() -> None:
    bad = f'">{factory.HOSTILE}'
    row = factory.attack(bad, 0.9, judges={bad: judged(True, 0.9)})
    about = About(organisation=bad, system=bad, contact=bad)
    weight = WeightResult(name=bad, use=bad, licence=bad, origin=bad, sha256=bad)
    results = factory.results(
        attacks=[row],
        backbones={bad: factory.backbone("l2", None)},
        about=about,
        weights=[weight],
    )
    whole = Page(render_page(results, Path("nowhere")))
    for page in (section(results), whole):
        assert "<script" not in page.source
        assert bad in page.text
    start = whole.lines.index("Organisation:")
    assert whole.lines[start : start + 6 : 2] == ["Organisation:", "· System:", "· Contact:"]
    assert whole.lines[start + 1 : start + 6 : 2] == [bad] * 3


def test_the_logo_is_shown_from_the_run_and_left_out_when_it_is_gone(tmp_path: Path) -> None:
    factory.picture(1).save(tmp_path / "logo.png")
    about = About(organisation="Harbour Office", logo="logo.png")

    def logos(results: Results) -> list[dict[str, str | None]]:
        return [
            image
            for image in Page(render_page(results, tmp_path)).attributes("img")
            if str(image["alt"]).startswith("Logo")
        ]

    (image,) = logos(factory.results(about=about))
    assert image["src"].startswith("data:image/webp;base64,")
    assert image["alt"] == "Logo of Harbour Office"
    (tmp_path / "logo.png").write_bytes(b"<svg onload=alert(1)>")
    assert logos(factory.results(about=about)) == []
    assert logos(factory.results()) == []


@pytest.mark.parametrize("text", ["a\nb", "x" * 201, "a\x1b[31m"])
def test_texts_of_the_users_own_are_one_short_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"one line|at most 200"):
        About(organisation=text)
