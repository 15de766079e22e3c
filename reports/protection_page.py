"""Protection on a page: what the templates of its own page and of an audit's report are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.charts import Chart
from reports.finding_words import shown_findings
from reports.protection_charts import linkage_charts, trade_off_charts
from reports.protection_select import (
    backbones_of,
    by_setting,
    is_keyed,
    labels_of,
    of_backbone,
    protection_fmr,
    strongest,
    upper,
    with_keys,
    without_controls,
)
from reports.protection_strip import ProtectionStrips
from reports.protection_tables import (
    control_tables,
    price_tables,
    scheme_tables,
    summary_tables,
    unmeasured_table,
)
from reports.protection_words import (
    PROPERTIES,
    RECOMMENDATIONS,
    knowledge_glossary,
    limits_words,
    what_was_tried,
)
from reports.results import ProtectionResult, Results
from reports.stress_strip import Strip
from reports.words import Table, percent


@dataclass(frozen=True)
class Scheme:
    """One scheme of one backbone; folded away.

    Attributes:
        title: its name, and the bound that was measured.
        tables: all numbers of its attacks.
    """

    title: str
    tables: list[Table]


@dataclass(frozen=True)
class Whose:
    """All that stands behind one backbone's line of the summary.

    Attributes:
        name: of the backbone.
        schemes: one fold each.
        prices: recognition, linkage, size and speed of all schemes.
        linkage: score by score.
    """

    name: str
    schemes: list[Scheme]
    prices: list[Table]
    linkage: list[Chart]


@dataclass(frozen=True)
class Protection:
    """Everything about protection that a page shows."""

    tried: str
    charts: list[Chart]
    summaries: list[Table]
    strips: list[Strip]
    whose: list[Whose]
    controls: list[Table]
    missing: Table
    glossary: list[tuple[str, str]]


def protection_view(results: Results, run: Path, *, reveal: bool) -> Protection | None:
    """What a page shows of protection; None where none was tried."""
    rows = results.protections
    if not rows:
        return None
    told = without_controls(rows)
    fmr = protection_fmr(told)
    strips = ProtectionStrips(results, run, reveal=reveal)
    return Protection(
        tried=what_was_tried(results),
        charts=list(trade_off_charts(rows, results.protection_limits)),
        summaries=summary_tables(rows),
        strips=list(strips.of(rows, fmr)),
        whose=[
            _whose(of_backbone(told, name), name, fmr, i)
            for i, name in enumerate(backbones_of(told))
        ],
        controls=control_tables(rows),
        missing=unmeasured_table(rows),
        glossary=[*PROPERTIES, *knowledge_glossary(rows)],
    )


def protection_context(results: Results, run: Path, *, reveal: bool) -> dict[str, Any]:
    """What ``protection.html.j2`` needs beside what every page has."""
    shown = shown_findings(results)
    return {
        "protection": protection_view(results, run, reveal=reveal),
        # With the keys leaked first, whatever its severity.
        "advice": [one for name in RECOMMENDATIONS for one in shown if one.finding.id == name],
        "limits": limits_words(results.protection_limits),
        "others": [one for one in shown if one.finding.id not in RECOMMENDATIONS],
    }


def _whose(rows: Sequence[ProtectionResult], name: str, fmr: str | None, place: int) -> Whose:
    labels = labels_of(rows)
    schemes = []
    for key, some in by_setting(rows).items():
        tables = scheme_tables(some, f"{name}, {labels[key]}")
        if tables:
            schemes.append(Scheme(_title(labels[key], some, fmr), tables))
    return Whose(name, schemes, price_tables(rows, name), list(linkage_charts(rows, name, place)))


def _title(label: str, rows: Sequence[ProtectionResult], fmr: str | None) -> str:
    """The scheme and the bound that its irreversibility has."""
    found = strongest(with_keys(rows), fmr)
    if found is None:
        return f"{label}: no bound was measured"
    keys = ", keys leaked" if is_keyed(rows) else ""
    return f"{label}: up to {percent(upper(found.value))} of rebuilt faces accepted{keys}"
