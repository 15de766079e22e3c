"""A run that is killed continues where it stopped and ends with the same results."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.audit import tiny
from tests.audit.conftest import Finished
from tests.audit.killing import WITHIN


def stages(run: Path) -> list[str]:
    """All stages in the order in which they are done."""
    return list(json.loads((run / "manifest.json").read_text())["stages"])


def kill_points(run: Path) -> list[tuple[str, str]]:
    """In the order of the work: within every kind of step, and before or after each stage is
    complete, in turn."""
    points: list[tuple[str, str]] = [("before", "manifest.json"), ("before", "audit.yaml")]
    within = {
        "faces": "faces",
        "templates/dlib": "templates",
        "reconstructions/linear": "detection",
        "scores/linear/images": "likeness",
        "attacks/landmark-texture": "training",
        "reconstructions/landmark-texture": "inversion",
    }
    # The controls go through the same code as the attacks: the first of them stands for all.
    tried = [s for s in stages(run) if "/control-" not in s or s.endswith("control-mean")]
    for number, stage in enumerate(tried):
        if stage in within:
            points.append(("within", within[stage]))
        points.append((("before", "after")[number % 2], stage))
    points += [("within", "figures"), ("before", "results.json"), ("after", "results.json")]
    points += [("within", "report"), ("before", "report.html"), ("after", "report.html")]
    assert {place for when, place in points if when == "within"} == set(WITHIN)
    return points


@pytest.fixture(scope="module")
def killed(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run killed at every point, one after the other, then finished; and its log."""
    folder = tmp_path_factory.mktemp("killed")
    out, log, kills = folder / "run", folder / "log", folder / "kills.json"
    kills.write_text(json.dumps(kill_points(finished.path)))
    command = [sys.executable, "-m", "tests.audit.killing", finished.config, out, log, kills]
    done = subprocess.run(
        list(map(str, command)),
        env=tiny.environment(finished.home),
        cwd=tiny.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out, log.read_text().splitlines()


def test_a_run_killed_everywhere_ends_with_the_results_of_one_that_never_stopped(
    finished: Finished, killed: tuple[Path, list[str]]
) -> None:
    out, _ = killed
    assert tiny.without_times(tiny.read(out)) == tiny.without_times(tiny.read(finished.path))


def test_a_killed_run_leaves_no_rubbish(killed: tuple[Path, list[str]], finished: Finished) -> None:
    out, _ = killed
    assert tiny.unfinished(out) == []
    names = [
        sorted(p.relative_to(r).as_posix() for p in r.rglob("*")) for r in (out, finished.path)
    ]
    assert names[0] == names[1]


def test_only_the_stage_that_was_cut_short_is_done_again(
    finished: Finished, killed: tuple[Path, list[str]]
) -> None:
    _, log = killed
    started = Counter(line.split()[1] for line in log if line.startswith("started"))
    expected = Counter(dict.fromkeys(stages(finished.path), 1))
    running = ""
    for line in log:
        word, *rest = line.split()
        if word == "started":
            running = rest[0]
        elif rest[0] == "within" and running and rest[1] not in ("figures", "report"):
            expected[running] += 1
        elif rest[0] == "before" and rest[1] in expected:
            expected[rest[1]] += 1
    assert started == expected
