"""The process of its own: whatever kills a parser is one line, and it reaches nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from biometrics.errors import StoreError
from biometrics.stores.limited import run_limited
from biometrics.stores.limits import MIB, Limits
from tests.biometrics.stores import parsers

SMALL = Limits(memory=512 * MIB, seconds=1)


def test_plain_values_cross_both_ways() -> None:
    array = np.arange(6, dtype=">f4").reshape(2, 3)
    given = [None, True, 3, 2.5, "Ünïcode", b"\x00\xff", (1, [2]), {"a": {1: 2}}, {7}]

    *plain, found = run_limited(parsers.echo, *given, array, limits=SMALL)

    assert plain == given
    assert [type(value) for value in plain] == [type(value) for value in given]
    np.testing.assert_array_equal(found, array)
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 1


def test_a_name_with_its_module_will_do() -> None:
    assert run_limited("tests.biometrics.stores.parsers:echo", 1, limits=SMALL) == [1]


def test_the_process_sees_no_secret_no_input_no_file_and_no_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FACELEAK_TEST_PASSWORD", "hunter2")

    seen = run_limited(parsers.surroundings, limits=SMALL)

    assert (seen["folder"], seen["input"], seen["torch"]) == ([], "", False)
    assert "hunter2" not in str(seen)
    assert seen["environment"].keys() <= {
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LC_ALL", "LC_CTYPE",
        "TMPDIR", "LD_LIBRARY_PATH",
    }  # fmt: skip


def test_the_limits_are_set_for_good() -> None:
    hard = run_limited(parsers.caps, limits=SMALL)
    assert hard == {
        "AS": SMALL.memory, "CPU": 1, "NOFILE": 64, "NPROC": 0, "CORE": 0, "FSIZE": SMALL.memory,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parser", "line"),
    [
        (parsers.hog, "needs more than 512 MiB of memory"),
        (parsers.hog_of_numpy, "needs more than 512 MiB of memory"),
        (parsers.spin, "its parser was ended after 1 seconds"),
        (parsers.crash, r"its parser crashed \(SIGSEGV\)"),
        (parsers.abort, r"its parser crashed \(SIGABRT\)"),
        (parsers.leave, r"failed \(status 3\)"),
        (parsers.fail, r"failed \(ValueError\)$"),
        (parsers.refuse, "cannot be read: the third row is damaged"),
        (parsers.give_an_object, "a value of type object is not plain"),
        (parsers.give_too_much, "cannot be read: .*(File too large|MiB of memory)"),
        (parsers.damage_the_answer, "what the parser handed back is damaged"),
    ],
)
def test_whatever_ends_a_parser_is_one_line(parser: Callable[[], object], line: str) -> None:
    with pytest.raises(StoreError, match=line) as caught:
        run_limited(parser, limits=SMALL, what="x.pkl")
    assert "\n" not in str(caught.value)
    assert "Alice" not in str(caught.value)  # the text of a foreign error may hold a name


def test_a_parser_that_waits_is_ended_by_the_clock() -> None:
    start = time.monotonic()
    with pytest.raises(StoreError, match=r"was ended after 0\.3 seconds"):
        run_limited(parsers.wait, limits=Limits(memory=512 * MIB, seconds=0.3))
    assert time.monotonic() - start < 10


def test_no_file_may_grow_past_the_cap(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with pytest.raises(StoreError, match="File too large"):
        run_limited(parsers.write_a_file, str(path), SMALL.memory + 1, limits=SMALL)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run_limited(parsers.echo, b"secret", limits=SMALL)
    with pytest.raises(StoreError):
        run_limited(parsers.crash, limits=SMALL)
    assert os.listdir(tmp_path) == []


def test_a_start_is_cheap() -> None:
    started = os.times()
    run_limited(parsers.echo, limits=SMALL)
    ended = os.times()
    used = ended.children_user + ended.children_system
    assert used - started.children_user - started.children_system < 0.5  # about 0.15 s alone
