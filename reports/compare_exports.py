"""A comparison in long form: one row for each number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reports.compare_changes import attacks_of
from reports.results import ByFmr, CompareResult, Estimate
from reports.tables import fmr_keys

COMPARE_COLUMNS = (
    "part",
    "source",
    "against",
    "form",
    "attack",
    "judge",
    "unseen",
    "measure",
    "fmr",
    "value",
    "low",
    "high",
    "n",
    "not_measured",
)


class Number(NamedTuple):
    """One number of a comparison, and what it is of.

    ``part`` names the list of :class:`CompareResult` that it comes from; ``against`` the second row
    of a paired difference, or what a map was fitted to; ``value`` is a plain number where it is no
    estimate.
    """

    part: str
    source: str
    measure: str
    value: Estimate | int
    fmr: str = ""
    attack: str = ""
    judge: str = ""
    against: str = ""
    form: str = ""
    unseen: bool | None = None


def numbers_of(compare: CompareResult) -> Iterator[Number]:
    """Every number of the comparison, in the order of the schema."""
    yield from _rows(compare)
    for pair in compare.differences:
        base = Number("differences", pair.left, "sar", 0, judge=compare.judge, against=pair.right)
        yield from _rates(base, {"sar": pair.sar})
        yield from _plain(base, pair.image)
    for change in compare.changes:
        base = Number("changes", change.before, "", 0, judge=change.judge, against=change.after)
        base = base._replace(attack=attacks_of(change), unseen=change.unseen)
        for when in ("was", "now", "difference"):
            yield from _rates(base, {f"{change.measure}.{when}": getattr(change, when)})
    for cell in compare.matrix:
        base = Number("matrix", cell.source, "", 0, attack=cell.attack, judge=cell.judge)
        rates = {name: getattr(cell, name) for name in ("type1", "type2", "type2_reference")}
        yield from _rates(base._replace(unseen=cell.unseen), rates)
    for guess in compare.predictability:
        base = Number("predictability", guess.source, "pairs", guess.pairs, judge=guess.judge)
        yield base
        names = ("same_picture", "other_pictures", "photographs", "strangers")
        yield from _rates(base, {name: getattr(guess, name) for name in names})
    yield from _formats(compare)
    if compare.projection is not None:
        check = compare.projection
        base = Number("projection", "eigenfaces", "", 0, attack=check.attack)
        yield base._replace(measure="components", value=check.components)
        values = ("projection", "reconstruction", "difference")
        yield from _plain(base, {name: getattr(check, name) for name in values})


def _rows(compare: CompareResult) -> Iterator[Number]:
    for row in compare.rows:
        base = Number("rows", row.name, "rank", row.rank, attack=row.attack, judge=row.judge)
        yield base
        if row.dim is not None:
            yield base._replace(measure="dim", value=row.dim)
        yield base._replace(measure="headline", value=row.headline, fmr=compare.fmr or "")
        names = ("sar", "type2", "type2_reference")
        yield from _rates(base, {name: getattr(row, name) for name in names})
        # Neither is by the judge of the row.
        yield from _rates(base._replace(judge=row.target), {"own": row.own, "tmr": row.tmr})
        yield from _plain(base._replace(judge=""), row.image)


def _formats(compare: CompareResult) -> Iterator[Number]:
    for row in compare.formats:
        base = Number("formats", row.backbone, "dim", row.dim, form=row.form)
        yield base
        yield base._replace(measure="bytes", value=row.bytes)
        yield from _rates(base._replace(judge=row.backbone), {"tmr": row.tmr})
        judged = base._replace(attack=row.attack, judge=row.judge)
        names = ("type1", "type2", "difference")
        yield from _rates(judged, {name: getattr(row, name) for name in names})


def _rates(base: Number, rates: dict[str, ByFmr]) -> Iterator[Number]:
    for name, values in rates.items():
        for key in fmr_keys(values):
            yield base._replace(measure=name, value=values[key], fmr=key)


def _plain(base: Number, values: dict[str, Estimate]) -> Iterator[Number]:
    for name, value in values.items():
        yield base._replace(measure=name, value=value)
