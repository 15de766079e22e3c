"""DET and ROC curves, equal error rate, area under the ROC and histograms, on raw scores.

Scores are never squashed into [0, 1]: every figure depends on their order alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biometrics.metrics.pairs import Groups, group, mated_pairs
from biometrics.metrics.scores import Similarity, pair_scores
from biometrics.metrics.verification import SLACK, nonmated_blocks

EXACT_PAIRS = 1 << 24
"""Up to this many non-mated picture pairs (5,800 pictures) every score is kept. Beyond, non-mated
scores are rounded to a 2^20th of their range, which bounds memory to some MB."""

LEVELS = 1 << 20


class WeightedScores(NamedTuple):
    """Scores [K] and their weights [K], or None where all weigh the same."""

    scores: NDArray[np.floating]
    weights: NDArray[np.float64] | None = None


class Comparisons(NamedTuple):
    """Mated and non-mated scores of one template set; the weights of each sum to 1 and give every
    subject, or every pair of subjects, the same share."""

    mated: WeightedScores
    nonmated: WeightedScores


class DetCurve(NamedTuple):
    """Error rates at float64 [T] thresholds, FMR ascending. The ROC is ``tmr`` over ``fmr``."""

    thresholds: NDArray[np.float64]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]

    @property
    def tmr(self) -> NDArray[np.float64]:
        """True match rates, float64 [T]."""
        return 1.0 - self.fnmr


class Histograms(NamedTuple):
    """Shares [B] of each named score set between the edges [B + 1]."""

    edges: NDArray[np.float64]
    shares: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Distribution:
    """Sorted scores with the share of the weight at and above each.

    Attributes:
        scores: ascending [K].
        tail: float64 [K + 1]; ``tail[i]`` is the share of ``scores[i:]``, ``tail[K]`` is 0.
    """

    scores: NDArray[np.floating]
    tail: NDArray[np.float64]

    @classmethod
    def of(cls, sample: WeightedScores) -> Distribution:
        """Sort a sample.

        Raises:
            ValueError: where it is empty or holds NaN.
        """
        scores = np.asarray(sample.scores)
        if scores.size == 0 or np.isnan(scores).any():
            raise ValueError(f"expected at least one score and no NaN, got {scores.size} scores")
        order = np.argsort(scores)
        weights = np.ones(len(scores)) if sample.weights is None else sample.weights[order]
        tail = np.append(np.cumsum(weights[::-1])[::-1], 0.0)
        return cls(scores[order], tail / tail[0])

    def at_least(self, thresholds: ArrayLike) -> NDArray[np.float64]:
        """Share of the weight with score >= threshold."""
        return self.tail[np.searchsorted(self.scores, thresholds, side="left")]

    def above(self, thresholds: ArrayLike) -> NDArray[np.float64]:
        """Share of the weight with score > threshold."""
        return self.tail[np.searchsorted(self.scores, thresholds, side="right")]

    def thresholds_at(self, rates: NDArray[np.float64]) -> NDArray[np.float64]:
        """For each rate the smallest threshold that accepts at most this share: the number next
        above the highest rejected score, or the lowest score where all may be accepted."""
        first = np.searchsorted(-self.tail, -rates * (1.0 + SLACK), side="left")
        rejected = self.scores[np.maximum(first, 1) - 1]
        above = np.nextafter(rejected, np.array(np.inf, dtype=rejected.dtype))
        thresholds: NDArray[np.float64] = np.where(first > 0, above, self.scores[0]).astype(float)
        return thresholds


def comparisons(
    templates: NDArray[np.floating],
    subjects: ArrayLike,
    kind: Similarity,
    *,
    exact_pairs: int = EXACT_PAIRS,
) -> Comparisons:
    """All scores among templates [N, D] of ``subjects`` [N], with subject weights.

    Above ``exact_pairs`` non-mated pairs their scores are bin centres, off by at most a 2^21st of
    the possible range.

    Raises:
        ValueError: no subject has two pictures, or there is only one subject.
    """
    groups = group(subjects)
    pairs = mated_pairs(groups)
    if len(pairs.first) == 0 or groups.n_subjects < 2:
        raise ValueError("comparisons need two subjects, one of them with two pictures")
    owner = groups.index[pairs.first]
    per_subject = np.bincount(owner)
    weights = 1.0 / (per_subject[owner] * np.count_nonzero(per_subject))
    mated = WeightedScores(pair_scores(templates, templates, pairs, kind), weights)
    n = len(groups.index)
    n_nonmated = (n * n - int((groups.counts**2).sum())) // 2
    collect = _every_score if n_nonmated <= exact_pairs else _rounded_scores
    return Comparisons(mated, collect(templates, groups, kind))


def det_curve(mated: WeightedScores, nonmated: WeightedScores, *, points: int = 200) -> DetCurve:
    """Error rates at up to ``points`` FMRs, evenly spaced in their logarithm between the smallest
    that is not zero and 1. Each point is the smallest threshold with at most that FMR; points that
    coincide are given once."""
    genuine, impostor = Distribution.of(mated), Distribution.of(nonmated)
    lowest = float(impostor.at_least(impostor.scores[-1]))
    targets = np.geomspace(lowest, 1.0, points)
    thresholds = np.unique(impostor.thresholds_at(targets))[::-1]
    cuts = thresholds.astype(impostor.scores.dtype)
    return DetCurve(thresholds, impostor.at_least(cuts), 1.0 - genuine.at_least(cuts))


def eer(mated: WeightedScores, nonmated: WeightedScores) -> float:
    """Equal error rate: where the polyline through all (FMR, FNMR) points crosses the diagonal."""
    genuine, impostor = Distribution.of(mated), Distribution.of(nonmated)
    scores = np.union1d(genuine.scores, impostor.scores)
    cuts = np.append(scores, np.array(np.inf, dtype=scores.dtype))

    def fmr_fnmr(position: int) -> tuple[float, float]:
        cut = cuts[position]
        return float(impostor.at_least(cut)), 1.0 - float(genuine.at_least(cut))

    def crossed(position: int) -> bool:
        fmr, fnmr = fmr_fnmr(position)
        return fnmr >= fmr

    # At the lowest score FMR = 1 > FNMR = 0, at infinity the reverse: 1 <= after < len(cuts).
    after = bisect_left(range(len(cuts)), True, key=crossed)
    (fmr0, fnmr0), (fmr1, fnmr1) = fmr_fnmr(after - 1), fmr_fnmr(after)
    step = (fmr0 - fnmr0) / ((fmr0 - fnmr0) - (fmr1 - fnmr1))
    return fmr0 + step * (fmr1 - fmr0)


def roc_auc(mated: WeightedScores, nonmated: WeightedScores) -> float:
    """Probability that a mated score exceeds a non-mated one, ties counting half."""
    genuine, impostor = Distribution.of(mated), Distribution.of(nonmated)
    below = 1.0 - (impostor.at_least(genuine.scores) + impostor.above(genuine.scores)) / 2.0
    return float(-np.diff(genuine.tail) @ below)


def score_histograms(
    sets: Mapping[str, WeightedScores], kind: Similarity, *, bins: int = 100
) -> Histograms:
    """Histograms of named score sets over the same edges.

    The edges span [-1, 1] for the cosine and [-2, 0] for minus the distance (all that unit
    templates can reach), further down to a whole number where scores lie lower. The shares of a
    set sum to 1 less the share of its NaN scores (reconstructions without a template).
    """
    low, high = (-1.0, 1.0) if kind == "cosine" else (_lowest(sets), 0.0)
    edges = np.linspace(low, high, bins + 1)
    return Histograms(edges, {name: _shares(sample, edges) for name, sample in sets.items()})


def _lowest(sets: Mapping[str, WeightedScores]) -> float:
    minima = [np.nanmin(s.scores) for s in sets.values() if not np.isnan(s.scores).all()]
    return float(np.floor(min([-2.0, *minima])))


def _shares(sample: WeightedScores, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    scores = np.asarray(sample.scores, dtype=np.float64)
    weights = np.ones(len(scores)) if sample.weights is None else sample.weights
    counts: NDArray[Any] = np.histogram(scores, edges, weights=weights)[0]
    return counts / max(float(weights.sum()), np.finfo(float).tiny)


def _every_score(
    templates: NDArray[np.floating], groups: Groups, kind: Similarity
) -> WeightedScores:
    blocks = list(nonmated_blocks(templates, groups, kind))
    scores = np.concatenate([block.scores for block in blocks])
    return WeightedScores(scores, np.concatenate([block.weights for block in blocks]))


def _rounded_scores(
    templates: NDArray[np.floating], groups: Groups, kind: Similarity
) -> WeightedScores:
    reach = 2.0 * float(np.linalg.norm(templates, axis=1).max()) or 1.0
    low, high = (-1.0, 1.0) if kind == "cosine" else (-reach, 0.0)
    width = (high - low) / LEVELS
    weights = np.zeros(LEVELS)
    for block in nonmated_blocks(templates, groups, kind):
        level = ((block.scores - low) / width).astype(np.int64)
        weights += np.bincount(np.clip(level, 0, LEVELS - 1), block.weights, LEVELS)
    used = np.flatnonzero(weights)
    return WeightedScores((low + (used + 0.5) * width).astype(np.float32), weights[used])
