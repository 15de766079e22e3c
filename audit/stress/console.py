"""What ``faceleak stress`` prints, laid out for 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from audit.console import SEVERE, plain_table
from reports.results import Estimate, Measured, Results, StressResult
from reports.stress_families import FAMILIES
from reports.stress_select import (
    Condition,
    backbones_of,
    by_family,
    condition_of,
    inverted,
    labels_of,
    rates_of,
    recognised,
    shown_fmr,
    shown_judge,
    value_of,
)
from reports.stress_words import told_of


def show_stress(results: Results, page: Path | None, console: Console) -> None:
    """Of every family its sentences and a small table; then where the report lies."""
    for family, rows in by_family(results.stress).items():
        console.print()
        console.print(Text(FAMILIES[family].title, style="bold"))
        for finding in told_of(results, family):
            style = SEVERE.get(finding.severity, "")
            console.print(Text(f"{finding.severity:<9}", style=style) + Text(finding.title))
        table = _table(rows)
        if table.row_count:
            console.print()
            console.print(table)
    for judge, why in sorted(results.judges_missing.items()):
        console.print(Text(f"judge {judge} not measured: {why}", style="dim"))
    if page is not None:
        console.print(f"\nreport: {page}", markup=False, soft_wrap=True)


def _table(rows: Sequence[StressResult]) -> Table:
    """Conditions downwards; SAR and TMR of every backbone across."""
    fmr = shown_fmr(rates for row in rows for rates in rates_of(row))
    names = backbones_of(rows)
    judges = ", ".join(f"{name} by {shown_judge(rows, name)}" for name in names)
    table = plain_table(f"In % at FMR {fmr}, intervals in the report. Judges: {judges}")
    table.add_column("")
    sides: list[tuple[dict[Condition, StressResult], str]] = []
    for name in names:
        for words, side, measure in (
            ("rebuilt", inverted(rows, name), "type1"),
            ("TMR", recognised(rows, name), "tmr"),
        ):
            told = {condition_of(row): row for row in reversed(side)}
            if any(value_of(row, measure, fmr) for row in told.values()):
                table.add_column(f"{name}\n{words}", justify="right")
                sides.append((told, measure))
    for key, label in labels_of(rows).items() if fmr and sides else ():
        values = [value_of(s[key], m, fmr) if key in s else None for s, m in sides]
        if any(value is not None for value in values):
            table.add_row(label, *(_cell(value) for value in values))
    return table


def _cell(value: Estimate | None) -> str:
    """The value alone: its interval stands in the report."""
    if value is None:
        return "-"
    return f"{100 * value.value:.1f}" if isinstance(value, Measured) else "not measured"
