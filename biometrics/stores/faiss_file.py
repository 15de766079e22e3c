"""FAISS index files: flat ones read straight from their bytes, all others by the library in a
process of its own.

Source of the layout: the functions ``write_index`` and ``write_index_header`` of FAISS. Everything
is little-endian: four letters, int32 D, int64 N, two unused int64, one byte, int32 metric (and a
float32 where that is above 1). A flat index goes on with uint64 N*D and as many float32; a map of
ids with an index inside, then uint64 N and as many int64.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import StoreError
from biometrics.stores.batch import batch_rows
from biometrics.stores.limits import Limits
from biometrics.stores.plain_file import Plain
from biometrics.stores.source import FileSource

FLAT = (b"IxF2", b"IxFI", b"IxFl")
ID_MAPS = (b"IxMp", b"IxM2")
EXACT = ("IndexFlat", "IndexIVFFlat", "IndexHNSWFlat", "IndexNSGFlat")
"""How the names of the library's indexes begin that keep vectors as they were given."""

_HEADER = struct.Struct("<4siqqqBi")


class FlatFile(NamedTuple):
    """Where the vectors of a flat index lie.

    Attributes:
        dim: D.
        rows: N, as the file claims.
        start: byte of the first vector.
        ids: byte of the first id; None where rows are numbered.
    """

    dim: int
    rows: int
    start: int
    ids: int | None


def flat_file(file: IO[bytes], limits: Limits) -> FlatFile | None:
    """What the header of a flat index claims; None for an index of another kind.

    Raises:
        StoreError: the header contradicts itself or the limits.
    """
    kind, dim, rows, start = _header(file)
    mapped = kind in ID_MAPS
    if mapped:
        kind, inner_dim, inner_rows, inner = _header(file)
        start += inner
        if kind in FLAT and (inner_dim, inner_rows) != (dim, rows):
            raise StoreError("damaged FAISS index: the map of ids does not fit its vectors")
    if kind not in FLAT:
        return None
    if not 1 <= dim <= limits.dim or rows < 0:
        raise StoreError(f"damaged FAISS index: it claims {rows:,} vectors of {dim:,} numbers")
    if int.from_bytes(file.read(8), "little") != rows * dim:
        raise StoreError("damaged FAISS index: its size is not rows times numbers")
    start += 8
    return FlatFile(dim, rows, start, start + 4 * rows * dim + 8 if mapped else None)


def _header(file: IO[bytes]) -> tuple[bytes, int, int, int]:
    """Letters, D, N and the header's own length."""
    raw = file.read(_HEADER.size)
    if len(raw) < _HEADER.size:
        raise StoreError("damaged FAISS index: it is cut short")
    kind, dim, rows, _, _, _, metric = _HEADER.unpack(raw)
    extra = 4 if metric > 1 else 0
    file.read(extra)
    return kind, dim, rows, len(raw) + extra


class FlatRows(NamedTuple):
    """Some vectors [N, D] and their ids [N]."""

    vectors: NDArray[np.float32]
    ids: NDArray[np.int64]


def flat_rows(source: FileSource, flat: FlatFile) -> Iterator[FlatRows]:
    """The vectors of a flat index, a batch at a time, as far as the file goes."""
    block = batch_rows(flat.dim)
    with source.open() as file, source.open() as beside:
        _skip(file, flat.start)
        if flat.ids is not None:
            _skip(beside, flat.ids)
        for first in range(0, flat.rows, block):
            count = min(block, flat.rows - first)
            raw = file.read(4 * flat.dim * count)
            count = len(raw) // (4 * flat.dim)
            vectors = np.frombuffer(raw, "<f4", count * flat.dim).reshape(count, flat.dim)
            if count:
                yield FlatRows(vectors, _ids(beside, flat, first, count))
            if 4 * flat.dim * min(block, flat.rows - first) > len(raw):
                return


def _ids(file: IO[bytes], flat: FlatFile, first: int, count: int) -> NDArray[np.int64]:
    numbered = np.arange(first, first + count, dtype=np.int64)
    raw = b"" if flat.ids is None else file.read(8 * count)
    found = np.frombuffer(raw, "<i8", len(raw) // 8)
    return found if len(found) == count else numbered


def _skip(file: IO[bytes], count: int) -> None:
    if file.seekable():
        file.seek(count)
        return
    while count > 0 and (read := len(file.read(min(count, 1 << 20)))):
        count -= read


def reconstruct(data: bytes, dim_limit: int, memory: int) -> Plain:
    """All vectors of an index of any kind; for :func:`biometrics.stores.limited.run_limited` only,
    since the library may crash on foreign files.

    Args:
        data: the file.
        dim_limit: the longest vector.
        memory: bytes that the vectors may take.

    Returns:
        ``kind`` (the library's name), ``exact`` (whether these are the vectors that were stored),
        ``vectors`` [N, D], ``ids`` [N].

    Raises:
        StoreError: it keeps no vectors, or no index is there.
    """
    import faiss

    faiss.omp_set_num_threads(1)
    try:
        outer = faiss.deserialize_index(np.frombuffer(data, np.uint8))
    except RuntimeError as error:
        raise StoreError("damaged FAISS index, or one of an unknown kind") from error
    index, ids = outer, None
    while isinstance(index, faiss.IndexIDMap):
        ids = faiss.vector_to_array(index.id_map)
        index = faiss.downcast_index(index.index)
    kind, rows, dim = type(index).__name__, int(index.ntotal), int(index.d)
    if not 1 <= dim <= dim_limit or not 0 <= rows <= memory // (4 * dim):
        raise StoreError(f"the index claims {rows:,} vectors of {dim:,} numbers")
    try:
        if isinstance(index, faiss.IndexIVF):
            vectors, own = _of_lists(faiss, index)
            ids = own if ids is None else ids[own]
        else:
            vectors = index.reconstruct_n(0, rows)
    except RuntimeError as error:
        raise StoreError(f"a FAISS {kind} keeps nothing to make vectors of") from error
    if ids is None or len(ids) != len(vectors):
        ids = np.arange(len(vectors))
    return {"kind": kind, "exact": kind.startswith(EXACT), "vectors": vectors, "ids": ids}


def _of_lists(faiss: Any, index: Any) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vectors and ids of an index of lists, by id; ids may be any numbers."""
    vectors = np.empty((index.ntotal, index.d), np.float32)
    ids = np.empty(index.ntotal, np.int64)
    done = 0
    for number in range(index.nlist):
        size = index.invlists.list_size(number)
        if size > len(ids) - done:
            raise StoreError("damaged FAISS index: its lists hold more than it claims")
        if size:
            lists = index.invlists
            ids[done : done + size] = faiss.rev_swig_ptr(lists.get_ids(number), size)
        for offset in range(size):
            index.reconstruct_from_offset(number, offset, faiss.swig_ptr(vectors[done]))
            done += 1
    order = np.argsort(ids[:done], kind="stable")
    return vectors[order], ids[order]
