"""Back from BioHash bits with known keys: each bit says on which side of a plane u lies."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.special import erfcx

from attacks.preimage.base import Matrix, register_preimage
from attacks.preimage.direction_attack import OfRows
from attacks.preimage.messages import Numbers, Told, directions_by_messages
from biometrics.protection.base import Keys, Vectors
from biometrics.protection.biohash import NAME, BioHash
from biometrics.protection.codes import vectors_as_signs
from biometrics.protection.keyed_rows import KeyedDirections


class _OfBits(OfRows):
    scheme_name: ClassVar[str] = NAME
    kind: ClassVar[type[KeyedDirections]] = BioHash


@register_preimage(f"{NAME}:sum")
class BitSum(_OfBits):
    """The sum of all rows, each with the sign of its bit.

    Of m bits of Gaussian rows, without common axes, it comes back with cosine
    ``1 / √(1 + π/2 (D-1)/m)``: along u a signed row is √(2/π) on average, and elsewhere noise.
    """

    method: ClassVar[str] = "closed form: sum of signed rows"

    def directions(self, protected: Vectors, keys: Keys) -> Matrix:
        """Sums over the rows of all records."""
        return self.sums(vectors_as_signs(protected).astype(np.float64), keys)


@register_preimage(f"{NAME}:posterior")
class BitPosterior(_OfBits):
    """The middle of all directions that have these bits, weighed by how usual they are."""

    method: ClassVar[str] = "posterior mean by message passing"

    def directions(self, protected: Vectors, keys: Keys) -> Matrix:
        """Means of the posterior."""
        return directions_by_messages(self, protected, keys, tell_bits)


def tell_bits(expected: Numbers, deviation: Numbers, codes: Vectors) -> Told:
    """Slopes of ``log Φ(±e/σ)``, the log chance that a Gaussian value has its bit's sign.

    Args:
        expected: e [B, P].
        deviation: σ [B, 1].
        codes: above zero where the bit is set, [B, P].
    """
    signs = vectors_as_signs(codes)
    agreed = signs * expected / deviation
    # φ(a) / Φ(a), which holds far out too: erfcx grows past float32 only where the ratio is 0.
    ratio = np.float32(np.sqrt(2.0 / np.pi)) / erfcx(agreed * np.float32(-np.sqrt(0.5)))
    return Told(signs * ratio / deviation, ratio * (ratio + agreed) / np.square(deviation))
