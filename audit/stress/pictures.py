"""Families that change pictures: from perturbations to rows, the same way for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from attacks.perturbation.base import Perturbation
from audit.stress.bench import Made, Numbers, Workbench
from audit.stress.rows import (
    Condition,
    Seen,
    clean_condition,
    inversion_rows,
    subject_estimate,
    template_shift,
)
from audit.stress.strips import save_strip
from reports.results import Estimate, StressFamily, StressResult

NumbersOf = Callable[[Perturbation | None], Numbers]
"""What to measure of the reconstructions under a perturbation, or of the clean ones (None)."""

Summary = Callable[[Perturbation | None, Made, Made], Mapping[str, Estimate]]
"""What to say of what was measured under a perturbation, with what was measured of the clean ones
beside it; the clean ones (None) stand beside themselves."""


def condition_of(family: StressFamily, perturbation: Perturbation) -> Condition:
    """A perturbation in the words of the results."""
    return Condition(
        family,
        perturbation.name,
        perturbation.strength,
        perturbation.unit,
        perturbation.label,
    )


def picture_rows(
    bench: Workbench,
    family: StressFamily,
    perturbations: Sequence[Perturbation],
    rows: NDArray[np.intp],
    *,
    attacks: Sequence[str] | None = None,
    numbers: NumbersOf | None = None,
    summary: Summary | None = None,
) -> list[StressResult]:
    """Invert the templates of perturbed pictures: the clean row first, then one a perturbation.

    Every judge enrols the perturbed pictures too, so Type-I and TMR are those of a matcher that
    holds such a template; Type-II is against clean pictures.

    Args:
        bench: the target.
        family: of the rows.
        perturbations: each at one strength.
        rows: leaked pictures.
        attacks: those of the configuration that invert; all where None.
        numbers: what to measure of the reconstructions besides acceptance.
        summary: what becomes of these; the mean of each over people where None.
    """
    shown = bench.shown(rows)
    found: list[StressResult] = []
    for attack in bench.attacks if attacks is None else attacks:
        clean: Seen | None = None
        first: Made | None = None
        for perturbation in (None, *perturbations):
            if perturbation is None:
                condition, slug = clean_condition(family), "clean"
                own = {judge.name: bench.clean(judge.name, rows) for judge in bench.judges}
                vectors, changed = bench.clean(bench.target, rows), None
            else:
                condition, slug = condition_of(family, perturbation), perturbation.slug
                own = {j.name: bench.templates(perturbation, rows, j.name) for j in bench.judges}
                vectors = bench.templates(perturbation, rows, bench.target)
                changed = bench.perturbed(perturbation, rows[shown]).crops
            made = bench.invert(
                attack,
                vectors,
                f"{family}/{slug}",
                measure=None if numbers is None else numbers(perturbation),
                show=shown,
            )
            first = first or made
            measures = (
                {n: subject_estimate(bench, rows, v) for n, v in made.measures.items()}
                if summary is None
                else summary(perturbation, made, first)
            )
            seen = inversion_rows(
                bench,
                condition,
                attack,
                made,
                rows,
                own=own,
                clean=clean,
                measures={"shift": template_shift(bench, rows, vectors), **measures},
                samples=save_strip(
                    bench,
                    f"{family}/{slug}/{attack.replace(':', '-')}",
                    rows[shown],
                    perturbed=changed,
                    reconstruction=made.shown,
                ),
            )
            clean = clean or seen
            found += seen.rows
    return found
