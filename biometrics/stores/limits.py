"""How far a reader follows a store. Stores are hostile input: every size that one claims is capped
before anything is allocated for it."""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True)
class Limits:
    """Caps in bytes unless said otherwise.

    Attributes:
        dim: the longest template, in numbers.
        cell: one value of a table, one line of JSON lines.
        whole: a file that has to be parsed as a whole (JSON, pickle, FAISS), after unpacking.
        unpacked: what a compressed file may unpack to.
        ratio: how many times its packed size that may be, once ``ratio_from`` bytes came out;
            numbers written as text pack to a half or a third.
        ratio_from: see ``ratio``.
        files: files below a folder.
        tables: tables and columns of a database.
        memory: address space of a parser that runs in a process of its own.
        seconds: its time, in seconds of processor.
        people: entries of a table of names that are kept at once.
    """

    dim: int = 16_384
    cell: int = 16 * MIB
    whole: int = 1 * GIB
    unpacked: int = 64 * GIB
    ratio: float = 200.0
    ratio_from: int = 64 * MIB
    files: int = 1_000_000
    tables: int = 10_000
    memory: int = 4 * GIB
    seconds: float = 300.0
    people: int = 20_000_000


DEFAULT_LIMITS = Limits()
