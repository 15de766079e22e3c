"""Templates as systems keep them: shortened, rounded, or in a few bits a value."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import InputError

REACH = 4.0
"""Values are kept in steps between this many standard deviations below and above the mean."""

ONE_BIT = math.sqrt(2 / math.pi)
"""Where the two levels of one bit lie, in standard deviations from the mean: the expected distance
of a normal value from it, which loses least in the mean square (J. Max, "Quantizing for Minimum
Distortion", 1960)."""

FLOAT_BYTES = 4


@dataclass(frozen=True)
class TemplateForm:
    """One way of keeping templates; as they are where nothing is set.

    Attributes:
        name: in words.
        share: of the dimensions that are kept, the first ones, in (0, 1].
        decimals: that values are rounded to, or None.
        bits: of each value, 1 to 16, or None: even steps over the values' range, or the side of the
            mean for one bit.
    """

    name: str
    share: float = 1.0
    decimals: int | None = None
    bits: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InputError(f"a share of the dimensions lies above 0 and up to 1: {self.share:g}")
        if self.bits is not None and not 1 <= self.bits <= 16:
            raise InputError(f"a value is kept in 1 to 16 bits: {self.bits}")

    @property
    def slug(self) -> str:
        """The name as a part of a file's name."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    def dim(self, dim: int) -> int:
        """How many of ``dim`` values are kept, one at least."""
        return max(1, round(self.share * dim))

    def bytes(self, dim: int) -> int:
        """What a template of ``dim`` values takes up, rounded up; values without ``bits`` are
        single precision, which rounding to decimals does not change."""
        bits = 8 * FLOAT_BYTES if self.bits is None else self.bits
        return math.ceil(self.dim(dim) * bits / 8)

    def fit(self, vectors: NDArray[np.float32]) -> FittedForm:
        """The form for templates like these [N, D], whose mean and spread set the steps."""
        kept = vectors[:, : self.dim(vectors.shape[1])]
        return FittedForm(
            self, vectors.shape[1], kept.mean(axis=0, dtype=np.float64), kept.std(axis=0)
        )


FORMS = (
    TemplateForm("as they are"),
    TemplateForm("50 % of the dimensions", share=0.5),
    TemplateForm("30 % of the dimensions", share=0.3),
    TemplateForm("rounded to 2 decimals", decimals=2),
    TemplateForm("8 bits a value", bits=8),
    TemplateForm("1 bit a value", bits=1),
)
"""The forms that a comparison tries."""


@dataclass(frozen=True)
class FittedForm:
    """A form with its steps.

    Attributes:
        form: which one.
        dim: of the templates that it takes.
        mean, spread: of each value that is kept, float64 [K].
    """

    form: TemplateForm
    dim: int
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]

    def apply(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Templates [N, D] as they are read back from the store, float32 [N, K].

        Raises:
            InputError: another D than it was fitted on.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise InputError(f"expected templates of {self.dim} values, got {list(vectors.shape)}")
        kept: NDArray[np.floating] = vectors[:, : len(self.mean)]
        if self.form.decimals is not None:
            kept = np.round(kept, self.form.decimals)
        if self.form.bits is not None:
            kept = self._in_steps(kept, self.form.bits)
        return np.ascontiguousarray(kept, dtype=np.float32)

    def _in_steps(self, kept: NDArray[np.floating], bits: int) -> NDArray[np.float64]:
        offset = kept - self.mean
        if bits == 1:
            return self.mean + np.where(offset >= 0, ONE_BIT, -ONE_BIT) * self.spread
        # The middles of 2^bits even steps.
        steps = 2**bits
        width = np.where(self.spread > 0, 2 * REACH * self.spread / steps, 1.0)
        number = np.clip(np.floor(offset / width), -steps // 2, steps // 2 - 1)
        return np.asarray(self.mean + np.where(self.spread > 0, (number + 0.5) * width, 0.0))
