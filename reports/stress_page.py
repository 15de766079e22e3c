"""The page of a stress run: what its template is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.charts import Chart
from reports.results import Finding, Results, StressFamily, StressResult
from reports.stress_charts import stress_charts
from reports.stress_families import FAMILIES
from reports.stress_measures import measure_words
from reports.stress_select import backbones_of, by_family, rates_of, shown_fmr
from reports.stress_strip import Strip, Strips
from reports.stress_tables import map_table, stress_tables
from reports.stress_words import (
    advice_of,
    sizes_of,
    told_of,
    what_was_tried,
    worst_of,
)
from reports.words import Table


@dataclass(frozen=True)
class Section:
    """One family on the page.

    Attributes:
        name: of the family; the section's anchor.
        title, tried: from :data:`reports.stress_families.FAMILIES`.
        sizes: how many templates.
        findings: three sentences.
        strips: pictures, one strip a backbone.
        charts: the main figure first.
        shown: a table that is open.
        tables: all numbers, by backbone; folded away.
        glossary: what the measures of the family mean.
    """

    name: str
    title: str
    tried: str
    sizes: str
    findings: list[Finding]
    strips: list[Strip]
    charts: list[Chart]
    shown: list[Table]
    tables: list[tuple[str, list[Table]]]
    glossary: list[tuple[str, str]]


def stress_context(results: Results, run: Path, *, reveal: bool) -> dict[str, Any]:
    """What ``stress.html.j2`` needs beside what every page has."""
    strips = Strips(results, run, reveal=reveal)
    found = by_family(results.stress)
    return {
        "tried": what_was_tried(results),
        "worst": worst_of(results),
        "advice": advice_of(results),
        "sections": [_section(results, name, rows, strips) for name, rows in found.items()],
    }


def _section(
    results: Results, family: StressFamily, rows: list[StressResult], strips: Strips
) -> Section:
    words = FAMILIES[family]
    shown = []
    if family == "geometry":
        fmr = shown_fmr(rates for row in rows for rates in rates_of(row))
        shown = [table for table in [map_table(rows, fmr)] if table.rows]
    return Section(
        name=family,
        title=words.title,
        tried=words.tried,
        sizes=sizes_of(rows),
        findings=told_of(results, family),
        strips=list(strips.of(rows)),
        charts=list(stress_charts(family, rows)),
        shown=shown,
        tables=[
            (name, stress_tables([row for row in rows if row.backbone == name]))
            for name in backbones_of(rows)
        ],
        glossary=_glossary(rows),
    )


def _glossary(rows: list[StressResult]) -> list[tuple[str, str]]:
    names = dict.fromkeys(name for row in rows for name in row.measures)
    words = [measure_words(name) for name in names]
    return [(measure.name, measure.says) for measure in words if measure.says]
