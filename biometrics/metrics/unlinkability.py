"""Whether protected templates under different keys can be told to be of one person.

Mated scores compare two protected templates of one person, non-mated ones those of two people, each
under a key of its own. From the shares p(s|m) and p(s|n) of both in the bins of one histogram:

* ``D(s) = 2 w L / (1 + w L) - 1`` where ``w L > 1`` and 0 elsewhere, with ``L = p(s|m) / p(s|n)``
  and w the prior odds of mated; 1 where only mated scores fall; and D_sys, its mean over the mated
  scores (M. Gomez-Barrero, J. Galbally, C. Rathgeb, C. Busch, "General framework to evaluate
  unlinkability in biometric template protection systems", 2018);
* maximal linkability, ``log2 sum_s max(p(s|m), p(s|n))`` in bits, 0 none and 1 all (H. Otroshi
  Shahreza, Y. Shkel, S. Marcel, "Measuring linkability of protected biometric templates using
  maximal leakage", 2023).

As in the programs of both papers, bins are of equal width from the lowest score to the highest. The
first took 100 bins at first, then a tenth of the mated scores but at most 100, which is the default
here, with 10 at least; the second takes 30. Its D_sys is integrated by trapezoids between the
middles of the bins, which leaves out half of the outer ones; here the sum is whole.

Both measures read chance as linkage: with 100 mated scores in 100 bins independent scores have a
D_sys of about .25. So beside each stands what chance gives on as many scores in the same bins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biometrics.metrics.intervals import (
    DRAWS,
    MIN_DIFFERING,
    Interval,
    clopper_pearson,
    n_differing,
    percentile_limits,
    subject_draws,
    subject_means,
)

Vector = NDArray[np.float64]
Index = NDArray[np.intp]
FEWEST_BINS, MOST_BINS = 10, 100


class Chance(NamedTuple):
    """What a measure is where mated and non-mated scores are drawn from one lot.

    ``low`` and ``high`` hold 95 % of the permutations; ``p`` is the share of them at or above what
    was measured, itself counted as one, so that it is never 0; ``n`` is how many there were.
    """

    mean: float
    low: float
    high: float
    p: float
    n: int


@dataclass(frozen=True)
class Unlinkability:
    """How far templates can be linked; B bins.

    Attributes:
        d_sys: global linkability in [0, 1]; n = subjects.
        d_sys_chance: the same of scores that say nothing.
        maximal: maximal linkability in bits, [0, 1]; n = subjects.
        maximal_chance: the same of scores that say nothing.
        local: D(s) of each bin [B]; 0 where no score falls.
        edges: of the bins [B + 1].
        mated_share, non_mated_share: of each bin [B].
        mated, non_mated: how many scores.
        omega: prior odds of mated.
    """

    d_sys: Interval
    d_sys_chance: Chance
    maximal: Interval
    maximal_chance: Chance
    local: Vector
    edges: Vector
    mated_share: Vector
    non_mated_share: Vector
    mated: int
    non_mated: int
    omega: float

    @property
    def bins(self) -> int:
        """Number of bins B."""
        return len(self.local)


def unlinkability(
    mated: ArrayLike,
    non_mated: ArrayLike,
    *,
    subjects: ArrayLike | None = None,
    non_mated_subjects: ArrayLike | None = None,
    bins: int | None = None,
    omega: float = 1.0,
    permutations: int = 200,
    seed: int = 0,
) -> Unlinkability:
    """Both measures of linkage scores, with intervals and with what chance gives.

    The intervals are of a bootstrap over subjects. A draw adds chance anew, so what the draws give
    is moved to have its mean at what was measured: the interval tells how that would vary, and the
    chance in it is told apart. Where fewer than five subjects differ from the commonest D, as where
    templates are linked without fail, it is Clopper and Pearson's.

    Args:
        mated: scores of one person under two keys [M].
        non_mated: scores of two people under two keys [N].
        subjects: whose each mated score is, names or numbers [M]; where None, each is drawn alone.
        non_mated_subjects: both people of each non-mated score [N, 2]; where None, each is drawn
            alone. Else a draw weighs it by both, to first order.
        bins: how many; :func:`default_bins` where None.
        omega: prior odds of mated.
        permutations: how often it is drawn which scores are mated; every score counts alone.
        seed: of all draws.

    Raises:
        ValueError: no score, one that is not finite, or what does not fit.
    """
    same, other = _scores(mated, "mated"), _scores(non_mated, "non-mated")
    count = default_bins(len(same)) if bins is None else bins
    if count < 1 or permutations < 1 or not omega > 0.0:
        raise ValueError("bins, permutations and omega are positive")
    edges = np.histogram_bin_edges(np.r_[same, other], count)
    binned = _Binned(_bins_of(same, edges), _bins_of(other, edges), count)
    people = _people(binned, subjects, non_mated_subjects)
    p, q = binned.shares
    local = local_linkability(p, q, omega)
    d_sys = float((p * local).sum())
    maximal = float(maximal_linkability(p, q))
    drawn = _bootstrapped(binned, people, seed)
    chance = _shuffled(binned, permutations, seed)
    return Unlinkability(
        d_sys=_interval(
            d_sys,
            global_linkability(*drawn, omega),
            subject_means(local[binned.mated], people.mated),
            exact=lambda limit: limit,
        ),
        d_sys_chance=_chance(d_sys, global_linkability(*chance, omega)),
        maximal=_interval(
            maximal,
            maximal_linkability(*drawn),
            subject_means((p > q)[binned.mated], people.mated),
            # The larger shares add up to one and p(A) - q(A), A being where p > q.
            exact=lambda limit: float(np.log2(1.0 + max(0.0, limit - q[p > q].sum()))),
        ),
        maximal_chance=_chance(maximal, maximal_linkability(*chance)),
        local=local,
        edges=edges,
        mated_share=p,
        non_mated_share=q,
        mated=len(same),
        non_mated=len(other),
        omega=omega,
    )


def default_bins(mated: int) -> int:
    """A tenth of the number of mated scores, from 10 to 100."""
    return min(max(mated // 10, FEWEST_BINS), MOST_BINS)


def local_linkability(p: Vector, q: Vector, omega: float = 1.0) -> Vector:
    """D(s) of every bin [..., B], from the shares of mated and of non-mated scores [..., B]."""
    odds = omega * p
    above = odds > q
    return np.divide(odds - q, odds + q, out=np.zeros_like(odds), where=above)


def global_linkability(p: Vector, q: Vector, omega: float = 1.0) -> Vector:
    """D_sys [...] from the shares of mated and of non-mated scores [..., B]."""
    found: Vector = (p * local_linkability(p, q, omega)).sum(axis=-1)
    return found


def maximal_linkability(p: Vector, q: Vector) -> Vector:
    """Maximal linkability in bits [...] from the shares of mated and non-mated scores [..., B]."""
    found: Vector = np.log2(np.maximum(p, q).sum(axis=-1)).clip(0.0, 1.0)
    return found


class _Shares(NamedTuple):
    """Shares of mated and of non-mated scores in each bin, [..., B] each."""

    mated: Vector
    non_mated: Vector


class _Binned(NamedTuple):
    """The bin of every mated [M] and every non-mated score [N], and how many bins there are."""

    mated: Index
    non_mated: Index
    bins: int

    @property
    def counts(self) -> list[Index]:
        """Scores in each bin [B], mated and non-mated."""
        return [np.bincount(at, minlength=self.bins) for at in (self.mated, self.non_mated)]

    @property
    def shares(self) -> _Shares:
        return _Shares(*(count / count.sum() for count in self.counts))


class _People(NamedTuple):
    """Subject numbers of the mated scores [M], and of the non-mated ones [N, 2] where known;
    ``alone`` where every mated score is drawn alone."""

    n_subjects: int
    mated: Index
    non_mated: Index | None
    alone: bool


def _people(binned: _Binned, subjects: ArrayLike | None, pairs: ArrayLike | None) -> _People:
    size = len(binned.mated)
    if subjects is None:
        if pairs is not None:
            raise ValueError("subjects of non-mated scores need those of mated ones")
        return _People(size, np.arange(size), None, alone=True)
    if np.shape(subjects) != (size,):
        raise ValueError(f"expected a subject of each of {size} mated scores")
    if pairs is not None and np.shape(pairs) != (len(binned.non_mated), 2):
        raise ValueError("expected two subjects of each non-mated score")
    names = np.ravel(subjects) if pairs is None else np.r_[np.ravel(subjects), np.ravel(pairs)]
    known, index = np.unique(names, return_inverse=True)
    rest = None if pairs is None else index[size:].reshape(-1, 2)
    return _People(len(known), index[:size], rest, alone=False)


def _bootstrapped(binned: _Binned, people: _People, seed: int) -> _Shares:
    """Shares under each draw of subjects, [2000, B] each."""
    rng = np.random.default_rng(seed)
    if people.alone:
        p = rng.multinomial(len(binned.mated), binned.shares.mated, DRAWS).astype(np.float64)
    else:
        tally = _tally(people.mated, binned.mated, people.n_subjects, binned.bins)
        p = np.concatenate([m @ tally for m in subject_draws(people.n_subjects, seed)])
    if people.non_mated is None:
        q = rng.multinomial(len(binned.non_mated), binned.shares.non_mated, DRAWS).astype(float)
    else:
        places = np.repeat(binned.non_mated, 2)  # a score is tallied for both of its people
        tally = _tally(people.non_mated.ravel(), places, people.n_subjects, binned.bins)
        moved = [(m - 1.0) @ tally for m in subject_draws(people.n_subjects, seed)]
        q = (binned.counts[1] + np.concatenate(moved)).clip(0.0)
    kept = (p.sum(axis=1) > 0.0) & (q.sum(axis=1) > 0.0)
    return _Shares(*(x[kept] / x[kept].sum(axis=1, keepdims=True) for x in (p, q)))


def _shuffled(binned: _Binned, permutations: int, seed: int) -> _Shares:
    """Shares where it is drawn which of all scores are mated, [permutations, B] each.

    The counts of such a draw in fixed bins are multivariate hypergeometric: no score is moved.
    """
    both, size = sum(binned.counts), len(binned.mated)
    drawn = np.random.default_rng(seed).multivariate_hypergeometric(both, size, permutations)
    return _Shares(drawn / size, (both - drawn) / len(binned.non_mated))


def _chance(value: float, draws: Vector) -> Chance:
    reached, n = int((draws >= value - 1e-12).sum()), len(draws)
    return Chance(float(draws.mean()), *percentile_limits(draws), (1 + reached) / (1 + n), n)


def _interval(
    value: float, draws: Vector, outcomes: Vector, exact: Callable[[float], float]
) -> Interval:
    """``exact`` makes limits of the measure of those of the mean outcome [S]."""
    n = len(outcomes)
    if n_differing(outcomes) < MIN_DIFFERING:
        low, high = (exact(limit) for limit in clopper_pearson(float(outcomes.sum()), n))
    else:
        low, high = percentile_limits((draws + (value - draws.mean())).clip(0.0, 1.0))
    return Interval(value, min(low, value), max(high, value), n)


def _tally(subjects: Index, places: Index, n_subjects: int, bins: int) -> Vector:
    """How many scores of each subject fall into each bin, [S, B]."""
    flat = np.bincount(subjects * bins + places, minlength=n_subjects * bins)
    return flat.reshape(n_subjects, bins).astype(np.float64)


def _bins_of(scores: Vector, edges: Vector) -> Index:
    """The bin of each score; the last one is closed on both sides."""
    return np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, len(edges) - 2)


def _scores(values: ArrayLike, what: str) -> Vector:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or not len(x):
        raise ValueError(f"expected at least one {what} score, got {list(x.shape)}")
    if not np.isfinite(x).all():
        raise ValueError(f"{(~np.isfinite(x)).sum()} of {len(x)} {what} scores are not finite")
    return x
