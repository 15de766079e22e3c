"""Back from Index-of-Max winners among products of permuted values, with known keys.

A product of p values of the direction is no projection, and the chance of the winners has many
peaks. So a search starts at several random directions and climbs: first the summed winning products
(for p = 2 this is a power iteration towards the first eigenvector of a matrix that the winners
add up to, as in phase retrieval), then, from the start that wins most hashes, by messages in which
products are replaced by their slopes.

With an even p the code of u is the code of -u; which of them is a face's, the attacker's own faces
tell.
"""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attacks.preimage.base import Matrix, register_preimage
from attacks.preimage.direction_attack import OfDirections, Prior, distinct, key_groups
from attacks.preimage.directions import unit
from attacks.preimage.messages import Belief, Numbers, Seen, Told, View, pass_messages
from attacks.preimage.mirror import Facing
from attacks.preimage.winners import tell_winners
from biometrics.metrics.scores import row_blocks
from biometrics.protection.base import Keys, Vectors
from biometrics.protection.codes import vectors_as_winners
from biometrics.protection.iom_urp import NAME, IomUrp
from biometrics.protection.keyed_rows import KeyedDirections

STARTS, CLIMBS = 6, 20
FIRST = 3
"""Records that a climb looks at; the messages that follow hear all of them."""

OLD = 0.3
"""Share of the direction before in each climb; without it, p = 2 swings between two directions."""


class _Products:
    """How the products of one key follow from a direction [D].

    Args:
        places: [p, m, k] of the key.
        dim: D.
    """

    def __init__(self, places: NDArray[np.intp], dim: int) -> None:
        self.places, self.dim = places.reshape(len(places), -1), dim
        flat = self.places.ravel()
        self.order = np.argsort(flat, kind="stable")
        self.hit, self.first = np.unique(flat[self.order], return_index=True)

    def factors(self, directions: Numbers) -> Numbers:
        """Each factor of each product, [B, p, P]."""
        found: Numbers = directions[:, self.places]
        return found

    def gather(self, weights: Numbers) -> Numbers:
        """Sums [B, D] of weights [B, p, P] that belong to one value of the direction."""
        ordered = weights.reshape(len(weights), -1)[:, self.order]
        found = np.zeros((len(weights), self.dim), dtype=np.float32)
        found[:, self.hit] = np.add.reduceat(ordered, self.first, axis=1)
        return found


def _others(factors: Numbers) -> Numbers:
    """Products of all factors but one, [B, p, P]."""
    found = np.ones_like(factors)
    for left_out in range(factors.shape[1]):
        for factor in range(factors.shape[1]):
            if factor != left_out:
                found[:, left_out] *= factors[:, factor]
    return found


class _Multiplied:
    """Products, replaced by their slopes at a direction along the prior's axes."""

    def __init__(self, products: _Products, axes: Numbers, mean: Numbers, missing: Numbers) -> None:
        self.products, self.axes = products, axes
        factors = products.factors(mean @ axes.T)
        self.others = _others(factors)
        self.values: Numbers = factors.prod(axis=1)
        spread = np.square(factors) + (missing / products.dim)[:, :, None]
        variance = spread.prod(axis=1) - np.square(self.values)
        self.variance: Numbers = variance.mean(axis=1, keepdims=True)

    def back(self, told: Told) -> Told:
        slope = self.products.gather(told.slope[:, None] * self.others)
        curvature = np.einsum("bp,bjp,bjp->b", told.curvature, self.others, self.others)
        return Told(slope @ self.axes, curvature[:, None] / np.float32(self.products.dim))


class _Records(NamedTuple):
    """Records [N, R, P] of a few templates with their keys [N, R], and products by key."""

    protected: Vectors
    keys: Keys
    products: dict[int, _Products]


