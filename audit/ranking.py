"""Which backbone leaks most: one judge for all, paired differences, ranks with ties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from audit.compared_run import ComparedRun, judged, strongest
from audit.estimates import estimate
from audit.people import seed_for
from audit.verdict import is_strong
from biometrics.metrics.intervals import Interval, paired_difference
from reports.results import (
    HEADLINE_FMR,
    ByFmr,
    CompareDifference,
    CompareRow,
    Estimate,
    Measured,
    NotMeasured,
    fmr_value,
)

LIKENESS = ("psnr_crop", "psnr_face", "ssim_crop", "ssim_face")
"""Likenesses of the reconstructions that a comparison shows."""


class CommonJudge(NamedTuple):
    """A judge that no attack of any run had seen, and the FMR at which it is no weak one."""

    name: str
    fmr: str


class Standing(NamedTuple):
    """What a run is ranked by: its strongest attack by one judge."""

    judge: str
    attack: str
    fmr: str


def common_judge(runs: Sequence[ComparedRun]) -> CommonJudge | None:
    """The judge for all runs: unseen by an attack of each, and accepting at least half of the
    genuine pairs. The headline's FMR goes first, then higher ones, then lower ones; among several
    judges the one that recognises the people best. None where there is none."""
    for fmr in sorted((f.label for f in runs[0].config.fmr), key=_nearness):
        found: dict[str, float] = {}
        for name in runs[0].config.judges:
            references = [_reference(run, name, fmr) for run in runs]
            if None not in references:
                found[name] = min(r for r in references if r is not None)
        if found:
            return CommonJudge(max(found, key=lambda name: found[name]), fmr)
    return None


def _nearness(fmr: str) -> tuple[bool, float]:
    value, headline = fmr_value(fmr), fmr_value(HEADLINE_FMR)
    return (value < headline, value if value >= headline else -value)


def _reference(run: ComparedRun, judge: str, fmr: str) -> float | None:
    """The judge's Type-II reference where it may speak for the run at this FMR, else None."""
    attack = strongest(run, judge, fmr, unseen=True)
    verdict = None if attack is None else judged(run, attack, judge)
    if verdict is None or not is_strong(verdict, fmr):
        return None
    reference = verdict.type2_reference[fmr]
    return reference.value if isinstance(reference, Measured) else None


def standing(run: ComparedRun, common: CommonJudge | None) -> Standing | None:
    """What a run is ranked by: the common judge, or without one the run's own headline, or else
    the attacked model itself."""
    if common is not None:
        attack = strongest(run, common.name, common.fmr, unseen=True)
        return None if attack is None else Standing(common.name, attack, common.fmr)
    headline = run.results.headline
    if headline is not None:
        return Standing(headline.judge, headline.attack, headline.fmr)
    for fmr in sorted((f.label for f in run.config.fmr), key=_nearness):
        attack = strongest(run, run.target, fmr, unseen=False)
        if attack is not None:
            return Standing(run.target, attack, fmr)
    return None


def compare_rows(
    runs: Sequence[ComparedRun], standings: Mapping[str, Standing | None]
) -> list[CompareRow]:
    """The rows, the most leaking first; those that cannot be ranked come last."""
    rows = [_row(run, standings[run.name]) for run in runs]
    rows.sort(key=lambda row: -_value(row.headline))
    ranks = _ranks(rows, {run.name: run for run in runs}, standings)
    return [row.model_copy(update={"rank": rank}) for row, rank in zip(rows, ranks, strict=True)]


def _row(run: ComparedRun, place: Standing | None) -> CompareRow:
    known = run.results.backbones.get(run.target)
    row = CompareRow(
        name=run.name,
        run=run.folder.name,
        target=run.target,
        grade=run.results.grade,
        tmr={} if known is None else known.tmr,
        dim=None if known is None else known.dim,
        similarity="" if known is None else known.similarity,
        licence="" if known is None else known.licence,
    )
    if place is None:
        return row
    found = judged(run, place.attack, place.judge)
    assert found is not None
    own = judged(run, place.attack, run.target)
    attack = next(a for a in run.attacks if a.attack == place.attack)
    filled = {
        "attack": place.attack,
        "judge": place.judge,
        "headline": found.type1[place.fmr],
        "sar": found.type1,
        "type2": found.type2,
        "type2_reference": found.type2_reference,
        "own": {} if own is None else own.type1,
        "image": {name: attack.image[name] for name in LIKENESS if name in attack.image},
    }
    return row.model_copy(update=filled)


