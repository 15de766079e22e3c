"""What every part of results.json is built from: the strict base model and the estimate."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    model_validator,
)


class Model(BaseModel):
    """Base of every part: unknown keys, NaN and infinities are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _relative(path: str) -> str:
    windows = PureWindowsPath(path)
    parts = {*PurePosixPath(path).parts, *windows.parts}
    if not path or "\0" in path or path.startswith(("/", "\\")) or windows.drive or ".." in parts:
        raise ValueError(f"expected a path inside the run folder, got {path!r}")
    return path


def _timestamp(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"expected a time with its zone, such as 2026-01-31T12:00:00Z, got {text}")
    return text


FmrKey: TypeAlias = Annotated[str, Field(pattern=r"^[1-9]e-[1-9]$")]
"""A false match rate as the string ``1e-2``, ``1e-3`` or ``1e-4`` (see :func:`fmr_value`)."""
RelativePath: TypeAlias = Annotated[str, AfterValidator(_relative)]
Timestamp: TypeAlias = Annotated[str, AfterValidator(_timestamp)]
HEADLINE_FMR = "1e-3"
"""The rate at which one number is told where only one is."""

Grade: TypeAlias = Literal["A", "B", "C", "D", "E", "F", "not graded"]
Severity: TypeAlias = Literal["info", "low", "medium", "high", "critical"]
SEVERITY_ORDER: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")


def fmr_value(key: str) -> float:
    """``1e-2`` -> 0.01."""
    return float(key)


def first_problem(error: ValidationError) -> str:
    """The first of them in one line: where it is, what is wrong, and how many there are."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "document"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {first['msg']}{more}"


class Measured(Model):
    """A value with its 95 % interval and its n; low and high are null where no interval exists."""

    value: float
    low: float | None = None
    high: float | None = None
    n: PositiveInt  # nothing measured on nothing: n = 0 must be a NotMeasured

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high are given both or not at all")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


class NotMeasured(Model):
    """Says why there is no value."""

    not_measured: Annotated[str, Field(min_length=1)]


Estimate: TypeAlias = Measured | NotMeasured
Threshold: TypeAlias = float | NotMeasured
ByFmr: TypeAlias = dict[FmrKey, Estimate]
NOT_RUN = NotMeasured(not_measured="not part of this run")
