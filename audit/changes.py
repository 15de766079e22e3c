"""Before and after: what a change of settings did to the same people's templates.

Runs of one target on the same people are compared person by person with the first of them. What the
attacker reaches is told by the strongest attack of each run, since after a mitigation another
attack may be the strongest, and by every attack that both runs tried.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from audit.compared_run import ComparedRun, judged, strongest
from audit.estimates import estimate
from audit.people import seed_for
from biometrics.metrics.intervals import paired_difference
from reports.results import (
    ByFmr,
    CompareChange,
    CompareSetting,
    Estimate,
    Measured,
    NotMeasured,
    fmr_value,
)

NOT_A_CHANGE = ("title", "output", "judges", "faces", "weights", "device", "about")
"""Settings that do not touch what leaked nor what the attacker has: where inputs lie, who judges,
what is written. Other people or other faces are refused before."""

MEANS = ("attacks", "training", "appearance", "search")
"""Settings of the attacker."""

Measure = Literal["type1", "type2"]


def is_change(runs: Sequence[ComparedRun]) -> bool:
    """Whether these are runs of one target: then they differ in something else."""
    return len(runs) > 1 and len({run.target for run in runs}) == 1


def changed_settings(runs: Sequence[ComparedRun]) -> list[CompareSetting]:
    """The settings in which the later runs differ from the first."""
    first, *later = runs
    was = _flat(first.config.model_dump(mode="json"))
    found = []
    for run in later:
        now = _flat(run.config.model_dump(mode="json"))
        for key in dict.fromkeys([*was, *now]):
            if key.split(".")[0] not in NOT_A_CHANGE and was.get(key) != now.get(key):
                found.append(
                    CompareSetting(
                        run=run.name, key=key, before=_said(was, key), after=_said(now, key)
                    )
                )
    return found


def change_notes(settings: Sequence[CompareSetting]) -> list[str]:
    """What a reader must know before a change is laid to a mitigation."""
    if not settings:
        return [
            "No setting differs between these runs: a change is one of software, of weights or of "
            "chance in training."
        ]
    means = sorted({s.key.split(".")[0] for s in settings} & set(MEANS))
    if means:
        return [
            f"The attacker's own means differ too ({', '.join(means)}), so a change is not that of "
            "the templates alone."
        ]
    return []


def changes(runs: Sequence[ComparedRun]) -> list[CompareChange]:
    """What became of every judge's acceptance, each later run against the first."""
    first, *later = runs
    return [change for run in later for change in _between(first, run)]


class _Pair(NamedTuple):
    before: ComparedRun
    after: ComparedRun
    judge: str


def _between(before: ComparedRun, after: ComparedRun) -> Iterator[CompareChange]:
    both = [a.attack for a in before.attacks if a.attack in {b.attack for b in after.attacks}]
    judges = [name for name in before.config.judges if name in after.config.judges]
    for judge in dict.fromkeys([*judges, before.target]):
        pair = _Pair(before, after, judge)
        for measure in ("type1", "type2"):
            yield from _strongest(pair, measure)
            for attack in both:
                yield from _of(pair, "", attack, attack, measure)


def _strongest(pair: _Pair, measure: Measure) -> Iterator[CompareChange]:
    """At the strictest FMR that both measured each run's strongest attack by this judge is chosen;
    an attack chosen at every FMR anew would be another attack in every cell."""
    for fmr in sorted((f.label for f in pair.before.config.fmr), key=fmr_value):
        chosen = [strongest(run, pair.judge, fmr, unseen=False) for run in pair[:2]]
        if chosen[0] is not None and chosen[1] is not None:
            yield from _of(pair, "strongest", chosen[0], chosen[1], measure)
            return


def _of(
    pair: _Pair, which: Literal["", "strongest"], was: str, now: str, measure: Measure
) -> Iterator[CompareChange]:
    before, after, judge = pair
    one, other = judged(before, was, judge), judged(after, now, judge)
    if one is None or other is None:
        return
    yield CompareChange(
        before=before.name,
        after=after.name,
        which=which,
        attack_before=was,
        attack_after=now,
        judge=judge,
        unseen=one.unseen and other.unseen,
        measure=measure,
        was=getattr(one, measure),
        now=getattr(other, measure),
        difference=_paired(pair, was, now, measure),
    )


def _paired(pair: _Pair, was: str, now: str, measure: Measure) -> ByFmr:
    before, after, judge = pair
    seed = seed_for("bootstrap", before.config.seed)
    found: ByFmr = {}
    for fmr in (f.label for f in before.config.fmr):
        one = before.outcomes.values(was, judge, measure, fmr)
        other = after.outcomes.values(now, judge, measure, fmr)
        if one is None or other is None:
            found[fmr] = _why(pair, was, now, measure, fmr)
        elif not len(one):
            found[fmr] = NotMeasured(not_measured="nobody has another picture")
        else:
            found[fmr] = estimate(paired_difference(other, one, rates=True, seed=seed))
    return found


def _why(pair: _Pair, was: str, now: str, measure: Measure, fmr: str) -> NotMeasured:
    """The reason that a run itself gives."""
    for run, attack in ((pair.before, was), (pair.after, now)):
        found = judged(run, attack, pair.judge)
        value: Estimate | None = None if found is None else getattr(found, measure).get(fmr)
        if value is not None and not isinstance(value, Measured):
            return value
    return NotMeasured(not_measured=f"not measured in both runs at FMR {fmr}")


def _flat(value: Any, key: str = "") -> dict[str, str]:
    """Settings by dotted name, values as JSON; a list is one value."""
    if isinstance(value, dict) and value:
        return {
            name: text
            for part, inner in value.items()
            for name, text in _flat(inner, f"{key}.{part}" if key else str(part)).items()
        }
    return {key: json.dumps(value, ensure_ascii=False, sort_keys=True)}


def _said(settings: dict[str, str], key: str) -> str:
    return settings.get(key, "not set")
