"""How far templates of one backbone tell those of another, without any picture.

Shown beside its calibration on photographs and never as a headline: both sides come from one
template, so a high share says that two models hold the same of a face, not that a face was rebuilt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from audit.compared_run import ComparedRun
from audit.estimates import estimate
from audit.people import seed_for
from audit.watch import Watch
from biometrics.metrics.success import Attempts, acceptance
from biometrics.progress import Advance
from biometrics.template_map import draw_pairs, fit_template_map
from reports.results import Estimate, NotMeasured, Predictability

PAIRS = 2000
"""Of the attacker's pictures, drawn by the run's seed, that a map is fitted on: more of them change
little, and templates of thousands of values take minutes then."""


def predictabilities(
    runs: Sequence[ComparedRun], judges: Sequence[str], watch: Watch
) -> list[Predictability]:
    """A linear map from each target's templates to each judge's, fitted on the attacker's pictures
    and tried on the leaked ones at the judge's own thresholds."""
    sources = list(dict.fromkeys(run.target for run in runs))
    pairs = [(s, j) for s in sources for j in judges if s != j]
    with watch.task("predict templates from templates", len(pairs)) as advance:
        return list(_predicted(runs, pairs, advance))


def _predicted(
    runs: Sequence[ComparedRun], pairs: Sequence[tuple[str, str]], advance: Advance
) -> Iterator[Predictability]:
    by_target = {run.target: run for run in runs}
    for source, judge in pairs:
        run = by_target[source]
        advance(1)
        if judge in run.results.backbones:
            yield _predict(run, judge)


def _predict(run: ComparedRun, judge: str) -> Predictability:
    mine, theirs = run.templates(run.target), run.templates(judge)
    roles = run.roles(mine)
    attacker, leaked = np.flatnonzero(roles == "attacker"), np.flatnonzero(roles == "leaked")
    known = run.results.backbones
    drawn = attacker[draw_pairs(mine.subject_ids[attacker], PAIRS, run.config.seed)]
    found = fit_template_map(
        mine.vectors[drawn],
        theirs.vectors[drawn],
        unit=known[run.target].similarity == "cosine",
    )
    attempts = Attempts(
        reconstructed=found.apply(mine.vectors[leaked]),
        leaked=theirs.vectors[leaked],
        subjects=theirs.subject_ids[leaked],
        detected=np.ones(len(leaked), dtype=bool),
        kind=known[judge].similarity,
    )
    columns: dict[str, dict[str, Estimate]] = {
        name: {} for name in ("same_picture", "other_pictures", "photographs", "strangers")
    }
    for fmr, threshold in known[judge].thresholds.items():
        if isinstance(threshold, NotMeasured):
            for column in columns.values():
                column[fmr] = threshold
            continue
        rates = acceptance(attempts, threshold, seed=seed_for("bootstrap", run.config.seed))
        columns["same_picture"][fmr] = estimate(rates.type1)
        columns["other_pictures"][fmr] = estimate(rates.type2)
        columns["photographs"][fmr] = estimate(rates.type2_reference)
        columns["strangers"][fmr] = estimate(rates.reconstruction_fmr)
    return Predictability(source=run.target, judge=judge, pairs=len(drawn), **columns)
