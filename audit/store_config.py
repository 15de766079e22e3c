"""The configuration of an audit of a leaked store: templates, and no photographs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from audit.about_settings import AboutSettings
from audit.config import OutputSettings
from audit.config_values import Fmr, FmrEntry, Name, UserPath, listed, refuse_twice
from audit.own_models import name_by_file


class StoreAuditConfig(BaseModel):
    """Everything that an audit of a store can be told; keys that audits of faces have too mean the
    same.

    Attributes:
        title: heads the report.
        seed: draws the templates that are audited, and the bootstrap.
        store: a file, a folder, the address of a database without a password, or ``env:NAME`` for
            an address in an environment variable.
        target: the backbone that made the templates; recognised where absent.
        collection: which of the store's tables or arrays is audited; the one with the most
            templates that fit the target where absent.
        attack: folder of a trained attack, or the name of a backbone that one ships for; that of
            the target where absent.
        judges: other backbones, asked by way of predicted templates.
        sample: templates that are inverted at most; whole people are drawn.
        nearest: sampled faces that the nearest-face control may choose from.
        labels: CSV with attributes of the people, to measure what templates say of them.
        authorization: the signed form; looked for beside the store where absent.
        min_coverage: share of the rows that must be readable.
        weights: weight files by backbone name.
        fmr: false match rates at which acceptance is reported.
        output: what is written for people to read.
        about: whose system it is, for the head of the report.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    title: str = "Audit of a leaked template store"
    seed: int = Field(default=7, ge=0, lt=2**32)
    store: Annotated[str, Field(min_length=1)]
    target: Name | None = None
    collection: Name | None = None
    attack: Name | None = None
    judges: Annotated[tuple[Name, ...], BeforeValidator(listed)] = ("dlib", "faceleak-mini")
    sample: int = Field(default=2000, ge=2, le=100_000)
    nearest: int = Field(default=10_000, ge=100, le=10_000)
    labels: UserPath | None = None
    authorization: UserPath | None = None
    min_coverage: float = Field(default=0.95, ge=0, le=1)
    weights: dict[str, UserPath] = Field(default_factory=dict)
    fmr: Annotated[tuple[FmrEntry, ...], BeforeValidator(listed), Field(min_length=1)] = (
        Fmr("1e-2", 1e-2),
        Fmr("1e-3", 1e-3),
        Fmr("1e-4", 1e-4),
    )
    output: OutputSettings = OutputSettings()
    about: AboutSettings | None = None

    @model_validator(mode="before")
    @classmethod
    def _named_by_file(cls, given: Any) -> Any:
        return name_by_file(given) if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        refuse_twice(self.judges)
        refuse_twice([fmr.label for fmr in self.fmr])
        return self

    def weight_paths(self) -> dict[str, str]:
        """The weight files as backbones take them."""
        return {name: str(path) for name, path in self.weights.items()}
