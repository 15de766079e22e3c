"""Gates and accepted findings in words, for the terminal and for files."""

from __future__ import annotations

from collections.abc import Iterator

from reports.accepted import Accepted, Ignored
from reports.gates import GateReport
from reports.results import GateResult, Measured
from reports.words import NBSP, count, interval, percent

DECIDED = {True: "passed", False: "failed", None: "not decided"}
"""By ``passed`` of a gate."""


def found_words(gate: GateResult) -> str:
    """What was found, with its interval and n, or why nothing was."""
    value = gate.value
    if not isinstance(value, Measured):
        return f"not measured: {value.not_measured}"
    if gate.name.startswith("fail-on"):
        return count(int(value.value))
    spread = interval(value)
    within = f"{spread}, " if spread else ""
    return f"{percent(value.value)} ({within}n{NBSP}={NBSP}{count(value.n)})"


def limit_words(gate: GateResult) -> str:
    """``at most 5 %``; of findings ``none``."""
    if gate.name.startswith("fail-on"):
        return "none"
    word = "at least" if gate.name == "min-coverage" else "at most"
    return f"{word} {100 * gate.limit:g}{NBSP}%"


def told(ignored: Ignored) -> Iterator[str]:
    """One line for every entry of an ignore file."""
    for entry in ignored.accepted.values():
        yield f"accepted {_entry(entry, 'until')}"
    for entry in ignored.expired:
        yield f"no longer accepted {_entry(entry, 'expired on')}"
    for entry in ignored.unknown:
        yield f"accepted, but no finding of this run: {entry.finding}"


def _entry(entry: Accepted, word: str) -> str:
    return f"{entry.finding} ({word} {entry.expires}): {entry.reason}"


def totals(report: GateReport) -> str:
    """``2 gates passed, 1 failed``."""
    counts = [
        (words, sum(gate.passed is passed for gate in report.gates))
        for passed, words in DECIDED.items()
    ]
    return "gates: " + ", ".join(f"{n} {words}" for words, n in counts if n)
