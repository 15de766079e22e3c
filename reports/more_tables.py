"""Tables of what an audit fills only when asked: stress, comparison, gates."""

from __future__ import annotations

from reports.compare_tables import difference_table, fmr_table
from reports.results import Results
from reports.stress_tables import stress_tables
from reports.words import Cell, Table, number


def extension_tables(results: Results) -> list[Table]:
    """Those tables that have rows."""
    compare = results.compare
    tables = (
        _gates(results),
        *stress_tables(results.stress),
        *([] if compare is None else [fmr_table(compare), difference_table(compare)]),
    )
    return [table for table in tables if table.rows]


def _gates(results: Results) -> Table:
    table = Table("Gates", ("Gate", "Rule", "Limit", "Value", "Outcome"))
    outcome = {True: "passed", False: "failed", None: "not decided"}
    for gate in results.gates:
        table.rows.append(
            [
                Cell(gate.name),
                Cell(gate.rule),
                Cell(number(gate.limit)),
                table.estimate(gate.value, "number"),
                Cell(outcome[gate.passed], tone="" if gate.passed else "flag"),
            ]
        )
    return table
