"""The number that a report stands on, and the FMR at which its figures are drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from reports.results import (
    HEADLINE_FMR,
    AttackResult,
    Estimate,
    Measured,
    Results,
    fmr_value,
)


@dataclass(frozen=True)
class Basis:
    """What the verdict and the grade rest on.

    Attributes:
        attack, judge, fmr: whose faces, accepted by whom, at which false match rate.
        sar: the rate.
        measure: which comparison it is.
        own: the judge is the attacked model itself, as no unseen judge could be asked.
    """

    attack: str
    judge: str
    fmr: str
    sar: Estimate
    measure: Literal["type1", "type2"] = "type1"
    own: bool = False


def basis_of(results: Results) -> Basis | None:
    """The headline; without one, the attack that the attacked model itself accepts most often.

    It is the rule by which the verdict is found (tested against it): controls do not count, and
    the FMR is the strictest one measured that is not below :data:`HEADLINE_FMR`.
    """
    head = results.headline
    if head is not None:
        return Basis(head.attack, head.judge, head.fmr, head.sar, head.measure)
    own = [
        Basis(row.attack, results.target, fmr, sar, own=True)
        for row in results.attacks
        if not row.control and results.target in row.judges
        for fmr, sar in row.judges[results.target].type1.items()
        if isinstance(sar, Measured) and fmr_value(fmr) >= fmr_value(HEADLINE_FMR)
    ]
    if not own:
        return None
    strictest = min(fmr_value(basis.fmr) for basis in own)
    told = [basis for basis in own if fmr_value(basis.fmr) == strictest]
    return max(told, key=lambda basis: _value(basis.sar))


def display_fmr(results: Results) -> str | None:
    """The FMR that the verdict speaks of; where it speaks of none, the strictest at which anything
    was measured."""
    basis = basis_of(results)
    if basis is not None:
        return basis.fmr
    keys = _keys(results.attacks, measured=True) or _keys(results.attacks, measured=False)
    return min(keys, key=fmr_value, default=None)


def _keys(rows: Iterable[AttackResult], *, measured: bool) -> set[str]:
    return {
        fmr
        for row in rows
        for judge in row.judges.values()
        for fmr, value in judge.type1.items()
        if isinstance(value, Measured) or not measured
    }


def _value(sar: Estimate) -> float:
    return sar.value if isinstance(sar, Measured) else 0.0
