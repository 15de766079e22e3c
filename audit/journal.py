"""``journal.jsonl``: what was done in a run, when, and to which input.

One JSON object a line, only ever appended. Each holds the hash of the line before (``previous``)
and its own: SHA-256 over its canonical JSON (keys sorted, no spaces, ASCII) without ``hash``. The
first follows sixty-four zeros. It holds neither a vector nor a person's name.

What such a chain is worth: it shows careless changes, a line that was edited, deleted or moved.
Whoever can write the file can also compute the whole chain again, and a chain whose last lines
were cut off is still a chain. So note the last hash elsewhere (``faceleak journal verify`` prints
it) and compare it later (``--expect``).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

from biometrics.errors import InputError, OutputError

JOURNAL = "journal.jsonl"
GENESIS = "0" * 64
CUT = "a cut line"
"""Event of the record that follows a line which a crash left unfinished."""

LONGEST = 64 << 10
"""Bytes of a line."""

LARGEST = 64 << 20
"""Bytes of a journal that is verified: some hundred thousand records."""

Fact = str | int | float | bool | None
Way = Literal["changed", "removed", "reordered", "cut"]


@dataclass
class Journal:
    """The journal of one run folder.

    Attributes:
        run: the folder.
        inputs: name and SHA-256 of what is worked on; part of every record from then on.
    """

    run: Path
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file."""
        return self.run / JOURNAL

    def record(self, event: str, **facts: Fact) -> str:
        """Append a record and return its hash; the file is made (0600) where there is none.

        Args:
            event: what was done, in words.
            facts: plain values; never a person's name.

        Raises:
            TypeError: a fact is no plain value: vectors do not belong here.
            OutputError: the file cannot be written.
        """
        for name, value in facts.items():
            if not isinstance(value, str | int | float | bool | None):
                raise TypeError(f"journal: '{name}' is no plain value: {type(value).__name__}")
        try:
            _own_file(self.path)
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                return self._append(file, event, facts)
        except OSError as error:
            raise OutputError(
                f"cannot write to {self.path}: {error.strerror}; finished stages are kept, "
                "run again"
            ) from error

    @contextmanager
    def telling(self, what: str, **facts: Fact) -> Iterator[None]:
        """Record that something started, and how it failed where it fails: by the kind of error
        alone, since its words may hold a name."""
        self.record(f"{what} started", **facts)
        try:
            yield
        except BaseException as error:
            with suppress(OutputError):  # the first error is the one to tell
                self.record(f"{what} failed", error=type(error).__name__)
            raise

    def _append(self, file: IO[bytes], event: str, facts: Mapping[str, Fact]) -> str:
        previous, fragment = _end(file)
        text = b""
        if fragment is not None:
            text = b"\n"
            if (whole := _read(fragment)) is None:
                sha256 = hashlib.sha256(fragment).hexdigest()
                previous, note = self._line(CUT, {"sha256": sha256}, previous)
                text += note
            else:
                previous = whole["hash"]
        last, line = self._line(event, facts, previous)
        file.write(text + line)
        file.flush()
        os.fsync(file.fileno())
        return last

    def _line(self, event: str, facts: Mapping[str, Fact], previous: str) -> tuple[str, bytes]:
        record = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "event": event,
            "input": dict(self.inputs),
            "details": dict(facts),
            "previous": previous,
        }
        record["hash"] = record_hash(record)
        return str(record["hash"]), canonical(record) + b"\n"


def canonical(record: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys, without spaces, in ASCII."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def record_hash(record: Mapping[str, Any]) -> str:
    """What the ``hash`` of a record has to be."""
    content = {name: value for name, value in record.items() if name != "hash"}
    return hashlib.sha256(canonical(content)).hexdigest()


def _own_file(path: Path) -> None:
    """Make a journal with several names a file of its own: a copy of a run by hard links must not
    get the records of the first."""
    try:
        links = os.lstat(path).st_nlink
    except FileNotFoundError:
        return
    if links > 1:
        temporary = path.with_name(f".unfinished-{path.name}")
        shutil.copy2(path, temporary)
        os.replace(temporary, path)


def _end(file: IO[bytes]) -> tuple[str, bytes | None]:
    """The hash that the next record follows, and what stands behind the last end of a line."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 2 * LONGEST))
    *lines, rest = file.read().split(b"\n")
    found = next((r for r in map(_read, reversed(lines)) if r is not None), None)
    previous = GENESIS if found is None else str(found["hash"])
    return previous, rest or None


def _read(line: bytes) -> dict[str, Any] | None:
    """A record; None where the line holds none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    texts = isinstance(found, dict) and all(
        isinstance(found.get(name), str) for name in ("event", "previous", "hash")
    )
    return found if texts else None


@dataclass(frozen=True)
class Broken:
    """The first line that does not hold, counted from 1, and how."""

    line: int
    way: Way

    def __str__(self) -> str:
        words = {
            "changed": "was changed",
            "removed": "does not follow the one before: a line was removed",
            "reordered": "does not follow the one before: lines were reordered or repeated",
            "cut": "is cut short",
        }
        return f"line {self.line} {words[self.way]}"


@dataclass(frozen=True)
class Verified:
    """What :func:`verify` found.

    Attributes:
        records: how many lines hold.
        last: hash of the last of them.
        cut: lines that a crash left unfinished and that a later record owns up to.
        broken: the first line that does not hold.
        hashes: of all records up to there, in order.
    """

    records: int
    last: str
    cut: int
    broken: Broken | None
    hashes: tuple[str, ...]

    def since(self, expected: str) -> int | None:
        """How many records follow the one with that hash; None where there is none."""
        place = {found: number for number, found in enumerate(self.hashes)}.get(expected)
        return None if place is None else len(self.hashes) - 1 - place


def verify(run: Path) -> Verified:
    """Follow the chain of a run's journal as far as it holds.

    Raises:
        InputError: there is no journal, or it cannot be read.
    """
    path = run / JOURNAL
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} is larger than {LARGEST >> 20} MiB; that is no journal")
        with path.open("rb") as file:
            lines = list(_lines(file))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; is this a run?") from error
    records = [_read(line.rstrip(b"\n")) for line in lines]
    known = {r["hash"] for r in records if r is not None}
    hashes: list[str] = []
    last, cut = GENESIS, 0
    for number, (line, record) in enumerate(zip(lines, records, strict=True), 1):
        after = records[number] if number < len(records) else None
        if record is None and after is not None and _owns_up(after, line.rstrip(b"\n")):
            cut += 1
            continue
        if record is None:
            way: Way = "changed" if line.endswith(b"\n") else "cut"
        elif not _holds(record):
            way = "changed"
        elif record["previous"] != last:
            way = "reordered" if record["previous"] in {GENESIS, *known} else "removed"
        else:
            last = record["hash"]
            hashes.append(last)
            continue
        return Verified(len(hashes), last, cut, Broken(number, way), tuple(hashes))
    return Verified(len(hashes), last, cut, None, tuple(hashes))


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines with their ends; one that is far too long comes in pieces, none of which is a
    record."""
    while line := file.readline(LONGEST):
        yield line


def _holds(record: Mapping[str, Any]) -> bool:
    try:
        return bool(record["hash"] == record_hash(record))
    except (ValueError, RecursionError):  # NaN, or nested too deep: not of ours
        return False


def _owns_up(record: Mapping[str, Any], fragment: bytes) -> bool:
    """Whether a record says that the line before was cut, and that it was this one."""
    details = record.get("details")
    if record["event"] != CUT or not isinstance(details, dict):
        return False
    return bool(details.get("sha256") == hashlib.sha256(fragment).hexdigest())
