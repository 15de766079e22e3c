"""Fetch known weight files; nothing else in faceleak touches the network."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from biometrics.backbones.weight_file import MAX_BYTES
from biometrics.download import SCHEMES, FetchError, WrongFileError, fetch
from biometrics.errors import WeightsError
from biometrics.partial_file import Partial, partial_beside, writing
from biometrics.progress import Advance, Expect, silent
from biometrics.weights import (
    KnownWeights,
    accepted_path,
    expected_hash,
    hash_of,
    known,
    unverified,
    verify,
    weight_path,
    weights_folder,
)

MIRROR_VARIABLE = "FACELEAK_WEIGHTS_MIRROR"
"""A URL below which the files lie under their own names, instead of at their publishers."""


def pull(
    name: str,
    *,
    url: str | None = None,
    accept_hash: str | None = None,
    advance: Advance = silent,
    expect: Expect = silent,
) -> Path:
    """Fetch a file into the folder, unless a sound one is there.

    What an interrupted pull left is gone on from. The file gets its name only after the hash of its
    whole content is found to be right, so the source need not be trusted.

    Args:
        name: which one.
        url: from where, http or https; its publisher's or the mirror's unless given.
        accept_hash: the sha256 that the user takes for right, where the record has none; it is
            remembered beside the file. A file that is there already is not fetched again for it.
        advance: told the bytes that were there, then those of every chunk.
        expect: told the bytes of the whole once they are known.

    Raises:
        WeightsError: the source cannot be reached, or what it sends is another file, or one that
            has no hash to compare with (the message says the hash that was seen); or another
            process pulls the same file.
        OutputError: the folder cannot be written.
    """
    record, path = known(name), weights_folder() / known(name).file
    if accept_hash is not None:
        accept_hash = accept_hash.lower()
        if record.sha256 and accept_hash != record.sha256:
            raise WeightsError(f"the sha256 of weights {name} is known, {record.sha256}; not taken")
        if not record.sha256 and path.is_file() and hash_of(path) == accept_hash:
            _accept(name, accept_hash)
    source = url or _source(record)
    if _sound(name, accept_hash):
        return weight_path(name)
    if urlsplit(source).scheme not in SCHEMES:
        raise WeightsError(f"weights {name} cannot be pulled from {source}: not an http(s) address")
    with partial_beside(path) as part:
        if _sound(name, accept_hash):  # by another process, just now
            return weight_path(name)
        expected = accept_hash or expected_hash(name)
        _fetch(record, source, part, expected, advance, expect)
        digest = _checked(record, source, part, expected)
        if not record.sha256:
            _accept(name, digest)
        part.publish(path)
    return path


def _sound(name: str, accept_hash: str | None) -> bool:
    return verify(name) == "ready" and accept_hash in (None, expected_hash(name))


def _accept(name: str, sha256: str) -> None:
    path = accepted_path(name)
    with writing(path):
        path.write_text(f"{sha256}  {weight_path(name).name}\n", encoding="ascii")


def _source(record: KnownWeights) -> str:
    mirror = os.environ.get(MIRROR_VARIABLE)
    return f"{mirror.rstrip('/')}/{record.file}" if mirror else record.url


def _fetch(
    record: KnownWeights,
    source: str,
    part: Partial,
    expected: str | None,
    advance: Advance,
    expect: Expect,
) -> None:
    try:
        fetch(
            source,
            part,
            size=record.size,
            limit=MAX_BYTES,
            checked=expected is not None,
            advance=advance,
            expect=expect,
        )
    except WrongFileError as error:
        part.discard()
        raise WeightsError(
            f"{source} sends another file than {record.file}: {error}; nothing was kept"
        ) from error
    except FetchError as error:
        kept = f"{part.size:,} bytes are kept, pull again to go on; or " if part.size else ""
        raise WeightsError(
            f"weights {record.name} could not be pulled from {source}: {error}; {kept}put the file "
            f"into {weights_folder()} by hand, or name a mirror in {MIRROR_VARIABLE}"
        ) from error


def _checked(record: KnownWeights, source: str, part: Partial, expected: str | None) -> str:
    """The hash of what came; what is not the file is removed."""
    digest = part.sha256()
    if expected is not None and digest.startswith(expected):
        return digest
    part.discard()
    if expected is None:
        raise WeightsError(unverified(record.name, f"what {source} sent", digest))
    raise WeightsError(
        f"{source} sent another file than {record.file} (sha256 {digest[:16]}..., expected "
        f"{expected[:16]}...); nothing was kept"
    )
