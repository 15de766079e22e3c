"""The tables of a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reports.compare_words import difference_words, shown_fmr
from reports.measure_words import image_names, measure_of
from reports.results import (
    ByFmr,
    CompareCell,
    CompareResult,
    CompareRow,
    Estimate,
    FormatRow,
    Measured,
    ProjectionCheck,
)
from reports.tables import told_keys
from reports.words import MINUS, NBSP, Cell, Table, count, fmr_label, gathered

_PICTURES = (("psnr_crop", "psnr_face"), ("ssim_crop", "ssim_face"))  # the first that was measured
_SIMILARITY = {"cosine": "cosine", "l2": "minus L2"}
RATES = {
    "type1": "Type-I, the leaked picture",
    "type2": "Type-II, other pictures of the person",
    "type2_reference": "What photographs reach instead (Type-II reference)",
}


def ranking_table(compare: CompareResult) -> Table:
    """One line for each backbone, the most leaking first."""
    fmr = shown_fmr(compare)
    own_judges = not compare.judge
    at = f" at FMR{NBSP}{fmr_label(fmr)}" if fmr else ""
    tmr = told_keys(Table("", ()), [row.tmr for row in compare.rows])[:2]
    pictures = _pictures(compare.rows)
    table = Table(
        "Ranking: the most leaking first",
        (
            "Templates of",
            Cell("SAR, Type-I", detail=f"by {compare.judge or 'its judge'}{at}"),
            Cell("Type-II", detail="other pictures of the person"),
            Cell("Photograph", detail="Type-II reference"),
            Cell("SAR by the model itself", detail="Type-I"),
            *(Cell(f"TMR at {fmr_label(key)}", detail="accuracy of the model") for key in tmr),
            *(_heading(name) for name in pictures),
            *(["Grade"] if any(row.grade != "not graded" for row in compare.rows) else []),
        ),
    )
    for row in compare.rows:
        key = fmr or ""
        cells = [_name(row, judge=own_judges), table.estimate(row.headline)]
        cells += [table.estimate(rates.get(key)) for rates in (row.type2, row.type2_reference)]
        cells += [table.estimate(row.own.get(key)), *(table.estimate(row.tmr.get(k)) for k in tmr)]
        cells += [table.estimate(row.image.get(name), measure_of(name).kind) for name in pictures]
        table.rows.append([*cells, Cell(row.grade)][: len(table.columns)])
    if _shared_ranks(compare.rows):
        table.below.append(
            "Rows that share a rank cannot be told apart: their paired difference is not clear."
        )
    return gathered(table)


def fmr_table(compare: CompareResult) -> Table:
    """Every rate of the rows at every FMR."""
    table = Table(
        "Comparison at every FMR",
        ("Templates of", "FMR", "SAR, Type-I", "Type-II", "Photograph", "Own model", "TMR"),
    )
    lines: list[tuple[Cell, list[ByFmr]]] = [
        (
            Cell(row.name, tone="strong"),
            [row.sar, row.type2, row.type2_reference, row.own, row.tmr],
        )
        for row in compare.rows
    ]
    return _by_fmr(table, lines)


def difference_table(compare: CompareResult) -> Table:
    """Paired differences of success rates, with what they mean in words."""
    table = Table(
        "Paired differences, over the same people",
        ("First less second", "FMR", "Difference of SAR", "In words"),
    )
    keys = told_keys(table, [pair.sar for pair in compare.differences])
    for pair in compare.differences:
        for i, key in enumerate(keys):
            head = [Cell(f"{pair.left} {MINUS} {pair.right}", rows=len(keys))] if i == 0 else []
            value = pair.sar.get(key)
            said = Cell(difference_words(pair.left, pair.right, value), tone="words")
            table.rows.append([*head, Cell(fmr_label(key)), table.estimate(value, "margin"), said])
    return gathered(table)


def likeness_table(compare: CompareResult) -> Table:
    """Likeness of the pictures, row by row, then the paired differences."""
    names = image_names(compare.rows)
    table = Table(
        "Likeness of the rebuilt faces, and paired differences",
        ("Templates of", *(_heading(name) for name in names)),
    )
    lines: list[tuple[Cell, Mapping[str, Estimate]]] = [
        (Cell(row.name, tone="strong"), row.image) for row in compare.rows if row.image
    ]
    for pair in compare.differences:
        if pair.image:
            lines.append((Cell(f"{pair.left} {MINUS} {pair.right}"), pair.image))
    for head, image in lines if names else ():
        cells = [table.estimate(image.get(name), measure_of(name).kind) for name in names]
        table.rows.append([head, *cells])
    return gathered(table)


def matrix_table(compare: CompareResult, rates: str) -> Table:
    """Sources and FMRs downwards, judges across, every cell with its interval."""
    judges = matrix_judges(compare)
    table = Table(f"{RATES[rates]}, by every judge", ("Templates of", "FMR", *judges))
    by_line: dict[tuple[str, str], dict[str, CompareCell]] = {}
    for cell in compare.matrix:
        by_line.setdefault((cell.source, cell.attack), {})[cell.judge] = cell
    lines: list[tuple[Cell, list[ByFmr]]] = [
        (
            Cell(source, detail=attack, tone="strong"),
            [getattr(cells[judge], rates) if judge in cells else {} for judge in judges],
        )
        for (source, attack), cells in by_line.items()
    ]
    if rates == "type2_reference" and all(values == lines[0][1] for _, values in lines):
        # Photographs know nothing of whose templates leaked.
        lines = [(Cell("any of them", tone="strong"), values) for _, values in lines[:1]]
    return _by_fmr(table, lines)


def matrix_judges(compare: CompareResult) -> list[str]:
    """The columns of the matrix: those that are named, then any that a cell adds."""
    return list(dict.fromkeys([*compare.judges, *(cell.judge for cell in compare.matrix)]))


def prediction_table(compare: CompareResult) -> Table:
    """How templates follow from each other, always beside the calibration."""
    table = Table(
        "Mapped templates accepted by the other model",
        (
            "From \u2192 to",
            "FMR",
            "Other pictures of the person",
            Cell("Photographs", detail="calibration: the judge's own templates, same pairs"),
            "The same picture",
            Cell("Strangers", detail="calibration: accepted as somebody else"),
        ),
    )
    lines: list[tuple[Cell, list[ByFmr]]] = [
        (
            Cell(f"{row.source} \u2192 {row.judge}", detail=f"fitted on {count(row.pairs)} pairs"),
            [row.other_pictures, row.photographs, row.same_picture, row.strangers],
        )
        for row in compare.predictability
    ]
    return _by_fmr(table, lines)


def format_table(compare: CompareResult, fmr: str) -> Table:
    """Shortened and coarser templates at one FMR."""
    table = Table(
        f"Templates kept shorter or coarser, at FMR {fmr_label(fmr)}",
        (
            "Templates of",
            "Kept as",
            Cell("TMR", detail="accuracy with such templates"),
            Cell("Type-I", detail="rebuilt faces accepted"),
            "Type-II",
            Cell("Change of Type-I", detail="paired, against the first line"),
        ),
    )
    for backbone, rows in formats_of(compare.formats).items():
        detail = "; ".join(dict.fromkeys(f"{row.attack}, judge {row.judge}" for row in rows))
        for i, row in enumerate(rows):
            head = [Cell(backbone, detail=detail, tone="strong", rows=len(rows))] if i == 0 else []
            size = f"{count(row.dim)}-D, {count(row.bytes)} byte" + "s" * (row.bytes != 1)
            rates = [table.estimate(v.get(fmr)) for v in (row.tmr, row.type1, row.type2)]
            change = Cell("the first line")
            if i > 0 or row.difference:
                change = table.estimate(row.difference.get(fmr), "margin")
            table.rows.append([*head, Cell(row.form, detail=size), *rates, change])
    return gathered(table)


def formats_of(rows: Iterable[FormatRow]) -> dict[str, list[FormatRow]]:
    """By backbone, in their order."""
    found: dict[str, list[FormatRow]] = {}
    for row in rows:
        found.setdefault(row.backbone, []).append(row)
    return found


def projection_table(check: ProjectionCheck) -> Table:
    """The three numbers of the positive control."""
    table = Table(
        "Positive control: PSNR over what eigenfaces see, in dB",
        ("Attack", "Projection of the photographs", "Rebuilt faces", "Difference, paired"),
    )
    values = (check.projection, check.reconstruction, check.difference)
    name = Cell(check.attack, detail=f"{count(check.components)} components", tone="strong")
    table.rows.append([name, *(table.estimate(value, "number") for value in values)])
    return gathered(table)


def _by_fmr(table: Table, lines: Sequence[tuple[Cell, Sequence[ByFmr]]]) -> Table:
    """Each line at every FMR at which anything was measured; its heading spans them."""
    keys = told_keys(table, [values for _, rates in lines for values in rates])
    for head, rates in lines:
        for i, key in enumerate(keys):
            first = [replace(head, rows=len(keys))] if i == 0 else []
            cells = [table.estimate(values.get(key)) for values in rates]
            table.rows.append([*first, Cell(fmr_label(key)), *cells])
    return gathered(table)


def _name(row: CompareRow, *, judge: bool) -> Cell:
    facts = [row.attack, f"{row.dim}-D" if row.dim else "", _SIMILARITY.get(row.similarity, "")]
    facts += [row.licence, f"judge {row.judge}" if judge and row.judge else ""]
    rank = f"{row.rank}.{NBSP}" if row.rank else ""
    return Cell(rank + row.name, detail=" \u00b7 ".join(filter(None, facts)), tone="strong")


def _shared_ranks(rows: Sequence[CompareRow]) -> bool:
    ranks = [row.rank for row in rows if row.rank]
    return len(set(ranks)) < len(ranks)


def _pictures(rows: Sequence[CompareRow]) -> list[str]:
    """One PSNR and one SSIM, where any row has them."""
    seen = {name for row in rows for name, v in row.image.items() if isinstance(v, Measured)}
    return [next(name for name in kind if name in seen) for kind in _PICTURES if seen & set(kind)]


def _heading(name: str) -> Cell:
    measure = measure_of(name)
    return Cell(measure.name, detail=measure.direction)
