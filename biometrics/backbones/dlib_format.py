"""Read the tensors of a network that dlib serialised, without dlib.

A dlib network file is a depth-first walk from the input to the loss. Every layer starts with its
name as a length-prefixed string and holds at most one tensor. The layers between them that carry
no weights (relu, pooling, additions) only repeat the architecture, which we know; so the reader
walks from one weighted layer to the next and steps over each tensor by its size, which keeps it
from mistaking weights for names.

Integers are variable-length: the low nibble of the first byte counts the little-endian bytes that
follow, its top bit is the sign. A tensor is the integer 2 (a version), four integers (samples,
channels, rows, columns) and raw little-endian float32.
Source of the format: dlib's documentation of ``serialize`` and of ``dnn/tensor.h``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import WeightsError

TENSOR_VERSION = 2
MAX_ELEMENTS = 1 << 26
"""No tensor of a face network comes near this; a larger one is a damaged size."""

LayerKind = Literal["con", "affine", "fc"]
_KINDS: dict[bytes, LayerKind] = {
    b"\x01\x05con_4": "con",
    b"\x01\x07affine_": "affine",
    b"\x01\x04fc_2": "fc",
}
_ANY_LAYER = re.compile(b"|".join(re.escape(tag) for tag in _KINDS))


@dataclass(frozen=True)
class Layer:
    """One weighted layer.

    Attributes:
        kind: ``con`` (filters, then biases), ``affine`` (scales, then shifts) or ``fc`` (weights
            [inputs, outputs], then biases if it has any).
        values: its parameters, float32, flat.
        shape: for ``con`` (filters, rows, columns, stride y, stride x, padding y, padding x),
            for ``fc`` (outputs, inputs), for ``affine`` empty.
    """

    kind: LayerKind
    values: NDArray[np.float32]
    shape: tuple[int, ...]


class Reader:
    """A cursor over the bytes of a file; everything that does not fit raises WeightsError."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def integer(self) -> int:
        """The next variable-length integer."""
        head = self._take(1)[0]
        count = head & 0x0F
        if not 1 <= count <= 8 or head & 0x70:
            raise WeightsError(f"damaged integer at byte {self.at - 1}")
        value = int.from_bytes(self._take(count), "little")
        return -value if head & 0x80 else value

    def integers(self, count: int) -> tuple[int, ...]:
        """The next ``count`` integers, none negative."""
        values = tuple(self.integer() for _ in range(count))
        if min(values) < 0:
            raise WeightsError(f"negative size before byte {self.at}")
        return values

    def tensor(self) -> NDArray[np.float32]:
        """The next tensor, flat."""
        version = self.integer()
        if version != TENSOR_VERSION:
            raise WeightsError(f"tensor of version {version} before byte {self.at}, expected 2")
        elements = 1
        for size in self.integers(4):
            elements *= size
        if elements > MAX_ELEMENTS:
            raise WeightsError(f"tensor of {elements} values before byte {self.at}")
        values = np.frombuffer(self._take(4 * elements), dtype="<f4")
        if not np.isfinite(values).all():
            raise WeightsError(f"NaN or infinite weights before byte {self.at}")
        return values.astype(np.float32)

    def next_kind(self) -> LayerKind | None:
        """Step behind the name of the next weighted layer; None where there is no more."""
        found = _ANY_LAYER.search(self.data, self.at)
        if found is None:
            return None
        self.at = found.end()
        return _KINDS[found.group()]

    def _take(self, count: int) -> bytes:
        piece = self.data[self.at : self.at + count]
        if len(piece) < count:
            raise WeightsError(f"file ends at byte {len(self.data)}, inside a layer")
        self.at += count
        return piece


def read_layers(data: bytes) -> list[Layer]:
    """All weighted layers in the order of computation.

    Raises:
        WeightsError: for a truncated, damaged or foreign file; never another exception.
    """
    reader = Reader(data)
    layers: list[Layer] = []
    while (kind := reader.next_kind()) is not None:
        layers.append(_read_layer(reader, kind))
    if not layers:
        raise WeightsError("no layer of a dlib network found")
    return layers


def _read_layer(reader: Reader, kind: LayerKind) -> Layer:
    if kind == "fc":
        shape = reader.integers(2)
        return Layer(kind, reader.tensor(), shape)
    values = reader.tensor()
    return Layer(kind, values, reader.integers(7) if kind == "con" else ())
