"""The configuration of a comparison: one of an audit, for several targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import BeforeValidator, model_validator

from audit.config import AuditConfig
from audit.config_values import Name, listed, refuse_twice


class CompareConfig(AuditConfig):
    """A comparison: an audit of several targets that differs in nothing else.

    Attributes:
        targets: the backbones that are compared; ``target`` alone where there are none.
        formats: those of them whose templates are also tried shortened and coarser.
    """

    targets: Annotated[tuple[Name, ...], BeforeValidator(listed)] = ()
    formats: Annotated[tuple[Name, ...], BeforeValidator(listed)] = ()

    @model_validator(mode="after")
    def _targets_once(self) -> Self:
        refuse_twice(self.targets)
        if strange := [
            name for name in self.formats if name not in (self.targets or (self.target,))
        ]:
            raise ValueError(f"formats: '{strange[0]}' is none of the targets")
        return self

    def audits(self, judges: Sequence[str] = ()) -> list[AuditConfig]:
        """One audit a target, judged by all targets, ``judges`` and the configured ones."""
        targets = self.targets or (self.target,)
        everyone = tuple(dict.fromkeys([*targets, *judges, *self.judges]))
        shared = {name: getattr(self, name) for name in AuditConfig.model_fields}
        return [
            AuditConfig.model_construct(
                **{**shared, "title": f"{self.title}: {t}", "target": t, "judges": everyone}
            )
            for t in targets
        ]
