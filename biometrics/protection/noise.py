"""Templates under noise, and the differential privacy that it amounts to.

For unit vectors any two lie at most 2 apart: that is the sensitivity, and epsilon says how well
somebody who sees the stored template can tell *any* two templates apart (local differential
privacy), with the mean of the operator's people taken as known. It holds for one stored template;
several of one person, from several pictures, add up.

The noise of a template follows from its own bytes and a secret number, so that it does not depend
on the batch, and tests and runs repeat. Whoever stores the same template twice stores the same
noise twice: nothing is to be averaged. The attacker is not given the secret. A system in operation
draws its noise afresh from a source that nobody can repeat, and the two are alike as long as the
secret is kept; the generator here is statistical, not cryptographic.

Probes go through the same function as what is stored, so both sides of a comparison carry noise.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import ndtri

from biometrics.metrics.scores import Similarity
from biometrics.protection.base import (
    Centred,
    Family,
    SchemeSettings,
    Vectors,
    key_stream,
    register_protection,
)
from biometrics.protection.gaussian_mechanism import gaussian_epsilon, gaussian_sigma

SENSITIVITY = 2.0
"""The largest distance of two unit vectors."""

DEFAULT_SIGMA = 0.05


class NoiseSettings(SchemeSettings):
    """How much noise.

    Attributes:
        sigma: standard deviation in each number of a unit vector; or
        epsilon: what it shall amount to, from which sigma follows. Without either, sigma is .05.
        delta: of the differential privacy.
        secret: from which the noise is drawn; whatever an attacker learns, this he does not.
    """

    sigma: Annotated[float, Field(gt=0.0)] | None = None
    epsilon: Annotated[float, Field(gt=0.0)] | None = None
    delta: Annotated[float, Field(gt=0.0, lt=1.0)] = 1e-5
    secret: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.sigma is not None and self.epsilon is not None:
            raise ValueError("give sigma or epsilon, not both: one follows from the other")
        return self


@register_protection("noise")
class Noise(Centred):
    """The direction of a template, less the mean and at length one, plus Gaussian noise.

    Protected templates are not brought back to length one: the cosine does not see their length.

    Attributes:
        sigma: standard deviation of the noise in each number.
    """

    Settings = NoiseSettings
    settings: NoiseSettings
    family: ClassVar[Family] = "reduction"
    keyed: ClassVar[bool] = False
    source: ClassVar[str] = "B. Balle and Y.-X. Wang 2018, analytic Gaussian mechanism"

    def __init__(self, settings: NoiseSettings, dim: int, similarity: Similarity) -> None:
        super().__init__(settings, dim, similarity)
        if settings.epsilon is not None:
            self.sigma = gaussian_sigma(settings.epsilon, settings.delta, SENSITIVITY)
        else:
            self.sigma = DEFAULT_SIGMA if settings.sigma is None else settings.sigma

    @property
    def epsilon(self) -> float:
        """The differential privacy of one stored template, at the settings' delta."""
        return gaussian_epsilon(self.sigma, self.settings.delta, SENSITIVITY)

    @property
    def stored_bits(self) -> int:
        """Each number as float32."""
        return 32 * self.dim

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        noise = noise_of(vectors, self.settings.secret)
        return (self.directions(vectors) + self.sigma * noise).astype(np.float32)


def noise_of(vectors: Vectors, secret: int) -> NDArray[np.float64]:
    """Standard normal numbers [N, D] for templates [N, D], each row from its own bytes and the
    secret alone.

    The bytes of a row become one number of 64 bits, and this with the column another, mixed by
    SplitMix64 (G. L. Steele and others, "Fast splittable pseudorandom number generators", 2014);
    the normal number is the quantile of its first 52 bits. Whole numbers throughout, so that a row
    gives the same in any batch and on any machine.
    """
    stream = key_stream("noise", secret)
    tables = stream.integers(2**64, size=(2, vectors.shape[1]), dtype=np.uint64)
    words = np.ascontiguousarray(vectors, dtype="<f4").view("<u4").astype(np.uint64)
    with np.errstate(over="ignore"):
        row = _mixed(words + tables[0]).sum(axis=1, dtype=np.uint64)
        bits = _mixed(_mixed(row)[:, None] ^ tables[1])
    # The middle of one of 2**52 steps: never 0 nor 1.
    even = ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    drawn: NDArray[np.float64] = ndtri(even)
    return drawn


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser: each bit of a number changes about half of all bits."""
    found = words + np.uint64(0x9E3779B97F4A7C15)
    found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return found ^ (found >> np.uint64(31))
