"""After a purge no face, template or name is left below a run; the figures are."""

from __future__ import annotations

import io
import json
import re
import shutil
import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from audit import compare, pipeline
from audit import purge as module
from audit.about import LOGO
from audit.config import load_config
from audit.journal import Journal, verify
from audit.outcomes import Outcomes
from audit.pipeline import run_audit
from audit.pseudonyms import pseudonym, salt_file
from audit.purge import KEPT, purge
from audit.run_folder import RunFolder, private_files
from audit.watch import Watch
from biometrics.errors import InputError
from biometrics.faces.landmark_cache import cache_path
from reports.results import load_results
from tests.audit import named, tiny
from tests.audit.conftest import Faceleak

SALT = bytes(range(40))
PICTURES = 2 * (len(named.LEAKED) + len(named.ATTACKERS))


@dataclass(frozen=True)
class Audited:
    """A finished run of people with names: never written to, see :func:`tiny.copy_run`."""

    run: Path
    config: Path
    cache: Path
    said: str


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    home = tmp_path_factory.mktemp("named")
    config, said = named.people(home), io.StringIO()
    (home / "salt").write_bytes(SALT)
    with pytest.MonkeyPatch.context() as patch, salt_file(home / "salt"):
        patch.setenv("FACELEAK_CACHE_DIR", str(home / "cache"))
        run_audit(load_config(config), home / "run", Watch(Console(file=said)))
    return Audited(home / "run", config, home / "cache", said.getvalue())


