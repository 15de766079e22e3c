"""Where a store lies: a file whose form its first bytes tell, a folder, or a live database."""

from __future__ import annotations

import codecs
import hashlib
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from isal import igzip, igzip_lib

from biometrics.errors import InputError, StoreError
from biometrics.stores.limits import MIB, Limits

if TYPE_CHECKING:
    from biometrics.stores.relational import Database

FORM = "authorization.yaml"
"""Who answers for what is done with a store; in a folder it is no part of the store."""

HEAD = 64 << 10
"""Bytes that a form is told by, after unpacking."""

PIECE = 64 << 10
"""What is unpacked at once: where a packed file is damaged, less than that is lost before it."""


class Source(ABC):
    """Where a store lies.

    Attributes:
        name: the last part of the path, or the database's name: safe to print and to keep.
        form: what it is, as far as it can be told at once, such as ``npy`` or ``sqlite``.
    """

    name: str
    form: str

    @abstractmethod
    def sha256(self) -> str:
        """Hash of all its content, hexadecimal, for the authorisation; reads all of it."""

    def close(self) -> None:  # noqa: B027 - nothing is open in a folder
        """Let go of what is open."""


class FolderSource(Source):
    """A folder of files."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.name, self.form, self.limits = path, path.resolve().name, "folder", limits

    @cached_property
    def files(self) -> list[Path]:
        """All files below it, sorted; hidden ones, links and the form on top are left out.

        Raises:
            InputError: more of them than the limit.
        """
        found: list[Path] = []
        for path in self.path.rglob("*"):
            hidden = any(part.startswith(".") for part in path.relative_to(self.path).parts)
            form = path.name == FORM and path.parent == self.path
            if hidden or form or path.is_symlink() or not path.is_file():
                continue
            found.append(path)
            if len(found) > self.limits.files:
                raise InputError(f"{self.path} holds more than {self.limits.files:,} files")
        return sorted(found)

    def sha256(self) -> str:
        """Over the names below the folder and the contents."""
        found = hashlib.sha256()
        for path in self.files:
            name = str(path.relative_to(self.path)).encode("utf-8", "surrogateescape")
            found.update(hashlib.sha256(name).digest() + _file_hash(path))
        return found.hexdigest()


class FileSource(Source):
    """A file, plain or gzip.

    Attributes:
        path: where.
        gzip: whether it is packed; ``head`` and :meth:`open` give what is inside.
        head: the first bytes.
        encoding: of text: ``utf-8``, or what a byte order mark says.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.name, self.limits = path, path.name, limits
        with path.open("rb") as file:
            start = file.read(2)
        self.gzip = start == b"\x1f\x8b"
        with self.open() as file:
            self.head = file.read(HEAD)
        self.encoding = _encoding(self.head)
        self.form = sniff(self.head, self.encoding, whole=len(self.head) < HEAD)

    def open(self) -> IO[bytes]:
        """The content, unpacked.

        Reading raises InputError where it unpacks to far too much, and StoreError where the packed
        file is damaged or cut; all that comes before was given then.
        """
        if not self.gzip:
            return self.path.open("rb")
        return io.BufferedReader(_Unpacked(self.path, self.limits), MIB)

    def read_whole(self) -> bytes:
        """All of it, for what has to be parsed as a whole.

        Raises:
            InputError: larger than the limit for that, or damaged.
        """
        most = self.limits.whole
        if not self.gzip and self.path.stat().st_size > most:
            raise InputError(f"{self.path} is larger than {most >> 20:,} MiB")
        parts, count = [], 0
        with self.open() as file:
            for block in blocks(file):  # one large read allocates the limit at once
                parts.append(block)
                count += len(block)
                if count > most:
                    raise InputError(f"{self.path} unpacks to more than {most >> 20:,} MiB")
        return b"".join(parts)

    def sha256(self) -> str:
        """Of the file as it lies there."""
        return _file_hash(self.path).hex()

    @cached_property
    def database(self) -> Database | None:
        """The tables of a SQLite file or of an SQL dump; None for other forms.

        Raises:
            StoreError: it is one of these and damaged.
        """
        if self.form == "sqlite":
            from biometrics.stores.sqlite_file import SqliteDatabase

            return SqliteDatabase(self.path, self.limits)
        if self.form == "sql":
            from biometrics.stores.sql_dump import SqlDump

            return SqlDump(self, self.limits)
        return None

    def close(self) -> None:
        """Close the database, if one was opened."""
        if (found := self.__dict__.get("database")) is not None:
            found.close()


