"""Everything that faceleak raises on purpose.

    FaceleakError                 the tool failed                          exit 1
    ├── OutputError               a result could not be written            exit 1
    └── UsageError                what was asked for cannot be done        exit 2
        ├── ConfigError           a setting is unknown or out of range
        ├── InputError            a path, picture, folder or table is not usable
        ├── WeightsError          a weight file is absent, damaged or of the wrong shape
        │   └── MissingFileError  there is no file where the user said that one is
        └── UnknownNameError      no backbone, attack, … of that name is registered

Only the command line turns these into one line and an exit code; the library raises them.
A message says what was got, what was expected and, where it is known, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FaceleakError(Exception):
    """Base of every deliberate error."""

    exit_code = 1


class OutputError(FaceleakError):
    """A result could not be written (disk full, no permission)."""


class UsageError(FaceleakError):
    """The request itself cannot be carried out."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting is unknown, missing or out of range."""


class InputError(UsageError):
    """A path, picture, folder or table is not usable as input."""


class WeightsError(UsageError):
    """A weight file is absent, damaged or of the wrong shape."""


class MissingFileError(WeightsError):
    """There is no weight file where the user said that one is."""


class UnknownNameError(UsageError):
    """A name that is not registered; the message lists those that are.

    ``near`` are further names that may have been meant but are not worth listing.
    """

    def __init__(
        self, kind: str, name: str, known: Iterable[str], near: Iterable[str] = ()
    ) -> None:
        names = sorted(known)
        hint = did_you_mean(name, [*names, *near])
        super().__init__(f"unknown {kind} '{name}'{hint}; known: {', '.join(names)}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the nearest known name, or the empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else ""
