"""Findings that somebody accepted, with a reason and until a day; they stay visible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

from pydantic import Field

from reports.results import Model, Results


class Accepted(Model):
    """One entry of an ignore file: the finding's id, why it is accepted, and the last day on which
    that holds."""

    finding: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    expires: date


@dataclass(frozen=True)
class Ignored:
    """What an ignore file means for one run on one day.

    Attributes:
        accepted: entries that hold, by the id of a finding of the run.
        expired: entries whose day is over; their findings count.
        unknown: entries that name no finding of the run, expired or not.
    """

    accepted: Mapping[str, Accepted] = field(default_factory=dict)
    expired: tuple[Accepted, ...] = ()
    unknown: tuple[Accepted, ...] = ()


def sort_ignored(results: Results, entries: Iterable[Accepted], today: date) -> Ignored:
    """Which entries hold. Of several for one finding, the one that holds longest."""
    ids = {finding.id for finding in results.findings}
    accepted: dict[str, Accepted] = {}
    expired, unknown = [], []
    for entry in sorted(entries, key=lambda entry: entry.expires, reverse=True):
        if entry.finding not in ids:
            unknown.append(entry)
        elif entry.expires < today:
            expired.append(entry)
        else:
            accepted.setdefault(entry.finding, entry)
    # A later entry for the same finding makes an expired one a thing of the past.
    late = tuple(entry for entry in expired if entry.finding not in accepted)
    return Ignored(accepted, late, tuple(unknown))
