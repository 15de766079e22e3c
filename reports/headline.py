"""What the top of the report says in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from reports.charts import display_fmr
from reports.results import AttackResult, Estimate, Measured, Results
from reports.words import count, interval, main, one_in

MEANING = (
    "A success rate counts reconstructions that were accepted by this matcher, at this FMR, from "
    "an injected picture, with no liveness check. It says nothing about a camera at a door."
)
_MEASURES = {
    "type1": "compared with the very picture whose template leaked",
    "type2": "compared with other pictures of the same person",
}
_CONTROLS = {
    "control:mean": "An average face",
    "control:nearest": "Most similar face the attacker has",
    "control:random": "Another person's face",
    "control:shuffled": "The attack on wrong templates",
}

_PHOTOGRAPH = "Another photograph (Type-II)"
_STORE_LABELS = {
    _PHOTOGRAPH: "Another template of the person",
    _CONTROLS["control:nearest"]: "Most similar sampled face",
    _CONTROLS["control:random"]: "Any sampled face",
}
_NO_JUDGE = "There is no headline: no judge that counts as unseen."
_STORE_ONLY = (
    "There is no headline: without photographs nobody but the attacked model itself can be asked. "
    "An audit of photographs by the same model says what others would accept."
)


@dataclass(frozen=True)
class Mark:
    """One line of the scale beside the headline; low and width place its interval, in percent."""

    label: str
    role: str  # attack, control or photograph
    text: str
    value: float | None = None
    low: float | None = None
    width: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Top:
    """The headline as the page prints it; ``number`` is empty where there is none."""

    number: str
    detail: str
    sentence: str
    missing: str
    marks: list[Mark]
    scale: str


def top_of(results: Results) -> Top:
    """The headline, or why there is none, and the scale that gives it a meaning."""
    head = results.headline
    marks, scale = _scale(results)
    if head is None:
        return Top("", "", "", _STORE_ONLY if results.store else _NO_JUDGE, marks, scale)
    if not isinstance(head.sar, Measured):
        return Top("", "", "", f"Not measured: {head.sar.not_measured}", marks, scale)
    spread = interval(head.sar)
    detail = f"95 % interval {spread}" if spread else "no interval"
    sentence = (
        f"of the faces rebuilt by {head.attack} were accepted as the right person by {head.judge}, "
        f"a recognition model that took no part in the attack, at a threshold where "
        f"{one_in(head.fmr)} is accepted too; {_MEASURES[head.measure]}."
    )
    return Top(
        main(head.sar, "rate"), f"{detail} · n = {count(head.sar.n)}", sentence, "", marks, scale
    )


def _scale(results: Results) -> tuple[list[Mark], str]:
    head, fmr = results.headline, display_fmr(results)
    judge = head.judge if head else results.target
    rows = [a for a in results.attacks if judge in a.judges]
    if fmr is None or not rows:
        return [], ""
    measure = head.measure if head else "type1"
    marks = list(_marks(rows, judge, measure, fmr, first=head.attack if head else ""))
    if results.store is not None:
        marks = [_of_a_store(mark) for mark in marks]
    place = f"Accepted by {judge} at FMR {100 * float(fmr):g} %"
    return marks, place if head else f"{place}: the attacked model itself, not an unseen judge"


def _marks(
    rows: list[AttackResult], judge: str, measure: str, fmr: str, *, first: str
) -> Iterator[Mark]:
    for row in sorted(rows, key=lambda a: (a.control, a.attack != first)):
        value = getattr(row.judges[judge], measure).get(fmr)
        label = _CONTROLS.get(row.attack, row.attack)
        yield mark_of(label, "control" if row.control else "attack", value)
    chosen = next((row for row in rows if row.attack == first), rows[0])
    reference = chosen.judges[judge].type2_reference.get(fmr)
    yield mark_of(_PHOTOGRAPH, "photograph", reference)


def _of_a_store(mark: Mark) -> Mark:
    """The same line where templates take the place of photographs."""
    return replace(mark, label=_STORE_LABELS.get(mark.label, mark.label))


def mark_of(label: str, role: str, value: Estimate | None) -> Mark:
    """The line of one estimate; what was not measured has no bar and says why."""
    if not isinstance(value, Measured):
        why = "not part of this run" if value is None else value.not_measured
        return Mark(label, role, "not measured", why=why)
    low = value.value if value.low is None else value.low
    high = value.value if value.high is None else value.high
    return Mark(
        label,
        role,
        main(value, "rate"),
        value=round(100 * value.value, 2),
        low=round(100 * low, 2),
        width=round(100 * (high - low), 2),
    )
