from __future__ import annotations

import pytest
from pydantic import ValidationError

from reports.schema import Estimate, Measured, NotMeasured
from reports.search import INTRO, search_sentences, search_tables
from reports.search_results import SearchJudge, SearchResult
from reports.words import DASH, MINUS, Cell, Table

FEW = NotMeasured(not_measured="the attacker has 80 faces to compare with")


def rate(value: float) -> Measured:
    return Measured(value=value, low=max(value - 0.05, 0), high=min(value + 0.05, 1), n=200)


def row(scores: int | None, success: float | None, decimals: int | None = None) -> SearchResult:
    def judged(share: float, unseen: bool) -> SearchJudge:
        def found(factor: float) -> Estimate:
            return FEW if success is None else rate(success * factor)

        return SearchJudge(
            unseen=unseen,
            type1={"1e-2": rate(1.0) if success else FEW, "1e-3": found(share)},
            type2={"1e-3": found(share / 2)},
        )

    return SearchResult(
        attack="linear",
        backbone="dlib",
        part="scores",
        scores=scores,
        decimals=decimals,
        n=0 if success is None else 200,
        template_similarity=FEW if success is None else Measured(value=-0.25, n=200),
        judges={"dlib": judged(1.0, False), "<b>other</b>": judged(0.8, True)},
    )


def fused(count: int, success: float) -> SearchResult:
    return row(None, success).model_copy(update={"part": "fusion", "templates": count})


ROWS = [row(None, 0.9), row(10, 0.1), row(99, 0.87), row(129, 0.9), row(500, None), row(10, 0.1, 1)]


def texts(table: Table) -> list[list[str]]:
    return [[cell.text.replace("\u00a0", " ") for cell in line] for line in table.rows]


def test_decimals_belong_to_scores() -> None:
    with pytest.raises(ValidationError, match="decimals belong to scores"):
        row(None, 0.5, 2)
    with pytest.raises(ValidationError, match="part"):
        SearchResult.model_validate({**row(3, 0.5).model_dump(), "part": "else"})
    assert SearchResult.model_validate(row(3, 0.5, 2).model_dump()) == row(3, 0.5, 2)


def test_the_table_holds_every_row_at_the_reports_fmr() -> None:
    (table,) = search_tables(ROWS, "1e-3")
    assert table.caption.replace("\u00a0", " ") == (
        "Attack by scores alone: linear on dlib, accepted at FMR 0.1 %"
    )
    assert [c.text if isinstance(c, Cell) else c for c in table.columns] == [
        "Scores",
        "Rounding",
        "Likeness to the true templates",
        "dlib, Type-I",
        "dlib, Type-II",
        "<b>other</b>, Type-I",
        "<b>other</b>, Type-II",
    ]
    lines = texts(table)
    assert [len(line) for line in lines] == [7] * 6
    assert lines[0][:2] == ["none: the template itself", DASH]
    assert lines[1] == ["10", "none", f"{MINUS}0.25", "10.0 %", "5.0 %", "8.0 %", "4.0 %"]
    assert lines[5][:2] == ["10", "1 decimal"]
    assert lines[4][2:] == ["not measured"] * 5
    assert table.notes == [FEW.not_measured]


def test_without_an_fmr_the_strictest_that_was_measured_is_shown() -> None:
    (table,) = search_tables([row(10, 0.3)], None)
    assert "0.1" in table.caption
    only = row(10, None).model_copy(
        update={
            "judges": {"dlib": SearchJudge(unseen=False, type1={"1e-2": rate(0.2), "1e-3": FEW})}
        }
    )
    (table,) = search_tables([only], None)
    assert "FMR 1\u00a0%" in table.caption
    assert texts(table)[0][-2:] == ["20.0 %", "not measured"]


def test_fused_templates_have_their_own_table() -> None:
    tables = search_tables([*ROWS, fused(1, 0.5), fused(5, 0.7)], "1e-3")
    assert [t.caption.split(":")[0] for t in tables] == [
        "Attack by scores alone",
        "Several templates of one person made into one",
    ]
    assert [line[0] for line in texts(tables[1])] == ["1", "5"]
    assert texts(tables[1])[1][2:4] == ["70.0 %", "35.0 %"]
    assert search_tables([], "1e-3") == []


def test_the_sentence_says_from_how_many_scores_on_it_does_as_well() -> None:
    assert search_sentences(ROWS, "1e-3") == [
        INTRO,
        "From 99 scores on, dlib and <b>other</b> accept the reconstructions about as often as "
        "those from the templates themselves.",
    ]
    assert search_sentences([], "1e-3") == []
    assert search_sentences([fused(3, 0.5)], "1e-3") == []


def test_a_number_that_does_worse_again_is_not_enough() -> None:
    """Only from the last failure on, whatever the order of the rows."""
    rows = [row(129, 0.9), row(50, 0.9), row(None, 0.9), row(99, 0.5)]
    assert search_sentences(rows, "1e-3")[1].startswith("From 129 scores on, dlib")
    rows = [row(10, 0.2), row(None, 0.9)]
    assert search_sentences(rows, "1e-3")[1] == (
        "No number of scores that was tried does as well with dlib or <b>other</b> as the template."
    )
    rounded = [row(10, 0.9, 2), row(None, 0.9)]
    assert search_sentences(rounded, "1e-3") == [INTRO]
    assert search_sentences([row(10, 0.9), row(None, None)], "1e-3") == [INTRO]
