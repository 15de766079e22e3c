"""Templates from under noise: the mean of all that may lie beneath."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from attacks.preimage.base import Matrix, PreImage, register_preimage
from biometrics.protection.base import Keys, Vectors
from biometrics.protection.noise import Noise


@register_preimage("noise:posterior")
class NoisePosterior(PreImage):
    """The Wiener estimate: the posterior mean of a normally distributed direction under noise of
    known size, ``m + S (S + sigma² / R I)^-1 (y - m)`` with y the mean of R records.

    Mean m and covariance S of directions are those of the attacker's templates, less the scheme's
    mean and over their mean length. The estimate shrinks as noise grows; a direction does not, so
    it is brought to the length that templates have.
    """

    scheme: Noise
    scheme_name: ClassVar[str] = "noise"
    method: ClassVar[str] = "closed form, normal prior"

    def recover(self, protected: Vectors, keys: Keys) -> Vectors:
        """Records that are alike carry the same noise and count once."""
        self.check(protected, keys)
        people, scheme = self.population, self.scheme
        rows = protected.astype(np.float64)
        fresh = np.ones(rows.shape[:2], dtype=np.bool_)
        for place in range(1, rows.shape[1]):
            fresh[:, place] = (rows[:, place, None] != rows[:, :place]).any(axis=2).all(axis=1)
        counts = fresh.sum(axis=1)
        seen = np.einsum("nrd,nr->nd", rows, fresh) / counts[:, None]
        mean = (people.mean - scheme.mean) / people.length
        variances, axes = np.linalg.eigh(people.covariance / people.length**2)
        gain = variances / (variances + scheme.sigma**2 / counts[:, None])
        found: Matrix = mean + ((seen - mean) @ axes * gain) @ axes.T
        length = np.linalg.norm(found, axis=1, keepdims=True)
        found *= people.length / np.where(length > 0.0, length, 1.0)
        return (found + scheme.mean).astype(np.float32)
