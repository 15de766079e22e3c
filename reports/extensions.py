"""The parts of results.json beside the attacks: findings, gates, and what stands around them.

Findings and gates are complete from the first schema version, empty until a run fills
them.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from reports.schema import Estimate, Model, RelativePath, Severity

MAX_WORDS = 200
"""Characters in a text of the user's own that heads a report."""


def _one_line(text: str) -> str:
    if len(text) > MAX_WORDS:
        raise ValueError(f"{len(text)} characters, at most {MAX_WORDS} are printed")
    if not text.isprintable():
        raise ValueError("expected one line of text without control characters")
    return text.strip()


Words: TypeAlias = Annotated[str, AfterValidator(_one_line)]


class About(Model):
    """Whose system it is, in the words of whoever asked for the report."""

    organisation: Words = ""
    system: Words = ""
    contact: Words = ""
    logo: RelativePath | None = None  # a picture of the run


class WeightResult(Model):
    """A file of weights that took part in a run."""

    name: str
    use: str
    licence: str = ""  # terms, in words; empty where nobody knows them
    origin: str = ""
    sha256: str = ""  # empty where there is no file, as of what a run fits itself


class Finding(Model):
    """One thing that somebody should act upon."""

    id: str
    severity: Severity
    title: str
    evidence: dict[str, Estimate] = Field(default_factory=dict)
    clauses: list[str] = Field(default_factory=list)
    recommendation: str = ""
    rests_on: str = ""  # which evidence comes first: dictionaries are sorted when they are written

    @model_validator(mode="before")
    @classmethod
    def _first_is_told(cls, given: Any) -> Any:
        """Whoever draws a finding names its main number first."""
        if isinstance(given, dict) and not given.get("rests_on") and given.get("evidence"):
            return {**given, "rests_on": next(iter(given["evidence"]))}
        return given


class GateResult(Model):
    """One limit that the user set, and whether it held."""

    name: str
    rule: str
    limit: float
    value: Estimate
    passed: bool | None = None  # null: not measured, so not decided
    detail: str = ""  # whose number it is, or what it was counted from
