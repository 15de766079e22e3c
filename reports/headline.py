"""What the top of the report says in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from reports.basis import Basis, basis_of, display_fmr
from reports.results import AttackResult, Estimate, Measured, Results, fmr_value
from reports.words import NBSP, count, fmr_label, main, percent, spread_of

MEANING = (
    "A success rate counts reconstructions that were accepted by this matcher, at this FMR, from "
    "an injected picture, with no liveness check. It says nothing about a camera at a door."
)
_MEASURES = {
    "type1": "compared with the very picture whose template leaked",
    "type2": "compared with other pictures of the same person",
}
_STORE_MEASURE = "compared with the very template that leaked"
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
_NO_JUDGE = "No judge that counts was measured at a false match rate at which a verdict is given."
_OWN = "The attacked model itself is asked, as no unseen judge could be: {why}"
_STORE_ONLY = (
    "without photographs no other model has templates to compare with. "
    "An audit of photographs by the same model says what others would accept."
)
_NO_UNSEEN = "what another product would accept was not measured."


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
    """The number behind the verdict as the page prints it; ``number`` is empty where there is none.

    Attributes:
        number, detail: the rate, and its interval with n.
        own: it is the attacked model's own, no headline.
        plain: what it means, in words that need no statistics.
        sentence: whose faces were judged by whom, and compared with what.
        missing: why there is no number.
        marks, scale: what it is compared with.
        caveats: what limits every number of the page.
    """

    number: str
    detail: str
    own: bool
    plain: str
    sentence: str
    missing: str
    marks: list[Mark]
    scale: str
    caveats: list[str]


def top_of(results: Results) -> Top:
    """The number that the verdict rests on, or why there is none, and the scale that gives it a
    meaning."""
    basis = basis_of(results)
    marks, scale = _scale(results, basis)
    caveats = list(_caveats(results))
    if basis is None or not isinstance(basis.sar, Measured):
        return Top("", "", False, "", "", _why_none(results, basis), marks, scale, caveats)
    return Top(
        main(basis.sar, "rate"),
        spread_of(basis.sar),
        basis.own,
        in_a_hundred(basis.sar.value, basis.fmr, own=basis.own),
        _sentence(basis, results),
        "",
        marks,
        scale,
        caveats,
    )


def in_a_hundred(rate: float, fmr: str, *, own: bool) -> str:
    """``Of 100 people in this store, about 97 would be accepted by this matcher``, and so on."""
    share = 100 * rate
    who = {0.0: "none", 100.0: "all"}.get(share) or (
        "fewer than 1" if share < 1 else "more than 99" if share > 99 else f"about {share:.0f}"
    )
    whom = "the very model that made the templates" if own else "this matcher"
    return (
        f"Of 100 people in this store, {who} would be accepted by {whom} from an injected picture, "
        f"without a liveness check, at a false match rate of 1 in"
        f"{NBSP}{count(round(1 / fmr_value(fmr)))}."
    )


def _sentence(basis: Basis, results: Results) -> str:
    measure = _STORE_MEASURE if results.store and basis.measure == "type1" else None
    compared = measure or _MEASURES[basis.measure]
    if basis.own:
        why = _STORE_ONLY if results.store else _NO_UNSEEN
        return (
            f"Faces rebuilt by {basis.attack}, judged by {basis.judge}; {compared}. "
            + _OWN.format(why=why)
        )
    return (
        f"Faces rebuilt by {basis.attack}, judged by {basis.judge}, a recognition model that took "
        f"no part in the attack; {compared}."
    )


def _why_none(results: Results, basis: Basis | None) -> str:
    if basis is not None and not isinstance(basis.sar, Measured):
        return f"Not measured: {basis.sar.not_measured}"
    if results.store is not None and results.store.not_inverted:
        return f"Not measured: {results.store.not_inverted}"
    return _NO_JUDGE


def _caveats(results: Results) -> Iterator[str]:
    store = results.store
    if store is not None and (store.unreadable or store.broken):
        share = "unknown" if store.coverage is None else percent(store.coverage)
        why = [f"{count(rows)}: {reason}" for reason, rows in store.unreadable.items()]
        why += [store.broken] if store.broken else []
        yield (
            f"This report is partial. Share of the store's rows that could be read: {share}; every "
            f"number is about those alone. Not read: {'; '.join(why)}."
        )


def _scale(results: Results, basis: Basis | None) -> tuple[list[Mark], str]:
    fmr = display_fmr(results)
    judge = basis.judge if basis else results.target
    rows = [a for a in results.attacks if judge in a.judges]
    if fmr is None or not rows:
        return [], ""
    measure = basis.measure if basis else "type1"
    marks = list(_marks(rows, judge, measure, fmr, first=basis.attack if basis else ""))
    if results.store is not None:
        marks = [_of_a_store(mark) for mark in marks]
    place = f"Accepted by {judge} at FMR {fmr_label(fmr)}"
    own = results.headline is None
    return marks, f"{place}: the attacked model itself, not an unseen judge" if own else place


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
