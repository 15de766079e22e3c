"""The linear map that undoes what was done to pictures, in template space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.stress.bench import Vectors
from biometrics.metrics.scores import Similarity, similarity_matrix
from biometrics.template_map import TemplateMap, fit_template_map

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)

HELD_OUT = 4
"""One pair in so many chooses the penalty."""


def undoing(transformed: Vectors, clean: Vectors, kind: Similarity, *, seed: int) -> TemplateMap:
    """The map from templates [N, D] of transformed pictures to those [N, D] of the clean ones.

    Eq. 6 of Krizaj et al. 2024 is plain least squares; here as a ridge, for an attacker with few
    pictures. The penalty that predicts templates best serves recognition worse, since it drops
    what varies least, and people are told apart by that too. So it is the one under which pairs
    held out are told from strangers best (:func:`separation`), and the map is then learnt on all
    pairs. Nothing but these pairs is looked at.
    """
    order = np.random.default_rng(seed).permutation(len(clean))
    held, kept = order[::HELD_OUT], np.setdiff1d(order, order[::HELD_OUT])
    unit = kind == "cosine"

    def told_apart(penalty: float) -> float:
        tried = fit_template_map(transformed[kept], clean[kept], unit=unit, ridges=(penalty,))
        scores = similarity_matrix(tried.apply(transformed[held]), clean[held], kind)
        return separation(scores)

    best = max(PENALTIES, key=told_apart)
    return fit_template_map(transformed, clean, unit=unit, ridges=(best,))


def separation(scores: NDArray[np.floating]) -> float:
    """How far the diagonal of scores [N, N] lies above the rest: the difference of the means over
    the root of the mean variance (d'). Where nothing varies, 0."""
    own = np.eye(len(scores), dtype=bool)
    mated, others = scores[own], scores[~own]
    spread = np.sqrt((mated.var(dtype=np.float64) + others.var(dtype=np.float64)) / 2)
    return float((mated.mean() - others.mean()) / spread) if spread > 0 else 0.0
