"""A parser in a process of its own, with little memory, little time and no way out: for formats
whose files may hurt whatever reads them, and for libraries that were never made for foreign files.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from biometrics.errors import StoreError
from biometrics.stores.limits import Limits
from biometrics.stores.plain_file import Plain, read_plain, write_plain

WALL = 4
"""Seconds on the clock for a second of processor, before a parser that waits is ended."""

_CHILD = Path(__file__).with_name("limited_child.py")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run_limited(
    function: str | Callable[..., Plain], *arguments: Plain, limits: Limits, what: str = "the file"
) -> Plain:
    """What a function of a module gives, called in a fresh process.

    The process has ``limits.memory`` bytes of address space, ``limits.seconds`` of processor and
    four times that by the clock, an empty folder, no input, an empty environment, no further
    processes (unless it runs as root), and may write no file longer than its answer may be, which
    is ``limits.memory`` too. It is not forked from this one, so nothing of this one's memory is in
    it. Its answer is a tree of plain values (:mod:`biometrics.stores.plain_file`), never a pickle.

    Args:
        function: ``module:name``, or a function at the top of a module.
        arguments: plain values; large ones should be files, given by their absolute path.
        limits: caps.
        what: what is parsed, for messages.

    Returns:
        What the function returned, with its arrays read-only and long lists of floats as float64
        arrays.

    Raises:
        StoreError: the function raised, crashed, or reached a limit.
    """
    if not isinstance(function, str):
        function = f"{function.__module__}:{function.__qualname__}"
    with tempfile.TemporaryDirectory(prefix="faceleak-") as folder:  # 0700
        private = Path(folder)
        (private / "empty").mkdir()
        answer = private / "answer"
        write_plain(list(arguments), private / "arguments")
        order = {
            "function": function,
            "arguments": str(private / "arguments"),
            "answer": str(answer),
            "memory": limits.memory,
            "seconds": max(1, math.ceil(limits.seconds)),
            "written": limits.memory,
            "path": [os.path.abspath(path) for path in sys.path],
        }
        status = _run(json.dumps(order), private / "empty", WALL * limits.seconds)
        if status != 0 or not answer.is_file():
            raise StoreError(f"{what} cannot be read: its parser {_ending(status, limits)}")
        found = _answer(answer)
    if "error" in found:
        line = " ".join(str(found["error"]).split())[:500]
        raise StoreError(f"{what} cannot be read: {line}")
    return found["result"]


def _answer(path: Path) -> dict[str, Plain]:
    found = read_plain(path)
    if not isinstance(found, dict) or not found.keys() & {"result", "error"}:
        raise StoreError("what the parser handed back is damaged")
    return found


def _run(order: str, folder: Path, seconds: float) -> int | None:
    """The exit status (negative: the signal); None when the time was used up."""
    environment = dict.fromkeys(_THREADS, "1") | {"LC_ALL": "C.UTF-8", "TMPDIR": str(folder)}
    if "LD_LIBRARY_PATH" in os.environ:  # some installations find their libraries only so
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    with subprocess.Popen(
        [sys.executable, "-I", "-B", str(_CHILD), order],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            return process.wait(seconds)
        except BaseException as error:  # an interrupt too must not leave it behind
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # its group: what it started as well
            if isinstance(error, subprocess.TimeoutExpired):
                return None
            raise


def _ending(status: int | None, limits: Limits) -> str:
    if status is None or status in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"was ended after {limits.seconds:g} seconds"
    if status < 0:
        return f"crashed ({signal.Signals(-status).name})"
    return f"needs more than {limits.memory >> 20:,} MiB of memory, or failed (status {status})"
