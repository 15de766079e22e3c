"""Which columns of a table are templates, and which say whose they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from biometrics.stores.loose import LEAST, Roles, roles_of

_NUMBERED = re.compile(r"(?P<stem>.*?)[_.\-\[ ]?(?P<number>\d{1,5})\]?")


@dataclass(frozen=True)
class ColumnLayout:
    """One number a column.

    Attributes:
        vector: positions of the columns, in the order of the numbers.
        roles: of the other columns.
        name: of the templates.
    """

    vector: tuple[int, ...]
    roles: Roles
    name: str


def number_columns(names: Sequence[str], numeric: Sequence[bool]) -> ColumnLayout | None:
    """Columns of which each is one number of a template; None where there are none.

    Args:
        names: of all columns.
        numeric: whether its values are numbers.

    Returns:
        The columns named by one stem and the numbers from 0 or 1 on (``v0``, ``embedding_12``,
        ``128``), or else the longest run of numeric columns; :data:`LEAST` at least.
    """
    numbered = _numbered(names, numeric)
    vector = numbered if len(numbered) >= LEAST else _longest_run(names, numeric)
    if len(vector) < LEAST:
        return None
    taken = set(vector)
    rest = [name for place, name in enumerate(names) if place not in taken]
    stem = _NUMBERED.fullmatch(names[vector[0]].strip()[:200]) if numbered else None
    return ColumnLayout(tuple(vector), roles_of(rest), (stem and stem["stem"][:40]) or "columns")


def _numbered(names: Sequence[str], numeric: Sequence[bool]) -> list[int]:
    stems: dict[str, dict[int, int]] = {}
    for place, (name, is_number) in enumerate(zip(names, numeric, strict=True)):
        if is_number and (found := _NUMBERED.fullmatch(name.strip()[:200])):
            stems.setdefault(found["stem"], {}).setdefault(int(found["number"]), place)
    best: list[int] = []
    for places in stems.values():
        first = min(places)
        whole = first in (0, 1) and max(places) == first + len(places) - 1
        if whole and len(places) > len(best):
            best = [places[number] for number in sorted(places)]
    return best


def _longest_run(names: Sequence[str], numeric: Sequence[bool]) -> list[int]:
    """A number column beside them that is named as an id or a label belongs to no run."""
    best: list[int] = []
    run: list[int] = []
    for place, (name, is_number) in enumerate(zip(names, numeric, strict=True)):
        if is_number and roles_of([name]) == roles_of([]):
            run.append(place)
            best = max(best, run, key=len)
        else:
            run = []
    return list(best)
