"""What to do first, and the number that a page stands on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.verdict import Store, decide
from reports.actions import (
    actions_of,
    evidence_of,
    first_actions,
    in_short,
    leading,
    ranked,
    strength,
)
from reports.basis import basis_of, display_fmr
from reports.headline import in_a_hundred
from reports.results import (
    SEVERITY_ORDER,
    AttackResult,
    Estimate,
    Finding,
    JudgeResult,
    Measured,
    NotMeasured,
)
from tests.reports import factory

COUNT = Measured(value=12, n=48)  # a quarter of them


def finding(name: str, severity: str, what: str = "", **evidence: Estimate) -> Finding:
    return Finding.model_validate(
        {
            "id": name,
            "severity": severity,
            "title": name,
            "evidence": evidence,
            "recommendation": what or f"do {name}",
        }
    )


def test_severity_comes_first_then_what_was_measured_more_surely() -> None:
    unknown = finding("unknown", "high", rate=factory.FEW)
    weak = finding("weak", "high", rate=factory.rate(0.2, width=0.1))  # at least 10 %
    counted = finding("counted", "high", rows=COUNT)  # 25 %
    strong = finding("strong", "high", gone=factory.FEW, rate=factory.rate(0.5, width=0.2))
    worst = finding("worst", "critical", rate=factory.FEW)
    order = [f.id for f in ranked([unknown, weak, counted, strong, worst])]
    assert order == ["worst", "strong", "counted", "weak", "unknown"]


def test_there_are_three_actions_at_most_each_once_and_none_is_invented() -> None:
    twice = [finding("a", "low", "lock it"), finding("b", "critical", "lock it")]
    told = finding("c", "medium").model_copy(update={"recommendation": ""})
    found = first_actions([*twice, told, finding("d", "info")])
    assert [(a.what, [f.id for f in a.findings]) for a in found] == [("lock it", ["b", "a"])]
    assert len(first_actions(finding(str(i), "high") for i in range(5))) == 3
    assert first_actions([]) == []
    assert [a.what for a in actions_of([finding("d", "info")])] == ["do d"]


severities = st.sampled_from(SEVERITY_ORDER)
rates = st.floats(0, 1).map(lambda v: Measured(value=v, low=v / 2, high=v, n=9))
estimates = st.one_of(rates, st.just(factory.FEW), st.just(COUNT))


@given(st.lists(st.tuples(severities, estimates), max_size=8))
def test_ranking_keeps_everything_and_never_puts_milder_before_worse(
    cases: list[tuple[str, Estimate]],
) -> None:
    found = [finding(str(i), severity, e=value) for i, (severity, value) in enumerate(cases)]
    told = ranked(found)
    assert sorted(f.id for f in told) == sorted(f.id for f in found)
    keys = [(SEVERITY_ORDER.index(f.severity), -strength(f)) for f in told]
    assert keys == sorted(keys)


cells = st.one_of(
    st.just(NotMeasured(not_measured="few")),
    st.integers(0, 20).map(lambda v: Measured(value=v / 20, n=20)),
)
judges = st.builds(
    JudgeResult,
    unseen=st.booleans(),
    type1=st.dictionaries(st.sampled_from(["1e-1", "1e-2", "1e-3", "1e-4"]), cells),
    type2_reference=st.just({k: factory.rate(0.9) for k in ("1e-1", "1e-2", "1e-3", "1e-4")}),
)
rows = st.builds(
    lambda name, own, other: factory.attack(
        name, 0.5, judges={"dlib": own.model_copy(update={"unseen": False}), "other": other}
    ),
    st.sampled_from(["linear", "appearance", "control:nearest"]),
    judges,
    judges,
)


@given(st.lists(rows, max_size=4))
def test_figures_speak_of_the_number_that_the_verdict_speaks_of(found: list[AttackResult]) -> None:
    """``decide`` writes the sentence and the grade; the page finds its number by itself."""
    verdict = decide(found, Store("dlib", 100))
    document = factory.results(attacks=found, headline=verdict.headline, target="dlib")
    basis = basis_of(document)
    if verdict.grade == "not graded":
        assert basis is None
        return
    assert basis is not None
    assert basis.own == (verdict.headline is None)
    assert verdict.grade_reason.startswith(f"{basis.attack} judged by {basis.judge} at ")
    assert f" FMR {basis.fmr};" in verdict.grade_reason
    assert display_fmr(document) == basis.fmr


def test_a_stricter_fmr_than_that_of_the_verdict_is_not_shown() -> None:
    own = factory.judge(False, 0.9, 0.01)
    strict = own.model_copy(update={"type1": {**own.type1, "1e-4": factory.rate(0.2)}})
    document = factory.results(
        headline=None, attacks=[factory.attack("linear", 0.5, judges={"dlib": strict})]
    )
    assert display_fmr(document) == "1e-3"


def test_where_there_is_no_verdict_the_strictest_measured_fmr_is_shown() -> None:
    found = factory.judge(False, 0.9, 0.01)
    document = factory.results(
        headline=None, attacks=[factory.attack("control:mean", 0.5, judges={"x": found})]
    )
    assert basis_of(document) is None
    assert display_fmr(document) == "1e-3"
    assert display_fmr(factory.results(headline=None, attacks=[])) is None


def test_a_rate_is_told_among_a_hundred_people() -> None:
    def who(rate: float) -> str:
        return in_a_hundred(rate, "1e-3", own=False).split(", ")[1].split(" would")[0]

    assert who(0.972) == "about 97"
    assert who(0.0) == "none"
    assert who(1.0) == "all"
    assert who(0.004) == "fewer than 1"
    assert who(0.997) == "more than 99"
    assert who(0.01) == "about 1"
    text = in_a_hundred(0.972, "1e-3", own=False).replace("\u00a0", " ")
    assert text == (
        "Of 100 people in this store, about 97 would be accepted by this matcher from an injected "
        "picture, without a liveness check, at a false match rate of 1 in 1,000."
    )
    assert "the very model that made the templates" in in_a_hundred(0.5, "1e-2", own=True)


def test_what_a_finding_rests_on_survives_the_file() -> None:
    """results.json sorts its dictionaries; the main number still comes first."""
    rate = Measured(value=0.9, low=0.8, high=0.95, n=10)
    drawn = Finding(
        id="x",
        severity="high",
        title="X",
        evidence={"z, the main one": rate, "a, another": Measured(value=0.1, low=0, high=1, n=10)},
    )
    kept = Finding.model_validate(
        {**drawn.model_dump(), "evidence": dict(sorted(drawn.evidence.items()))}
    )
    for finding in (drawn, kept):
        assert leading(finding) == ("z, the main one", rate)
        assert [name for name, _ in evidence_of(finding)] == ["z, the main one", "a, another"]


@pytest.mark.parametrize(
    ("whole", "short"),
    [
        ("Do this (.npy, 1.5 times). Because of that.", "Do this (.npy, 1.5 times)."),
        ("Do this.", "Do this."),
        ("", ""),
    ],
)
def test_in_short_is_the_first_sentence(whole: str, short: str) -> None:
    assert in_short(whole) == short
