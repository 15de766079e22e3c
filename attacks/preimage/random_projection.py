"""Back through a random projection with a known key: linear equations.

Each row of the projection is an equation for the direction u. Those of one key, or of several, are
solved at once: by least squares, where the smallest solution is taken if there are too few; or with
what the attacker's faces say of directions, as the mean of the posterior.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from attacks.preimage.base import Matrix, register_preimage
from attacks.preimage.direction_attack import OfRows, Prior, distinct
from biometrics.metrics.scores import row_blocks
from biometrics.protection.base import Keys, Vectors
from biometrics.protection.keyed_rows import KeyedDirections
from biometrics.protection.random_projection import NAME, RandomProjection

EQUAL = 1e-9
"""Share of the largest eigenvalue below which one is rounding: equations that say nothing new."""

ERROR = 1e-5
"""Standard deviation of what float32 and the grid of the rows leave of a projection."""


class _Linear(OfRows):
    """``u = b + S (Σ_r A_rᵀ p_r - G b)`` where b is expected beforehand and S some inverse of
    ``G = Σ_r A_rᵀ A_r``."""

    scheme_name: ClassVar[str] = NAME
    kind: ClassVar[type[KeyedDirections]] = RandomProjection

    @abstractmethod
    def expected(self) -> Matrix:
        """What is expected beforehand, b [D]."""

    @abstractmethod
    def inverse(self, grams: Matrix) -> Matrix:
        """Inverses S [T, D, D] of G [T, D, D]."""

    def directions(self, protected: Vectors, keys: Keys) -> Matrix:
        """Solutions; G is inverted once for each set of keys in a block of templates."""
        right, before = self.sums(protected.astype(np.float64), keys), self.expected()
        known = distinct(keys)
        each = [self.scheme.rows(key).T @ self.scheme.rows(key) for key in known]
        sets, of = np.unique(np.sort(keys, axis=1), axis=0, return_inverse=True)
        place, found = np.searchsorted(known, sets), np.empty_like(right)
        order = np.argsort(of.ravel(), kind="stable")
        for block in row_blocks(len(order), self.scheme.dim**2):
            rows = order[block]
            chosen, here = np.unique(of.ravel()[rows], return_inverse=True)
            grams = np.zeros((len(chosen), self.scheme.dim, self.scheme.dim))
            for column in place[chosen].T:
                grams += np.take(each, column, axis=0)
            missing = right[rows] - (grams @ before)[here]
            found[rows] = before + np.einsum("nij,nj->ni", self.inverse(grams)[here], missing)
        return found


@register_preimage(f"{NAME}:pseudo-inverse")
class PseudoInverse(_Linear):
    """The smallest direction that fits best. Of one key with k rows, a template of D values without
    common axes comes back with cosine √(k/D)."""

    method: ClassVar[str] = "closed form: least squares"

    def expected(self) -> Matrix:
        """Nothing."""
        return np.zeros(self.scheme.dim)

    def inverse(self, grams: Matrix) -> Matrix:
        """Moore and Penrose's."""
        return np.linalg.pinv(grams, rcond=EQUAL, hermitian=True).astype(np.float64)


@register_preimage(f"{NAME}:posterior")
class Posterior(_Linear):
    """The mean of what is left possible, if directions are Gaussian: the best linear estimate."""

    method: ClassVar[str] = "closed form: posterior mean"

    def expected(self) -> Matrix:
        """The population's mean direction."""
        prior = Prior.of(self.scheme, self.population)
        return prior.axes @ prior.mean

    def inverse(self, grams: Matrix) -> Matrix:
        """Of G with the prior's precision, each in units of the error."""
        prior = Prior.of(self.scheme, self.population)
        precision = (prior.axes * (ERROR**2 / prior.variances)) @ prior.axes.T
        return np.linalg.inv(grams + precision).astype(np.float64)
