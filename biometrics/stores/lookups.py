"""Keys of one table to values of another, millions of them in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import StoreError
from biometrics.stores.limits import Limits
from biometrics.stores.relational import Damaged, Value


class Lookup:
    """Texts by text. Kept are a hash of 64 bits of each key and a number of its value: 12 bytes a
    key and one copy of each value. Two of a million keys share a hash with probability 3e-8.

    A key that comes twice keeps its first value.

    Args:
        pairs: keys and values, both as :func:`text` gives them; pairs without either are left out.
        limits: ``people`` is looked at.

    Raises:
        StoreError: more pairs than the limit.
    """

    def __init__(self, pairs: Iterable[tuple[str | None, str | None]], limits: Limits) -> None:
        keys, codes = array("q"), array("q")
        numbers: dict[str, int] = {}
        for key, value in pairs:
            if key is None or value is None:
                continue
            keys.append(hash(key))
            codes.append(numbers.setdefault(value, len(numbers)))
            if len(keys) > limits.people:
                raise StoreError(f"a table of people has more than {limits.people:,} rows")
        hashes: NDArray[np.int64] = np.array(keys, np.int64)
        self._keys, first = np.unique(hashes, return_index=True)
        self._codes = np.array(codes, np.int64)[first]
        self._values = list(numbers)

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, keys: Sequence[str | None]) -> list[str | None]:
        """The value of each key; None where there is none."""
        if not len(self._keys):
            return [None] * len(keys)
        wanted = np.array([hash(key) for key in keys], np.int64)
        places = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        hits = (self._keys[places] == wanted).tolist()
        codes = self._codes[places].tolist()
        return [
            self._values[code] if hit and key is not None else None
            for key, code, hit in zip(keys, codes, hits, strict=True)
        ]


def text(value: Value) -> str | None:
    """A key or name as text: bytes of MySQL's binary columns, UUIDs and numbers too; None where
    there is nothing."""
    if value is None or isinstance(value, Damaged):
        return None
    if isinstance(value, memoryview):
        value = value.tobytes()
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "replace") or None
    return str(value) or None
