"""Damaged and hostile variants of a valid file, for every reader's fuzz test."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

EXAMPLES = 200
"""Files that a reader is tried with in the ordinary run."""

SLOW_EXAMPLES = 1_000
"""The same in the tests marked ``slow``."""

MOST_CHANGES = 4
HUGE = (0x7F, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
"""Lengths that are far more than what is there."""


def mutations(valid: bytes) -> SearchStrategy[bytes]:
    """Files that come of a valid one by one to four of: cutting it short, flipping bytes, deleting,
    doubling or exchanging pieces, and overwriting with zeros, ones or huge little-endian lengths.

    Half of the places lie in the first 512 bytes, where headers are.
    """
    return _mutated(valid)


@st.composite
def _mutated(draw: DrawFn, valid: bytes) -> bytes:
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        if not data:
            break
        data = draw(st.sampled_from(_CHANGES))(draw, data)
    return bytes(data)


def _place(draw: DrawFn, data: bytearray) -> int:
    last = len(data) - 1
    return draw(st.one_of(st.integers(0, min(last, 511)), st.integers(0, last)))


def _piece(draw: DrawFn, data: bytearray) -> slice:
    start = _place(draw, data)
    return slice(start, start + draw(st.integers(1, min(256, len(data)))))


def _truncate(draw: DrawFn, data: bytearray) -> bytearray:
    return data[: _place(draw, data)]


def _flip(draw: DrawFn, data: bytearray) -> bytearray:
    for _ in range(draw(st.integers(1, 8))):
        data[_place(draw, data)] ^= draw(st.integers(1, 255))
    return data


def _delete(draw: DrawFn, data: bytearray) -> bytearray:
    del data[_piece(draw, data)]
    return data


def _double(draw: DrawFn, data: bytearray) -> bytearray:
    piece = _piece(draw, data)
    data[piece.start : piece.start] = data[piece]
    return data


def _exchange(draw: DrawFn, data: bytearray) -> bytearray:
    first, second, third = sorted(_place(draw, data) for _ in range(3))
    return data[:first] + data[second:third] + data[first:second] + data[third:]


def _overwrite(draw: DrawFn, data: bytearray) -> bytearray:
    piece = _piece(draw, data)
    count = len(data[piece])
    data[piece] = draw(st.sampled_from((b"\x00", b"\xff"))) * count
    return data


def _lengthen(draw: DrawFn, data: bytearray) -> bytearray:
    """Put a huge number where a length may stand; the file stays as long as it was."""
    start = _place(draw, data)
    size = draw(st.sampled_from((4, 8)))
    number = min(draw(st.sampled_from(HUGE)), 256**size - 1)
    end = min(start + size, len(data))
    data[start:end] = number.to_bytes(size, "little")[: end - start]
    return data


_CHANGES = (_truncate, _flip, _delete, _double, _exchange, _overwrite, _lengthen)
