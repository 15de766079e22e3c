from __future__ import annotations

import pytest

from reports.results import Measured, NotMeasured
from reports.words import Table, evidence_lines, fmr_label, number, one_in, percent


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.392, "39.2 %"),
        (1.0, "100.0 %"),
        (0.0, "0 %"),
        (0.0056, "0.56 %"),
        (0.0004, "0.04 %"),
        (0.000012, "0.0012 %"),
        (0.0000012, "<0.001 %"),
        (-0.013, "\u22121.3 %"),
    ],
)
def test_rates_in_percent(value: float, text: str) -> None:
    assert percent(value).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("value", "text"), [(1907.7, "1,908"), (-0.51, "\u22120.51"), (0.0, "0"), (17.314, "17.31")]
)
def test_plain_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_false_match_rates_in_words() -> None:
    assert fmr_label("1e-4").replace("\u00a0", " ") == "0.01 %"
    assert one_in("1e-3").replace("\u00a0", " ") == "1 stranger in 1,000"


def test_what_was_not_measured_never_looks_like_a_number() -> None:
    table = Table("t", ("a",))
    for value in (NotMeasured(not_measured="too few pairs"), None):
        cell = table.estimate(value)
        assert cell.text == "not measured"
        assert cell.detail == cell.extra == ""
        assert cell.tone == "missing"
    assert table.notes == ["too few pairs", "not part of this run"]
    assert table.estimate(NotMeasured(not_measured="too few pairs")).note == "1"  # said once


def test_a_measured_zero_is_printed_as_zero_with_its_interval() -> None:
    cell = Table("t", ("a",)).estimate(Measured(value=0.0, low=0.0, high=0.009, n=412))
    shown = (cell.text, cell.detail, cell.extra)
    assert tuple(text.replace("\u00a0", " ") for text in shown) == (
        "0 %",
        "0\u20130.90",
        "n = 412",
    )


def test_a_margin_has_a_sign_and_percentage_points() -> None:
    cell = Table("t", ("a",)).estimate(Measured(value=0.22, low=-0.02, high=0.5, n=9), "margin")
    assert cell.text.replace("\u00a0", " ") == "+22.0 pp"
    assert cell.detail.replace("\u00a0", " ") == "\u22122.0 to +50.0"


def test_a_value_without_an_interval_says_so() -> None:
    assert Table("t", ("a",)).estimate(Measured(value=3.0, n=5), "number").detail == "no interval"


def test_evidence_that_is_no_rate_is_not_printed_as_one() -> None:
    value = Measured(value=-0.138, low=-0.195, high=-0.086, n=500)
    (line,) = evidence_lines({"biohash, change of recognition": value})
    assert line.startswith("biohash, change of recognition: \u221213.8\u00a0pp (\u221219.5")
    value = Measured(value=0.983, low=0.97, high=0.99, n=500)
    (line,) = evidence_lines({"biohash, D_sys by who has the keys": value})
    assert line.startswith("biohash, D_sys by who has the keys: 0.98 (0.97")
    (line,) = evidence_lines({"Type-I by dlib": value})
    assert line.startswith("Type-I by dlib: 98.3\u00a0%")
