"""Ridge regression in closed form, and how well it predicts what it was not fitted on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def solve_ridge(
    vectors: NDArray[np.floating], targets: NDArray[np.floating], ridge: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean vector [D] and weights [D, K] of the ridge regression through centred targets.

    Minimises ``‖(X - mean) W - Y‖² + λ‖W‖²`` with ``λ = ridge · N · mean variance of X``. The
    targets are centred by the caller, so there is no intercept: a vector that says nothing falls on
    zero. Without a penalty, W is the smallest of the solutions (of vectors in float32: singular
    values below a millionth count as zero).

    With fewer vectors than values the solution is a combination of the vectors, ``W = Xᵀ A`` with
    ``(X Xᵀ + λI) A = Y`` (C. Saunders and others, "Ridge regression learning algorithm in dual
    variables", 1998): a system of N equations, not of D.
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    x = vectors.astype(np.float64) - mean
    y = targets.astype(np.float64)
    count, dim = x.shape
    gram = x @ x.T if count < dim else x.T @ x
    penalty = ridge * np.trace(gram) / dim
    damped = gram + penalty * np.eye(len(gram))
    if penalty > 0 and count < dim:
        weights = x.T @ np.linalg.solve(damped, y)
    elif penalty > 0:
        weights = np.linalg.solve(damped, x.T @ y)
    else:  # the normal equations may have many solutions
        weights = np.linalg.lstsq(x, y, rcond=1e-6)[0]
    return mean.astype(np.float32), weights.astype(np.float32)


def leave_one_out(
    vectors: NDArray[np.floating], targets: NDArray[np.floating], ridges: Sequence[float]
) -> NDArray[np.float64]:
    """Mean squared error of pairs, each predicted by the regression on all others: float64 [R].

    Closed form, from one singular value decomposition for all penalties: the residual of row i
    with the row in the fit, divided by ``1 - h_i``, where h is the diagonal of the matrix that
    takes targets to predictions (D. M. Allen, "The relationship between variable selection and data
    augmentation and a method for prediction", 1974, there called PRESS). The mean of the targets is
    left out with the row too.

    Args:
        vectors: [N, D], N at least 2.
        targets: [N, K]; they need not be centred.
        ridges: as in :func:`solve_ridge`, all positive; λ is that of all N rows.
    """
    x = vectors - vectors.mean(axis=0, dtype=np.float64)
    y = targets - targets.mean(axis=0, dtype=np.float64)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    along, square = u.T @ y, u * u
    # What no penalty explains, apart: with few rows it is nothing, and must not drown in rounding.
    beside, free = y - u @ along, 1.0 - 1.0 / len(x) - square.sum(axis=1)
    unit = max(float((s * s).sum()) / x.shape[1], np.finfo(np.float64).tiny)
    errors = np.empty(len(ridges))
    for i, ridge in enumerate(ridges):
        kept = ridge * unit / (s * s + ridge * unit)
        residual = beside + u @ (kept[:, None] * along)
        left = np.maximum(free + square @ kept, np.finfo(np.float64).eps)
        errors[i] = np.mean(((residual / left[:, None]) ** 2).sum(axis=1))
    return errors
