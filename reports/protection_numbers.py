"""The long tables of protection: every attack, every price, every linkage, every measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.measure_words import image_names, measure_of
from reports.protection_select import (
    BY_FMR,
    Setting,
    is_silent,
    labels_of,
    linked,
    parameters_of,
    plain_rows,
    setting_of,
    why_silent,
)
from reports.protection_words import FAMILIES, LINKED, MEASURES, circumstances, known, known_words
from reports.results import ProtectionResult, far_above_nominal
from reports.tables import EVERYBODYS_FACE, told_keys
from reports.words import DASH, Cell, Table, count, fmr_label, gathered

_HEADINGS = {
    "type1": Cell("Type-I", detail="the template that leaked"),
    "type2": Cell("Type-II", detail="other pictures of the person"),
    "type2_reference": Cell("Type-II reference", detail="photographs in the same pairs"),
    "reconstruction_fmr": Cell("Own FMR", detail="rebuilt faces, pictures of other people"),
    "revoked_type1": Cell("Type-I revoked", detail="new template, new key"),
    "revoked_type2": Cell("Type-II revoked", detail="new templates, new key"),
    "difference": Cell("Change of Type-I", detail="paired, from no protection"),
    "type2_difference": Cell("Change of Type-II", detail="paired, from no protection"),
    "tmr_plain": Cell("TMR before", detail="the same pairs, unprotected"),
    "tmr": Cell("TMR, stolen key", detail="protected"),
    "tmr_difference": Cell("Change", detail="paired"),
    "tmr_genuine_key": Cell("TMR, genuine key", detail="impostors have their own"),
    "realised_fmr": Cell("Realised FMR", detail="stolen key"),
}
_CHANGES = ("difference", "type2_difference", "tmr_difference")
FLATTERED = ("type1", "type2", "reconstruction_fmr")
"""What a face that passes for everybody is accepted as."""
_ORDER = (*_HEADINGS, *(name for name in BY_FMR if name not in _HEADINGS))


def attack_tables(rows: Sequence[ProtectionResult], of: str) -> list[Table]:
    """Rates, attempts and likeness of every attack in some rows; ``of`` heads them."""
    told = [row for row in rows if row.attack]
    rates = _rate_table(f"Attacks on templates of {of}", "Attack", told)
    return _full([rates, _attempts(told, of), _likeness(told, of)])


def recognition_table(rows: Sequence[ProtectionResult], of: str) -> Table:
    """What every scheme costs in recognition at every FMR."""
    return _rate_table(f"Recognition by templates of {of}", "Scheme", plain_rows(rows))


def _rate_table(caption: str, column: str, rows: Sequence[ProtectionResult]) -> Table:
    """All that rows hold by FMR, a line for each FMR."""
    some = [row for row in rows if any(getattr(row, name) for name in BY_FMR)]
    columns = [name for name in _ORDER if any(getattr(row, name) for row in some)]
    heads = [_HEADINGS.get(name, Cell(name.replace("_", " "))) for name in columns]
    table = Table(caption, (Cell(column), Cell("FMR"), *heads))
    keys = told_keys(table, [getattr(row, name) for row in some for name in columns])
    labels = labels_of(rows)
    for row in some:
        first = _head(row, labels, len(keys))
        for i, key in enumerate(keys):
            everybody = far_above_nominal(row.reconstruction_fmr.get(key), key)
            cells = [
                table.estimate(
                    getattr(row, name).get(key),
                    "margin" if name in _CHANGES else "rate",
                    flag=EVERYBODYS_FACE if everybody and name in FLATTERED else "",
                )
                for name in columns
            ]
            table.rows.append([*([first] if i == 0 else []), Cell(fmr_label(key)), *cells])
    return gathered(table)


def _head(row: ProtectionResult, labels: Mapping[Setting, str], rows: int = 1) -> Cell:
    """Which attack under which circumstances; without an attack which scheme."""
    label = labels[setting_of(row)]
    if not row.attack:
        return Cell(label, detail=row.note, rows=rows)
    words = f"{label}: {row.attack}" if len(labels) > 1 else row.attack
    told = [circumstances(row), row.note]
    return Cell(words, detail=" \u00b7 ".join(filter(None, told)), rows=rows)


def _attempts(rows: Sequence[ProtectionResult], of: str) -> Table:
    """How many faces were asked for, how many show one, and what was recovered on the way."""
    table = Table(
        f"Attempts on templates of {of}",
        (
            "Attack",
            "Attempts",
            "Failed",
            "Face found",
            Cell("Templates", detail="of a person"),
            Cell("Queries", detail="for each template"),
            Cell("Cosine", detail="of the recovered template"),
        ),
    )
    labels = labels_of(rows)
    for row in rows:
        if not is_silent(row):
            numbers = (row.n_attempts, row.n_failed)
            table.rows.append(
                [
                    _head(row, labels),
                    *(Cell(count(number)) for number in numbers),
                    table.estimate(row.detection_rate),
                    Cell(count(row.records)),
                    Cell(count(row.queries) if row.queries else DASH),
                    table.estimate(row.recovered_cosine, "ratio"),
                ]
            )
    return gathered(table)


def _likeness(rows: Sequence[ProtectionResult], of: str) -> Table:
    """How much the rebuilt faces look like the photographs."""
    told = [row for row in rows if row.image]
    names = image_names(told)
    table = Table(
        f"Likeness of faces rebuilt from templates of {of}",
        ("Attack", *(_measure_heading(name) for name in names)),
    )
    labels = labels_of(rows)
    for row in told:
        kinds = [(row.image.get(name), measure_of(name).kind) for name in names]
        table.rows.append([_head(row, labels), *(table.estimate(v, kind) for v, kind in kinds)])
    return gathered(table)


def _measure_heading(name: str) -> Cell:
    words = measure_of(name)
    return Cell(words.name, detail=words.direction)


def linkage_table(rows: Sequence[ProtectionResult], of: str) -> Table:
    """Whether templates under two keys can be told to be of one person, by every linker."""
    table = Table(
        f"Linking templates of {of} across keys",
        (
            "Scheme",
            "Linker",
            Cell("D_sys", detail="0 none, 1 all"),
            Cell("By chance", detail="as many scores, the same bins"),
            "So it is",
            Cell("Maximal", detail="bits"),
            "Bins",
            Cell("Mated", detail="scores"),
            Cell("Non-mated", detail="scores"),
        ),
    )
    labels = labels_of(rows)
    for row in rows:
        for i, one in enumerate(row.linkage):
            head = Cell(labels[setting_of(row)], detail=row.note, rows=len(row.linkage))
            found = linked(one)
            table.rows.append(
                [
                    *([head] if i == 0 else []),
                    Cell(one.linker, detail=known(one.knowledge, keyed=row.keyed), tone="words"),
                    table.estimate(one.d_sys, "ratio"),
                    table.estimate(one.null, "ratio"),
                    Cell(LINKED[found], tone="flag" if found == "above" else "words"),
                    table.estimate(one.maximal, "ratio"),
                    *(Cell(count(n)) for n in (one.bins, one.mated, one.non_mated)),
                ]
            )
    return gathered(table)


def scheme_table(rows: Sequence[ProtectionResult], of: str) -> Table:
    """What each scheme is: its settings, its keys, its size and its speed."""
    table = Table(
        f"The schemes, for templates of {of}",
        (
            "Scheme",
            "Settings",
            "Keys",
            Cell("Numbers", detail="that are compared"),
            Cell("Size", detail="bits"),
            Cell("Time", detail="\u00b5s a template"),
        ),
    )
    labels = labels_of(rows)
    for row in plain_rows(rows):
        key = setting_of(row)
        table.rows.append(
            [
                Cell(labels[key], detail=FAMILIES[row.family]),
                Cell(parameters_of(key) or DASH, tone="words"),
                *(
                    Cell(count(number)) if number else Cell(DASH)
                    for number in (row.keys, row.dim, row.stored_bits)
                ),
                table.estimate(row.microseconds, "number"),
            ]
        )
    return gathered(table)


def measure_tables(rows: Sequence[ProtectionResult], of: str) -> list[Table]:
    """What single schemes measure besides: of each its own table, as their measures differ."""
    labels = labels_of(rows)
    tables = []
    for row in rows:
        what = f"{labels[setting_of(row)]}{', ' + row.attack if row.attack else ''}"
        table = Table(f"Measures of {what}, templates of {of}", ("Measure", "Value"))
        for name, value in row.measures.items():
            words = MEASURES.get(name, name.replace("_", " "))
            table.rows.append([Cell(words), table.estimate(value, "number")])
        tables.append(gathered(table))
    return _full(tables)


def missing_table(rows: Sequence[ProtectionResult]) -> Table:
    """Rows that hold nothing but why."""
    table = Table("What was not measured", ("Scheme", "Templates of", "Attack", "Judge", "Why"))
    labels = labels_of(rows)
    for row in rows:
        whose = [Cell(row.backbone), Cell(row.attack or DASH, tone="words"), Cell(row.judge)]
        detail = known_words(row) if row.attack else ""
        why = why_silent(row)
        table.rows.append(
            [Cell(labels[setting_of(row)], detail=detail), *whose, Cell(why, tone="words")]
        )
    return table


def _full(tables: Sequence[Table]) -> list[Table]:
    return [table for table in tables if table.rows]
