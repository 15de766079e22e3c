"""The section of the report about laws and standards: everything its template needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.compliance.assessment import assessment_table
from reports.compliance.evaluate import Judged, judged_rows
from reports.compliance.found import Evidence
from reports.compliance.model import CONTRADICTED, NOT_MEASURED, SUPPORTED, Limit, Source, Status
from reports.compliance.select import kind_of
from reports.compliance.tables import shipped_assessment, shipped_sources
from reports.licences import licences_table
from reports.results import Measured, Results
from reports.words import NBSP, Cell, Kind, Table, count, fmr_label, main

SYMBOLS: dict[Status, str] = {SUPPORTED: "✓", CONTRADICTED: "✕", NOT_MEASURED: "○"}
"""Beside the word, so that neither colour nor shape has to tell alone."""

FOOTER = (
    "These tables are evidence from software replays of rebuilt pictures, with no presentation at "
    "a sensor. They are no legal advice, and no row says that a law or a standard is met."
)


@dataclass(frozen=True)
class SourceView:
    """One source as the page shows it."""

    title: str
    summary: str
    facts: list[str]
    table: Table


def compliance_context(results: Results) -> dict[str, Any]:
    """What the section's template needs: ``compliance`` (one view a source), ``dpia`` (the table
    for an impact assessment), ``dpia_note``, ``licences`` and ``compliance_footer``."""
    assessment = shipped_assessment()
    return {
        "compliance": [_view(source, results) for source in shipped_sources().values()],
        "dpia": assessment_table(assessment, results),
        "dpia_note": f"{assessment.note} {assessment.reason}",
        "licences": licences_table(results),
        "compliance_footer": FOOTER,
    }


def source_table(source: Source, judged: Sequence[Judged]) -> Table:
    """The rows of one source with their status."""
    table = Table(
        source.source, ("What is asked", "Claim that was tested", "Status", "Decided by", "Limit")
    )
    for one in judged:
        table.rows.append(_row(table, one))
    return table


def _view(source: Source, results: Results) -> SourceView:
    judged = judged_rows(source, results)
    counts = [
        f"{SYMBOLS[status]} {sum(one.decision.status == status for one in judged)} {status}"
        for status in (CONTRADICTED, SUPPORTED, NOT_MEASURED)
    ]
    day = results.created[:10]
    facts = [
        f"Version: {source.version} ({source.published}); table of {source.date}.",
        f"Not read: {_bare(source.address)}"
        if source.read is None
        else f"Read on {source.read.date}: {_bare(source.read.address)}. {source.read.note}",
        *_places(source),
        *(
            f"{'Since' if str(when.date) <= day else 'From'} {when.date}: {when.what}."
            for when in source.dates
        ),
        source.note,
    ]
    return SourceView(source.short, ", ".join(counts), facts, source_table(source, judged))


def _row(table: Table, one: Judged) -> list[Cell]:
    row, decision = one.row, one.decision
    said = {
        SUPPORTED: row.supported,
        CONTRADICTED: row.contradicted,
        NOT_MEASURED: row.missing if row.evidence and decision.deciding is None else "",
    }[decision.status]
    reason = _sentence(decision.reason)
    told = [reason, said] if decision.status == NOT_MEASURED else [said, reason]
    asked = row.clause or row.name
    return [
        Cell(asked, detail=f"{row.name}: {row.asks}" if row.clause else row.asks, tone="words"),
        Cell(row.claim, tone="words"),
        Cell(
            f"{SYMBOLS[decision.status]} {decision.status}",
            detail=" ".join(filter(None, told)),
            tone=_TONES[decision.status],
        ),
        _number(table, one),
        _limit(row.limit, "rate" if row.evidence is None else kind_of(row.evidence)),
    ]


_TONES: dict[Status, Any] = {SUPPORTED: "strong", CONTRADICTED: "flag", NOT_MEASURED: "missing"}


def _number(table: Table, one: Judged) -> Cell:
    selector, deciding = one.row.evidence, one.decision.deciding
    if selector is None or deciding is None or not isinstance(deciding.value, Measured):
        return Cell("none", tone="missing")
    kind = kind_of(selector)
    cell = (
        Cell(
            main(deciding.value, kind),
            detail="counted",
            extra=f"n{NBSP}={NBSP}{count(deciding.value.n)}",
        )
        if deciding.counted
        else table.estimate(deciding.value, kind)
    )
    return Cell(cell.text, cell.detail, cell.extra, warning=told_of(deciding))


def told_of(one: Evidence) -> str:
    """Whose number it is: attack, judge and false match rate."""
    parts = [
        one.attack,
        f"templates of {one.backbone}" if one.backbone and one.backbone != one.judge else "",
        f"judge {one.judge}" if one.judge else "",
        f"FMR {fmr_label(one.fmr)}" if one.fmr else "",
    ]
    return ", ".join(filter(None, parts))


def _limit(limit: Limit | None, kind: Kind) -> Cell:
    if limit is None:
        return Cell("none", tone="missing")
    bound = limit.at_most if limit.at_most is not None else limit.at_least
    assert bound is not None
    word = "at most" if limit.at_most is not None else "at least"
    units: dict[Kind, str] = {
        "rate": f"{100 * bound:g}{NBSP}%",
        "margin": f"{100 * bound:g}{NBSP}pp",
    }
    return Cell(f"{word} {units.get(kind, f'{bound:g}')}", detail=limit.reason, tone="words")


def _places(source: Source) -> list[str]:
    """Where the wording of the clauses was read, besides the place above."""
    known = "" if source.read is None else source.read.address
    found = dict.fromkeys(row.read for row in source.rows if row.read and row.read != known)
    return [f"Clauses read at: {', '.join(map(_bare, found))}."] if found else []


def _bare(address: str) -> str:
    """As it is printed: the page holds no address that a browser could follow."""
    return address.partition("://")[2]


def _sentence(text: str) -> str:
    return text and text[:1].upper() + text[1:].rstrip(".") + "."
