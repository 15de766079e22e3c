"""MLP-Hash: the signs that leave a network with random weights of the user's own."""

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


class MlpHashSettings(SchemeSettings):
    """Shape of the network.

    Attributes:
        layers: hidden layers.
        width: numbers in each hidden layer; twice those of a template where not given.
        length: bits of a hash; as many as a template has numbers where not given.
    """

    layers: int = Field(default=3, ge=1, le=16)
    width: int | None = Field(default=None, ge=2)
    length: int | None = Field(default=None, ge=2)


@register_protection("mlp-hash")
class MlpHash(Centred):
    """Hidden layers ``h = max(0, W h)`` and a last one ``y = W h``, with random orthonormal
    weights; bit i says whether ``y[i]`` lies above the mean of all y of that template.

    Bits are given as ±1 over the root of their number, so that the cosine is one less twice the
    share of bits that differ. As in the paper, templates of 512 numbers have hidden layers of 1024
    and hashes of 512 bits; where a layer narrows, rows are orthonormal, and columns where it
    widens.
    """

    Settings: ClassVar[type[SchemeSettings]] = MlpHashSettings
    settings: MlpHashSettings
    family: ClassVar[Family] = "keyed"
    keyed: ClassVar[bool] = True
    source: ClassVar[str] = (
        "H. Otroshi Shahreza, V. Krivokuća Hahn and S. Marcel, MLP-Hash: Protecting Face Templates "
        "via Hashing of Randomized Multi-Layer Perceptron, 2023"
    )

    @property
    def stored_bits(self) -> int:
        """One for each number of the last layer."""
        return self.settings.length or self.dim

    def weights(self, key: int) -> tuple[NDArray[np.float64], ...]:
        """Weights of this key, a matrix [out, in] for each layer; not to be written to."""
        width = self.settings.width or 2 * self.dim
        sizes = (self.dim, *[width] * self.settings.layers, self.stored_bits)
        return _weights(key, sizes)

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        *hidden, last = self.weights(key)
        rows = self.directions(vectors)
        for weights in hidden:
            rows = np.maximum(rows @ weights.T, 0.0)
        rows = rows @ last.T
        above = rows > rows.mean(axis=1, keepdims=True)
        one = np.float32(1.0 / np.sqrt(self.stored_bits))
        return np.where(above, one, -one)


@lru_cache(maxsize=24)  # of 512 numbers, each takes 24 MB
def _weights(key: int, sizes: tuple[int, ...]) -> tuple[NDArray[np.float64], ...]:
    pairs = zip(sizes[1:], sizes[:-1], strict=True)
    return tuple(
        _orthonormal(key_stream("mlp-hash", key, layer), rows, columns)
        for layer, (rows, columns) in enumerate(pairs)
    )


def _orthonormal(stream: np.random.Generator, rows: int, columns: int) -> NDArray[np.float64]:
    """A matrix [rows, columns] whose rows, or columns where these are fewer, are orthonormal and
    point anywhere with equal chance (F. Mezzadri, "How to generate random matrices from the
    classical compact groups", 2007)."""
    tall = stream.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diag(r))
    return np.ascontiguousarray(q if rows >= columns else q.T)
