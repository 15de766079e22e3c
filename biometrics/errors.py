"""Everything that faceleak raises on purpose.

    FaceleakError                 the tool failed                          exit 1
    ├── OutputError               a result could not be written            exit 1
    ├── CoverageError             too much of the input cannot be read     exit 4
    ├── NotAuthorisedError        nobody signed for this store             exit 5
    └── UsageError                what was asked for cannot be done        exit 2
        ├── ConfigError           a setting is unknown or out of range
        ├── InputError            a path, picture, folder or table is not usable
        │   └── StoreError        a store of templates is damaged, hostile or of no known kind
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


class CoverageError(FaceleakError):
    """Too much of the input could not be read for its numbers to speak of the whole."""

    exit_code = 4


class NotAuthorisedError(FaceleakError):
    """What was asked for needs an authorisation that is not there, or that does not hold."""

    exit_code = 5


class UsageError(FaceleakError):
    """The request itself cannot be carried out."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting is unknown, missing or out of range."""


class InputError(UsageError):
    """A path, picture, folder or table is not usable as input."""


class StoreError(InputError):
    """A store of templates cannot be read: damaged, hostile, or of no known kind."""


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
