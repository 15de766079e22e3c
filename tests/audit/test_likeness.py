from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from audit import likeness
from audit.likeness import Likeness, Looks, frechet_estimate, judge_distances, read_looks
from audit.people import People
from audit.run_folder import RunFolder, Stage
from audit.split import Split
from audit.watch import Watch
from biometrics.faces.faceset import FaceSet
from biometrics.metrics.frechet import frechet_distance, gaussian_of
from biometrics.metrics.inception import Inception
from biometrics.metrics.kid import kid
from biometrics.metrics.perceptual import load_lpips
from reports.results import Estimate, FacesSummary, Measured, NotMeasured
from tests.one_thread import one_thread  # noqa: F401
from tests.seeded_weights import WeightsFolder, trunk_state, weights_folder  # noqa: F401

N, LEAKED, SUBJECTS = 10, 8, 4


@pytest.fixture(scope="module")
def people() -> People:
    """Two attacker's faces, then eight leaked ones of four subjects."""
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (N, 28, 28, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    landmarks = rng.uniform(60, 160, (N, 68, 2)).astype(np.float32)
    subjects = ["a", "b", *(f"s{i % SUBJECTS}" for i in range(LEAKED))]
    table = pd.DataFrame({"face_id": [str(i) for i in range(N)], "subject_id": subjects})
    nobody = np.array([], dtype=np.intp)
    split = Split(np.arange(2), nobody, np.arange(2, N), nobody)
    faces = FaceSet(crops, landmarks, table)
    return People(faces, split, "faces", "key", FacesSummary(), {}, generated=True)


def stage_of(folder: Path, crops: NDArray[np.uint8], key: str) -> Stage:
    folder.mkdir()
    np.save(folder / "crops.npy", crops)
    return Stage(folder, key, 0.0, fresh=True)


@pytest.fixture
def made(tmp_path: Path, people: People) -> Stage:
    """Noisy reconstructions at half the size, the last two equal."""
    small = people.faces.crops[people.split.leaked][:, ::2, ::2].astype(float)
    noisy = small + np.random.default_rng(1).normal(0, 30, small.shape)
    noisy[-1] = noisy[-2]
    return stage_of(tmp_path / "made", np.clip(noisy, 0, 255).astype(np.uint8), "made")


def value(estimate: Estimate) -> float:
    assert isinstance(estimate, Measured)
    assert (estimate.low, estimate.n) == (None, 9)
    return estimate.value


def compare(tmp_path: Path, people: People, made: Stage, name: str = "linear") -> Looks:
    with RunFolder(tmp_path / "run") as run:
        return read_looks(Likeness(run, people, Watch.quiet(), seed=3).compare(name, made))


class FakeInception(Inception):
    """Some features that depend on the picture only; counts the pictures."""

    seen = 0

    def __init__(self) -> None: ...

    def features(self, pictures: NDArray[np.uint8], **_: object) -> NDArray[np.float32]:
        FakeInception.seen += len(pictures)
        return pictures[:, ::40, ::40].reshape(len(pictures), -1)[:, :5].astype(np.float32) / 255


def test_without_weights_the_rest_is_measured_and_the_command_is_named(
    tmp_path: Path,
    people: People,
    made: Stage,
    weights_folder: WeightsFolder,  # noqa: F811
) -> None:
    looks = compare(tmp_path, people, made)
    names = ["ms_ssim", "psnr_crop", "psnr_face", "ssim_crop", "ssim_face"]
    assert sorted(looks.images) == names
    assert all(v.shape == (LEAKED,) and np.isfinite(v).all() for v in looks.images.values())
    reasons = {k: v.not_measured for k, v in looks.sets.items() if isinstance(v, NotMeasured)}
    fid = "weights fid-inception missing: faceleak weights pull fid-inception"
    assert reasons == {
        "lpips_alex": "weights alexnet missing: faceleak weights pull alexnet",
        "lpips_vgg": "weights vgg16 missing: faceleak weights pull vgg16",
        "lpips_squeeze": "weights squeezenet1_1 missing: faceleak weights pull squeezenet1_1",
        "fid": fid,
        "kid": fid,
    }
    estimates = looks.estimates(np.arange(LEAKED) % SUBJECTS, 0)
    assert sorted(estimates) == sorted([*names, *reasons])
    found = estimates["ms_ssim"]
    assert isinstance(found, Measured)
    assert found.n == SUBJECTS
    assert found.value == pytest.approx(looks.images["ms_ssim"].mean())


def test_pulled_weights_are_used_and_the_originals_are_computed_once(
    tmp_path: Path,
    people: People,
    made: Stage,
    weights_folder: WeightsFolder,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compare(tmp_path, people, made)
    weights_folder.add("squeezenet1_1", trunk_state("squeezenet1_1", seed=1))
    weights_folder.add("fid-inception", {})
    fake = FakeInception()
    monkeypatch.setattr(likeness, "load_inception", lambda _: fake)
    monkeypatch.setattr(FakeInception, "seen", 0)
    looks = compare(tmp_path, people, made)
    assert FakeInception.seen == LEAKED + LEAKED - 1  # equal reconstructions once
    second = compare(tmp_path, people, replace(made, key="other"), "control:mean")
    assert FakeInception.seen == LEAKED + 2 * (LEAKED - 1)

    originals = people.faces.crops[people.split.leaked]
    crops = likeness.to_canonical(np.load(made.folder / "crops.npy"))
    x, y = fake.features(crops), fake.features(originals)
    assert looks.sets["fid"] == Measured(value=frechet_distance(*map(gaussian_of, (x, y))), n=8)
    expected = kid(x, y, np.arange(LEAKED) % SUBJECTS, seed=3)
    assert looks.sets["kid"] == Measured(**expected._asdict())
    assert "from 8 pictures: below 2,048 it is too high, see KID" in looks.notes["fid"]
    assert "pt_inception" in looks.notes["kid"]
    np.testing.assert_allclose(
        looks.images["lpips_squeeze"], load_lpips("squeeze")(crops, originals), rtol=1e-5
    )
    assert "lpips_squeeze" not in looks.sets
    assert second.sets["kid"] == looks.sets["kid"]
    assert (tmp_path / "run/scores/control-mean/images/sets.json").is_file()


def test_a_slow_measure_is_taken_of_some_subjects_and_says_so(
    tmp_path: Path,
    people: People,
    made: Stage,
    weights_folder: WeightsFolder,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights_folder.add("squeezenet1_1", trunk_state("squeezenet1_1", seed=1))
    monkeypatch.setattr(likeness, "SLOW", {"squeeze": 3})
    looks = compare(tmp_path, people, made)
    index = np.arange(LEAKED) % SUBJECTS
    done = np.flatnonzero(np.isfinite(looks.images["lpips_squeeze"]))
    assert len(done) == len(set(index[done])) == 3
    assert looks.notes["lpips_squeeze"].endswith("; on 3 of 8 pictures")
    found = looks.estimates(index, 0)["lpips_squeeze"]
    assert isinstance(found, Measured)
    assert found.n == 3


def test_the_distance_in_a_judges_space_has_its_name_and_needs_enough_pictures() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 9, 3)).astype(np.float32)
    vectors = {"eye": a, "ear": a, "big": np.zeros((9, 9), np.float32)}
    leaked = {"eye": b, "ear": b, "big": np.zeros((9, 9), np.float32)}
    kinds = {"eye": "cosine", "ear": "l2", "big": "l2"}
    found = judge_distances(vectors, leaked, kinds)  # type: ignore[arg-type]
    assert sorted(found) == ["frechet_big", "frechet_ear", "frechet_eye"]
    assert found["frechet_big"] == NotMeasured(
        not_measured="a 9-D covariance needs 10 pictures, there are 9"
    )
    plain = frechet_distance(gaussian_of(a), gaussian_of(b))
    assert value(found["frechet_ear"]) == pytest.approx(plain)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b)]
    expected = frechet_distance(*(gaussian_of(x) for x in unit))
    assert value(found["frechet_eye"]) == pytest.approx(expected, rel=1e-5)
    assert abs(expected - plain) > 0.1
    assert isinstance(frechet_estimate(a[:1], b[:1]), NotMeasured)
