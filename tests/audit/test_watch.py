"""Progress: bars on a terminal, plain lines elsewhere, nothing where nobody watches."""

from __future__ import annotations

import os
import re

import pytest
from rich.console import Console

from audit.watch import Watch
from biometrics.errors import InputError


def test_without_a_terminal_a_finished_step_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Watch.on_stderr().task("think", 3) as advance:
        advance(3)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"think \.\.\. \d+\.\d s\n", printed.err)


def test_a_failed_step_is_not_reported_as_finished(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError), Watch.on_stderr().task("think"):
        raise InputError("no")
    assert capsys.readouterr().err == ""


def test_a_quiet_watch_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    watch = Watch.quiet()
    watch.note("hello")
    with watch.task("think", 2) as advance:
        advance(2)
    printed = capsys.readouterr()
    assert printed.out + printed.err == ""


def test_on_a_terminal_steps_within_steps_share_one_display() -> None:
    with open(os.devnull, "w") as nowhere:
        console = Console(file=nowhere, force_terminal=True, width=80, record=True)
        watch = Watch(console)
        with watch.task("outer [a]", 2) as outer:
            with watch.task("inner", None) as inner:
                inner(1)
            outer(2)
        text = console.export_text()
    finished = re.findall(r"(inner|outer \[a\]) \.\.\. \d+\.\d s", text)
    assert finished == ["inner", "outer [a]"]


def test_bytes_are_counted_in_megabytes_towards_a_total_that_comes_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")  # nothing is redrawn on a dumb terminal
    with open(os.devnull, "w") as nowhere:
        console = Console(file=nowhere, force_terminal=True, width=100, record=True)
        watch = Watch(console)
        with watch.task("pull x", in_bytes=True) as step, watch.task("count", 4) as count:
            step.expect(5_000_000)
            step(1_200_000)
            count(3)
            assert watch._bars is not None
            watch._bars.refresh()
            text = console.export_text()
    assert "1.2/5.0 MB" in text
    assert "3/4" in text
