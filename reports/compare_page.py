"""The page of a comparison: what its template is given, and its figures with words and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import compare_figures as figures
from reports import compare_tables as tables
from reports.charts import Chart, inline
from reports.compare_changes import change_tables, settings_table, verdict
from reports.compare_words import (
    NO_PICTURE,
    caveat_of,
    counted_how,
    projection_says,
    reversals,
    scale_note,
    shown_fmr,
)
from reports.headline import Mark, mark_of
from reports.results import CompareResult, CompareRow, Estimate, Measured
from reports.theme import svg_text
from reports.words import Cell, Table, fmr_label, gathered

_SPACE = (
    "Ranks hold for the attacks that were tried and the people they were tried on. An attack that "
    "nobody tried here may get more out of any of these templates."
)


def compare_context(compare: CompareResult) -> dict[str, Any]:
    """What ``compare.html.j2`` needs beside what every page has."""
    fmr = shown_fmr(compare)
    return {
        "verdict": verdict(compare),
        "caveat": caveat_of(compare),
        "counted": counted_how(compare),
        "marks": [_mark(row) for row in compare.rows],
        "scale_note": scale_note(compare),
        "changed": change_tables(compare),
        "settings": settings_table(compare),
        "ranking": tables.ranking_table(compare),
        "every_fmr": tables.fmr_table(compare),
        "differences": tables.difference_table(compare),
        "likeness": tables.likeness_table(compare),
        "trade_off": list(_trade_off(compare, fmr)),
        "maps": list(_maps(compare, fmr)),
        "matrix": [
            table for rates in tables.RATES if (table := tables.matrix_table(compare, rates)).rows
        ],
        "format_charts": list(_format_charts(compare, fmr)),
        "formats": _formats(compare, fmr),
        "prediction": tables.prediction_table(compare),
        "prediction_says": NO_PICTURE,
        "projection": None
        if compare.projection is None
        else tables.projection_table(compare.projection),
        "projection_says": ""
        if compare.projection is None
        else projection_says(compare.projection),
        "compare_limits": [_SPACE, *reversals(compare), *compare.notes],
    }


def _mark(row: CompareRow) -> Mark:
    rank = f"{row.rank}. " if row.rank else ""
    return mark_of(rank + row.name, "attack", row.headline)


def _trade_off(compare: CompareResult, fmr: str | None) -> Iterator[Chart]:
    if fmr is None or not any(figures.drawable(row, fmr) for row in compare.rows):
        return
    figure = figures.trade_off(compare.rows, fmr=fmr, judge=compare.judge)
    by = compare.judge or "its judge"
    table = Table("", ("Templates of", "TMR", f"SAR by {by}"))
    for row in compare.rows:
        cells = [table.estimate(row.tmr.get(fmr)), table.estimate(row.headline)]
        table.rows.append([Cell(row.name), *cells])
    missing = [row.name for row in compare.rows if not figures.drawable(row, fmr)]
    yield Chart(
        "Accuracy against leakage",
        inline(svg_text(figure, "trade-off")),
        f"Points for {', '.join(row.name for row in compare.rows)}: how often each model "
        f"recognises the right person, to the right, against how often faces rebuilt from its "
        f"templates are accepted by {by}, upwards, at FMR {fmr_label(fmr)}.",
        "Lower right is best: such a model recognises people and its templates give little away. "
        f"Both at FMR {fmr_label(fmr)}; lines are 95 % intervals."
        + (f" Not drawn, as a number is missing: {', '.join(missing)}." if missing else ""),
        gathered(table),
    )


def _maps(compare: CompareResult, fmr: str | None) -> Iterator[Chart]:
    """One map for each rate; its numbers are the tables of the matrix."""
    if fmr is None or not compare.matrix:
        return
    judges = tables.matrix_judges(compare)
    targets = {row.name: row.target or row.name for row in compare.rows}
    own = [targets.get(cell.source, cell.source) for cell in compare.matrix]
    for rates in ("type1", "type2"):
        figure = figures.matrix_map(compare.matrix, judges=judges, own=own, rates=rates, fmr=fmr)
        yield Chart(
            tables.RATES[rates],
            inline(svg_text(figure, f"matrix-{rates}")),
            f"A grid of {tables.RATES[rates]}: a line for each model whose templates were "
            f"inverted, a column for each of the judges {', '.join(judges)}, the share accepted at "
            f"FMR {fmr_label(fmr)} in each cell; the tables below have all numbers.",
            f"Share of rebuilt faces accepted at FMR {fmr_label(fmr)}, in percent. Lines: whose "
            "templates were inverted. Columns: the judge. Without a frame: a judge that took part "
            "in the attack or never counts as unseen. Intervals are in the tables below.",
            Table("", ()),
            wide=len(judges) > figures.CROWDED,
        )


def _format_charts(compare: CompareResult, fmr: str | None) -> Iterator[Chart]:
    for i, (name, rows) in enumerate(tables.formats_of(compare.formats).items()):
        if fmr is None:
            return
        judges = ", ".join(dict.fromkeys(row.judge for row in rows))
        table = Table("", ("Kept as", "TMR", "Type-I"))
        for row in rows:
            found: list[Estimate | None] = [row.tmr.get(fmr), row.type1.get(fmr)]
            table.rows.append([Cell(row.form), *(table.estimate(value) for value in found)])
        yield Chart(
            f"Templates of {name}",
            inline(svg_text(figures.format_dots(rows, fmr=fmr), f"formats-{i}")),
            f"For templates of {name} kept as {', '.join(row.form for row in rows)}: how often the "
            f"right person is recognised, and how often a rebuilt face is accepted by {judges}.",
            f"At FMR {fmr_label(fmr)}, rebuilt faces judged by {judges} (Type-I). A form is worth "
            "having where the circle moves left and the diamond stays.",
            gathered(table),
        )


def _formats(compare: CompareResult, fmr: str | None) -> list[Table]:
    """The FMR of the comparison first."""
    rates = [values for row in compare.formats for values in (row.tmr, row.type1)]
    keys = [key for values in rates for key, value in values.items() if isinstance(value, Measured)]
    others = sorted({*keys} - {fmr}, key=float, reverse=True)
    return [tables.format_table(compare, key) for key in (fmr, *others) if key and compare.formats]
