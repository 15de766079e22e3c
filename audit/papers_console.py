"""The table of ``faceleak reproduce``, laid out for 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from audit.reproduce import OurRow, Reproduction
from reports.results import Estimate, Measured

DASH = "-"


def show_reproduction(result: Reproduction, console: Console) -> None:
    """The paper's figures beside ours, what each row cost, and what differs."""
    paper = result.paper
    console.print()
    console.print(Text(f"{paper.title}: {paper.table}", style="bold"))
    console.print(Text(paper.source, style="dim"))
    console.print()
    console.print(_quality(result))
    console.print()
    console.print(_cost(result))
    console.print()
    missing = sorted(
        {
            f"{column}: {value.not_measured}"
            for row in result.rows
            for column, value in row.ours.items()
            if not isinstance(value, Measured)
        }
    )
    for line in missing:
        console.print(Text(f"not measured: {line}", style="dim"))
    for row in result.rows:
        if row.verdict:
            console.print(Text(f"{row.row}: {row.verdict}"))
    if any(row.smoke for row in result.rows):
        console.print(Text("smoke run: fewer than three passes over the data; shows that it works"))
    console.print()
    console.print(Text("what differs from the paper", style="bold"))
    for line in result.differences:
        for part in textwrap.wrap(f"- {line}", console.width, subsequent_indent="  "):
            console.print(Text(part))


def _quality(result: Reproduction) -> Table:
    """A column of the paper and one of ours for each of its measures."""
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.add_column("row")
    for column in result.paper.measures:
        table.add_column(f"{column}\npaper", justify="right")
        table.add_column("\nours", justify="right")
    table.add_column("accepted by\nunseen judge", justify="right")
    digits = {
        column: _decimals(row.paper[column] for row in result.rows)
        for column in result.paper.measures
    }
    for row in result.rows:
        cells = []
        for column, ours in row.ours.items():
            paper = row.paper[column]
            cells += [DASH if paper is None else f"{paper:.{digits[column]}f}", _short(ours)]
        table.add_row(Text(row.row), *cells, _unseen(row))
    return table


def _cost(result: Reproduction) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("what it took")
    counted = any(row.memory is not None for row in result.rows)
    memory = ["a step"] if counted else []
    for heading in ("parameters", "pictures", "passes", "steps", *memory, "seconds"):
        table.add_column(heading, justify="right")
    table.add_column("loss first", justify="right")
    table.add_column("last", justify="right")
    for row in result.rows:
        table.add_row(
            Text(row.row + (" (smoke run)" if row.smoke else "")),
            f"{row.parameters:,}",
            f"{row.pictures:,}",
            str(row.passes),
            f"{row.steps:,}",
            *([DASH if row.memory is None else f"{row.memory / 2**20:,.0f} MiB"] * counted),
            DASH if row.seconds is None else f"{row.seconds:,.0f}",
            _loss(row.first_loss),
            _loss(row.last_loss),
        )
    return table


def _decimals(values: Iterable[float | None]) -> int:
    """As many as the most precise of a paper's figures has: 0.4 stands as 0.40 beside 0.41."""
    return max((len(f"{v:g}".partition(".")[2]) for v in values if v is not None), default=0)


def _short(value: Estimate) -> str:
    """Three digits, whatever the unit."""
    return f"{value.value:.3g}" if isinstance(value, Measured) else DASH


def _unseen(row: OurRow) -> str:
    rates = [v for v in row.unseen_type1.values() if isinstance(v, Measured)]
    if not rates:
        return DASH
    return f"{100 * max(v.value for v in rates):.1f} %\nat FMR {row.unseen_fmr}"


def _loss(value: float | None) -> str:
    return DASH if value is None else f"{value:.4g}"
