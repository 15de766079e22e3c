"""PolyProtect: windows of a template go through a polynomial of the user's own."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from biometrics.protection.base import (
    Centred,
    Family,
    SchemeSettings,
    Vectors,
    key_stream,
    register_protection,
)


class PolyProtectSettings(SchemeSettings):
    """How the windows lie, and what a key is drawn from.

    Attributes:
        terms: numbers in a window, and terms of the polynomial (the paper's m). From five on, an
            equation of that degree has no solution in closed form.
        overlap: numbers that a window shares with the next; more keep more of the template.
        largest: coefficients are whole numbers from minus this to this, without zero.
    """

    terms: int = Field(default=5, ge=2, le=9)
    overlap: int = Field(default=2, ge=0)
    largest: int = Field(default=50, ge=5, le=10_000)

    @model_validator(mode="after")
    def _windows_advance(self) -> Self:
        if self.overlap >= self.terms:
            raise ValueError(f"must be less than terms = {self.terms}, got {self.overlap}")
        return self


class PolyKey(NamedTuple):
    """What a key stands for: term j is ``coefficients[j] * v ** exponents[j]``, both int64 [m]."""

    coefficients: NDArray[np.int64]
    exponents: NDArray[np.int64]


@register_protection("polyprotect")
class PolyProtect(Centred):
    """Each window of m numbers becomes one number.

    Of a direction v, with the window i from place i·s on::

        p[i] = Σ_j c[j] · v[i·s + j] ** e[j],    s = m - overlap

    with the key's distinct coefficients c, none of them zero, and its permutation e of 1 to m;
    zeros fill up the last window. Of 128 numbers with m = 5 there remain 26, 32, 42, 63 and 124 for
    an overlap of 0 to 4.

    Powers of numbers want a fixed scale, so templates are taken at length one, as the authors
    advise in "A Deeper Dive into the Irreversibility of PolyProtect" (2026).
    """

    Settings: ClassVar[type[SchemeSettings]] = PolyProtectSettings
    settings: PolyProtectSettings
    family: ClassVar[Family] = "keyed"
    keyed: ClassVar[bool] = True
    source: ClassVar[str] = (
        "V. Krivokuća Hahn and S. Marcel, Towards Protecting Face Embeddings in Mobile Face "
        "Verification Scenarios, 2022"
    )

    @property
    def windows(self) -> int:
        """P, numbers in a protected template."""
        step = self.settings.terms - self.settings.overlap
        return 1 + max(0, -(-(self.dim - self.settings.terms) // step))

    @property
    def stored_bits(self) -> int:
        """Each number as float32."""
        return 32 * self.windows

    def key(self, key: int) -> PolyKey:
        """The polynomial of this key."""
        return _poly_key(key, self.settings.terms, self.settings.largest)

    def places(self) -> NDArray[np.intp]:
        """Which number of a template each window takes at each term [P, m]; ``dim`` and above
        stand for the zeros behind the end."""
        step = self.settings.terms - self.settings.overlap
        found: NDArray[np.intp] = (
            step * np.arange(self.windows)[:, None] + np.arange(self.settings.terms)
        ).astype(np.intp)
        return found

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        places, poly = self.places(), self.key(key)
        padded = np.pad(self.directions(vectors), ((0, 0), (0, places[-1, -1] + 1 - self.dim)))
        found = np.zeros((len(vectors), self.windows))
        for term in range(self.settings.terms):
            found += poly.coefficients[term] * padded[:, places[:, term]] ** poly.exponents[term]
        return found.astype(np.float32)


@lru_cache(maxsize=64)
def _poly_key(key: int, terms: int, largest: int) -> PolyKey:
    stream = key_stream("polyprotect", key)
    allowed = np.concatenate([np.arange(-largest, 0), np.arange(1, largest + 1)])
    return PolyKey(stream.choice(allowed, size=terms, replace=False), stream.permutation(terms) + 1)
