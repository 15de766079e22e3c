"""A whole run on averaged templates, worked out again from what lies in the run's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from audit.stress.config import StressConfig
from audit.stress.enrolled import Person, enrol
from audit.stress.settings import AggregationSettings
from biometrics.templates import TemplateSet
from reports.results import ByFmr, Measured, NotMeasured, Results, StressResult
from tests.audit.stress.small import SUBJECTS, TARGET, rows_of, run_small

SIZES = {"numbers": [1, 2, 3], "clusters": [2], "cluster_from": 2, "probes": 1}
FMR = "1e-2"


@dataclass(frozen=True)
class Finished:
    """A run, and its parts as they lie on disk."""

    results: Results
    folder: Path
    vectors: NDArray[np.float64]
    people: list[Person]

    def row(self, perturbation: str, strength: float | None, attack: str = "") -> StressResult:
        (row,) = rows_of(self.results, perturbation, strength=strength, attack=attack)
        return row

    @property
    def threshold(self) -> float:
        found = self.results.backbones[TARGET].thresholds[FMR]
        assert isinstance(found, float)
        return found

    def made(self, slug: str) -> NDArray[np.float64]:
        """The judge's templates of the reconstructions at length 1, zero where no face is."""
        root = self.folder / TARGET / "stress"
        told = (root / "aggregation" / slug / "linear" / "judged.txt").read_text()
        stage = root / "judged" / told
        vectors = np.load(stage / f"{TARGET}.npy").astype(float)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors[np.isnan(np.load(stage / "redetected.npy")).any(axis=(1, 2))] = 0.0
        return vectors


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("aggregation")
    results = run_small(folder, ["aggregation"], {"aggregation": SIZES, "shown": 2})
    table = pd.read_csv(folder / "split.csv", comment="#", dtype=str)
    people = enrol(
        np.flatnonzero(table["role"] == "leaked"),
        table["subject_id"].to_numpy(dtype=str),
        table["face_id"].to_numpy(dtype=str),
        people=50,
        numbers=(1, 2, 3),
        probes=1,
        seed=7,
    )
    vectors = TemplateSet.load(folder / "templates" / TARGET / "templates.parquet").vectors
    unit = vectors.astype(float) / np.linalg.norm(vectors, axis=1, keepdims=True)
    return Finished(results, folder, unit, people)


def value(rates: ByFmr, label: str = FMR) -> float:
    found = rates[label]
    assert isinstance(found, Measured)
    return found.value


