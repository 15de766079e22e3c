"""Templates as systems keep them: shortened, rounded, or in a few bits a value."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import InputError

REACH = 4.0
"""Values are kept in steps between this many standard deviations below and above the mean."""

ONE_BIT = math.sqrt(2 / math.pi)
"""Where the two levels of one bit lie, in standard deviations from the mean: the expected distance
of a normal value from it, which loses least in the mean square (J. Max, "Quantizing for Minimum
Distortion", 1960)."""

FLOAT_BYTES, HALF_BYTES = 4, 2
HALF_MOST = float(np.finfo(np.float16).max)
"""What lies beyond is kept as this, not as infinity."""


@dataclass(frozen=True)
class TemplateForm:
    """One way of keeping templates; as they are where nothing is set.

    Attributes:
        name: in words.
        share: of the dimensions that are kept, in (0, 1].
        decimals: that values are rounded to, or None.
        bits: of each value, 1 to 16, or None: even steps over the values' range, or the side of the
            mean for one bit.
        half: whether values go through half precision.
        draw: seed of the choice of the dimensions that are kept; those of a smaller share are among
            those of a larger one. The first ones where it is None.
        shuffled: whether the dimensions come in the order in which they were drawn instead of their
            own; the same for all templates. It takes a ``draw``.
    """

    name: str
    share: float = 1.0
    decimals: int | None = None
    bits: int | None = None
    half: bool = False
    draw: int | None = None
    shuffled: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InputError(f"a share of the dimensions lies above 0 and up to 1: {self.share:g}")
        if self.bits is not None and not 1 <= self.bits <= 16:
            raise InputError(f"a value is kept in 1 to 16 bits: {self.bits}")
        if self.shuffled and self.draw is None:
            raise InputError("to shuffle dimensions takes a seed to draw their order by")

    @property
    def slug(self) -> str:
        """The name as a part of a file's name."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    def dim(self, dim: int) -> int:
        """How many of ``dim`` values are kept, one at least."""
        return max(1, round(self.share * dim))

    def positions(self, dim: int) -> NDArray[np.intp]:
        """Which of ``dim`` values are kept, in the order in which they come, [K]."""
        if self.draw is None:
            return np.arange(self.dim(dim))
        drawn = np.random.default_rng(self.draw).permutation(dim)[: self.dim(dim)]
        return drawn if self.shuffled else np.sort(drawn)

    def bytes(self, dim: int) -> int:
        """What a template of ``dim`` values takes up, rounded up; values without ``bits`` are
        single precision, or half, which rounding to decimals does not change."""
        bits = self.bits or 8 * (HALF_BYTES if self.half else FLOAT_BYTES)
        return math.ceil(self.dim(dim) * bits / 8)

    def record(self) -> dict[str, Any]:
        """All but the name, as JSON."""
        return {key: value for key, value in asdict(self).items() if key != "name"}

    def fit(self, vectors: NDArray[np.float32]) -> FittedForm:
        """The form for templates like these [N, D], whose mean and spread set the steps."""
        positions = self.positions(vectors.shape[1])
        kept = vectors[:, positions]
        mean, spread = kept.mean(axis=0, dtype=np.float64), kept.std(axis=0)
        return FittedForm(self, vectors.shape[1], positions, mean, spread)


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
        positions: of the values that are kept, [K].
        mean, spread: of each value that is kept, float64 [K].
    """

    form: TemplateForm
    dim: int
    positions: NDArray[np.intp]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]

    def apply(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Templates [N, D] as they are read back from the store, float32 [N, K].

        Raises:
            InputError: another D than it was fitted on.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise InputError(f"expected templates of {self.dim} values, got {list(vectors.shape)}")
        kept: NDArray[np.floating] = vectors[:, self.positions]
        if self.form.decimals is not None:
            kept = np.round(kept, self.form.decimals)
        if self.form.bits is not None:
            kept = self._in_steps(kept, self.form.bits)
        if self.form.half:
            kept = np.clip(kept, -HALF_MOST, HALF_MOST).astype(np.float16)
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
