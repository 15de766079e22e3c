"""What a perturbation is: pictures to pictures, with a name and a strength.

A perturbation happens to the canonical crop of an enrolled picture before its template is computed.
It knows nothing of templates, stores or audits: arrays in, arrays out.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import ConfigError
from biometrics.faces.geometry import CROP_SIZE, N_LANDMARKS
from biometrics.registry import Registry


@dataclass(frozen=True)
class Pictures:
    """Clean crops, as they go into a perturbation.

    Attributes:
        crops: uint8 [N, 224, 224, 3] RGB.
        landmarks: float32 [N, 68, 2], ``(x, y)`` in crop pixels.
        seeds: uint64 [N], one for each picture: what is drawn at random for a picture depends on
            its seed alone, and not on the pictures beside it.

    Raises:
        ValueError: shapes or types that disagree.
    """

    crops: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    seeds: NDArray[np.uint64]

    def __post_init__(self) -> None:
        n = len(self.crops)
        if self.crops.shape != (n, CROP_SIZE, CROP_SIZE, 3) or self.crops.dtype != np.uint8:
            raise ValueError(
                f"expected crops uint8 [N, {CROP_SIZE}, {CROP_SIZE}, 3], "
                f"got {self.crops.dtype} {list(self.crops.shape)}"
            )
        if self.landmarks.shape != (n, N_LANDMARKS, 2) or self.seeds.shape != (n,):
            raise ValueError(
                f"expected landmarks [{n}, {N_LANDMARKS}, 2] and {n} seeds, got "
                f"{list(self.landmarks.shape)} and {list(self.seeds.shape)}"
            )

    def __len__(self) -> int:
        return len(self.crops)

    def take(self, rows: slice | NDArray[np.integer]) -> Pictures:
        """The pictures at those positions."""
        return Pictures(self.crops[rows], self.landmarks[rows], self.seeds[rows])


@dataclass(frozen=True)
class Perturbed:
    """What became of pictures.

    Attributes:
        crops: uint8 [N, 224, 224, 3] RGB.
        landmarks: float32 [N, 68, 2]: where the points lie now.
        covered: bool [N, 224, 224], what can no longer be seen; None where nothing is covered.
    """

    crops: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    covered: NDArray[np.bool_] | None = None


class Perturbation(ABC):
    """Base of every perturbation: one way of changing pictures, at one strength.

    Class attributes:
        name: under which it is registered.
        unit: what the strength counts, such as ``degrees``; empty where it has none.
        identity: the strength at which nothing changes, to the last bit; None where there is none.
        least, most: the range of the strength.

    Raises:
        ConfigError: a strength out of range, or one where none belongs, or none where one does.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = ""
    identity: ClassVar[float | None] = None
    least: ClassVar[float] = 0.0
    most: ClassVar[float] = 1.0

    def __init__(self, strength: float | None = None) -> None:
        if (strength is None) == bool(self.unit):
            word = f"needs a strength ({self.unit})" if self.unit else "takes no strength"
            raise ConfigError(f"perturbation '{self.name}' {word}")
        if strength is not None and not self.least <= strength <= self.most:
            raise ConfigError(
                f"perturbation '{self.name}': expected a strength from {self.least:g} to "
                f"{self.most:g} ({self.unit}); got {strength:g}"
            )
        self.strength = strength

    @property
    def label(self) -> str:
        """In words, with the strength; subclasses say it better."""
        strength = "" if self.strength is None else f" {self.strength:g} {self.unit}"
        return f"{self.name}{strength}"

    @property
    def slug(self) -> str:
        """Name and strength as a part of a file's name, such as ``rotation-30``."""
        text = self.name if self.strength is None else f"{self.name}-{self.strength:g}"
        return "".join(c if c.isalnum() or c in "-." else "-" for c in text)

    @abstractmethod
    def apply(self, pictures: Pictures) -> Perturbed:
        """The pictures perturbed; the input is left untouched. N pictures at once give exactly what
        they give one by one."""


PERTURBATIONS: Registry[type[Perturbation]] = Registry(
    "perturbation", group="faceleak.perturbations", builtin="attacks.perturbation"
)
register_perturbation = PERTURBATIONS.register


def picture_seeds(names: Iterable[str], *, purpose: str, seed: int) -> NDArray[np.uint64]:
    """One seed a picture, uint64 [N], from its name, the purpose and the seed of the run alone."""
    key = f"{purpose}:{seed}".encode()[: hashlib.blake2b.MAX_KEY_SIZE]
    digests = [
        hashlib.blake2b(name.encode("utf-8", "surrogateescape"), key=key, digest_size=8).digest()
        for name in names
    ]
    return np.array([int.from_bytes(d, "big") for d in digests], dtype=np.uint64)
