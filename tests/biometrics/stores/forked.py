"""A quick stand-in for the limited process where a test needs hundreds of them: a fork, which has
this process's memory and no limits, but may crash alone."""

from __future__ import annotations

import faulthandler
import json
import os
import warnings
from collections.abc import Callable
from typing import Any

from biometrics.errors import StoreError


def run_forked(function: Callable[..., Any], *arguments: Any, limits: object, what: str) -> Any:
    """What the function returns, as JSON would have it."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if child == 0:
        code = 1
        try:
            faulthandler.disable()
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 2)  # what a library says when it aborts
            os.write(writing, json.dumps(function(*arguments)).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise StoreError(f"{what} could not be parsed")
    return json.loads(answer)
