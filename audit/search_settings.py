"""Settings of the search for templates by scores; apart, since the configuration reads them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _listed(given: Any) -> Any:
    """One number where a list belongs is a list of one; so is null."""
    return given if isinstance(given, list | tuple) else [given]


Count = Annotated[int, Field(ge=1, strict=True)]
Counts = Annotated[tuple[Count, ...], BeforeValidator(_listed), Field(min_length=1)]
Decimals = Annotated[int, Field(ge=0, le=12, strict=True)]


class SearchSettings(BaseModel):
    """What is tried on templates that the attacker cannot read, and on several of one person.

    Attributes:
        attack: which of the configured attacks inverts them; None for the first.
        scores: from how many similarity scores a template is worked out.
        decimals: to how many decimals the scores are rounded; null for not at all.
        templates: how many leaked templates of one subject are fused.
        subjects: at most so many leaked subjects, one picture each, drawn by the seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    attack: Annotated[str, Field(min_length=1)] | None = None
    scores: Counts = (10, 50, 99, 128, 129, 256)
    decimals: Annotated[
        tuple[Decimals | None, ...], BeforeValidator(_listed), Field(min_length=1)
    ] = (None, 2)
    templates: Counts = (1, 3, 5)
    subjects: Annotated[int, Field(ge=2, strict=True)] = 200

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        for name in ("scores", "decimals", "templates"):
            values = getattr(self, name)
            twice = [value for value in values if values.count(value) > 1]
            if twice:
                raise ValueError(f"{name}: '{twice[0]}' is named twice")
        return self
