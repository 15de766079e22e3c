"""Templates from yes and no alone.

A matcher that accepts or rejects, and says no more, still gives its templates away. The attacker
hands in faces of which he knows the templates. Where one is accepted, the similarity to the unknown
template is above the threshold, elsewhere below: every answer is half a space in which the template
lies, or rather a soft one, for what stands between the similarity and the answer is not known
exactly. With the attacker's own faces as the prior (as in :mod:`attacks.score_search`) this is a
probit regression, and what is given back is where its posterior is highest. Where nothing is
accepted the rejections alone speak, and the answer stays near the mean.

The mode is found by expectation and maximisation (J. Albert, S. Chib, "Bayesian analysis of binary
and polychotomous response data", 1993): given the expected scores, templates follow from one
factorisation for all targets. The steps are accelerated (Y. Nesterov, 1983), and begin anew where
they go astray (B. O'Donoghue, E. Candès, "Adaptive restart for accelerated gradient schemes",
2015).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from attacks.score_search import Matrix, Prior, directions, finite_rows, lift
from biometrics.errors import InputError

SOFTNESS = 0.3
"""Least softness of an answer, as a share of what the prior leaves open in its score. Where every
answer is exact, the mode lies on the border of what was answered and not within; softened, it moves
inside, and the steps are few. Values from .2 to .5 do alike."""

MOST_STEPS = 200
LEAST_CHANGE = 1e-3
"""A step that moves nothing by more, in standard deviations of the prior, is the last."""


def recover_from_decisions(
    accepted: NDArray[np.bool_],
    known: NDArray[np.floating],
    prior: Prior,
    *,
    threshold: float,
    error: float = 0.0,
) -> NDArray[np.float32]:
    """Templates float32 [N, D] from what a matcher accepted.

    Args:
        accepted: bool [N, M]; column m belongs to known face m.
        known: the templates of the attacker's M faces [M, D].
        prior: from :func:`attacks.score_search.fit_prior`; it says how the matcher compares.
        threshold: accepted where the similarity is at or above it.
        error: standard deviation of what else moves the similarity before it is compared.

    Returns:
        Templates; from the cosine as long as the answers are sure, at most the mean length.

    Raises:
        InputError: shapes that disagree, numbers that are not finite, or an error below zero.
    """
    faces = finite_rows(known, "known templates")
    dim = len(prior.mean) - (prior.similarity == "l2")
    if accepted.ndim != 2 or accepted.dtype != bool or accepted.shape[1] != len(faces):
        raise InputError(
            f"expected yes or no [N, {len(faces)}], got {accepted.dtype} {list(accepted.shape)}"
        )
    if faces.shape[1] != dim:
        raise InputError(f"the prior is of templates of {dim} values, got {faces.shape[1]}")
    if not (np.isfinite(threshold) and 0.0 <= error < np.inf):
        raise InputError(f"no threshold and error: {threshold}, {error}")
    if prior.similarity == "cosine":
        matrix, level, spread = directions(faces), np.full(len(faces), threshold), error
    else:  # accepted where minus the squared distance is at or above minus that of the threshold
        lifted, squares = lift(faces)
        distance = max(-threshold, 0.0)
        matrix, level, spread = -lifted, squares - distance**2, 2.0 * distance * error
    rows = matrix @ prior.root
    softness = np.hypot(spread, SOFTNESS * np.linalg.norm(rows, axis=1))[:, None]
    softness = np.maximum(softness, np.finfo(np.float64).tiny ** 0.5)
    offset = (matrix @ prior.mean - level)[:, None] / softness
    found: Matrix = prior.mean + _mode(accepted, rows / softness, offset[:, 0]) @ prior.root
    if prior.similarity == "l2":
        return found[:, :-1].astype(np.float32)
    found *= prior.length / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1.0)
    return found.astype(np.float32)


def _mode(accepted: NDArray[np.bool_], matrix: Matrix, offset: Matrix) -> Matrix:
    """Mode of z [N, P], standard normal, where ``matrix @ z + offset`` [N, M] with standard normal
    noise was above zero or not."""
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    sign = np.where(accepted, 1.0, -1.0)
    damped = 1.0 + s * s
    now = np.zeros((len(accepted), len(s)))
    ahead, momentum = now, np.ones((len(accepted), 1))
    for _ in range(MOST_STEPS):
        # How much further on its side the noisy score is expected to lie, given the answer.
        reach = sign * ((ahead * s) @ u.T + offset)
        pull = sign * np.exp(-0.5 * (reach * reach + np.log(2.0 * np.pi)) - log_ndtr(reach))
        found = (s * s * ahead + s * (pull @ u)) / damped
        step = found - now
        astray = ((ahead - found) * step * damped).sum(axis=1, keepdims=True) > 0.0
        momentum = np.where(astray, 1.0, momentum)
        following = (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        ahead = found + (momentum - 1.0) / following * step
        now, momentum = found, following
        if np.abs(step).max() < LEAST_CHANGE:
            break
    mode: Matrix = now @ vt
    return mode
