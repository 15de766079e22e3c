"""Vectors out of the values of one column, however a product writes them.

Text is parsed row by row by orjson and packed by struct, the fastest of what was measured on
``[0.0123,-0.034,…]`` x 512 on one core (13 million numbers a second, a row of 512 in 40 µs; Arrow's
splitting 11, its CSV reader 9, numpy's fromstring 7, json 5); everything else is joined and read at
once. Nothing in a value is ever evaluated.
"""

from __future__ import annotations

import binascii
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from biometrics.stores.limits import DEFAULT_LIMITS, Limits
from biometrics.stores.relational import Damaged, Value

MOST_PARTS = 1_000
"""Templates in one value."""

EMPTY = ("", "[]", "{}", "[[]]", "null", "NULL", "None")


class Encoding(Enum):
    """How vectors are written.

    ``NUMBERS`` is any text of numbers: pgvector ``[…]``, a PostgreSQL array ``{…}``, a JSON or
    Python list, a list of such lists (several templates), or numbers between commas or spaces.
    ``PACKED_FLOAT32`` is what Qt's qCompress writes: the length as four bytes, big-endian, and
    zlib. Binary numbers are little-endian.
    """

    NUMBERS = "text"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    HEX_FLOAT64 = "hexadecimal float64"
    BASE64_FLOAT32 = "base64 float32"
    BASE64_FLOAT64 = "base64 float64"
    PACKED_FLOAT32 = "zlib float32"


@dataclass(frozen=True)
class Vectors:
    """Vectors of one length.

    Attributes:
        vectors: float32 [N, D].
        rows: which value each comes from, [N], rising.
        parts: which of the several vectors of that value, [N].
    """

    vectors: NDArray[np.float32]
    rows: list[int]
    parts: list[int]


@dataclass(frozen=True)
class Decoded:
    """What the values of a column hold.

    Attributes:
        by_dim: vectors by their length.
        empty: values that hold none.
        bad: values that cannot be read, and why.
        several: values that hold several vectors.
    """

    by_dim: dict[int, Vectors]
    empty: list[int] = field(default_factory=list)
    bad: list[tuple[int, str]] = field(default_factory=list)
    several: set[int] = field(default_factory=set)


class _BadCellError(ValueError):
    """A value that holds no vector; the text says why, with nothing of its content."""


Cell = tuple[np.dtype[Any], list[bytes]]
"""Vectors of one value as bytes, and what these are."""

F4, F8 = np.dtype("<f4"), np.dtype("<f8")


