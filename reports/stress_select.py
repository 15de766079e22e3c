"""Which rows of a stress run stand beside each other, and what is told of them."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from reports.results import (
    CLEAN,
    HEADLINE_FMR,
    STRESS_FAMILIES,
    ByFmr,
    Estimate,
    Measured,
    NotMeasured,
    StressFamily,
    StressResult,
    fmr_value,
)

RATES = ("type1", "type2", "tmr")
CHANGES = {"type1": "difference", "type2": "type2_difference", "tmr": "tmr_difference"}
"""Rates of a row, and their paired differences to the clean row."""

_ALL = [name for name, field in StressResult.model_fields.items() if field.annotation == ByFmr]
_PAIRED = [name for rate, change in CHANGES.items() for name in (rate, change)]
BY_FMR = (*_PAIRED, *(name for name in _ALL if name not in _PAIRED))
"""All that a row holds by FMR, each change beside its rate."""

MEASURES = "measures."
"""Before the name of a measure of the family's own."""

AT_FMR = "{fmr}"
"""Ends the name of a measure that is one for each FMR."""

_FMR = re.compile(r"[1-9]e-[1-9]")

_T = TypeVar("_T", bound=Hashable)


class Condition(NamedTuple):
    """What was done: rows of one condition differ in backbone, attack and judge alone."""

    perturbation: str
    strength: float | None
    repaired: bool


def condition_of(row: StressResult) -> Condition:
    """What was done in a row."""
    return Condition(row.perturbation, row.strength, row.repaired)


def labels_of(rows: Iterable[StressResult]) -> dict[Condition, str]:
    """Conditions in their order, in words."""
    found: dict[Condition, str] = {}
    for row in rows:
        words = row.label or row.perturbation
        if row.repaired and "repaired" not in words:
            words += ", repaired"
        found.setdefault(condition_of(row), words)
    return found


def by_family(rows: Iterable[StressResult]) -> dict[StressFamily, list[StressResult]]:
    """Families that have rows, in the order in which they are shown."""
    found: dict[StressFamily, list[StressResult]] = {family: [] for family in STRESS_FAMILIES}
    for row in rows:
        if row.family:
            found[row.family].append(row)
    return {family: rows for family, rows in found.items() if rows}


def distinct(values: Iterable[_T]) -> list[_T]:
    """Each value once, in their order, none of them empty."""
    return [value for value in dict.fromkeys(values) if value]


def backbones_of(rows: Iterable[StressResult]) -> list[str]:
    """Whose templates they are, in their order."""
    return distinct(row.backbone for row in rows)


def attacks_of(rows: Iterable[StressResult]) -> list[str]:
    """The attacks that inverted, in their order."""
    return distinct(row.attack for row in rows)


def rates_of(row: StressResult) -> list[ByFmr]:
    """All rates and changes of a row."""
    return [getattr(row, name) for name in BY_FMR]


def is_silent(row: StressResult) -> bool:
    """Whether a row holds no number at all; its note then says why."""
    return not (any(rates_of(row)) or row.measures or row.roc or row.map)


def shown_fmr(rates: Iterable[ByFmr]) -> str | None:
    """The headline's FMR where anything was measured at it; else the strictest that was."""
    keys = {key for values in rates for key, v in values.items() if isinstance(v, Measured)}
    if HEADLINE_FMR in keys:
        return HEADLINE_FMR
    return min(keys, key=fmr_value, default=None)


def shown_judge(rows: Sequence[StressResult], backbone: str) -> str:
    """Who speaks of faces rebuilt from a backbone's templates: the first judge that the attack
    never saw; without one the backbone itself, or whoever there is; empty without rows."""
    told = [row for row in rows if row.attack and row.backbone == backbone]
    unseen = [row.judge for row in told if row.unseen]
    own = [row.judge for row in told if row.judge == backbone]
    return next(iter([*unseen, *own, *(row.judge for row in told)]), "")


def inverted(rows: Sequence[StressResult], backbone: str) -> list[StressResult]:
    """The rows of the first attack on a backbone, as the judge that is shown sees them."""
    judge = shown_judge(rows, backbone)
    first = next(iter(attacks_of(row for row in rows if row.backbone == backbone)), "")
    return [
        row
        for row in rows
        if first and (row.backbone, row.attack, row.judge) == (backbone, first, judge)
    ]


def recognised(rows: Sequence[StressResult], backbone: str) -> list[StressResult]:
    """Rows that tell how well a backbone itself still recognises: those of recognition alone where
    there are any, else those of its own judgement of the first attack."""
    own = [row for row in rows if row.backbone == row.judge == backbone]
    plain = [row for row in own if not row.attack and row.tmr]
    first = next(iter(attacks_of(own)), "")
    return plain or [row for row in own if row.attack == first]


def itself(rows: Sequence[StressResult], backbone: str) -> list[StressResult]:
    """Rows in which stands what does not depend on a judge."""
    own = [row for row in rows if row.backbone == backbone and row.measures]
    return [row for row in own if row.judge == backbone] or own


def clean_row(rows: Iterable[StressResult]) -> StressResult | None:
    """The row that the others are compared with."""
    return next((row for row in rows if row.perturbation == CLEAN), None)


def rates_by_fmr(row: StressResult, measure: str) -> ByFmr:
    """What a row holds of a measure at each FMR: a rate, a change, or ``measures.NAME_at_{fmr}``,
    one measure an FMR; empty for measures that know no FMR."""
    if not measure.startswith(MEASURES):
        found: ByFmr = getattr(row, measure, {})
        return found
    if not measure.endswith(AT_FMR):
        return {}
    start = measure.removeprefix(MEASURES).removesuffix(AT_FMR)
    names = {n.removeprefix(start): v for n, v in row.measures.items() if n.startswith(start)}
    return {key: value for key, value in names.items() if _FMR.fullmatch(key)}


def value_of(row: StressResult, measure: str, fmr: str | None) -> Estimate | None:
    """One number of a row: a rate or a change at an FMR, or ``measures.NAME``; None where the row
    says nothing of it. Without an FMR, as nothing was measured at any, the reason."""
    if measure.startswith(MEASURES) and not measure.endswith(AT_FMR):
        return row.measures.get(measure.removeprefix(MEASURES))
    values = rates_by_fmr(row, measure)
    if not values:
        return None
    if fmr:
        return values.get(fmr, NotMeasured(not_measured="not measured at this FMR"))
    return values.get(HEADLINE_FMR) or values[min(values, key=fmr_value)]
