"""What attacks on schemes that see directions share.

Such a scheme takes the mean off a template and looks at where the rest points, not at how far. A
recovered direction becomes a template again with the scheme's mean and the usual length.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks.preimage.base import Matrix, Population, PreImage
from attacks.preimage.directions import DirectionPrior, check_size, to_templates
from biometrics.errors import InputError
from biometrics.protection.base import Centred, Keys, ProtectionScheme, Vectors
from biometrics.protection.keyed_rows import KeyedDirections, KeyedRows


@dataclass(frozen=True)
class Prior:
    """What directions are like, in axes along which nothing goes together.

    Attributes:
        axes: float64 [D, D], an axis a column.
        mean: along the axes [D].
        variances: along the axes [D], all above zero.
    """

    axes: Matrix
    mean: Matrix
    variances: Matrix

    @classmethod
    def of(cls, scheme: Centred, population: Population) -> Prior:
        """Templates less the scheme's mean, in units of their usual length."""
        believed = DirectionPrior.of(population, scheme)
        values, axes = np.linalg.eigh(believed.covariance)
        least = max(float(values[-1]), np.finfo(np.float64).tiny) * 1e-9
        return cls(axes, believed.mean @ axes, np.maximum(values, least))


class OfDirections(PreImage):
    """Base of attacks on schemes that see directions.

    Class attributes:
        kind: the class of such schemes.

    Raises:
        InputError: a scheme of another class, or templates of the population that do not fit it.
    """

    kind: ClassVar[type[KeyedDirections]]
    scheme: KeyedDirections

    def __init__(self, scheme: ProtectionScheme, population: Population, *, seed: int = 0) -> None:
        if not isinstance(scheme, self.kind):
            raise InputError(
                f"an attack on '{self.scheme_name}' cannot undo {type(scheme).__name__}"
            )
        if len(population.mean) != scheme.dim:
            raise InputError(
                f"the scheme was made for templates of {scheme.dim} values, the population's have "
                f"{len(population.mean)}"
            )
        super().__init__(scheme, population, seed=seed)

    @abstractmethod
    def directions(self, protected: Vectors, keys: Keys) -> Matrix:
        """Directions [N, D] of any length, from checked records."""

    def recover(self, protected: Vectors, keys: Keys) -> Vectors:
        """Templates at the usual length from the mean; where nothing is known, the mean."""
        self.check(protected, keys)
        check_size(protected, self.scheme.width)
        found = self.directions(protected, keys)
        return to_templates(found, self.population, self.scheme)


class OfRows(OfDirections):
    """Base of attacks on schemes that see directions along random rows."""

    scheme: KeyedRows

    def sums(self, weights: Matrix, keys: Keys) -> Matrix:
        """``Σ_r A_rᵀ w_r`` [N, D] of weights [N, R, P], where A_r are the rows of key r."""
        flat, found = weights.reshape(-1, weights.shape[2]), np.zeros((keys.size, self.scheme.dim))
        for key, records in key_groups(keys).items():
            found[records] = flat[records] @ self.scheme.rows(key)
        summed: Matrix = found.reshape(*keys.shape, -1).sum(axis=1)
        return summed


def distinct(keys: Keys) -> list[int]:
    """The keys that occur, sorted."""
    return [int(key) for key in np.unique(keys)]


def key_groups(keys: Keys) -> dict[int, NDArray[np.intp]]:
    """Which records, counted over [N, R], are under each key."""
    flat = keys.ravel()
    return {key: np.flatnonzero(flat == key) for key in distinct(keys)}
