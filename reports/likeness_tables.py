"""How much reconstructions look like the photographs: one small table for each kind of measure.

A measure that no attack has is no column: it is named below the table, once, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from reports.measure_words import (
    FRECHET,
    MARKS,
    PERCEIVED,
    Measure,
    image_names,
    measure_of,
)
from reports.results import NOT_RUN, AttackResult, Estimate, Measured, Results
from reports.words import Cell, Table, gathered

_PARTS = "jaw brows nose eyes mouth"  # from the outside to the inside
_Column = tuple[Measure, list[Estimate | None], list[str]]  # what, by attack, notes by attack


def likeness_tables(results: Results) -> list[Table]:
    """Pixels, perception and sets, judges' spaces, landmarks, parts of the face; those that say
    something."""
    rows = results.attacks
    parts: dict[str, list[_Column]] = {
        "Likeness, picture by picture": [],
        "Likeness as networks see it, and of all pictures at once": [],
        "Distance of all pictures at once, in the space of each judge (Fréchet)": [],
    }
    pixels, perceived, spaces = parts.values()
    for name in image_names(rows):
        column = _image(rows, name)
        if name.startswith(FRECHET):
            spaces.append(column)
        else:
            (perceived if name in PERCEIVED else pixels).append(column)
    parts["Landmarks"] = [_mark(rows, name) for name in MARKS]
    parts["Landmark MSE by part of the face, found again (px², lower is better)"] = _regions(rows)
    tables = [_table(caption, rows, columns) for caption, columns in parts.items()]
    return [table for table in tables if table.rows or table.below]


def glossary(results: Results) -> list[Measure]:
    """The measures of the tables that have words, each once."""
    found = [
        measure_of(name)
        for name in image_names(results.attacks)
        if not name.startswith(FRECHET) and _seen(_image(results.attacks, name))
    ]
    found += [measure for name, measure in MARKS.items() if _seen(_mark(results.attacks, name))]
    spaces = [name for name in image_names(results.attacks) if name.startswith(FRECHET)]
    if any(_seen(_image(results.attacks, name)) for name in spaces):
        found.append(replace(measure_of(spaces[0]), name="Space of a judge"))
    return [measure for measure in found if measure.says]


def not_measured(results: Results) -> list[str]:
    """What keeps image measures from every attack, one line for each reason."""
    columns = [_image(results.attacks, name) for name in image_names(results.attacks)]
    return list(_unseen(column for column in columns if not _seen(column)))


def _image(rows: Sequence[AttackResult], name: str) -> _Column:
    notes = [row.image_notes.get(name, "") for row in rows]
    return measure_of(name), [row.image.get(name) for row in rows], notes


def _mark(rows: Sequence[AttackResult], name: str) -> _Column:
    return MARKS[name], [getattr(row.landmarks, name) for row in rows], [""] * len(rows)


def _regions(rows: Sequence[AttackResult]) -> list[_Column]:
    names = {name for row in rows for name in row.landmarks.regions}
    return [
        (
            Measure(name.capitalize(), ""),
            [row.landmarks.regions.get(name) for row in rows],
            [""] * len(rows),
        )
        for name in sorted(names, key=lambda name: (_PARTS.find(name), name))
    ]


def _table(caption: str, rows: Sequence[AttackResult], columns: Sequence[_Column]) -> Table:
    shown = [column for column in columns if _seen(column)]
    table = Table(caption, ())
    table.columns = ["Attack", *(_heading(table, column) for column in shown)]
    for place, row in enumerate(rows if shown else ()):
        cells = [_cell(table, column, place) for column in shown]
        table.rows.append([Cell(row.attack, tone="" if row.control else "strong"), *cells])
    table.below = list(_unseen(column for column in columns if not _seen(column)))
    return gathered(table)


def _heading(table: Table, column: _Column) -> Cell:
    """Name and direction, and the note where it is the same of all attacks."""
    measure, _, _ = column
    note = _common(column)
    return Cell(measure.name, detail=measure.direction, note=table.note(note) if note else "")


def _cell(table: Table, column: _Column, place: int) -> Cell:
    measure, values, notes = column
    cell = table.estimate(values[place], measure.kind)
    if not isinstance(values[place], Measured) or not notes[place] or _common(column):
        return cell
    return replace(cell, note=table.note(notes[place]))


def _common(column: _Column) -> str:
    _, values, notes = column
    said = {n for value, n in zip(values, notes, strict=True) if isinstance(value, Measured)}
    return said.pop() if len(said) == 1 else ""


def _unseen(columns: Iterable[_Column]) -> Iterator[str]:
    """One line for each reason, with the measures that it keeps back."""
    by_reason: dict[str, list[str]] = {}
    for measure, values, _ in columns:
        reasons = dict.fromkeys(
            value.not_measured
            for value in values
            if value is not None and not isinstance(value, Measured) and value != NOT_RUN
        )
        for reason in reasons:
            by_reason.setdefault(reason, []).append(measure.name)
    for reason, names in by_reason.items():
        yield f"Not measured: {' · '.join(names)}: {reason}"


def _seen(column: _Column) -> bool:
    return any(isinstance(value, Measured) for value in column[1])
