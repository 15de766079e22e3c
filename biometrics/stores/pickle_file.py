"""Pickles of foreign files, read by an allow list in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence

from biometrics.errors import StoreError
from biometrics.stores.limited import run_limited
from biometrics.stores.limits import Limits
from biometrics.stores.pickle_machine import load_plain
from biometrics.stores.plain_file import Plain


def read_pickle(data: bytes, limits: Limits, what: str = "the pickle") -> Plain:
    """The object in a pickle, as plain Python and NumPy; nothing in it is executed.

    A pickle is a program; this reads the data that it would build. It may ask for
    ``set``, ``frozenset``, ``bytearray``, ``complex`` and ``slice`` of ``builtins``, for NumPy's
    arrays, element types and single numbers, and for the way in which old protocols write bytes;
    anything else is refused and named.

    Args:
        data: the pickle, of any protocol, also of Python 2.
        limits: caps.
        what: what is read, for messages.

    Returns:
        None, bool, int, float, complex, str, bytes, NumPy arrays of numbers (read-only, native
        byte order), and lists, tuples, sets and dictionaries of these. Single NumPy numbers are
        Python's; arrays of texts or objects are lists; a frozenset is a set, a bytearray is bytes,
        a slice is a tuple; a list of eight or more numbers, at least one a float, is a float64
        array. Text of Python 2 that is no UTF-8 holds surrogates.

    Raises:
        StoreError: refused, damaged, or over a limit.
    """
    (found,) = read_pickles([data], limits, what)
    if isinstance(found, StoreError):
        raise found
    return found


def read_pickles(items: Sequence[bytes], limits: Limits, what: str = "the pickle") -> list[Plain]:
    """The same of many small pickles in one process, such as those of a column.

    Returns:
        What :func:`read_pickle` gives, or the StoreError that it would raise, in the order of the
        items.

    Raises:
        StoreError: together they are over a limit.
    """
    answers = run_limited(_load_all, list(items), limits=limits, what=what)
    return [
        StoreError(f"{what} cannot be read: {answer['error']}")
        if "error" in answer
        else answer["value"]
        for answer in answers
    ]


def _load_all(items: list[bytes]) -> list[dict[str, Plain]]:
    """In the process of its own."""
    answers: list[dict[str, Plain]] = []
    for item in items:
        try:
            answers.append({"value": load_plain(item)})
        except StoreError as error:
            answers.append({"error": str(error)})
    return answers
