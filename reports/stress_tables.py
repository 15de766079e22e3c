"""The tables of a stress run: every number of every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.results import CLEAN, NOT_RUN, StressResult, far_above_nominal
from reports.stress_measures import measure_words
from reports.stress_select import (
    BY_FMR,
    CHANGES,
    Condition,
    attacks_of,
    backbones_of,
    condition_of,
    distinct,
    is_silent,
    labels_of,
    rates_of,
    recognised,
    value_of,
)
from reports.tables import EVERYBODYS_FACE, told_keys
from reports.words import DASH, Cell, Table, count, fmr_label, gathered

_HEADINGS = {
    "type1": Cell("Type-I", detail="the inverted template"),
    "type2": Cell("Type-II", detail="clean pictures of the person"),
    "tmr": Cell("TMR", detail="under stress, against clean pictures"),
    "reconstruction_fmr": Cell("Own FMR", detail="rebuilt faces, pictures of other people"),
    "realised_fmr": Cell("FMR under stress", detail="strangers accepted at these thresholds"),
    "tmr_same_fmr": Cell("TMR at that FMR", detail="at thresholds set anew"),
    **dict.fromkeys(CHANGES.values(), Cell("Change", detail="paired")),
}
FLATTERED = ("type1", "type2", "reconstruction_fmr")
"""What a face that passes for everybody is accepted as."""

TABLE_ANGLE = 30.0  # degrees, of the table in the paper


def stress_tables(rows: Sequence[StressResult]) -> list[Table]:
    """All tables of some rows: rates, attempts, and the measures of their families."""
    tables = [*_rates(rows), *_attempts(rows), *_measures(rows), _without_numbers(rows)]
    return [table for table in tables if table.rows]


def _rates(rows: Sequence[StressResult]) -> Iterator[Table]:
    """One table for each backbone, attack and judge."""
    keys = distinct((row.backbone, row.attack, row.judge) for row in rows if any(rates_of(row)))
    for backbone, attack, judge in keys:
        some = [r for r in rows if (r.backbone, r.attack, r.judge) == (backbone, attack, judge)]
        some = [row for row in some if any(rates_of(row))]
        yield _rate_table(_caption(some[0]), some)


def _caption(row: StressResult) -> str:
    judge = f"judge {row.judge}"
    if row.attack:
        judge += ", which it never saw" if row.unseen else ""
        return f"Templates of {row.backbone}, inverted by {row.attack}, {judge}"
    return f"Recognition of people by {row.backbone}, {judge}"


def _rate_table(caption: str, rows: Sequence[StressResult]) -> Table:
    columns = [name for name in BY_FMR if any(getattr(row, name) for row in rows)]
    heads = [_HEADINGS.get(name, Cell(name.replace("_", " "))) for name in columns]
    table = Table(caption, (Cell("Condition"), Cell("FMR"), *heads))
    keys = told_keys(table, [rates for row in rows for rates in rates_of(row)])
    for row in rows:
        head = _head(row, len(keys))
        for i, key in enumerate(keys):
            everybody = far_above_nominal(row.reconstruction_fmr.get(key), key)
            cells = [
                table.estimate(
                    getattr(row, name).get(key),
                    "margin" if name in CHANGES.values() else "rate",
                    flag=EVERYBODYS_FACE if everybody and name in FLATTERED else "",
                )
                for name in columns
            ]
            table.rows.append([*([head] if i == 0 else []), Cell(fmr_label(key)), *cells])
    return gathered(table)


def _head(row: StressResult, rows: int = 1) -> Cell:
    words = labels_of([row])[condition_of(row)]
    return Cell(words, detail=row.note, rows=rows)


def _attempts(rows: Sequence[StressResult]) -> Iterator[Table]:
    """How many reconstructions were asked for and how many show a face: the same to all judges."""
    for backbone in backbones_of(rows):
        for attack in attacks_of(row for row in rows if row.backbone == backbone):
            table = Table(
                f"Faces found in what {attack} made of templates of {backbone}",
                ("Condition", "Attempts", "Failed", "Face found"),
            )
            told = set()
            for row in rows:
                key = condition_of(row)
                other = (row.backbone, row.attack) != (backbone, attack)
                if other or key in told or not row.n_attempts:
                    continue
                told.add(key)
                counts = [Cell(count(row.n_attempts)), Cell(count(row.n_failed))]
                table.rows.append([_head(row), *counts, table.estimate(row.detection_rate)])
            yield gathered(table)


def _measures(rows: Sequence[StressResult]) -> Iterator[Table]:
    """What families measure besides acceptance."""
    told = [row for row in rows if row.measures]
    for backbone, attack, judge in distinct((r.backbone, r.attack, r.judge) for r in told):
        some = [r for r in told if (r.backbone, r.attack, r.judge) == (backbone, attack, judge)]
        names = list(dict.fromkeys(name for row in some for name in row.measures))
        by = f", inverted by {attack}" if attack else ""
        whose = "" if judge == backbone else f", judge {judge}"
        table = Table(
            f"Measures of templates of {backbone}{by}{whose}",
            ("Condition", *(_measure_heading(name) for name in names)),
        )
        for row in some:
            cells = [
                table.estimate(row.measures[name], measure_words(name).kind)
                if name in row.measures
                else Cell("")
                for name in names
            ]
            table.rows.append([_head(row), *cells])
        yield gathered(table)


def _without_numbers(rows: Sequence[StressResult]) -> Table:
    """Rows that hold nothing but why."""
    table = Table("Without numbers", ("Condition", "Templates of", "Attack", "Judge", "Why"))
    for row in rows:
        if is_silent(row):
            words = labels_of([row])[condition_of(row)]
            whose = [Cell(name) for name in (row.backbone, row.attack or DASH, row.judge)]
            why = row.note or NOT_RUN.not_measured
            table.rows.append([Cell(words), *whose, Cell(why, tone="words")])
    return table


def _measure_heading(name: str) -> Cell:
    words = measure_words(name)
    return Cell(words.name, detail=words.direction)


def map_table(rows: Sequence[StressResult], fmr: str | None) -> Table:
    """The layout of Table 2 of paper 003: recognition of moved faces without and with the learnt
    maps, in percent; empty where nothing was moved."""
    labels = labels_of(rows)
    moves = [key for key in labels if not key.repaired and _is_move(key)]
    at = f" at FMR {fmr_label(fmr)}" if fmr else ""
    table = Table(
        f"Photographs recognised{at}, without and with the learnt map",
        ("Templates of", "Map", *(labels[key] for key in moves)),
    )
    for backbone in backbones_of(rows) if len(moves) > 1 else ():
        own = {condition_of(row): row for row in recognised(rows, backbone)}
        mapped = [own.get(key._replace(repaired=True)) for key in moves]
        lines = [("without", [own.get(key) for key in moves])]
        lines += [("with", mapped)] if any(mapped) else []
        for i, (words, found) in enumerate(lines):
            head = [Cell(backbone, tone="strong", rows=len(lines))] if i == 0 else []
            cells = [
                Cell("needs none")
                if row is None and i == 1 and key.perturbation == CLEAN
                else table.estimate(None if row is None else value_of(row, "tmr", fmr))
                for key, row in zip(moves, found, strict=True)
            ]
            table.rows.append([*head, Cell(words), *cells])
    return gathered(table)


def _is_move(key: Condition) -> bool:
    """Whether a condition is a column of that table."""
    return (
        key.perturbation in (CLEAN, "scale")
        or key.perturbation.startswith("translate-")
        or (key.perturbation == "rotation" and key.strength == TABLE_ANGLE)
    )
