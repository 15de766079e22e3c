"""Templates made of several pictures: averages, and the centroids of clusters.

The people are those who leaked with the most pictures, all of their pictures beyond the cap of ten
included. Each person's pictures are divided once: some are probes, the same under every condition,
and none of the others is compared with anything but them. What is held of a person is averaged from
the others, by each judge from its own templates of the same pictures: as they are where templates
are compared by distance (dlib), else at length 1 and then brought to the length of one picture's
template (:func:`biometrics.aggregation.averages`).

Conditions. ``average`` of n pictures: up to ``sets`` templates a person that share no picture, each
held alone; whoever has too few pictures for n drops out at n. Differences are against single
pictures of the same people (the clean row). ``centroids``: k templates a person, from all pictures
but the probes, clustered by the target's templates and held together, so that the best one counts;
``centroids`` of 1 is the average of all. Differences of ``centroids`` and its kin are against that
one. ``random-parts``: as many averages of pictures drawn at random, the same storage without
clusters. ``centroids-any``: an attacker who tries the faces made of all centroids of a person.

``tmr`` is against the probes, at the judge's thresholds, which were set among single pictures;
``realised_fmr`` says what these let pass of other people's probes now, ``tmr_same_fmr`` is the TMR
at thresholds set anew, for what is held against pictures of the people who set the thresholds, and
``roc`` the curve of both. Type-I compares a reconstruction with the judge's own template of the
same pictures, Type-II with the probes.

Measures: ``roc_auc``, the area under ``roc``; ``length_ratio``, the length of what is held over the
mean length of the templates in it; ``among_pictures``, ``among_templates`` and
``among_reconstructions``, mean similarities of one person's pictures, of the templates held
together, and of what was made of these, in the judge's own measure; and those of
:mod:`audit.stress.portraits`, where names that begin with ``pictures_`` are the same of the
pictures that were averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from audit.stress.bench import Made, Workbench
from audit.stress.enrolled import Held, Person, divided, enrol, probes_of, sets_of
from audit.stress.matched import Told, Trial
from audit.stress.portraits import Portraits, frontal_and_neutral
from audit.stress.rows import Condition, by_fmr, clean_condition, recognition_row, subject_estimate
from audit.stress.strips import save_strip
from biometrics.aggregation import clusters
from biometrics.metrics.scores import paired_similarity
from reports.results import Estimate, NotMeasured, StressResult, StressSample

FAMILY: Literal["aggregation"] = "aggregation"
ALL_PICTURES = "differences are against one average of the same pictures"


def stress(bench: Workbench) -> list[StressResult]:
    """The family's rows for one target."""
    return _Aggregation(bench).rows()


@dataclass(frozen=True)
class _Tried:
    """What one condition told, of recognition under an empty name and of every attack, and what the
    attacks made."""

    told: dict[str, Told] = field(default_factory=dict)
    made: dict[str, Made] = field(default_factory=dict)

    @property
    def rows(self) -> list[StressResult]:
        return [row for told in self.told.values() for row in told.rows]