def _value(headline: Estimate) -> float:
    return headline.value if isinstance(headline, Measured) else -1.0


def _ranks(
    rows: Sequence[CompareRow],
    runs: Mapping[str, ComparedRun],
    standings: Mapping[str, Standing | None],
) -> list[int]:
    """1 for the most leaking. A row shares the rank of the first row of the group above it unless
    the paired interval of their difference lies wholly on one side of 0; a row that cannot be
    paired with it starts a group of its own. 0 where nothing was measured."""
    ranks: list[int] = []
    leader = None
    for number, row in enumerate(rows, start=1):
        place = standings[row.name]
        if place is None or not isinstance(row.headline, Measured):
            ranks.append(0)
            continue
        tied = False
        if leader is not None:
            places = (standings[leader.name], place)
            lead = _paired_sar(runs[leader.name], runs[row.name], places, place.fmr)
            tied = not is_clear(lead)
        if not tied:
            leader = row
        ranks.append(ranks[-1] if tied else number)
    return ranks


def is_clear(difference: Estimate) -> bool:
    """Whether the interval of a difference leaves 0 out; a difference that could not be measured
    says nothing of equality."""
    if not isinstance(difference, Measured):
        return True
    if difference.low is None or difference.high is None:
        return False
    return difference.low > 0 or difference.high < 0


def differences(
    rows: Sequence[CompareRow],
    runs: Mapping[str, ComparedRun],
    standings: Mapping[str, Standing | None],
) -> list[CompareDifference]:
    """Paired differences of every two rows, the upper less the lower."""
    return [
        CompareDifference(
            left=a.name,
            right=b.name,
            sar=_paired_sars(runs[a.name], runs[b.name], (standings[a.name], standings[b.name])),
            image=dict(
                _paired_likeness(runs[a.name], runs[b.name], (standings[a.name], standings[b.name]))
            ),
        )
        for a, b in combinations(rows, 2)
    ]


def _paired_sars(
    left: ComparedRun, right: ComparedRun, places: tuple[Standing | None, Standing | None]
) -> ByFmr:
    labels = [fmr.label for fmr in left.config.fmr]
    return {label: _paired_sar(left, right, places, label) for label in labels}


def _paired_sar(
    left: ComparedRun,
    right: ComparedRun,
    places: tuple[Standing | None, Standing | None],
    fmr: str,
) -> Estimate:
    """Left less right over the same people."""
    a, b = places
    if a is None or b is None:
        return NotMeasured(not_measured="one of them has no judge")
    if a.judge != b.judge:
        return NotMeasured(not_measured=f"judged by {a.judge} and by {b.judge}")
    one = left.outcomes.values(a.attack, a.judge, "type1", fmr)
    other = right.outcomes.values(b.attack, b.judge, "type1", fmr)
    if one is None or other is None:
        return NotMeasured(not_measured=f"{a.judge} has no threshold at FMR {fmr}")
    return estimate(_paired(one, other, left, rates=True))


def _paired_likeness(
    left: ComparedRun, right: ComparedRun, places: tuple[Standing | None, Standing | None]
) -> Iterator[tuple[str, Estimate]]:
    a, b = places
    if a is None or b is None:
        return
    for measure in LIKENESS:
        one = left.outcomes.values(a.attack, "", measure)
        other = right.outcomes.values(b.attack, "", measure)
        if one is not None and other is not None:
            yield measure, estimate(_paired(one, other, left, rates=False))


def _paired(one: np.ndarray, other: np.ndarray, run: ComparedRun, *, rates: bool) -> Interval:
    seed = seed_for("bootstrap", run.config.seed)
    return paired_difference(one, other, rates=rates, seed=seed)
