"""How the benchmarks time: ways of doing one thing, against each other, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


def best_times(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The shortest of ``rounds`` runs of each, taken in turns so that load hits all alike."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return best
