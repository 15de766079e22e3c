"""The configuration of a stress run: one of an audit, for one or several targets."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from audit.stress.settings import StressSettings
from audit.targets_config import TargetsConfig


class StressConfig(TargetsConfig):
    """A stress run.

    Attributes:
        stress: what is tried.
    """

    RUN: ClassVar[str] = "stress"

    stress: StressSettings = Field(default=StressSettings(), validate_default=True)

    @field_validator("stress")
    @classmethod
    def _quick_sizes(cls, sizes: StressSettings, info: ValidationInfo) -> StressSettings:
        return sizes.quick() if info.data.get("quick") else sizes

    def _faces(self) -> object:
        """With the people who have the most pictures among the leaked ones, where their pictures
        are averaged; a number given in ``faces`` wins."""
        given, most = self.faces.leak_most_pictured, self.stress.aggregation.subjects
        if "aggregation" not in self.stress.families or self.faces.path is None or given:
            return self.faces
        return self.faces.model_copy(update={"leak_most_pictured": most})
