"""Fréchet distance between two sets of feature vectors, each taken for a Gaussian.

With the features of pytorch-fid's Inception network (see inception.py) it is the FID; in any other
space, such as a judge's templates, it goes under that space's name and never as FID.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RANK_TOLERANCE = 2e-15
"""Eigenvalues of a covariance below this share of the largest are rounding of zero. Their roots are
not small (the root of 1e-16 is 1e-8), and a singular covariance has hundreds of them."""

FEW = 2048
"""Customary least number of pictures for an FID; below, its bias is no longer small."""


@dataclass(frozen=True)
class Gaussian:
    """Mean [D] and unbiased covariance [D, D], float64, of n feature vectors."""

    n: int
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


class Moments:
    """Running mean and covariance in float64; holds D x D numbers whatever the number of vectors.

    Source of the update: T. Chan, G. Golub, R. LeVeque, "Updating formulae and a pairwise
    algorithm for computing sample variances", 1979. Unlike a running sum of squares it keeps its
    digits where the mean is large beside the spread.
    """

    def __init__(self, dim: int) -> None:
        self._n = 0
        self._mean = np.zeros(dim)
        self._scatter = np.zeros((dim, dim))

    def add(self, features: NDArray[np.floating]) -> None:
        """Take in a batch [B, D]; the result does not depend on how batches are cut.

        Raises:
            ValueError: another shape, or values that are not finite.
        """
        batch = np.asarray(features, dtype=np.float64)
        if batch.ndim != 2 or batch.shape[1] != len(self._mean):
            raise ValueError(f"expected features [B, {len(self._mean)}], got {list(batch.shape)}")
        if not np.isfinite(batch).all():
            raise ValueError("features are not finite")
        if not len(batch):
            return
        mean, total = batch.mean(axis=0), self._n + len(batch)
        centred, step = batch - mean, mean - self._mean
        self._scatter += centred.T @ centred
        self._scatter += np.outer(step, step) * (self._n * len(batch) / total)
        self._mean += step * (len(batch) / total)
        self._n = total

    def gaussian(self) -> Gaussian:
        """What was taken in so far.

        Raises:
            ValueError: fewer than two vectors have no covariance.
        """
        if self._n < 2:
            raise ValueError(f"a covariance needs two feature vectors or more, got {self._n}")
        return Gaussian(self._n, self._mean.copy(), self._scatter / (self._n - 1))


def gaussian_of(features: NDArray[np.floating]) -> Gaussian:
    """Mean and covariance of features [N, D]; memory-mapped ones are read in blocks.

    Raises:
        ValueError: as :class:`Moments`.
    """
    moments = Moments(features.shape[1])
    for start in range(0, len(features), FEW):
        moments.add(np.asarray(features[start : start + FEW]))
    return moments.gaussian()


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two Gaussians, at least 0.

    d² = |m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½). The product S1 S2 is not symmetric, but has the
    eigenvalues of R' S2 R for any R with R R' = S1, which is: so the trace of its root is the sum
    of the roots of those. R is taken on the range of S1 only, which keeps the rounding of zero
    eigenvalues out and makes singular covariances (fewer pictures than dimensions) no special case.

    Source: D. Dowson, B. Landau, "The Fréchet distance between multivariate normal distributions",
    1982, eq. 4; M. Heusel et al., "GANs trained by a two time-scale update rule converge to a local
    Nash equilibrium", 2017, eq. 6.

    Raises:
        ValueError: dimensions that disagree.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"features of {len(a.mean)} and {len(b.mean)} numbers")
    first, second = (a, b) if a.n <= b.n else (b, a)  # the smaller range first
    step = a.mean - b.mean
    root = _range_root(first.covariance)
    values = np.linalg.eigvalsh(root.T @ second.covariance @ root)
    common = np.sqrt(values.clip(min=0.0)).sum()
    spread = np.trace(a.covariance) + np.trace(b.covariance) - 2.0 * common
    return max(0.0, float(step @ step + spread))


def _range_root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """R [D, rank] with R R' = covariance."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > RANK_TOLERANCE * max(0.0, float(values[-1]))
    root: NDArray[np.float64] = vectors[:, kept] * np.sqrt(values[kept])
    return root
