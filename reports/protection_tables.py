"""The tables of protection: a line a scheme with its properties, and what stands behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reports.protection_numbers import (
    attack_tables,
    linkage_table,
    measure_tables,
    missing_table,
    recognition_table,
    scheme_table,
)
from reports.protection_select import (
    KEY_KNOWN,
    KNOWLEDGE,
    REVOKED,
    Setting,
    Strongest,
    at,
    attacked,
    backbones_of,
    by_setting,
    closest_linkage,
    is_control,
    is_encrypted,
    is_keyed,
    is_silent,
    labels_of,
    linked,
    of_backbone,
    plain_rows,
    protection_fmr,
    strongest,
    upper,
    why_not,
    with_keys,
    without_controls,
)
from reports.protection_words import FAMILIES, LINKED, attack_words, known
from reports.results import (
    NOT_RUN,
    Estimate,
    Knowledge,
    Linkage,
    Measured,
    NotMeasured,
    ProtectionResult,
    far_above_nominal,
)
from reports.tables import EVERYBODYS_FACE
from reports.words import NBSP, Cell, Table, count, fmr_label, gathered, main, ratio

GROUPS = (
    ("", 1),
    ("Irreversibility, keys leaked", 3),
    ("Unlinkability", 3),
    ("Renewability", 1),
    ("Recognition (TMR)", 3),
    ("Cost", 1),
)
COLUMNS = (
    "Scheme",
    Cell("Type-I", detail="strongest attack"),
    Cell("Type-II", detail="strongest attack"),
    Cell("Cosine", detail="recovered"),
    Cell("D_sys", detail="keys secret"),
    Cell("D_sys", detail="keys leaked"),
    Cell("Maximal", detail="bits"),
    Cell("SAR", detail="new key, old one leaked"),
    Cell("Stolen key"),
    Cell("Change", detail="paired"),
    Cell("Genuine key"),
    Cell("Size", detail="and time"),
)
_NO_KEY = Cell("no key", tone="missing")
_ONE_KEY = Cell("one key", detail="for all", tone="missing")
_CIPHERTEXT = NotMeasured(not_measured="a ciphertext without its key gives no scores to link by")
_NO_ATTACK = NotMeasured(not_measured="no attack that has the keys was tried")
_SECRET: tuple[Knowledge, ...] = tuple(name for name in KNOWLEDGE if name not in KEY_KNOWN)


def summary_tables(rows: Sequence[ProtectionResult]) -> list[Table]:
    """One table a backbone, a line a scheme: the three properties of ISO/IEC 24745 as far as they
    were measured, what they cost in recognition, size and time. Controls have a table of theirs."""
    told = without_controls(rows)
    fmr = protection_fmr(told)
    tables = [_summary(of_backbone(told, name), name, fmr) for name in backbones_of(told)]
    return [table for table in tables if table.rows]


def _summary(rows: Sequence[ProtectionResult], backbone: str, fmr: str | None) -> Table:
    at_fmr = f", rates at FMR {fmr_label(fmr)}" if fmr else ""
    table = Table(f"Templates of {backbone} under protection{at_fmr}", COLUMNS, groups=GROUPS)
    labels = labels_of(rows)
    for key, some in by_setting(rows).items():
        table.rows.append(_line(table, key, labels[key], some, fmr))
    return gathered(table)


def _line(
    table: Table, key: Setting, label: str, rows: Sequence[ProtectionResult], fmr: str | None
) -> list[Cell]:
    plain = plain_rows(rows)
    keyed, encrypted = is_keyed(rows), is_encrypted(rows)
    no_key = _ONE_KEY if encrypted else _NO_KEY
    notes = [row.note for row in rows if is_silent(row) and row.note]
    lacking = NotMeasured(not_measured=notes[0]) if notes else NOT_RUN
    keys = max((row.keys for row in rows), default=0)
    about = [FAMILIES[rows[0].family], f"{count(keys)} keys" if keyed and keys else ""]
    stolen = closest_linkage(rows, KEY_KNOWN)
    secret = closest_linkage(rows, _SECRET)
    return [
        Cell(label, detail=", ".join(filter(None, about)), tone="strong"),
        *(_sar_cell(table, rows, fmr, name) for name in ("type1", "type2")),
        _cosine_cell(table, with_keys(rows)),
        table.estimate(_CIPHERTEXT) if encrypted else _linkage_cell(table, secret, keyed=keyed),
        _linkage_cell(table, stolen, keyed=keyed) if keyed or encrypted else no_key,
        _maximal_cell(table, [secret, stolen]),
        _revoked_cell(table, rows, fmr) if keyed else no_key,
        _tmr_cell(table, plain, fmr, lacking),
        table.estimate(_of(plain, "tmr_difference", fmr) or lacking, "margin"),
        table.estimate(_of(plain, "tmr_genuine_key", fmr) or lacking) if keyed else no_key,
        _cost_cell(table, rows),
    ]


def _sar_cell(table: Table, rows: Sequence[ProtectionResult], fmr: str | None, rate: str) -> Cell:
    told = with_keys(rows)
    found = strongest(told, fmr, (rate,))
    if found is None:
        return table.estimate(why_not(told, fmr, (rate,)) if told else _why_no_attack(rows))
    return _bound_cell(table, found, fmr)


def _why_no_attack(rows: Sequence[ProtectionResult]) -> NotMeasured:
    notes = [row.note for row in rows if row.note] if not attacked(rows) else []
    return NotMeasured(not_measured="; ".join(dict.fromkeys(notes))) if notes else _NO_ATTACK


def _bound_cell(table: Table, found: Strongest, fmr: str | None) -> Cell:
    """A rate with the attack that reached it, and whether it is flattered."""
    everybody = far_above_nominal(found.row.reconstruction_fmr.get(fmr or ""), fmr or "1e-3")
    cell = table.estimate(found.value, flag=EVERYBODYS_FACE if everybody else "")
    by = table.note(f"{attack_words(found.row)}.")
    return replace(cell, note=", ".join(filter(None, [by, cell.note])))


def _revoked_cell(table: Table, rows: Sequence[ProtectionResult], fmr: str | None) -> Cell:
    """The worse of Type-I and Type-II against new templates under new keys."""
    told = with_keys(rows)
    found = strongest(told, fmr, REVOKED)
    if found is None:
        return table.estimate(why_not(told, fmr, REVOKED) if told else _why_no_attack(rows))
    cell = table.estimate(found.value)
    which = "Type-I" if found.rate == REVOKED[0] else "Type-II"
    return replace(cell, note=table.note(f"{which}: {attack_words(found.row)}."))


def _cosine_cell(table: Table, rows: Sequence[ProtectionResult]) -> Cell:
    """The highest of any attack that recovers templates."""
    found = [v for row in rows if isinstance(v := row.recovered_cosine, Measured)]
    if found:
        return table.estimate(max(found, key=lambda value: value.value), "ratio")
    return table.estimate(rows[0].recovered_cosine if rows else _NO_ATTACK)


def _linkage_cell(table: Table, linkage: Linkage | None, *, keyed: bool) -> Cell:
    """D_sys, its interval, and the most that chance gives."""
    if linkage is None:
        return table.estimate(NotMeasured(not_measured="no linker that knows as much was tried"))
    cell = table.estimate(linkage.d_sys, "ratio")
    if not isinstance(linkage.d_sys, Measured):
        return cell
    found = linked(linkage)
    who = known(linkage.knowledge, keyed=keyed)
    words = f"{linkage.linker}; the linker {who}: {LINKED[found]}."
    tone = cell.tone if found != "above" else "flag"
    return replace(cell, extra=_by_chance(linkage.null), note=table.note(words), tone=tone)


def _by_chance(null: Estimate) -> str:
    if not isinstance(null, Measured):
        return "chance not measured"
    return f"chance \u2264{NBSP}{ratio(upper(null))}"


def _maximal_cell(table: Table, found: Sequence[Linkage | None]) -> Cell:
    told = [linkage for linkage in found if linkage is not None]
    measured = [
        (one.maximal, one.maximal_null) for one in told if isinstance(one.maximal, Measured)
    ]
    if not measured:
        return table.estimate(told[0].maximal if told else None, "number")
    value, null = max(measured, key=lambda pair: pair[0].value)
    return replace(table.estimate(value, "ratio"), extra=_by_chance(null))


def _tmr_cell(
    table: Table, rows: Sequence[ProtectionResult], fmr: str | None, lacking: NotMeasured
) -> Cell:
    """Recognition with the stolen key, and by the same pairs before."""
    cell = table.estimate(_of(rows, "tmr", fmr) or lacking)
    before = _of(rows, "tmr_plain", fmr)
    if not isinstance(before, Measured):
        return cell
    return replace(cell, extra=f"before {main(before, 'rate')}")


def _cost_cell(table: Table, rows: Sequence[ProtectionResult]) -> Cell:
    """Bits of a template, and microseconds to protect one."""
    bits = max(row.stored_bits for row in rows)
    told = [row.microseconds for row in rows]
    spent = next((value for value in told if isinstance(value, Measured)), None)
    time = f"{main(spent, 'number')}{NBSP}\u00b5s" if spent else ""
    if bits:
        return Cell(f"{count(bits)}{NBSP}bits", detail=time)
    return Cell(time) if time else table.estimate(told[0])


def _of(rows: Sequence[ProtectionResult], name: str, fmr: str | None) -> Estimate | None:
    """The first of them that says something of a rate; measured ones first."""
    told = [value for row in rows if (value := at(getattr(row, name), fmr)) is not None]
    return next((value for value in told if isinstance(value, Measured)), next(iter(told), None))


def scheme_tables(rows: Sequence[ProtectionResult], of: str) -> list[Table]:
    """All numbers that attacks on some schemes gave, and what those schemes measure besides."""
    return [*attack_tables(rows, of), *measure_tables(rows, of)]


def price_tables(rows: Sequence[ProtectionResult], of: str) -> list[Table]:
    """Recognition, linkage, size and speed of several schemes beside each other."""
    tables = [recognition_table(rows, of), linkage_table(rows, of), scheme_table(rows, of)]
    return [table for table in tables if table.rows]


def control_tables(rows: Sequence[ProtectionResult]) -> list[Table]:
    """Rows that only give the others their meaning."""
    told = [row for row in rows if is_control(row) and not is_silent(row)]
    tables: list[Table] = []
    for name in backbones_of(told):
        some, what = of_backbone(told, name), f"{name}, controls"
        tables += [recognition_table(some, what), linkage_table(some, what)]
        tables += scheme_tables(some, what)
    return [table for table in tables if table.rows]


def unmeasured_table(rows: Sequence[ProtectionResult]) -> Table:
    """Rows that hold nothing but why."""
    return missing_table([row for row in rows if is_silent(row)])
