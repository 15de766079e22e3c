"""Fetch one file over http(s), going on where an earlier attempt stopped.

The rest is asked for by a range (RFC 9110, section 14) under the condition that the file is still
the same version (``If-Range``, section 13.1.5).
"""

from __future__ import annotations

import http
import http.client
import re
import urllib.error
import urllib.request
from email.message import Message
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from biometrics.partial_file import Origin, Partial
from biometrics.progress import Advance, Expect, silent

CHUNK = 1 << 20
TIMEOUT = 60.0
"""Seconds without an answer after which a download gives up."""

SCHEMES = ("http", "https")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class FetchError(Exception):
    """The source failed; what came so far is kept."""


class WrongFileError(FetchError):
    """The source has another file: what came is of no use."""


def fetch(
    source: str,
    part: Partial,
    *,
    size: int | None,
    limit: int,
    checked: bool,
    advance: Advance = silent,
    expect: Expect = silent,
) -> None:
    """Add to ``part`` what it lacks of the file at ``source``.

    Bytes of another address, or of another version, are never kept. A server that ignores the
    range, or answers with another one, sends the whole once more.

    Args:
        source: http or https.
        part: what is there, and where the rest goes.
        size: bytes of the file, where they are known.
        limit: the most bytes that are taken otherwise.
        checked: whether its hash is known. Only then may a file of a server that says no version
            go on: its bytes may be of two versions, and the hash will tell.
        advance: told the bytes that are there at first, then those of every chunk.
        expect: told the bytes of the whole once the server says them.

    Raises:
        FetchError: the source cannot be reached or stopped in the middle; what came is kept.
        WrongFileError: it has another number of bytes, or too many.
        OutputError: the file cannot be written.
    """
    if urlsplit(source).scheme not in SCHEMES:
        raise FetchError("not an http(s) address")
    origin = part.origin or Origin("", "")
    known = origin.source == source and (origin.version != "" or checked)
    start = part.size if known else 0
    try:
        if start == size or (answer := _ask(source, start, origin.version)) is None:
            advance(start)  # all of it had come
            return
        with answer.body:
            if answer.start == 0:
                part.restart(Origin(source, _version(answer.body.headers)))
            _take(answer, part, size, limit, advance, expect)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FetchError(str(error) or type(error).__name__) from error


class _Answer(NamedTuple):
    """A body that begins at ``start`` of a file of ``total`` bytes, where that is said."""

    body: http.client.HTTPResponse
    start: int
    total: int | None


def _ask(source: str, start: int, version: str) -> _Answer | None:
    """The file from ``start`` on, or the whole; None where nothing is left to send."""
    if start:
        headers = {"Range": f"bytes={start}-"} | ({"If-Range": version} if version else {})
        try:
            body = _open(source, headers)
        except urllib.error.HTTPError as error:
            with error:
                if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise
                if error.headers.get("Content-Range") == f"bytes */{start}":
                    return None
        else:
            if body.status == http.HTTPStatus.OK:
                return _Answer(body, 0, body.length)
            if (total := _goes_on(body.headers, start, version)) is not None:
                return _Answer(body, start, total)
            body.close()
    body = _open(source, {})
    if body.status != http.HTTPStatus.OK:
        body.close()
        raise FetchError(f"unexpected answer {body.status}")
    return _Answer(body, 0, body.length)


def _goes_on(headers: Message, start: int, version: str) -> int | None:
    """Bytes of the whole, where a part begins at ``start`` and is of the same version: some servers
    know ranges and no conditions."""
    found = _RANGE.fullmatch(headers.get("Content-Range", ""))
    if found is None or int(found[1]) != start or _version(headers) not in ("", version):
        return None
    return int(found[2]) + 1 if found[3] == "*" else int(found[3])


def _version(headers: Message) -> str:
    """What can stand in If-Range: a weak ETag, of bytes that are alike, cannot."""
    tag = headers.get("ETag", "")
    return str(tag if tag.startswith('"') else headers.get("Last-Modified", ""))


def _take(
    answer: _Answer,
    part: Partial,
    size: int | None,
    limit: int,
    advance: Advance,
    expect: Expect,
) -> None:
    body, got, total = answer
    if total is not None:
        if size not in (None, total):
            raise WrongFileError(f"it has {total:,} bytes, not {size:,}")
        expect(total)
    most = size or limit
    advance(got)
    while (got < total if total is not None else True) and (chunk := body.read1(CHUNK)):
        got += len(chunk)
        if got > most:
            raise WrongFileError(f"it has more than {most:,} bytes")
        part.append(chunk)
        advance(len(chunk))
    # The end of a body that is neither counted nor chunked may as well be a lost connection.
    wanted = total if total is not None or body.chunked else size
    if wanted is not None and got < wanted:
        raise FetchError(f"cut off after {got:,} of {wanted:,} bytes")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Goes along to https, and to http from http only."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        """The next request.

        Raises:
            HTTPError: the address is of another kind.
        """
        if urlsplit(newurl).scheme not in ("https", req.type):
            raise urllib.error.HTTPError(
                newurl, code, f"{msg}: redirected to an address that is not {req.type}", headers, fp
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(source: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    opener = urllib.request.build_opener(_SafeRedirects)
    request = urllib.request.Request(source, headers=headers)
    answer = opener.open(request, timeout=TIMEOUT)
    assert isinstance(answer, http.client.HTTPResponse)
    return answer