class LiveSource(Source):
    """A database server."""

    def __init__(self, address: str, limits: Limits) -> None:
        from biometrics.stores.live_database import LiveDatabase

        self.database: Database = LiveDatabase(address, limits)
        self.name, self.form = self.database.name, self.database.form

    def sha256(self) -> str:
        """Over host, database, and the names and row counts of its tables."""
        return self.database.sha256()

    def close(self) -> None:
        """Close the connection."""
        self.database.close()


def open_source(location: str, limits: Limits) -> Source:
    """What lies at a path, or behind the address of a database.

    Args:
        location: a path, ``postgresql://…``, ``mysql://…``, or ``env:NAME`` for the name of an
            environment variable that holds such an address.
        limits: caps.

    Raises:
        InputError: there is nothing, or it cannot be opened.
    """
    # Before anything repeats the location: an address may hold a password, mistyped ones too.
    if "://" in location or location.startswith("env:") or "password=" in location:
        return LiveSource(location, limits)
    if not location:
        raise InputError("store: an empty name; give a file, a folder or a database address")
    try:
        path = Path(location).expanduser()
        if path.is_dir():
            return FolderSource(path, limits)
        if path.exists() and not path.is_file():
            raise InputError(
                f"store {location}: no file or folder but a pipe or a device; save it as a file"
            )
        if not path.is_file():
            raise InputError(f"store {location}: no such file, folder or database address")
        return FileSource(path, limits)
    except OSError as error:
        raise InputError(f"store {location[:200]}: {error.strerror or error}") from error
    except RuntimeError as error:  # of expanduser: no such user
        raise InputError(f"store {location[:200]}: {error}") from error


def database_of(source: Source) -> Database | None:
    """The tables of a source that has tables."""
    if isinstance(source, FileSource | LiveSource):
        return source.database
    return None


MAGIC = {
    b"\x93NUMPY": "npy",
    b"PK\x03\x04": "zip",
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow",
    b"PARE": "encrypted",
    b"SQLite format 3\x00": "sqlite",
    b"\xff\xd8\xff": "picture",
    b"\x89PNG\r\n": "picture",
    b"GIF8": "picture",
    b"PGDMP": "pgdmp",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf": "7z",
    b"\x89HDF\r\n\x1a\n": "hdf5",
    b"-----BEGIN PGP": "encrypted",
    b"age-encryption.org": "encrypted",
    b"Salted__": "encrypted",
}
FAISS = (b"Ix", b"IB", b"IH", b"Iv", b"Iw", b"IM", b"IP", b"IN", b"IR", b"IS", b"Im")
"""How the four letters that begin a FAISS index start, by its index types."""


def sniff(head: bytes, encoding: str, *, whole: bool) -> str:
    """The form of a file by its first bytes.

    Args:
        head: unpacked.
        encoding: of its text, if it is text.
        whole: whether that is all of it.

    Returns:
        ``npy``, ``zip``, ``parquet``, ``arrow``, ``sqlite``, ``safetensors``, ``pickle``,
        ``faiss``, ``json``, ``jsonl``, ``sql``, ``csv`` (any separator), ``picture``, ``text``,
        ``empty``, ``encrypted``, a packed form that is not read, or ``unknown``.
    """
    if not head:
        return "empty"
    for magic, form in MAGIC.items():
        if head.startswith(magic):
            return form
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "picture"
    if _is_safetensors(head):
        return "safetensors"
    if len(head) > 1 and head[0] == 0x80 and head[1] <= 5:
        return "pickle"
    if len(head) >= 4 and head[:2] in FAISS and head[:4].isalnum() and b"\x00" in head[:64]:
        return "faiss"
    return _sniff_text(head, encoding, whole)


