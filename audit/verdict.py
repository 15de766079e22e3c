"""What the numbers amount to: the headline, the grade and the sentence above them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, get_args

import yaml

from biometrics.backbones.base import BackboneSpec
from reports.results import (
    AttackResult,
    Estimate,
    Grade,
    Headline,
    JudgeResult,
    Measured,
    fmr_value,
)

HEADLINE_FMR = "1e-3"
WEAK_JUDGE = 0.5
"""A judge whose own Type-II reference is below this at an FMR is no judge at that FMR."""

GRADES: tuple[Grade, ...] = ("A", "B", "C", "D", "E", "F")

NOTES = {
    "meaning": (
        "Accepted means: accepted by this matcher, at this false match rate, from an injected "
        "picture, with no liveness check."
    ),
    "interval": (
        "Intervals are 95 % intervals over subjects and conditional on the threshold; an average is "
        "taken within a subject first, then over subjects."
    ),
    "generated": (
        "The subjects of this run are nobody: they were sampled from the appearance model that "
        "ships with faceleak."
    ),
    "shared": (
        "The attacks of this run draw with the same appearance model that generated the people, so "
        "they do better here than on photographs."
    ),
}


@dataclass(frozen=True)
class JudgeStanding:
    """Whether a judge took no part in the attack and may speak for others."""

    unseen: bool
    why_not: str = ""


def judge_of(spec: BackboneSpec, target: str) -> JudgeStanding:
    """The standing of a backbone as judge of an attack on ``target``."""
    if spec.name == target:
        return JudgeStanding(False, "it is the attacked model")
    if not spec.may_be_unseen_judge:
        return JudgeStanding(False, "it is a control")
    return JudgeStanding(True)


@dataclass(frozen=True)
class Verdict:
    """The top of the report."""

    headline: Headline | None
    grade: Grade
    grade_reason: str
    sentence: str


@dataclass(frozen=True)
class _Candidate:
    attack: str
    judge: str
    fmr: str
    sar: Measured


def decide(attacks: Sequence[AttackResult], target: str, subjects: int) -> Verdict:
    """Headline, grade and sentence.

    The headline is the strongest attack by an unseen judge: one that is not the attacked model, no
    control, and at the FMR in question accepts at least half of the genuine pairs. Where there is
    none, the verdict rests on the attacked model alone and the grade is capped.
    """
    real = [a for a in attacks if not a.control]
    unseen = _strongest(_candidates(real, target, unseen=True))
    best = unseen or _strongest(_candidates(real, target, unseen=False))
    if best is None:
        reason = "no success rate could be measured; there are too few people for any FMR"
        return Verdict(None, "not graded", reason, f"Nothing could be measured: {reason}.")
    policy = yaml.safe_load(files("configs").joinpath("policy", "grades.yaml").read_text())
    grade = _grade(best.sar, policy, capped=unseen is None)
    headline = None
    if unseen is not None:
        headline = Headline(
            attack=best.attack, judge=best.judge, fmr=best.fmr, sar=best.sar, measure="type1"
        )
    return Verdict(
        headline,
        grade,
        _reason(best, policy, unseen is None),
        _sentence(best, target, subjects, unseen is None),
    )


def _candidates(
    attacks: Sequence[AttackResult], target: str, *, unseen: bool
) -> Iterator[_Candidate]:
    for attack in attacks:
        for name, judge in attack.judges.items():
            if judge.unseen is not unseen or (not unseen and name != target):
                continue
            for fmr, sar in judge.type1.items():
                if isinstance(sar, Measured) and (not unseen or _strong(judge, fmr)):
                    yield _Candidate(attack.attack, name, fmr, sar)


def _strong(judge: JudgeResult, fmr: str) -> bool:
    reference: Estimate | None = judge.type2_reference.get(fmr)
    return isinstance(reference, Measured) and reference.value >= WEAK_JUDGE


def _strongest(candidates: Iterator[_Candidate]) -> _Candidate | None:
    """The highest success at the headline's FMR, or at the strictest one above it."""
    found = [c for c in candidates if fmr_value(c.fmr) >= fmr_value(HEADLINE_FMR)]
    if not found:
        return None
    strictest = min(fmr_value(c.fmr) for c in found)
    return max((c for c in found if fmr_value(c.fmr) == strictest), key=lambda c: c.sar.value)


def _grade(sar: Measured, policy: dict[str, Any], *, capped: bool) -> Grade:
    low = sar.value if sar.low is None else sar.low
    grade: Grade = next((g for g in GRADES[:-1] if low <= policy["cutoffs"][g]), "F")
    best = policy["best_without_unseen_judge"]
    return GRADES[max(GRADES.index(grade), GRADES.index(best))] if capped else grade


def _reason(best: _Candidate, policy: dict[str, Any], own_only: bool) -> str:
    text = f"{best.attack} judged by {best.judge} at FMR {best.fmr}; cut-offs of {policy['date']}"
    if own_only:
        text += f"; no unseen judge, so not better than {policy['best_without_unseen_judge']}"
    return text


def _sentence(best: _Candidate, target: str, subjects: int, own_only: bool) -> str:
    share = f"{100 * best.sar.value:.0f}"
    one_in = f"1 in {round(1 / fmr_value(best.fmr)):,}"
    judged = (
        f"by {target} itself (own model only: no unseen judge was at hand)"
        if own_only
        else f"by {best.judge}, which the attack never saw"
    )
    return (
        f"Of 100 people in this store of {subjects:,}, about {share} would be accepted {judged}, from "
        f"a face rebuilt out of their {target} template and injected without a liveness check, at a "
        f"false match rate of {one_in}."
    )


assert set(GRADES) < set(get_args(Grade))
