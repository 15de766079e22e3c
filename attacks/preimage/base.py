"""What a pre-image attack is: from protected templates and their keys back to templates.

A face follows from the template as ever, by a decoder that was trained on plain ones. An attack
that is given several protected templates of one person, each under a key of its own, uses them
together (record multiplicity).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from biometrics.errors import InputError
from biometrics.protection.base import Keys, ProtectionScheme, Vectors
from biometrics.registry import Registry
from biometrics.templates import check_finite

Matrix = NDArray[np.float64]

SAMPLE = 4000


@dataclass(frozen=True)
class Population:
    """What the attacker's own faces say of templates.

    Attributes:
        mean: float64 [D].
        covariance: float64 [D, D], shrunk as by Ledoit and Wolf, hence never singular.
        length: mean length of a template less the mean.
        sample: templates themselves, float64 [M, D]: all, or evenly drawn, at most ``SAMPLE``.
    """

    mean: Matrix
    covariance: Matrix
    length: float
    sample: Matrix

    @classmethod
    def of(cls, vectors: NDArray[np.floating]) -> Population:
        """Of templates [N, D].

        Raises:
            InputError: fewer than two templates, or numbers that are not finite.
        """
        if vectors.ndim != 2 or len(vectors) < 2:
            raise InputError(f"a population needs two templates or more, got {len(vectors)}")
        check_finite(vectors)
        rows = vectors.astype(np.float64)
        mean = rows.mean(axis=0)
        length = float(np.linalg.norm(rows - mean, axis=1).mean())
        every = -(-len(rows) // SAMPLE)
        return cls(mean, ledoit_wolf(rows)[0], length, rows[::every])


class PreImage(ABC):
    """Base of every pre-image attack.

    Class attributes:
        scheme_name: registered name of the scheme that it undoes.
        method: how, in a few words, such as ``closed form`` or ``gradient search``.

    Args:
        scheme: as the operator fitted it: the attacker knows all of it.
        population: of the attacker's own plain templates.
        seed: of whatever is drawn at random.
    """

    scheme_name: ClassVar[str]
    method: ClassVar[str]

    def __init__(self, scheme: ProtectionScheme, population: Population, *, seed: int = 0) -> None:
        self.scheme, self.population, self.seed = scheme, population, seed

    @abstractmethod
    def recover(self, protected: Vectors, keys: Keys) -> Vectors:
        """Templates float32 [N, D] from protected ones.

        Args:
            protected: [N, R, P]: R protected templates of the same template, each under a key.
            keys: [N, R], the key of each.
        """

    def check(self, protected: Vectors, keys: Keys) -> None:
        """Refuse shapes that do not belong together.

        Raises:
            InputError: no [N, R, P], or another number of keys.
        """
        if protected.ndim != 3 or keys.shape != protected.shape[:2]:
            raise InputError(
                f"expected protected templates [N, R, P] and keys [N, R], got "
                f"{list(protected.shape)} and {list(keys.shape)}"
            )
        check_finite(protected.reshape(-1, protected.shape[2]))


PREIMAGES: Registry[type[PreImage]] = Registry(
    "pre-image attack", group="faceleak.preimages", builtin="attacks.preimage"
)
register_preimage = PREIMAGES.register


def preimages_of(scheme: str) -> dict[str, type[PreImage]]:
    """By name, the attacks on a registered scheme (or a variant of one): which of them is strongest
    is for the attacker to try on templates of his own."""
    plain = scheme.partition(":")[0]
    found = {name: PREIMAGES.get(name) for name in PREIMAGES.names()}
    return {n: kind for n, kind in found.items() if kind.scheme_name in (scheme, plain)}
