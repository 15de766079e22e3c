"""The parts of results.json beside the attacks: protections, findings, gates.

Complete from the first schema version, empty until a run fills them.
"""

from __future__ import annotations

from pydantic import Field

from reports.schema import ByFmr, Estimate, Model, Severity


class ProtectionResult(Model):
    """The same attack again on protected templates."""

    scheme: str
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict)
    key_known: bool
    attack: str
    backbone: str
    judge: str
    type1: ByFmr = Field(default_factory=dict)
    type2: ByFmr = Field(default_factory=dict)
    tmr: ByFmr = Field(default_factory=dict)  # what the protection costs in recognition
    note: str = ""


class Finding(Model):
    """One thing that somebody should act upon."""

    id: str
    severity: Severity
    title: str
    evidence: dict[str, Estimate] = Field(default_factory=dict)
    clauses: list[str] = Field(default_factory=list)
    recommendation: str = ""


class GateResult(Model):
    """One limit that the user set, and whether it held."""

    name: str
    rule: str
    limit: float
    value: Estimate
    passed: bool | None = None  # null: not measured, so not decided
    detail: str = ""  # whose number it is, or what it was counted from
