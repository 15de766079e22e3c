"""The mean of the posterior of a direction that is known through random numbers, by messages.

A scheme tells something, such as signs or winners, of values z that follow from a direction u and a
key; the attacker's faces say what directions are like. Generalised approximate message passing (S.
Rangan, "Generalized approximate message passing for estimation with random linear mixing", 2011)
goes back and forth between two questions of one variable each: given what z is expected to be, how
does the code change that; and given what the values then say of u, how does the prior change it.
Random rows are random in any axes, so those are taken in which the prior's coordinates are
independent. It needs no step size, and for many Gaussian rows no method does better.

All templates move at once. One variance serves for all values of a record, as they are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from attacks.preimage.base import Matrix
from attacks.preimage.direction_attack import OfRows, Prior, distinct, key_groups
from biometrics.metrics.scores import row_blocks
from biometrics.protection.base import Keys, Vectors

STEPS = 20
OLD = 0.2
"""Share of the step before that is kept: undamped, the messages swing where there are few rows."""

DOUBT = 1e-5
"""Least variance of a direction, of which all of it has one, so that no code is contradicted."""

Numbers = NDArray[np.float32]


class Told(NamedTuple):
    """What codes say of values: the slope of their log likelihood in each expected value [B, P],
    and minus its second derivative [B, P]."""

    slope: Numbers
    curvature: Numbers


Channel = Callable[[Numbers, Numbers, Vectors], Told]
"""From expected values [B, P], the standard deviation of what they miss [B, 1] and codes [B, P]."""


class Seen(Protocol):
    """Values that follow from directions, at what those are believed to be.

    Attributes:
        values: [B, P].
        variance: of what they miss [B, 1].
    """

    values: Numbers
    variance: Numbers

    def back(self, told: Told) -> Told:
        """The same of the directions: slopes along the prior's axes [B, D], and one curvature for
        all axes [B, 1]."""


View = Callable[[Numbers, Numbers], Seen]
"""From means of directions along the prior's axes [B, D] and their summed variances [B, 1]."""


class Belief:
    """What is believed of directions [N, D] along a prior's axes.

    Attributes:
        mean: [N, D].
        variances: [N, D].
    """

    def __init__(self, prior: Prior, mean: Matrix) -> None:
        self.prior, self.mean = prior, mean
        self.variances: Matrix = np.tile(prior.variances, (len(mean), 1))

    def update(self, slope: Matrix, curvature: Matrix) -> None:
        """Take in slopes [N, D] and one curvature a template [N, 1]."""
        variances = 1.0 / (1.0 / self.prior.variances + curvature)
        mean = (curvature * self.mean + slope + self.prior.mean / self.prior.variances) * variances
        self.mean = OLD * self.mean + (1.0 - OLD) * mean
        self.variances = OLD * self.variances + (1.0 - OLD) * variances


def pass_messages(
    belief: Belief, views: Mapping[int, View], protected: Vectors, keys: Keys, channel: Channel
) -> None:
    """Bring a belief about N directions into line with their records.

    Args:
        belief: from where it starts; it is changed.
        views: by key, how values follow from directions.
        protected: records [N, R, P].
        keys: of the records [N, R].
        channel: what a record tells of its values.
    """
    (count, each), codes = keys.shape, protected.reshape(-1, protected.shape[2])
    groups, slopes = key_groups(keys), np.zeros(codes.shape, dtype=np.float32)
    back, curvatures = np.empty((len(codes), belief.mean.shape[1])), np.empty((len(codes), 1))
    for _ in range(STEPS):
        mean = belief.mean.astype(np.float32)
        missing = (belief.variances.sum(axis=1, keepdims=True) + DOUBT).astype(np.float32)
        for key, records in groups.items():
            seen = views[key](mean[records // each], missing[records // each])
            # What the code said in the step before is taken off: it must not be heard twice.
            expected = seen.values - seen.variance * slopes[records]
            told = channel(expected, np.sqrt(seen.variance), codes[records])
            slope = OLD * slopes[records] + (1.0 - OLD) * told.slope
            slopes[records] = slope
            back[records], curvatures[records] = seen.back(Told(slope, told.curvature))
        belief.update(
            back.reshape(count, each, -1).sum(axis=1),
            curvatures.reshape(count, each, 1).sum(axis=1),
        )


class _Projected:
    """Values along rows [P, D]."""

    def __init__(self, rows: Numbers, size: np.float32, mean: Numbers, missing: Numbers) -> None:
        self.rows, self.size = rows, size
        self.values: Numbers = mean @ rows.T
        self.variance: Numbers = size * missing

    def back(self, told: Told) -> Told:
        curvature = self.size * told.curvature.sum(axis=1, keepdims=True)
        return Told(told.slope @ self.rows, curvature)


def _view_along(rows: Matrix) -> View:
    single = rows.astype(np.float32)
    size = np.square(single).mean()
    return lambda mean, missing: _Projected(single, size, mean, missing)


def directions_by_messages(
    attack: OfRows, protected: Vectors, keys: Keys, channel: Channel
) -> Matrix:
    """Means of the posterior [N, D] from records [N, R, P] under keys [N, R]."""
    prior = Prior.of(attack.scheme, attack.population)
    views = {key: _view_along(attack.scheme.rows(key) @ prior.axes) for key in distinct(keys)}
    found = np.empty((len(keys), attack.scheme.dim))
    for block in row_blocks(len(keys), keys.shape[1] * protected.shape[2]):
        belief = Belief(prior, np.tile(prior.mean, (len(keys[block]), 1)))
        pass_messages(belief, views, protected[block], keys[block], channel)
        found[block] = belief.mean
    return found @ prior.axes.T
