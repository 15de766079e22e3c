"""Success attack rates (SAR): how often reconstructions are accepted by a judge.

Words. An *attempt* is one leaked template with its reconstruction. Type-I compares the
reconstruction with the picture that the template came from, Type-II with every other picture of the
subject. Both fail where no face was detected in the reconstruction or it has no finite template:
such attempts stay in every count. Averages are taken over comparisons within a subject, then over
subjects; intervals are over subjects and conditional on the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from biometrics.metrics.intervals import (
    Interval,
    Measured,
    NotMeasured,
    mean_over_subjects,
    paired_difference,
    subject_means,
    two_way,
)
from biometrics.metrics.pairs import (
    Groups,
    Pairs,
    acceptance_by_subject_pair,
    group,
    mated_pairs,
)
from biometrics.metrics.scores import (
    Similarity,
    pair_scores,
    paired_similarity,
    row_blocks,
    similarity_matrix,
)

Vector = NDArray[np.float64]
NO_OTHER_PICTURE = NotMeasured("no leaked subject has a second picture")
NO_OTHER_SUBJECT = NotMeasured("there is only one leaked subject")


@dataclass(frozen=True)
class Attempts:
    """All attempts of one attack, seen by one judge; row i is one leaked picture throughout.

    Attributes:
        reconstructed: the judge's templates of the reconstructions [N, D]; NaN where there is none.
        leaked: the judge's templates of the leaked pictures [N, D], finite.
        subjects: whose they are, names or numbers [N].
        detected: whether a face was found in the reconstruction, bool [N].
        kind: how the judge compares.
        own: the judge's templates of the same pictures as they leaked [N, D], where they were
            covered or coarse when their templates were computed. Type-I and the reference compare
            with these; other pictures are always clean.
        others: the judge's templates of clean pictures that Type-II and the reference compare with
            [M, D]; those of ``leaked`` where None.
        pairs: every (attempt, row of ``others``) of the same subject; given with ``others``.

    Raises:
        ValueError: where shapes disagree, there is no row, or a leaked template is not finite.
    """

    reconstructed: NDArray[np.floating]
    leaked: NDArray[np.floating]
    subjects: NDArray[np.generic]
    detected: NDArray[np.bool_]
    kind: Similarity
    own: NDArray[np.floating] | None = None
    others: NDArray[np.floating] | None = None
    pairs: Pairs | None = None

    def __post_init__(self) -> None:
        n = len(self.leaked)
        if self.reconstructed.shape != self.leaked.shape or self.leaked.ndim != 2:
            raise ValueError(
                f"reconstructed and leaked templates must both be [N, D], got "
                f"{self.reconstructed.shape} and {self.leaked.shape}"
            )
        if len(self.subjects) != n or self.detected.shape != (n,) or self.detected.dtype != bool:
            raise ValueError(f"expected subjects and bool detections of {n} attempts")
        if self.source.shape != self.leaked.shape:
            raise ValueError(f"expected {n} own templates, got {self.source.shape}")
        if (self.others is None) != (self.pairs is None):
            raise ValueError("others and pairs are given both or not at all")
        if not (np.isfinite(self.leaked).all() and np.isfinite(self.source).all()):
            raise ValueError("leaked templates must be finite")

    @property
    def source(self) -> NDArray[np.floating]:
        """The judge's templates of the pictures that the leaked templates came from [N, D]."""
        return self.leaked if self.own is None else self.own

    @cached_property
    def groups(self) -> Groups:
        """The attempts grouped by subject."""
        return group(self.subjects)

    @cached_property
    def usable(self) -> NDArray[np.bool_]:
        """Attempts that can succeed: detected, and with a finite template; bool [N]."""
        finite: NDArray[np.bool_] = np.isfinite(self.reconstructed).all(axis=1)
        return self.detected & finite

    @cached_property
    def other_pictures(self) -> Pairs:
        """Every (attempt, other picture of the same subject)."""
        return mated_pairs(self.groups).both_ways() if self.pairs is None else self.pairs

    @property
    def known(self) -> NDArray[np.floating]:
        """The judge's templates of the clean pictures that Type-II compares with [M, D]."""
        return self.leaked if self.others is None else self.others

    @cached_property
    def type1_scores(self) -> NDArray[np.float32]:
        """Reconstruction against its own picture [N]; NaN where it has no template."""
        return paired_similarity(self.reconstructed, self.source, self.kind)

    @cached_property
    def type2_scores(self) -> NDArray[np.float32]:
        """Reconstruction against the other pictures, along ``other_pictures`` [P]."""
        return pair_scores(self.reconstructed, self.known, self.other_pictures, self.kind)

    @cached_property
    def reference_scores(self) -> NDArray[np.float32]:
        """The leaked picture itself, as it leaked, against the same other pictures [P]."""
        return pair_scores(self.source, self.known, self.other_pictures, self.kind)


