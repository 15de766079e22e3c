from __future__ import annotations

import functools
import os
import time
from pathlib import Path

import pytest

from biometrics import parallel
from biometrics.parallel import SMALL, default_workers, kept_processes, ordered_map


def square_and_process(number: int) -> tuple[int, int]:
    return number**2, os.getpid()


def leave_a_file(path: Path) -> None:
    path.touch()


def divide(number: int, *, by: int) -> float:
    return number / by


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "SMALL", 0)
    monkeypatch.setattr(parallel, "CHUNK", 3)


@pytest.mark.usefixtures("small_chunks")
def test_results_come_in_order_from_other_processes() -> None:
    results = list(ordered_map(square_and_process, range(40), workers=2))
    assert [square for square, _ in results] == [number**2 for number in range(40)]
    assert os.getpid() not in {process for _, process in results}


@pytest.mark.parametrize(("count", "workers"), [(SMALL, 4), (200, 1), (200, 0), (0, None)])
def test_little_work_and_one_worker_stay_in_this_process(count: int, workers: int | None) -> None:
    results = list(ordered_map(square_and_process, range(count), workers=workers))
    assert results == [(number**2, os.getpid()) for number in range(count)]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_reaches_the_caller(workers: int) -> None:
    with pytest.raises(ZeroDivisionError):
        list(ordered_map(functools.partial(divide, by=0), range(6), workers=workers))


def test_results_are_made_as_they_are_asked_for() -> None:
    made = []
    results = ordered_map(made.append, [1, 2, 3], workers=1)
    assert made == []
    next(results)
    assert made == [1]


@pytest.mark.usefixtures("small_chunks")
def test_processes_wait_for_a_slow_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "AHEAD", 2)
    results = ordered_map(leave_a_file, [tmp_path / str(n) for n in range(60)], workers=2)
    next(results)
    most = 2 * 2 * 3  # processes, chunks each, items a chunk
    until = time.monotonic() + 10
    while len(list(tmp_path.iterdir())) < most and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.2)
    assert len(list(tmp_path.iterdir())) == most
    results.close()  # type: ignore[attr-defined]


def test_workers_are_the_processors_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert default_workers() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert default_workers() == 1


def _pid(_item: int) -> int:
    return os.getpid()


def test_kept_processes_serve_every_call_and_end_with_the_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parallel, "default_workers", lambda: 1 + 1)
    items = list(range(SMALL + 1))
    with kept_processes():
        first, second = (set(ordered_map(_pid, items)) for _ in range(2))
        (pool,) = parallel._kept
    assert os.getpid() not in first
    assert len(first | second) <= 2
    assert parallel._kept == []
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(_pid, 0)
