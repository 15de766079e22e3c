"""The configuration of a stress run: one of an audit, for one or several targets."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from attacks.base import make_settings
from audit.config import AuditConfig
from audit.config_values import AttackChoice, Name, listed, refuse_twice
from audit.stress.settings import StressSettings
from reports.formats import OF_SCORES, keeps_scores


class StressConfig(AuditConfig):
    """A stress run.

    ``quick`` leaves the split as it is, so that thresholds stay what they are: it shortens the
    attacks, and ``stress`` holds the quick sizes where nobody set others.

    Attributes:
        targets: the backbones whose templates are put under stress; ``target`` alone where there
            are none.
        stress: what is tried.
    """

    targets: Annotated[tuple[Name, ...], BeforeValidator(listed)] = ()
    stress: StressSettings = Field(default=StressSettings(), validate_default=True)

    @field_validator("stress")
    @classmethod
    def _quick_sizes(cls, sizes: StressSettings, info: ValidationInfo) -> StressSettings:
        return sizes.quick() if info.data.get("quick") else sizes

    @model_validator(mode="after")
    def _fit_for_stress(self) -> Self:
        refuse_twice(self.targets)
        if not self.leak.clean:
            raise ValueError("leak: a stress run degrades the pictures itself; leave it out")
        if self.search is not None:
            raise ValueError("search is for audits; leave it out of a stress run")
        if keeps_scores(self.output.formats):
            raise ValueError(f"output.formats: {' and '.join(OF_SCORES)} are for audits alone")
        return self

    def audits(self) -> dict[str, AuditConfig]:
        """By target, the audit whose people, models and attacks are put under stress; every target
        judges."""
        targets = self.targets or (self.target,)
        judges = tuple(dict.fromkeys([*targets, *self.judges]))
        attacks = tuple(
            AttackChoice(a.name, make_settings(a.name, a.settings).quick().model_dump())
            if self.quick
            else a
            for a in self.attacks
        )
        shared = {name: getattr(self, name) for name in AuditConfig.model_fields}
        shared |= {"judges": judges, "attacks": attacks, "quick": False, "faces": self._faces()}
        return {t: AuditConfig.model_construct(**{**shared, "target": t}) for t in targets}

    def _faces(self) -> object:
        """With the people who have the most pictures among the leaked ones, where their pictures
        are averaged; a number given in ``faces`` wins."""
        given, most = self.faces.leak_most_pictured, self.stress.aggregation.subjects
        if "aggregation" not in self.stress.families or self.faces.path is None or given:
            return self.faces
        return self.faces.model_copy(update={"leak_most_pictured": most})
