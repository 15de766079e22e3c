"""Templates that vary like a Gaussian with unequal axes, some for the attacker and some leaked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attacks.preimage.base import Population, PreImage
from biometrics.protection.base import Enrolled, Keys, ProtectionScheme, Vectors, make_scheme


class Leak(NamedTuple):
    """A fitted scheme, what its attacker knows, and the templates that it protected."""

    scheme: ProtectionScheme
    population: Population
    templates: Vectors


def drawn(count: int, dim: int, seed: int) -> Vectors:
    """Of one population, whatever the seed."""
    world = np.random.default_rng(99)
    axes = np.linalg.qr(world.standard_normal((dim, dim)))[0] * np.arange(1, dim + 1) ** -0.4
    mean = world.standard_normal(dim)
    rows = np.random.default_rng(seed).standard_normal((count, dim)) @ axes.T + mean
    return rows.astype(np.float32)


def leak(name: str, dim: int = 32, count: int = 40, **settings: float) -> Leak:
    """The operator's people are others than the attacker's and than those whose templates leak."""
    own = drawn(1500, dim, 1)
    scheme = make_scheme(name, settings, dim, "l2")
    scheme.fit(Enrolled(own, np.arange(len(own)).astype(str)))
    return Leak(scheme, Population.of(drawn(1500, dim, 2)), drawn(count, dim, 3))


def records(world: Leak, keys: Keys) -> Vectors:
    """Protected templates [N, R, P], each under its key [N, R]."""
    columns = [world.scheme.protect_each(world.templates, some) for some in keys.T]
    return np.stack(columns, axis=1)


def some_keys(count: int, number: int, of: int = 3) -> Keys:
    """Keys [N, R], all different for one template."""
    return (np.arange(count)[:, None] % of + of * np.arange(number)).astype(np.int64)


def cosines(recovered: NDArray[np.floating], world: Leak) -> NDArray[np.float64]:
    """Of recovered and true templates, both less the mean that the scheme takes off [N]."""
    mean = getattr(world.scheme, "mean", world.population.mean)
    a, b = (part.astype(np.float64) - mean for part in (recovered, world.templates))
    found: NDArray[np.float64] = (a * b).sum(axis=1) / (
        np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    )
    return found


def attacked(attack: type[PreImage], world: Leak, number: int = 1) -> NDArray[np.float64]:
    """Cosines [N] that the attack reaches with so many records of each template."""
    keys = some_keys(len(world.templates), number)
    made = attack(world.scheme, world.population)
    return cosines(made.recover(records(world, keys), keys), world)
