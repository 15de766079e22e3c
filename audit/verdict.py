"""What the numbers amount to: the headline, the grade and the sentence above them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

import yaml

from biometrics.backbones.base import BackboneSpec, kin_of
from reports.results import (
    HEADLINE_FMR,
    AttackResult,
    Estimate,
    Grade,
    Grading,
    Headline,
    JudgeResult,
    Measured,
    fmr_value,
)

WEAK_JUDGE = 0.5
"""A judge whose own Type-II reference is below this at an FMR is no judge at that FMR."""

GRADES: tuple[Grade, ...] = ("A", "B", "C", "D", "E", "F")

NOTES = {
    "meaning": (
        "Accepted means: accepted by this matcher, at this false match rate, from an injected "
        "picture, with no liveness check."
    ),
    "interval": (
        "Intervals are 95 % intervals over subjects and conditional on the threshold; an average "
        "is taken within a subject first, then over subjects."
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


def judge_of(spec: BackboneSpec, target: str, consulted: Collection[str] = ()) -> JudgeStanding:
    """The standing of a backbone as judge of attacks on ``target``; ``consulted`` judges took part
    in choosing the attacks' settings. What is made of others, an adapter, stands and falls with
    them, as do the variants of one network."""
    if spec.name == target:
        return JudgeStanding(False, "it is the attacked model")
    if not spec.may_be_unseen_judge:
        return JudgeStanding(False, "it is a control")
    own = _kin_of([spec.name])
    if own & _kin_of([target]):
        return JudgeStanding(False, "it has a part in common with the attacked model")
    if own & _kin_of(consulted):
        return JudgeStanding(False, "it took part in choosing the attack's settings")
    return JudgeStanding(True)


def _kin_of(names: Iterable[str]) -> frozenset[str]:
    return frozenset(kin for name in names for kin in kin_of(name))


@dataclass(frozen=True)
class Store:
    """Whose templates leaked, as far as the sentence needs it.

    Attributes:
        target: the backbone that made the templates.
        subjects: people in the store.
        generated: whether they are nobody.
        quick: whether the attack was trained on a part of the data only.
        drawn: whether they are a draw of more.
        unnamed: how many of them are single templates of which nobody says whose they are.
    """

    target: str
    subjects: int
    generated: bool = False
    quick: bool = False
    drawn: bool = False
    unnamed: int = 0


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


def decide(attacks: Sequence[AttackResult], store: Store) -> Verdict:
    """Headline, grade and sentence.

    The headline is the strongest attack by an unseen judge: one that is not the attacked model, no
    control, and at the FMR in question accepts at least half of the genuine pairs. Where there is
    none, the verdict rests on the attacked model alone and the grade is capped.
    """
    real = [a for a in attacks if not a.control]
    unseen = _strongest(_candidates(real, store.target, unseen=True))
    best = unseen or _strongest(_candidates(real, store.target, unseen=False))
    if best is None:
        reason = _why_nothing(real, store.target)
        return Verdict(None, "not graded", reason, f"There is no verdict: {reason}.")
    policy = grading()
    headline = None
    if unseen is not None:
        headline = Headline(
            attack=best.attack, judge=best.judge, fmr=best.fmr, sar=best.sar, measure="type1"
        )
    return Verdict(
        headline,
        _grade(best.sar, policy, capped=unseen is None),
        _reason(best, policy, unseen is None),
        _sentence(best, store, unseen is None),
    )


def grading() -> Grading:
    """The dated rules by which a success rate becomes a grade."""
    text = files("configs").joinpath("policy", "grades.yaml").read_text(encoding="utf-8")
    return Grading.model_validate(yaml.safe_load(text))


def _why_nothing(real: Sequence[AttackResult], target: str) -> str:
    judges = {name: judge for attack in real for name, judge in attack.judges.items()}
    if not judges:
        return "no judge was ready"
    if target not in judges and not any(judge.unseen for judge in judges.values()):
        return f"neither {target} itself nor an unseen judge is among the judges"
    cells = [cell for judge in judges.values() for cell in judge.type1.items()]
    if not any(isinstance(sar, Measured) for _, sar in cells):
        return "there are too few people to set a threshold at any FMR"
    if all(fmr_value(fmr) < fmr_value(HEADLINE_FMR) for fmr, _ in cells):
        return f"a verdict needs FMR {HEADLINE_FMR} or a higher one among the settings"
    return f"no judge that counts was measured at FMR {HEADLINE_FMR} or above"


def _candidates(
    attacks: Sequence[AttackResult], target: str, *, unseen: bool
) -> Iterator[_Candidate]:
    for attack in attacks:
        for name, judge in attack.judges.items():
            if judge.unseen is not unseen or (not unseen and name != target):
                continue
            for fmr, sar in judge.type1.items():
                if isinstance(sar, Measured) and (not unseen or is_strong(judge, fmr)):
                    yield _Candidate(attack.attack, name, fmr, sar)


def is_strong(judge: JudgeResult, fmr: str) -> bool:
    """Whether a judge accepts at least half of the genuine pairs at an FMR."""
    reference: Estimate | None = judge.type2_reference.get(fmr)
    return isinstance(reference, Measured) and reference.value >= WEAK_JUDGE


def _strongest(candidates: Iterator[_Candidate]) -> _Candidate | None:
    """The highest success at the headline's FMR, or at the strictest one above it."""
    found = [c for c in candidates if fmr_value(c.fmr) >= fmr_value(HEADLINE_FMR)]
    if not found:
        return None
    strictest = min(fmr_value(c.fmr) for c in found)
    return max((c for c in found if fmr_value(c.fmr) == strictest), key=lambda c: c.sar.value)


