"""How much the covariances of two sets of templates have in common, however each was stored.

Templates are first brought to a form in which it does not matter how they were stored: the row's
mean is subtracted and the row divided by its length, which undoes scaling, normalising and min-max
scaling. Of a store that kept only the first dimensions, these are compared with the same part of
the fingerprint.

Compared are the covariances without their diagonal, by the RV coefficient (Robert and Escoufier,
"A Unifying Tool for Linear Multivariate Statistical Methods", 1976). How far it lies from chance is
told by turning the signs of dimensions at random, which leaves alone how much each varies: the
product of two covariances then has the mean 0 and twice the sum of the squares of its terms for its
variance. The mean template goes
beside it as evidence: it depends far more on who is photographed, and anybody can copy it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HALVINGS = 4
"""Ways to halve the rows."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Templates of one kind of pictures, brought to length 1.

    Attributes:
        of: the pictures, in words.
        rows: templates.
        mean: [K].
        covariance: [K, K].
    """

    of: str
    rows: int
    mean: NDArray[np.float32]
    covariance: NDArray[np.float32]


class Agreement(NamedTuple):
    """How rows agree with what was learnt.

    Attributes:
        value: share of their common variation, in [0, 1].
        sigmas: distance from chance in standard deviations.
        mean: cosine between the means, in [-1, 1].
        directions: in how many directions the rows vary: of their covariance, the square of the
            trace over the trace of the square.
    """

    value: float
    sigmas: float
    mean: float
    directions: float


def canonical(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows without their mean and of length 1; those without any variation are left out."""
    exact = rows.astype(np.float64)
    top = np.abs(exact).max(axis=1, keepdims=True)
    exact /= np.where(top > 0, top, 1.0)  # squares of the largest floats stay finite
    exact -= exact.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    there = lengths[:, 0] > 1e-9
    return np.asarray(exact[there] / lengths[there])


def agreement(
    rows: NDArray[np.float64], learnt: Statistics, here: NDArray[np.bool_], seed: int
) -> Agreement:
    """Rows [N, K] in canonical form against what was learnt, on the dimensions ``here``."""
    mean, expected = _expected(learnt, here)
    if len(rows) < 2:
        return Agreement(0.0, 0.0, 0.0, 0.0)
    centre = rows.mean(axis=0)
    cosine = float(centre @ mean / max(1e-12, np.linalg.norm(centre) * np.linalg.norm(mean)))
    whole = np.cov(rows.T)
    directions = float(np.trace(whole) ** 2 / max(float((whole * whole).sum()), 1e-300))
    found = _off_diagonal(whole)
    product = float((found * expected).sum())
    length = float(np.linalg.norm(expected))
    spread = float(np.sqrt(2 * ((found * expected) ** 2).sum()))
    if not spread > 0 or not length > 0:
        return Agreement(0.0, 0.0, cosine, 0.0)
    random = np.random.default_rng(seed)
    share = product / length
    own = max(_own_square(rows, random), share**2)  # never shorter than its part along expected
    value = max(share, 0.0) / max(float(np.sqrt(own)), 1e-300)
    return Agreement(value, product / spread, cosine, directions)


def _own_square(rows: NDArray[np.float64], random: np.random.Generator) -> float:
    """Squared length of the covariance behind these rows: the product of the covariances of two
    halves, over several ways to halve them. Its own square would mostly be noise of few rows."""
    if len(rows) < 4:
        return 0.0
    products = []
    for _ in range(HALVINGS):
        turn = random.permutation(len(rows))
        first, second = (_off_diagonal(np.cov(rows[turn[side::2]].T)) for side in (0, 1))
        products.append(float((first * second).sum()))
    return float(np.mean(products))


def _expected(
    learnt: Statistics, here: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and covariance (without diagonal) that the canonical form has, to first order.

    With u the mean of the rows without their own mean, and c² their mean square, a row (u + e) / |u
    + e| varies as e / c, less the part of e along u, which the length takes away: all of it where u
    is long, little where it is short.
    """
    mean = learnt.mean[here].astype(np.float64)
    covariance = learnt.covariance[np.ix_(here, here)].astype(np.float64)
    mean -= mean.mean()
    covariance -= covariance.mean(axis=0)
    covariance -= covariance.mean(axis=1, keepdims=True)
    square = float(mean @ mean)
    whole = square + float(np.trace(covariance))
    if square > 0:
        along = mean / np.sqrt(square)
        less = np.eye(len(mean)) - (square / whole) * np.outer(along, along)
        covariance = less @ covariance @ less
    return mean, _off_diagonal(covariance / max(whole, 1e-300))


def _off_diagonal(square: NDArray[np.floating]) -> NDArray[np.float64]:
    found = np.array(square, dtype=np.float64, ndmin=2)
    np.fill_diagonal(found, 0.0)
    return found
