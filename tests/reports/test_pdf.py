"""The printed report, by a real browser where there is one, and by stand-ins that misbehave."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reports.html import render_pdf
from reports.pdf import BROWSERS, VARIABLE, PdfError, PrintingError, find_browser, write_pdf
from tests.reports import factory


def stand_in(folder: Path, body: str) -> str:
    """A browser of a few lines; its arguments are in ``"$@"``."""
    path = folder / "browser"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    return str(path)


def test_the_browser_of_the_environment_comes_first(tmp_path: Path) -> None:
    mine = stand_in(tmp_path, "exit 0")
    assert find_browser({VARIABLE: mine, "PATH": os.environ["PATH"]}) == mine
    (tmp_path / BROWSERS[1]).symlink_to(mine)
    assert find_browser({"PATH": str(tmp_path)}) == str(tmp_path / BROWSERS[1])


def test_without_a_browser_one_line_says_what_to_do(tmp_path: Path) -> None:
    for environ in ({"PATH": str(tmp_path)}, {VARIABLE: str(tmp_path / "none")}):
        with pytest.raises(PdfError, match=VARIABLE) as caught:
            find_browser(environ)
        assert caught.value.exit_code == 2
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [("exit 3", "code 3"), ("exit 0", "no PDF"), ("sleep 60 & sleep 60", "longer than 0.5 s")],
)
def test_a_browser_that_fails_is_told_and_leaves_nothing(
    tmp_path: Path, body: str, words: str
) -> None:
    target = tmp_path / "out.pdf"
    start = time.monotonic()
    with pytest.raises(PrintingError, match=words) as caught:
        write_pdf(tmp_path / "page.html", target, stand_in(tmp_path, body), seconds=0.5)
    assert caught.value.exit_code == 1
    assert time.monotonic() - start < 10
    assert not target.exists()


def test_the_browser_gets_a_profile_of_its_own_and_no_network(tmp_path: Path) -> None:
    body = (
        f'for a in "$@"; do echo "$a" >> {tmp_path}/asked; case "$a" in --print-to-pdf=*) '
        'printf "%%PDF-1.4" > "${a#--print-to-pdf=}";; esac; done; '
        f'echo "HOME=$HOME" >> {tmp_path}/asked; env | grep -c SECRET >> {tmp_path}/asked; exit 0'
    )
    (tmp_path / "page.html").write_text("x")
    done = write_pdf(tmp_path / "page.html", tmp_path / "out.pdf", stand_in(tmp_path, body))
    assert stat.S_IMODE(done.stat().st_mode) == 0o600
    asked = (tmp_path / "asked").read_text().splitlines()
    profile = next(a for a in asked if a.startswith("--user-data-dir=")).partition("=")[2]
    home = next(a for a in asked if a.startswith("HOME=")).partition("=")[2]
    assert Path(profile).parent == Path(home)
    assert not Path(home).exists()
    assert {"--headless", "--host-resolver-rules=MAP * ~NOTFOUND"} <= set(asked)
    assert (tmp_path / "page.html").as_uri() in asked


def test_a_real_browser_prints_the_page(tmp_path: Path) -> None:
    try:
        browser = find_browser(os.environ)
    except PdfError as error:
        pytest.skip(str(error))
    run = factory.write_run(tmp_path / "run", factory.results(histograms={}, det={}, samples=[]))
    document = render_pdf(run, browser).read_bytes()
    assert document.startswith(b"%PDF-")
    assert document.rstrip().endswith(b"%%EOF")
    assert {p.name for p in run.iterdir()} == {"results.json", "report.pdf"}


def test_the_command_without_a_browser_ends_with_2(tmp_path: Path) -> None:
    run = factory.write_run(tmp_path / "run", factory.results(samples=[]))
    done = subprocess.run(
        [sys.executable, "-m", "audit.cli", "report", str(run), "--pdf"],
        env={**os.environ, VARIABLE: "/nowhere/chromium"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "/nowhere/chromium" in done.stderr
    assert not (run / "report.html").exists()
