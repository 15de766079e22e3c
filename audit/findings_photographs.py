"""Findings of an audit of photographs: what its numbers ask somebody to do.

Every rule looks at results.json alone. Controls and attacks that do not work are no evidence, and
a judge that hardly recognises anybody is none either.
"""

from __future__ import annotations

from collections.abc import Iterator

from audit.findings import UNLINKABLE, USED_BY, severity_of
from audit.findings_doubts import doubts, lower, told_fmr, working
from audit.verdict import is_strong
from reports.compliance import clause_of
from reports.results import (
    SEVERITY_ORDER,
    AttackResult,
    Estimate,
    Finding,
    JudgeResult,
    Measured,
    Results,
    Severity,
)
from reports.words import listed

MENTIONED = 0.05
"""Lower limit from which a rate is a finding of its own: every twentieth person."""
AS_GOOD = 0.8
"""A rebuilt face that reaches this share of what photographs reach is nearly as good."""

PROTECT = (
    "Protect templates before they are stored (a keyed transform with keys that are kept "
    "elsewhere, or comparison under encryption), and change the key and enrol anew after a leak: a "
    "new key helps where the old one did not leak too. `faceleak protect` measures how much."
)


def photograph_findings(results: Results) -> list[Finding]:
    """All findings on an audit of photographs, the worst first."""
    rules = (
        _unseen(results),
        _own(results),
        _as_good_as_photographs(results),
        _identified(results),
        _from_scores(results),
        _shared(results),
        doubts(results),
    )
    found = [finding for rule in rules for finding in rule]
    return sorted(found, key=lambda f: SEVERITY_ORDER.index(f.severity))


def _strongest(
    results: Results, fmr: str, *, unseen: bool, measure: str = "type1"
) -> tuple[AttackResult, str, Measured] | None:
    """The attack that judges accept most, by the lower limit; with the judge."""
    found = []
    for row in working(results):
        for name, judge in row.judges.items():
            counts = judge.unseen and is_strong(judge, fmr) if unseen else name == row.backbone
            value = getattr(judge, measure).get(fmr)
            if counts and isinstance(value, Measured):
                found.append((row, name, value))
    return max(found, key=lambda one: lower(one[2]), default=None)


def _unseen(results: Results) -> Iterator[Finding]:
    fmr = told_fmr(results)
    best = _strongest(results, fmr, unseen=True)
    if best is None:
        return
    row, name, rate = best
    judge = row.judges[name]
    severity, more = _severity(rate, judge, fmr)
    yield Finding(
        id="audit.inverted-unseen",
        severity=severity,
        title=f"Faces rebuilt from templates of {row.backbone} open {name}, which the attack never "
        f"saw{more}",
        evidence=_evidence(row, name, fmr),
        clauses=[
            clause_of(key)
            for key in ("iso24745.irreversibility", "gdpr.by-design", "gdpr.assessment")
        ],
        recommendation=(
            f"{PROTECT} Treat a leak as one of photographs: tell the people that other systems may "
            "take a rebuilt face for them, and ask for liveness and detection of injected pictures "
            "where faces open doors."
        ),
    )


def _own(results: Results) -> Iterator[Finding]:
    fmr = told_fmr(results)
    best = _strongest(results, fmr, unseen=False)
    if best is None:
        return
    row, name, rate = best
    severity, more = _severity(rate, row.judges[name], fmr)
    yield Finding(
        id="audit.inverted-own",
        severity=severity,
        title=f"Faces rebuilt from the templates open {row.backbone} itself{more}",
        evidence=_evidence(row, name, fmr),
        clauses=[clause_of(key) for key in ("iso30136.attack", "gdpr.consequences", "nist.factor")],
        recommendation=(
            "Do not let a face alone open anything: ask for a second factor, and let the matcher "
            f"take pictures from its own camera only, with liveness. {PROTECT}"
        ),
    )


def _severity(rate: Measured, judge: JudgeResult, fmr: str) -> tuple[Severity, str]:
    """By the lower limit; at most medium where a face that the attacker had does as well."""
    margin = judge.margin_over_nearest.get(fmr)
    severity = severity_of(lower(rate))
    if not isinstance(margin, Measured) or lower(margin) > 0:
        return severity, ""
    least: Severity = max(severity, "medium", key=SEVERITY_ORDER.index)
    return least, ", but not clearly more often than the nearest face that the attacker had"


