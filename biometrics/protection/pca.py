"""Keeping less of a template: its coordinates along the directions in which people differ most."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from biometrics.errors import InputError
from biometrics.metrics.scores import Similarity
from biometrics.protection.base import (
    Enrolled,
    Family,
    ProtectionScheme,
    SchemeSettings,
    Vectors,
    register_protection,
)
from biometrics.templates import check_finite

Share = Annotated[float, Field(gt=0.0, le=1.0)]


class PcaSettings(SchemeSettings):
    """How much of a template is kept.

    Attributes:
        keep: a whole number of coordinates, at most as many as a template has; or a share of them.
    """

    keep: Annotated[int, Field(ge=1)] | Share = 32


@register_protection("pca")
class Pca(ProtectionScheme):
    """Dimension truncation: ``W (x - mean)`` with the first principal directions of the operator's
    templates as rows of W.

    Templates are compared as before, by the cosine or the distance. The mean changes no distance;
    for the cosine, angles are taken from it.

    Attributes:
        mean: float32 [D], of the operator's templates.
        directions: float64 [K, D], orthonormal rows, the one of the largest variance first; the
            largest coordinate of each is positive, so that a direction has one sign.
    """

    Settings = PcaSettings
    settings: PcaSettings
    family: ClassVar[Family] = "reduction"
    keyed: ClassVar[bool] = False
    source: ClassVar[str] = "H. Hotelling 1933, principal components"

    mean: NDArray[np.float32]
    directions: NDArray[np.float64]

    def __init__(self, settings: PcaSettings, dim: int, similarity: Similarity) -> None:
        super().__init__(settings, dim, similarity)
        self.mean = np.zeros(dim, dtype=np.float32)
        self.directions = np.eye(self.kept, dim)

    @property
    def kept(self) -> int:
        """Numbers of a protected template, K."""
        keep = self.settings.keep
        wanted = keep if isinstance(keep, int) else max(1, round(keep * self.dim))
        return min(wanted, self.dim)

    @property
    def stored_bits(self) -> int:
        """Each number as float32."""
        return 32 * self.kept

    def fit(self, people: Enrolled) -> Self:
        """Mean and principal directions of these templates.

        Raises:
            InputError: templates that are not finite, or too few to have so many directions.
        """
        check_finite(people.vectors)
        if len(people.vectors) <= self.kept:
            raise InputError(
                f"{self.kept} principal directions need {self.kept + 1} templates or more, "
                f"got {len(people.vectors)}"
            )
        self.mean = people.vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        rows = people.vectors.astype(np.float64) - self.mean
        found = np.linalg.eigh(rows.T @ rows)[1].T[::-1][: self.kept]
        largest = np.take_along_axis(found, np.abs(found).argmax(axis=1)[:, None], axis=1)
        self.directions = np.ascontiguousarray(found * np.sign(largest))
        return self

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        rows = vectors.astype(np.float64) - self.mean
        # Not by BLAS, whose sums depend on how many rows there are.
        found: NDArray[np.float64] = np.einsum("nd,kd->nk", rows, self.directions)
        return found.astype(np.float32)
