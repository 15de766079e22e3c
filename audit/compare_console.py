"""What ``faceleak compare`` prints, laid out for 80 columns."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from audit.console import plain_table, rate
from reports.compare_changes import MEASURES, attacks_of, outcome_of, regressions
from reports.compare_words import projection_says, reversals, shown_fmr
from reports.results import CompareResult, Estimate, Measured


def show_compare(result: CompareResult, verdict: str, page: Path, console: Console) -> None:
    """The verdict, the ranking, the matrix, and where the report lies."""
    console.print()
    console.print(Text(verdict, style="bold"))
    console.print()
    if result.changes:
        console.print(_changes(result))
        console.print()
    console.print(_ranking(result))
    console.print()
    console.print(_matrix(result))
    if result.formats:
        console.print()
        console.print(_forms(result))
    console.print()
    if result.projection is not None:
        check = result.projection
        console.print(
            Text(
                f"Templates of eigenfaces hold {_decibels(check.projection)} of the pictures "
                f"({check.components} components), {check.attack} gives back "
                f"{_decibels(check.reconstruction)}. {projection_says(check)}"
            )
        )
    for note in [*reversals(result), *result.notes]:
        console.print(Text(note, style="dim"))
    console.print(f"\nreport: {page}", markup=False, soft_wrap=True)


def _ranking(result: CompareResult) -> Table:
    fmr = result.fmr or ""
    whose = f"by {result.judge}" if result.judge else "by each row's judge"
    table = plain_table(f"Accepted {whose}, in % [95 % interval] at FMR {fmr}")
    for heading in ("", "templates of", "accepted", "its recognition", "PSNR", "attack"):
        table.add_column(
            heading, justify="left" if heading in ("templates of", "attack") else "right"
        )
    for row in result.rows:
        by = row.attack if result.judge or not row.judge else f"{row.attack}, {row.judge}"
        table.add_row(
            str(row.rank or "-"),
            row.name,
            rate(row.headline),
            rate(row.tmr.get(fmr)),
            _decibels(row.image.get("psnr_crop")),
            by or "-",
        )
    return table


def _changes(result: CompareResult) -> Table:
    """The strongest attacks before and after, and every other change that is a regression."""
    fmr = shown_fmr(result) or ""
    table = plain_table(f"Before and after, in % [95 % interval] at FMR {fmr}")
    for heading in ("attack", "judge", "", "before", "after", "outcome"):
        table.add_column(heading, justify="right" if heading in ("before", "after") else "left")
    worse = regressions(result.changes, fmr)
    for change in result.changes:
        if not change.which and change not in worse:
            continue
        table.add_row(
            attacks_of(change),
            change.judge + (" *" if change.unseen else ""),
            MEASURES[change.measure],
            rate(change.was.get(fmr)),
            rate(change.now.get(fmr)),
            outcome_of(change, fmr),
        )
    return table


def _matrix(result: CompareResult) -> Table:
    fmr = result.fmr or ""
    table = plain_table(f"Every judge, in % at FMR {fmr} (* never seen by the attack)")
    table.add_column("templates of")
    for judge in result.judges:
        table.add_column(judge, justify="right")
    for row in result.rows:
        cells = {cell.judge: cell for cell in result.matrix if cell.source == row.name}
        shown = []
        for judge in result.judges:
            cell = cells.get(judge)
            value = None if cell is None else cell.type1.get(fmr)
            mark = " *" if cell is not None and cell.unseen else "  "
            shown.append(f"{_share(value)}{mark}")
        table.add_row(row.name, *shown)
    return table


def _forms(result: CompareResult) -> Table:
    fmr = result.fmr or ""
    judges = ", ".join(dict.fromkeys(row.judge for row in result.formats))
    table = plain_table(f"Templates kept otherwise, judge {judges}, in % at FMR {fmr}")
    for heading in ("templates of", "form", "bytes", "recognition", "accepted"):
        numbers = heading in ("bytes", "recognition", "accepted")
        table.add_column(heading, justify="right" if numbers else "left")
    for row in result.formats:
        found = rate(row.tmr.get(fmr)), rate(row.type1.get(fmr))
        table.add_row(row.backbone, row.form, f"{row.bytes:,}", *found)
    return table


def _share(value: Estimate | None) -> str:
    return f"{100 * value.value:.1f}" if isinstance(value, Measured) else "-"


def _decibels(value: Estimate | None) -> str:
    return f"{value.value:.2f} dB" if isinstance(value, Measured) else "-"
