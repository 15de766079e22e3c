"""What ``faceleak gate`` prints, laid out for 80 columns."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from audit.console import plain_table
from audit.failures import clean
from reports.gate_words import DECIDED, found_words, limit_words, told, totals
from reports.gates import GateReport
from reports.words import NBSP

_STYLES = {True: "green", False: "bold red", None: "yellow"}


def show_gates(report: GateReport, console: Console) -> None:
    """One row a gate, below it whose number it is; then what was accepted, and the sum."""
    table = plain_table("")
    for heading in ("", "gate", "limit", "found"):
        table.add_column(heading, no_wrap=heading != "found")
    for gate in report.gates:
        table.add_row(
            Text(DECIDED[gate.passed], style=_STYLES[gate.passed]),
            Text(_plain(gate.name)),
            Text(_plain(limit_words(gate))),
            Text(_plain(found_words(gate))),
        )
        if gate.detail:
            table.add_row("", "", "", Text(_plain(gate.detail), style="dim"))
    console.print(table)
    for line in told(report.ignored):
        console.print(Text(_plain(line), style="dim"))
    console.print(Text(totals(report), style="bold"))


def _plain(text: str) -> str:
    """On one line, with ordinary spaces and nothing that a terminal would obey."""
    return clean(text.replace(NBSP, " "))
