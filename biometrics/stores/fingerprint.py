"""Which backbone made these templates? Told by how their values vary together.

Every backbone has its own mean template and its own covariances between dimensions, and keeps both
whoever is photographed; :mod:`biometrics.stores.covariances` compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import InputError
from biometrics.stores.covariances import Statistics, agreement, canonical
from biometrics.stores.forms import Form, form_of
from biometrics.templates import check_finite

if TYPE_CHECKING:
    from biometrics.backbones.base import Backbone

MOST_DIMS = 512
"""Of longer templates so many dimensions are compared, the same ones each time."""

FEWEST_LEARNT = 200
"""Templates that a fingerprint is learnt from, at least."""

FEWEST_ROWS = 20
FEWEST_SUBJECTS = 10
FEWEST_DIMS = 16
"""With fewer rows, subjects (where they are known) or dimensions nothing is said."""

MOST_ROWS = 4_000
"""Rows of a store that are compared."""

FEWEST_DIRECTIONS = 6.0
"""Templates of a store vary in more directions (6.6 and up were seen, of 20 shortened rows); of
rows in fewer, chance is far from normal."""

SCORE, SIGMA = 0.25, 6.0
"""A backbone is named from this score on, and this many standard deviations away from chance."""

UNKNOWN, TOO_FEW = "unknown", "too few to tell"


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What a backbone's templates are known by.

    Attributes:
        name: of the backbone.
        dim: D of its templates.
        dims: the dimensions that are compared, ascending, [K].
        norm_mean, norm_std: lengths of its templates as it gives them.
        learnt: one for each kind of pictures.
    """

    name: str
    dim: int
    dims: NDArray[np.intp]
    norm_mean: float
    norm_std: float
    learnt: tuple[Statistics, ...]

    def joined(self, other: Fingerprint) -> Fingerprint:
        """With what another fingerprint of the same backbone learnt, from other pictures.

        Raises:
            ValueError: of another backbone.
        """
        if (self.name, self.dim) != (other.name, other.dim):
            raise ValueError(f"fingerprints of {self.name} and {other.name} do not belong together")
        return replace(self, learnt=(*self.learnt, *other.learnt))


class Match(NamedTuple):
    """How well templates fit a backbone.

    Attributes:
        name: of the backbone.
        score: share of their common variation that is the backbone's, in [0, 1].
        sigmas: how far from chance that lies, in standard deviations.
        mean: cosine between the mean templates, in [-1, 1].
        fits: whether score and distance suffice to name it.
        form: how they were stored, if they are the backbone's.
        evidence: all of it in words.
    """

    name: str
    score: float
    sigmas: float
    mean: float
    fits: bool
    form: Form
    evidence: str


class Recognition(NamedTuple):
    """Which backbone it is.

    Attributes:
        backbone: its name, ``unknown`` or ``too few to tell``.
        why: in words.
        matches: every candidate, best first.
    """

    backbone: str
    why: str
    matches: tuple[Match, ...]

    @property
    def best(self) -> Match | None:
        """The match of the backbone that was named."""
        known = self.backbone not in (UNKNOWN, TOO_FEW)
        return self.matches[0] if known else None


def learn(
    vectors: NDArray[np.floating], name: str = "", of: str = "templates", *, seed: int = 0
) -> Fingerprint:
    """The fingerprint of a backbone by some of its templates.

    Args:
        vectors: as the backbone gives them, finite [N, D], of different people, N >= 200.
        name: of the backbone.
        of: whose pictures, in words.
        seed: of the choice of dimensions where there are too many.

    Raises:
        InputError: too few of them, or NaN or infinite values.
    """
    if vectors.ndim != 2 or len(vectors) < FEWEST_LEARNT:
        raise InputError(
            f"a fingerprint is learnt from {FEWEST_LEARNT} templates or more, "
            f"got {list(vectors.shape)}"
        )
    check_finite(vectors)
    dim = vectors.shape[1]
    dims = np.arange(dim)
    if dim > MOST_DIMS:
        dims = np.sort(np.random.default_rng(seed).permutation(dim)[:MOST_DIMS])
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    kept = (exact / np.where(lengths > 0, lengths, 1.0))[:, dims]
    found = Statistics(
        of,
        len(kept),
        kept.mean(axis=0).astype(np.float32),
        np.atleast_2d(np.cov(kept.T)).astype(np.float32),
    )
    return Fingerprint(name, dim, dims, float(lengths.mean()), float(lengths.std()), (found,))


