"""A summary in Markdown (GitHub's), for a comment on a pull request.

Whatever comes from the run is written so that it is text and nothing else: every sign that Markdown
or HTML could obey becomes a character reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reports.gate_words import DECIDED, found_words, limit_words, told, totals
from reports.gates import GateReport
from reports.results import Finding, Measured, Results
from reports.words import count, evidence_lines, interval, percent

_MARKS = {True: "✅", False: "❌", None: "⚠️"}
_OBEYED = re.compile(r"[&<>|`*_~\[\]{}#@!\\$]|(?<=http):|(?<=https):|(?<=www)\.|(?<=ftp):")


def escaped(text: str) -> str:
    """One line of plain text."""
    line = "".join(sign if sign.isprintable() else " " for sign in " ".join(text.split()))
    return _OBEYED.sub(lambda found: f"&#{ord(found[0])};", line)


def summary(results: Results, report: GateReport) -> str:
    """The whole document."""
    parts = [
        f"## faceleak: {escaped(results.title)}",
        *_verdict(results),
        *_gates(report),
        *_findings(results, report),
        "Rates are those of a matcher without a liveness check, from an injected picture.",
    ]
    return "\n\n".join(parts) + "\n"


def _verdict(results: Results) -> Iterator[str]:
    if results.verdict:
        yield f"**{escaped(results.verdict)}**"
    if results.grade != "not graded":
        yield f"Grade **{results.grade}**: {escaped(results.grade_reason)}"
    top = results.headline
    if top is not None:
        value = top.sar
        if isinstance(value, Measured):
            spread = interval(value)
            within = f"{spread}, " if spread else ""
            number = f"**{percent(value.value)}** ({within}n = {count(value.n)})"
        else:
            number = f"not measured: {escaped(value.not_measured)}"
        yield (
            f"Accepted at FMR {top.fmr}: {number}, {escaped(top.attack)} judged by "
            f"{escaped(top.judge)}"
        )


def _gates(report: GateReport) -> Iterator[str]:
    if not report.gates:
        return
    rows = [
        (
            f"{_MARKS[gate.passed]} {DECIDED[gate.passed]}",
            escaped(gate.name),
            escaped(limit_words(gate)),
            escaped(found_words(gate)),
            escaped(gate.detail),
        )
        for gate in report.gates
    ]
    yield "### Gates"
    yield _table(("", "Gate", "Limit", "Found", "By or of"), rows)
    yield totals(report)


def _findings(results: Results, report: GateReport) -> Iterator[str]:
    rows = [_row(finding, report) for finding in results.findings]
    if rows:
        yield "### Findings"
        yield _table(("Severity", "Finding", "Evidence", "Rule"), rows)
    said = [f"* {escaped(line)}" for line in told(report.ignored)]
    if said:
        yield "### Accepted findings"
        yield "\n".join(said)


def _row(finding: Finding, report: GateReport) -> tuple[str, ...]:
    severity = finding.severity
    if finding.id in report.ignored.accepted:
        severity_words = f"{severity} (accepted)"
    else:
        severity_words = severity if severity in ("info", "low") else f"**{severity}**"
    evidence = "<br>".join(map(escaped, evidence_lines(finding.evidence)))
    return (severity_words, escaped(finding.title), evidence, escaped(finding.id))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
