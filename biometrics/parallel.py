"""A process pool for work that dlib does one picture at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

from biometrics.errors import FaceleakError

Item = TypeVar("Item")
Result = TypeVar("Result")

SMALL = 64
"""Up to this many items the processes would take longer to start than the work."""

CHUNK = 16

AHEAD = 4
"""Chunks a process may be ahead of the caller: finished results wait in memory."""


def default_workers() -> int:
    """As many as the processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int | None = None,
    small: int | None = None,
    chunk: int | None = None,
) -> Iterator[Result]:
    """``map`` over processes, results in the order of the items.

    Memory does not grow with the items: where the caller is slower, the processes wait for it.
    Processes are spawned, not forked: a fork of a process in which torch runs threads can hang.
    ``function`` must be importable (a top-level function or a partial of one). Up to ``small``
    items stay in this process, and a process is handed ``chunk`` at a time: less of both for slow
    work.
    """
    count = default_workers() if workers is None else workers
    chunk = CHUNK if chunk is None else chunk
    if count <= 1 or len(items) <= (SMALL if small is None else small):
        yield from map(function, items)
        return
    try:
        if _kept and workers is None:
            yield from _bounded_map(_kept[-1], function, items, count * AHEAD, chunk)
            return
        with _pool(count) as pool:
            yield from _bounded_map(pool, function, items, count * AHEAD, chunk)
    except BrokenProcessPool as error:
        raise FaceleakError(
            "a worker process died (out of memory, or a script that starts an audit without "
            'the guard if __name__ == "__main__"); finished stages are kept'
        ) from error


@contextmanager
def kept_processes() -> Iterator[None]:
    """Within the block :func:`ordered_map` starts its processes once, for all calls."""
    with _pool(default_workers()) as pool:
        _kept.append(pool)
        try:
            yield
        finally:
            _kept.pop()


_kept: list[ProcessPoolExecutor] = []


def _pool(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"))


def _bounded_map(
    pool: ProcessPoolExecutor,
    function: Callable[[Item], Result],
    items: Sequence[Item],
    limit: int,
    chunk: int,
) -> Iterator[Result]:
    """``pool.map`` with at most ``limit`` chunks under way; that one hands out all at once."""
    waiting: deque[Future[list[Result]]] = deque()
    try:
        for start in range(0, len(items), chunk):
            waiting.append(pool.submit(_map_chunk, function, items[start : start + chunk]))
            if len(waiting) >= limit:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _map_chunk(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [function(item) for item in items]