@dataclass(frozen=True)
class BySubject:
    """Rates of each subject, for paired margins: ``type1`` float64 [S] in the sorted order of the
    names, ``type2`` and ``type2_reference`` [S2] for those with two or more pictures."""

    type1: Vector
    type2: Vector
    type2_reference: Vector


@dataclass(frozen=True)
class Acceptance:
    """What one judge accepted at one threshold. n = subjects, for type2 and type2_reference those
    with two or more pictures, for reconstruction_fmr distinct pairs of subjects.

    Attributes:
        type1: SAR Type-I.
        type2: SAR Type-II.
        type2_reference: the judge's TMR on exactly the same pairs, with the genuine picture in the
            place of the reconstruction.
        sar_ignoring_detection: Type-I without the rule that a face must be detected.
        reconstruction_fmr: share accepted against pictures of *other* leaked subjects.
        by_subject: the rates of each subject.
    """

    type1: Interval
    type2: Measured
    type2_reference: Measured
    sar_ignoring_detection: Interval
    reconstruction_fmr: Measured
    by_subject: BySubject


@dataclass(frozen=True)
class Identification:
    """Share of reconstructions whose subject is among the first 1 or 10 of the leaked subjects;
    n = subjects with two or more pictures."""

    rank1: Measured
    rank10: Measured


def acceptance(attempts: Attempts, threshold: float, *, seed: int = 0) -> Acceptance:
    """All acceptance rates of one judge at one threshold."""
    a = attempts
    type1 = subject_means((a.type1_scores >= threshold) & a.usable, a.groups.index)
    ignoring = subject_means(a.type1_scores >= threshold, a.groups.index)
    first = a.other_pictures.first
    owner = a.groups.index[first]
    type2 = subject_means((a.type2_scores >= threshold) & a.usable[first], owner)
    reference = subject_means(a.reference_scores >= threshold, owner)
    return Acceptance(
        type1=mean_over_subjects(type1, rates=True, seed=seed),
        type2=_rate(type2, seed),
        type2_reference=_rate(reference, seed),
        sar_ignoring_detection=mean_over_subjects(ignoring, rates=True, seed=seed),
        reconstruction_fmr=_reconstruction_fmr(a, threshold, seed),
        by_subject=BySubject(type1, type2, reference),
    )


def identification(attempts: Attempts, *, seed: int = 0) -> Identification:
    """Rank-1 and rank-10 identification; see :func:`ranks`. A rank that every one of the leaked
    subjects reaches (rank 10 among ten or fewer) is not measured."""
    probes, rank = ranks(attempts)
    return Identification(
        *(_identified(attempts.groups, probes, rank, limit, seed) for limit in (1, 10))
    )


