"""Cancelable block permutation: blocks of a template change places, and some are left out."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from biometrics.protection.base import (
    Centred,
    Family,
    SchemeSettings,
    Vectors,
    key_stream,
    register_protection,
)


class BlockPermutationSettings(SchemeSettings):
    """How a template is cut.

    Attributes:
        block: numbers in a block, which stay together.
        drop: share of blocks that the key leaves out.
    """

    block: int = Field(default=4, ge=1)
    drop: float = Field(default=0.25, ge=0.0, lt=1.0)


@register_protection("block-permutation")
class BlockPermutation(Centred):
    """Blocks of a direction in the key's order; as in block re-mapping, some are in no place.

    Zeros fill up the last block. At least one block stays.
    """

    Settings: ClassVar[type[SchemeSettings]] = BlockPermutationSettings
    settings: BlockPermutationSettings
    family: ClassVar[Family] = "keyed"
    keyed: ClassVar[bool] = True
    source: ClassVar[str] = (
        "N. Ratha and others, Generating Cancelable Fingerprint Templates, 2007; J. Hämmerle-Uhl "
        "and others, Cancelable Iris Biometrics Using Block Re-mapping and Image Warping, 2009"
    )

    @property
    def blocks(self) -> int:
        """Blocks of a template."""
        return -(-self.dim // self.settings.block)

    @property
    def kept(self) -> int:
        """Blocks of a protected template."""
        return max(1, self.blocks - int(self.blocks * self.settings.drop))

    @property
    def stored_bits(self) -> int:
        """Each number as float32."""
        return 32 * self.kept * self.settings.block

    def places(self, key: int) -> NDArray[np.intp]:
        """Which number of a template each of a protected one is [P]; ``dim`` and above stand for
        the zeros behind the end. Not to be written to."""
        return _places(key, self.blocks, self.kept, self.settings.block)

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        behind = self.blocks * self.settings.block - self.dim
        padded = np.pad(self.directions(vectors), ((0, 0), (0, behind)))
        return padded[:, self.places(key)].astype(np.float32)


@lru_cache(maxsize=64)
def _places(key: int, blocks: int, kept: int, block: int) -> NDArray[np.intp]:
    order = key_stream("block-permutation", key).permutation(blocks)[:kept]
    found: NDArray[np.intp] = (order[:, None] * block + np.arange(block)).reshape(-1)
    found.flags.writeable = False
    return found.astype(np.intp, copy=False)
