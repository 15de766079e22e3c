"""``authorize`` and ``journal verify`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from audit.authorisation import read_form
from audit.journal import Journal
from audit.pseudonyms import pseudonym_salt
from biometrics.errors import InputError
from tests.audit import tiny
from tests.audit.conftest import Faceleak, Finished
from tests.audit.test_cli import stand_in

SALT = bytes(range(20))


def test_authorize_writes_the_form_and_says_what_is_missing(
    faceleak: Faceleak, tmp_path: Path
) -> None:
    np.save(tmp_path / "leaked.npy", np.zeros((2, 4)))
    named = ["--owner", "Us", "--purpose", "a test", "--legal-basis", "ours"]
    argv = ["authorize", tmp_path / "leaked.npy", *named, "--until", "2199-12-31"]
    ended = faceleak(*argv)
    assert (ended.code, ended.out) == (0, f"{tmp_path / 'authorization.yaml'}\n")
    assert ended.err == "fill in authorised_by; then let that person set 'signed: yes'\n"
    form = read_form(tmp_path / "authorization.yaml")
    assert (form.purpose, form.legal_basis, form.valid_until.year) == ("a test", "ours", 2199)
    assert "no untouched form" in faceleak(*argv).error
    assert faceleak(*argv, "-o", "mine.yaml").out == "mine.yaml\n"
    ended = faceleak("authorize", "nothing.npy")
    assert (ended.code, "no such file" in ended.error) == (2, True)


def test_a_journal_is_verified_and_compared_with_a_noted_hash(faceleak: Faceleak) -> None:
    run = Path("run")
    run.mkdir()
    first = Journal(run).record("audit started")
    last = Journal(run).record("audit failed")
    assert faceleak("journal", "verify", "run").out == f"ok: 2 records; last hash {last}\n"
    ended = faceleak("journal", "verify", "run", "--expect", first.upper())
    assert ended.out == f"ok: 2 records, 1 since the hash that was noted; last hash {last}\n"
    ended = faceleak("journal", "verify", "run", "--expect", "0" * 64)
    assert (ended.code, ended.out) == (2, "")
    assert "no record has the hash that was noted" in ended.error
    found = json.loads(faceleak("journal", "verify", "run", "--json").out)
    assert (found["ok"], found["records"], found["last"]) == (True, 2, last)


def test_a_broken_journal_is_one_line_and_exit_2(faceleak: Faceleak) -> None:
    run = Path("run")
    run.mkdir()
    Journal(run).record("audit started")
    path = run / "journal.jsonl"
    path.write_text(path.read_text().replace("started", "failed"))
    ended = faceleak("journal", "verify", "run")
    assert (ended.code, ended.out) == (2, "")
    assert "run/journal.jsonl: line 1 was changed" in ended.error
    ended = faceleak("journal", "verify", "run", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["ok"], found["line"]) == (2, False, 1)
    assert (found["records"], found["problem"]) == (0, "line 1 was changed")
    assert faceleak("journal", "verify", "nothing").code == 2


def events(run: Path) -> list[tuple[str, dict[str, object]]]:
    records = map(json.loads, (run / "journal.jsonl").read_text().splitlines())
    return [(record["event"], record["details"]) for record in records]


def test_an_audit_and_a_report_are_in_the_journal(
    faceleak: Faceleak, finished: Finished, tmp_path: Path
) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    before = events(run)
    names = [event for event, _ in before if event != "stage done"]
    assert names == ["audit started", "input read", "results written", "report rendered"]
    done = [str(details["stage"]) for event, details in before if event == "stage done"]
    assert done == list(json.loads((run / "manifest.json").read_text())["stages"])
    assert before[-1][1] == {"formats": "html,csv,parquet", "revealed": False}
    assert faceleak("report", run, "--reveal").code == 0
    assert events(run)[len(before) :] == [
        ("report rendered", {"formats": "html", "revealed": True})
    ]
    assert events(finished.path) == before, "the copy has a journal of its own"
    assert faceleak("journal", "verify", run).code == 0


@pytest.mark.parametrize("name", ["authorize", "purge", "journal"])
def test_care_is_in_the_list_of_commands(faceleak: Faceleak, name: str) -> None:
    assert f"\n  {name} " in faceleak("--help").out


@pytest.mark.parametrize(
    ("argv", "module", "function"),
    [
        (["demo"], "audit.pipeline", "run_audit"),
        (["audit", "demo"], "audit.pipeline", "run_audit"),
        (["compare", "compare-lfw", "-o", "x"], "audit.compare", "compare"),
    ],
    ids=["demo", "audit", "compare"],
)
def test_the_salt_that_is_named_is_used(
    faceleak: Faceleak,
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    module: str,
    function: str,
) -> None:
    Path("salt").write_bytes(SALT)
    used = []

    def note(*_given: object, **_named: object) -> None:
        used.append(pseudonym_salt())
        raise InputError("enough")

    stand_in(monkeypatch, module, **{function: note})
    assert "enough" in faceleak(*argv, "--salt", "salt").error
    assert "enough" in faceleak(*argv).error
    assert used[0] == SALT != used[1]