def unit_mean(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    mean = vectors.mean(axis=0)
    return mean / np.linalg.norm(mean)


def test_one_picture_gives_the_clean_numbers_exactly(run: Finished) -> None:
    for attack in ("", "linear"):
        clean, one = run.row("none", None, attack), run.row("average", 1, attack)
        for name in ("type1", "type2", "tmr", "realised_fmr", "tmr_same_fmr", "measures"):
            assert getattr(clean, name) == getattr(one, name), name
        assert value(one.tmr_difference) == 0.0
        assert isinstance(clean.tmr_difference[FMR], NotMeasured)


@pytest.mark.parametrize("number", [1, 2])
def test_recognition_by_brute_force(run: Finished, number: int) -> None:
    """Everybody has three pictures: two to average and one probe."""
    probes = np.stack([run.vectors[p.probes[0]] for p in run.people])
    right, wrong = [], []
    for i, person in enumerate(run.people):
        sets = person.enrolled.reshape(-1, number)
        scores = [probes @ unit_mean(run.vectors[rows]) for rows in sets]
        accepted = np.mean([s >= run.threshold for s in scores], axis=0)
        right.append(accepted[i])
        wrong += np.delete(accepted, i).tolist()
    row = run.row("average", number)
    assert value(row.tmr) == pytest.approx(np.mean(right))
    assert value(row.realised_fmr) == pytest.approx(np.mean(wrong))
    assert row.tmr[FMR].n == SUBJECTS  # type: ignore[union-attr]


@pytest.mark.parametrize(("slug", "number"), [("average-1", 1), ("average-2", 2)])
def test_inversion_by_brute_force(run: Finished, slug: str, number: int) -> None:
    made = iter(run.made(slug))
    type1, type2, failed = [], [], 0
    for person in run.people:
        one, two = [], []
        for rows in person.enrolled.reshape(-1, number):
            face = next(made)
            failed += not face.any()
            one.append(face @ unit_mean(run.vectors[rows]) >= run.threshold)
            two.append(face @ run.vectors[person.probes[0]] >= run.threshold)
        type1.append(np.mean(one))
        type2.append(np.mean(two))
    row = run.row("average", number, "linear")
    assert next(made, None) is None
    assert value(row.type1) == pytest.approx(np.mean(type1))
    assert value(row.type2) == pytest.approx(np.mean(type2))
    assert (row.n_attempts, row.n_failed) == (SUBJECTS * 2 // number, failed)
    clean = run.row("none", None, "linear")
    assert value(row.type2_difference) == pytest.approx(value(row.type2) - value(clean.type2))


def test_two_clusters_of_two_pictures_are_these_pictures(run: Finished) -> None:
    """So the best of them counts, and any of what was made of them may succeed."""
    probes = np.stack([run.vectors[p.probes[0]] for p in run.people])
    made = iter(run.made("centroids-2"))
    best, any1, any2 = [], [], []
    for i, person in enumerate(run.people):
        held = run.vectors[person.enrolled]
        best.append((held @ probes[i]).max() >= run.threshold)
        faces = np.stack([next(made), next(made)])
        any1.append((faces @ held.T).max() >= run.threshold)
        any2.append((faces @ probes[i]).max() >= run.threshold)
    assert value(run.row("centroids", 2).tmr) == pytest.approx(np.mean(best))
    row = run.row("centroids-any", 2, "linear")
    assert value(row.type1) == pytest.approx(np.mean(any1))
    assert value(row.type2) == pytest.approx(np.mean(any2))
    assert row.n_attempts == SUBJECTS
    measures = run.row("centroids", 2).measures
    assert measures["among_templates"] == measures["among_pictures"]
    parts = run.row("random-parts", 2)
    assert parts.tmr == run.row("centroids", 2).tmr, "parts of one picture are the same"
    whole = run.row("centroids", 1)
    assert whole.tmr == run.row("average", 2).tmr, "of all pictures"
    assert value(parts.tmr_difference) == pytest.approx(np.mean(best) - value(whole.tmr))


def test_a_number_that_nobody_reaches_is_not_measured(run: Finished) -> None:
    for attack in ("", "linear"):
        row = run.row("average", 3, attack)
        for rates in (row.tmr, row.type1 or row.tmr, row.type2 or row.tmr):
            found = rates[FMR]
            assert isinstance(found, NotMeasured)
            assert "nobody has 4 pictures, 3 to average and one as a probe" in found.not_measured


def test_averages_are_as_long_as_single_templates_where_length_says_nothing(run: Finished) -> None:
    for number in (1, 2):
        ratio = run.row("average", number).measures["length_ratio"]
        assert isinstance(ratio, Measured)
        assert ratio.value == pytest.approx(1.0, abs=1e-6)


def test_what_is_told_of_reconstructions_and_of_pictures(run: Finished) -> None:
    measures = run.row("average", 2, "linear").measures
    looks = {"yaw", "roll", "mse_to_mean_shape", "mouth_opening"}
    likeness = {"ssim_crop", "ssim_face", "psnr_crop", "psnr_face"}
    assert set(measures) == looks | likeness | {f"pictures_{name}" for name in looks}
    for measure in measures.values():
        assert isinstance(measure, Measured)
        assert measure.n <= SUBJECTS


def test_the_same_people_are_shown_under_every_number(run: Finished) -> None:
    one, two = (run.row("average", n, "linear").samples for n in (1, 2))
    assert len(one) == len(two) == 2
    centroids = run.row("centroids", 2, "linear").samples
    assert len(centroids) == 4, "all that is held of two people"
    for sample in (*one, *two, *centroids):
        for picture in (sample.original, sample.reconstruction):
            assert picture is not None
            assert (run.folder / picture).is_file()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"numbers": [1, 3, 2]}, "ascending"),
        ({"numbers": [0, 1]}, "ascending"),
        ({"clusters": [1, 2]}, "from 2 to cluster_from"),
        ({"clusters": [2, 6], "cluster_from": 5}, r"from 2 to cluster_from \(5\); got \[2, 6\]"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        AggregationSettings.model_validate(given)


@pytest.mark.parametrize(
    ("faces", "families", "most"),
    [
        ({"path": "photos"}, ["aggregation", "damage"], 30),
        ({"path": "photos"}, ["damage"], 0),
        ({"path": "photos", "leak_most_pictured": 7}, ["aggregation"], 7),
        ({"path": "photos", "leak_most_pictured": 0}, ["aggregation"], 30),
        ({"synth": {}}, ["aggregation"], 0),
        ({"attacker": "a", "leaked": "b"}, ["aggregation"], 0),
    ],
)
def test_people_with_many_pictures_leak_where_they_are_averaged(
    faces: dict[str, object], families: list[str], most: int
) -> None:
    stress = {"families": families, "aggregation": {"subjects": 30}}
    config = StressConfig.model_validate({"faces": faces, "stress": stress})
    for audit in config.audits().values():
        assert audit.faces.leak_most_pictured == most


def test_what_is_done_is_not_done_again(run: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("templates were inverted again")

    monkeypatch.setattr("audit.workbench.invert", never)
    sizes = {"aggregation": SIZES, "shown": 2}
    again = run_small(run.folder, ["aggregation"], sizes)
    assert [row.model_dump(exclude={"samples"}) for row in again.stress] == [
        row.model_dump(exclude={"samples"}) for row in run.results.stress
    ]
