from __future__ import annotations

from typing import Any

import pytest

from reports.compare_words import (
    NO_JUDGE,
    caveat_of,
    difference_words,
    projection_says,
    reversals,
    shown_fmr,
    verdict_of,
)
from reports.results import CompareCell, CompareResult, CompareRow, Measured, NotMeasured
from tests.reports.compare_factory import JUDGE, comparison, difference, projection, row
from tests.reports.factory import FEW, rate


def ranked(**ranks: int) -> list[CompareRow]:
    return [row(name, rank=rank) for name, rank in ranks.items()]


def said(rows: list[CompareRow], **changes: Any) -> str:
    """The verdict with plain blanks."""
    return verdict_of(comparison(rows=rows, **changes)).replace("\u00a0", " ")


def test_a_clear_order_names_the_most_and_the_least_with_intervals() -> None:
    assert said(ranked(dlib=1, mobilefacenet=2, lbp=3, eigenfaces=4)) == (
        "dlib leaks most: faceleak-mini accepts 41.2 % (38.2\u201344.2) of the faces rebuilt "
        "from its templates at FMR 0.1 %. eigenfaces leaks least: 3.4 % (0.40\u20136.4)."
    )


def test_a_tie_at_the_top_is_said() -> None:
    assert said(ranked(dlib=1, mobilefacenet=1, lbp=3)) == (
        "dlib and mobilefacenet leak most and cannot be told apart: faceleak-mini accepts 41.2 % "
        "(38.2\u201344.2) and 39.7 % (36.7\u201342.7) of the faces rebuilt from their "
        "templates at FMR 0.1 %. lbp leaks least: 10.8 % (7.8\u201313.8)."
    )


def test_a_tie_at_the_bottom_is_said() -> None:
    text = said(ranked(dlib=1, lbp=2, eigenfaces=2), differences=[])
    assert text.endswith(
        "lbp and eigenfaces leak least and cannot be told apart: 10.8 % (7.8\u201313.8) and "
        "3.4 % (0.40\u20136.4)."
    )


def test_where_all_are_tied_nobody_leaks_most() -> None:
    text = said(ranked(dlib=1, mobilefacenet=1, lbp=1), differences=[])
    assert text.startswith("dlib, mobilefacenet and lbp cannot be told apart: faceleak-mini ")
    assert "10.8 % (7.8\u201313.8)" in text
    assert "most" not in text
    assert "least" not in text


def test_a_clear_difference_inside_a_tie_is_not_passed_over() -> None:
    """Two rows may each be tied with a third and differ clearly from each other."""
    pairs = [difference("lbp", "dlib", -0.3), difference("dlib", "mobilefacenet", 0.001)]
    text = said(ranked(dlib=1, mobilefacenet=1, lbp=1), differences=pairs)
    assert text.endswith("Of these, dlib leaks clearly more than lbp.")
    assert text.count("Of these") == 1


def test_without_one_judge_each_row_has_its_own_and_that_comes_first() -> None:
    rows = [
        row("dlib", rank=1, judge="mobilefacenet"),
        row("mobilefacenet", rank=2, judge="dlib"),
        row("lbp", rank=3, judge="lbp"),
    ]
    assert said(rows, judge="") == (
        f"{NO_JUDGE} dlib leaks most: mobilefacenet accepts 41.2 % (38.2\u201344.2) of the "
        "faces rebuilt from its templates at FMR 0.1 %. "
        "lbp leaks least: lbp itself accepts 10.8 % (7.8\u201313.8)."
    )


def test_a_single_row_is_compared_with_nothing() -> None:
    text = said([row("dlib", rank=1)])
    assert text.startswith("Only dlib was measured: faceleak-mini accepts 41.2 %")
    assert "most" not in text
    assert NO_JUDGE not in said([row("dlib", rank=1)], judge="")


def test_rows_without_ranks_are_listed_and_not_ordered() -> None:
    text = said(ranked(dlib=0, lbp=0))
    assert text.startswith("dlib and lbp were not ranked: faceleak-mini accepts 41.2 %")
    assert "most" not in text


