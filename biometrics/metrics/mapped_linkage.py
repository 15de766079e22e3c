"""Linking two stores that share no backbone: the first one's templates go through a map that was
fitted on faces which somebody embedded with both, and that is tried on other people first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biometrics.metrics.intervals import NotMeasured
from biometrics.metrics.linkage import Linkage, link
from biometrics.metrics.pairs import group
from biometrics.metrics.scores import Similarity
from biometrics.metrics.subject_scores import gather, thresholds_across
from biometrics.template_map import TemplateMap, fit_template_map

HELD_OUT = 0.4
"""Share of the people whom a map is tried on and not fitted on."""


@dataclass(frozen=True)
class CalibratedMap:
    """A map, and what it is worth on people whom it was not fitted on.

    Attributes:
        map: from the first backbone's templates to the second's; ``map.explained`` is the share of
            the variance that it predicts.
        fitted_on: people.
        thresholds: by FMR, set between mapped templates of people held out and the second
            backbone's of others of them; not measured where these are too few.
        held_out: the linkage of these people to themselves, by other pictures than those that were
            mapped, at these thresholds.
    """

    map: TemplateMap
    fitted_on: int
    thresholds: Mapping[float, float | NotMeasured]
    held_out: Linkage

    @property
    def measured(self) -> dict[float, float]:
        """The thresholds that there are."""
        found = self.thresholds.items()
        return {rate: cut for rate, cut in found if not isinstance(cut, NotMeasured)}


def calibrated_map(
    sources: NDArray[np.floating],
    targets: NDArray[np.floating],
    subjects: ArrayLike,
    kind: Similarity,
    fmrs: Sequence[float],
    *,
    unit: bool,
    seed: int = 0,
) -> CalibratedMap:
    """Fit a map on some people and try it on the others.

    Args:
        sources, targets: templates [N, S] and [N, T] of the same pictures by both backbones.
        subjects: whose the pictures are, text [N]; some people need two or more.
        kind: how the second backbone's templates are compared.
        fmrs: nominal FMRs of the thresholds.
        unit: whether lengths of the first backbone's templates say nothing (the cosine).
        seed: of the draw of people and pictures, and of the bootstrap.

    Raises:
        InputError: templates that are not finite.
        ValueError: fewer than four people, or nobody held out has two pictures.
    """
    names = np.asarray(subjects, dtype=str)
    groups = group(names)
    kept_out = round(HELD_OUT * groups.n_subjects)
    if kept_out < 2 or groups.n_subjects - kept_out < 2:
        raise ValueError(f"a map is tried on other people: 4 are needed, got {groups.n_subjects}")
    random = np.random.default_rng(seed)
    out = np.isin(groups.index, random.permutation(groups.n_subjects)[:kept_out])
    # Pictures of a person take turns: one is mapped, the next is searched for.
    place = np.empty(len(names), dtype=np.intp)
    place[groups.order] = np.arange(len(names)) - np.repeat(groups.starts, groups.counts)
    mapped, sought = out & (place % 2 == 0), out & (place % 2 == 1)
    if not sought.any():
        raise ValueError("a map is tried on other pictures: nobody held out has two")
    found = fit_template_map(sources[~out], targets[~out], unit=unit)
    ours = found.apply(sources[mapped]), names[mapped]
    theirs = targets[sought], names[sought]
    one, two = (gather(rows, whose, kind, seed) for rows, whose in (ours, theirs))
    cuts = thresholds_across(one, two, kind, fmrs)
    usable = {rate: cut for rate, cut in cuts.items() if not isinstance(cut, NotMeasured)}
    return CalibratedMap(
        map=found,
        fitted_on=groups.n_subjects - kept_out,
        thresholds=cuts,
        held_out=link(*ours, *theirs, kind, thresholds=usable, seed=seed),
    )
