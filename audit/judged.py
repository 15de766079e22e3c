"""What one judge says of one attack, as the results schema writes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from audit.estimates import estimate
from audit.judging import Cut
from biometrics.metrics.success import (
    Acceptance,
    Attempts,
    BySubject,
    acceptance,
    identification,
    margin,
    similarity,
)
from reports.results import Estimate, JudgeResult, NotMeasured

RATES = ("type1", "type2", "type2_reference", "reconstruction_fmr", "sar_ignoring_detection")
"""Fields that ``acceptance`` and the schema's JudgeResult share."""

Tell = Callable[[str, BySubject], None]
"""Told about the rates of every person at each FMR."""


def nobody(fmr: str, rates: BySubject) -> None:
    """Is told and keeps nothing."""


def judge_result(
    mine: Attempts,
    cuts: Sequence[Cut],
    *,
    unseen: bool,
    nearest: Attempts | None,
    seed: int,
    tell: Tell = nobody,
) -> JudgeResult:
    """Every rate of an attack at every threshold of a judge.

    Args:
        mine: the attempts as this judge sees them.
        cuts: its thresholds.
        unseen: whether it took no part in the attack.
        nearest: the same judge's view of the nearest-face control, for the paired margin; None for
            a control.
        seed: of the bootstrap.
        tell: told about the rates of every person.
    """
    rates: dict[str, dict[str, Estimate]] = {name: {} for name in RATES}
    margins: dict[str, Estimate] = {}
    for cut in cuts:
        if cut.value is None:
            for column in (*rates.values(), margins):
                column[cut.label] = NotMeasured(not_measured=cut.why)
            continue
        found = acceptance(mine, cut.value, seed=seed)
        tell(cut.label, found.by_subject)
        for name, column in rates.items():
            column[cut.label] = estimate(getattr(found, name))
        margins[cut.label] = _margin(found, nearest, cut.value, seed)
    ranks = identification(mine, seed=seed)
    return JudgeResult(
        unseen=unseen,
        **rates,
        margin_over_nearest=margins,
        rank1=estimate(ranks.rank1),
        rank10=estimate(ranks.rank10),
        similarity=estimate(similarity(mine, seed=seed)),
    )


def _margin(found: Acceptance, nearest: Attempts | None, threshold: float, seed: int) -> Estimate:
    if nearest is None:
        return NotMeasured(not_measured="this row is a control itself")
    control = acceptance(nearest, threshold, seed=seed)
    return estimate(margin(found, control, seed=seed))
