"""Commands on hostile files: each in a process of its own with little memory and time, forked from
one that has everything imported, so that dozens of them cost seconds.

Run as a script it reads a list of commands from its input and writes how they ended.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tests.audit import tiny

MEMORY = 3 << 30
"""Bytes of address space of a command."""


@dataclass(frozen=True)
class Run:
    """How a command ended.

    Attributes:
        code: of its exit; negative: the signal that ended it.
        out, err: what it printed.
        seconds: by the clock.
        memory: the most bytes that it held.
        left: what it wrote into the folder that it ran in.
    """

    code: int
    out: str
    err: str
    seconds: float
    memory: int
    left: list[str]


def run_all(folder: Path, commands: Sequence[Sequence[str]], seconds: int = 20) -> list[Run]:
    """Run commands one after the other.

    Args:
        folder: empty; each command gets one of its own below it to run in.
        commands: words behind ``faceleak``.
        seconds: after which each is ended.
    """
    order = {"folder": str(folder), "commands": [list(c) for c in commands], "seconds": seconds}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.audit.limited_runs"],
        input=json.dumps(order),
        env={**tiny.environment(folder), "FACELEAK_CACHE_DIR": str(folder / "cache")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [Run(**found) for found in json.loads(done.stdout)]


def _main() -> None:
    order = json.load(sys.stdin)
    from audit import cli, stores_console, stores_tools  # noqa: F401 - for all of them
    from biometrics.stores.base import STORES

    for name in STORES.names():
        STORES.get(name)
    _warm_up(cli.main, Path(order["folder"]))
    found = []
    for number, command in enumerate(order["commands"]):
        folder = Path(order["folder"]) / f"run{number}"
        (folder / "work").mkdir(parents=True)
        found.append(asdict(_run(cli.main, command, folder, order["seconds"])))
    json.dump(found, sys.stdout)


def _warm_up(main: Callable[[list[str]], None], folder: Path) -> None:
    """Import what a command needs on its way, by running one."""
    np.save(folder / "good.npy", np.random.default_rng(0).normal(size=(99, 64)))
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        main(["stores", "inspect", str(folder / "good.npy")])


def _run(main: Callable[[list[str]], None], command: list[str], folder: Path, seconds: int) -> Run:
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _child(main, command, folder)
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() - start > seconds:
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.005)
    return Run(
        os.waitstatus_to_exitcode(status),
        (folder / "out").read_bytes().decode("utf-8", "backslashreplace"),
        (folder / "err").read_bytes().decode("utf-8", "backslashreplace"),
        time.monotonic() - start,
        usage.ru_maxrss << 10,
        sorted(os.listdir(folder / "work")),
    )


def _child(main: Callable[[list[str]], None], command: list[str], folder: Path) -> None:
    code = 99
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        for descriptor, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(folder / "work")
        main(command)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _main()
