"""BioHashing: on which side of random planes a template's direction lies."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from biometrics.protection.base import SchemeSettings, Vectors, register_protection
from biometrics.protection.codes import bits_as_vectors
from biometrics.protection.keyed_rows import KeyedRows, Matrix, gaussian_rows, orthonormal_rows

NAME = "biohash"


class BioHashSettings(SchemeSettings):
    """Settings.

    Attributes:
        bits: of a code; as many as a template has values where None.
        orthonormal: rows at right angles, in blocks of as many as a template has values; Gaussian
            ones where false.
    """

    bits: int | None = Field(None, ge=1)
    orthonormal: bool = True


@register_protection(NAME)
class BioHash(KeyedRows):
    """Bit i says whether ``a_i · u >= 0``, where u is the direction of the template less the mean
    and the rows a are drawn from the key. Compared by the share of equal bits."""

    Settings: ClassVar[type[SchemeSettings]] = BioHashSettings
    settings: BioHashSettings
    source: ClassVar[str] = (
        "A. T. B. Jin, D. N. C. Ling and A. Goh, Biohashing: two factor authentication featuring "
        "fingerprint data and tokenised random number, Pattern Recognition 37(11), 2004"
    )

    @property
    def width(self) -> int:
        """Bits of a code."""
        return self.settings.bits or self.dim

    @property
    def stored_bits(self) -> int:
        """The code itself."""
        return self.width

    def rows(self, key: int) -> Matrix:
        """The normals of the planes [bits, D]."""
        draw = orthonormal_rows if self.settings.orthonormal else gaussian_rows
        return draw(NAME, key, self.width, self.dim)

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        return bits_as_vectors(self.projections(vectors, key) >= 0.0)
