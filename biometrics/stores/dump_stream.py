"""A dump as a stream of UTF-8 that is read from any place on, without ever holding it whole."""

from __future__ import annotations

import codecs
import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import IO

from biometrics.errors import StoreError
from biometrics.stores.limits import MIB
from biometrics.stores.source import FileSource, blocks

AHEAD = 4
"""Blocks that are unpacked before they are asked for."""


class Window:
    """The part of a stream that is held: what lies behind ``pos`` is dropped when more is read.

    Attributes:
        data: what is held.
        pos: where in it the reader is.
        base: where in the stream it begins.
        ended: whether the stream has no more.
    """

    def __init__(self, source: Iterator[bytes], base: int = 0) -> None:
        self._source = source
        self.data, self.pos, self.base, self.ended = b"", 0, base, False
        self._error: StoreError | None = None

    @property
    def at(self) -> int:
        """The reader's place in the stream."""
        return self.base + self.pos

    @property
    def held(self) -> int:
        """Bytes ahead of the reader."""
        return len(self.data) - self.pos

    def grow(self) -> bool:
        """Read more: as much again as is held, so that looking twice stays linear."""
        if self._error is not None:
            raise self._error
        parts, want = [self.data[self.pos :]], max(1, self.held)
        while want > 0 and not self.ended:
            try:
                block = next(self._source, b"")
            except StoreError as error:  # what came before it is read first
                self._error = error
                if len(parts) == 1:
                    raise
                break
            parts.append(block)
            want -= len(block)
            self.ended = not block
        self.base, self.data, self.pos = self.at, b"".join(parts), 0
        return any(parts[1:])

    def have(self, count: int) -> bool:
        """Hold that many bytes ahead, if there are as many."""
        while self.held < count and self.grow():
            pass
        return self.held >= count

    def find(self, what: bytes, most: int) -> int:
        """Where it next occurs, as a place in ``data``, or -1 within that many bytes."""
        start = self.pos
        while (found := self.data.find(what, start)) < 0 and self.held <= most:
            behind = max(self.pos, len(self.data) - len(what) + 1) - self.pos
            if not self.grow():
                return -1
            start = self.pos + behind
        return found

    def skip_past(self, what: bytes) -> bool:
        """Go behind its next occurrence, however far; at the end where there is none."""
        while (found := self.data.find(what, self.pos)) < 0:
            self.pos = max(self.pos, len(self.data) - len(what) + 1)
            if not self.grow():
                self.pos = len(self.data)
                return False
        self.pos = found + len(what)
        return True


@contextlib.contextmanager
def window(source: FileSource, start: int = 0) -> Iterator[Window]:
    """The dump from a place on, which counts bytes of the unpacked text in UTF-8.

    A plain file is entered there; what is packed or in UTF-16 is read up to there.

    Raises:
        InputError: it unpacks to far too much.
        StoreError: the file is cut or damaged there; all before it was given.
    """
    with source.open() as file:
        recoded = source.encoding not in ("utf-8", "utf-8-sig")
        mark = len(codecs.BOM_UTF8) if source.encoding == "utf-8-sig" else 0
        if not source.gzip and not recoded:
            file.seek(max(start, mark))
            yield Window(blocks(file), max(start, mark))
            return
        with _ahead(file) as read:
            text = Window(_recode(read, source.encoding) if recoded else read)
            _forward(text, max(start, mark))
            yield text


def _forward(text: Window, start: int) -> None:
    while text.base + len(text.data) < start:
        text.pos = len(text.data)
        if not text.grow():
            break
    text.pos = min(len(text.data), start - text.base)


def _recode(read: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for block in read:
        if text := decoder.decode(block):
            yield text.encode("utf-8", "replace")
    if text := decoder.decode(b"", final=True):
        yield text.encode("utf-8", "replace")


@contextlib.contextmanager
def _ahead(file: IO[bytes]) -> Iterator[Iterator[bytes]]:
    """Blocks of a file, unpacked in a thread while those before are worked on."""
    ready: queue.Queue[bytes | Exception] = queue.Queue(AHEAD)
    stop = threading.Event()

    def put(found: bytes | Exception) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(found, timeout=0.1)
                return

    def read() -> None:
        try:
            for block in _pieces(file):
                put(block)
                if stop.is_set():
                    return
            put(b"")
        except Exception as error:
            put(error)

    def found() -> Iterator[bytes]:
        while not isinstance(block := ready.get(), Exception):
            if not block:
                return
            yield block
        raise block

    thread = threading.Thread(target=read, name="dump-ahead", daemon=True)
    thread.start()
    try:
        yield found()
    finally:
        stop.set()
        while thread.is_alive():
            with contextlib.suppress(queue.Empty):
                ready.get(timeout=0.01)
            thread.join(timeout=0.01)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Blocks of about a MiB; what was read before an error comes first."""
    while True:
        parts: list[bytes] = []
        size = 0
        try:
            while size < MIB and (part := file.read(64 << 10)):
                parts.append(part)
                size += len(part)
        except StoreError:
            if parts:
                yield b"".join(parts)
            raise
        if not parts:
            return
        yield b"".join(parts)