def decode(values: Sequence[Value], encoding: Encoding, limits: Limits = DEFAULT_LIMITS) -> Decoded:
    """The vectors of a column.

    Args:
        values: as a database gives them. Lists, tuples and arrays of numbers are taken as they are,
            whatever the encoding; a :class:`Damaged` value is counted with its own reason.
        encoding: of text and bytes.
        limits: ``dim`` and ``cell`` are looked at.
    """
    parse = PARSERS[encoding]
    groups: dict[tuple[int, np.dtype[Any]], tuple[list[bytes], list[int], list[int]]] = {}
    found = Decoded({})
    for row, value in enumerate(values):
        try:
            cell = _cell(value, parse, limits)
        except _BadCellError as error:
            found.bad.append((row, str(error)))
            continue
        if cell is None:
            found.empty.append(row)
            continue
        dtype, parts = cell
        if len(parts) > 1:
            found.several.add(row)
        for part, raw in enumerate(parts):
            group = groups.setdefault((len(raw), dtype), ([], [], []))
            group[0].append(raw)
            group[1].append(row)
            group[2].append(part)
    for (size, dtype), (raws, rows, part_numbers) in groups.items():
        exact = np.frombuffer(b"".join(raws), dtype).reshape(len(raws), size // dtype.itemsize)
        with np.errstate(over="ignore", invalid="ignore"):
            vectors = Vectors(exact.astype(np.float32), rows, part_numbers)
        _merge(found.by_dim, vectors)
    return found


def _merge(by_dim: dict[int, Vectors], more: Vectors) -> None:
    """Vectors of one length that were written in two widths come in the order of their rows."""
    dim = more.vectors.shape[1]
    if (old := by_dim.get(dim)) is None:
        by_dim[dim] = more
        return
    rows, parts = old.rows + more.rows, old.parts + more.parts
    order = np.lexsort((parts, rows))
    by_dim[dim] = Vectors(
        np.concatenate([old.vectors, more.vectors])[order],
        [rows[i] for i in order],
        [parts[i] for i in order],
    )


Parser = Callable[[Any, Limits], Cell | None]


def _cell(value: Value, parse: Parser, limits: Limits) -> Cell | None:
    if isinstance(value, str | bytes | bytearray | memoryview):
        if isinstance(value, memoryview):
            value = value.tobytes()
        if len(value) > limits.cell:
            raise _BadCellError("a value larger than the limit")
        cell = parse(value, limits) if value else None
    elif value is None:
        return None
    elif isinstance(value, Damaged):
        raise _BadCellError(value.why)
    elif isinstance(value, list | tuple | np.ndarray):
        cell = _ready(value)
    else:
        raise _BadCellError("no vector but a single value")
    if cell is None:
        return None
    dtype, parts = cell
    if max(map(len, parts)) > limits.dim * dtype.itemsize:
        raise _BadCellError(f"more than {limits.dim:,} numbers")
    if not all(parts):
        raise _BadCellError("a vector without numbers")
    return cell


def _ready(value: Any) -> Cell | None:
    """Of a live driver: numbers, decimals, or lists of these."""
    if len(value) == 0:
        return None
    try:
        exact = np.asarray(value, F8)
    except (TypeError, ValueError, OverflowError) as error:
        raise _BadCellError("no list of numbers") from error
    if exact.ndim not in (1, 2) or (exact.ndim == 2 and len(exact) > MOST_PARTS):
        raise _BadCellError("no list of numbers")
    rows = exact if exact.ndim == 2 else exact[None]
    return F8, [row.tobytes() for row in rows]


def _numbers(value: str | bytes, limits: Limits) -> Cell | None:
    text = value if isinstance(value, str) else _decoded(value)
    if len(text) <= 8 and text.strip() in EMPTY:
        return None
    if text.startswith("{"):
        text = text.replace("{", "[").replace("}", "]")
    if text.find("[", 1) > 0 and text.count("[") > MOST_PARTS:
        raise _BadCellError(f"more than {MOST_PARTS:,} lists in a value")
    try:
        parsed = orjson.loads(text)
        several = isinstance(parsed, list) and len(parsed) > 0 and isinstance(parsed[0], list)
        parts = parsed if several else [parsed]
        return F8, [_packer(len(part)).pack(*part) for part in parts]
    except (orjson.JSONDecodeError, struct.error, TypeError, OverflowError):
        return F8, _loose_numbers(text)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise _BadCellError("no text of numbers") from error


@lru_cache(maxsize=64)
def _packer(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}d")


def _loose_numbers(text: str) -> list[bytes]:
    """What JSON does not allow: NaN, Infinity, numbers between spaces, ``1.``."""
    inner = text.strip()
    if inner[:1] == "[" or inner[-1:] == "]":
        if inner[:1] != "[" or inner[-1:] != "]":
            raise _BadCellError("a list that is cut off")
        inner = inner[1:-1].strip()
        if inner[:1] == "[" and inner[-1:] == "]":
            return [_split(part) for part in re.split(r"\]\s*,?\s*\[", inner[1:-1])]
    return [_split(inner)]


def _split(text: str) -> bytes:
    parts = text.split(",") if "," in text else text.split()
    try:
        return np.array([float(part) for part in parts], F8).tobytes()
    except ValueError as error:
        raise _BadCellError("no text of numbers") from error


def _binary(dtype: np.dtype[Any]) -> Parser:
    def parse(value: str | bytes, limits: Limits) -> Cell | None:
        if isinstance(value, str):
            raise _BadCellError("text where numbers in binary are expected")
        return _whole(value, dtype)

    return parse


def _whole(raw: bytes, dtype: np.dtype[Any]) -> Cell | None:
    if len(raw) % dtype.itemsize:
        raise _BadCellError(f"a length in bytes that is no multiple of {dtype.itemsize}")
    return (dtype, [bytes(raw)]) if raw else None


def _plain_text(value: str | bytes) -> str:
    text = value if isinstance(value, str) else value.decode("latin-1")
    text = text.strip()
    # How Python writes bytes, where a product kept str() of them.
    return text[2:-1] if text[:2] in ("b'", 'b"') and text[-1:] == text[1:2] else text


def _base64(dtype: np.dtype[Any]) -> Parser:
    def parse(value: str | bytes, limits: Limits) -> Cell | None:
        text = "".join(_plain_text(value).replace("\\n", "").split())
        try:
            raw = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
        except ValueError as error:
            raise _BadCellError("no base64") from error
        return _whole(raw, dtype)

    return parse


def _hex(value: str | bytes, limits: Limits) -> Cell | None:
    text = _plain_text(value)
    if text[:2] in ("\\x", "0x"):
        text = text[2:]
    try:
        return _whole(bytes.fromhex(text), F8)
    except _BadCellError:
        raise
    except ValueError:  # older versions of the product wrote base64
        return _base64(F8)(value, limits)


def _packed(value: str | bytes, limits: Limits) -> Cell | None:
    if isinstance(value, str) or len(value) < 5:
        raise _BadCellError("no packed numbers")
    claimed = int.from_bytes(value[:4], "big")
    if claimed > limits.dim * F4.itemsize:
        raise _BadCellError(f"more than {limits.dim:,} numbers")
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(value[4:], claimed + 1)
    except zlib.error as error:
        raise _BadCellError("packed numbers that are damaged") from error
    if len(raw) != claimed:
        raise _BadCellError("packed numbers of another length than they say")
    return _whole(raw, F4)


PARSERS: dict[Encoding, Parser] = {
    Encoding.NUMBERS: _numbers,
    Encoding.FLOAT32: _binary(F4),
    Encoding.FLOAT64: _binary(F8),
    Encoding.HEX_FLOAT64: _hex,
    Encoding.BASE64_FLOAT32: _base64(F4),
    Encoding.BASE64_FLOAT64: _base64(F8),
    Encoding.PACKED_FLOAT32: _packed,
}
