"""Findings of an audit of photographs: each rule where it holds and where it does not."""

from __future__ import annotations

from typing import Any

import pytest

from audit.findings_doubts import told_fmr
from audit.findings_photographs import photograph_findings
from reports.compliance.tables import shipped_assessment, shipped_sources
from reports.results import (
    SEVERITY_ORDER,
    ByFmr,
    FacesSummary,
    Finding,
    JudgeResult,
    Measured,
    NotMeasured,
    Results,
    SplitCount,
)
from tests.reports import factory

FEW = {"1e-3": factory.FEW}


def rate(low: float, width: float = 0.02) -> Measured:
    return Measured(value=low + width / 2, low=low, high=low + width, n=100)


def at(low: float) -> ByFmr:
    return {"1e-3": rate(low)}


def judge(unseen: bool, low: float, **changes: Any) -> JudgeResult:
    fields: dict[str, Any] = {
        "unseen": unseen,
        "type1": at(low),
        "type2": at(low / 2),
        "type2_reference": at(0.9),
        "margin_over_nearest": at(low - 0.01),
        "reconstruction_fmr": {"1e-3": rate(0.0, 0.002)},
        "rank1": rate(0.0),
    }
    return JudgeResult(**(fields | changes))


def audit(own: float, other: float | None = None, **changes: Any) -> Results:
    judges = {"eigenfaces": judge(False, 0.99), "mine": judge(False, own)}
    if other is not None:
        judges["other"] = judge(True, other)
    row = factory.attack("linear", own, backbone="mine", judges=judges)
    head = None
    if other is not None:
        head = factory.headline(rate(other)).model_copy(update={"judge": "other"})
    fields: dict[str, Any] = {
        "attacks": [row, factory.attack("control:mean", 1.0, backbone="mine", judges=judges)],
        "headline": head,
        "target": "mine",
        "backbones": {"mine": factory.backbone("l2", None)},
        "judges_missing": {},
    }
    return factory.results(**(fields | changes))


def found(results: Results) -> dict[str, Finding]:
    findings = photograph_findings(results)
    assert len({finding.id for finding in findings}) == len(findings)
    return {finding.id: finding for finding in findings}


@pytest.mark.parametrize(
    ("low", "severity"),
    [
        (0.5, "critical"),
        (0.49, "high"),
        (0.2, "high"),
        (0.19, "medium"),
        (0.05, "medium"),
        (0.04, "low"),
    ],
)
def test_the_lower_limit_grades_an_inversion(low: float, severity: str) -> None:
    findings = found(audit(low, low))
    for name in ("audit.inverted-own", "audit.inverted-unseen"):
        assert findings[name].severity == severity
    assert findings["audit.inverted-own"].evidence["accepted by mine at FMR 1e-3 (linear)"] == rate(
        low
    )
    assert "other" in findings["audit.inverted-unseen"].title


def test_controls_and_judges_that_do_not_count_are_no_evidence() -> None:
    findings = found(audit(0.1, 0.1))
    names = " ".join(name for f in findings.values() for name in f.evidence)
    assert "eigenfaces" not in names
    assert "control" not in names


def test_what_the_nearest_face_reaches_too_is_medium_at_most() -> None:
    judges = {"mine": judge(False, 0.9, margin_over_nearest=at(-0.01))}
    row = factory.attack("linear", 0.9, backbone="mine", judges=judges)
    finding = found(audit(0.9, attacks=[row]))["audit.inverted-own"]
    assert finding.severity == "medium"
    assert "not clearly more often than the nearest face" in finding.title


def test_a_judge_that_hardly_recognises_anybody_is_no_evidence() -> None:
    weak = judge(True, 0.9, type2_reference=at(0.3))
    row = factory.attack("linear", 0.9, backbone="mine", judges={"weak": weak})
    assert "audit.inverted-unseen" not in found(audit(0.9, attacks=[row]))


