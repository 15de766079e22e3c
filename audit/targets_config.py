"""The configuration of a run on several targets: one of an audit for each of them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import BeforeValidator, model_validator

from attacks.base import make_settings
from audit.config import AuditConfig
from audit.config_values import AttackChoice, Name, listed, refuse_twice
from reports.formats import OF_SCORES, keeps_scores


class TargetsConfig(AuditConfig):
    """A run on several targets.

    ``quick`` leaves the split as it is, so that thresholds stay what they are: it shortens the
    attacks, and the run's own sizes are those of a quick one where nobody set others.

    Attributes:
        targets: the backbones whose templates leaked; ``target`` alone where there are none.
    """

    RUN: ClassVar[str]
    """What such a run is called in messages."""

    targets: Annotated[tuple[Name, ...], BeforeValidator(listed)] = ()

    @model_validator(mode="after")
    def _fit_for_targets(self) -> Self:
        refuse_twice(self.targets)
        if not self.leak.clean:
            raise ValueError(f"leak: a {self.RUN} run takes clean pictures; leave it out")
        if self.search is not None:
            raise ValueError(f"search is for audits; leave it out of a {self.RUN} run")
        if keeps_scores(self.output.formats):
            raise ValueError(f"output.formats: {' and '.join(OF_SCORES)} are for audits alone")
        return self

    def audits(self) -> dict[str, AuditConfig]:
        """By target, the audit whose people, models and attacks are used; every target judges."""
        targets = self.targets or (self.target,)
        judges = tuple(dict.fromkeys([*targets, *self.judges]))
        shared = {name: getattr(self, name) for name in AuditConfig.model_fields}
        shared |= {
            "judges": judges,
            "attacks": self.tried(),
            "quick": False,
            "faces": self._faces(),
        }
        return {t: AuditConfig.model_construct(**{**shared, "target": t}) for t in targets}

    def tried(self) -> tuple[AttackChoice, ...]:
        """The attacks that are run, with their settings."""
        if not self.quick:
            return self.attacks
        return tuple(
            AttackChoice(a.name, make_settings(a.name, a.settings).quick().model_dump())
            for a in self.attacks
        )

    def _faces(self) -> object:
        """Where the faces come from."""
        return self.faces
