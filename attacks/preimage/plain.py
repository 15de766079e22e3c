"""Where nothing is protected, what leaked is the template."""

from __future__ import annotations

from typing import ClassVar

from attacks.preimage.base import PreImage, register_preimage
from biometrics.protection.base import Keys, Vectors


@register_preimage("none")
class Plain(PreImage):
    """The template itself."""

    scheme_name: ClassVar[str] = "none"
    method: ClassVar[str] = "nothing to undo"

    def recover(self, protected: Vectors, keys: Keys) -> Vectors:
        """The first of the records."""
        self.check(protected, keys)
        return protected[:, 0].copy()
