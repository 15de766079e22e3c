"""The mean of the posterior of a direction that is known through random rows, by messages.

A scheme tells something of ``z = A u``, such as signs or winners, where A has random rows and the
attacker's faces say what directions u are like. Generalised approximate message passing (S. Rangan,
"Generalized approximate message passing for estimation with random linear mixing", 2011) goes back
and forth between two questions of one variable each: given what z is expected to be, how does the
code change that; and given what the rows then say of u, how does the prior change it. Rows of A are
random in any axes, so those are taken in which the prior's coordinates are independent. It needs
no step size, and in the limit of many rows no method does better.

All templates move at once; one variance for all values of z of a template, as rows are alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attacks.preimage.base import Matrix
from attacks.preimage.directions import OfRows, Prior, distinct, key_groups
from biometrics.metrics.scores import row_blocks
from biometrics.protection.base import Keys, Vectors

STEPS = 20
OLD = 0.2
"""Share of the step before that is kept: undamped, the messages swing where there are few rows."""

DOUBT = 1e-5
"""Least variance of z, as a share of what it is for directions about which nothing is known."""

Numbers = NDArray[np.float32]


class Told(NamedTuple):
    """What a code says: the slope of its log likelihood in each expected value [B, P], and minus
    its second derivatives, summed over the values, [B]."""

    slope: Numbers
    curvature: NDArray[np.floating]


Channel = Callable[[Numbers, Numbers, Vectors], Told]
"""From expected values [B, P], the standard deviation of what they miss [B, 1] and codes [B, P]."""


class Belief:
    """What is believed of directions [N, D] along a prior's axes.

    Attributes:
        mean: [N, D].
        variances: [N, D].
    """

    def __init__(self, prior: Prior, count: int) -> None:
        self.prior = prior
        self.mean: Matrix = np.tile(prior.mean, (count, 1))
        self.variances: Matrix = np.tile(prior.variances, (count, 1))

    def update(self, slope: Matrix, curvature: Matrix) -> None:
        """Take in slopes [N, D] and one curvature a template [N, 1]."""
        variances = 1.0 / (1.0 / self.prior.variances + curvature)
        mean = (curvature * self.mean + slope + self.prior.mean / self.prior.variances) * variances
        self.mean += (1.0 - OLD) * (mean - self.mean)
        self.variances += (1.0 - OLD) * (variances - self.variances)


def directions_by_messages(
    attack: OfRows, protected: Vectors, keys: Keys, channel: Channel
) -> Matrix:
    """Means of the posterior [N, D] from records [N, R, P] under keys [N, R]."""
    prior = Prior.of(attack.scheme, attack.population)
    rows = {
        key: (attack.scheme.rows(key) @ prior.axes).astype(np.float32) for key in distinct(keys)
    }
    found = np.empty((len(keys), attack.scheme.dim))
    for block in row_blocks(len(keys), keys.shape[1] * protected.shape[2]):
        found[block] = _pass(prior, rows, protected[block], keys[block], channel)
    return found @ prior.axes.T


def _pass(
    prior: Prior, rows: dict[int, Numbers], protected: Vectors, keys: Keys, channel: Channel
) -> Matrix:
    (count, each), width = keys.shape, protected.shape[2]
    codes, groups = protected.reshape(-1, width), key_groups(keys, rows)
    belief, slopes = Belief(prior, count), np.zeros(codes.shape, dtype=np.float32)
    back, curvatures = np.empty((count * each, len(prior.mean))), np.empty(count * each)
    for _ in range(STEPS):
        mean = belief.mean.astype(np.float32)
        missing = belief.variances.sum(axis=1) + DOUBT
        for matrix, records in groups:
            size, of = float(np.square(matrix).mean()), records // each
            variance = (size * missing[of, None]).astype(np.float32)
            # What the rows said in the step before is taken off: it must not be heard twice.
            expected = mean[of] @ matrix.T - variance * slopes[records]
            told = channel(expected, np.sqrt(variance), codes[records])
            slopes[records] += (1.0 - OLD) * (told.slope - slopes[records])
            back[records] = slopes[records] @ matrix
            curvatures[records] = size * told.curvature
        belief.update(
            back.reshape(count, each, -1).sum(axis=1),
            curvatures.reshape(count, each).sum(axis=1, keepdims=True),
        )
    return belief.mean
