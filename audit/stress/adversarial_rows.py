"""What judges make of attacked pictures, as rows; :mod:`audit.stress.adversarial` says what the
measures are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attacks.perturbation.recogniser import Gallery
from audit.estimates import estimate, rate_estimate
from audit.judging import Judge
from audit.stress.adversarial_noise import Attacked, Plan
from audit.stress.adversarial_people import Cast, Places, accepted, change, named
from audit.stress.bench import Vectors, Workbench
from audit.stress.pictures import condition_of
from audit.stress.rows import (
    Condition,
    clean_condition,
    recognition_row,
    subject_estimate,
    template_shift,
)
from biometrics.metrics.intervals import mean_over_subjects
from reports.results import Estimate, StressFamily, StressResult

FAMILY: StressFamily = "adversarial"

END = {
    "carlini-wagner-softmax-impersonation": (
        "the smallest noise after which the goal is the most likely person of the gallery"
    ),
    "carlini-wagner-similarity-impersonation": (
        "the smallest noise after which the target accepts at its strictest threshold"
    ),
}
"""What a noise without a budget leads to."""


def condition(plan: Plan) -> Condition:
    """A plan in the words of the results: method, objective and goal are one name."""
    noise = plan.noise
    said = condition_of(FAMILY, noise)
    note = END.get(noise.title, "")
    return Condition(FAMILY, noise.title, said.strength, said.unit, said.label, note=note)


def clean_rows(bench: Workbench, cast: Cast, gallery: Gallery) -> list[StressResult]:
    """The pictures before any noise: both goals' measures, for the rates that come by chance."""
    everybody = np.arange(len(cast))
    rows = []
    for judge in bench.judges:
        vectors = bench.clean(judge.name, cast.handed)
        measures = {
            **_impersonation(bench, cast, judge, vectors, everybody),
            **_evasion(bench, cast, judge, vectors, everybody),
        }
        if judge.name == bench.target:
            measures |= softmax_measures(bench, cast, gallery, vectors, everybody)
            measures["scale"] = estimate(
                mean_over_subjects([gallery.scale], rates=False, seed=bench.seed)
            )
        own = accepted(bench, judge, cast.with_own(bench, judge, vectors, everybody))
        rows.append(recognition_row(bench, clean_condition(FAMILY), judge, own, measures=measures))
    return rows


def noise_rows(
    bench: Workbench, cast: Cast, gallery: Gallery, plan: Plan, seen: Attacked
) -> list[StressResult]:
    """What every judge makes of the pictures of one plan."""
    rows = []
    for judge in bench.judges:
        vectors, who = seen.vectors[judge.name], plan.who
        rates = _impersonation if plan.noise.targeted else _evasion
        measures = rates(bench, cast, judge, vectors, who)
        if judge.name == bench.target:
            handed = cast.handed[who]
            measures |= softmax_measures(bench, cast, gallery, vectors, who)
            measures |= {
                "l2": subject_estimate(bench, handed, _there(seen.l2)),
                "linf": subject_estimate(bench, handed, _there(seen.linf)),
                "shift": template_shift(bench, handed, vectors),
            }
        after = cast.with_own(bench, judge, vectors, who)
        before = cast.with_own(bench, judge, bench.clean(judge.name, cast.handed[who]), who)
        rows.append(
            recognition_row(
                bench,
                condition(plan),
                judge,
                accepted(bench, judge, after),
                difference=change(bench, judge, after, before),
                measures=measures,
            )
        )
    return rows


def softmax_measures(
    bench: Workbench, cast: Cast, gallery: Gallery, vectors: Vectors, who: Places
) -> dict[str, Estimate]:
    """Identities in the softmax before the noise and after it."""
    clean = bench.clean(bench.target, cast.handed[who])
    after = gallery.probabilities(vectors)
    first = after.argmax(axis=1)
    handed = np.arange(len(who))
    return {
        **probabilities(bench, cast, gallery.probabilities(clean), who, "before"),
        **probabilities(bench, cast, after, who, "after"),
        "first_is_goal": rate_estimate(first == cast.goals[who], handed, bench.seed),
        "first_is_own": rate_estimate(first == who, handed, bench.seed),
    }


def probabilities(
    bench: Workbench, cast: Cast, found: NDArray[np.float64], who: Places, when: str
) -> dict[str, Estimate]:
    """Mean probability of goal and own person, of probabilities [K, S]."""
    rows, handed = np.arange(len(who)), cast.handed[who]
    goal, own = found[rows, cast.goals[who]], found[rows, who]
    return {
        f"probability_goal_{when}": subject_estimate(bench, handed, goal),
        f"probability_own_{when}": subject_estimate(bench, handed, own),
    }


def _impersonation(
    bench: Workbench, cast: Cast, judge: Judge, vectors: Vectors, who: Places
) -> dict[str, Estimate]:
    others = cast.with_goals(bench, judge, vectors, who)
    template = cast.with_enrolled(bench, judge, vectors, cast.goals[who])
    return {
        **named("impersonation", accepted(bench, judge, others)),
        **named("impersonation_of_template", accepted(bench, judge, template)),
    }


def _evasion(
    bench: Workbench, cast: Cast, judge: Judge, vectors: Vectors, who: Places
) -> dict[str, Estimate]:
    others = cast.with_own(bench, judge, vectors, who)
    template = cast.with_enrolled(bench, judge, vectors, who)
    return {
        **named("evasion", accepted(bench, judge, others, refused=True)),
        **named("evasion_of_template", accepted(bench, judge, template, refused=True)),
    }


def _there(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(sizes > 0.0, sizes, np.nan)
