"""Which value of leaked templates is which, told by statistics of templates of the same backbone.

What leaked may lack the order of its values, or the positions of those that are there. An attacker
who can run the backbone knows how each of its dimensions is distributed and how they go together;
another sample of people has nearly the same statistics.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp

from biometrics.errors import InputError
from biometrics.templates import check_finite

QUANTILES = np.linspace(0.025, 0.975, 20)
SHARPNESS = (0.5, 1.0, 2.0)
"""How far likeness falls with the typical difference of a value from the one most like it."""

WIDTHS = (0.05, 0.1, 0.2)
"""How far eigenvalues may lie apart that are taken for the same. Which of these and of the above
serves best depends on how many templates leaked; all are tried."""

BALANCINGS = 30
ROUNDING = 1e-3
"""So near to length 1, or to a mean of 0 in spreads, templates were brought to it."""

EPS = 1e-12

ROUNDS = 100
"""Refinements at most; they come to rest after about ten where the statistics say enough."""

Matrix = NDArray[np.float64]


def match_dimensions(
    leaked: NDArray[np.floating], known: NDArray[np.floating], *, ordered: bool
) -> NDArray[np.intp]:
    """The dimension that each leaked value most likely is.

    Values are told apart by their distribution at first: quantiles relative to the spread, and how
    strongly a value goes together with the others at all. Then by which others it goes together
    with, as these were last assigned, until nothing changes (the Frank-Wolfe steps of J. Vogelstein
    et al., "Fast Approximate Quadratic Programming for Graph Matching", 2015, each taken whole, on
    correlations). Where all values are there without an order, the eigenvectors of the correlations
    give other starts. Of all assignments met, the one that fits best is kept.

    It can tell no more than the statistics: where all dimensions are distributed alike and do not
    correlate, as after whitening, the answer is a guess.

    Args:
        leaked: templates [N, K], N at least 2.
        known: whole templates [M, D] of other people, of the same scale; they are brought to length
            1, and centred, where the leaked ones are.
        ordered: whether the leaked values stand in the order of the dimensions.

    Returns:
        K different positions in [0, D); rising where ``ordered``.

    Raises:
        InputError: fewer than two templates, more values than dimensions, or NaN or infinity.
    """
    if min(len(leaked), len(known)) < 2 or leaked.shape[1] > known.shape[1]:
        raise InputError(
            "dimensions are matched between two or more templates of at most as many values, got "
            f"{list(leaked.shape)} and {list(known.shape)}"
        )
    check_finite(leaked)
    check_finite(known)
    known = _brought_to_form(leaked, known)
    search = _Search(_correlations(leaked), _correlations(known), _marginals(leaked, known))
    likely = search.alone + _profiles(search.mine, search.theirs)
    starts = [assign(likely, ordered=ordered)]
    if not ordered and leaked.shape[1] == known.shape[1]:
        # At least a thousandth of what others differ by: a perfect match is no scale.
        typical = max(float(np.median(likely.min(axis=1))), float(np.median(likely)) / 1e3, EPS)
        for sharp, width in itertools.product(SHARPNESS, WIDTHS):
            alike = _doubly_stochastic(-likely * (sharp / typical))
            fit = _spectral(search.mine, search.theirs, alike, width)
            starts.append(assign(-fit, ordered=False))
    found = [search.refine(start, ordered=ordered) for start in starts]
    return min(found, key=search.misfit)


class _Search(NamedTuple):
    """What an assignment is held against.

    Attributes:
        mine, theirs: correlations of the leaked [K, K] and of the known values [D, D].
        alone: what it costs to take a leaked value for a known one by their distributions, [K, D].
    """

    mine: Matrix
    theirs: Matrix
    alone: Matrix

    def misfit(self, found: NDArray[np.intp]) -> float:
        """How badly values fit, alone and in pairs; each pair stands twice in the matrix."""
        pairs = self.mine - self.theirs[np.ix_(found, found)]
        return float(self.alone[np.arange(len(found)), found].sum() + 0.5 * (pairs**2).sum())

    def refine(self, found: NDArray[np.intp], *, ordered: bool) -> NDArray[np.intp]:
        """The best of the assignments that follow from each other, beginning with ``found``."""
        best, lowest, seen = found, np.inf, set[bytes]()
        strength = (self.mine**2).sum(axis=1)[:, None]
        for _ in range(ROUNDS):
            if (misfit := self.misfit(found)) < lowest:
                best, lowest = found, misfit
            if found.tobytes() in seen:
                break
            seen.add(found.tobytes())
            company = self.theirs[:, found]  # [D, K]
            apart = strength + (company**2).sum(axis=1) - 2 * self.mine @ company.T
            found = assign(self.alone + apart, ordered=ordered)
        return best


def assign(cost: Matrix, *, ordered: bool) -> NDArray[np.intp]:
    """The column of each row of ``cost`` [K, D], all different, with the smallest sum; where
    ``ordered``, among the rising ones."""
    if not ordered:
        return np.asarray(linear_sum_assignment(cost)[1], dtype=np.intp)
    k, d = cost.shape
    # least[i, j]: rows up to i, the last of them in column j or before.
    least, total = np.empty((k, d)), np.zeros(d)
    for i in range(k):
        least[i] = np.minimum.accumulate(cost[i] + total)
        total = np.r_[np.inf, least[i, :-1]]
    found = np.empty(k, dtype=np.intp)
    end = d
    for i in reversed(range(k)):
        end = int(least[i, :end].argmin())
        found[i] = end
    return found


def _brought_to_form(leaked: NDArray[np.floating], known: NDArray[np.floating]) -> Matrix:
    """The known templates at length 1 where all leaked ones are, and without their mean where the
    mean of the leaked ones is nothing."""
    brought = np.array(known, dtype=np.float64)
    if np.allclose(np.linalg.norm(leaked, axis=1), 1.0, atol=ROUNDING):
        brought /= np.maximum(np.linalg.norm(brought, axis=1, keepdims=True), EPS)
    centre, spread = leaked.mean(axis=0, dtype=np.float64), leaked.std(axis=0, dtype=np.float64)
    if (np.abs(centre) <= ROUNDING * spread).all():
        brought -= brought.mean(axis=0)
    return brought


def _correlations(vectors: NDArray[np.floating]) -> Matrix:
    """Correlations of the columns [D, D], 0 on the diagonal and for what never changes."""
    x = vectors - vectors.mean(axis=0, dtype=np.float64)
    spread = x.std(axis=0)
    x /= np.where(spread > 0, spread, np.inf) * np.sqrt(len(x))
    found = x.T @ x
    np.fill_diagonal(found, 0.0)
    return np.asarray(found)


def _marginals(leaked: NDArray[np.floating], known: NDArray[np.floating]) -> Matrix:
    """Mean squared difference of the quantiles of leaked and known columns, in spreads of the
    known one, [K, D]."""
    mine = np.quantile(leaked, QUANTILES, axis=0).T
    theirs = np.quantile(known, QUANTILES, axis=0).T
    spread = known.std(axis=0, dtype=np.float64)
    scale = np.where(spread > 0, spread, np.median(spread) or 1.0)
    return np.asarray(_distances(mine, theirs) / (len(QUANTILES) * scale**2))


def _profiles(mine: Matrix, theirs: Matrix) -> Matrix:
    """Mean squared difference of the quantiles of the correlations of each column, [K, D], as a sum
    over K others."""
    a = np.quantile(mine, QUANTILES, axis=1).T
    b = np.quantile(theirs, QUANTILES, axis=1).T
    return _distances(a, b) * (len(mine) / len(QUANTILES))


def _doubly_stochastic(logarithms: Matrix) -> Matrix:
    """The matrix of rows and columns of sum 1 that is nearest to these logarithms [D, D] (Sinkhorn
    and Knopp's iteration)."""
    found = logarithms
    for _ in range(BALANCINGS):
        found = found - logsumexp(found, axis=1, keepdims=True)
        found = found - logsumexp(found, axis=0, keepdims=True)
    return np.asarray(np.exp(found))


def _spectral(mine: Matrix, theirs: Matrix, alike: Matrix, width: float) -> Matrix:
    """How well values fit by the eigenvectors of their correlations, [D, D]: each eigenvector goes
    with those of nearly the same eigenvalue (Z. Fan et al., "Spectral Graph Matching and
    Regularized Quadratic Relaxations", 2019, with likenesses in the place of their matrix of ones).
    """
    mine_values, mine_vectors = np.linalg.eigh(mine)
    values, vectors = np.linalg.eigh(theirs)
    weights = 1.0 / ((mine_values[:, None] - values) ** 2 + width**2)
    return np.asarray(mine_vectors @ (weights * (mine_vectors.T @ alike @ vectors)) @ vectors.T)


def _distances(a: Matrix, b: Matrix) -> Matrix:
    """Squared distances of rows [K, Q] and [D, Q], [K, D]."""
    found = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2.0 * a @ b.T
    return np.asarray(np.maximum(found, 0.0))