class _Aggregation:
    def __init__(self, bench: Workbench) -> None:
        self.bench, self.sizes = bench, bench.sizes.aggregation
        faces, split = bench.people.faces, bench.people.split
        leaked = np.isin(bench.names[split.capped], bench.names[split.leaked])
        self.people = enrol(
            np.sort(np.concatenate([split.leaked, split.capped[leaked]])),
            bench.names,
            faces.table["face_id"].to_numpy(dtype=str),
            people=self.sizes.subjects,
            numbers=self.sizes.numbers,
            probes=self.sizes.probes,
            seed=bench.config.seed,
        )
        self.probes = {str(bench.names[p.probes[0]]): p.probes for p in self.people}

    def rows(self) -> list[StressResult]:
        """Clean rows, averages, clusters."""
        if not self.people:
            reason = "no leaked person has a second picture"
            conditions = [clean_condition(FAMILY), *map(_average, self.sizes.numbers)]
            return [row for c in conditions for row in self._unmeasured(c, reason)]
        return [*self._averages(), *self._clusters()]

    def _averages(self) -> list[StressResult]:
        reached = [n for n in self.sizes.numbers if self._with(n)]
        shown = {n: self._shown(reached[-1]) for n in _three(reached)} if reached else {}
        single = Trial(self.bench, clean_condition(FAMILY), *self._sets(1))
        clean = self._try(single, "average-1", shown=shown.get(1))  # the same stage as of one
        found = list(clean.rows)
        for number in self.sizes.numbers:
            able = self._with(number)
            if not able:
                why = f"nobody has {number + 1} pictures, {number} to average and one as a probe"
                found += self._unmeasured(_average(number), why)
                continue
            note = ""
            if len(able) < len(self.people):
                note = (
                    f"{len(able):,} of {len(self.people):,} people have so many pictures; "
                    "differences compare with single pictures of these alone"
                )
            trial = Trial(self.bench, _average(number, note), *self._sets(number))
            found += self._try(trial, f"average-{number}", clean, shown=shown.get(number)).rows
        return found

    def _clusters(self) -> list[StressResult]:
        sizes = self.sizes
        able = self._with(sizes.cluster_from)
        if not able:
            why = (
                f"nobody has {sizes.cluster_from + 1} pictures, {sizes.cluster_from} to cluster "
                "and one as a probe"
            )
            kinds = [_centroids(k) for k in (1, *sizes.clusters)]
            return [row for condition in kinds for row in self._unmeasured(condition, why)]
        probes = probes_of(able)
        one = divided(able, self._labels(able, 1))
        whole = self._try(Trial(self.bench, _centroids(1), one, probes), "centroids-1")
        found = list(whole.rows)
        for number in sizes.clusters:
            show = self._shown(sizes.cluster_from) if number == sizes.clusters[-1] else None
            held = divided(able, self._labels(able, number))
            trial = Trial(self.bench, _centroids(number), held, probes)
            tried = self._try(trial, f"centroids-{number}", whole, shown=show)
            found += tried.rows
            every = Trial(self.bench, _any_centroid(number), held, probes)
            for attack, made in tried.made.items():
                found += every.any_inverted(attack, made, whole.told[attack]).rows
            parts = divided(able, [np.arange(len(p.enrolled)) % number for p in able])
            found += (
                Trial(self.bench, _parts(number), parts, probes).recognised(whole.told[""]).rows
            )
        return found

    def _try(
        self,
        trial: Trial,
        slug: str,
        base: _Tried | None = None,
        *,
        shown: NDArray[np.str_] | None = None,
    ) -> _Tried:
        """Recognition and every attack under one condition; ``shown`` are the people in the strip,
        all templates of each that are held together."""
        bench, held = self.bench, trial.held
        show = self._positions(trial, shown)
        found = _Tried()
        found.told[""] = trial.recognised(base.told[""] if base else None)
        vectors = trial.templates(bench.target)
        portraits = Portraits(
            bench.people.faces,
            bench.people.faces_key,
            bench.models.appearance.mean_shape,
            [self.probes[str(owner)][: self.sizes.likeness] for owner in trial.owners],
        )
        for attack in bench.attacks:
            place = f"{FAMILY}/{slug}"
            made = bench.invert(attack, vectors, place, measure=portraits.numbers, show=show)
            found.made[attack] = made
            measures = {n: subject_estimate(bench, held.first, v) for n, v in made.measures.items()}
            samples: list[StressSample] = []
            if len(show):
                samples = save_strip(
                    bench,
                    f"{place}/{attack.replace(':', '-')}",
                    self._nearest(held, vectors)[show],
                    reconstruction=made.shown,
                )
            found.told[attack] = trial.inverted(
                attack,
                made,
                base.told[attack] if base else None,
                measures={**measures, **self._of_pictures(held)},
                samples=samples,
            )
        return found

    def _positions(self, trial: Trial, shown: NDArray[np.str_] | None) -> NDArray[np.intp]:
        """The templates whose reconstructions are shown: all of the first reference of a person."""
        if shown is None:
            return np.empty(0, dtype=np.intp)
        owners, together = trial.owners, trial.held.together
        first = np.unique(owners, return_index=True)[1]
        leading = np.isin(together, together[first])
        return np.flatnonzero(leading & np.isin(owners, shown))

    def _with(self, number: int) -> list[Person]:
        return [person for person in self.people if len(person.enrolled) >= number]

    def _sets(self, number: int) -> tuple[Held, NDArray[np.intp]]:
        able = self._with(number)
        return sets_of(able, number, self.sizes.sets), probes_of(able)

    def _labels(self, people: Sequence[Person], number: int) -> list[NDArray[np.intp]]:
        bench = self.bench
        kind = bench.models.target_similarity
        return [clusters(bench.clean(bench.target, p.enrolled), number, kind) for p in people]

    def _shown(self, number: int) -> NDArray[np.str_]:
        """Whose pictures are shown: people who have so many."""
        rows = np.array([person.enrolled[0] for person in self._with(number)])
        names: NDArray[np.str_] = self.bench.names[rows[self.bench.shown(rows)]]
        return names

    def _nearest(self, held: Held, vectors: NDArray[np.float32]) -> NDArray[np.intp]:
        """Of the pictures in each template, the one whose own template is nearest to it, [G]."""
        single = self.bench.clean(self.bench.target, held.rows)
        near = paired_similarity(single, vectors[held.parts], self.bench.models.target_similarity)
        order = np.lexsort((-near, held.parts))
        return held.rows[order[np.unique(held.parts[order], return_index=True)[1]]]

    def _of_pictures(self, held: Held) -> dict[str, Estimate]:
        shape = self.bench.models.appearance.mean_shape
        values = frontal_and_neutral(self.bench.people.faces.landmarks[held.rows], shape)
        return {
            f"pictures_{name}": subject_estimate(self.bench, held.rows, value)
            for name, value in values.items()
        }

    def _unmeasured(self, condition: Condition, why: str) -> list[StressResult]:
        """Rows that say why there is nothing to tell."""
        found = []
        for attack in ("", *self.bench.attacks):
            for judge in self.bench.judges:
                none = by_fmr(judge, lambda _: NotMeasured(not_measured=why))
                row = recognition_row(self.bench, condition, judge, none)
                told = {"type1": none, "type2": none} if attack else {"tmr_same_fmr": none}
                found.append(row.model_copy(update={"attack": attack, **told}))
        return found


def _three(numbers: Sequence[int]) -> set[int]:
    """The smallest, a middle one and the largest."""
    return {numbers[0], numbers[(len(numbers) - 1) // 2], numbers[-1]}


def _average(number: int, note: str = "") -> Condition:
    words = "one picture" if number == 1 else f"average of {number}"
    return Condition(FAMILY, "average", number, "templates", words, note=note)


def _centroids(number: int) -> Condition:
    words = "average of all pictures" if number == 1 else f"{number} centroids"
    note = "" if number == 1 else ALL_PICTURES
    return Condition(FAMILY, "centroids", number, "clusters", words, note=note)


def _any_centroid(number: int) -> Condition:
    words = f"any of {number} centroids"
    return Condition(FAMILY, "centroids-any", number, "clusters", words, note=ALL_PICTURES)


def _parts(number: int) -> Condition:
    words = f"{number} averages of random parts"
    return Condition(FAMILY, "random-parts", number, "templates", words, note=ALL_PICTURES)
