"""The table for an impact assessment: risks with the likelihood that was measured."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from reports.compliance.evaluate import bounds
from reports.compliance.found import Evidence
from reports.compliance.model import Assessment, Band, Risk
from reports.compliance.select import Selector, evidence_for
from reports.results import SEVERITY_ORDER, Finding, Measured, NotMeasured, Results
from reports.words import NBSP, Cell, Table, count, interval, main


def assessment_table(assessment: Assessment, results: Results) -> Table:
    """Risk, likelihood, impact, measure and residual risk, from numbers and findings."""
    table = Table(
        f"For the impact assessment ({assessment.clause})",
        ("Risk", "Likelihood", "Impact", "Measure", "Residual risk"),
    )
    for risk in assessment.risks:
        low = strongest(risk.likelihood, results)
        left = strongest([risk.residual], results)
        found = [f for f in results.findings if _belongs(risk, f)]
        table.rows.append(
            [
                Cell(risk.risk, detail=_findings(found), tone="words"),
                _told(table, low, assessment.bands, upper=False),
                Cell(risk.impact, tone="words"),
                Cell(risk.measure, tone="words"),
                _told(table, left, assessment.bands, upper=True),
            ]
        )
    return table


def strongest(selectors: Sequence[Selector], results: Results) -> Evidence:
    """The most alarming number of the first selector that has one; else why there is none."""
    reasons: list[str] = []
    for selector in selectors:
        found = evidence_for(selector, results)
        measured = [one for one in found if isinstance(one.value, Measured)]
        if measured:
            return max(measured, key=_lower)
        reasons += [v.not_measured for one in found if isinstance(v := one.value, NotMeasured)]
    return Evidence(NotMeasured(not_measured="; ".join(dict.fromkeys(reasons))))


def word_for(bands: Sequence[Band], rate: float) -> str:
    """The word for a rate."""
    return next((band.word for band in bands if rate >= band.least), bands[-1].word)


def _lower(one: Evidence) -> float:
    value = one.value
    assert isinstance(value, Measured)
    return (bounds(one) or (value.value, value.value))[0]


def _told(table: Table, one: Evidence, bands: Sequence[Band], *, upper: bool) -> Cell:
    value = one.value
    if not isinstance(value, Measured):
        return table.estimate(value)
    low, high = bounds(one) or (value.value, value.value)
    said = main(value, "rate")
    if spread := interval(value):
        said += f" ({spread})"
    whose = " at ".join(filter(None, [one.attack, one.judge]))
    return Cell(
        word_for(bands, high if upper else low),
        detail=" ".join(filter(None, [said, whose])),
        extra=f"n{NBSP}={NBSP}{count(value.n)}",
        tone="words",
    )


def _belongs(risk: Risk, finding: Finding) -> bool:
    return any(fnmatchcase(finding.id, pattern) for pattern in risk.findings)


def _findings(found: Sequence[Finding]) -> str:
    worst = sorted(found, key=lambda f: SEVERITY_ORDER.index(f.severity))
    return ", ".join(f"{finding.id} ({finding.severity})" for finding in worst)
