"""Decoders that were trained on protected templates: with the key at hand, or with keys of the
attacker's own."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks.base import AttackSettings, InversionAttack, Reconstruction, Resources
from audit.people import seed_for
from audit.protect.system import System
from biometrics.errors import InputError
from biometrics.faces.faceset import FaceSet
from biometrics.protection.base import Keys, Vectors
from biometrics.templates import TemplateSet

OWN_KEYS = 1 << 40
"""Keys of the attacker's own begin here: nobody else has them."""


def own_keys(system: System, n: int, purpose: str) -> Keys:
    """As many keys of the attacker's own as the system has, dealt to n templates."""
    rng = np.random.default_rng(seed_for(purpose, system.bench.config.seed))
    found: Keys = OWN_KEYS + rng.integers(0, max(system.n_keys, 1), n)
    return found if system.scheme.keyed else np.zeros(n, dtype=np.int64)


def with_keys(vectors: Vectors, keys: Keys) -> Vectors:
    """Templates [N, P + 1] with the key of each behind it, as :class:`ByKey` takes them."""
    return np.column_stack([vectors, keys.astype(np.float32)])


def learnt(system: System, attack: str, keys: Keys | int) -> InversionAttack:
    """A configured attack, trained anew on the attacker's templates as this system protects them.

    Args:
        system: the system.
        attack: a configured attack.
        keys: of each of the attacker's templates, or one for all.
    """
    bench = system.bench
    pairs, scheme = bench.pairs, system.scheme
    rows = _rows(system, len(pairs.templates))
    plain = pairs.templates.vectors if rows is None else pairs.templates.vectors[rows]
    if isinstance(keys, int):
        vectors = scheme.protect(plain, keys)
    else:
        vectors = scheme.protect_each(plain, keys if rows is None else keys[rows])
    table = pairs.templates.table if rows is None else pairs.templates.table.iloc[rows]
    protected = TemplateSet(
        vectors, table.reset_index(drop=True), bench.target, normalised=False, source="protected"
    )
    return bench.attack(attack).refitted(pairs.faces, protected, rows)


def _rows(system: System, n: int) -> NDArray[np.intp] | None:
    """Which pairs are learnt from: fewer where a protected template is long."""
    sizes = system.bench.sizes
    if sizes.pairs is None or sizes.pairs >= n or system.stored.templates.shape[1] <= sizes.wide:
        return None
    rng = np.random.default_rng(system.bench.seed_of("pairs"))
    return np.sort(rng.choice(n, sizes.pairs, replace=False))


class ByKey(InversionAttack):
    """One decoder for each key, trained when a template under it comes.

    Templates have their key behind them, see :func:`with_keys`.
    """

    knowledge: ClassVar[str] = "protected templates, and the key of each"

    def __init__(self, system: System, attack: str) -> None:
        super().__init__(AttackSettings(), _resources(system, attack))
        self._decoder = functools.lru_cache(maxsize=None)(functools.partial(learnt, system, attack))

    def invert(self, vectors: NDArray[np.float32]) -> Reconstruction:
        """Faces of templates [N, P + 1], each by the decoder for its key."""
        keys = vectors[:, -1].astype(np.int64)
        crops: NDArray[np.float32] | None = None
        for key in np.unique(keys):
            rows = np.flatnonzero(keys == key)
            made = self._decoder(int(key)).invert(np.ascontiguousarray(vectors[rows, :-1]))
            if crops is None:
                crops = np.empty((len(vectors), *made.crops.shape[1:]), dtype=np.float32)
            crops[rows] = made.crops
        if crops is None:
            raise InputError("no template to invert")
        return Reconstruction(crops)

    def fit(self, faces: FaceSet, templates: TemplateSet) -> None:
        """Nothing: each decoder is trained for its key."""

    def save(self, folder: Path) -> None:
        """Nothing is kept: a decoder is trained again in seconds."""

    def restore(self, folder: Path) -> None:
        """Nothing was kept."""


def _resources(system: System, attack: str) -> Resources:
    return system.bench.attack(attack).resources
