"""From the rows of a stress run to its findings, by the rules of :mod:`audit.stress.rules`.

Nothing is told that does not stand in the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from audit.stress.rules import Outcome, Rule, Rules, Select
from reports.results import (
    NOT_RUN,
    SEVERITY_ORDER,
    Estimate,
    Finding,
    Measured,
    NotMeasured,
    StressFamily,
    StressResult,
)
from reports.stress_measures import measure_words
from reports.stress_select import (
    CHANGES,
    MEASURES,
    backbones_of,
    by_family,
    clean_row,
    condition_of,
    is_silent,
    labels_of,
    rates_by_fmr,
    shown_fmr,
    value_of,
)
from reports.stress_words import finding_id, kind_of
from reports.words import Kind, count, fmr_label, interval, listed, main


def stress_findings(rows: Sequence[StressResult], rules: Rules) -> list[Finding]:
    """One finding for each rule of each family that has rows, in the order of the rules."""
    return [
        _finding(family, rule, told)
        for family, told in by_family(rows).items()
        for rule in rules[family]
    ]


@dataclass(frozen=True)
class _Told:
    """The number of one backbone, and which outcome it is."""

    backbone: str
    value: Estimate
    words: Mapping[str, str]
    evidence: Mapping[str, Estimate]
    outcome: Outcome | None


def _finding(family: StressFamily, rule: Rule, rows: Sequence[StressResult]) -> Finding:
    told = [_told(rule, [r for r in rows if r.backbone == name]) for name in backbones_of(rows)]
    outcomes = [o for o in rule.outcomes if any(t.outcome is o for t in told)]
    clauses = [_clause(rule, o, [t for t in told if t.outcome is o]) for o in outcomes]
    silent = [t for t in told if t.outcome is None]
    if silent:
        reasons: dict[str, list[str]] = {}
        for one in silent:
            assert isinstance(one.value, NotMeasured)
            reasons.setdefault(one.value.not_measured, []).append(one.backbone)
        whose = "; ".join(f"{listed(names)}: {why}" for why, names in reasons.items())
        clauses.append(f"{rule.missing} ({whose})")
    worst = min(outcomes, key=lambda o: SEVERITY_ORDER.index(o.severity), default=None)
    return Finding(
        id=finding_id(family, rule.name),
        severity="info" if worst is None else worst.severity,
        title="; ".join([clauses[0], *map(_continued, clauses[1:])]) + ".",
        evidence={name: value for one in told for name, value in one.evidence.items()},
        clauses=[] if worst is None else list(worst.clauses),
        recommendation="" if worst is None else worst.recommendation,
    )


def _clause(rule: Rule, outcome: Outcome, told: Sequence[_Told]) -> str:
    """What is said of the backbones that share an outcome."""
    each = listed([rule.each.format_map(one.words) for one in told])
    shared = {
        name: listed(list(dict.fromkeys(one.words[name] for one in told)))
        for name in ("label", "fmr")
    }
    return outcome.says.format_map({"each": each, **shared})


def _continued(clause: str) -> str:
    """Within a sentence; an abbreviation keeps its capitals."""
    return clause[0].lower() + clause[1:] if clause[1:2].islower() or clause[1:2] == " " else clause


def _told(rule: Rule, rows: Sequence[StressResult]) -> _Told:
    """What a rule finds among the rows of one backbone."""
    backbone = rows[0].backbone
    found = _of_one([row for row in rows if _fits(rule.select, row)])
    fmr = rule.select.fmr
    if fmr == "headline":
        fmr = shown_fmr(rates_by_fmr(row, rule.measure) for row in found) or ""
    row = _picked(rule, found, fmr)
    if row is None:
        why = NotMeasured(not_measured=_nothing(rule, rows))
        return _Told(backbone, why, {}, {f"{backbone}: {_name(rule.measure)}": why}, None)
    value = value_of(row, rule.measure, fmr) or NOT_RUN
    others = _others(rule.measure, row, rows, fmr)
    name = f"{backbone}, {_label(row)}: {_name(rule.measure)}"
    evidence = {name: value, **{f"{name}, {key}": other for key, other in others.items()}}
    if not isinstance(value, Measured):
        return _Told(backbone, value, {}, evidence, None)
    outcome = next(o for o in rule.outcomes if o.when is None or o.when.holds(value))
    return _Told(backbone, value, _words(rule, row, value, others, fmr), evidence, outcome)


def _fits(select: Select, row: StressResult) -> bool:
    return (
        any(fnmatchcase(row.perturbation, name) for name in select.perturbation)
        and select.strength in (None, row.strength)
        and select.attack in (None, "inversion" if row.attack else "recognition")
        and (select.by is None or fnmatchcase(row.attack, select.by))
        and row.repaired == select.repaired
        and (row.unseen if select.judge == "unseen" else row.judge == row.backbone)
    )


def _of_one(found: Sequence[StressResult]) -> list[StressResult]:
    """Rows of the first attack (what comes later was trained for a few conditions alone) and, of
    them, of the first judge."""
    of_attack = [row for row in found if row.attack == found[0].attack]
    return [row for row in of_attack if row.judge == of_attack[0].judge]


def _picked(rule: Rule, rows: Sequence[StressResult], fmr: str) -> StressResult | None:
    """The row that is told; of several, one whose number was measured before any other."""
    values = [(row, value_of(row, rule.measure, fmr)) for row in rows]
    there = [(row, v) for row, v in values if v is not None]
    measured = [(row, v.value) for row, v in there if isinstance(v, Measured)]
    pick = rule.select.pick
    if not measured:
        return there[0][0] if there else None
    if pick in ("largest", "smallest"):
        strengths = [(row, row.strength) for row, _ in measured if row.strength is not None]
        ordered = sorted(strengths, key=lambda item: item[1])
    else:
        ordered = sorted(measured, key=lambda item: item[1]) if pick else measured
    if not ordered:
        return None
    return ordered[-1 if pick in ("largest", "highest") else 0][0]


def _nothing(rule: Rule, rows: Sequence[StressResult]) -> str:
    if rule.select.judge == "unseen" and not any(row.unseen for row in rows):
        return "no judge that the attack never saw"
    notes = dict.fromkeys(row.note for row in rows if is_silent(row) and row.note)
    return "; ".join(notes) or NOT_RUN.not_measured


def _others(
    measure: str, row: StressResult, rows: Sequence[StressResult], fmr: str
) -> dict[str, Estimate]:
    """The rates behind a change, or the same measure of the clean row."""
    rate = next((name for name, change in CHANGES.items() if change == measure), measure)
    alike = [
        r for r in rows if (r.attack, r.judge, r.unseen) == (row.attack, row.judge, row.unseen)
    ]
    key = condition_of(row)._replace(repaired=False)
    plain = next((r for r in alike if row.repaired and condition_of(r) == key), None)
    found = {
        "clean": (clean_row(alike), rate),
        "under stress": (row if rate != measure else None, rate),
        "without the map": (plain, rate),
    }
    values = {name: value_of(r, m, fmr) for name, (r, m) in found.items() if r is not None}
    return {name: value for name, value in values.items() if value is not None}


def _words(
    rule: Rule, row: StressResult, value: Measured, others: Mapping[str, Estimate], fmr: str
) -> dict[str, str]:
    kind = kind_of(rule.measure)
    plain: Kind = "rate" if kind == "margin" else kind
    bare = [value.model_copy(update={"value": end}) for end in (value.low, value.high)]

    def other(name: str) -> str:
        found = others.get(name)
        return main(found, plain) if isinstance(found, Measured) else "not measured"

    return {
        "backbone": row.backbone,
        "judge": row.judge,
        "label": _label(row),
        "value": main(value, kind),
        "low": "no interval" if value.low is None else main(bare[0], kind),
        "high": "no interval" if value.high is None else main(bare[1], kind),
        "interval": interval(value, kind) or "no interval",
        "n": count(value.n),
        "fmr": fmr_label(fmr) if fmr else "",
        "clean_value": other("clean"),
        "now_value": other("under stress"),
        "plain_value": other("without the map"),
    }


def _label(row: StressResult) -> str:
    return labels_of([row])[condition_of(row)]


def _name(measure: str) -> str:
    if measure.startswith(MEASURES):
        return measure_words(measure.removeprefix(MEASURES)).name.lower()
    return measure
