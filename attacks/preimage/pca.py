"""Templates from their principal coordinates: the plane they lie in, and the best place off it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from attacks.preimage.base import PreImage, register_preimage
from biometrics.protection.base import Keys, Vectors
from biometrics.protection.pca import Pca


class _FromCoordinates(PreImage):
    scheme: Pca
    scheme_name: ClassVar[str] = "pca"


@register_preimage("pca:back-projection")
class BackProjection(_FromCoordinates):
    """``mean + W' y``: the point in the plane of the kept directions, with nothing off it."""

    method: ClassVar[str] = "closed form"

    def recover(self, protected: Vectors, keys: Keys) -> Vectors:
        """From the first record: the scheme has no key, and the others are the same."""
        self.check(protected, keys)
        rows = protected[:, 0].astype(np.float64) @ self.scheme.directions
        return (rows + self.scheme.mean).astype(np.float32)


@register_preimage("pca:posterior")
class PcaPosterior(_FromCoordinates):
    """The mean of all templates with these coordinates, where templates are normally distributed
    with the attacker's own mean m and covariance S:
    ``m + S W' (W S W')^-1 (y - W (m - mean))``.

    It differs from the back-projection where the attacker's people differ from the operator's:
    else the directions left out have nothing to do with the ones kept.
    """

    method: ClassVar[str] = "closed form, normal prior"

    def recover(self, protected: Vectors, keys: Keys) -> Vectors:
        """From the first record: the scheme has no key, and the others are the same."""
        self.check(protected, keys)
        kept, people = self.scheme.directions, self.population
        seen = kept @ people.covariance
        off = protected[:, 0] - (people.mean - self.scheme.mean) @ kept.T
        return (people.mean + off @ np.linalg.solve(seen @ kept.T, seen)).astype(np.float32)
