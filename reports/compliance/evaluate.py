"""From a run's numbers to the status of each row; the whole 95 % interval decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.compliance.found import Evidence
from reports.compliance.model import (
    CONTRADICTED,
    NOT_MEASURED,
    SUPPORTED,
    Limit,
    Row,
    Source,
    Status,
)
from reports.compliance.select import evidence_for
from reports.results import Measured, NotMeasured, Results


@dataclass(frozen=True)
class Decision:
    """The status of one claim, the number that decided it, and what is said."""

    status: Status
    deciding: Evidence | None
    reason: str = ""


@dataclass(frozen=True)
class Judged:
    """A row with its decision."""

    row: Row
    decision: Decision


def judged_rows(source: Source, results: Results) -> list[Judged]:
    """Every row of a table with its status in a run."""
    return [Judged(row, judge_row(row, results)) for row in source.rows]


def judge_row(row: Row, results: Results) -> Decision:
    """The status of one row."""
    if row.evidence is None or row.limit is None:
        return Decision(NOT_MEASURED, None, row.missing)
    return decide(row.limit, evidence_for(row.evidence, results))


def decide(limit: Limit, found: Sequence[Evidence]) -> Decision:
    """What numbers say of a limit.

    One interval wholly beyond the limit contradicts. All intervals wholly within it support, where
    at least one comes from an attack that works. Anything else is not decided, which is told as not
    measured with the reason.
    """
    measured = [one for one in found if isinstance(one.value, Measured)]
    beyond = [one for one in measured if _beyond(limit, one) and not one.doubtful]
    if beyond:
        return Decision(CONTRADICTED, min(beyond, key=lambda one: _room(limit, one)))
    open_ones = [one for one in measured if not _within(limit, one)]
    if open_ones:
        worst = min(open_ones, key=lambda one: _room(limit, one))
        return Decision(NOT_MEASURED, worst, _undecided(worst))
    silent = [one.value.not_measured for one in found if isinstance(one.value, NotMeasured)]
    said = "; ".join(dict.fromkeys(silent))
    if not measured:
        return Decision(NOT_MEASURED, None, said)
    closest = min(measured, key=lambda one: _room(limit, one))
    if all(one.weak for one in measured):
        return Decision(NOT_MEASURED, closest, f"nothing is supported by it: {closest.weak}")
    return Decision(SUPPORTED, closest, f"not measured besides: {said}" if said else "")


def bounds(one: Evidence) -> tuple[float, float] | None:
    """The interval of a number; what was counted is its own; None where there is none."""
    value = one.value
    assert isinstance(value, Measured)
    if value.low is not None and value.high is not None:
        return value.low, value.high
    return (value.value, value.value) if one.counted else None


def _beyond(limit: Limit, one: Evidence) -> bool:
    if (ends := bounds(one)) is None:
        return False
    low, high = ends
    if limit.at_most is not None:
        return low > limit.at_most
    return limit.at_least is not None and high < limit.at_least


def _within(limit: Limit, one: Evidence) -> bool:
    if (ends := bounds(one)) is None:
        return False
    low, high = ends
    if limit.at_most is not None:
        return high <= limit.at_most
    return limit.at_least is not None and low >= limit.at_least


def _room(limit: Limit, one: Evidence) -> float:
    """How far the number is from breaking the limit; below 0 it has."""
    value = one.value
    assert isinstance(value, Measured)
    low, high = bounds(one) or (value.value, value.value)
    if limit.at_most is not None:
        return limit.at_most - (low if low > limit.at_most else high)
    assert limit.at_least is not None
    return (high if high < limit.at_least else low) - limit.at_least


def _undecided(one: Evidence) -> str:
    if bounds(one) is None:
        return "not decided: the number has no interval"
    if one.doubtful:
        return f"not decided: {one.doubtful}"
    return "not decided by this measurement: the limit lies within the 95 % interval"
