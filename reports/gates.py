"""Gates: limits on what a run measured, decided from its results alone.

A gate on rates takes the largest upper bound (the end of the interval; the value itself where there
is none) over every attack and every measured judge, so that a small audit does not pass by luck.
Controls are no attacks. What was tried on templates of another form (``compare.formats``,
``protections``) tells of a store that is not there, and is left out. A number that was not measured
decides nothing: the gate's ``passed`` is None, and that is no pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from reports.accepted import Ignored
from reports.coverage import coverage_of
from reports.results import (
    SEVERITY_ORDER,
    ByFmr,
    Estimate,
    Finding,
    FmrKey,
    GateResult,
    Measured,
    Model,
    NotMeasured,
    Results,
    SearchResult,
    Severity,
    is_comparison,
)
from reports.tables import fmr_keys
from reports.words import listed

Share = Annotated[float, Field(ge=0, le=1)]

_MEASURES = {"max-sar": "Type-I", "max-type2": "Type-II"}
_CONTROL = "control:"


class GateError(ValueError):
    """A limit speaks of what the run does not know; the message is one line."""

    exit_code = 2


class GateRules(Model):
    """What must hold.

    Attributes:
        max_sar, max_type2: highest upper bound of Type-I and of Type-II, by FMR.
        min_coverage: lowest coverage, see :func:`reports.coverage.coverage_of`.
        fail_on: the mildest severity that a finding may not have, unless it was accepted.
        judge: the only judge whose rates count; all measured judges where None.
    """

    max_sar: dict[FmrKey, Share] = Field(default_factory=dict)
    max_type2: dict[FmrKey, Share] = Field(default_factory=dict)
    min_coverage: Share | None = None
    fail_on: Severity | None = None
    judge: str | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to decide."""
        limits = (self.max_sar, self.max_type2, self.fail_on)
        return not any(limits) and self.min_coverage is None


class GateReport(NamedTuple):
    """What the gates of a run came to, what of its findings somebody accepted, and from which
    severity on a finding fails; None where no gate speaks of findings."""

    gates: list[GateResult]
    ignored: Ignored
    fail_on: Severity | None

    @property
    def exit_code(self) -> int:
        """3 where a gate failed, else 4 where one could not be decided, else 0."""
        decided = [gate.passed for gate in self.gates]
        return 3 if False in decided else 4 if None in decided else 0


def plain_report(results: Results) -> GateReport:
    """What a run holds itself, for files that are written without gates."""
    return GateReport(results.gates, Ignored(), "high")


class _Rates(NamedTuple):
    """The rates of one attack by one judge, as the gates of that name see them; ``of`` says of
    which of several models or conditions."""

    gate: str
    attack: str
    judge: str
    rates: ByFmr
    of: str = ""


def evaluate_gates(results: Results, rules: GateRules, ignored: Ignored) -> list[GateResult]:
    """Decide every gate that the rules name: rates first, from the laxest FMR to the strictest.

    Raises:
        GateError: an FMR or a judge that this run does not know; the message lists what it knows.
    """
    found = list(_all_rates(results))
    _check(results, rules, found)
    gates = [
        _rate_gate(results, name, fmr, limits[fmr], rules.judge, found)
        for name, limits in (("max-sar", rules.max_sar), ("max-type2", rules.max_type2))
        for fmr in fmr_keys(limits)
    ]
    if rules.min_coverage is not None:
        gates.append(_coverage_gate(results, rules.min_coverage, rules.judge))
    if rules.fail_on is not None:
        gates.append(_findings_gate(results, rules.fail_on, ignored))
    return gates


def _all_rates(results: Results) -> Iterator[_Rates]:
    """Every rate of every attack by every judge; none of a control."""
    for attack in results.attacks:
        if not attack.control:
            for name, judge in attack.judges.items():
                yield from _both(attack.attack, name, judge.type1, judge.type2)
    for row in results.search:
        for name, said in row.judges.items():
            yield from _both(row.attack, name, said.type1, said.type2, _searched(row))
    for tried in results.stress:
        if tried.attack and not tried.attack.startswith(_CONTROL):
            what = f"{tried.backbone}, {tried.label or tried.perturbation}"
            yield from _both(tried.attack, tried.judge, tried.type1, tried.type2, what)
    if results.compare is None:
        return
    for place in results.compare.rows:
        if place.judge:
            yield from _both(place.attack, place.judge, place.sar, place.type2, place.name)
        own = place.target or place.name
        yield _Rates("max-sar", place.attack, own, place.own, place.name)
    for cell in results.compare.matrix:
        if cell.attack:
            yield from _both(cell.attack, cell.judge, cell.type1, cell.type2, cell.source)


