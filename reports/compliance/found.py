"""What was measured, as the rows of the tables look at it: attacks of any kind of run alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from reports.protection_select import attacked, on_templates
from reports.results import (
    CLEAN,
    NOT_RUN,
    UNPROTECTED,
    ByFmr,
    Estimate,
    Measured,
    NotMeasured,
    ProtectionResult,
    Results,
    StressResult,
    far_above_nominal,
)
from reports.stress_select import shown_fmr

STRONG_JUDGE = 0.5
"""Below this share of genuine pairs accepted, a judge says nothing of reconstructions."""

FLATTERED = "strangers match these reconstructions too, so the rate is flattered"

Judge: TypeAlias = Literal["own", "unseen", "any"]


@dataclass(frozen=True)
class Evidence:
    """One number that speaks to a requirement.

    Attributes:
        value: the number.
        attack, judge, backbone, fmr: what it is of; empty where it depends on none.
        counted: it was counted and not sampled, so that it is its own interval.
        weak: why it cannot support: the attack does not work here, or was trained on a part of
            the data.
        doubtful: why it cannot contradict: the attack does not work, or strangers match its
            reconstructions too.
    """

    value: Estimate
    attack: str = ""
    judge: str = ""
    backbone: str = ""
    fmr: str = ""
    counted: bool = False
    weak: str = ""
    doubtful: str = ""


@dataclass(frozen=True)
class Tried:
    """One attack on the templates of one backbone, as one judge saw it."""

    attack: str
    judge: str
    backbone: str
    unseen: bool
    type1: ByFmr
    type2: ByFmr
    reference: ByFmr
    own_fmr: ByFmr
    margin: ByFmr
    rank1: Estimate = NOT_RUN
    not_working: str = ""

    @property
    def own(self) -> bool:
        """Whether the attacked model itself judged."""
        return self.judge == self.backbone


def tried(results: Results) -> list[Tried]:
    """All attacks that are no controls: of an audit, a comparison, the clean rows of a stress run,
    and what a run about protection tried on templates as they are."""
    return [
        *_audited(results),
        *_compared(results),
        *_stressed(results, clean=True),
        *_unprotected(results),
    ]


def stressed(results: Results) -> list[Tried]:
    """The attacks on templates that leaked damaged: coarser, shortened, noisy."""
    return list(_stressed(results, clean=False))


def targets(results: Results) -> list[str]:
    """The backbones whose templates leaked."""
    if results.compare is not None:
        names = [row.target or row.name for row in results.compare.rows]
    else:
        names = [results.target, *(row.backbone for row in results.stress)]
        names += [row.backbone for row in results.protections]
    return [name for name in dict.fromkeys(names) if name]


def acceptances(
    rows: Sequence[Tried], measure: str, judge: Judge, fmr: str | None, *, weak: str = ""
) -> list[Evidence]:
    """How often these attacks were accepted, at one false match rate for all of them.

    Args:
        rows: attacks.
        measure: ``type1``, ``type2`` or ``margin``.
        judge: who counts; an unseen judge counts where it accepts at least half of the genuine
            pairs at that rate.
        fmr: the rate, or None for the headline's, or else the strictest that was measured.
        weak: why these numbers cannot support anything.
    """
    heard = [row for row in rows if _heard(row, judge)]
    key = fmr or shown_fmr(getattr(row, measure) for row in heard)
    if not heard:
        return [Evidence(NotMeasured(not_measured=_nobody(rows, judge)))]
    if key is None:
        return _silent(heard, measure)
    told = [row for row in heard if row.own or is_strong(row, key)]
    if not told:
        why = f"no unseen judge accepts half of the genuine pairs at FMR {key}"
        return [Evidence(NotMeasured(not_measured=why), fmr=key)]
    return [
        Evidence(
            getattr(row, measure).get(key, NotMeasured(not_measured=f"not measured at FMR {key}")),
            row.attack,
            row.judge,
            row.backbone,
            key,
            weak=row.not_working or weak,
            doubtful=row.not_working
            or (FLATTERED if far_above_nominal(row.own_fmr.get(key), key) else ""),
        )
        for row in told
    ]


def is_strong(row: Tried, fmr: str) -> bool:
    """Whether a judge accepts at least half of the genuine pairs at that rate."""
    reference = row.reference.get(fmr)
    return isinstance(reference, Measured) and reference.value >= STRONG_JUDGE


def heard_by(rows: Sequence[Tried], judge: Judge) -> list[Tried]:
    """The rows of the judges that count."""
    return [row for row in rows if _heard(row, judge)]


def _heard(row: Tried, judge: Judge) -> bool:
    return (row.own and judge != "unseen") or (row.unseen and judge != "own")


def _nobody(rows: Sequence[Tried], judge: Judge) -> str:
    if not rows:
        return "no attack was tried in this run"
    if judge == "own":
        return "the attacked model itself was not asked"
    return "no judge that the attack never saw was asked"


def _silent(rows: Sequence[Tried], measure: str) -> list[Evidence]:
    values = [value for row in rows for value in getattr(row, measure).values()]
    reasons = dict.fromkeys(v.not_measured for v in values if isinstance(v, NotMeasured))
    return [Evidence(NotMeasured(not_measured="; ".join(reasons) or NOT_RUN.not_measured))]


def _audited(results: Results) -> Iterator[Tried]:
    for row in results.attacks:
        if row.control:
            continue
        for name, judge in row.judges.items():
            yield Tried(
                attack=row.attack,
                judge=name,
                backbone=row.backbone,
                unseen=judge.unseen,
                type1=judge.type1,
                type2=judge.type2,
                reference=judge.type2_reference,
                own_fmr=judge.reconstruction_fmr,
                margin=judge.margin_over_nearest,
                rank1=judge.rank1,
                not_working=row.not_working,
            )


def _compared(results: Results) -> Iterator[Tried]:
    if results.compare is None:
        return
    backbones = {row.name: row.target or row.name for row in results.compare.rows}
    for cell in results.compare.matrix:
        if cell.attack:
            yield Tried(
                attack=cell.attack,
                judge=cell.judge,
                backbone=backbones.get(cell.source, cell.source),
                unseen=cell.unseen,
                type1=cell.type1,
                type2=cell.type2,
                reference=cell.type2_reference,
                own_fmr={},
                margin={},
            )


def _stressed(results: Results, *, clean: bool) -> Iterator[Tried]:
    seen = set()
    for row in results.stress:
        if not row.attack or (row.perturbation == CLEAN) is not clean:
            continue
        if not clean and (row.family != "damage" or row.repaired):
            continue
        what = row.attack if clean else f"{row.attack}, {row.label or row.perturbation}"
        key = (what, row.judge, row.backbone, row.strength)
        if clean and key in seen:  # one clean row a family, of the same attack
            continue
        seen.add(key)
        yield _one_judge(row, what, row.tmr)


def overheard(results: Results) -> list[Tried]:
    """Faces from the scores or decisions of templates as they are, in a run about protection."""
    rows = [row for row in attacked(results.protections) if row.leak != "template"]
    return [
        _one_judge(row, f"{row.attack} from {row.queries} {row.leak}s", row.type2_reference)
        for row in rows
        if row.scheme == UNPROTECTED
    ]


def _unprotected(results: Results) -> Iterator[Tried]:
    """An audit with protections holds these attacks already."""
    for row in on_templates(results.protections) if not results.attacks else ():
        if row.scheme == UNPROTECTED:
            yield _one_judge(row, row.attack, row.type2_reference)


def _one_judge(row: StressResult | ProtectionResult, attack: str, reference: ByFmr) -> Tried:
    """A row that is of one judge already."""
    return Tried(
        attack=attack,
        judge=row.judge,
        backbone=row.backbone,
        unseen=row.unseen,
        type1=row.type1,
        type2=row.type2,
        reference=reference,
        own_fmr=row.reconstruction_fmr,
        margin={},
    )
