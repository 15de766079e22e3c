"""No protection: the row that all schemes are compared with."""

from __future__ import annotations

from typing import ClassVar

from biometrics.protection.base import Family, ProtectionScheme, Vectors, register_protection


@register_protection("none")
class Unprotected(ProtectionScheme):
    """Templates as they are."""

    family: ClassVar[Family] = "none"
    keyed: ClassVar[bool] = False
    source: ClassVar[str] = "templates as the model gives them"

    @property
    def stored_bits(self) -> int:
        """Each number as float32."""
        return 32 * self.dim

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        return vectors.copy()
