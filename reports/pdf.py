"""report.pdf: the page as an installed Chromium prints it.

The browser gets a profile of its own that is deleted afterwards, no network, and a time limit. The
page itself runs nothing, so there is nothing to wait for.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from reports.files import write_private

PDF_NAME = "report.pdf"
VARIABLE = "FACELEAK_CHROMIUM"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 120.0
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pdf-header-footer",
    # No name is resolved and no address reached, whatever the page or the browser asks for.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=http://127.0.0.1:9",
)


class PdfError(Exception):
    """There is no PDF; the message is one readable line."""

    exit_code = 2


class PrintingError(PdfError):
    """The browser is there and failed."""

    exit_code = 1


def find_browser(environ: Mapping[str, str]) -> str:
    """The browser that the environment names, else the first that is installed."""
    named = environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise PdfError(f"{VARIABLE}={named}: no such program; name an installed Chromium")
        return found
    for name in BROWSERS:
        if found := shutil.which(name, path=environ.get("PATH")):
            return found
    raise PdfError(
        f"a PDF needs an installed Chromium, and there is none of {', '.join(BROWSERS)}: install "
        f"one, set {VARIABLE} to its path, or print report.html from any browser"
    )


def write_pdf(page: Path, target: Path, browser: str, *, seconds: float = SECONDS) -> Path:
    """Print the file ``page`` to ``target`` (0600, in one step).

    Raises PrintingError where the browser fails or takes longer than ``seconds``.
    """
    with tempfile.TemporaryDirectory(prefix="faceleak-pdf-", ignore_cleanup_errors=True) as folder:
        made = Path(folder, PDF_NAME)
        command = [browser, *_FLAGS, *_as_root(), f"--user-data-dir={Path(folder, 'profile')}"]
        _run([*command, f"--print-to-pdf={made}", page.resolve().as_uri()], folder, seconds)
        document = made.read_bytes() if made.is_file() else b""
        if not document.startswith(b"%PDF-"):
            raise PrintingError(f"{browser} wrote no PDF; try it by hand on {page}")
        write_private(target, document)
    return target


def _as_root() -> tuple[str, ...]:
    # Chromium refuses to start as root with its sandbox; the page runs no script.
    return ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()


def _run(command: list[str], home: str, seconds: float) -> None:
    """A browser is many processes: all of them end with the first one."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    process = subprocess.Popen(
        command,
        env={**kept, "HOME": home, "TMPDIR": home},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired as error:
        raise PrintingError(f"{command[0]} took longer than {seconds:g} s to print") from error
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if code != 0:
        raise PrintingError(f"{command[0]} ended with code {code} and wrote no PDF")
