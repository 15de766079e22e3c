"""The tables of requirements: what they must hold, and how a number becomes a status."""

from __future__ import annotations

import datetime
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reports.compliance import clause_of
from reports.compliance.evaluate import decide
from reports.compliance.found import FLATTERED, Evidence
from reports.compliance.model import FORBIDDEN, Limit, Source
from reports.compliance.select import MEASUREMENTS
from reports.compliance.tables import (
    ORDER,
    ComplianceError,
    load_assessment,
    load_source,
    shipped_sources,
)
from reports.results import Measured, NotMeasured

FOLDER = Path(str(files("reports.compliance")))
TABLES = sorted(path.name for path in FOLDER.glob("*.yaml"))
ROWS = [row for source in shipped_sources().values() for row in source.rows]
SOURCES = {
    "iso24745": "ISO/IEC 24745:2022",
    "iso30136": "ISO/IEC 30136:2018",
    "iso19795": "ISO/IEC 19795-1",
    "gdpr": "2016/679",
    "aiact": "2024/1689",
    "bipa": "740 ILCS 14",
    "nist": "SP 800-63B",
}


def number(low: float, high: float, **facts: Any) -> Evidence:
    return Evidence(Measured(value=(low + high) / 2, low=low, high=high, n=100), **facts)


def test_every_table_that_ships_is_read() -> None:
    assert sorted([*(f"{name}.yaml" for name in ORDER), "dpia.yaml"]) == TABLES
    for name, title in SOURCES.items():
        assert title in shipped_sources()[name].source


@pytest.mark.parametrize("name", ORDER)
def test_a_table_is_dated_versioned_and_says_where_its_source_is(name: str) -> None:
    source = shipped_sources()[name]
    assert datetime.date(2026, 11, 1) <= source.date <= datetime.date(2027, 12, 31)
    assert source.version
    assert source.address.startswith("https://")
    assert source.read is not None
    assert source.read.date >= datetime.date(2026, 11, 1)
    assert len(source.rows) >= 3


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_cites_a_clause_only_where_it_was_read(row: Any) -> None:
    source = shipped_sources()[row.id.partition(".")[0]]
    if row.clause:
        assert row.read.startswith("http")
        assert source.read.what == "wording"
    else:
        assert "not read" in f"{source.read.note} {row.asks}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_decides_by_a_number_with_a_reason_or_says_why_there_is_none(row: Any) -> None:
    if row.evidence is None:
        assert row.missing.endswith(".")
        return
    assert row.evidence.measure in MEASUREMENTS
    assert len(row.limit.reason) > 15
    assert len({row.supported, row.contradicted, row.missing}) == 3


