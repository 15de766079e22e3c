"""The hash-chained record of what was done in a run."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import journal as module
from audit.journal import CUT, GENESIS, JOURNAL, Journal, verify
from audit.run_folder import RunFolder
from biometrics.errors import InputError, OutputError


def made(run: Path, count: int = 5) -> list[bytes]:
    """A journal of some records; its lines."""
    journal = Journal(run, {"faces": "ab12"})
    for number in range(count):
        journal.record("stage done", stage=f"stage {number}", key=str(number))
    return lines(run)


def lines(run: Path) -> list[bytes]:
    return (run / JOURNAL).read_bytes().splitlines(keepends=True)


def rewrite(run: Path, kept: list[bytes]) -> None:
    (run / JOURNAL).write_bytes(b"".join(kept))


def found(run: Path) -> tuple[int, str] | None:
    broken = verify(run).broken
    return None if broken is None else (broken.line, broken.way)


def own_hash(record: dict[str, Any]) -> str:
    """Worked out here once more, from the description alone."""
    text = json.dumps({k: record[k] for k in sorted(record) if k != "hash"}, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def test_each_record_holds_the_hash_of_the_one_before(tmp_path: Path) -> None:
    records = [json.loads(line) for line in made(tmp_path)]
    previous = "0" * 64
    for number, record in enumerate(records):
        keys = {"time", "event", "input", "details", "previous", "hash"}
        assert set(record) == keys
        assert (record["previous"], record["hash"]) == (previous, own_hash(record))
        assert record["input"] == {"faces": "ab12"}
        assert record["details"]["stage"] == f"stage {number}"
        previous = record["hash"]
    checked = verify(tmp_path)
    assert (checked.records, checked.last, checked.broken) == (5, previous, None)


def test_the_journal_is_its_owners(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made(tmp_path, 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / JOURNAL).stat().st_mode) == 0o600


def test_an_edited_line_is_found(tmp_path: Path) -> None:
    kept = made(tmp_path)
    rewrite(tmp_path, [*kept[:2], kept[2].replace(b"stage 2", b"stage 7"), *kept[3:]])
    assert found(tmp_path) == (3, "changed")
    rewrite(tmp_path, [*kept[:4], b"no record\n"])
    assert found(tmp_path) == (5, "changed")
    assert verify(tmp_path).records == 4


def test_a_line_made_again_with_its_hash_breaks_the_next(tmp_path: Path) -> None:
    kept = made(tmp_path)
    forged = json.loads(kept[1])
    forged["details"]["key"] = "other"
    forged["hash"] = own_hash(forged)
    rewrite(tmp_path, [kept[0], json.dumps(forged).encode() + b"\n", *kept[2:]])
    assert found(tmp_path) == (3, "removed")


@pytest.mark.parametrize("gone", [0, 1, 3])
def test_a_removed_line_is_found(tmp_path: Path, gone: int) -> None:
    kept = made(tmp_path)
    rewrite(tmp_path, kept[:gone] + kept[gone + 1 :])
    assert found(tmp_path) == (gone + 1, "removed")


@pytest.mark.parametrize("order", [(0, 2, 1, 3, 4), (1, 0, 2, 3, 4), (0, 1, 1, 2, 3), (0, 1, 0)])
def test_reordered_and_repeated_lines_are_found(tmp_path: Path, order: tuple[int, ...]) -> None:
    kept = made(tmp_path)
    rewrite(tmp_path, [kept[number] for number in order])
    first = next(i for i, number in enumerate(order) if number != i)
    assert found(tmp_path) == (first + 1, "reordered")


def test_a_cut_line_is_found_and_the_next_record_owns_up_to_it(tmp_path: Path) -> None:
    kept = made(tmp_path)
    rewrite(tmp_path, [*kept[:4], kept[4][:-20]])
    assert found(tmp_path) == (5, "cut")
    Journal(tmp_path).record("audit started")
    assert lines(tmp_path)[4] == kept[4][:-20] + b"\n", "what is left of it is not hidden"
    events = [json.loads(line)["event"] for line in lines(tmp_path)[5:]]
    assert events == [CUT, "audit started"]
    checked = verify(tmp_path)
    assert (checked.records, checked.cut, checked.broken) == (6, 1, None)
    rewrite(tmp_path, [*kept[:4], kept[4][:-21] + b"\n", *lines(tmp_path)[5:]])
    assert found(tmp_path) == (5, "changed"), "the note speaks of another fragment"


def test_a_whole_line_that_only_lacks_its_end_is_gone_on_from(tmp_path: Path) -> None:
    kept = made(tmp_path)
    rewrite(tmp_path, [*kept[:4], kept[4][:-1]])
    assert found(tmp_path) is None
    Journal(tmp_path).record("more")
    checked = verify(tmp_path)
    assert (checked.records, checked.cut, checked.broken) == (6, 0, None)


def test_a_damaged_line_is_not_hidden_by_more_records(tmp_path: Path) -> None:
    kept = made(tmp_path)
    rewrite(tmp_path, [*kept[:4], b"no record\n"])
    Journal(tmp_path).record("more")
    assert found(tmp_path) == (5, "changed")


def test_a_tail_that_is_cut_off_is_seen_by_a_noted_hash_alone(tmp_path: Path) -> None:
    kept = made(tmp_path)
    noted = verify(tmp_path).last
    assert verify(tmp_path).since(noted) == 0
    Journal(tmp_path).record("more")
    assert verify(tmp_path).since(noted) == 1
    rewrite(tmp_path, kept[:3])
    assert found(tmp_path) is None
    assert verify(tmp_path).since(noted) is None


def test_vectors_do_not_belong_into_a_journal(tmp_path: Path) -> None:
    for value in ([0.1, 0.2], {"a": 1}, b"x", (1,)):
        with pytest.raises(TypeError, match="'found' is no plain value"):
            Journal(tmp_path).record("x", found=value)  # type: ignore[arg-type]
    assert not (tmp_path / JOURNAL).exists()


def test_a_copy_by_hard_links_has_a_journal_of_its_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    before = made(tmp_path / "one")
    os.link(tmp_path / "one" / JOURNAL, tmp_path / "two" / JOURNAL)
    Journal(tmp_path / "two").record("more")
    assert lines(tmp_path / "one") == before
    assert lines(tmp_path / "two")[:-1] == before
    assert verify(tmp_path / "two").records == 6


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("mine")
    (tmp_path / JOURNAL).symlink_to(tmp_path / "letter")
    with pytest.raises(OutputError, match="cannot write to"):
        Journal(tmp_path).record("x")
    assert (tmp_path / "letter").read_text() == "mine"


def _many(run: Path, count: int) -> None:
    for number in range(count):
        Journal(run).record("x", number=number)


def test_writers_at_the_same_time_make_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_many, args=(tmp_path, 20)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    checked = verify(tmp_path)
    assert (checked.records, checked.broken) == (60, None)


def test_a_failure_is_told_by_its_kind_and_not_by_its_words(tmp_path: Path) -> None:
    with pytest.raises(InputError), Journal(tmp_path).telling("audit", settings="ab"):
        raise InputError("no picture of Jane Doe")
    events = [json.loads(line) for line in lines(tmp_path)]
    assert [(e["event"], e["details"]) for e in events] == [
        ("audit started", {"settings": "ab"}),
        ("audit failed", {"error": "InputError"}),
    ]


def test_stages_are_recorded_when_they_are_done_and_not_when_they_are_found(
    tmp_path: Path,
) -> None:
    def build(folder: Path) -> None:
        (folder / "x").write_text("1")

    with RunFolder(tmp_path / "run") as run:
        stage = run.stage("a/b", {}, build)
    with RunFolder(tmp_path / "run") as run:
        run.stage("a/b", {}, build)
    (record,) = [json.loads(line) for line in lines(tmp_path / "run")]
    assert record["event"] == "stage done"
    assert record["details"] == {"stage": "a/b", "key": stage.key}


def test_no_journal_and_a_giant_one_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"cannot be read: .*; is this a run\?"):
        verify(tmp_path)
    made(tmp_path, 1)
    monkeypatch.setattr(module, "LARGEST", 10)
    with pytest.raises(InputError, match="that is no journal"):
        verify(tmp_path)


def test_an_empty_journal_holds(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).touch()
    assert (verify(tmp_path).records, verify(tmp_path).last) == (0, GENESIS)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    run = tmp_path_factory.mktemp("journal")
    return run, b"".join(made(run, 4))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_every_flipped_byte_is_found(known: tuple[Path, bytes], data: st.DataObject) -> None:
    run, whole = known
    place = data.draw(st.integers(0, len(whole) - 2))  # the last end of a line may be missing
    flipped = bytearray(whole)
    flipped[place] ^= data.draw(st.integers(1, 255))
    rewrite(run, [bytes(flipped)])
    assert verify(run).broken is not None


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_survived(known: tuple[Path, bytes], content: bytes) -> None:
    run, whole = known
    rewrite(run, [whole, content])
    verify(run)
    Journal(run).record("more")
    verify(run)
