"""Errors as a user meets them: one line and an exit code."""

from __future__ import annotations

from typing import NamedTuple


class Interrupted(Exception):
    """The user pressed Ctrl-C; what was finished stays and a second run goes on from there."""

    exit_code = 130


class Failure(NamedTuple):
    """What is printed on stderr, and the exit code."""

    line: str
    code: int


def explain(error: BaseException) -> Failure:
    """The line and the code for anything that may end a command.

    Deliberate errors carry an ``exit_code`` (those of ``biometrics.errors`` and the results reader,
    which stands beside and shares no base class with them). What the system refuses (disk full, no
    permission) is 1. Everything else is a bug and says so.
    """
    code = getattr(error, "exit_code", None)
    if isinstance(error, Interrupted):
        return Failure("interrupted; give the same command again to go on", error.exit_code)
    if isinstance(code, int):
        return Failure(f"error: {_one_line(str(error))}", code)
    if isinstance(error, OSError):
        return Failure(f"error: {_system(error)}", 1)
    if isinstance(error, MemoryError):
        return Failure("error: out of memory; audit fewer pictures or set quick=true", 1)
    kind, text = type(error).__name__, _one_line(str(error))
    what = f"{kind}: {text}" if text else kind
    return Failure(f"internal error ({what}); run again with --debug to see where", 1)


def _system(error: OSError) -> str:
    if error.strerror is None:
        return _one_line(str(error)) or type(error).__name__
    names = [_one_line(str(name)) for name in (error.filename, error.filename2) if name is not None]
    return f"{error.strerror}: {' -> '.join(names)}" if names else error.strerror


def _one_line(text: str) -> str:
    return clean(" ".join(text.split()))


def clean(text: str) -> str:
    """Text on one line, without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
