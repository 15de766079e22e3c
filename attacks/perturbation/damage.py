"""Templates that leaked in part, or coarser than they were: templates to what an attacker got.

Unlike the other perturbations it happens to templates, after they were computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import InputError
from biometrics.template_form import FittedForm, TemplateForm

CLEAR = math.inf
"""A signal-to-noise ratio in dB without noise."""


@dataclass(frozen=True)
class Damage:
    """One way in which templates leak, at one strength.

    Attributes:
        name: lower-case words with hyphens.
        form: what is kept of each value, and of which.
        strength, unit: how far it goes, and what that counts.
        snr: signal-to-noise ratio in dB of normal noise that is added to every value: the variance
            over people, averaged over the dimensions that are kept, against the variance of the
            noise, which is the same in all of them.
        hidden: whether an attacker is not told which dimensions these are. Unless the form shuffles
            them, it knows that they stand in their order.
    """

    name: str
    form: TemplateForm
    strength: float | None = None
    unit: str = ""
    snr: float = CLEAR
    hidden: bool = False

    def __post_init__(self) -> None:
        if math.isnan(self.snr) or self.snr == -math.inf:
            raise InputError(f"a signal-to-noise ratio is a number of dB: {self.snr:g}")

    @property
    def label(self) -> str:
        """In words, with the strength."""
        return self.form.name

    @property
    def slug(self) -> str:
        """Name and strength as a part of a file's name, such as ``bits-8``."""
        return self.name if self.strength is None else f"{self.name}-{self.strength:g}"

    def fit(self, vectors: NDArray[np.float32]) -> FittedDamage:
        """The damage for templates like these [N, D], whose mean and spread over people set steps
        and noise."""
        form = self.form.fit(vectors)
        power = float((form.spread.astype(np.float64) ** 2).mean())
        return FittedDamage(self, form, math.sqrt(power) * 10.0 ** (-self.snr / 20.0))


@dataclass(frozen=True)
class FittedDamage:
    """A damage with its steps and its noise.

    Attributes:
        damage: which one.
        form: its form, fitted.
        noise: standard deviation of the noise in each value.
    """

    damage: Damage
    form: FittedForm
    noise: float

    def apply(self, vectors: NDArray[np.float32], seeds: NDArray[np.uint64]) -> NDArray[np.float32]:
        """What leaked of templates [N, D], float32 [N, K].

        Args:
            vectors: whole templates.
            seeds: [N], one for each: its noise depends on nothing else.

        Raises:
            InputError: another D than it was fitted on, or another number of seeds.
        """
        kept = self.form.apply(vectors)
        if seeds.shape != (len(kept),):
            raise InputError(
                f"expected a seed for each of {len(kept)} templates, got {seeds.shape}"
            )
        if self.noise == 0.0:
            return kept
        drawn = np.empty(kept.shape)
        for row, seed in zip(drawn, seeds, strict=True):  # a stream of its own for each
            np.random.default_rng(seed).standard_normal(out=row)
        return (kept + self.noise * drawn).astype(np.float32)


def some_dimensions(share: float, draw: int, *, hidden: bool = False) -> Damage:
    """A share of the dimensions in their order, drawn by a seed; a larger share holds the smaller
    ones."""
    words = f"{share:.0%} of the dimensions".replace("%", " %")
    name, label = "dimensions", words
    if hidden:
        name, label = "dimensions-unknown", f"{words}, which ones unknown"
    form = TemplateForm(label, share=share, draw=draw)
    return Damage(name, form, share, "share of dimensions", hidden=hidden)


def rounded(decimals: int) -> Damage:
    """Values rounded to so many decimals."""
    form = TemplateForm(f"rounded to {decimals} decimals", decimals=decimals)
    return Damage("rounded", form, float(decimals), "decimals")


def half_precision() -> Damage:
    """Values in half precision."""
    return Damage("float16", TemplateForm("float16", half=True))


def in_bits(bits: int) -> Damage:
    """Values in so many bits each."""
    form = TemplateForm(f"{bits} bit{'s' if bits > 1 else ''} a value", bits=bits)
    return Damage("bits", form, float(bits), "bits")


def shuffled(draw: int) -> Damage:
    """All dimensions in an order drawn by a seed, the same for all templates."""
    form = TemplateForm("dimensions shuffled", draw=draw, shuffled=True)
    return Damage("shuffled", form, hidden=True)


def noisy(snr: float) -> Damage:
    """Normal noise at a signal-to-noise ratio in dB."""
    return Damage("noise", TemplateForm(f"noise at {snr:g} dB"), snr, "dB", snr=snr)
