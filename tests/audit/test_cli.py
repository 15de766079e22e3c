"""The command line: quick help, one line for an error, exit codes, what is printed where."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

import faceleak
from audit import cli
from audit.config import AuditConfig
from audit.console import show_audit
from audit.failures import explain
from audit.watch import Watch
from biometrics.errors import FaceleakError, InputError, OutputError
from reports.results import AttackResult, JudgeResult, Measured, NotMeasured, Provenance, Results

Run = Callable[..., "Ended"]


class Ended:
    """How a command ended."""

    def __init__(self, code: object, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*argv: str) -> Ended:
        with pytest.raises(SystemExit) as ended:
            cli.main(argv)
        printed = capsys.readouterr()
        return Ended(ended.value.code or 0, printed.out, printed.err)

    return call


def stand_in(monkeypatch: pytest.MonkeyPatch, module: str, **functions: object) -> None:
    """Put a module in the place of one that a command imports."""
    fake = ModuleType(module)
    vars(fake).update(functions)
    monkeypatch.setitem(sys.modules, module, fake)


def results() -> Results:
    """A small finished audit: one attack with two judges, one control."""
    wide = Measured(value=0.9912, low=0.981, high=1.0, n=57)
    narrow = Measured(value=0.526, low=0.49, high=0.561, n=57)
    unknown = NotMeasured(not_measured="too few subject pairs for 1e-4")
    own = {"1e-2": wide, "1e-3": narrow, "1e-4": unknown}
    attacks = [
        AttackResult(
            attack=name,
            backbone="dlib",
            knowledge="pairs",
            control=name.startswith("control:"),
            n_attempts=57,
            n_failed=0,
            detection_rate=wide,
            judges={
                "dlib": JudgeResult(unseen=False, type1=own, type2=own),
                "mobilefacenet": JudgeResult(unseen=True, type1=own, type2=own),
            },
        )
        for name in ("control:mean", "landmark-texture")
    ]
    return Results(
        title="t",
        created="2026-01-31T12:00:00Z",
        verdict="An unseen judge accepts 52.6 % of the reconstructions.",
        provenance=Provenance(faceleak="0", python="3", device="cpu", seed=7),
        attacks=attacks,
        judges_missing={"facenet": "weights facenet missing"},
    )


# --- help


@pytest.mark.parametrize(
    "command",
    [
        ["demo"],
        ["audit"],
        ["report"],
        ["backbones"],
        ["faces"],
        ["faces", "align"],
        ["faces", "synth"],
    ],
    ids=" ".join,
)
def test_every_command_has_help(run: Run, command: list[str]) -> None:
    ended = run(*command, "-h")
    assert ended.code == 0
    assert "Usage: faceleak " + " ".join(command) in ended.out


def test_version_has_one_source(run: Run) -> None:
    assert run("--version").out == f"faceleak {faceleak.__version__}\n"


def test_the_public_names_are_all_there() -> None:
    for name in faceleak.__all__:
        assert getattr(faceleak, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        faceleak.nothing  # noqa: B018


# --- errors


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["audit", "nothing"], "error: no configuration 'nothing'"),
        (["audit", "lfw-dlib"], "error: no faces are given: set faces.path"),
        (["demo", "--set", "judge=dlib"], "error: unknown setting 'judge' in --set judge"),
        (["demo", "--set", "seed"], "error: --set takes key.sub=value"),
    ],
)
def test_a_wrong_configuration_is_one_line_and_exit_2(run: Run, argv: list[str], said: str) -> None:
    ended = run(*argv)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith(f"faceleak: {said}")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    "argv",
    [["nonsense"], ["audit", "a", "b"], ["demo", "--nonsense"], ["faces", "synth", "-o", "x"]],
)
def test_wrong_usage_is_exit_2(run: Run, argv: list[str]) -> None:
    ended = run(*argv)
    assert ended.code == 2
    assert "Usage" in ended.err


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (FaceleakError("failed"), "error: failed", 1),
        (InputError("no\n such  folder"), "error: no such folder", 2),
        (OutputError("full"), "error: full", 1),
        (
            OSError(28, "No space left on device", "x.npy"),
            "error: No space left on device: x.npy",
            1,
        ),
        (PermissionError(13, "Permission denied", "runs"), "error: Permission denied: runs", 1),
        (OSError(30, "Read-only file system"), "error: Read-only file system", 1),
        (OSError("odd"), "error: odd", 1),
        (
            ZeroDivisionError("division by zero"),
            "internal error (ZeroDivisionError: division by zero); "
            "run again with --debug to see where",
            1,
        ),
        (KeyboardInterrupt(), "interrupted; give the same command again to go on", 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_whatever_goes_wrong_is_one_line_and_its_exit_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, line: str, code: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    stand_in(monkeypatch, "audit.pipeline", run_audit=fail)
    ended = run("demo")
    assert (ended.code, ended.err, ended.out) == (code, f"faceleak: {line}\n", "")


@pytest.mark.parametrize("argv", [["--debug", "demo"], ["demo", "--debug"]], ids=" ".join)
def test_debug_shows_where_and_keeps_the_exit_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, argv: list[str]
) -> None:
    def fail(*_: object) -> None:
        raise InputError("no such folder")

    stand_in(monkeypatch, "audit.pipeline", run_audit=fail)
    ended = run(*argv)
    assert ended.code == 2
    assert "Traceback" in ended.err
    assert ended.err.endswith("faceleak: error: no such folder\n")


def test_out_of_memory_says_what_to_do() -> None:
    assert "quick=true" in explain(MemoryError()).line


def test_an_absent_run_is_exit_2(run: Run) -> None:
    ended = run("report", "nothing", "--format", "csv")
    assert ended.code == 2
    assert ended.err.startswith("faceleak: error: nothing: cannot be read")


# --- audit and demo


@pytest.fixture
def audited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[AuditConfig, Path]]:
    """What the pipeline was called with; in its place stands one that writes small results."""
    calls: list[tuple[AuditConfig, Path]] = []

    def run_audit(config: AuditConfig, out: Path, watch: Watch) -> Path:
        calls.append((config, out))
        with watch.task("think", 3) as advance:
            advance(3)
        out.mkdir(parents=True)
        path = out / "results.json"
        path.write_text(results().model_dump_json(), encoding="utf-8")
        return path

    stand_in(monkeypatch, "audit.pipeline", run_audit=run_audit)
    return calls


Audited = list[tuple[AuditConfig, Path]]


def test_demo_runs_the_shipped_configuration(run: Run, audited: Audited) -> None:
    ended = run("demo", "--set", "seed=9")
    ((config, out),) = audited
    assert ended.code == 0
    assert (config.faces.synth is not None, config.seed, out) == (True, 9, Path("runs/demo"))


def test_audit_names_its_run_after_the_configuration(run: Run, audited: Audited) -> None:
    run("audit", "lfw-dlib", "--set", "faces.path=photos", "--reveal")
    Path("my.yaml").write_text("faces: {path: x}\n", encoding="utf-8")
    run("audit", "my.yaml")
    run("audit", "my.yaml", "-o", "elsewhere")
    assert [out for _, out in audited] == [
        Path("runs/lfw-dlib"),
        Path("runs/my"),
        Path("elsewhere"),
    ]
    assert [config.output.reveal for config, _ in audited] == [True, False, False]


def test_audit_reads_the_environment(
    run: Run, audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACELEAK_CFG__FACES__PATH", "photos")
    run("audit", "lfw-dlib")
    assert audited[0][0].faces.path == Path("photos")


def test_audit_prints_the_verdict_the_rates_and_the_report(run: Run, audited: Audited) -> None:
    ended = run("demo")
    assert results().verdict in ended.out
    assert "99.1 [98.1-100]" in ended.out
    assert "52.6 [49.0-56.1]" in ended.out
    assert "not measured: too few subject pairs for 1e-4" in ended.out
    assert "judge facenet not measured: weights facenet missing" in ended.out
    assert ended.out.endswith("report: runs/demo/report.html\n")
    assert ended.err.startswith("think ... ")
    assert len(audited) == 1


def test_audit_json_prints_the_results_and_nothing_else(run: Run, audited: Audited) -> None:
    ended = run("demo", "--json")
    assert Results.model_validate_json(ended.out) == results()
    assert len(audited) == 1


def test_no_report_is_promised_where_none_was_asked_for(run: Run, audited: Audited) -> None:
    assert "report.html" not in run("demo", "--set", "output.formats=[json]").out
    assert len(audited) == 1


def test_the_table_fits_80_columns_and_loses_nothing() -> None:
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    show_audit(results(), None, console)
    console.file.close()
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    table = [line.split() for line in lines]
    assert ["judge", "FMR", "1e-2", "FMR", "1e-3", "FMR", "1e-4"] in table
    names = [line[0] for line in table if len(line) == 1]
    assert names == ["landmark-texture", "control:mean"], "attacks first, controls after them"
    cells = ["99.1", "[98.1-100]", "52.6", "[49.0-56.1]", "not", "measured"]
    assert ["mobilefacenet", "Type-I", *cells] in table
    assert ["unseen", "Type-II", *cells] in table
    assert ["attacked", "model", "Type-II", *cells] in table
    assert sum("Type-II" in line for line in table) == 2, "controls are compared by Type-I"


def test_the_grade_is_printed_where_there_is_one(run: Run, audited: Audited) -> None:
    assert "grade" not in run("demo").out
    graded = results().model_copy(update={"grade": "D", "grade_reason": "because"})
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    show_audit(graded, None, console)
    console.file.close()
    assert "grade D: because" in console.export_text()
    assert len(audited) == 1


@pytest.mark.parametrize(("own", "flagged"), [(0.031, True), (0.03, False)])
def test_everybodys_face_is_marked_with_a_star(own: float, flagged: bool) -> None:
    accepted = {"1e-2": Measured(value=0.5, low=0.4, high=0.6, n=57)}
    everybody = {"1e-2": Measured(value=own, low=0.0, high=0.1, n=57)}
    judge = JudgeResult(unseen=True, type1=accepted, type2={}, reconstruction_fmr=everybody)
    row = results().attacks[0].model_copy(update={"judges": {"m": judge}})
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    show_audit(results().model_copy(update={"attacks": [row]}), None, console)
    console.file.close()
    text = console.export_text()
    assert ("50.0 [40.0-60.0]*" in text) is flagged
    assert ("* the same face is accepted as other people too" in text) is flagged


# --- the other commands


def test_backbones_says_what_is_ready_and_what_is_missing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FACELEAK_MOBILEFACENET", raising=False)
    listed: list[dict[str, Any]] = json.loads(run("backbones", "--json").out)
    lines = {line["name"]: line for line in listed}
    assert {"dlib", "mobilefacenet", "eigenfaces"} <= set(lines)
    assert lines["dlib"]["ready"]
    assert (lines["dlib"]["dim"], lines["dlib"]["similarity"]) == (128, "l2")
    assert not lines["mobilefacenet"]["ready"]
    assert "FACELEAK_MOBILEFACENET" in lines["mobilefacenet"]["missing"]
    assert lines["eigenfaces"]["fitted"]
    table = run("backbones").out
    assert "fitted in each audit" in table
    assert all(name in table for name in lines)


def test_report_renders_what_is_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Path, bool]] = []

    def render_report(run: Path, *, reveal: bool) -> Path:
        calls.append((run, reveal))
        return run / "report.html"

    stand_in(monkeypatch, "reports.html", render_report=render_report)
    Path("runs/x").mkdir(parents=True)
    ended = run("report", "runs/x", "--reveal")
    assert (ended.code, ended.out) == (0, "runs/x/report.html\n")
    assert calls == [(Path("runs/x"), True)]


def test_faces_commands_pass_their_options_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []

    def note(*given: object) -> str:
        calls.append(given[:-1])
        assert isinstance(given[-1], Watch)
        return "done"

    stand_in(monkeypatch, "audit.faces_tools", align_folder=note, synthesise=note)
    assert run("faces", "align", "in", "--out", "out").out == "done\n"
    assert run("faces", "synth", "--subjects", "3", "-o", "out", "--sheet", "s.png").out == "done\n"
    assert calls == [(Path("in"), Path("out")), (3, 4, Path("out"), 7, Path("s.png"))]
