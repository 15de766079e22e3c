"""Adversarial templates: the smallest change of a stored template that turns a decision, and what
the face that is made of the changed template shows.

``template-flip-impersonation`` moves a template until the target accepts it as another person's,
``template-flip-evasion`` until it no longer accepts it as its own person's, in both cases against
the enrolled template; strength is the nominal FMR of the threshold. Rows without an attack tell of
the template itself (the target alone can read it), rows with one of the decoded face: ``type2`` is
the share still accepted as the victim, ``decoded_impersonation_at_FMR`` that accepted as the goal,
both against pictures that the change was not made for. Measures: ``change``, the length of the
change over that of the template; ``angle``, in degrees; of the templates that had to be changed,
``flipped``, their share.
"""

from __future__ import annotations

import numpy as np

from attacks.perturbation.template_flip import Flipped, flip
from audit.estimates import rate_estimate
from audit.stress.adversarial_people import (
    Cast,
    accepted,
    change,
    named,
    usable,
)
from audit.stress.adversarial_rows import FAMILY
from audit.stress.bench import Workbench
from audit.stress.rows import (
    Condition,
    clean_condition,
    inversion_rows,
    recognition_row,
    subject_estimate,
)
from audit.stress.strips import save_strip
from reports.results import StressResult, fmr_value

NAME = "template-flip"


def flip_rows(bench: Workbench, cast: Cast) -> list[StressResult]:
    """Both goals at every threshold of the target."""
    judge = bench.judge(bench.target)
    vectors = bench.clean(bench.target, cast.handed)
    enrolled = bench.clean(bench.target, cast.enrolled)
    found = []
    for goal, references in (("impersonation", enrolled[cast.goals]), ("evasion", enrolled)):
        for cut in judge.cuts:
            if cut.value is None:
                continue
            accept = goal == "impersonation"
            flipped = flip(vectors, references, judge.kind, cut.value, accept=accept)
            towards = "accepted as another's" if accept else "refused as its own person's"
            said = Condition(
                FAMILY,
                f"{NAME}-{goal}",
                fmr_value(cut.label),
                "FMR",
                f"template changed until {towards} at FMR {cut.label}",
            )
            found.append(_template_row(bench, cast, said, flipped))
            for attack in bench.attacks:
                found += _decoded(bench, cast, said, flipped, attack)
    return found


def _template_row(bench: Workbench, cast: Cast, said: Condition, flipped: Flipped) -> StressResult:
    judge, who = bench.judge(bench.target), np.arange(len(cast))
    moved = flipped.change > 0.0
    own = cast.with_own(bench, judge, flipped.vectors, who)
    before = cast.with_own(bench, judge, bench.clean(judge.name, cast.handed), who)
    goals = cast.with_goals(bench, judge, flipped.vectors, who)
    measures = {
        "change": subject_estimate(bench, cast.handed, np.where(moved, flipped.change, np.nan)),
        "angle": subject_estimate(bench, cast.handed, np.where(moved, flipped.angle, np.nan)),
        "flipped": rate_estimate(moved, who, bench.seed),
        **named("impersonation", accepted(bench, judge, goals)),
    }
    return recognition_row(
        bench,
        said,
        judge,
        accepted(bench, judge, own),
        difference=change(bench, judge, own, before),
        measures=measures,
    )


def _decoded(
    bench: Workbench, cast: Cast, said: Condition, flipped: Flipped, attack: str
) -> list[StressResult]:
    who, show = np.arange(len(cast)), bench.shown(cast.handed)
    own = {judge.name: bench.clean(judge.name, cast.handed) for judge in bench.judges}
    base = bench.invert(attack, own[bench.target], f"{FAMILY}/clean", show=show)
    slug = f"{FAMILY}/{said.perturbation}-{said.strength:g}"
    made = bench.invert(attack, flipped.vectors, slug, show=show)
    samples = save_strip(
        bench, f"{slug}/{attack.replace(':', '-')}", cast.handed[show], reconstruction=made.shown
    )
    clean = inversion_rows(
        bench, clean_condition(FAMILY), attack, base, cast.handed, own=own, clean=None
    )
    # Type-I is against the template that was inverted; only the target's can be read there.
    enrolled = {**own, bench.target: flipped.vectors}
    seen = inversion_rows(
        bench, said, attack, made, cast.handed, own=enrolled, clean=clean, samples=samples
    )
    rows = []
    for row, judge in zip(seen.rows, bench.judges, strict=True):
        decoded = usable(cast.with_own(bench, judge, made.vectors[judge.name], who), made)
        before = usable(cast.with_own(bench, judge, base.vectors[judge.name], who), base)
        goals = usable(cast.with_goals(bench, judge, made.vectors[judge.name], who), made)
        rows.append(
            row.model_copy(
                update={
                    "tmr": {},
                    "tmr_difference": {},
                    "type2": accepted(bench, judge, decoded),
                    "type2_difference": change(bench, judge, decoded, before),
                    "measures": {
                        **row.measures,
                        **named("decoded_impersonation", accepted(bench, judge, goals)),
                    },
                }
            )
        )
    return rows
