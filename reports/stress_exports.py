"""A stress run in long form: one row for each number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reports.results import Estimate, StressResult
from reports.stress_select import BY_FMR, MEASURES
from reports.tables import fmr_keys

STRESS_COLUMNS = (
    "family",
    "perturbation",
    "strength",
    "unit",
    "label",
    "repaired",
    "attack",
    "backbone",
    "judge",
    "unseen",
    "fmr",
    "measure",
    "value",
    "low",
    "high",
    "n",
    "not_measured",
    "note",
)


class StressValue(NamedTuple):
    """One number of a row; a plain number where it is no estimate."""

    row: StressResult
    measure: str
    value: Estimate | int
    fmr: str = ""


def values_of(rows: Iterable[StressResult]) -> Iterator[StressValue]:
    """Every number of every row: rates by FMR, attempts where there are any, then the measures of
    the family as ``measures.NAME``. Maps and ROC curves are in results.json alone."""
    for row in rows:
        for name in BY_FMR:
            rates = getattr(row, name)
            for fmr in fmr_keys(rates):
                yield StressValue(row, name, rates[fmr], fmr)
        if row.n_attempts:
            yield StressValue(row, "n_attempts", row.n_attempts)
            yield StressValue(row, "n_failed", row.n_failed)
            yield StressValue(row, "detection_rate", row.detection_rate)
        for name, value in row.measures.items():
            yield StressValue(row, MEASURES + name, value)