@pytest.mark.parametrize("name", TABLES)
def test_no_table_says_what_a_measurement_cannot(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert not re.search("compliant|iapar|certif", text, re.IGNORECASE)
    assert "\u2014" not in text


def table(**row: Any) -> dict[str, Any]:
    plain = yaml.safe_load((FOLDER / "iso24745.yaml").read_text())
    plain["rows"][1].update(row)
    return dict(plain)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"evidence": {"measure": "type3", "judge": "any"}}, "no measure 'type3'; known:"),
        ({"evidence": {"measure": "type2"}}, "'type2' needs judge"),
        ({"evidence": {"measure": "unencrypted", "judge": "own"}}, "has no judge"),
        ({"evidence": {"measure": "unencrypted", "fmr": "1e-3"}}, "knows no fmr"),
        ({"evidence": {"measure": "type2", "judge": "any", "fmr": "0.1"}}, "rows.1.evidence.fmr"),
        ({"limit": {"reason": "none at all"}}, "expected one of at_most and at_least"),
        ({"limit": {"at_most": 0.1, "at_least": 0.1, "reason": "both"}}, "expected one of"),
        ({"limit": {"at_most": 0.1}}, "rows.1.limit.reason"),
        ({"limit": None}, "given together or not at all"),
        ({"supported": None}, "given together or not at all"),
        ({"clause": "5.1"}, "a clause and the address where it was read"),
        ({"clause": "5.1", "read": "https://a.org/b"}, "cites a clause of a text that was not"),
        ({"missing": ""}, "rows.1.missing"),
        ({"claim": "The system is compliant."}, "does not say 'compliant'"),
        ({"claim": "IAPAR is low."}, "does not say 'iapar'"),
        ({"claim": "two\nlines"}, "expected one line"),
        ({"says": "more"}, "rows.1.says: Extra inputs are not permitted"),
        ({"id": "iso24745.confidentiality"}, "two rows are called"),
        ({"id": "gdpr.other"}, "should begin with 'iso24745.'"),
    ],
)
def test_a_wrong_row_is_refused_in_one_line(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "iso24745.yaml"
    path.write_text(yaml.safe_dump(table(**change)))
    with pytest.raises(ComplianceError, match=re.escape(message)) as error:
        load_source(path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("iso24745.yaml: ")


@pytest.mark.parametrize("key", ["date", "version", "published", "address", "read", "note"])
def test_a_source_without_its_facts_is_refused(tmp_path: Path, key: str) -> None:
    plain = table()
    del plain[key]
    path = tmp_path / "iso24745.yaml"
    path.write_text(yaml.safe_dump(plain))
    with pytest.raises(ComplianceError, match=key):
        load_source(path)


def test_fewer_than_three_rows_no_yaml_and_no_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "iso24745.yaml"
    path.write_text(yaml.safe_dump({**table(), "rows": table()["rows"][:2]}))
    with pytest.raises(ComplianceError, match=r"rows: .*at least 3"):
        load_source(path)
    path.write_text("source: [")
    with pytest.raises(ComplianceError, match="not YAML"):
        load_source(path)
    with pytest.raises(ComplianceError, match="cannot be read"):
        load_source(tmp_path / "absent.yaml")
    path.write_text(yaml.safe_dump({"bands": []}))
    with pytest.raises(ComplianceError, match=r"iso24745\.yaml"):
        load_assessment(path)


def expected(low: float, high: float, limit: Limit) -> str:
    """The rule in other words: where do the points of the interval lie?"""
    points = (low, high)
    if limit.at_most is not None:
        beyond = [point > limit.at_most for point in points]
    else:
        assert limit.at_least is not None
        beyond = [point < limit.at_least for point in points]
    if all(beyond):
        return "contradicted by measurement"
    return "not measured" if any(beyond) else "supported by measurement"


GRID = st.integers(0, 20).map(lambda i: i / 20)


@given(ends=st.tuples(GRID, GRID), limit=GRID, least=st.booleans())
def test_the_whole_interval_decides(ends: tuple[float, float], limit: float, least: bool) -> None:
    low, high = sorted(ends)
    kept = Limit(**{"at_least" if least else "at_most": limit, "reason": "a limit"})
    found = decide(kept, [number(low, high)])
    assert found.status == expected(low, high, kept)
    assert found.deciding is not None
    assert (found.status == "not measured") == ("lies within the 95 % interval" in found.reason)


@given(st.lists(st.tuples(GRID, GRID), min_size=1, max_size=6), GRID)
def test_of_several_numbers_one_contradicts_and_all_support(
    ends: list[tuple[float, float]], limit: float
) -> None:
    kept = Limit(at_most=limit, reason="a limit")
    each = [expected(*sorted(pair), kept) for pair in ends]
    found = decide(kept, [number(*sorted(pair)) for pair in ends])
    if "contradicted by measurement" in each:
        assert found.status == "contradicted by measurement"
        assert found.deciding is not None
        assert isinstance(found.deciding.value, Measured)
        assert found.deciding.value.low == max(min(pair) for pair in ends)
    elif set(each) == {"supported by measurement"}:
        assert found.status == "supported by measurement"
    else:
        assert found.status == "not measured"


@given(GRID, GRID)
def test_moving_an_interval_across_the_limit_changes_its_status_in_order(
    width: float, limit: float
) -> None:
    order = ["supported by measurement", "not measured", "contradicted by measurement"]
    kept = Limit(at_most=limit, reason="a limit")
    places = [order.index(decide(kept, [number(i / 20, i / 20 + width)]).status) for i in range(25)]
    assert places == sorted(places)


LIMIT = Limit(at_most=0.05, reason="one in twenty")


def test_what_has_no_interval_decides_nothing_unless_it_was_counted() -> None:
    bare = Evidence(Measured(value=0.9, n=10))
    assert decide(LIMIT, [bare]).status == "not measured"
    assert "no interval" in decide(LIMIT, [bare]).reason
    counted = Evidence(Measured(value=0.9, n=10), counted=True)
    assert decide(LIMIT, [counted]).status == "contradicted by measurement"


def test_a_weak_attack_supports_nothing_but_may_contradict() -> None:
    weak = number(0.0, 0.01, weak="not working: it shows the mean face")
    assert decide(LIMIT, [weak]).status == "not measured"
    assert "it shows the mean face" in decide(LIMIT, [weak]).reason
    assert decide(LIMIT, [weak, number(0.0, 0.02)]).status == "supported by measurement"
    assert decide(LIMIT, [number(0.5, 0.6, weak="quick")]).status == "contradicted by measurement"


def test_everybodys_face_contradicts_nothing() -> None:
    doubtful = number(0.5, 0.6, doubtful=FLATTERED)
    assert decide(LIMIT, [doubtful]).status == "not measured"
    assert "strangers match" in decide(LIMIT, [doubtful]).reason
    assert decide(LIMIT, [number(0.0, 0.01, doubtful=FLATTERED)]).status == (
        "supported by measurement"
    )


def test_what_was_not_measured_says_why() -> None:
    found = decide(LIMIT, [Evidence(NotMeasured(not_measured="too few people"))])
    assert (found.status, found.deciding, found.reason) == ("not measured", None, "too few people")


def test_findings_cite_rows_by_source_clause_and_name() -> None:
    assert clause_of("gdpr.encryption") == "GDPR Art. 32(1)(a): encryption and pseudonymisation"
    assert clause_of("iso24745.irreversibility") == "ISO/IEC 24745: irreversibility"
    with pytest.raises(KeyError):
        clause_of("gdpr.absent")


def test_forbidden_words_are_what_a_measurement_cannot_say() -> None:
    assert {"compliant", "iapar"} <= set(FORBIDDEN)
    assert isinstance(shipped_sources()["gdpr"], Source)