def learn_from(backbone: Backbone, crops: NDArray[np.uint8], of: str) -> Fingerprint:
    """The fingerprint of a backbone that is at hand.

    Args:
        backbone: ready for use.
        crops: canonical, uint8 [N, 224, 224, 3], of N different people, N >= 200.
        of: what they show, in words.

    Raises:
        InputError: too few crops.
    """
    from biometrics.backbones.embed import embed

    return learn(embed(backbone, crops), backbone.spec.name, of)


def match(
    sample: NDArray[np.floating], fingerprints: Sequence[Fingerprint], *, seed: int = 0
) -> list[Match]:
    """How well templates fit each backbone, best first; those whose templates are shorter than
    these, or too short to compare, are left out.

    Args:
        sample: finite [N, D].
        fingerprints: of the candidates.
        seed: of the rows that are compared where there are many, and of the halves.
    """
    if sample.ndim != 2 or len(sample) < 2:
        return []
    random = np.random.default_rng(seed)
    if len(sample) > MOST_ROWS:
        sample = sample[np.sort(random.permutation(len(sample))[:MOST_ROWS])]
    found = [
        _match(sample, fingerprint, seed)
        for fingerprint in fingerprints
        if sample.shape[1] <= fingerprint.dim
        and (fingerprint.dims < sample.shape[1]).sum() >= FEWEST_DIMS
    ]
    return sorted(found, key=lambda one: (not one.fits, -one.score, one.name))


def recognise(
    sample: NDArray[np.floating],
    fingerprints: Sequence[Fingerprint],
    *,
    subjects: Sequence[str | None] = (),
    seed: int = 0,
) -> Recognition:
    """The backbone that made these templates.

    Args:
        sample: finite [N, D].
        fingerprints: of the candidates.
        subjects: whose they are [N], None where that is not known; or empty.
        seed: see :func:`match`.
    """
    rows, people = _people(sample, subjects)
    if len(rows) < FEWEST_ROWS or (people is not None and people < FEWEST_SUBJECTS):
        have = f"{len(rows)} templates" + ("" if people is None else f" of {people} people")
        need = f"{FEWEST_ROWS} templates of {FEWEST_SUBJECTS} people are needed"
        return Recognition(TOO_FEW, f"{have}; {need}", ())
    if sample.shape[1] < FEWEST_DIMS:
        why = f"{sample.shape[1]} values a template; {FEWEST_DIMS} are needed"
        return Recognition(TOO_FEW, why, ())
    matches = tuple(match(rows, fingerprints, seed=seed))
    if not matches:
        return Recognition(UNKNOWN, f"no candidate gives {sample.shape[1]} values", ())
    best = matches[0]
    if not best.fits:
        return Recognition(UNKNOWN, f"nothing fits; nearest {best.name}: {best.evidence}", matches)
    return Recognition(best.name, best.evidence, matches)


def _people(
    sample: NDArray[np.floating], subjects: Sequence[str | None]
) -> tuple[NDArray[np.floating], int | None]:
    """At most four rows of a known subject, so that nobody stands for the others; and how many
    subjects there are, None where that is not known of every row."""
    if not subjects or not len(sample) or any(name is None for name in subjects):
        return sample, None
    _, whose, counts = np.unique(
        np.asarray(subjects, dtype=str), return_inverse=True, return_counts=True
    )
    order = np.argsort(whose, kind="stable")
    turn = np.empty(len(order), dtype=np.intp)
    turn[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return sample[turn < 4], len(counts)


def _match(sample: NDArray[np.floating], fingerprint: Fingerprint, seed: int) -> Match:
    here = fingerprint.dims < sample.shape[1]
    part = canonical(sample[:, fingerprint.dims[here]])
    scores = [agreement(part, one, here, seed) for one in fingerprint.learnt]
    best = int(np.argmax([score.value for score in scores]))
    score, learnt = scores[best], fingerprint.learnt[best]
    form = form_of(sample, fingerprint.dim, (fingerprint.norm_mean, fingerprint.norm_std))
    evidence = (
        f"covariances agree {score.value:.2f}, {score.sigmas:.0f} sigmas from chance; mean "
        f"templates {score.mean:.2f} ({len(sample):,} rows against {learnt.of})"
    )
    fits = score.value >= SCORE and score.sigmas >= SIGMA
    if fits and score.directions < FEWEST_DIRECTIONS:
        fits = False
        evidence += (
            f"; but they vary in {score.directions:.1f} directions, and chance can be told from "
            f"{FEWEST_DIRECTIONS:g} on"
        )
    return Match(fingerprint.name, score.value, score.sigmas, score.mean, fits, form, evidence)
