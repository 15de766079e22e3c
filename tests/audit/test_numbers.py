"""An oracle: the numbers of results.json again, by plain loops over the run folder's arrays."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from reports.results import load_results
from tests.audit import tiny
from tests.audit.conftest import Finished

ATTACKS = ("linear", "landmark-texture", "control:nearest", "control:mean")
FMR = "1e-2"
EXACT = 1e-12


@dataclass(frozen=True)
class Arrays:
    """What lies in the folder, as lists: one entry for each leaked picture."""

    subjects: list[str]
    leaked: list[list[float]]
    made: list[list[float]]
    found: list[bool]
    threshold: float
    calibration: list[tuple[str, list[float]]]
    score: Callable[[list[float], list[float]], float]


def load(run: Path, attack: str, judge: str = "dlib") -> Arrays:
    place = attack.replace(":", "-")
    with (run / "split.csv").open() as file:
        next(file)
        rows = list(csv.DictReader(file))
    table = pq.read_table(run / "templates" / judge / "templates.parquet").to_pylist()
    assert [row["template_id"] for row in table] == [row["face_id"] for row in rows]
    vectors = [[float(v) for v in row["vector"]] for row in table]

    def having(role: str) -> list[int]:
        return [i for i, row in enumerate(rows) if row["role"] == role]

    backbone = tiny.read(run)["backbones"][judge]
    points = np.load(run / "reconstructions" / place / "redetected.npy").tolist()
    return Arrays(
        subjects=[rows[i]["subject_id"] for i in having("leaked")],
        leaked=[vectors[i] for i in having("leaked")],
        made=np.load(run / "scores" / place / judge / "vectors.npy").astype(float).tolist(),
        found=[all(math.isfinite(x) for xy in face for x in xy) for face in points],
        threshold=backbone["thresholds"][FMR],
        calibration=[(rows[i]["subject_id"], vectors[i]) for i in having("threshold")],
        score=minus_distance if backbone["similarity"] == "l2" else cosine,
    )


def minus_distance(a: list[float], b: list[float]) -> float:
    """As a float32, like every score."""
    return float(np.float32(-math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))))


def cosine(a: list[float], b: list[float]) -> float:
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return float(np.float32(dot / math.hypot(*a) / math.hypot(*b)))


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def over_subjects(outcomes: list[tuple[str, float]]) -> float:
    """Mean within each subject, then over subjects."""
    by_subject = defaultdict(list)
    for subject, outcome in outcomes:
        by_subject[subject].append(outcome)
    return mean([mean(values) for values in by_subject.values()])


def others(a: Arrays, i: int) -> list[int]:
    return [j for j, name in enumerate(a.subjects) if name == a.subjects[i] and j != i]


def type1(a: Arrays) -> float:
    accepted = [
        a.found[i] and a.score(a.made[i], a.leaked[i]) >= a.threshold for i in range(len(a.made))
    ]
    return over_subjects(list(zip(a.subjects, map(float, accepted), strict=True)))


def ignoring_detection(a: Arrays) -> float:
    accepted = [a.score(a.made[i], a.leaked[i]) >= a.threshold for i in range(len(a.made))]
    return over_subjects(list(zip(a.subjects, map(float, accepted), strict=True)))


def type2(a: Arrays) -> float:
    pairs = [(i, j) for i in range(len(a.made)) for j in others(a, i)]
    return over_subjects(
        [
            (a.subjects[i], float(a.found[i] and a.score(a.made[i], a.leaked[j]) >= a.threshold))
            for i, j in pairs
        ]
    )


def type2_reference(a: Arrays) -> float:
    pairs = [(i, j) for i in range(len(a.made)) for j in others(a, i)]
    return over_subjects(
        [(a.subjects[i], float(a.score(a.leaked[i], a.leaked[j]) >= a.threshold)) for i, j in pairs]
    )


def reconstruction_fmr(a: Arrays) -> float:
    """Mean within each ordered pair of different subjects, then over those pairs."""
    cells = defaultdict(list)
    for i, own in enumerate(a.subjects):
        for j, other in enumerate(a.subjects):
            if own != other:
                accepted = a.found[i] and a.score(a.made[i], a.leaked[j]) >= a.threshold
                cells[own, other].append(float(accepted))
    return mean([mean(values) for values in cells.values()])


def rank_at_most(a: Arrays, limit: int) -> float:
    outcomes = []
    for i, own in enumerate(a.subjects):
        best: dict[str, float] = {}
        for j, name in enumerate(a.subjects):
            if j != i:
                best[name] = max(best.get(name, -math.inf), a.score(a.made[i], a.leaked[j]))
        rank = sum(value >= best[own] for value in best.values())
        outcomes.append((own, float(a.found[i] and rank <= limit)))
    return over_subjects(outcomes)


def similarity(a: Arrays) -> float:
    scores = [a.score(m, t) for m, t in zip(a.made, a.leaked, strict=True)]
    return over_subjects(list(zip(a.subjects, scores, strict=True)))


MEASURES: dict[str, Callable[[Arrays], float]] = {
    "type1": type1,
    "type2": type2,
    "type2_reference": type2_reference,
    "reconstruction_fmr": reconstruction_fmr,
    "sar_ignoring_detection": ignoring_detection,
    "rank1": lambda a: rank_at_most(a, 1),
    "rank10": lambda a: rank_at_most(a, 10),
    "similarity": similarity,
}


def check(run: Path, attack: str, judge: str) -> None:
    """Compare every number of one row with the loops."""
    arrays = load(run, attack, judge)
    (row,) = [r for r in tiny.read(run)["attacks"] if r["attack"] == attack]
    known = row["judges"][judge]
    for name, measure in MEASURES.items():
        found: Any = known[name] if "value" in known[name] else known[name][FMR]
        # Sums of a cosine in another order may round to the float32 next to it.
        within = 1e-7 if (name, arrays.score) == ("similarity", cosine) else EXACT
        assert found["value"] == pytest.approx(measure(arrays), abs=within), name
    detected = list(zip(arrays.subjects, map(float, arrays.found), strict=True))
    assert row["detection_rate"]["value"] == pytest.approx(over_subjects(detected), abs=EXACT)
    assert row["n_failed"] == arrays.found.count(False)


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_numbers_follow_from_the_arrays(finished: Finished, attack: str) -> None:
    check(finished.path, attack, "dlib")


def test_the_numbers_are_not_all_alike(finished: Finished) -> None:
    """Else the comparison above would say little."""
    arrays = load(finished.path, "linear")
    values = [measure(arrays) for measure in MEASURES.values()]
    assert len({round(value, 6) for value in values}) >= 4
    assert 0 < type2_reference(arrays) <= 1


def test_the_threshold_is_the_lowest_that_keeps_the_fmr(finished: Finished) -> None:
    """Two pictures of each of 90 people: every comparison has the same weight."""
    a = load(finished.path, "linear")
    scores = sorted(
        (
            a.score(x, y)
            for i, (one, x) in enumerate(a.calibration)
            for other, y in a.calibration[:i]
            if one != other
        ),
        reverse=True,
    )
    allowed = int(1e-2 * len(scores) + 1e-9)
    assert sum(value >= a.threshold for value in scores) <= allowed
    just_below = scores[allowed]
    assert just_below < a.threshold <= scores[allowed - 1]


@pytest.mark.parametrize("attack", ["linear", "control:nearest"])
def test_the_area_beyond_the_threshold_is_the_success_rate(finished: Finished, attack: str) -> None:
    """Histograms count as the rates do: every subject once, undetected attempts never."""
    results = load_results(finished.path)
    histogram = results.histograms["dlib"]
    cut = histogram.thresholds["1e-2"]
    assert isinstance(cut, float)
    judged = next(a for a in results.attacks if a.attack == attack).judges["dlib"]
    for measure in ("type1", "type2"):
        shares = getattr(histogram.attacks[attack], measure)
        certain = sum(s for s, low in zip(shares, histogram.edges, strict=False) if low >= cut)
        possible = sum(s for s, high in zip(shares, histogram.edges[1:], strict=True) if high > cut)
        rate = getattr(judged, measure)["1e-2"].value
        assert certain - 1e-5 <= rate <= possible + 1e-5


REGIONS = {
    "jaw": range(17),
    "brows": range(17, 27),
    "nose": range(27, 36),
    "eyes": range(36, 48),
    "mouth": range(48, 68),
}
"""The 68 points of iBUG 300-W."""


@pytest.mark.parametrize("attack", ATTACKS)
def test_landmark_errors_follow_from_the_arrays(finished: Finished, attack: str) -> None:
    """Errors are of reconstructions with a face; the share of near ones is of all."""
    a = load(finished.path, attack)
    with (finished.path / "split.csv").open() as file:
        next(file)
        leaked = [i for i, row in enumerate(csv.DictReader(file)) if row["role"] == "leaked"]
    true = np.load(finished.path / "faces" / "landmarks.npy").astype(float)[leaked].tolist()
    place = finished.path / "reconstructions" / attack.replace(":", "-")
    points = np.load(place / "redetected.npy").astype(float).tolist()

    def error(i: int, those: range) -> float:
        squares = [
            (x - u) ** 2 for k in those for x, u in zip(points[i][k], true[i][k], strict=True)
        ]
        return mean(squares)

    (row,) = [r for r in tiny.read(finished.path)["attacks"] if r["attack"] == attack]
    found = [i for i, there in enumerate(a.found) if there]
    assert set(row["landmarks"]["regions"]) == set(REGIONS)
    for name, those in {**REGIONS, "all": range(68)}.items():
        expected = over_subjects([(a.subjects[i], error(i, those)) for i in found])
        known = row["landmarks"]["regions"].get(name, row["landmarks"]["mse_redetected"])
        assert known["value"] == pytest.approx(expected, rel=1e-5), name
    near = [
        (name, float(a.found[i] and error(i, range(68)) < 30)) for i, name in enumerate(a.subjects)
    ]
    assert row["landmarks"]["share_near"]["value"] == pytest.approx(over_subjects(near), abs=EXACT)