@pytest.fixture
def run(audited: Audited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, with the cache as it was."""
    shutil.copytree(audited.cache, tmp_path / "cache")
    monkeypatch.setenv("FACELEAK_CACHE_DIR", str(tmp_path / "cache"))
    return tiny.copy_run(audited.run, tmp_path / "run")


def cached() -> int:
    with closing(sqlite3.connect(cache_path())) as db:
        return int(db.execute("SELECT COUNT(*) FROM landmarks").fetchone()[0])


def files(run: Path) -> set[str]:
    return {p.relative_to(run).as_posix() for p in run.rglob("*") if not p.is_dir()}


def check_clean(run: Path) -> None:
    """Nothing but what is known to hold neither face nor template nor name."""
    assert {p.rpartition("/")[2] for p in files(run)} <= KEPT
    assert named.with_a_name(run) == {}
    for path in run.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
        if path.name == "report.html":
            assert "data:image" not in path.read_text()
        if path.name == "outcomes.parquet":
            people = pd.read_parquet(path)["subject"]
            assert people.map(lambda name: bool(re.fullmatch("S-[0-9a-f]{24}", name))).all()


# --- names and pseudonyms


def test_names_are_below_faces_and_templates_and_in_the_split_alone(audited: Audited) -> None:
    found = named.with_a_name(audited.run)
    assert "split.csv" in found, "else this looks for the wrong names"
    allowed = ("faces/", "templates/", "split.csv")
    assert [name for name in found if not name.startswith(allowed)] == []
    assert "embed 40 faces" in audited.said
    assert not any(mark in audited.said.lower() for mark in named.MARKS)
    assert named.with_a_name(audited.cache) == {}
    for stage in ("faces/faces.parquet", "templates/dlib/templates.parquet"):
        names = set(pd.read_parquet(audited.run / stage)["subject_id"])
        assert set(named.LEAKED) <= names


def test_pseudonyms_are_made_with_the_salt_that_was_named(audited: Audited) -> None:
    expected = {pseudonym(name, SALT, "S") for name in named.LEAKED}
    samples = load_results(audited.run).samples
    assert samples
    assert {sample.subject for sample in samples} <= expected
    long = {pseudonym(name, SALT, "S", size=12) for name in named.LEAKED}
    assert set(Outcomes.load(audited.run).people) == long


def test_another_salt_gives_other_pseudonyms(audited: Audited, run: Path, tmp_path: Path) -> None:
    (tmp_path / "salt").write_bytes(SALT[::-1])
    with salt_file(tmp_path / "salt"):
        run_audit(load_config(audited.config), run, Watch.quiet())
    long = {pseudonym(name, SALT[::-1], "S", size=12) for name in named.LEAKED}
    assert set(Outcomes.load(run).people) == long


# --- purge


def test_the_figures_stay_and_nothing_else(run: Path, audited: Audited) -> None:
    before = load_results(run)
    outcomes = (run / "outcomes.parquet").read_bytes()
    table = (run / "results.csv").read_bytes()
    gone = len(files(run) - KEPT)
    done = purge(run)
    assert (done.files, done.cached) == (gone, PICTURES)
    check_clean(run)
    assert files(run) == KEPT - {"compare.yaml", "stress.yaml", "protect.yaml", LOGO}
    assert load_results(run) == before.model_copy(update={"samples": []})
    assert (run / "outcomes.parquet").read_bytes() == outcomes
    assert (run / "results.csv").read_bytes() == table
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["inputs"]
    assert "results" not in manifest
    assert (audited.run / "faces" / "crops.npy").is_file(), "other names of a file stay"
    assert load_results(audited.run) == before


def test_the_journal_says_so_and_holds(run: Path) -> None:
    noted = verify(run).last
    done = purge(run)
    found = verify(run)
    assert (found.broken, found.since(noted)) == (None, 1)
    last = json.loads((run / "journal.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "purged"
    assert last["details"] == {"files": done.files, "cached": done.cached}


def test_a_second_purge_has_nothing_to_do(run: Path) -> None:
    purge(run)
    before = (run / "results.json").read_bytes()
    done = purge(run)
    assert (done.files, done.cached) == (0, 0)
    assert (run / "results.json").read_bytes() == before
    check_clean(run)


def test_the_cache_forgets_these_pictures_and_no_others(run: Path, tmp_path: Path) -> None:
    keys = (run / "faces" / "contents.txt").read_text().split()
    with closing(sqlite3.connect(cache_path())) as db:
        (points,) = db.execute("SELECT points FROM landmarks WHERE sha256=?", keys[:1]).fetchone()
        db.execute("INSERT INTO landmarks VALUES ('other', 1, ?)", (bytes(544),))
        db.commit()
    purge(run)
    assert cached() == 1
    for path in (tmp_path / "cache").iterdir():
        content = path.read_bytes()
        assert points not in content, "nor the bytes of a deleted row"
        assert keys[0].encode() not in content


def test_an_audit_in_that_folder_starts_anew(
    run: Path, audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    purge(run)
    monkeypatch.setattr(pipeline, "check_brought", lambda *_given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_audit(load_config(audited.config), run, Watch.quiet())
    assert (run / "faces" / "crops.npy").is_file()
    events = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    said = [event["event"] for event in events]
    assert said[-5:] == ["purged", "audit started", "stage done", "input read", "audit failed"]
    assert verify(run).broken is None


def test_an_interrupted_run_is_purged_by_the_pictures_it_was_to_read(run: Path) -> None:
    for name in ("results.json", "results.csv", "outcomes.parquet", "faces/contents.txt"):
        (run / name).unlink()
    (run / ".unfinished-faces").mkdir()
    (run / ".unfinished-faces" / "crops.npy").write_bytes(b"x")
    (run / "letter").symlink_to(run.parent / "elsewhere")
    (run.parent / "elsewhere").write_text("mine")
    assert purge(run).cached == PICTURES
    assert cached() == 0
    assert files(run) == {".lock", "audit.yaml", "journal.jsonl", "manifest.json"}
    assert (run.parent / "elsewhere").read_text() == "mine"


def test_damaged_results_go_altogether(run: Path) -> None:
    (run / "results.json").unlink()  # the copy shares the file
    (run / "results.json").write_text('{"note": "Xanthippe Quorn-a"')
    purge(run)
    check_clean(run)
    assert not (run / "results.json").exists()
    assert not (run / "report.html").exists()


def test_a_killed_purge_is_no_run_to_go_on_with(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(_path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "remove", dies)
        with pytest.raises(KeyboardInterrupt):
            purge(run)
    assert "results" not in json.loads((run / "manifest.json").read_text())
    purge(run)
    check_clean(run)


def test_runs_below_a_comparison_are_purged_too(run: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    with RunFolder(both):
        pass
    first, second = tiny.copy_run(run, both / "dlib"), both / "other"
    compare.share_stages(first, second)
    assert (second / "faces" / "crops.npy").samefile(first / "faces" / "crops.npy")
    (both / "formats").mkdir()
    (both / "formats" / "crops.npy").write_bytes(b"x")
    with private_files():
        (both / "compare.yaml").write_text("title: x\n")
    Journal(both).record("comparison started")
    purge(both)
    check_clean(both)
    assert files(both) >= {"compare.yaml", "dlib/results.json", "other/manifest.json"}
    assert (run / "faces" / "crops.npy").is_file()
    assert verify(both).records == 2


def test_what_is_no_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("mine")
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "letter"):
        with pytest.raises(InputError, match=r"is no run of faceleak"):
            purge(path)
    assert (tmp_path / "letter").read_text() == "mine"


# --- the command line


def test_nobody_is_asked_without_a_terminal(
    faceleak: Faceleak, run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACELEAK_CACHE_DIR", str(tmp_path / "cache"))
    ended = faceleak("purge", run)
    assert (ended.code, (run / "faces").is_dir()) == (2, True)
    assert "nobody is there to confirm it; give --yes" in ended.error
    ended = faceleak("purge", run, "--yes")
    assert ended.code == 0, ended.err
    assert f"files removed, {PICTURES} pictures forgotten" in ended.out
    check_clean(run)


@pytest.mark.parametrize("answer", ["n\n", "y\n"])
def test_a_person_is_asked(
    faceleak: Faceleak, run: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return answer

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("typer.confirm", confirmed(answer == "y\n"))
    ended = faceleak("purge", run)
    assert (run / "faces").is_dir() is (answer == "n\n")
    assert ended.code == (0 if answer == "y\n" else 1)


def confirmed(yes: bool) -> object:
    import typer

    def confirm(text: str, *, abort: bool) -> bool:
        assert text.endswith("for good?")
        if not yes and abort:
            raise typer.Abort
        return yes

    return confirm
