"""Templates from scores alone.

A black box that keeps its templates to itself but says how alike a stored template and any face are
gives the template away. The attacker embeds faces that he holds with the same model and asks for
their scores. Every score is one linear equation about the unknown template x:

* the cosine with a known template k of length one is ``s = u·k``, where u is the direction of x;
* minus the L2 distance squared is ``s² = |x|² - 2 x·k + |k|²``, linear in x and in ``|x|²``.

D linearly independent cosine scores therefore fix the direction, and D + 1 distances to templates
that lie in no common hyperplane fix the template. With fewer, or with rounded scores, faces that
the attacker holds say what templates look like: their mean and covariance are the prior, and the
answer is the mean of the posterior (the best linear estimate, whatever the distribution is).

Rounding to d decimals is an error spread evenly over ``10^-d``, of variance ``10^-2d / 12``; this,
or another error that the attacker knows of, and the precision of the scores' own number type decide
how far each equation is trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from biometrics.backbones.base import Similarity
from biometrics.errors import InputError

Matrix = NDArray[np.float64]
EPSILON = float(np.finfo(np.float64).eps)
ROUNDING = 1.0 / np.sqrt(12.0)
"""Standard deviation of an error spread evenly over an interval of length one."""


@dataclass(frozen=True)
class Prior:
    """What faces at hand say of templates.

    Attributes:
        similarity: of the model; it decides what is unknown (see :func:`fit_prior`).
        mean: float64 [P].
        root: symmetric square root of the covariance, float64 [P, P].
        length: mean length of a template. Cosine scores say nothing of it.
    """

    similarity: Similarity
    mean: Matrix
    root: Matrix
    length: float


class _Equations(NamedTuple):
    """``matrix [M, P] @ unknown [P] = right [N, M]``; ``size`` is the length of the longest row
    that was subtracted from another: what is left below its rounding means nothing."""

    matrix: Matrix
    right: Matrix
    size: float = 0.0


def fit_prior(templates: NDArray[np.floating], similarity: Similarity) -> Prior:
    """Mean and covariance of the attacker's templates [N, D].

    Unknown are the direction (cosine, P = D) or the template and its squared length together (L2,
    P = D + 1). The covariance is shrunk as by Ledoit and Wolf ("A well-conditioned estimator for
    large-dimensional covariance matrices", 2004), so that few faces do not forbid any direction.

    Raises:
        InputError: fewer than two templates, or numbers that are not finite.
    """
    rows = finite_rows(templates, "templates of the attacker")
    if len(rows) < 2:
        raise InputError(f"a prior needs two templates or more, got {len(rows)}")
    length = float(np.linalg.norm(rows, axis=1).mean())
    if similarity == "cosine":
        unknowns, scale = directions(rows), np.ones(rows.shape[1])
    else:
        squares = np.einsum("nd,nd->n", rows, rows)
        unknowns = np.column_stack([rows, squares])
        # Shrinking pulls towards equal variances: the squared length is measured to fit the rest.
        spread = float(np.sqrt(rows.var(axis=0).mean()))
        ratio = squares.std() / spread if squares.std() > 1e-6 * squares.mean() else 1.0
        scale = np.append(np.ones(rows.shape[1]), ratio)
    covariance = ledoit_wolf(unknowns / scale)[0]
    values, vectors = np.linalg.eigh(covariance * np.outer(scale, scale))
    root = (vectors * np.sqrt(values.clip(0.0))) @ vectors.T
    return Prior(similarity, unknowns.mean(axis=0), root, length)


def recover(
    scores: NDArray[np.floating],
    known: NDArray[np.floating],
    similarity: Similarity,
    *,
    decimals: int | None = None,
    error: float | NDArray[np.floating] | None = None,
    prior: Prior | None = None,
) -> NDArray[np.float32]:
    """Templates from their scores against known faces.

    Args:
        scores: [N, M], what the black box answers: the cosine, or minus the L2 distance. Column m
            belongs to known face m. All N targets are solved with one factorisation.
        known: the templates of the attacker's M faces [M, D].
        similarity: how the black box compares.
        decimals: the scores were rounded to so many decimals; None where they were not.
        error: in the place of it, the standard deviation of the errors of the scores: of all, or of
            those of each known face [M].
        prior: from :func:`fit_prior`. Without one the answer is the smallest that fits: as near as
            possible to the mean of the known faces (L2) or to zero (cosine); rounded scores are
            then weighed against the variance of the known faces.

    Returns:
        Templates float32 [N, D]. From cosine scores only the direction is found: their length is
        the prior's mean length, or one.

    Raises:
        InputError: shapes that disagree, numbers that are not finite, a prior of another kind, or
            an error below zero.
    """
    faces = finite_rows(known, "known templates")
    said = finite_rows(scores, "scores")
    if said.shape[1] != len(faces):
        raise InputError(f"{said.shape[1]} scores a target, but {len(faces)} known templates")
    prior = _checked(prior, similarity, faces.shape[1])
    precise = [float(np.finfo(a.dtype).eps) for a in (scores, known) if a.dtype.kind == "f"]
    precision = max(precise, default=EPSILON)
    spread = _spread(decimals, error, len(faces))
    weight = _score_error(faces, similarity, prior, precision, spread)
    equal = max(faces.shape) * precision
    if similarity == "cosine":
        believed = prior or _isotropic(np.zeros(faces.shape[1]), 1.0 / faces.shape[1], "cosine")
        found = directions(_solve(_Equations(directions(faces), said), believed, weight, equal))
        return (found * (prior.length if prior else 1.0)).astype(np.float32)
    matrix, squares = lift(faces)
    lifted = _Equations(matrix, said * said - squares)
    if prior is not None:
        return _solve(lifted, prior, weight, equal)[:, :-1].astype(np.float32)
    believed = _isotropic(faces.mean(axis=0), float(faces.var(axis=0).mean()), "l2")
    return _solve(_without_last(lifted, weight), believed, weight, equal).astype(np.float32)


def _solve(equations: _Equations, prior: Prior, error: Matrix, equal: float) -> Matrix:
    """Mean of the posterior of the unknowns [N, P]; ``error`` [M] is each equation's deviation.

    With x = mean + root z, z standard normal, and each equation divided by its error, this is a
    ridge regression of weight one, solved by singular values. Those that are rounding only are left
    out: equations that depend on each other say nothing twice.
    """
    known = equations.matrix @ prior.mean
    u, s, vt = np.linalg.svd((equations.matrix @ prior.root) / error[:, None], full_matrices=False)
    rounded = equations.size * np.linalg.norm(prior.root, 2) / error.min()
    kept = s > equal * max(s.max(), rounded)
    shrink = np.where(kept, s / (s * s + 1.0), 0.0)
    answers = ((equations.right - known) / error) @ u
    found: Matrix = prior.mean + (answers * shrink) @ vt @ prior.root
    return found


def _without_last(equations: _Equations, error: Matrix) -> _Equations:
    """The equations less their weighted mean, in which an unknown with factor one falls out.

    Of the right sides the mean need not be taken: divided by the errors, all columns are now at
    right angles to what the right sides share.
    """
    weight = error**-2.0
    weight /= weight.sum()
    matrix = equations.matrix[:, :-1]
    size = float(np.linalg.norm(matrix, axis=1).max())
    return _Equations(matrix - weight @ matrix, equations.right, size)


def _score_error(
    faces: Matrix,
    similarity: Similarity,
    prior: Prior | None,
    precision: float,
    spread: Matrix,
) -> Matrix:
    """Standard deviation of the error in each equation's right side [M]; ``spread`` [M] is that of
    the scores, but for the precision of their number type.

    It uses what a score is expected to be, not what it is, so that a target's answer does not
    depend on the others of the batch.
    """
    if similarity == "cosine":
        size = np.ones(len(faces))
    else:
        centre = faces.mean(axis=0) if prior is None else prior.mean[:-1]
        variance = faces.var(axis=0).sum() if prior is None else (prior.root[:-1] ** 2).sum()
        size = np.sqrt(((faces - centre) ** 2).sum(axis=1) + variance)
    score = np.hypot(spread, max(precision, EPSILON) * size * ROUNDING)
    # The square of s + e is s² + 2 s e but for e².
    error: Matrix = score if similarity == "cosine" else 2.0 * size * score
    return np.maximum(error, np.finfo(np.float64).tiny ** 0.5)


def _spread(decimals: int | None, error: float | NDArray[np.floating] | None, count: int) -> Matrix:
    """Standard deviation of the errors that the scores are said to have [M]."""
    if decimals is not None and error is not None:
        raise InputError("scores have either decimals or an error")
    step = 0.0 if decimals is None else 10.0**-decimals * ROUNDING
    found = np.asarray(step if error is None else error, dtype=np.float64)
    if found.shape not in ((), (count,)) or not (found >= 0.0).all() or np.isinf(found).any():
        raise InputError(f"the error of {count} scores is one number from 0, or one of each")
    return np.broadcast_to(found, (count,))


def _isotropic(mean: Matrix, variance: float, similarity: Similarity) -> Prior:
    return Prior(similarity, mean, np.sqrt(variance) * np.eye(len(mean)), 1.0)


def _checked(prior: Prior | None, similarity: Similarity, dim: int) -> Prior | None:
    if prior is None:
        return None
    expected = dim if similarity == "cosine" else dim + 1
    if prior.similarity != similarity or len(prior.mean) != expected:
        raise InputError(
            f"the prior is of {len(prior.mean)} unknowns for {prior.similarity} scores; these "
            f"templates need {expected} for {similarity}"
        )
    return prior


def lift(faces: Matrix) -> tuple[Matrix, Matrix]:
    """What a squared distance is made of: ``matrix @ (x, |x|²) + squares`` is the squared
    distance of x to each known face; matrix [M, D + 1] and squares [M]."""
    matrix = np.column_stack([-2.0 * faces, np.ones(len(faces))])
    return matrix, np.einsum("md,md->m", faces, faces)


def directions(rows: Matrix) -> Matrix:
    """Rows of length one; a zero row stays."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0.0, length, 1.0)


def finite_rows(values: NDArray[np.floating], what: str) -> Matrix:
    """A table in double precision.

    Raises:
        InputError: no table [N, D], or numbers that are not finite; ``what`` names it.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or not array.size:
        raise InputError(f"{what}: expected a table with rows and columns, got {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"{what}: {(~np.isfinite(array)).sum()} numbers are not finite")
    return array
