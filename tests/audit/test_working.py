"""When an attack counts as not working: the mean face is the measure."""

from __future__ import annotations

import pytest

from audit.working import failing
from reports.results import AttackResult, Estimate, JudgeResult, Measured, NotMeasured

FEW = NotMeasured(not_measured="too few people")


def rate(low: float, value: float, high: float) -> Measured:
    return Measured(value=value, low=low, high=high, n=50)


def attack(name: str, judges: dict[str, dict[str, Estimate]], seen: str = "dlib") -> AttackResult:
    """A row with the Type-I of each judge; all but ``seen`` are unseen."""
    return AttackResult(
        attack=name,
        backbone="dlib",
        knowledge="pairs",
        control=name.startswith("control:"),
        n_attempts=50,
        n_failed=0,
        detection_rate=FEW,
        judges={
            judge: JudgeResult(unseen=judge != seen, type1=type1) for judge, type1 in judges.items()
        },
    )


def verdict(own: dict[str, dict[str, Estimate]], mean: dict[str, dict[str, Estimate]]) -> str:
    return failing(attack("linear", own), attack("control:mean", mean))


@pytest.mark.parametrize(
    ("own", "works"),
    [
        (rate(0.31, 0.5, 0.7), True),  # wholly above 0.1 to 0.3
        (rate(0.30, 0.5, 0.7), False),  # they touch
        (rate(0.05, 0.5, 0.7), False),
        (rate(0.0, 0.05, 0.09), False),  # wholly below
    ],
)
def test_an_attack_works_where_its_interval_lies_above_that_of_the_mean_face(
    own: Measured, works: bool
) -> None:
    mean = {"m": {"1e-2": rate(0.1, 0.2, 0.3)}}
    assert (verdict({"m": {"1e-2": own}}, mean) == "") is works


def test_the_reason_gives_both_rates() -> None:
    own, mean = rate(0.08, 0.125, 0.2), rate(0.1, 0.2, 0.3)
    assert verdict({"m": {"1e-2": own}}, {"m": {"1e-2": mean}}) == (
        "not working: m, which it never saw, accepts 12.5 % (8.0 to 20.0) of its faces and 20.0 % "
        "(10.0 to 30.0) of the mean face"
    )


def test_the_attacked_model_does_not_count() -> None:
    low, high = rate(0.0, 0.0, 0.1), rate(0.8, 0.9, 1.0)
    assert verdict({"dlib": {"1e-2": low}}, {"dlib": {"1e-2": high}}) == ""
    both = verdict(
        {"dlib": {"1e-2": high}, "m": {"1e-2": low}}, {"dlib": {"1e-2": low}, "m": {"1e-2": low}}
    )
    assert both.startswith("not working: m, ")


def test_one_judge_of_several_is_enough() -> None:
    mean = {name: {"1e-2": rate(0.1, 0.2, 0.3)} for name in "mn"}
    bad, good = {"1e-2": rate(0.0, 0.1, 0.2)}, {"1e-2": rate(0.5, 0.6, 0.7)}
    assert verdict({"m": bad, "n": good}, mean) == ""
    assert verdict({"m": bad, "n": bad}, mean).startswith("not working: m, ")


def test_the_highest_rate_at_which_both_were_measured_decides() -> None:
    low, mid, high = rate(0.0, 0.0, 0.1), rate(0.2, 0.3, 0.4), rate(0.8, 0.9, 1.0)
    mean: dict[str, dict[str, Estimate]] = {"m": {"1e-3": low, "5e-2": FEW, "1e-2": mid}}
    # At 5e-2 the mean face was not measured, at 1e-3 the attack would look better.
    assert verdict({"m": {"1e-3": high, "1e-2": low, "5e-2": high}}, mean) != ""
    assert verdict({"m": {"1e-3": low, "1e-2": high, "5e-2": low}}, mean) == ""


@pytest.mark.parametrize(
    ("own", "mean"),
    [
        ({"m": {"1e-2": FEW}}, {"m": {"1e-2": rate(0.1, 0.2, 0.3)}}),
        ({"m": {"1e-2": rate(0.1, 0.2, 0.3)}}, {"m": {"1e-2": FEW}}),
        ({"m": {"1e-2": rate(0.1, 0.2, 0.3)}}, {"m": {"1e-3": rate(0.1, 0.2, 0.3)}}),
        ({"m": {"1e-2": rate(0.1, 0.2, 0.3)}}, {"n": {"1e-2": rate(0.1, 0.2, 0.3)}}),
        ({}, {}),
    ],
)
def test_what_cannot_be_compared_is_not_called_failing(
    own: dict[str, dict[str, Estimate]], mean: dict[str, dict[str, Estimate]]
) -> None:
    assert verdict(own, mean) == ""
