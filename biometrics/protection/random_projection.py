"""Random projection: a template's direction, seen along random orthonormal rows."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from biometrics.errors import ConfigError
from biometrics.metrics.scores import Similarity
from biometrics.protection.base import SchemeSettings, Vectors, register_protection
from biometrics.protection.keyed_rows import KeyedRows, Matrix, orthonormal_rows

NAME = "random-projection"


class RandomProjectionSettings(SchemeSettings):
    """Settings.

    Attributes:
        length: numbers that are kept, at most as many as a template has; all of them where None.
    """

    length: int | None = Field(None, ge=1)


@register_protection(NAME)
class RandomProjection(KeyedRows):
    """``A u``, where u is the direction of the template less the mean and A [k, D] has orthonormal
    rows drawn from the key. With k = D it is a random rotation, which keeps every cosine.

    Raises:
        ConfigError: a projection longer than a template.
    """

    Settings: ClassVar[type[SchemeSettings]] = RandomProjectionSettings
    settings: RandomProjectionSettings
    source: ClassVar[str] = (
        "A. B. J. Teoh and C. T. Yuang, Cancelable biometrics realization with multispace random "
        "projections, IEEE Transactions on Systems, Man, and Cybernetics B 37(5), 2007"
    )

    def __init__(
        self, settings: RandomProjectionSettings, dim: int, similarity: Similarity
    ) -> None:
        super().__init__(settings, dim, similarity)
        if settings.length is not None and settings.length > dim:
            raise ConfigError(
                f"protection '{NAME}', setting 'length': templates have {dim} values, and no more "
                f"orthonormal rows than that; got {settings.length}"
            )

    @property
    def width(self) -> int:
        """Rows of the projection."""
        return self.settings.length or self.dim

    @property
    def stored_bits(self) -> int:
        """Each number as float32."""
        return 32 * self.width

    def rows(self, key: int) -> Matrix:
        """A [k, D]."""
        return orthonormal_rows(NAME, key, self.width, self.dim)

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        return self.projections(vectors, key).astype(np.float32)
