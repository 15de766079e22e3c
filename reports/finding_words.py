"""Findings as a page prints them, and the first three actions that follow from them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from reports.actions import FIRST, evidence_of, first_actions, in_short, leading, ranked
from reports.results import SEVERITY_ORDER, Estimate, Finding, Measured, Results, Severity
from reports.words import count, evidence_kind, interval, main, spread_of

_NOTHING = (
    "This run holds no findings (older ones drew none): go by the verdict and by what was measured "
    "below."
)
_NO_MORE = "No other finding asks for an action."
_NOTHING_PRESSING = "No finding asks for an action."


@dataclass(frozen=True)
class Fact:
    """A number of a finding and what stands behind it."""

    name: str
    value: str
    detail: str


@dataclass(frozen=True)
class Shown:
    """A finding as the page prints it; ``place`` is its anchor."""

    place: int
    finding: Finding
    facts: list[Fact]


@dataclass(frozen=True)
class Step:
    """An action, what asks for it, and the number that it rests on."""

    what: str
    severity: Severity
    because: list[Shown]
    fact: Fact | None


def shown_findings(results: Results) -> list[Shown]:
    """All findings, the worst first."""
    return [Shown(i + 1, f, _facts(f)) for i, f in enumerate(ranked(results.findings))]


def finding_context(results: Results) -> dict[str, Any]:
    """What a page needs to print findings and what to do first."""
    shown = shown_findings(results)
    return {
        "steps": _steps(shown),
        "no_more": _no_more(results),
        "findings": shown,
        "severities": _severities(results),
    }


def _steps(shown: list[Shown]) -> list[Step]:
    places = {id(one.finding): one for one in shown}
    steps = []
    for action in first_actions(one.finding for one in shown):
        because = [places[id(finding)] for finding in action.findings]
        first = leading(because[0].finding)
        fact = None if first is None else _fact(*first)
        steps.append(Step(in_short(action.what), because[0].finding.severity, because, fact))
    return steps


def _no_more(results: Results) -> str:
    """What is said where fewer than three actions are known; empty where there are three."""
    known = len(first_actions(results.findings))
    if known >= FIRST:
        return ""
    if known:
        return _NO_MORE
    return _NOTHING_PRESSING if results.findings else _NOTHING


def _severities(results: Results) -> str:
    """``1 critical, 2 high``."""
    found = Counter(finding.severity for finding in results.findings)
    return ", ".join(f"{found[name]} {name}" for name in SEVERITY_ORDER if found[name])


def _facts(finding: Finding) -> list[Fact]:
    return [_fact(name, value) for name, value in evidence_of(finding)]


def _fact(name: str, value: Estimate) -> Fact:
    """Rates have an interval, counts have none."""
    if not isinstance(value, Measured):
        return Fact(name, "not measured", value.not_measured)
    if interval(value):
        kind = evidence_kind(name)
        return Fact(name, main(value, kind), spread_of(value, kind))
    of = f"of {count(value.n)}" if value.value < value.n else ""
    return Fact(name, main(value, "number"), of)