def ranks(attempts: Attempts) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The attempts of subjects with two or more pictures [Q], and the rank of the true subject.

    The gallery is every leaked picture except the one that the template came from; a subject's
    score is the highest over its pictures. The rank counts every other subject that scores at
    least as high (pessimistic on ties); an attempt that cannot succeed ranks S + 1.
    """
    a, groups = attempts, attempts.groups
    probes = np.flatnonzero(groups.counts[groups.index] >= 2)
    place = np.empty(len(groups.index), dtype=np.intp)
    place[groups.order] = np.arange(len(place))
    gallery = a.leaked[groups.order]
    rank = np.full(len(probes), groups.n_subjects + 1, dtype=np.int64)
    for block in row_blocks(len(probes), len(gallery)):
        rows = probes[block]
        scores = similarity_matrix(a.reconstructed[rows], gallery, a.kind)
        scores[np.arange(len(rows)), place[rows]] = -np.inf
        best = np.maximum.reduceat(scores, groups.starts, axis=1)  # [rows, S]
        own = best[np.arange(len(rows)), groups.index[rows]]
        rank[block] = np.where(a.usable[rows], (best >= own[:, None]).sum(axis=1), rank[block])
    return probes, rank


def told_apart(attempts: Attempts, *, seed: int = 0) -> Measured:
    """Share of reconstructions that are nearest to the templates of their own subject, of all that
    leaked, the one that they were made from among them; n = subjects.

    Unlike :func:`identification` it needs no second picture: it says whether faces made of
    different people's templates stay different people. Ties count against it.
    """
    a, groups = attempts, attempts.groups
    if groups.n_subjects < 2:
        return NO_OTHER_SUBJECT
    gallery = a.leaked[groups.order]
    first = np.zeros(len(gallery), dtype=bool)
    for block in row_blocks(len(gallery), len(gallery)):
        scores = similarity_matrix(a.reconstructed[block], gallery, a.kind)
        best = np.maximum.reduceat(scores, groups.starts, axis=1)  # [rows, S]
        own = best[np.arange(len(best)), groups.index[block]]
        first[block] = (best >= own[:, None]).sum(axis=1) == 1
    return _rate(subject_means(first & a.usable, groups.index), seed)


def similarity(attempts: Attempts, *, seed: int = 0) -> Interval:
    """Mean Type-I similarity over all attempts, detected or not; not a rate.

    An attempt without a finite template counts as the zero vector: cosine 0, or minus the length of
    the leaked template.
    """
    a = attempts
    none = paired_similarity(np.zeros_like(a.leaked), a.source, a.kind)
    scores = np.where(np.isnan(a.type1_scores), none, a.type1_scores)
    return mean_over_subjects(subject_means(scores, a.groups.index), rates=False, seed=seed)


def margin(
    attack: Acceptance,
    control: Acceptance,
    measure: Literal["type1", "type2"] = "type1",
    *,
    seed: int = 0,
) -> Measured:
    """Paired difference of two attacks' SAR at the same judge and threshold, attack minus control.

    Raises:
        ValueError: where they were not tried on the same number of subjects.
    """
    a: Vector = getattr(attack.by_subject, measure)
    b: Vector = getattr(control.by_subject, measure)
    if len(a) == 0 and len(b) == 0:
        return NO_OTHER_PICTURE
    return paired_difference(a, b, rates=True, seed=seed)


def _rate(values: Vector, seed: int) -> Measured:
    if len(values) == 0:
        return NO_OTHER_PICTURE
    return mean_over_subjects(values, rates=True, seed=seed)


def _reconstruction_fmr(attempts: Attempts, threshold: float, seed: int) -> Measured:
    a = attempts
    if a.groups.n_subjects < 2:
        return NO_OTHER_SUBJECT
    rates = acceptance_by_subject_pair(
        a.reconstructed, a.leaked, a.groups, a.kind, threshold, a.usable
    )
    return two_way(rates, rates=True, seed=seed)


def _identified(
    groups: Groups, probes: NDArray[np.intp], rank: NDArray[np.int64], limit: int, seed: int
) -> Measured:
    if len(probes) == 0:
        return NO_OTHER_PICTURE
    if groups.n_subjects <= limit:
        return NotMeasured(f"rank {limit} says nothing among {groups.n_subjects} leaked subjects")
    return _rate(subject_means(rank <= limit, groups.index[probes]), seed)