def _sniff_text(head: bytes, encoding: str, whole: bool) -> str:
    try:
        text = codecs.getincrementaldecoder(encoding)("strict").decode(head, final=whole)
    except UnicodeDecodeError:
        # A dump in Latin-1, or one of mysqldump that holds binary values as they are.
        loose = head.decode(encoding, "replace").lstrip("\ufeff \t\r\n")
        return "sql" if _is_sql(loose) else "unknown"
    if not text or "\x00" in text:
        return "unknown"
    start = text.lstrip("\ufeff \t\r\n")
    if start[:1] in ("{", "["):
        return _json_form(start)
    if _is_sql(start):
        return "sql"
    if _is_old_pickle(head):
        return "pickle"
    first = start.split("\n", 1)[0]
    if any(first.count(mark) for mark in (",", "\t", ";", "|")):
        return "csv"
    return "text"


def _json_form(start: str) -> str:
    first, newline, rest = start.partition("\n")
    if first[:1] != "{" or not newline or rest[:1] not in ("{", "\n", "\r"):
        return "json"
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return "json"
    return "jsonl"


def _is_sql(start: str) -> bool:
    words = start[:HEAD].upper()
    marks = ("INSERT INTO ", "CREATE TABLE ", "COPY ", "SET STATEMENT_TIMEOUT")
    begins = ("--", "/*", "CREATE ", "INSERT ", "COPY ", "SET ", "BEGIN", "DROP ", "LOCK ", "\\")
    more = ("PRAGMA ", "USE ", "REPLACE ")
    if start.startswith(("-- PostgreSQL database", "-- MySQL dump", "-- MariaDB dump", "/*!")):
        return True
    return words.startswith(begins + more) and any(mark in words for mark in marks)


def _is_safetensors(head: bytes) -> bool:
    if len(head) < 10:
        return False
    size = int.from_bytes(head[:8], "little")
    return 2 <= size <= 100 * MIB and head[8:9] == b"{"


def _is_old_pickle(head: bytes) -> bool:
    """Protocol 0: text that opens a list, dictionary or object and keeps it in the memo."""
    return head[:1] in (b"(", b"]", b"}", b"c") and head[:200].count(b"\np") + head.count(b"p0") > 0


def _encoding(head: bytes) -> str:
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return name
    # Without a mark: of ASCII, every second byte is zero. Dumps and tables are that at their start.
    start = head[: 2 * (min(len(head), 200) // 2)]
    for name, zeros, letters in (
        ("utf-16-le", start[1::2], start[::2]),
        ("utf-16-be", start[::2], start[1::2]),
    ):
        if len(start) >= 8 and not any(zeros) and 0 not in letters:
            return name
    return "utf-8"


def _file_hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


class _Unpacked(io.RawIOBase):
    """The content of a gzip file; refuses bombs, and says in one line what is damaged."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits, self._count = path, limits, 0
        self._file = igzip.open(path)  # type: ignore[no-untyped-call]  # closed by close(); thrice as fast as gzip
        self._most = max(limits.ratio_from, limits.ratio * path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            count: int = self._file.readinto(memoryview(buffer)[:PIECE])
        except (EOFError, igzip_lib.IsalError, igzip.BadGzipFile) as error:  # type: ignore[misc]
            raise StoreError(f"{self._path} is a damaged gzip file: {error}") from error
        self._count += count
        if self._count > min(self._most, self._limits.unpacked):
            raise InputError(
                f"{self._path} unpacks to more than {self._count >> 20:,} MiB; that is no dump"
            )
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def blocks(file: IO[bytes], size: int = MIB) -> Iterator[bytes]:
    """What is left of a file, a block at a time."""
    while block := file.read(size):
        yield block
