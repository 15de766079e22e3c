"""What an attacker expects of directions: centred templates at length one.

Schemes take templates less a mean at length one. An attacker's population says what templates look
like; here the same is said of directions, and a direction found is turned back into a template.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from attacks.preimage.base import Matrix, Population
from biometrics.errors import InputError
from biometrics.protection.base import Centred, Vectors

F = TypeVar("F", bound=np.floating)


@dataclass(frozen=True)
class DirectionPrior:
    """A Gaussian of directions.

    Nothing holds it to length one on purpose: the mean of all directions that fit what is known
    lies inside the sphere, and is the best guess there is.

    Attributes:
        mean: float64 [D].
        covariance: float64 [D, D].
    """

    mean: Matrix
    covariance: Matrix

    @classmethod
    def of(cls, population: Population, scheme: Centred) -> DirectionPrior:
        """Of a population, as a scheme sees it."""
        length = population.length or 1.0
        mean = (population.mean - scheme.mean) / length
        return cls(mean, population.covariance / length**2)


def check_size(protected: Vectors, size: int) -> None:
    """Refuse protected templates [N, R, P] that the scheme cannot have made.

    Raises:
        InputError: another P than this size.
    """
    if protected.shape[2] != size:
        raise InputError(
            f"the scheme's protected templates have {size} numbers, got {protected.shape[2]}"
        )


def to_templates(
    directions: NDArray[np.floating], population: Population, scheme: Centred
) -> Vectors:
    """Templates float32 [N, D] along directions [N, D] of any length: from the scheme's mean, as
    far as templates of the population lie from theirs."""
    return along(directions, scheme.mean, population.length)


def along(directions: NDArray[np.floating], centre: NDArray[np.floating], length: float) -> Vectors:
    """Float32 [N, D], that far from a centre [D]; a zero row gives the centre."""
    found: Vectors = (centre + length * unit(directions)).astype(np.float32)
    return found


def unit(directions: NDArray[F]) -> NDArray[F]:
    """Rows [N, D] at length one; a zero row stays as it is."""
    length = np.linalg.norm(directions, axis=1, keepdims=True)
    length[length == 0.0] = 1.0
    found: NDArray[F] = directions / length
    return found
