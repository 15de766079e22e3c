"""Index-of-Max hashing by uniformly random permutations (IoM-URP)."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from biometrics.errors import ConfigError
from biometrics.metrics.scores import Similarity, row_blocks
from biometrics.protection.base import (
    SchemeSettings,
    Vectors,
    key_stream,
    register_protection,
)
from biometrics.protection.codes import winner_bits, winners_as_vectors
from biometrics.protection.iom_grp import IOM_SOURCE
from biometrics.protection.keyed_rows import KeyedDirections

NAME = "iom-urp"
Places = NDArray[np.intp]


class IomUrpSettings(SchemeSettings):
    """Settings.

    Attributes:
        hashes: m, winners of a code.
        window: k, products of which one wins, at most as many as a template has values.
        products: p, permuted copies that are multiplied. An even number hides the sign of the
            direction: a template and its mirror image at the mean have one code.
    """

    hashes: int = Field(256, ge=1)
    window: int = Field(16, ge=2)
    products: int = Field(2, ge=1, le=8)


@register_protection(NAME)
class IomUrp(KeyedDirections):
    """Hash h is the place of the largest of the first k products ``Π_j u[π_hj(i)]``, where u is the
    direction of the template less the mean and the p permutations π are drawn from the key for each
    hash anew. Compared by the share of equal places.

    Raises:
        ConfigError: a window wider than a template.
    """

    Settings: ClassVar[type[SchemeSettings]] = IomUrpSettings
    settings: IomUrpSettings
    source: ClassVar[str] = IOM_SOURCE

    def __init__(self, settings: IomUrpSettings, dim: int, similarity: Similarity) -> None:
        super().__init__(settings, dim, similarity)
        if settings.window > dim:
            raise ConfigError(
                f"protection '{NAME}', setting 'window': templates have {dim} values, got a window "
                f"of {settings.window}"
            )

    @property
    def width(self) -> int:
        """Products of all hashes together."""
        return self.settings.hashes * self.settings.window

    @property
    def stored_bits(self) -> int:
        """Each winner by itself."""
        return winner_bits(self.settings.hashes, self.settings.window)

    def places(self, key: int) -> Places:
        """Which value of the direction stands in each factor: [p, m, k], read-only."""
        chosen = self.settings
        return _places(key, chosen.products, chosen.hashes, chosen.window, self.dim)

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        places = self.places(key)
        winners = np.empty((len(vectors), self.settings.hashes), dtype=np.intp)
        for block in row_blocks(len(vectors), self.width):
            directions = self.grid_directions(vectors[block])
            values = directions[:, places[0]]  # [n, m, k]
            for factor in places[1:]:
                values *= directions[:, factor]
            winners[block] = values.argmax(axis=2)
        return winners_as_vectors(winners, self.settings.window)


@lru_cache(maxsize=64)
def _places(key: int, products: int, hashes: int, window: int, dim: int) -> Places:
    each = np.tile(np.arange(dim), (products * hashes, 1))
    drawn = key_stream(NAME, key, products, dim).permuted(each, axis=1)[:, :window]
    found: Places = np.ascontiguousarray(drawn.reshape(products, hashes, window), dtype=np.intp)
    found.flags.writeable = False
    return found
