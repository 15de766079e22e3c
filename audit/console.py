"""What commands print for people, laid out for 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reports.results import AttackResult, Estimate, JudgeResult, Measured, NotMeasured, Results

if TYPE_CHECKING:
    from audit.backbone_list import BackboneLine


SEVERE = {"critical": "bold red", "high": "red", "medium": "yellow"}
"""Styles of findings that are not small."""

EVERYBODY = "* the same face is accepted as other people too, at over three times the FMR"


def stdout() -> Console:
    """The console for results; rich's own guesses at numbers and paths are off."""
    return Console(highlight=False)


def show_audit(results: Results, page: Path | None, console: Console) -> None:
    """The verdict, the success rates and where the report lies."""
    console.print()
    if results.verdict:
        console.print(Text(results.verdict, style="bold"))
        if results.grade != "not graded":
            console.print(Text(f"grade {results.grade}: {results.grade_reason}"))
        console.print()
    if results.findings:
        for finding in results.findings:
            style = SEVERE.get(finding.severity, "")
            console.print(Text(f"{finding.severity:<9}", style=style) + Text(finding.title))
        console.print()
    if results.attacks:
        console.print(_success_table(results))
        if any(_flagged(attack, fmr) for attack in results.attacks for fmr in _fmr_labels(results)):
            console.print(Text(EVERYBODY, style="dim"))
        for reason in _reasons(results):
            console.print(Text(f"not measured: {reason}", style="dim"))
        for attack in results.attacks:
            if attack.not_working:
                console.print(Text(f"{attack.attack}: {attack.not_working}", style="yellow"))
        from audit.console_more import show_more  # matplotlib takes a second

        show_more(results, console)
    for judge, why in sorted(results.judges_missing.items()):
        console.print(Text(f"judge {judge} not measured: {why}", style="dim"))
    if page is not None:
        console.print(f"\nreport: {page}", markup=False, soft_wrap=True)


def show_backbones(lines: Sequence[BackboneLine], console: Console) -> None:
    """One row a backbone; below them the licences of their weights, and what the others lack."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("backbone", "D", "compare by", "state"):
        table.add_column(heading, justify="right" if heading == "D" else "left", no_wrap=True)
    for line in lines:
        table.add_row(
            line["name"],
            "-" if line["dim"] is None else str(line["dim"]),
            line["similarity"] or "-",
            _state(line),
        )
    console.print(table)
    if any(line["licence"] for line in lines):
        console.print(Text("\nlicences of the weights", style="bold"))
    for licence in dict.fromkeys(line["licence"] for line in lines if line["licence"]):
        names = ", ".join(line["name"] for line in lines if line["licence"] == licence)
        console.print(f"{names}: {licence}", markup=False)
    if any((line["missing"] and not line["fitted"]) or line["note"] for line in lines):
        console.print(Text("\nwhat is missing, and notes", style="bold"))
    for line in lines:
        if line["missing"] and not line["fitted"]:
            console.print(f"{line['name']}: {line['missing']}", markup=False)
        if line["note"]:
            console.print(f"{line['name']}: {line['note']}", markup=False)


def plain_table(title: str) -> Table:
    """A table without lines."""
    return Table(
        title=title,
        title_style="",
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )


def rate(estimate: Estimate | None) -> Text:
    """``88.1 [85.0-90.9]`` in per cent, or ``not measured``."""
    if not isinstance(estimate, Measured):
        return Text("not measured", style="dim")
    if estimate.low is None or estimate.high is None:
        return Text(_percent(estimate.value))
    return Text(f"{_percent(estimate.value)} [{_percent(estimate.low)}-{_percent(estimate.high)}]")


def _state(line: BackboneLine) -> str:
    if line["ready"]:
        return "yours to bring" if line["own"] else "ready"
    return "fitted in each audit" if line["fitted"] else "not ready"


def _percent(value: float) -> str:
    text = f"{100 * value:.1f}"
    return text.removesuffix(".0") if text in ("0.0", "100.0") else text


def _success_table(results: Results) -> Table:
    labels = _fmr_labels(results)
    table = plain_table("Success attack rate in % [95 % interval]")
    table.add_column("judge", no_wrap=True)
    table.add_column("", no_wrap=True)
    for label in labels:
        table.add_column(f"FMR {label}", justify="right", no_wrap=True)
    for attack in sorted(results.attacks, key=lambda attack: attack.control):
        table.add_row(Text(attack.attack, style="yellow" if attack.not_working else "bold"))
        for judge, found in attack.judges.items():
            for row in _judge_rows(attack, judge, found, labels):
                table.add_row(*row)
    return table


def _judge_rows(
    attack: AttackResult, judge: str, found: JudgeResult, labels: Sequence[str]
) -> Iterator[list[Text]]:
    """Type-I and Type-II of one judge; of a control only Type-I, by which it is compared."""
    role = "unseen" if found.unseen else "attacked model" if judge == attack.backbone else ""
    first = [_marked(rate(found.type1.get(key)), found.everybody(key)) for key in labels]
    yield [Text(f" {judge}"), Text("Type-I"), *first]
    if not attack.control:
        second = [_marked(rate(found.type2.get(key)), found.everybody(key)) for key in labels]
        yield [Text(f"  {role}", style="dim"), Text("Type-II"), *second]


def _marked(cell: Text, flagged: bool) -> Text:
    return cell.append("*") if flagged else cell


def _flagged(attack: AttackResult, fmr: str) -> bool:
    return any(judge.everybody(fmr) for judge in attack.judges.values())


def _fmr_labels(results: Results) -> list[str]:
    labels = {
        key
        for attack in results.attacks
        for judge in attack.judges.values()
        for key in (*judge.type1, *judge.type2)
    }
    return sorted(labels, key=float, reverse=True)


def _reasons(results: Results) -> list[str]:
    """Why something in the table was not measured, each reason once."""
    cells = (
        cell
        for attack in results.attacks
        for judge in attack.judges.values()
        for cell in (*judge.type1.values(), *judge.type2.values())
    )
    return sorted({cell.not_measured for cell in cells if isinstance(cell, NotMeasured)})
