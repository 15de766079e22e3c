"""Index-of-Max hashing by Gaussian random projection (IoM-GRP)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from biometrics.metrics.scores import row_blocks
from biometrics.protection.base import SchemeSettings, Vectors, register_protection
from biometrics.protection.codes import winner_bits, winners_as_vectors
from biometrics.protection.keyed_rows import KeyedRows, Matrix, gaussian_rows

NAME = "iom-grp"
IOM_SOURCE = (
    "Z. Jin, J. Y. Hwang, Y.-L. Lai, S. Kim and A. B. J. Teoh, Ranking-based locality sensitive "
    "hashing-enabled cancelable biometrics: Index-of-Max hashing, IEEE Transactions on Information "
    "Forensics and Security 13(2), 2018"
)


class IomGrpSettings(SchemeSettings):
    """Settings.

    Attributes:
        hashes: m, winners of a code.
        choices: q, projections of which one wins.
    """

    hashes: int = Field(256, ge=1)
    choices: int = Field(16, ge=2)


@register_protection(NAME)
class IomGrp(KeyedRows):
    """Hash h is the place of the largest of q projections ``a_hi · u``, where u is the direction of
    the template less the mean and the Gaussian rows a are drawn from the key. Compared by the share
    of equal places."""

    Settings: ClassVar[type[SchemeSettings]] = IomGrpSettings
    settings: IomGrpSettings
    source: ClassVar[str] = IOM_SOURCE

    @property
    def width(self) -> int:
        """Rows of all hashes together."""
        return self.settings.hashes * self.settings.choices

    @property
    def stored_bits(self) -> int:
        """Each winner by itself."""
        return winner_bits(self.settings.hashes, self.settings.choices)

    def rows(self, key: int) -> Matrix:
        """The rows [m * q, D], those of one hash together."""
        return gaussian_rows(NAME, key, self.width, self.dim)

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        hashes, choices = self.settings.hashes, self.settings.choices
        winners = np.empty((len(vectors), hashes), dtype=np.intp)
        for block in row_blocks(len(vectors), self.width):
            values = self.projections(vectors[block], key)
            winners[block] = values.reshape(-1, hashes, choices).argmax(axis=2)
        return winners_as_vectors(winners, choices)