def test_the_strongest_attack_speaks() -> None:
    rows = [
        factory.attack(name, low, backbone="mine", judges={"mine": judge(False, low)})
        for name, low in (("weak", 0.1), ("strong", 0.6), ("middle", 0.3))
    ]
    evidence = found(audit(0.1, attacks=rows))["audit.inverted-own"].evidence
    assert "accepted by mine at FMR 1e-3 (strong)" in evidence


@pytest.mark.parametrize(("low", "near"), [(0.75, True), (0.5, False)])
def test_type_ii_stands_beside_what_photographs_reach(low: float, near: bool) -> None:
    judges = {"other": judge(True, 0.9, type2=at(low))}
    row = factory.attack("linear", 0.9, backbone="mine", judges=judges)
    finding = found(audit(0.9, attacks=[row]))["audit.cross-model"]
    assert finding.evidence["photographs accepted on the same pairs"] == rate(0.9)
    assert ("nearly as well" in finding.title) is near
    assert finding.severity == "critical"


def test_little_of_type_ii_and_of_identification_is_no_finding() -> None:
    findings = found(audit(0.9, 0.08))
    assert not {"audit.cross-model", "audit.identified"} & set(findings)


def test_identification_is_high_at_most() -> None:
    judges = {"mine": judge(False, 0.9, rank1=rate(0.9))}
    row = factory.attack("linear", 0.9, backbone="mine", judges=judges)
    finding = found(audit(0.9, attacks=[row]))["audit.identified"]
    assert finding.severity == "high"
    assert "1,150 people" in finding.title


def test_the_fewest_scores_that_suffice_are_told() -> None:
    rows = [
        factory.searched(scores, 0.0).model_copy(
            update={
                "backbone": "mine",
                "judges": {
                    "mine": factory.SearchJudge(unseen=False, type1=at(low)),
                    "lbp": factory.SearchJudge(unseen=False, type1=at(0.99)),
                },
            }
        )
        for scores, low in ((500, 0.9), (99, 0.3), (10, 0.04))
    ]
    finding = found(audit(0.9, search=rows))["audit.search"]
    assert "99 comparison scores" in finding.title
    assert finding.severity == "high"
    fused = [row.model_copy(update={"part": "fusion"}) for row in rows]
    assert "audit.search" not in found(audit(0.9, search=fused))


def test_a_model_that_public_products_use_is_said() -> None:
    full = factory.results()
    finding = found(full)["audit.shared-backbone"]
    assert "LibrePhotos" in finding.recommendation
    assert "audit.shared-backbone" not in found(audit(0.9))


@pytest.mark.parametrize(("low", "there"), [(0.0011, True), (0.001, False), (0.0, False)])
def test_a_threshold_that_accepts_more_strangers_than_it_says(low: float, there: bool) -> None:
    model = factory.backbone("l2", None).model_copy(update={"realised_fmr": at(low)})
    findings = found(audit(0.9, backbones={"mine": model}))
    assert ("audit.lax-threshold" in findings) is there


def test_everybodys_face_is_told_of_attacks_that_work() -> None:
    flattered = {"reconstruction_fmr": at(0.01)}
    judges = {"mine": judge(False, 0.9, **flattered), "lbp": judge(False, 0.9, **flattered)}
    row = factory.attack("linear", 0.9, backbone="mine", judges=judges)
    finding = found(audit(0.9, attacks=[row]))["audit.everybody"]
    assert list(finding.evidence) == ["strangers accept it, linear at mine"]
    broken = row.model_copy(update={"note": factory.NOT_WORKING})
    assert "audit.everybody" not in found(audit(0.9, attacks=[broken]))


def test_attacks_that_do_not_work_show_nothing() -> None:
    row = factory.attack("linear", 0.9, judges={"mine": judge(False, 0.9)}, backbone="mine")
    broken = row.model_copy(update={"note": factory.NOT_WORKING})
    findings = found(audit(0.9, attacks=[broken]))
    assert "audit.not-working" in findings
    assert not {"audit.inverted-own", "audit.inverted-unseen"} & set(findings)
    assert "audit.not-working" not in found(audit(0.9))


