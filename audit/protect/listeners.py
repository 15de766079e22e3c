"""Attackers who get no template: they hand in faces of their own and hear scores, or yes and no."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attacks.protected_scores import ScoreSearch, search_scores
from audit.protect.decoders import own_keys
from audit.protect.system import System
from biometrics.metrics.scores import similarity_matrix
from biometrics.protection.base import Keys, Vectors


def heard(system: System, stored: Vectors, keys: Keys, known: Vectors) -> NDArray[np.float32]:
    """Scores of stored templates [N, P] with plain ones [M, D] that come to the matcher, which
    protects them under the key of each stored one: float32 [N, M]."""
    scores = np.empty((len(stored), len(known)), dtype=np.float32)
    for key in np.unique(keys):
        rows = np.flatnonzero(keys == key)
        probes = system.scheme.protect(known, int(key))
        scores[rows] = similarity_matrix(stored[rows], probes, system.kind)
    return scores


def from_scores(system: System) -> Vectors:
    """Templates [N, D] from the scores of the leaked rows with the attacker's own faces."""
    told, known = _heard(system)
    return _search(system).recover(told, known)


def from_decisions(system: System, threshold: float) -> Vectors:
    """Templates [N, D] from which of the attacker's own faces are accepted at a threshold."""
    told, known = _heard(system)
    return _search(system).recover_from_decisions(told >= threshold, known, threshold=threshold)


def _heard(system: System) -> tuple[NDArray[np.float32], Vectors]:
    bench = system.bench
    known = bench.clean(bench.target, bench.known)
    keys = system.keys(bench.rows)
    return heard(system, system.stored.templates, keys, known), known


def _search(system: System) -> ScoreSearch:
    """How protected scores follow plain ones, learnt on the attacker's own people under keys of the
    attacker's own."""
    bench = system.bench
    own = bench.clean(bench.target, bench.people.split.attacker)
    keys = np.unique(own_keys(system, system.n_keys, "heard"))
    seed = bench.seed_of("heard")
    return search_scores(system.scheme, own, keys.tolist(), sample=bench.sizes.sample, seed=seed)
