"""The page of an audit: what its template is given, in the order of its sections."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports import charts, rate_charts, tables
from reports.actions import FIRST, first_actions, leading, ranked
from reports.basis import display_fmr
from reports.cost import cost_table
from reports.gallery import build_gallery
from reports.headline import top_of
from reports.likeness_tables import glossary, likeness_tables
from reports.more_tables import extension_tables
from reports.results import SEVERITY_ORDER, Estimate, Finding, Measured, Results, Severity
from reports.search import search_sentences, search_tables
from reports.store_tables import store_context
from reports.words import Table, count, fmr_label, interval, main, spread_of

_NOTHING = (
    "No finding was drawn from these numbers, so none of them asks for an action by itself. What "
    "was measured stands below."
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


def report_context(results: Results, run: Path, *, reveal: bool) -> dict[str, Any]:
    """What ``report.html.j2`` needs beside what every page has."""
    fmr = display_fmr(results)
    gallery = build_gallery(results, run, reveal=reveal)
    shown = [Shown(i + 1, f, _facts(f)) for i, f in enumerate(ranked(results.findings))]
    judges = tables.judges_of(results)
    return {
        "top": top_of(results),
        "steps": _steps(shown),
        "no_more": _no_more(results),
        "findings": shown,
        "severities": _severities(results),
        "shown_fmr": fmr_label(fmr) if fmr else "",
        "sar_tables": [tables.sar_table(results, judge, only=fmr) for judge in judges],
        "every_fmr": _every_fmr(results, judges),
        "sar_charts": list(charts.sar_charts(results)),
        "rates": list(rate_charts.rate_charts(results)),
        "transfer": list(rate_charts.transfer_charts(results)),
        "attempts": tables.attempts_table(results),
        "gallery": gallery,
        "sample_fmr": ", ".join(fmr_label(key) for key in gallery.fmrs),
        "histograms": list(charts.histogram_charts(results)),
        "det": list(charts.det_charts(results)),
        "bars": list(rate_charts.likeness_charts(results)),
        "landmarks": list(charts.landmark_charts(results)),
        "training": list(charts.training_charts(results)),
        "cost": cost_table(results),
        "ranks": tables.rank_table(results),
        "likeness": likeness_tables(results),
        "glossary": glossary(results),
        "search": search_tables(results.search, fmr),
        "search_says": search_sentences(results.search, fmr),
        "extensions": extension_tables(results),
        **store_context(results),
    }


def _steps(shown: list[Shown]) -> list[Step]:
    places = {id(one.finding): one for one in shown}
    steps = []
    for action in first_actions(one.finding for one in shown):
        because = [places[id(finding)] for finding in action.findings]
        first = leading(because[0].finding)
        fact = None if first is None else _fact(*first)
        steps.append(Step(action.what, because[0].finding.severity, because, fact))
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


def _every_fmr(results: Results, judges: list[str]) -> list[Table]:
    """The full tables, unless one FMR is all there is."""
    keys = {k for a in results.attacks for judge in a.judges.values() for k in judge.type1}
    return [tables.sar_table(results, judge) for judge in judges] if len(keys) > 1 else []


def _facts(finding: Finding) -> list[Fact]:
    return [_fact(name, value) for name, value in finding.evidence.items()]


def _fact(name: str, value: Estimate) -> Fact:
    """Rates have an interval, counts have none."""
    if not isinstance(value, Measured):
        return Fact(name, "not measured", value.not_measured)
    if interval(value):
        return Fact(name, main(value, "rate"), spread_of(value))
    of = f"of {count(value.n)}" if value.value < value.n else ""
    return Fact(name, main(value, "number"), of)
