"""Tables of what an audit fills only when asked: stress, protection, comparison, gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.compare_tables import difference_table, fmr_table
from reports.results import Estimate, Results
from reports.stress_tables import stress_tables
from reports.tables import fmr_keys
from reports.words import DASH, Cell, Kind, Table, fmr_label, number


def extension_tables(results: Results) -> list[Table]:
    """Those tables that have rows."""
    compare = results.compare
    tables = (
        _gates(results),
        *stress_tables(results.stress),
        _protections(results),
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


def _protections(results: Results) -> Table:
    table = Table("Protection", ("Scheme", "Attack", "Judge", "FMR", "Type-I", "Type-II", "TMR"))
    for row in results.protections:
        known = "key known to the attacker" if row.key_known else "key secret"
        head = [Cell(row.scheme, detail=known), Cell(row.attack), Cell(row.judge)]
        _by_fmr(table, head, ((row.type1, "rate"), (row.type2, "rate"), (row.tmr, "rate")))
    return table


def _by_fmr(
    table: Table,
    head: list[Cell],
    measures: Sequence[tuple[Mapping[str, Estimate], Kind]],
) -> None:
    keys = fmr_keys(key for values, _ in measures for key in values)
    for key in keys:
        cells = [table.estimate(values.get(key), kind) for values, kind in measures]
        table.rows.append([*head, Cell(fmr_label(key)), *cells])
    if not keys:
        table.rows.append([*head, Cell(DASH), *(table.estimate(None) for _ in measures)])
