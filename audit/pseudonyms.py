"""Names that say nothing to whoever lacks the salt."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from biometrics.errors import InputError, OutputError

_named: ContextVar[Path | None] = ContextVar("salt file", default=None)


def pseudonym(name: str, salt: bytes, prefix: str, *, size: int = 4) -> str:
    """Such as ``S-3f9ac2d1``: ``size`` bytes of a hash of the name that is keyed by the salt."""
    # Names of folders need not be UTF-8; Python keeps their odd bytes as surrogates.
    data = name.encode("utf-8", "surrogateescape")
    return f"{prefix}-{hashlib.blake2b(data, key=salt, digest_size=size).hexdigest()}"


@contextmanager
def salt_file(path: Path | None) -> Iterator[None]:
    """Within the block the salt is that of this file; of the usual one where None."""
    token = _named.set(path)
    try:
        yield
    finally:
        _named.reset(token)


def pseudonym_salt() -> bytes:
    """The salt: of :func:`salt_file`, of the file that ``FACELEAK_SALT`` names, or this
    installation's own. It is made where there is no such file.

    Raises:
        InputError: a salt file of fewer than 16 or more than 64 bytes.
        OutputError: it can be neither read nor made.
    """
    path = _salt_path()
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _make_salt(path)
        salt = path.read_bytes()
    except OSError as error:
        raise OutputError(
            f"cannot make or read the salt of pseudonyms {path}: {error.strerror}; "
            "FACELEAK_SALT or --salt names another file"
        ) from error
    if not 16 <= len(salt) <= 64:
        raise InputError(f"{path} must hold 16 to 64 bytes of salt, got {len(salt)}")
    return salt


def _salt_path() -> Path:
    given = _named.get() or os.environ.get("FACELEAK_SALT")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "faceleak" / "salt"


def _make_salt(path: Path) -> None:
    """Write a new salt, 0600. It appears whole, and where two runs make one, the first one's
    stays."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".salt.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(32))
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)
