"""What a change did, in words: built by hand, so that every outcome is there."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.compare_changes import (
    change_tables,
    change_verdict,
    outcome_of,
    regressions,
    settings_table,
)
from reports.results import CompareChange, CompareResult, CompareSetting, Measured, NotMeasured


def change(
    low: float | None,
    high: float | None,
    *,
    which: Literal["", "strongest"] = "",
    judge: str = "j",
    measure: Literal["type1", "type2"] = "type1",
    attacks: tuple[str, str] = ("a", "a"),
) -> CompareChange:
    value = 0.0 if low is None or high is None else (low + high) / 2
    return CompareChange(
        before="old",
        after="new",
        which=which,
        attack_before=attacks[0],
        attack_after=attacks[1],
        judge=judge,
        unseen=True,
        measure=measure,
        was={"1e-3": Measured(value=0.5, low=0.4, high=0.6, n=50)},
        now={"1e-3": Measured(value=0.5 + value, n=50)},
        difference={"1e-3": Measured(value=value, low=low, high=high, n=50)},
    )


def result(*changes: CompareChange, judge: str = "j") -> CompareResult:
    return CompareResult(judge=judge, fmr="1e-3", changes=list(changes))


bounds = st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(sorted)


@given(bounds)
def test_an_outcome_is_what_the_interval_says(pair: list[float]) -> None:
    low, high = pair
    expected = "regression" if low > 0 else "improvement" if high < 0 else "not clear"
    assert outcome_of(change(low, high), "1e-3") == expected


def test_without_an_interval_or_a_number_nothing_is_decided() -> None:
    assert outcome_of(change(None, None), "1e-3") == "not measured"
    assert outcome_of(change(0.1, 0.2), "1e-2") == "not measured"


@given(st.lists(bounds, max_size=8))
def test_every_regression_is_named_and_nothing_else(pairs: list[list[float]]) -> None:
    made = [change(*pair, judge=f"judge{i}x") for i, pair in enumerate(pairs)]
    worse = {c.judge for c in regressions(made, "1e-3")}
    assert worse == {f"judge{i}x" for i, (low, _) in enumerate(pairs) if low > 0}
    said = change_verdict(result(*made)).partition("Clearly worse: ")[2]
    assert {c.judge for c in made if c.judge in said} == worse


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.3, -0.2, "Less leaks than before (new)"),
        (0.2, 0.3, "More leaks than before (new)"),
        (-0.1, 0.1, "No clear change (new)"),
    ],
)
def test_the_headline_is_of_the_strongest_attack_by_the_common_judge(
    low: float, high: float, words: str
) -> None:
    others = [
        change(0.3, 0.4, which="strongest", judge="k"),
        change(0.3, 0.4, which="strongest", measure="type2"),
    ]
    said = change_verdict(result(*others, change(low, high, which="strongest")))
    assert said.startswith(words)
    assert "j accepted 50.0" in said


def test_what_could_not_be_compared_is_said() -> None:
    silent = change(0.1, 0.2, which="strongest").model_copy(
        update={"difference": {"1e-3": NotMeasured(not_measured="too few people")}}
    )
    said = change_verdict(result(silent))
    assert said == (
        "new: what changed was not measured at FMR 0.1\N{NO-BREAK SPACE}%. "
        "Nothing could be compared."
    )
    assert "Nothing became clearly worse." in change_verdict(result(change(-0.2, -0.1)))


def test_both_attacks_of_the_strongest_are_named() -> None:
    (table,) = change_tables(
        result(change(0.1, 0.2), change(0.1, 0.2, which="strongest", attacks=("one", "two")))
    )
    assert [row[0].text for row in table.rows] == ["strongest: one, then two", "a"]
    assert table.rows[0][-1].text == "▲ regression"


def test_settings_are_shown_as_they_are() -> None:
    setting = CompareSetting(run="new", key="leak.resolution", before="null", after="<b>12")
    table = settings_table(CompareResult(settings=[setting]))
    assert [cell.text for cell in table.rows[0]] == ["leak.resolution", "null", "<b>12"]
