"""What ``faceleak protect`` prints, laid out for 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from audit.console import SEVERE, plain_table
from reports.protection_select import (
    KEY_KNOWN,
    REVOKED,
    SAR,
    at,
    attacked,
    backbones_of,
    by_setting,
    is_keyed,
    knowledge_of,
    labels_of,
    of_backbone,
    on_templates,
    plain_rows,
    protection_fmr,
    strongest,
)
from reports.protection_words import limits_words
from reports.results import Estimate, Measured, ProtectionResult, Results
from reports.words import fmr_label


def show_protection(results: Results, page: Path | None, console: Console) -> None:
    """The findings, and of every backbone a line a scheme; then where the report lies."""
    for finding in results.findings:
        style = SEVERE.get(finding.severity, "")
        console.print(Text(f"{finding.severity:<9}", style=style) + Text(finding.title))
    if limits := limits_words(results.protection_limits):
        console.print(Text(limits, style="dim"))
    fmr = protection_fmr(results.protections)
    for name in backbones_of(results.protections):
        console.print()
        console.print(_table(of_backbone(results.protections, name), name, fmr))
    for judge, why in sorted(results.judges_missing.items()):
        console.print(Text(f"judge {judge} not measured: {why}", style="dim"))
    if page is not None:
        console.print(f"\nreport: {page}", markup=False, soft_wrap=True)


def _table(rows: Sequence[ProtectionResult], name: str, fmr: str | None) -> Table:
    """Schemes downwards; recognition and the strongest attack across."""
    said = f" at FMR {fmr_label(fmr)}" if fmr else ""
    table = plain_table(
        f"{name}, in %{said}: people recognised, and rebuilt faces accepted at most anywhere "
        "(intervals in the report)"
    )
    table.add_column("")
    for column in ("TMR", "keys\nsecret", "keys\nleaked", "scores\nonly", "after\nnew key"):
        table.add_column(column, justify="right")
    labels = labels_of(rows)
    for setting, some in by_setting(rows).items():
        told = attacked(some)
        held = on_templates(some)
        keyed = is_keyed(some) and setting.protects
        known = [row for row in held if not keyed or knowledge_of(row) in KEY_KNOWN]
        secret = [row for row in held if keyed and knowledge_of(row) not in KEY_KNOWN]
        scheme = next(iter(plain_rows(some)), None)
        table.add_row(
            labels[setting],
            _cell(None if scheme is None else at(scheme.tmr, fmr)),
            _most(secret, fmr),
            _most(known, fmr),
            _most([row for row in told if row.leak == "score"], fmr),
            _most(known, fmr, REVOKED),
        )
    return table


def _most(rows: Sequence[ProtectionResult], fmr: str | None, rates: Sequence[str] = SAR) -> str:
    best = strongest(rows, fmr, rates)
    return "-" if best is None else _cell(best.value)


def _cell(value: Estimate | None) -> str:
    """The value alone: its interval stands in the report."""
    if value is None:
        return "-"
    return f"{100 * value.value:.1f}" if isinstance(value, Measured) else "not measured"
