"""Parsers that behave badly, for the tests of the limited process; they run only there."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

from biometrics.errors import StoreError
from biometrics.stores.plain_file import Plain


def echo(*values: Plain) -> Plain:
    return list(values)


def surroundings() -> Plain:
    """What the process sees of the machine."""
    return {
        "environment": dict(os.environ),
        "folder": os.listdir("."),
        "input": sys.stdin.read() if sys.stdin else "",
        "torch": "torch" in sys.modules,
        "arguments": sys.argv[:1],
    }


def caps() -> Plain:
    kinds = ("AS", "CPU", "NOFILE", "NPROC", "CORE", "FSIZE")
    return {kind: resource.getrlimit(getattr(resource, f"RLIMIT_{kind}"))[1] for kind in kinds}


def hog() -> Plain:
    held = []
    while True:
        held.append(bytearray(16 << 20))


def hog_of_numpy() -> Plain:
    return np.ones(1 << 40)


def spin() -> Plain:
    while True:
        pass


def wait() -> Plain:
    time.sleep(60)


def crash() -> Plain:
    return ctypes.string_at(0)


def abort() -> Plain:
    os.abort()


def leave() -> Plain:
    os._exit(3)


def fail() -> Plain:
    raise ValueError("Alice Example cannot be parsed")


def refuse() -> Plain:
    raise StoreError("the third row is damaged")


def give_an_object() -> Plain:
    return [object()]


def give_too_much() -> Plain:
    return [np.zeros(32 << 20, np.uint8)] * 40


def write_a_file(path: str, size: int) -> Plain:
    with Path(path).open("wb") as file:
        return file.truncate(size)


def damage_the_answer() -> Plain:
    """As a parser would that a file has taken over."""
    answer = next(Path("..").glob("arguments")).with_name("answer")
    answer.write_bytes(b"\xff" * 64)
    os._exit(0)
