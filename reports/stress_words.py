"""What a stress run says in sentences; the sentences of its findings come with the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.results import (
    SEVERITY_ORDER,
    Finding,
    Measured,
    Results,
    Severity,
    StressFamily,
    StressResult,
)
from reports.stress_families import FAMILIES
from reports.stress_measures import measure_words
from reports.stress_select import (
    CHANGES,
    MEASURES,
    attacks_of,
    backbones_of,
    by_family,
    distinct,
)
from reports.words import Kind, count, listed

SENTENCES = 3
"""Findings that a section shows."""


def kind_of(measure: str) -> Kind:
    """How the values of a rate, a change or ``measures.NAME`` are printed."""
    if measure.startswith(MEASURES):
        return measure_words(measure.removeprefix(MEASURES)).kind
    return "margin" if measure in CHANGES.values() else "rate"


def finding_id(family: StressFamily, name: str) -> str:
    """Of a finding on a family."""
    return f"stress.{family}.{name}"


def told_of(results: Results, family: StressFamily) -> list[Finding]:
    """The findings that a family's section shows: the first three in the order of the rules,
    those with a number before those without one."""
    found = [f for f in results.findings if f.id.startswith(finding_id(family, ""))]
    measured = [f for f in found if any(isinstance(v, Measured) for v in f.evidence.values())]
    first = [*measured, *(f for f in found if f not in measured)][:SENTENCES]
    return [f for f in found if f in first]


def worst_of(results: Results) -> list[Finding]:
    """The three findings at the top of the page: the most severe of those that sections show."""
    told = [f for family in by_family(results.stress) for f in told_of(results, family)]
    return sorted(told, key=lambda f: SEVERITY_ORDER.index(f.severity))[:SENTENCES]


@dataclass(frozen=True)
class Advice:
    """What is to be done, because of which families, and how bad it is."""

    what: str
    why: str
    severity: Severity
    clauses: list[str]


def advice_of(results: Results) -> list[Advice]:
    """Each recommendation once, of findings worse than ``low``, the worst first."""
    found: dict[str, list[Finding]] = {}
    for finding in sorted(results.findings, key=lambda f: SEVERITY_ORDER.index(f.severity)):
        if finding.recommendation and finding.severity not in ("low", "info"):
            found.setdefault(finding.recommendation, []).append(finding)
    return [
        Advice(
            what,
            listed(list(dict.fromkeys(_family_title(f) for f in findings))),
            findings[0].severity,
            list(dict.fromkeys(clause for f in findings for clause in f.clauses)),
        )
        for what, findings in found.items()
    ]


def _family_title(finding: Finding) -> str:
    family = finding.id.split(".")[1] if finding.id.startswith("stress.") else ""
    return FAMILIES[family].title if family in FAMILIES else finding.id


def what_was_tried(results: Results) -> str:
    """Whose templates, by which attacks, judged by whom, of how many people."""
    rows = results.stress
    backbones, attacks = backbones_of(rows), attacks_of(rows)
    judges = distinct(row.judge for row in rows)
    parts = [f"Templates of {listed(backbones)} under stress"] if backbones else []
    if attacks:
        parts.append(f"inverted by {listed(attacks)}")
    if judges:
        parts.append(f"judged by {listed(judges)}")
    most = max((row.n_attempts for row in rows), default=0)
    if most:
        parts.append(f"at most {count(most)} templates under one condition")
    if results.faces is not None and results.faces.leaked.subjects:
        leaked = results.faces.leaked
        who = "generated people (they are nobody)" if results.faces.generated else "people"
        parts.append(f"of {count(leaked.subjects)} leaked {who}")
    return ", ".join(parts) + "." if parts else ""


def sizes_of(rows: Sequence[StressResult]) -> str:
    """How many templates were inverted under a condition."""
    attempts = sorted({row.n_attempts for row in rows if row.n_attempts})
    if not attempts:
        return ""
    if len(attempts) == 1:
        return f"{count(attempts[0])} templates under each condition."
    return f"{count(attempts[0])} to {count(attempts[-1])} templates under a condition."