def _both(attack: str, judge: str, type1: ByFmr, type2: ByFmr, of: str = "") -> Iterator[_Rates]:
    yield _Rates("max-sar", attack, judge, type1, of)
    yield _Rates("max-type2", attack, judge, type2, of)


def _searched(row: SearchResult) -> str:
    if row.part == "fusion":
        return f"{row.templates} templates fused"
    return "the template itself" if row.scores is None else f"from {row.scores} scores"


def _check(results: Results, rules: GateRules, found: Sequence[_Rates]) -> None:
    """Refuse misspelt judges and FMRs, where the run has rates at all."""
    keys = fmr_keys(key for each in found for key in each.rates)
    if not keys:
        return
    for name, limits in (("max-sar", rules.max_sar), ("max-type2", rules.max_type2)):
        for fmr in limits:
            if fmr not in keys:
                raise GateError(
                    f"{name}: this run knows nothing of FMR {fmr}; there is {listed(keys)}"
                )
    judges = sorted({each.judge for each in found if each.rates} | set(results.judges_missing))
    if rules.judge is not None and rules.judge not in judges:
        raise GateError(f"judge: '{rules.judge}' did not judge here; there is {listed(judges)}")


def _rate_gate(
    results: Results,
    name: str,
    fmr: str,
    limit: float,
    judge: str | None,
    found: Sequence[_Rates],
) -> GateResult:
    mine = [each for each in found if each.gate == name and judge in (None, each.judge)]
    rates = [(each, each.rates[fmr]) for each in mine if fmr in each.rates]
    worst = max(
        ((each, rate) for each, rate in rates if isinstance(rate, Measured)),
        key=lambda item: bound(item[1]),
        default=None,
    )
    by = f" by {judge}" if judge else ""
    value: Estimate = _nothing(results, name, judge, [rate for _, rate in rates])
    passed, detail = None, ""
    if worst is not None:
        value, passed = worst[1], bound(worst[1]) <= limit
        place = worst[0]
        detail = f"{place.attack} by {place.judge}" + (f" ({place.of})" if place.of else "")
    return GateResult(
        name=f"{name}@{fmr}",
        rule=f"{_MEASURES[name]} of every attack{by} at FMR {fmr}: upper bound at most {limit}",
        limit=limit,
        value=value,
        passed=passed,
        detail=detail,
    )


def bound(rate: Measured) -> float:
    """The upper end of the interval, or the value where there is no interval."""
    return rate.value if rate.high is None else rate.high


def _nothing(
    results: Results, name: str, judge: str | None, rates: Sequence[Estimate]
) -> NotMeasured:
    """Why there is no rate."""
    told = dict.fromkeys(rate.not_measured for rate in rates if isinstance(rate, NotMeasured))
    if told:
        return NotMeasured(not_measured="; ".join(told))
    if judge is not None and judge in results.judges_missing:
        return NotMeasured(not_measured=results.judges_missing[judge])
    if results.store is not None and results.store.not_inverted:
        return NotMeasured(not_measured=f"no attack: {results.store.not_inverted}")
    return NotMeasured(not_measured=f"this run holds no {_MEASURES[name]}")


def _coverage_gate(results: Results, limit: float, judge: str | None) -> GateResult:
    found = coverage_of(results, judge)
    value = found.value
    return GateResult(
        name="min-coverage",
        rule=f"coverage at least {limit}",
        limit=limit,
        value=value,
        passed=value.value >= limit if isinstance(value, Measured) else None,
        detail="; ".join(part.words for part in found.parts),
    )


def _findings_gate(results: Results, worst: Severity, ignored: Ignored) -> GateResult:
    bad = grave(worst)
    open_ = [f for f in results.findings if f.severity in bad and f.id not in ignored.accepted]
    known = has_findings(results)
    value: Estimate = Measured(value=len(open_), n=max(1, len(results.findings)))
    if not known:
        value = NotMeasured(not_measured="nobody drew findings from this run")
    return GateResult(
        name=f"fail-on {worst}",
        rule=f"findings of severity {listed(bad, 'or')} that nobody accepted: none",
        limit=0,
        value=value,
        passed=not open_ if known else None,
        detail=", ".join(_ids(open_)),
    )


def grave(mildest: Severity) -> tuple[Severity, ...]:
    """This severity and those that are worse."""
    return SEVERITY_ORDER[: SEVERITY_ORDER.index(mildest) + 1]


def has_findings(results: Results) -> bool:
    """Whether a lack of findings says anything: a comparison does not look for them."""
    return bool(results.findings) or not is_comparison(results)


def _ids(findings: Sequence[Finding]) -> list[str]:
    return list(dict.fromkeys(finding.id for finding in findings))
