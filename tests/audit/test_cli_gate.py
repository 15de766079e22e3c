"""``faceleak gate`` as CI meets it: exit codes, what is printed, what is written."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from audit.gate_files import gate_rules, limits, read_ignored
from biometrics.errors import ConfigError
from reports.gates import GateRules
from reports.results import Finding, save_results
from tests.audit.conftest import Faceleak
from tests.reports import compare_factory, factory, store_factory, stress_factory

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "configs" / "policy" / "gates.yaml"
SCRIPT = '"><script>alert(1)</script>'


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A store's audit: its best attack reaches 70 % at FMR 1e-2 and 49 % at 1e-3."""
    folder = tmp_path / "run"
    findings = [
        Finding(id="store.names", severity="high", title="Names"),
        Finding(id="store.plain", severity="medium", title="Plain"),
    ]
    results = store_factory.results(findings=findings, samples=[], judges_missing={})
    folder.mkdir()
    save_results(results, folder / "results.json")
    return folder


# --- exit codes


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["--max-sar", "0.53@1e-2"], 0),
        (["--max-sar", "0.529@1e-2"], 3),
        (["--max-sar", "0.9@1e-4"], 4),
        (["--max-sar", "0.9@1e-4", "--max-sar", "0.1@1e-2"], 3),
        (["--max-type2", "0.5@1e-2"], 0),
        (["--max-type2", "0.1@1e-3"], 3),
        (["--min-coverage", "0.99"], 0),
        (["--min-coverage", "0.999"], 3),
        (["--fail-on", "critical"], 0),
        (["--fail-on", "high"], 3),
        (["--max-sar", "1@1e-2", "--judge", "dlib"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_the_exit_code_says_what_the_gates_came_to(
    faceleak: Faceleak, run: Path, argv: list[str], code: int
) -> None:
    before = (run / "results.json").read_bytes()
    ended = faceleak("gate", run, *argv)
    assert (ended.code, ended.err) == (code, "")
    assert (run / "results.json").read_bytes() == before
    assert {path.name for path in run.iterdir()} == {"results.json"}, "a gate writes nothing"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "no gate is given"),
        (["--max-sar", "0.05"], "--max-sar takes LIMIT@FMR"),
        (["--max-sar", "5@1e-3"], "with a limit from 0 to 1"),
        (["--max-sar", "nan@1e-3"], "with a limit from 0 to 1"),
        (["--max-type2", "0.05@often"], "--max-type2 takes LIMIT@FMR"),
        (["--max-sar", "0.1@1e-3", "--max-sar", "0.2@0.001"], "FMR 1e-3 is given twice"),
        (["--max-sar", "0.1@1e-5"], "there is 1e-2, 1e-3 and 1e-4"),
        (["--max-sar", "0.1@1e-3", "--judge", "dlip"], "there is dlib"),
        (["--fail-on", "grave"], "fail_on: input should be 'info', 'low'"),
        (["--gates", "nowhere.yaml"], "cannot read nowhere.yaml"),
        (["--fail-on", "high", "--ignore", "nowhere.yaml"], "cannot read nowhere.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_asked_is_one_line(
    faceleak: Faceleak, run: Path, argv: list[str], said: str
) -> None:
    ended = faceleak("gate", run, *argv)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.error


def test_no_run_is_exit_2(faceleak: Faceleak) -> None:
    ended = faceleak("gate", "nothing", "--fail-on", "high")
    assert ended.code == 2
    assert "nothing: cannot be read" in ended.error


@pytest.mark.parametrize(
    ("kind", "code"), [("audit", 0), ("comparison", 4), ("stress", 3)], ids=str
)
def test_other_runs_say_what_they_cannot_decide(
    faceleak: Faceleak, tmp_path: Path, kind: str, code: int
) -> None:
    bad = [Finding(id="s", severity="high", title="Bad")]
    kinds = {
        "audit": factory.results,
        "comparison": compare_factory.document,
        "stress": lambda: stress_factory.document(findings=bad),
    }
    (tmp_path / "other").mkdir()
    save_results(kinds[kind](), tmp_path / "other" / "results.json")
    ended = faceleak("gate", tmp_path / "other", "--max-sar", "1@1e-3", "--fail-on", "high")
    assert ended.code == code
    if code == 4:
        assert "not decided" in ended.out
        assert "nobody drew findings" in ended.out


# --- what is printed


def test_a_small_table_says_what_each_gate_found(faceleak: Faceleak, run: Path) -> None:
    ended = faceleak(
        "gate", run, "--max-sar", "0.2@1e-2", "--max-sar", "0.2@1e-4", "--min-coverage", "0.9"
    )
    lines = [line.rstrip() for line in ended.out.splitlines()]
    assert max(map(len, lines)) <= 80
    assert lines[1].split() == ["gate", "limit", "found"] or lines[0].split()[0] == "gate"
    text = " ".join(ended.out.split())
    assert "failed max-sar@1e-2 at most 20 % 50.0 % (47.0\u201353.0, n = 412)" in text
    assert "landmark-texture by dlib" in text
    assert "not decided max-sar@1e-4 at most 20 % not measured: 210 subject pairs" in text
    assert "passed min-coverage at least 90 %" in text
    assert lines[-1] == "gates: 1 passed, 1 failed, 1 not decided"


def test_json_holds_the_gates_as_results_do(faceleak: Faceleak, run: Path) -> None:
    ended = faceleak("gate", run, "--max-sar", "0.2@1e-2", "--json")
    record = json.loads(ended.out)
    assert (ended.code, record["exit_code"]) == (3, 3)
    (gate,) = record["gates"]
    assert (gate["name"], gate["limit"], gate["passed"]) == ("max-sar@1e-2", 0.2, False)
    assert gate["value"]["n"] == 412
    assert record["accepted"] == record["expired"] == record["unknown"] == []


def test_a_hostile_name_is_text_and_no_command_of_the_terminal(
    faceleak: Faceleak, tmp_path: Path
) -> None:
    name = f"{SCRIPT}[bold]\x1b[31m"
    results = factory.results(attacks=[factory.attack(name, 0.5)], judges_missing={})
    (tmp_path / "r").mkdir()
    save_results(results, tmp_path / "r" / "results.json")
    out = faceleak("gate", tmp_path / "r", "--max-sar", "0.1@1e-2").out
    assert "\x1b" not in out
    assert "[bold]" in out


# --- the files


def test_the_example_is_a_file_of_gates() -> None:
    rules = gate_rules(EXAMPLE, {})
    assert rules == GateRules(
        max_sar={"1e-2": 0.1, "1e-3": 0.05},
        max_type2={"1e-3": 0.05},
        min_coverage=0.95,
        fail_on="high",
    )


def test_what_is_given_wins_over_the_file_limit_by_limit(tmp_path: Path) -> None:
    file = tmp_path / "g.yaml"
    file.write_text("max_sar: {1e-3: 0.05, 0.01: 0.1}\nfail_on: high\njudge: a\n")
    given = {"max_sar": limits("--max-sar", ["0.3@1e-3"]), "max_type2": {}, "judge": "b"}
    assert gate_rules(file, given) == GateRules(
        max_sar={"1e-2": 0.1, "1e-3": 0.3}, fail_on="high", judge="b"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_sars: {1e-3: 0.1}", r"unknown setting 'max_sars'.*did you mean 'max_sar'"),
        ("max_sar: 0.1", "expected limits by FMR"),
        ("max_sar: {often: 0.1}", "expected a false match rate"),
        ("max_sar: {1e-3: 7}", r"max_sar\.1e-3: input should be less than or equal to 1"),
        ("max_sar: {1e-3: 0.1, 0.001: 0.2}", "FMR 1e-3 is given twice"),
        ("min_coverage: much", "min_coverage: input should be a valid number"),
        ("- max_sar", "expected 'key: value' lines"),
        ("max_sar: [", "not valid YAML"),
    ],
)
def test_a_file_of_gates_that_is_none_is_told(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "g.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        gate_rules(file, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("finding: a", "expected a list"),
        ("- a", "entry 1: expected finding, reason, expires"),
        ("- {finding: a, reason: r}", "entry 1: expires is missing"),
        ("- {finding: a, expires: 2026-01-01}", "entry 1: reason is missing"),
        ("- {finding: a, reason: '', expires: 2026-01-01}", "reason"),
        ("- {finding: a, reason: r, expires: soon}", "entry 1: expires"),
        ("- {finding: a, reason: r, expires: 2026-01-01, why: x}", "unknown key 'why'"),
    ],
)
def test_an_ignore_file_that_is_none_is_told(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "i.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_ignored(file)


def test_accepted_findings_stay_visible(faceleak: Faceleak, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "accepted.yaml"
    file.write_text(
        "- {finding: store.names, reason: moved in May, expires: 2999-01-01}\n"
        "- {finding: store.plain, reason: old, expires: 2001-01-01}\n"
        "- {finding: store.gone, reason: mended, expires: 2999-01-01}\n"
    )
    argv = ["gate", run, "--fail-on", "high", "--ignore", file]
    ended = faceleak(*argv)
    assert ended.code == 0
    out = " ".join(ended.out.split())
    assert "accepted store.names (until 2999-01-01): moved in May" in out
    assert "no longer accepted store.plain (expired on 2001-01-01): old" in out
    assert "no finding of this run: store.gone" in out
    assert faceleak("gate", run, "--fail-on", "medium", "--ignore", file).code == 3
    record = json.loads(faceleak(*argv, "--json").out)
    assert [entry["finding"] for entry in record["accepted"]] == ["store.names"]
    assert record["expired"][0] == {
        "finding": "store.plain",
        "reason": "old",
        "expires": "2001-01-01",
    }
    assert record["unknown"][0]["finding"] == "store.gone"


def test_files_for_ci_are_written_where_they_are_wanted(
    faceleak: Faceleak, run: Path, tmp_path: Path
) -> None:
    file = tmp_path / "accepted.yaml"
    file.write_text(f"- finding: store.names\n  reason: '{SCRIPT}'\n  expires: 2999-01-01\n")
    paths = {name: tmp_path / f"out.{name}" for name in ("junit", "sarif", "markdown")}
    options = [word for name, path in paths.items() for word in (f"--{name}", path)]
    ended = faceleak("gate", run, "--max-sar", "0.1@1e-2", "--ignore", file, *options)
    assert ended.code == 3
    root = Xml.parse(paths["junit"]).getroot()
    assert (root.attrib["failures"], root.attrib["skipped"]) == ("1", "1")
    told = json.loads(paths["sarif"].read_text())["runs"][0]["results"]
    (entry,) = [r["suppressions"] for r in told if "suppressions" in r]
    assert entry[0]["justification"].startswith(SCRIPT)
    text = paths["markdown"].read_text()
    assert "<script" not in text
    assert "&#60;script&#62;" in text
    assert not (run / "junit.xml").exists()


# --- report --format


def test_report_writes_every_format_that_is_named_and_no_other(
    faceleak: Faceleak, run: Path
) -> None:
    names = ("sarif", "junit", "markdown", "csv")
    ended = faceleak("report", run, *(word for name in names for word in ("--format", name)))
    assert ended.code == 0
    files = [run / f for f in ("results.sarif", "junit.xml", "summary.md", "results.csv")]
    assert ended.out.split() == [str(file) for file in files]
    assert all(file.is_file() for file in files)
    assert not (run / "report.html").exists()


def test_an_unknown_format_lists_what_there_is(faceleak: Faceleak, run: Path) -> None:
    ended = faceleak("report", run, "--format", "csv", "--format", "sarf")
    assert ended.code == 2
    assert "unknown format 'sarf' (did you mean 'sarif'?); known: csv, html, junit" in ended.error
    assert not (run / "results.csv").exists()