def test_without_an_unseen_judge_one_is_asked_for() -> None:
    finding = found(audit(0.9, judges_missing={"arcface": "no weights"}))["audit.no-unseen-judge"]
    assert "not ready: arcface" in finding.recommendation
    assert "audit.no-unseen-judge" not in found(audit(0.9, 0.9))


def test_a_quick_run_says_so() -> None:
    assert "audit.quick" in found(audit(0.9, quick=True))
    assert "audit.quick" not in found(audit(0.9))


def test_too_few_people_and_unused_pictures_are_told() -> None:
    model = factory.backbone("l2", None).model_copy(update={"thresholds": FEW})
    findings = found(audit(0.9, backbones={"mine": model}))
    assert findings["audit.few-people"].evidence["people who set thresholds"] == Measured(
        value=911, n=911
    )
    many = FacesSummary(
        n_files=100, skipped={"no face found": 6, "damaged": 0}, threshold=SplitCount(subjects=3)
    )
    finding = found(audit(0.9, faces=many))["audit.coverage"]
    assert finding.evidence == {"no face found": Measured(value=6, n=100)}
    few = many.model_copy(update={"skipped": {"no face found": 5}})
    assert "audit.coverage" not in found(audit(0.9, faces=few))


def test_without_the_headlines_rate_the_strictest_that_was_measured_is_told() -> None:
    judges = {"mine": judge(False, 0.9, type1={"1e-2": rate(0.9), "1e-3": factory.FEW})}
    row = factory.attack("linear", 0.9, backbone="mine", judges=judges)
    assert told_fmr(audit(0.9, attacks=[row])) == "1e-2"
    assert told_fmr(audit(0.9, attacks=[])) == "1e-3"


def test_nothing_measured_is_no_finding() -> None:
    why = NotMeasured(not_measured="too few people")
    judges = {"mine": judge(False, 0.9, type1={"1e-3": why}, rank1=why)}
    row = factory.attack("linear", 0.9, backbone="mine", judges=judges)
    assert set(found(audit(0.9, attacks=[row]))) == {"audit.no-unseen-judge"}


def everything() -> list[Finding]:
    model = factory.backbone("l2", None).model_copy(
        update={"thresholds": FEW, "realised_fmr": at(0.02)}
    )
    one = judge(False, 0.9, rank1=rate(0.4), reconstruction_fmr=at(0.1))
    rows = [factory.attack("linear", 0.9, backbone="mine", judges={"mine": one})]
    return photograph_findings(audit(0.9, attacks=rows, backbones={"mine": model}, quick=True))


def test_the_worst_stands_first_and_each_says_what_to_do() -> None:
    findings = [*everything(), *photograph_findings(factory.results(**factory.extensions()))]
    assert len(findings) > 8
    order = [SEVERITY_ORDER.index(f.severity) for f in everything()]
    assert order == sorted(order)
    for finding in findings:
        assert len(finding.recommendation) > 40
        assert finding.title[0].isupper()
        assert not finding.title.endswith(".")


def test_clauses_name_rows_of_the_tables() -> None:
    rows = [
        f"{source.short} {row.clause or ''}".strip() + f": {row.name}"
        for source in shipped_sources().values()
        for row in source.rows
    ]
    for finding in everything():
        assert set(finding.clauses) <= set(rows)


def test_the_impact_assessment_knows_the_findings() -> None:
    named = {name for risk in shipped_assessment().risks for name in risk.findings}
    ours = {name for name in named if name.startswith("audit.")}
    assert ours == {
        "audit.inverted-own",
        "audit.inverted-unseen",
        "audit.cross-model",
        "audit.identified",
        "audit.search",
        "audit.shared-backbone",
    }