def test_a_row_that_was_not_measured_is_named_with_the_reason() -> None:
    text = said([*ranked(dlib=1, lbp=2), row("mobilefacenet", rank=0, headline=FEW)])
    assert text.endswith(f"mobilefacenet was not ranked: {FEW.not_measured}.")
    assert "lbp leaks least" in text


def test_where_nothing_was_measured_there_is_a_reason_and_no_number() -> None:
    rows = [row(name, rank=0, headline=FEW) for name in ("dlib", "lbp")]
    assert said(rows) == f"Nothing could be ranked: {FEW.not_measured}."
    assert verdict_of(CompareResult()) == "Nothing could be ranked."


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.2, "clear: a leaks more"),
        (-0.2, -0.01, "clear: b leaks more"),
        (-0.1, 0.1, "not clear: the interval holds 0"),
        (0.0, 0.1, "not clear: the interval holds 0"),
        (None, None, "no interval"),
    ],
)
def test_a_difference_is_clear_where_its_interval_leaves_out_0(
    low: float | None, high: float | None, words: str
) -> None:
    assert difference_words("a", "b", Measured(value=0.05, low=low, high=high, n=9)) == words


def test_a_difference_that_was_not_measured_says_so() -> None:
    assert difference_words("a", "b", NotMeasured(not_measured="why")) == "not measured"
    assert difference_words("a", "b", None) == "not measured"


@pytest.mark.parametrize(
    ("gap", "holds"), [(-0.21, True), (0.3, True), (-0.5, True), (-0.6, False)]
)
def test_the_control_holds_down_to_half_a_decibel(gap: float, holds: bool) -> None:
    text = projection_says(projection(gap)).replace("\u00a0", " ")
    assert ("The control holds" in text, "The control fails" in text) == (holds, not holds)
    assert f"{abs(gap):g} dB {'above' if gap > 0 else 'below'} the projection" in text


def test_the_fmr_is_the_one_of_the_ranking_or_the_strictest_that_was_measured() -> None:
    assert shown_fmr(comparison()) == "1e-3"
    assert shown_fmr(comparison(fmr="1e-2")) == "1e-2"
    rows = [row("dlib", sar={"1e-2": rate(0.4), "1e-3": FEW})]
    assert shown_fmr(comparison(fmr=None, rows=rows)) == "1e-2"
    assert shown_fmr(CompareResult(judge=JUDGE)) is None


def turned(**shares: tuple[float, float, float]) -> CompareResult:
    """Three rows ordered by m, and what each judge accepts of each; n saw the attack on c."""
    rows = [row("dlib", name=n, rank=r, judge="m") for n, r in (("a", 1), ("b", 2), ("c", 2))]
    matrix = [
        CompareCell(
            source=source,
            judge=judge,
            attack="x",
            unseen=(source, judge) != ("c", "n"),
            type1={"1e-2": Measured(value=value, low=0.0, high=1.0, n=5)},
        )
        for judge, values in shares.items()
        for source, value in zip("abc", values, strict=True)
    ]
    return CompareResult(judge="m", fmr="1e-2", rows=rows, matrix=matrix)


def test_another_unseen_judge_that_turns_the_order_round_is_named() -> None:
    """Not the judge of the order itself, not one that saw an attack, not rows that share a rank."""
    found = turned(m=(0.2, 0.9, 0.1), n=(0.5, 0.7, 0.9), o=(0.5, 0.4, 0.45))
    (sentence,) = reversals(found)
    assert sentence.replace("\u00a0", " ") == (
        "The order depends on the judge: n, which no attack on either saw, accepts 70.0 % of the "
        "faces from b and 50.0 % of those from a at FMR 1 %."
    )
    assert caveat_of(found) == sentence
    assert reversals(found.model_copy(update={"fmr": "1e-3"})) == []


def test_where_many_pairs_are_turned_round_the_first_stands_for_them() -> None:
    found = turned(n=(0.5, 0.7, 0.9), o=(0.1, 0.4, 0.3))
    first, *others = reversals(found)
    assert len(others) == 2
    assert caveat_of(found) == f"{first} 2 more such pairs: see the notes."
    assert caveat_of(turned(o=(0.5, 0.4, 0.3))) == ""
