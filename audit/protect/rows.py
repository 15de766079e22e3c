"""From attempts on protected templates to the rows of results.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.base import attack_class
from audit.estimates import estimate
from audit.judging import Cut, Judge
from audit.protect.bench import MEASURES, Workbench
from audit.protect.plan import Plan
from audit.protect.scheme_facts import scheme_facts
from audit.protect.strips import save_strip
from audit.protect.system import System, Values, subject_keys
from audit.workbench import Made
from biometrics.metrics.intervals import Measured as Fact
from biometrics.metrics.intervals import subject_means
from biometrics.metrics.pairs import group
from biometrics.metrics.scores import pair_scores, paired_similarity
from biometrics.metrics.success import NO_OTHER_PICTURE, acceptance
from biometrics.protection.base import Vectors
from reports.results import UNPROTECTED, ByFmr, Estimate, NotMeasured, ProtectionResult

Key = tuple[str, str, str]
"""Judge, name of a rate, FMR."""

IS_PLAIN = NotMeasured(not_measured="the others are compared with this row")
NO_KEY = NotMeasured(not_measured="there is no key to change: a new template is the old one")
ITS_KEY = NotMeasured(not_measured="the threshold belongs to the one key that leaked")
NO_PLAIN = NotMeasured(not_measured="templates without protection were not attacked in this run")
NONE_RECOVERED = NotMeasured(not_measured="this attack gets no template back")


@dataclass(frozen=True)
class Seen:
    """The rows of one plan, one a judge, and the rate of every person behind them [S]."""

    rows: list[ProtectionResult]
    by_subject: Mapping[Key, Values] = field(default_factory=dict)


@dataclass(frozen=True)
class _Rates:
    """What one judge makes of reconstructions: how many, by name and threshold."""

    cuts: Sequence[Cut]
    measure: Callable[[float], dict[str, Values]]
    of_others: Mapping[str, Fact]


def attack_rows(plan: Plan, made: Made, plain: Seen | None) -> Seen:
    """What every judge says of what came of a plan.

    Args:
        plan: what was done.
        made: the reconstructions.
        plain: what was seen of the same people without protection; None for these themselves.
    """
    bench, system = plan.system.bench, plan.system
    shared = _shared(plan) | {
        "n_attempts": len(bench.rows),
        "n_failed": int((~made.detected).sum()),
        "detection_rate": _mean_of(system, made.detected, rates=True),
        "recovered_cosine": _recovered(plan),
        "image": {n: _mean_of(system, made.measures[n], rates=False) for n in MEASURES},
    }
    slug = f"{plan.slug}/{plan.attack.replace(':', '-')}"
    samples = save_strip(bench, slug, made.shown)
    rows: list[ProtectionResult] = []
    by_subject: dict[Key, Values] = {}
    for judge, protected in _judges(bench, plan.attack):
        rates = _protected(system, made) if protected else _plain(system, judge, made)
        columns, found = _columns(system, judge.name, protected, rates, plain)
        by_subject |= found
        rows.append(
            ProtectionResult(
                **shared,
                **columns,
                judge=judge.name,
                judged="protected" if protected else "plain",
                unseen=not protected and bench.unseen(plan.attack, judge),
                samples=samples if protected else [],
            )
        )
    return Seen(rows, by_subject)


def silent_rows(plan: Plan) -> list[ProtectionResult]:
    """Rows of a plan that could not be tried: why."""
    why: ByFmr = {
        fmr.label: NotMeasured(not_measured=plan.why) for fmr in plan.system.bench.config.fmr
    }
    bench = plan.system.bench
    return [
        ProtectionResult(
            **_shared(plan),
            judge=judge.name,
            judged="protected" if protected else "plain",
            unseen=not protected and bench.unseen(plan.attack, judge),
            type1=why,
            type2=why,
            recovered_cosine=NotMeasured(not_measured=plan.why),
        )
        for judge, protected in _judges(bench, plan.attack)
    ]


def control_rows(system: System, name: str, made: Made, says: str) -> list[ProtectionResult]:
    """What the protected system says of faces that were made without any template of its people."""
    bench = system.bench
    rates = _protected(system, made)
    columns, _ = _columns(system, bench.target, True, rates, None)
    for column in ("difference", "type2_difference", "revoked_type1", "revoked_type2"):
        columns.pop(column)
    return [
        ProtectionResult(
            **scheme_facts(system),
            key_known=False,
            attack=name,
            backbone=bench.target,
            judge=bench.target,
            judged="protected",
            control=True,
            method=says,
            n_attempts=len(bench.rows),
            n_failed=int((~made.detected).sum()),
            detection_rate=_mean_of(system, made.detected, rates=True),
            image={n: _mean_of(system, made.measures[n], rates=False) for n in MEASURES},
            **columns,
        )
    ]


def _shared(plan: Plan) -> dict[str, Any]:
    return scheme_facts(plan.system) | {
        "key_known": plan.key_known,
        "attack": plan.attack,
        "backbone": plan.system.bench.target,
        "knowledge": plan.knowledge,
        "leak": plan.leak,
        "records": plan.records,
        "queries": plan.queries,
        "method": plan.method,
        "note": plan.note,
        "control": attack_class(plan.attack).control,
    }


def _judges(bench: Workbench, attack: str) -> list[tuple[Judge, bool]]:
    """The protected system itself, then every judge without protection."""
    own = [(judge, True) for judge in bench.judges if judge.name == bench.target]
    return [*own, *((judge, False) for judge in bench.judges)]


def _columns(
    system: System, judge: str, protected: bool, rates: _Rates, plain: Seen | None
) -> tuple[dict[str, Any], dict[Key, Values]]:
    """The rates of one judge at every FMR, and those of every person behind them."""
    names = ["type1", "type2", "type2_reference", "tmr", "reconstruction_fmr"]
    names += ["difference", "type2_difference"]
    names += ["revoked_type1", "revoked_type2"] if protected else []
    columns: dict[str, ByFmr] = {name: {} for name in names}
    kept: dict[Key, Values] = {}
    side = f"{judge} protected" if protected else judge
    for cut in rates.cuts:
        if cut.value is None:
            for column in columns.values():
                column[cut.label] = NotMeasured(not_measured=cut.why)
            continue
        found = rates.measure(cut.value)
        for name, values in found.items():
            kept[side, name, cut.label] = values
            columns[name][cut.label] = _over_people(system, values)
        columns["tmr"][cut.label] = columns["type2_reference"][cut.label]
        columns["reconstruction_fmr"][cut.label] = estimate(rates.of_others[cut.label])
        for name in columns:
            if name.startswith("revoked") and name not in found:
                columns[name][cut.label] = ITS_KEY if system.one_key else NO_KEY
        for name, of in (("difference", "type1"), ("type2_difference", "type2")):
            before = None if plain is None else plain.by_subject.get((side, of, cut.label))
            columns[name][cut.label] = _change(system, found[of], before)
    return columns, kept


def _protected(system: System, made: Made) -> _Rates:
    """The protected system: pictures come in, and are protected under the key of the person."""
    bench = system.bench
    groups = group(bench.names[bench.rows])
    vectors = made.vectors[bench.target]
    usable = made.detected & np.isfinite(vectors).all(axis=1)
    clean = np.where(usable[:, None], vectors, np.float32(0.0))
    pairs = system.stored.pairs
    owner = groups.index[pairs.first]
    # One key for all sets a threshold that says nothing of another key.
    places = [0, system.renewed] if system.keyed else [0]
    own, other = [], []
    for place in places:
        came = system.scheme.protect_each(clean, system.keys(bench.rows, place))
        stored = system.stored.templates if place == 0 else system.again(place)
        own.append(paired_similarity(came, stored, system.kind))
        other.append(pair_scores(came, system.probes(place), pairs, system.kind))
    genuine = pair_scores(system.stored.templates, system.probes(), pairs, system.kind)

    def measure(threshold: float) -> dict[str, Values]:
        found = {}
        for name, one, two in zip(("", "revoked_"), own, other, strict=False):
            found[f"{name}type1"] = subject_means((one >= threshold) & usable, groups.index)
            found[f"{name}type2"] = subject_means((two >= threshold) & usable[pairs.first], owner)
        found["type2_reference"] = subject_means(genuine >= threshold, owner)
        return found

    return _Rates(system.cuts, measure, system.accepted_of_others(clean, usable))


def _plain(system: System, judge: Judge, made: Made) -> _Rates:
    """A judge without protection."""
    bench = system.bench
    compared = bench.compared(judge, made, bench.rows, pairs=system.stored.pairs)
    seen = {
        cut.value: acceptance(compared, cut.value, seed=bench.seed)
        for cut in judge.cuts
        if cut.value is not None
    }

    def measure(threshold: float) -> dict[str, Values]:
        found = seen[threshold].by_subject
        return {
            "type1": found.type1,
            "type2": found.type2,
            "type2_reference": found.type2_reference,
        }

    of_others = {
        cut.label: seen[cut.value].reconstruction_fmr for cut in judge.cuts if cut.value is not None
    }
    return _Rates(judge.cuts, measure, of_others)


def _over_people(system: System, values: Values) -> Estimate:
    if not len(values):
        return estimate(NO_OTHER_PICTURE)
    return estimate(system.mean(values, system.keys_of(len(values))))


def _change(system: System, now: Values, before: Values | None) -> Estimate:
    if before is None:
        return IS_PLAIN if system.choice.name == UNPROTECTED else NO_PLAIN
    if not len(now):
        return estimate(NO_OTHER_PICTURE)
    if len(now) != len(before):
        return NotMeasured(not_measured="other people have a picture that is not averaged")
    return estimate(system.difference(now, before, system.keys_of(len(now))))


def _mean_of(system: System, values: NDArray[Any], *, rates: bool) -> Estimate:
    """Mean over people of a value of each leaked row [N]; rows whose value is NaN are left out."""
    there = np.isfinite(values)
    rows = system.bench.rows[there]
    groups = group(system.bench.names[rows])
    means = subject_means(values[there], groups.index)
    return estimate(system.mean(means, subject_keys(system.keys(rows), groups), rates=rates))


def _recovered(plan: Plan) -> Estimate:
    if plan.recovered is None:
        return NONE_RECOVERED
    cosine = plan.system.bench.centred_cosine(plan.recovered, plan.system.stored.plain)
    return _mean_of(plan.system, cosine, rates=False)


def decoded(plan: Plan) -> Made | None:
    """What the decoder makes of a plan, as a stage of the run; None where there is nothing."""
    if plan.vectors is None:
        return None
    bench = plan.system.bench
    vectors: Vectors = np.ascontiguousarray(plan.vectors)
    return bench.invert(
        plan.attack,
        vectors,
        plan.slug,
        measure=bench.likeness(),
        show=bench.shown(bench.rows),
        fitted=plan.fitted,
        record=plan.record or None,
    )
