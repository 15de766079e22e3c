"""What ``faceleak compare`` prints, laid out for 100 columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from audit.console import rate
from reports.results import CompareResult, Estimate, Measured

MINUS = "\N{MINUS SIGN}"


def show_compare(result: CompareResult, verdict: str, page: Path, console: Console) -> None:
    """The verdict, the ranking, the matrix, and where the report lies."""
    console.print()
    console.print(Text(verdict, style="bold"))
    console.print()
    console.print(_ranking(result))
    console.print()
    console.print(_matrix(result))
    for line in _more(result):
        console.print(Text(line))
    for note in result.notes:
        console.print(Text(note, style="dim"))
    console.print(f"\nreport: {page}", markup=False, soft_wrap=True)


def _plain(title: str) -> Table:
    return Table(
        title=title,
        title_style="",
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )


def _ranking(result: CompareResult) -> Table:
    fmr = result.fmr or ""
    table = _plain(f"Accepted in % [95 % interval] at FMR {fmr}; ties share a rank")
    for heading in ("", "templates of", "accepted", "other pictures", "recognition", "PSNR", "by"):
        table.add_column(heading, justify="left" if heading in ("templates of", "by") else "right")
    for row in result.rows:
        table.add_row(
            str(row.rank or "-"),
            row.name,
            rate(row.headline),
            rate(row.type2.get(fmr)),
            rate(row.tmr.get(fmr)),
            _decibels(row.image.get("psnr_crop")),
            f"{row.attack}, judge {row.judge}" if row.attack else "-",
        )
    return table


def _matrix(result: CompareResult) -> Table:
    fmr = result.fmr or ""
    table = _plain(f"Every judge: accepted in % at FMR {fmr} (* a judge that the attack never saw)")
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


def _more(result: CompareResult) -> Iterator[str]:
    found = result.projection
    if found is not None:
        yield ""
        yield (
            f"positive control: eigenfaces hold {_decibels(found.projection)} of the pictures "
            f"({found.components} components), {found.attack} gives back "
            f"{_decibels(found.reconstruction)}"
        )
    if result.formats:
        yield ""
    for row in result.formats:
        fmr = result.fmr or ""
        yield (
            f"{row.backbone}, {row.form}: {row.bytes:,} bytes, recognition "
            f"{rate(row.tmr.get(fmr))}, accepted {rate(row.type1.get(fmr))} by {row.judge}"
        )


def _share(value: Estimate | None) -> str:
    return f"{100 * value.value:.1f}" if isinstance(value, Measured) else "-"


def _decibels(value: Estimate | None) -> str:
    return f"{value.value:.2f} dB" if isinstance(value, Measured) else "-"