def _evidence(row: AttackResult, judge: str, fmr: str) -> dict[str, Estimate]:
    said = row.judges[judge]
    told = {
        f"accepted by {judge} at FMR {fmr} ({row.attack})": said.type1.get(fmr),
        "more than the nearest face": said.margin_over_nearest.get(fmr),
        "accepted against other pictures": said.type2.get(fmr),
    }
    return {name: value for name, value in told.items() if value is not None}


def _as_good_as_photographs(results: Results) -> Iterator[Finding]:
    """Type-II beside the genuine rate on the same pairs, at judges that the attack never saw."""
    fmr = told_fmr(results)
    best = _strongest(results, fmr, unseen=True, measure="type2")
    if best is None:
        return
    row, name, rate = best
    reference = row.judges[name].type2_reference.get(fmr)
    if not isinstance(reference, Measured) or lower(rate) < MENTIONED:
        return
    near = lower(rate) >= AS_GOOD * reference.value
    yield Finding(
        id="audit.cross-model",
        severity=severity_of(lower(rate)),
        title=f"At {name} a rebuilt face passes for the person in other pictures"
        + (" nearly as well as a photograph does" if near else ""),
        evidence={
            f"rebuilt faces accepted ({row.attack}, FMR {fmr})": rate,
            "photographs accepted on the same pairs": reference,
        },
        clauses=[clause_of("iso24745.irreversibility"), clause_of("gdpr.unintelligible")],
        recommendation=(
            "Keep only templates from which no face comes back, delete those that are no longer "
            "needed, and do not keep pictures beside them. What leaked here works against systems "
            "of others, and a new password does not help."
        ),
    )


def _identified(results: Results) -> Iterator[Finding]:
    found = [
        (row, name, judge.rank1)
        for row in working(results)
        for name, judge in row.judges.items()
        if (judge.unseen or name == row.backbone) and isinstance(judge.rank1, Measured)
    ]
    rates = [(row, name, rate) for row, name, rate in found if isinstance(rate, Measured)]
    if not rates:
        return
    row, name, rate = max(rates, key=lambda one: lower(one[2]))
    if lower(rate) < MENTIONED:
        return
    people = 0 if results.faces is None else results.faces.leaked.subjects
    yield Finding(
        id="audit.identified",
        severity=max(severity_of(lower(rate)), "high", key=SEVERITY_ORDER.index),
        title="A rebuilt face finds its own person first among all who leaked"
        + (f" ({people:,} people)" if people else ""),
        evidence={f"right person first, by {name} ({row.attack})": rate},
        clauses=[clause_of("gdpr.special-category"), clause_of("gdpr.encryption")],
        recommendation=(
            "Keep names in another store under random identifiers, and count templates as names in "
            "every assessment. Leaving out names does not make templates anonymous."
        ),
    )


def _from_scores(results: Results) -> Iterator[Finding]:
    """The fewest scores from which a face came back."""
    fmr = told_fmr(results)
    found = []
    for row in results.search:
        if row.part != "scores" or row.scores is None:
            continue
        for name, judge in row.judges.items():
            rate = judge.type1.get(fmr)
            counts = judge.unseen or name == row.backbone
            if counts and isinstance(rate, Measured) and lower(rate) >= MENTIONED:
                found.append((row.scores, name, rate))
    if not found:
        return
    scores, name, rate = min(found, key=lambda one: (one[0], -lower(one[2])))
    yield Finding(
        id="audit.search",
        severity=max(severity_of(lower(rate)), "high", key=SEVERITY_ORDER.index),
        title=f"No template need leak: {scores:,} comparison scores are enough to rebuild a face",
        evidence={f"accepted by {name} at FMR {fmr}, from {scores:,} scores": rate},
        clauses=[clause_of("gdpr.confidentiality"), clause_of("bipa.disclosure")],
        recommendation=(
            "Answer with yes or no instead of a score, limit how often one account may compare, "
            "and watch for many comparisons with one person."
        ),
    )


def _shared(results: Results) -> Iterator[Finding]:
    model = results.backbones.get(results.target)
    users = USED_BY.get(results.target)
    rate = None if model is None else model.tmr.get(told_fmr(results))
    if users and isinstance(rate, Measured):
        yield Finding(
            id="audit.shared-backbone",
            severity="medium",
            title=f"Templates of {results.target} can be compared with those of other products",
            evidence={"people recognised in another picture": rate},
            clauses=[UNLINKABLE],
            recommendation=(
                "Transform templates under a key of each store's own, so that two leaks cannot be "
                "joined while the keys are secret. "
                f"{listed(users)} keep templates of the same model."
            ),
        )
