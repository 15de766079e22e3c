"""What a search tries: templates worked out from scores, and fusions of several templates.

Arrays in, arrays out; everything that is drawn comes from one seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attacks.fusion import fuse
from attacks.score_search import fit_prior, recover
from audit.search_settings import SearchSettings
from biometrics.metrics.pairs import Pairs
from biometrics.metrics.scores import Similarity, similarity_matrix

Rows = NDArray[np.intp]
MIN_SUBJECTS = 10
"""Fused templates are drawn for as many as this many subjects have, and one to judge by."""

NOTHING = Pairs(np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp))


class Way(NamedTuple):
    """How a template is known: from so many scores (None: it leaked itself), rounded to so many
    decimals (None: not), fused from so many templates. Ways of one part are tried on the same
    people and compare with each other."""

    part: Literal["scores", "fusion"]
    scores: int | None = None
    decimals: int | None = None
    templates: int = 1


@dataclass(frozen=True)
class Trial:
    """Templates known in one way, and what their reconstructions are compared with.

    Attributes:
        way: how they are known.
        vectors: float32 [S, D], one for each subject.
        own: (subject number, leaked row) of the pictures that each template came from.
        others: the same of other pictures of the subject, none of which is in any template.
        why_not: why there is nothing to try, and ``vectors`` is empty.
    """

    way: Way
    vectors: NDArray[np.float32]
    own: Pairs
    others: Pairs
    why_not: str = ""


@dataclass(frozen=True)
class Known:
    """The templates of a target, by whose they are.

    Attributes:
        leaked: float32 [N, D].
        subjects: whose they are [N].
        attacker: of faces that the attacker holds, float32 [A, D].
        attacker_subjects: whose they are [A].
        similarity: how they are compared.
    """

    leaked: NDArray[np.float32]
    subjects: NDArray[np.str_]
    attacker: NDArray[np.float32]
    attacker_subjects: NDArray[np.str_]
    similarity: Similarity


def make_trials(settings: SearchSettings, known: Known, seed: int) -> list[Trial]:
    """The template itself, then every rounding and number of scores, then the fusions."""
    rng = np.random.default_rng(seed)
    return [*_by_scores(settings, known, rng), *_fusions(settings, known, rng)]


def _by_scores(settings: SearchSettings, known: Known, rng: np.random.Generator) -> list[Trial]:
    """On one drawn picture of each drawn subject. The attacker's faces are used in one drawn
    order, a picture of each subject before any second picture: more scores add to fewer."""
    chosen = _one_each(known.subjects, rng)[: settings.subjects]
    first = _one_each(known.attacker_subjects, rng)
    rest = rng.permutation(np.setdiff1d(np.arange(len(known.attacker)), first))
    faces = known.attacker[np.concatenate([first, rest])]
    own = Pairs(np.arange(len(chosen)), chosen)
    others, vectors = _others(known.subjects, own), known.leaked[chosen]
    prior = fit_prior(known.attacker, known.similarity)
    trials = [Trial(Way("scores"), vectors, own, others)]
    for decimals in settings.decimals:
        for count in settings.scores:
            way = Way("scores", count, decimals)
            if count > len(faces):
                trials.append(_empty(way, f"the attacker has {len(faces):,} faces to compare with"))
                continue
            scores = similarity_matrix(vectors, faces[:count], known.similarity)
            if decimals is not None:
                scores = np.round(scores, decimals)
            found = recover(scores, faces[:count], known.similarity, decimals=decimals, prior=prior)
            trials.append(Trial(way, found, own, others))
    return trials


def _fusions(settings: SearchSettings, known: Known, rng: np.random.Generator) -> list[Trial]:
    """The first k of the same drawn pictures for every k, on the same subjects, judged against the
    same remaining pictures: the trials differ in k alone."""
    pictures = np.unique(known.subjects, return_counts=True)[1]
    usable = [k for k in settings.templates if (pictures > k).sum() >= MIN_SUBJECTS]
    drawn = _several_each(known.subjects, max(usable, default=0), rng)[: settings.subjects]
    numbers = np.arange(len(drawn))[:, None]
    taken = Pairs(np.repeat(numbers, drawn.shape[1], axis=1).ravel(), drawn.ravel())
    trials = []
    for k in settings.templates:
        way = Way("fusion", templates=k)
        if k not in usable:
            why = f"fewer than {MIN_SUBJECTS} leaked subjects have more than {k} pictures"
            trials.append(_empty(way, why))
            continue
        own = Pairs(np.repeat(numbers, k, axis=1).ravel(), drawn[:, :k].ravel())
        fused = fuse(known.leaked[own.second], own.first, known.similarity)
        trials.append(Trial(way, fused, own, _others(known.subjects, taken)))
    return trials


def _empty(way: Way, why: str) -> Trial:
    return Trial(way, np.zeros((0, 0), dtype=np.float32), NOTHING, NOTHING, why)


def _one_each(subjects: NDArray[np.str_], rng: np.random.Generator) -> Rows:
    """One row of each subject, drawn, in a drawn order."""
    return _several_each(subjects, 1, rng, more=0).ravel()


def _several_each(
    subjects: NDArray[np.str_], count: int, rng: np.random.Generator, *, more: int = 1
) -> Rows:
    """``count`` rows of each subject that has ``more`` besides, [S, count], all drawn."""
    order = rng.permutation(len(subjects))
    _, index, sizes = np.unique(subjects[order], return_inverse=True, return_counts=True)
    by_subject = np.argsort(index, kind="stable")
    starts = np.cumsum(sizes) - sizes
    enough = rng.permutation(np.flatnonzero(sizes >= count + more))
    places: Rows = by_subject[starts[enough][:, None] + np.arange(count)]
    return order[places]


def _others(subjects: NDArray[np.str_], taken: Pairs) -> Pairs:
    """(subject number, row) of the rows of the same subjects that are not among ``taken``, whose
    rows belong to the subjects of their numbers."""
    names, index = np.unique(subjects, return_inverse=True)
    number = np.full(len(names), -1, dtype=np.intp)
    number[index[taken.second]] = taken.first
    left = np.setdiff1d(np.flatnonzero(number[index] >= 0), taken.second)
    return Pairs(number[index[left]], left)
