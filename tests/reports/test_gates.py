"""Gates against brute force over the rows, and what happens where nothing was measured."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.accepted import Accepted, Ignored, sort_ignored
from reports.coverage import coverage_of
from reports.gates import GateError, GateReport, GateRules, evaluate_gates
from reports.results import (
    AttackResult,
    Estimate,
    Finding,
    GateResult,
    JudgeResult,
    Measured,
    NotMeasured,
    Results,
    Severity,
)
from tests.reports import compare_factory, factory, store_factory, stress_factory

FMRS = ("1e-2", "1e-3")
NOTHING = NotMeasured(not_measured="too few people")
FULL, STORE = factory.results(), store_factory.results()
SEVERITIES = ("info", "low", "medium", "high", "critical")


def gates_of(results: Results, ignored: Ignored | None = None, **rules: Any) -> list[GateResult]:
    return evaluate_gates(results, GateRules(**rules), ignored or Ignored())


def one(results: Results, ignored: Ignored | None = None, **rules: Any) -> GateResult:
    (gate,) = gates_of(results, ignored, **rules)
    return gate


# --- rates, by brute force


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    kind = draw(st.sampled_from(("interval", "plain", "nothing")))
    if kind == "nothing":
        return NOTHING
    low, value, high = sorted(draw(st.lists(st.floats(0, 1), min_size=3, max_size=3)))
    if kind == "plain":
        return Measured(value=value, n=7)
    return Measured(value=value, low=low, high=high, n=7)


@st.composite
def attacks(draw: st.DrawFn, number: int) -> AttackResult:
    judges = draw(st.lists(st.sampled_from("abc"), unique=True, max_size=3))
    rates = st.fixed_dictionaries({fmr: estimates() for fmr in FMRS})
    control = draw(st.booleans())
    said = {name: JudgeResult(unseen=True, type1=draw(rates), type2=draw(rates)) for name in judges}
    changes = {"attack": f"attack-{number}", "control": control, "judges": said}
    return FULL.attacks[0].model_copy(update=changes)


def worst_by_hand(
    rows: list[AttackResult], measure: str, fmr: str, judge: str | None
) -> float | None:
    worst = None
    for row in rows:
        for name in row.judges:
            rate = getattr(row.judges[name], measure)[fmr]
            if row.control or (judge and name != judge) or isinstance(rate, NotMeasured):
                continue
            end = rate.value if rate.high is None else rate.high
            worst = end if worst is None or end > worst else worst
    return worst


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_gate_takes_the_largest_upper_bound_of_what_is_no_control(data: st.DataObject) -> None:
    rows = [data.draw(attacks(i)) for i in range(data.draw(st.integers(1, 4)))]
    real = {name for row in rows if not row.control for name in row.judges}
    judge = data.draw(st.sampled_from([None, *sorted(real)]))
    limit, fmr = data.draw(st.floats(0, 1)), data.draw(st.sampled_from(FMRS))
    results = FULL.model_copy(update={"attacks": rows, "judges_missing": {}})
    for rule, measure in (("max_sar", "type1"), ("max_type2", "type2")):
        gate = one(results, judge=judge, **{rule: {fmr: limit}})
        worst = worst_by_hand(rows, measure, fmr, judge)
        if worst is None:
            assert gate.passed is None
            assert isinstance(gate.value, NotMeasured)
        else:
            assert isinstance(gate.value, Measured)
            assert gate.passed is (worst <= limit)
            assert worst in (gate.value.high, gate.value.value)


def test_the_bound_decides_and_not_the_value() -> None:
    rows = [factory.attack("linear", 0.41, judges={"dlib": factory.judge(False, 0.41, 0.01)})]
    results = factory.results(attacks=rows)
    assert one(results, max_sar={"1e-2": 0.42}).passed is False
    gate = one(results, max_sar={"1e-2": 0.44})
    assert (gate.passed, gate.detail) == (True, "linear by dlib")
    assert one(results, max_sar={"1e-2": 0.4399}).passed is False


def test_a_control_is_no_attack() -> None:
    rows = [factory.attack("control:nearest", 0.9), factory.attack("linear", 0.2)]
    assert one(factory.results(attacks=rows), max_sar={"1e-2": 0.25}).detail == "linear by dlib"
    alone = one(factory.results(attacks=rows[:1]), max_sar={"1e-2": 1.0})
    assert alone.passed is None


def test_searched_and_fused_templates_are_attacks_too() -> None:
    results = factory.results(search=[factory.fused(2, 0.95)])
    gate = one(results, max_sar={"1e-3": 0.9})
    assert gate.passed is False
    assert isinstance(gate.value, Measured)
    assert gate.value.value == 0.95
    assert gate.detail == "linear by dlib (2 templates fused)"


def test_rates_come_first_and_the_laxest_fmr_before_the_others() -> None:
    limits = {"1e-3": 1.0, "1e-2": 1.0}
    found = gates_of(
        factory.results(**factory.extensions()),
        max_sar=limits,
        max_type2=limits,
        min_coverage=0.5,
        fail_on="high",
    )
    assert [gate.name for gate in found] == [
        "max-sar@1e-2",
        "max-sar@1e-3",
        "max-type2@1e-2",
        "max-type2@1e-3",
        "min-coverage",
        "fail-on high",
    ]


# --- what is not known


def test_an_fmr_or_a_judge_that_the_run_lacks_is_refused_with_what_there_is() -> None:
    results = factory.results()
    with pytest.raises(GateError, match=r"max-sar: .* 1e-5; there is 1e-2, 1e-3 and 1e-4"):
        gates_of(results, max_sar={"1e-5": 0.1})
    judges = r"'dlip'.*there is arcface, dlib, eigenfaces and mobilefacenet"
    with pytest.raises(GateError, match=judges):
        gates_of(results, max_sar={"1e-3": 0.1}, judge="dlip")


def test_a_judge_that_could_not_judge_decides_nothing() -> None:
    gate = one(factory.results(), max_sar={"1e-3": 0.5}, judge="arcface")
    assert gate.passed is None
    assert gate.value == NotMeasured(not_measured="weights arcface missing")


def test_a_rate_that_was_not_measured_decides_nothing_and_says_why() -> None:
    gate = one(factory.results(), max_sar={"1e-4": 1.0})
    assert (gate.passed, gate.value) == (None, factory.FEW)


def test_the_exit_code_is_3_for_a_failure_4_for_doubt_and_else_0() -> None:
    def code(*passed: bool | None) -> int:
        gates = [
            GateResult(name="g", rule="", limit=0, value=factory.rate(0.1), passed=p)
            for p in passed
        ]
        return GateReport(gates, Ignored(), None).exit_code

    assert [code(True), code(True, None), code(None, False, True)] == [0, 4, 3]


# --- kinds of runs


def test_a_store_without_an_attack_is_not_decided_and_says_why() -> None:
    store = store_factory.summary(not_inverted="nobody signed")
    gate = one(store_factory.results(store, attacks=[]), max_sar={"1e-3": 0.1}, judge="dlib")
    assert gate.passed is None
    assert gate.value == NotMeasured(not_measured="no attack: nobody signed")


def test_a_comparison_takes_the_worst_of_its_models() -> None:
    results = compare_factory.document()
    rates = list(compared_by_hand(results))
    gate = one(results, max_sar={"1e-3": 1.0})
    assert isinstance(gate.value, Measured)
    assert gate.value.high == max(rates)
    assert gate.passed is True
    assert gate.detail == "appearance by dlib (dlib)"
    assert one(results, fail_on="low").passed is None


def compared_by_hand(results: Results) -> Iterator[float]:
    assert results.compare is not None
    cells = [cell.type1 for cell in results.compare.matrix]
    rows = [rates for row in results.compare.rows for rates in (row.sar, row.own)]
    for rates in cells + rows:
        rate = rates["1e-3"]
        if isinstance(rate, Measured):
            assert rate.high is not None
            yield rate.high


def test_a_stress_run_takes_the_worst_of_its_conditions() -> None:
    results = stress_factory.document()
    by_hand = [
        rate.value if rate.high is None else rate.high
        for row in results.stress
        if row.attack
        for fmr, rate in row.type1.items()
        if fmr == "1e-3" and isinstance(rate, Measured)
    ]
    gate = one(results, max_sar={"1e-3": 0.0})
    assert isinstance(gate.value, Measured)
    assert gate.value.high == max(by_hand)
    (row,) = {
        (row.backbone, row.label)
        for row in results.stress
        if row.attack and row.type1.get("1e-3") == gate.value
    }
    assert gate.detail.endswith(f"({', '.join(row)})")


# --- findings


def finding(name: str, severity: Severity) -> Finding:
    return Finding(id=name, severity=severity, title=name)


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(SEVERITIES)), max_size=6),
    st.sampled_from(SEVERITIES),
    st.sets(st.sampled_from("abcd")),
)
def test_a_finding_fails_from_a_severity_on_unless_it_was_accepted(
    found: list[tuple[str, Severity]], worst: Severity, accepted: set[str]
) -> None:
    results = STORE.model_copy(update={"findings": [finding(*each) for each in found]})
    entries = [Accepted(finding=n, reason="r", expires=date(2026, 2, 1)) for n in accepted]
    gate = one(results, sort_ignored(results, entries, date(2026, 2, 1)), fail_on=worst)
    bad = [
        name
        for name, severity in found
        if SEVERITIES.index(severity) >= SEVERITIES.index(worst) and name not in accepted
    ]
    assert gate.passed is (not bad)
    assert isinstance(gate.value, Measured)
    assert gate.value.value == len(bad)
    assert set(filter(None, gate.detail.split(", "))) == set(bad)


def test_where_nobody_looked_for_findings_none_is_not_good_news() -> None:
    assert one(compare_factory.document(), fail_on="info").passed is None
    assert one(factory.results(), fail_on="info").passed is True
    assert one(store_factory.results(findings=[]), fail_on="info").passed is True


def test_an_entry_holds_until_the_end_of_its_day_and_names_a_finding() -> None:
    results = factory.results(findings=[finding("a", "high"), finding("b", "high")])

    def entry(name: str, day: int) -> Accepted:
        return Accepted(finding=name, reason=f"until {day}", expires=date(2026, 5, day))

    entries = [entry("a", 3), entry("b", 2), entry("c", 9), entry("a", 1)]
    sorted_ = sort_ignored(results, entries, date(2026, 5, 3))
    assert dict(sorted_.accepted) == {"a": entries[0]}
    assert sorted_.expired == (entries[1],), "the older one of 'a' is of no interest"
    assert sorted_.unknown == (entries[2],)


# --- coverage


def test_coverage_is_the_smallest_share() -> None:
    found = coverage_of(factory.results())
    assert {part.name: (part.done, part.total) for part in found.parts} == {
        "pictures": (13233 - 43, 13233),
        "judges": (3, 4),
        "faces": (2480 - 12, 2480),
    }
    assert found.value == Measured(value=0.75, n=4)
    assert "without arcface" in " ".join(part.words for part in found.parts)
    with_all = coverage_of(factory.results(judges_missing={}))
    assert with_all.value == Measured(value=2468 / 2480, n=2480)
    assert "judges" not in {part.name for part in coverage_of(factory.results(), "dlib").parts}


def test_the_attack_that_shows_most_faces_counts_and_no_control() -> None:
    rows = [
        factory.attack("blind", 0.1, n_attempts=100, n_failed=100),
        factory.attack("linear", 0.1, n_attempts=100, n_failed=30),
        factory.attack("control:mean", 0.1, n_attempts=100, n_failed=0),
    ]
    results = factory.results(attacks=rows, judges_missing={})
    assert coverage_of(results).value == Measured(value=0.7, n=100)
    assert one(results, min_coverage=0.7).passed is True
    assert one(results, min_coverage=0.71).passed is False


def test_a_judge_without_a_single_rate_is_missing() -> None:
    silent = JudgeResult(unseen=True, type1={"1e-3": NOTHING})
    judges = {"dlib": factory.judge(False, 0.3, 0.01), "mute": silent}
    results = factory.results(
        attacks=[factory.attack("linear", 0.3, judges=judges)], judges_missing={"mute": "why"}
    )
    assert coverage_of(results).value == Measured(value=0.5, n=2)


def test_rows_of_a_store_that_were_lost_count() -> None:
    store = store_factory.summary(n_templates=900, unreadable={"short": 100}, coverage=0.9)
    results = store_factory.results(store, judges_missing={})
    assert coverage_of(results).value == Measured(value=0.9, n=1000)
    broken = store_factory.summary(broken="the file ends in a row")
    gate = one(store_factory.results(broken), min_coverage=0.1)
    assert gate.passed is None
    assert isinstance(gate.value, NotMeasured)
    assert "the file ends in a row" in gate.value.not_measured


def test_generated_people_have_no_pictures_to_lose() -> None:
    results = factory.results(faces=factory.faces(generated=True), judges_missing={})
    assert {part.name for part in coverage_of(results).parts} == {"judges", "faces"}


def test_where_nothing_is_to_be_covered_nothing_is_decided() -> None:
    empty = factory.results(attacks=[], faces=None, judges_missing={})
    assert one(empty, min_coverage=0.0).passed is None
