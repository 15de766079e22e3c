"""What to do first: the recommendations of the findings, the most pressing ones on top."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reports.results import SEVERITY_ORDER, Estimate, Finding, Measured, Severity

FIRST = 3
"""Actions at the top of a page."""
_NOT_PRESSING: tuple[Severity, ...] = ("info",)


@dataclass(frozen=True)
class Action:
    """Something to do, and the findings that ask for it, the worst first."""

    what: str
    findings: list[Finding]


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """By severity; among equals those with the stronger measured evidence first."""
    return sorted(findings, key=lambda f: (SEVERITY_ORDER.index(f.severity), -strength(f)))


def actions_of(findings: Iterable[Finding], below: tuple[Severity, ...] = ()) -> list[Action]:
    """Each recommendation once, without those of a severity in ``below``."""
    found: dict[str, list[Finding]] = {}
    for finding in ranked(findings):
        if finding.recommendation and finding.severity not in below:
            found.setdefault(finding.recommendation, []).append(finding)
    return [Action(what, because) for what, because in found.items()]


def first_actions(findings: Iterable[Finding]) -> list[Action]:
    """The three with which to begin, or as many as findings ask for."""
    return actions_of(findings, below=_NOT_PRESSING)[:FIRST]


def leading(finding: Finding) -> tuple[str, Estimate] | None:
    """The number that a finding rests on, or the first that was measured."""
    return next((item for item in evidence_of(finding) if isinstance(item[1], Measured)), None)


def evidence_of(finding: Finding) -> list[tuple[str, Estimate]]:
    """The numbers of a finding, the one that it rests on first."""
    return sorted(finding.evidence.items(), key=lambda item: item[0] != finding.rests_on)


def in_short(recommendation: str) -> str:
    """The first sentence of a recommendation, which says what to do."""
    first, dot, _ = recommendation.partition(". ")
    return first + dot.rstrip()


def strength(finding: Finding) -> float:
    """From 0 to 1: the lower limit of the leading rate, or the counted share; less than 0 where
    nothing was measured."""
    found = leading(finding)
    if found is None or not isinstance(found[1], Measured):
        return -1.0
    value = found[1]
    share = value.value / value.n if value.low is None else value.low
    return min(max(share, 0.0), 1.0)
