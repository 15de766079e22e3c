"""Stores of templates that the benchmarks write, and what a command costs with all it starts."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from isal import igzip

DIM = 512
GROUP = 50_000
TURNED = 10_000
"""Rows of a dump whose numbers are put into text; further ones are these, turned around."""

PICTURES = 3
"""Templates of a person."""

DUMP_HEAD = """\
--
-- PostgreSQL database dump
--

SET client_encoding = 'UTF8';

CREATE TABLE public.asset_face (
    id uuid NOT NULL,
    "assetId" uuid NOT NULL,
    "personId" uuid,
    "imageWidth" integer DEFAULT 0 NOT NULL
);
CREATE TABLE public.face_search (
    "faceId" uuid NOT NULL,
    embedding public.vector(512) NOT NULL
);
CREATE TABLE public.person (
    id uuid NOT NULL,
    name character varying DEFAULT ''::character varying NOT NULL
);
"""


def write_parquet(path: Path, rows: int, *, fixed: bool = False) -> None:
    """Seeded random numbers, a row group at a time."""
    random = np.random.default_rng(0)
    kind = pa.list_(pa.float32(), DIM) if fixed else pa.list_(pa.float32())
    schema = pa.schema({"id": pa.int64(), "name": pa.string(), "embedding": kind})
    with pq.ParquetWriter(path, schema, use_dictionary=["name"]) as writer:
        for start in range(0, rows, GROUP):
            count = min(GROUP, rows - start)
            flat = pa.array(random.standard_normal(count * DIM, dtype=np.float32))
            ends = pa.array(np.arange(count + 1, dtype=np.int32) * DIM)
            vectors = (
                pa.FixedSizeListArray.from_arrays(flat, DIM)
                if fixed
                else pa.ListArray.from_arrays(ends, flat)
            )
            ids = pa.array(range(start, start + count))
            names = pa.array([f"person {(start + i) // PICTURES}" for i in range(count)])
            writer.write_table(pa.table([ids, names, vectors], schema=schema))


def write_dump(path: Path, rows: int) -> None:
    """What pg_dump writes of an Immich database, packed: templates of length 1 in a table, whose
    they are in a second, names in a third. All rows differ, but their numbers come again in another
    order."""
    people = range(-(-rows // PICTURES))
    with igzip.open(path, "wb", compresslevel=1) as file:  # type: ignore[no-untyped-call]
        file.write(DUMP_HEAD.encode())
        faces = (f"{_id(3, i)}\t{_id(2, i)}\t{_id(1, i // PICTURES)}\t640" for i in range(rows))
        _copy(file, 'asset_face (id, "assetId", "personId", "imageWidth")', faces)
        templates = (f"{_id(3, i)}\t[{text}]" for i, text in enumerate(_vectors(rows)))
        _copy(file, 'face_search ("faceId", embedding)', templates)
        _copy(file, "person (id, name)", (f"{_id(1, i)}\tPerson {i}" for i in people))


def _id(kind: int, number: int) -> str:
    """A UUID with no order, so that it packs as badly as a real one."""
    mixed = (number * 0x9E3779B97F4A7C15 + kind) * 0xD1342543DE82EF95 % 2**64
    text = f"{kind:02x}{mixed:016x}{number:014x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _vectors(rows: int) -> Iterator[str]:
    random = np.random.default_rng(0)
    exact = random.standard_normal((min(rows, TURNED), DIM), dtype=np.float32)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    block = [",".join(texts) for texts in exact.astype(str)]
    for number in range(rows):
        turns, place = divmod(number, TURNED)
        text = block[place]
        cut = text.index(",", 40 * turns) if turns else -1
        yield f"{text[cut + 1 :]},{text[:cut]}" if turns else text


def _copy(file: IO[bytes], table: str, lines: Iterator[str]) -> None:
    file.write(f"\nCOPY public.{table} FROM stdin;\n".encode())
    while part := list(islice(lines, 1000)):
        file.write(("\n".join(part) + "\n").encode())
    file.write(b"\\.\n")


class Cost(NamedTuple):
    """Of a command: seconds by the clock, and the most bytes that it and all that it started held
    at once (the sum of each one's own peak, where several run together)."""

    seconds: float
    memory: int
    said: str


def cost_of(command: Sequence[str]) -> Cost:
    """Run a command to its end.

    Raises:
        CalledProcessError: it failed.
    """
    start, memory = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while True:
            memory = max(memory, sum(map(_peak, _tree(process.pid))))
            try:
                said = process.communicate(timeout=0.02)[0]
                break
            except subprocess.TimeoutExpired:
                continue
    seconds = time.perf_counter() - start
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(seconds, memory, said)


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:  # grows while it is gone through
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:  # it ended just now
                continue
    return found


def _peak(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(status.partition("VmHWM:")[2].split()[0]) << 10 if "VmHWM:" in status else 0
