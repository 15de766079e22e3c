"""The rules by which a stress run says what it found: data, read and checked here.

They stand in configs/policy/stress.yaml: each picks one row of every backbone, and says in which
words its number is told. Intervals decide: an outcome holds where the whole interval lies above or
below its limit, so a change whose interval holds 0 is no clear change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from audit.config import explain
from audit.config_values import listed as as_list
from biometrics.errors import ConfigError
from reports.results import STRESS_FAMILIES, FmrKey, Measured, Severity, StressFamily
from reports.stress_select import BY_FMR, MEASURES
from reports.words import listed

EACH = frozenset(
    [
        "backbone",
        "judge",
        "label",
        "value",
        "low",
        "high",
        "interval",
        "n",
        "fmr",
        "clean_value",
        "now_value",
        "plain_value",
    ]
)
"""What ``each`` may name: whose template, who judged, the condition, its number, and for changes
the rates behind it: of the clean row, of this one, of the same condition without the map."""
SAYS = frozenset({"each", "fmr", "label"})


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Select(_Part):
    """Which row of a backbone is told.

    Attributes:
        perturbation: names, in which ``*`` stands for anything.
        strength: exactly this one; any where null.
        pick: which of several rows: of the largest or smallest strength, or with the highest or
            lowest value; the first where null.
        attack: rows of inversion or of recognition alone; either where null.
        by: the attack, in which ``*`` stands for anything; the first of the run where null.
        repaired: templates that went through a learnt map.
        judge: the backbone itself, or the first judge that the attack never saw.
        fmr: the headline's, or one by name.
    """

    perturbation: Annotated[tuple[str, ...], BeforeValidator(as_list), Field(min_length=1)]
    strength: float | None = None
    pick: Literal["largest", "smallest", "highest", "lowest"] | None = None
    attack: Literal["inversion", "recognition"] | None = None
    by: str | None = None
    repaired: bool = False
    judge: Literal["own", "unseen"] = "own"
    fmr: Literal["headline"] | FmrKey = "headline"


class When(_Part):
    """Limits that the whole interval must keep; a value without an interval keeps none."""

    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("expected above, below or both")
        return self

    def holds(self, value: Measured) -> bool:
        """Whether the interval lies wholly within the limits."""
        if value.low is None or value.high is None:
            return False
        return (self.above is None or value.low > self.above) and (
            self.below is None or value.high < self.below
        )


class Outcome(_Part):
    """What is said where it holds; without ``when`` it is what is left."""

    when: When | None = None
    severity: Severity
    says: str
    recommendation: str = ""
    clauses: tuple[str, ...] = ()


class Rule(_Part):
    """One sentence about a family.

    Attributes:
        name: of the finding, after ``stress.FAMILY.``.
        select, measure: the number: ``type1``, ``tmr_difference``, ``measures.NAME``.
        each: what is told of every backbone.
        outcomes: the first that holds counts.
        missing: what is said where there is no number, before the reasons.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    select: Select
    measure: str
    each: str
    outcomes: Annotated[tuple[Outcome, ...], Field(min_length=1)]
    missing: str

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.measure.startswith(MEASURES) and self.measure not in BY_FMR:
            raise ValueError(f"no measure '{self.measure}'; known: {listed(BY_FMR)}, measures.NAME")
        if [o.when is None for o in self.outcomes] != [False] * (len(self.outcomes) - 1) + [True]:
            raise ValueError("the last outcome, and no other, has no 'when'")
        _check_names(self.each, EACH)
        for outcome in self.outcomes:
            _check_names(outcome.says, SAYS)
        return self


Rules = Mapping[StressFamily, Sequence[Rule]]


class _Policy(_Part):
    date: object
    families: dict[StressFamily, Annotated[tuple[Rule, ...], Field(min_length=3)]]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for family in STRESS_FAMILIES:
            names = [rule.name for rule in self.families.get(family, ())]
            if not names:
                raise ValueError(f"no rules for '{family}'")
            if len(set(names)) < len(names):
                raise ValueError(f"{family}: two rules of one name")
        return self


def load_rules(path: Path | None = None) -> Rules:
    """The rules in a file, or those that ship.

    Raises:
        ConfigError: in one line, what does not fit and where.
    """
    file: Traversable | Path = path or files("configs").joinpath("policy", "stress.yaml")
    try:
        return _Policy.model_validate(yaml.safe_load(file.read_text(encoding="utf-8"))).families
    except ValidationError as error:
        raise ConfigError(f"{file.name}: {explain(error)}") from error
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"{file.name}: not YAML: {said}") from error


def _check_names(text: str, known: frozenset[str]) -> None:
    try:
        names = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise ValueError(f"'{text}': {error}") from error
    if names - known:
        unknown = sorted(names - known)[0]
        raise ValueError(f"unknown placeholder '{{{unknown}}}'; known: {listed(sorted(known))}")
