"""What a table of requirements holds: one YAML file a source, checked strictly when it is read."""

from __future__ import annotations

from datetime import date as Day
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, field_validator, model_validator

from reports.compliance.select import Selector
from reports.schema import Model

Status: TypeAlias = Literal[
    "supported by measurement", "contradicted by measurement", "not measured"
]
SUPPORTED: Status = "supported by measurement"
CONTRADICTED: Status = "contradicted by measurement"
NOT_MEASURED: Status = "not measured"

FORBIDDEN = ("compliant", "compliance with", "iapar", "certified")
"""What a measurement cannot say, or must not be called."""


def _line(text: str) -> str:
    if text != " ".join(text.split()):
        raise ValueError(f"expected one line without double spaces, got {text!r}")
    if found := [word for word in FORBIDDEN if word in text.lower()]:
        raise ValueError(f"a row does not say '{found[0]}': it tells what was measured")
    return text


Line: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_line)]
Address: TypeAlias = Annotated[str, Field(pattern=r"^https?://[^\s/]+\.[^\s/]+(/\S*)?$")]
Published: TypeAlias = Annotated[str, Field(pattern=r"^\d{4}(-\d\d){0,2}$")]
"""As exactly as it is known: a year, a month or a day."""
Key: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$")]


class Reading(Model):
    """What of a source was read, where and when: its wording, or its scope alone."""

    date: Day
    address: Address
    what: Literal["wording", "scope"]
    note: Line


class Milestone(Model):
    """A day on which something of the source begins to apply."""

    date: Day
    what: Line
    address: Address


class Limit(Model):
    """The number that the whole 95 % interval has to keep, and why it is this one."""

    at_most: float | None = None
    at_least: float | None = None
    reason: Line

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("expected one of at_most and at_least")
        return self


class Row(Model):
    """One thing that a source asks, as far as a measurement can speak to it.

    Attributes:
        id: ``FILE.NAME``; findings name it.
        clause: only where its wording was read, at ``read``; else the property goes by ``name``.
        name: of the property, in two or three words.
        asks: what the source asks, in our words.
        claim: the sentence that the measurement supports or contradicts.
        evidence, limit: the number that decides; both absent where nothing is measured.
        supported, contradicted, missing: what is said then.
    """

    id: Key
    clause: Line | None = None
    read: Address | None = None
    name: Line
    asks: Line
    claim: Line
    evidence: Selector | None = None
    limit: Limit | None = None
    supported: Line | None = None
    contradicted: Line | None = None
    missing: Line

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.clause is None) != (self.read is None):
            raise ValueError("a clause and the address where it was read belong together")
        parts = (self.evidence, self.limit, self.supported, self.contradicted)
        if len({part is None for part in parts}) > 1:
            raise ValueError(
                "evidence, limit, supported and contradicted are given together or not at all"
            )
        return self


class Source(Model):
    """One law or standard.

    Attributes:
        source, short: its name, and as clauses are cited.
        version, published: which text, and of which day.
        date: of this table.
        address: of the public source.
        read: what of it was read; null where nothing was.
        note: what a reader must know before the rows.
        dates: since when it applies.
    """

    source: Line
    short: Line
    version: Line
    published: Published
    date: Day
    address: Address
    read: Reading | None
    note: Line
    dates: tuple[Milestone, ...] = ()
    rows: Annotated[tuple[Row, ...], Field(min_length=3)]

    @model_validator(mode="after")
    def _honest(self) -> Self:
        ids = [row.id for row in self.rows]
        if twice := [key for key in ids if ids.count(key) > 1]:
            raise ValueError(f"two rows are called '{twice[0]}'")
        read = self.read is not None and self.read.what == "wording"
        if not read and (cited := [row.id for row in self.rows if row.clause]):
            raise ValueError(f"'{cited[0]}' cites a clause of a text that was not read")
        return self


class Band(Model):
    """A word for rates from ``least`` on."""

    least: Annotated[float, Field(ge=0, le=1)]
    word: Line


class Risk(Model):
    """One row of a data protection impact assessment.

    Attributes:
        likelihood: the number that tells it; of several, the first that was measured.
        residual: the number that tells what a protection leaves.
        findings: patterns of ids of findings that belong to it.
    """

    id: Key
    risk: Line
    likelihood: Annotated[tuple[Selector, ...], Field(min_length=1)]
    impact: Line
    measure: Line
    residual: Selector
    findings: tuple[str, ...] = ()


class Assessment(Model):
    """What the table for an impact assessment is made from."""

    date: Day
    clause: Line
    read: Address
    note: Line
    reason: Line
    bands: Annotated[tuple[Band, ...], Field(min_length=2)]
    risks: Annotated[tuple[Risk, ...], Field(min_length=3)]

    @field_validator("bands")
    @classmethod
    def _falling(cls, bands: tuple[Band, ...]) -> tuple[Band, ...]:
        rates = [band.least for band in bands]
        if rates != sorted(set(rates), reverse=True) or rates[-1] != 0:
            raise ValueError("expected bands from the highest rate down to 0")
        return bands
