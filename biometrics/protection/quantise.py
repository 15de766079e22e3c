"""Keeping a few bits of each number of a template, down to its sign."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

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


class QuantiseSettings(SchemeSettings):
    """How finely numbers are kept.

    Attributes:
        bits: of each number; 1 is its sign about the mean.
    """

    bits: Annotated[int, Field(ge=1, le=8)] = 8


@register_protection("quantise")
class Quantise(ProtectionScheme):
    """Numbers rounded to ``2 ** bits`` levels, evenly spaced from the least to the greatest value
    that the number has among the operator's people; what lies outside goes to the nearest end.

    Protected templates are given as the levels' values, compared as before. With one bit they are
    +1 where the number is at least its mean and -1 below, compared by the cosine, which is one
    minus twice the share of bits that differ.

    Attributes:
        mean: float32 [D].
        low, step: float64 [D]: the lowest level of each number, and the gap between levels (zero
            where a number never varies).
    """

    Settings = QuantiseSettings
    settings: QuantiseSettings
    family: ClassVar[Family] = "reduction"
    keyed: ClassVar[bool] = False
    source: ClassVar[str] = "uniform scalar quantisation; one bit: the sign about the mean"

    mean: NDArray[np.float32]
    low: NDArray[np.float64]
    step: NDArray[np.float64]

    def __init__(self, settings: QuantiseSettings, dim: int, similarity: Similarity) -> None:
        super().__init__(settings, dim, similarity)
        self.mean = np.zeros(dim, dtype=np.float32)
        self._span(np.full(dim, -1.0), np.ones(dim))

    @property
    def comparator(self) -> Similarity:
        """As before; signs by the cosine."""
        return "cosine" if self.settings.bits == 1 else self.similarity

    @property
    def stored_bits(self) -> int:
        """So many of each number."""
        return self.settings.bits * self.dim

    def fit(self, people: Enrolled) -> Self:
        """Mean and range of each number."""
        check_finite(people.vectors)
        rows = people.vectors.astype(np.float64)
        self.mean = rows.mean(axis=0).astype(np.float32)
        self._span(rows.min(axis=0), rows.max(axis=0))
        return self

    def _span(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
        self.low, self.step = low, (high - low) / (2**self.settings.bits - 1)

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        if self.settings.bits == 1:
            return np.where(vectors >= self.mean, 1.0, -1.0).astype(np.float32)
        gap = np.where(self.step > 0.0, self.step, 1.0)
        level = np.rint((vectors.astype(np.float64) - self.low) / gap)
        level = level.clip(0.0, 2**self.settings.bits - 1.0)
        return (self.low + level * self.step).astype(np.float32)