@register_preimage(f"{NAME}:posterior")
class ProductPosterior(OfDirections):
    """The direction found by a climb from several starts and then by messages."""

    scheme_name: ClassVar[str] = NAME
    kind: ClassVar[type[KeyedDirections]] = IomUrp
    method: ClassVar[str] = "search from several starts, then message passing"
    scheme: IomUrp

    def directions(self, protected: Vectors, keys: Keys) -> Matrix:
        """What the search found."""
        prior = Prior.of(self.scheme, self.population)
        products = {
            key: _Products(self.scheme.places(key), self.scheme.dim) for key in distinct(keys)
        }
        starts = np.random.default_rng(self.seed).standard_normal((STARTS, self.scheme.dim))
        starts = starts * np.sqrt(prior.variances) @ prior.axes.T
        views: dict[int, View] = {key: self._view(prior, of) for key, of in products.items()}
        found = np.empty((len(keys), self.scheme.dim))
        for block in row_blocks(len(keys), keys.shape[1] * protected.shape[2] * 4):
            records = _Records(protected[block], keys[block], products)
            first = _Records(records.protected[:, :FIRST], records.keys[:, :FIRST], products)
            belief = Belief(prior, self._best_climb(prior, starts, first) @ prior.axes)
            pass_messages(belief, views, records.protected, records.keys, self._tell)
            found[block] = belief.mean
        ends: Matrix = found @ prior.axes.T
        return self._facing.turned(ends) if self.scheme.settings.products % 2 == 0 else ends

    @cached_property
    def _facing(self) -> Facing:
        return Facing(self.population.sample - self.scheme.mean)

    @staticmethod
    def _view(prior: Prior, products: _Products) -> View:
        axes = prior.axes.astype(np.float32)

        def look(mean: Numbers, missing: Numbers) -> Seen:
            return _Multiplied(products, axes, mean, missing)

        return look

    def _tell(self, expected: Numbers, deviation: Numbers, codes: Vectors) -> Told:
        return tell_winners(expected, deviation, codes, self.scheme.settings.hashes)

    def _best_climb(self, prior: Prior, starts: Matrix, records: _Records) -> Matrix:
        """Of a climb from each start, the end [N, D] that wins most of a template's hashes."""
        count = len(records.keys)
        best, most = np.zeros((count, self.scheme.dim)), np.full(count, -1.0)
        for start in starts.astype(np.float32):
            end = self._climb(prior, np.tile(start, (count, 1)), records)
            won = self._won(end, records)
            best[won > most], most = end[won > most], np.maximum(most, won)
        return best

    def _climb(self, prior: Prior, directions: Numbers, records: _Records) -> Numbers:
        """Towards a larger sum of winning products, less the mean product of each hash."""
        (count, each), window = records.keys.shape, self.scheme.settings.window
        weights = (records.protected > 0.0).reshape(count * each, -1) - np.float32(1.0 / window)
        usual = ((prior.axes * prior.variances) @ prior.axes.T).astype(np.float32)
        back = np.empty((count * each, self.scheme.dim), dtype=np.float32)
        for _ in range(CLIMBS):
            for key, rows in key_groups(records.keys).items():
                products = records.products[key]
                others = _others(products.factors(directions[rows // each]))
                back[rows] = products.gather(weights[rows][:, None] * others)
            step = unit(back.reshape(count, each, -1).sum(axis=1) @ usual)
            directions = unit(step + np.float32(OLD) * directions)
        return directions

    def _won(self, directions: Numbers, records: _Records) -> NDArray[np.float64]:
        """Hashes of all records [N] that a direction wins."""
        (count, each), window = records.keys.shape, self.scheme.settings.window
        codes = vectors_as_winners(records.protected.reshape(count * each, -1), window)
        won = np.empty(count * each)
        for key, rows in key_groups(records.keys).items():
            values = records.products[key].factors(directions[rows // each]).prod(axis=1)
            won[rows] = (vectors_as_winners(values, window) == codes[rows]).sum(axis=1)
        summed: NDArray[np.float64] = won.reshape(count, each).sum(axis=1)
        return summed