def _grade(sar: Measured, policy: Grading, *, capped: bool) -> Grade:
    low = sar.value if sar.low is None else sar.low
    grade: Grade = next((g for g in GRADES[:-1] if low <= policy.cutoffs[g].at_most), "F")
    best = policy.best_without_unseen_judge
    return GRADES[max(GRADES.index(grade), GRADES.index(best))] if capped else grade


def _reason(best: _Candidate, policy: Grading, own_only: bool) -> str:
    text = f"{best.attack} judged by {best.judge} at FMR {best.fmr}; cut-offs of {policy.date}"
    if own_only:
        text += f"; without an unseen judge {policy.best_without_unseen_judge} is the best grade"
    return text


def _who(store: Store) -> str:
    """``258 people``, as far as it is known that they are people."""
    named = store.subjects - store.unnamed
    if not named:
        return f"{_counted(store.unnamed, 'template')} (whose, nobody says)"
    people = _counted(named, "generated person" if store.generated else "person")
    who = people + (" (who are nobody)" if store.generated else "")
    if store.unnamed:
        who += f" and {_counted(store.unnamed, 'template')} of nobody named"
    return who


def _counted(count: int, what: str) -> str:
    if count == 1:
        return f"1 {what}"
    return f"{count:,} " + (what[:-6] + "people" if what.endswith("person") else f"{what}s")


def _sentence(best: _Candidate, store: Store, own_only: bool) -> str:
    where = "drawn from this store" if store.drawn else "in this store"
    percent = 100 * best.sar.value
    digits = 0 if 1 <= percent < 99 else 1
    part = {0.0: "None", 1.0: "All"}.get(best.sar.value, f"About {percent:.{digits}f} %")
    by_whom = (
        f"by {store.target} itself (own model only: no unseen judge could be used)"
        if own_only
        else f"by {best.judge}, which the attack never saw"
    )
    text = (
        f"{part} of the {_who(store)} {where} would be accepted "
        f"{by_whom}, from a face rebuilt out of their {store.target} template and injected without "
        f"a liveness check, at a false match rate of 1 in {round(1 / fmr_value(best.fmr)):,}."
    )
    if store.quick:
        text += " This was a quick run, on a part of the data: a full one may well find more."
    return text
