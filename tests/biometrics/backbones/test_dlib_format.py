from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biometrics.backbones.dlib_format import Reader, read_layers
from biometrics.errors import WeightsError


def integer(value: int) -> bytes:
    """dlib's variable-length integer, written from its documentation."""
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def tensor(values: list[float], version: int = 2) -> bytes:
    head = b"".join(map(integer, (version, len(values), 1, 1, 1)))
    return head + struct.pack(f"<{len(values)}f", *values)


def network(values: list[float]) -> bytes:
    """A convolution, an affine layer and an fc, with the layers without weights between them."""
    shape = b"".join(map(integer, (1, 1, 2, 1, 1, 0, 0)))
    return b"".join(
        (
            b"\x01\x0dloss_metric_2",
            b"\x01\x05con_4" + tensor(values) + shape,
            b"\x01\x07affine_" + tensor(values[:2]),
            b"\x01\x06relu_1" + b"110",
            b"\x01\x04fc_2" + integer(2) + integer(3) + tensor(values),
        )
    )


# Scales whose bytes spell a layer's name: the reader must step over them, not into them.
DISGUISED = list(struct.unpack("<3f", b"\x01\x05con_4\x01\x07affi"[:12]))


@given(st.integers(-(2**63), 2**63))
def test_integers_are_read_back(value: int) -> None:
    reader = Reader(integer(value) + b"rest")
    assert reader.integer() == value
    assert reader.data[reader.at :] == b"rest"


def test_known_integers() -> None:
    assert [Reader(raw).integer() for raw in (b"\x01\x00", b"\x02\x80\x12", b"\x81\x1c")] == [
        0,
        4736,
        -28,
    ]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=40))
def test_tensors_are_read_back(values: list[float]) -> None:
    assert np.array_equal(Reader(tensor(values)).tensor(), np.array(values, dtype=np.float32))


def test_layers_are_found_in_order_and_weights_are_stepped_over() -> None:
    con, affine, fc = read_layers(network(DISGUISED))
    assert (con.kind, con.shape) == ("con", (1, 1, 2, 1, 1, 0, 0))
    assert (affine.kind, affine.shape) == ("affine", ())
    assert (fc.kind, fc.shape) == ("fc", (2, 3))
    assert con.values.tolist() == fc.values.tolist() == DISGUISED
    assert affine.values.tolist() == DISGUISED[:2]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no layer of a dlib network"),
        (b"GIF89a", "no layer of a dlib network"),
        (b"\x01\x05con_4", "file ends at byte 7"),
        (b"\x01\x05con_4\x00", "damaged integer at byte 7"),
        (b"\x01\x05con_4\x09" + b"\x01" * 9, "damaged integer at byte 7"),
        (b"\x01\x05con_4" + tensor([1.0], version=1), "version 1"),
        (b"\x01\x07affine_" + tensor([1.0, float("nan")]), "NaN or infinite"),
        (b"\x01\x07affine_" + integer(2) + integer(-4) + integer(1) * 3, "negative size"),
        (b"\x01\x07affine_" + integer(2) + integer(1 << 40) * 4, "tensor of"),
        (b"\x01\x07affine_" + tensor([1.0, 2.0])[:-1], "file ends"),
        (b"\x01\x05con_4" + tensor([1.0]) + integer(-1) * 7, "negative size"),
    ],
)
def test_damage_is_named(data: bytes, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        read_layers(data)


@given(st.integers(0, 200))
def test_a_truncated_file_gives_fewer_layers_or_a_weights_error(length: int) -> None:
    whole = network([1.0, 2.0, 3.0])
    try:
        layers = read_layers(whole[:length])
    except WeightsError:
        return
    assert len(layers) < 3 or length >= len(whole)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_never_raises_anything_else(position: int, flip: int) -> None:
    data = bytearray(network([1.0, 2.0, 3.0]))
    data[position % len(data)] ^= flip
    _parse(bytes(data))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_behind_a_layer_name_never_raise_anything_else(tail: bytes) -> None:
    for name in (b"\x01\x05con_4", b"\x01\x07affine_", b"\x01\x04fc_2"):
        _parse(name + tail)


def _parse(data: bytes) -> None:
    try:
        layers = read_layers(data)
    except WeightsError:
        return
    assert all(np.isfinite(layer.values).all() for layer in layers)
