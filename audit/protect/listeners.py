"""Attackers who get no template: they hand in faces of their own and hear scores, or yes and no."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attacks.protected_scores import ScoreSearch, recover_from_decisions
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
    """Templates [N, D] from the scores of the leaked rows with the attacker's own faces.

    How protected scores follow plain ones is learnt on the attacker's own people, under keys of the
    attacker's own.
    """
    bench = system.bench
    known = bench.clean(bench.target, bench.known)
    own = bench.clean(bench.target, bench.sample)
    keys = own_keys(system, len(own), "heard")
    told = heard(system, system.scheme.protect_each(own, keys), keys, known)
    search = ScoreSearch.learnt(told, own, known, bench.population, bench.models.target_similarity)
    leaked = heard(system, system.stored.templates, system.keys(bench.rows), known)
    return search.recover(leaked)


def from_decisions(system: System, threshold: float) -> Vectors:
    """Templates [N, D] from which of the attacker's own faces are accepted at a threshold."""
    bench = system.bench
    known = bench.clean(bench.target, bench.known)
    told = heard(system, system.stored.templates, system.keys(bench.rows), known)
    return recover_from_decisions(told >= threshold, known, bench.population)
