"""Plain values in a file: how a parser in a process of its own hands back what it found.

Eight bytes say how long a JSON text is, that text is the tree, and behind it lie the numbers and
bytes that the tree points to. Nothing in it is ever executed. The parser may have been taken over
by the file that it read, so the reading side believes no size and no place.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np

from biometrics.errors import StoreError

Plain: TypeAlias = Any
"""None, bool, int, float, complex, str, bytes, a NumPy array of numbers, and lists, tuples, sets
and dictionaries of these; dictionaries keep their order."""

DEPTH = 100
"""Levels of lists in lists that are followed."""

KINDS = "biuf"
"""Kinds of NumPy numbers that cross."""


def write_plain(value: Plain, path: Path) -> None:
    """Write a tree of plain values.

    Raises:
        StoreError: the tree is deeper than ``DEPTH`` or holds something that is not plain.
    """
    with path.open("wb") as file:
        file.write(bytes(8))
        writer = _Writer(path)
        text = json.dumps(writer.node(value, 0), separators=(",", ":")).encode()
        file.write(text)
        for block in writer.blocks:
            file.write(block)
        file.seek(0)
        file.write(len(text).to_bytes(8, "little"))


def read_plain(path: Path) -> Plain:
    """What :func:`write_plain` wrote; arrays lie in the mapped file and are read-only.

    Raises:
        StoreError: it is no such file.
    """
    try:
        with path.open("rb") as file:
            return _Reader(file, path.stat().st_size).value
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError) as error:
        raise StoreError("what the parser handed back is damaged") from error


class _Writer:
    """Turns values into nodes of JSON; what they point to is gathered in ``blocks``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blocks: list[Any] = []
        self.size = 0

    def node(self, value: Plain, depth: int) -> Any:
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if depth >= DEPTH:
            raise StoreError(f"lists are nested deeper than {DEPTH} levels")
        if kind in (list, tuple, set, frozenset):
            mark = "l" if kind is list else "t" if kind is tuple else "s"
            return [mark, *[self.node(item, depth + 1) for item in value]]
        if kind is dict:
            pairs = [part for pair in value.items() for part in pair]
            return ["d", *[self.node(part, depth + 1) for part in pairs]]
        if kind is complex:
            return ["c", value.real, value.imag]
        if kind in (bytes, bytearray):
            return ["b", len(value), self._block(value)]
        if isinstance(value, np.ndarray) and value.dtype.kind in KINDS:
            fixed = np.asarray(value, value.dtype.newbyteorder("<"), order="C")
            return ["a", fixed.dtype.str, list(value.shape), self._block(fixed)]
        raise StoreError(f"a value of type {kind.__name__} is not plain")

    def _block(self, block: Any) -> int:
        """Where the block lies behind the text; its start is a multiple of eight there."""
        start = self.size
        size = block.nbytes if isinstance(block, np.ndarray) else len(block)
        padding = -size % 8
        self.blocks += [block.tobytes() if isinstance(block, np.ndarray) else block, bytes(padding)]
        self.size += size + padding
        return start


class _Reader:
    """The value in a file; a place outside of it is an error."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        length = int.from_bytes(file.read(8), "little")
        if length > size - 8:
            raise ValueError("the text is longer than the file")
        tree = json.loads(file.read(length))
        rest = size - 8 - length
        self.data = np.memmap(file, np.uint8, "r", 8 + length) if rest else np.empty(0, np.uint8)
        self.value = self._value(tree)

    def _value(self, node: Any) -> Plain:
        if not isinstance(node, list):
            return node
        mark = node[0]
        if mark == "a":
            dtype = np.dtype(str(node[1]))
            if dtype.kind not in KINDS:
                raise ValueError("no numbers")
            return self._array(dtype, node[2], node[3])
        if mark == "b":
            return self._array(np.dtype("u1"), [node[1]], node[2]).tobytes()
        if mark == "c":
            return complex(node[1], node[2])
        items = [self._value(item) for item in node[1:]]
        if mark == "d":
            return dict(zip(items[::2], items[1::2], strict=True))
        return {"l": list, "t": tuple, "s": set}[mark](items)

    def _array(self, dtype: np.dtype[Any], shape: list[int], start: int) -> Any:
        count = prod(shape)
        size = count * dtype.itemsize
        if min(shape, default=0) < 0 or not 0 <= start <= start + size <= len(self.data):
            raise ValueError("outside of the file")
        flat = self.data[start : start + size].view(np.ndarray)
        return flat.view(dtype).reshape(shape)
