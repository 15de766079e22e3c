"""The configuration of a protection run: one of an audit, for one or several targets."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from attacks.base import attack_class
from audit.config_values import AttackChoice
from audit.protect.settings import ProtectSettings
from audit.targets_config import TargetsConfig
from biometrics.protection.base import check_settings


class ProtectConfig(TargetsConfig):
    """A protection run.

    Attributes:
        protect: what is tried.
    """

    RUN: ClassVar[str] = "protection"

    protect: ProtectSettings = Field(default=ProtectSettings(), validate_default=True)

    @field_validator("protect")
    @classmethod
    def _quick_sizes(cls, sizes: ProtectSettings, info: ValidationInfo) -> ProtectSettings:
        return sizes.quick() if info.data.get("quick") else sizes

    def tried(self) -> tuple[AttackChoice, ...]:
        """The attacks that are run. Every one is trained anew for every scheme, so a quick run
        leaves out those that take more than seconds, where others are there."""
        every = super().tried()
        fast = tuple(a for a in every if attack_class(a.name).closed_form)
        return fast if self.quick and fast else every

    @model_validator(mode="after")
    def _known_schemes(self) -> Self:
        for choice in self.protect.schemes:
            check_settings(choice.name, choice.settings)
        return self
