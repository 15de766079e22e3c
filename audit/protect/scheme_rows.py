"""What a scheme costs and whether its templates can be linked: rows without an attack."""

from __future__ import annotations

from collections.abc import Mapping

from audit.config_values import SchemeChoice
from audit.estimates import estimate
from audit.judging import Cut
from audit.protect.bench import Workbench
from audit.protect.linking import linkages
from audit.protect.probes import ENCRYPTION_SECONDS, scheme_measures
from audit.protect.scheme_facts import scheme_facts
from audit.protect.settings import FEWEST_KEYS
from audit.protect.system import System, Values
from biometrics.metrics.intervals import subject_means
from biometrics.metrics.pairs import group
from biometrics.metrics.scores import pair_scores
from biometrics.metrics.success import NO_OTHER_PICTURE
from biometrics.protection.base import scheme_class
from reports.results import ByFmr, Estimate, Measured, NotMeasured, ProtectionResult

NO_KEYS = NotMeasured(not_measured="nobody has a key")


def scheme_row(system: System) -> ProtectionResult:
    """Recognition before and after, linkage, size and speed of a scheme."""
    bench = system.bench
    measures = scheme_measures(system)
    before = {cut.label: _genuine(system, cut, protected=False) for cut in system.plain_cuts}
    after = {cut.label: _genuine(system, cut, protected=True) for cut in system.cuts}
    own: ByFmr = dict.fromkeys(after, NO_KEYS)
    if system.keyed:
        own = {
            cut.label: _mean(system, _genuine(system, cut, protected=True))
            for cut in system.genuine_cuts
        }
    return ProtectionResult(
        **scheme_facts(system),
        key_known=False,
        attack="",
        backbone=bench.target,
        judge=bench.target,
        judged="protected",
        tmr={fmr: _mean(system, found) for fmr, found in after.items()},
        tmr_plain={fmr: _mean(system, found) for fmr, found in before.items()},
        tmr_difference={
            fmr: _less(system, found, before.get(fmr, found)) for fmr, found in after.items()
        },
        tmr_genuine_key=own,
        realised_fmr=_realised(system),
        linkage=linkages(system),
        dim=system.stored.templates.shape[1],
        stored_bits=system.scheme.stored_bits,
        microseconds=_microseconds(system, measures),
        measures=measures,
        note=_note(system),
    )


def _microseconds(system: System, measures: Mapping[str, Estimate]) -> Estimate:
    """To protect a template; of encryption what encrypting takes, as here a copy stands for it."""
    spent = measures.get(ENCRYPTION_SECONDS)
    if spent is None:
        speed = system.speed()
        return Measured(value=speed.microseconds, n=speed.rounds)
    return Measured(value=spent.value * 1e6, n=spent.n) if isinstance(spent, Measured) else spent


def unmeasured_row(bench: Workbench, choice: SchemeChoice, why: str) -> ProtectionResult:
    """The row of a scheme that could not be tried at all."""
    reason = NotMeasured(not_measured=why)
    return ProtectionResult(
        scheme=choice.name,
        label=choice.name,
        parameters=dict(choice.settings),
        family=scheme_class(choice.name).family,
        key_known=False,
        attack="",
        backbone=bench.target,
        judge=bench.target,
        judged="protected",
        tmr={fmr.label: reason for fmr in bench.config.fmr},
        note=why,
    )


def _genuine(system: System, cut: Cut, *, protected: bool) -> Values | NotMeasured:
    """Share of the right pictures of each person that are accepted [S]; the same pairs whether
    protected or not."""
    if cut.value is None:
        return NotMeasured(not_measured=cut.why)
    bench, pairs = system.bench, system.stored.pairs
    if not len(pairs.first):
        return NotMeasured(not_measured=NO_OTHER_PICTURE.reason)
    if protected:
        held, came, kind = system.stored.templates, system.probes(), system.kind
    else:
        held = bench.clean(bench.target, bench.rows)
        came = bench.clean(bench.target, bench.people.split.leaked)
        kind = bench.models.target_similarity
    scores = pair_scores(held, came, pairs, kind)
    owner = group(bench.names[bench.rows]).index[pairs.first]
    return subject_means(scores >= cut.value, owner)


def _mean(system: System, found: Values | NotMeasured) -> Estimate:
    if isinstance(found, NotMeasured):
        return found
    return estimate(system.mean(found, system.keys_of(len(found))))


def _less(system: System, after: Values | NotMeasured, before: Values | NotMeasured) -> Estimate:
    for one in (after, before):
        if isinstance(one, NotMeasured):
            return one
    assert not isinstance(after, NotMeasured)
    assert not isinstance(before, NotMeasured)
    return estimate(system.difference(after, before, system.keys_of(len(after))))


def _realised(system: System) -> ByFmr:
    clean = system.bench.clean(system.bench.target, system.bench.rows)
    found = system.accepted_of_others(clean)
    return {
        cut.label: NotMeasured(not_measured=cut.why)
        if cut.value is None
        else estimate(found[cut.label])
        for cut in system.cuts
    }


def _note(system: System) -> str:
    notes = []
    if system.scheme.keyed and system.n_keys < FEWEST_KEYS:
        notes.append(f"only {system.n_keys} keys: its intervals say little of other keys")
    return "; ".join(notes)
