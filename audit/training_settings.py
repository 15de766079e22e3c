"""What an attack is trained on besides the attacker's pictures as they are; read without torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from biometrics.faces.filter_settings import FilterSettings


class TrainingSettings(BaseModel):
    """How the attacker's faces are filtered and multiplied.

    Attributes:
        filter: keep only faces fit to train on; true, or the rules and thresholds that differ from
            the defaults.
        averages: add the average of every subject with three or more (kept) pictures.
        morphs: how many random morphs to add; of the averages where these are made.
        samples: how many faces to add that are sampled from the appearance model, each of another
            person who does not exist.
        only_samples: train on samples alone, on no photograph.
        composite: how a morphed face is pasted onto a background.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    filter: bool | FilterSettings = False
    averages: bool = False
    morphs: int = Field(default=0, ge=0, le=1_000_000)
    samples: int = Field(default=0, ge=0, le=1_000_000)
    only_samples: bool = False
    composite: Literal["least-squares", "seamless"] = "least-squares"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.only_samples and self.samples == 0:
            raise ValueError("only_samples needs samples: set how many")
        if self.only_samples and (self.filter or self.averages or self.morphs):
            raise ValueError("only_samples uses no photograph; drop filter, averages and morphs")
        return self

    @property
    def filter_settings(self) -> FilterSettings | None:
        """The filter's settings; None where it is off."""
        if isinstance(self.filter, bool):
            return FilterSettings() if self.filter else None
        return self.filter

    @property
    def plain(self) -> bool:
        """Whether the attacker's faces are used as they are, so that nothing has to be made."""
        return not (self.filter or self.averages or self.morphs or self.samples)
