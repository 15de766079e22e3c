"""A local web server that stands for the publisher of a file, with the faults of real ones."""

from __future__ import annotations

import http.server
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

FILE = "squeezenet1_1-b8a52dc0.pth"
CONTENT = bytes(range(256)) * 9000  # more than two chunks


@dataclass
class Asked:
    """One request, and how many bytes of a body it got."""

    path: str
    range: str | None
    if_range: str | None
    sent: int = 0


@dataclass
class Publisher:
    """What the server does; the address is filled in when it runs."""

    content: bytes = CONTENT
    address: str = ""
    etag: str | None = '"one"'
    changed: str | None = None
    counted: bool = True
    """Says Content-Length."""
    chunked: bool = False
    ranges: Literal["honoured", "ignored", "shifted", "unconditional", "refused", "untold"] = (
        "honoured"
    )
    cut_after: int | None = None
    """Bytes of a body after which the connection is lost."""
    pause: float = 0.0
    redirect: str | None = None
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.address}/{FILE}"

    @property
    def version(self) -> str | None:
        return self.etag if self.etag and self.etag.startswith('"') else self.changed


class _Handler(http.server.BaseHTTPRequestHandler):
    publisher: Publisher
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        what = self.publisher
        asked = Asked(self.path, self.headers["Range"], self.headers["If-Range"])
        what.asked.append(asked)
        self.close_connection = True
        if what.redirect and self.path == f"/{FILE}":
            self.send_response(302)
            self.send_header("Location", what.redirect)
            self.end_headers()
        elif self.path not in (f"/{FILE}", "/moved"):
            self.send_error(404)
        else:
            self._answer(what, asked)

    def _answer(self, what: Publisher, asked: Asked) -> None:
        first, whole = 0, len(what.content)
        found = re.fullmatch(r"bytes=(\d+)-", asked.range or "")
        same = what.ranges == "unconditional" or asked.if_range in (None, what.version)
        if found and same and what.ranges != "ignored":
            first = int(found[1])
        if first and (first >= whole or what.ranges == "refused"):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{whole}")
            self.end_headers()
            return
        self.send_response(206 if first else 200)
        if first and what.ranges != "untold":
            said = first + 1 if what.ranges == "shifted" else first
            self.send_header("Content-Range", f"bytes {said}-{whole - 1}/{whole}")
        body = what.content[first:]
        headers = {
            "ETag": what.etag,
            "Last-Modified": what.changed,
            "Content-Length": str(len(body)) if what.counted else None,
            "Transfer-Encoding": "chunked" if what.chunked else None,
        }
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self._send(what, body, asked)

    def _send(self, what: Publisher, body: bytes, asked: Asked) -> None:
        sent = body if what.cut_after is None else body[: what.cut_after]
        for start in range(0, len(sent), 1 << 18):
            piece = sent[start : start + (1 << 18)]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if what.chunked else piece)
            asked.sent += len(piece)
            time.sleep(what.pause)
        if what.chunked and len(sent) == len(body):
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: Any) -> None: ...


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None: ...  # a client that hangs up is no error here


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    what = Publisher()
    handler = type("Handler", (_Handler,), {"publisher": what})
    with _Server(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        what.address = f"http://127.0.0.1:{running.server_port}"
        yield what
        running.shutdown()
        thread.join()
