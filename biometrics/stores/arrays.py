"""Arrays that lie in a file row after row, read in blocks; a header's claims are checked before
anything is allocated."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import StoreError
from biometrics.stores.batch import batch_rows
from biometrics.stores.limits import Limits
from biometrics.stores.loose import SHORTEST

MAX_HEADER = 64 << 10


@dataclass(frozen=True)
class ArrayForm:
    """What a header claims.

    Attributes:
        dtype: with its byte order.
        shape: as written.
        fortran: columns lie one after the other.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool = False

    @property
    def bytes(self) -> int:
        """Of all values, by the claim."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def table(self) -> tuple[int, int] | None:
        """Rows and numbers a row where it can be templates, [N, D] or [D]; axes of length 1 do not
        count. None for other shapes and for text."""
        if self.dtype.kind not in "fiu":
            return None
        axes = tuple(size for size in self.shape if size != 1)
        if len(axes) == 1:
            # [N, 1] has templates of one number: none.
            return (1, axes[0]) if self.shape[-1] != 1 else None
        return (axes[0], axes[1]) if len(axes) == 2 else None

    @property
    def words(self) -> str:
        """How the values are written, such as ``float32`` or ``float64, big-endian``."""
        swapped = self.dtype.byteorder == ">" and self.dtype.itemsize > 1
        return f"{self.dtype.newbyteorder('=').name}{', big-endian' if swapped else ''}"


def npy_header(file: IO[bytes], where: str) -> ArrayForm:
    """The header of a ``.npy`` file; the file stands at the values afterwards.

    Raises:
        StoreError: damaged, or of values that are not numbers or text.
    """
    start = file.read(8)
    if start[:6] != b"\x93NUMPY" or len(start) < 8 or start[6] not in (1, 2, 3):
        raise StoreError(f"{where} is no NumPy array: its first bytes are damaged")
    size = int.from_bytes(file.read(2 if start[6] == 1 else 4), "little")
    if size > MAX_HEADER:
        raise StoreError(f"{where}: its header claims {size:,} bytes; it is damaged")
    header = file.read(size).decode("utf-8" if start[6] == 3 else "latin-1")
    kind = re.search(r"'descr':\s*'([<>|=]?[A-Za-z]\d{0,9})'", header)
    order = re.search(r"'fortran_order':\s*(True|False)", header)
    shape = re.search(r"'shape':\s*\(([\d,\sL]{0,200})\)", header)
    if kind is not None and kind[1].lstrip("<>|=").startswith("O"):
        raise StoreError(
            f"{where} holds Python objects, which run code as they are read; save the templates as "
            "an array of numbers"
        )
    if kind is None or order is None or shape is None:
        raise StoreError(
            f"{where}: no header of an array of numbers: damaged, or a table of fields"
        )
    axes = tuple(int(axis) for axis in re.findall(r"\d+", shape[1]))
    dtype = np.dtype(kind[1])
    if dtype.kind not in "fiuUS" or dtype.itemsize == 0 or max(axes, default=0) >= 2**63:
        raise StoreError(f"{where} holds no numbers: {kind[1]}")
    return ArrayForm(dtype, axes, order[1] == "True")


def check_table(form: ArrayForm, where: str, limits: Limits) -> tuple[int, int]:
    """Rows and numbers a row.

    Raises:
        StoreError: it cannot be templates.
    """
    if (table := form.table) is None:
        shape = " x ".join(map(str, form.shape)) or "one value"
        raise StoreError(f"{where} holds no templates [N, D]: {form.dtype.name}, {shape}")
    if not SHORTEST <= table[1] <= limits.dim:
        raise StoreError(
            f"{where}: templates of {table[1]:,} numbers; {SHORTEST} to {limits.dim:,} are read"
        )
    return table


def row_blocks(file: IO[bytes], form: ArrayForm, limits: Limits) -> Iterator[NDArray[Any]]:
    """Blocks [n, D] of the rows that are there, from where the file stands.

    Args:
        file: may end early: what is missing is not given.
        form: with a table. Columns that lie one after the other are read by seeking where the file
            allows it, else as a whole.
        limits: caps.
    """
    assert form.table is not None
    rows, dim = form.table
    if form.fortran and rows > 1:
        yield from _column_blocks(file, form, limits)
        return
    size = dim * form.dtype.itemsize
    step = batch_rows(dim)
    while rows > 0:
        part = read_exactly(file, min(step, rows) * size)
        count = len(part) // size
        if count == 0:
            return
        yield np.frombuffer(part, form.dtype, count * dim).reshape(count, dim)
        rows -= count


def _column_blocks(file: IO[bytes], form: ArrayForm, limits: Limits) -> Iterator[NDArray[Any]]:
    assert form.table is not None
    rows, dim = form.table
    if form.bytes > limits.whole:
        raise StoreError(
            f"an array of {form.bytes >> 20:,} MiB lies column by column; save it in C order"
        )
    part = read_exactly(file, form.bytes)
    if len(part) < form.bytes:
        raise StoreError("an array that lies column by column ends early: no row is whole")
    table = np.frombuffer(part, form.dtype).reshape(dim, rows)
    step = batch_rows(dim)
    for start in range(0, rows, step):
        yield table[:, start : start + step].T


def read_exactly(file: IO[bytes], size: int) -> bytes:
    """Up to that many bytes, in pieces, so that a claim of more than there is costs nothing."""
    parts: list[bytes] = []
    while size > 0 and (part := file.read(min(size, 1 << 22))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_texts(file: IO[bytes], form: ArrayForm, limits: Limits) -> list[str] | None:
    """Values of an array [N] of text or whole numbers as text; None where it is none of these, too
    large, or damaged."""
    if len(form.shape) != 1 or form.dtype.kind not in "USiu":
        return None
    if form.shape[0] > limits.people or form.bytes > limits.whole:
        return None
    part = read_exactly(file, form.bytes)
    if len(part) < form.bytes:
        return None
    values = np.frombuffer(part, form.dtype)
    if form.dtype.kind == "S":
        return [bytes(value).decode("utf-8", "replace") for value in values.tolist()]
    try:
        return [str(value) for value in values.tolist()]
    except (ValueError, UnicodeError):  # numbers that are no characters
        return None
