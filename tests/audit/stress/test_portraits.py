"""How frontal and neutral faces are, and how like the person's probes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.stress.portraits import Portraits, frontal_and_neutral
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.faceset import FaceSet
from biometrics.faces.head_pose import generic_face
from biometrics.faces.shipped import shipped_model_path
from biometrics.metrics.image import hull_masks, image_scores

SHAPE = np.asarray(AppearanceModel.load(shipped_model_path()).mean_shape)
POSE = ("yaw", "roll")


def turned(degrees: float) -> np.ndarray:
    """The mean shape turned in its plane about the middle of the crop."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (SHAPE - 111.5) @ turn + 111.5


def test_the_mean_shape_is_frontal_and_like_itself() -> None:
    found = frontal_and_neutral(SHAPE[None], SHAPE)
    assert found["mse_to_mean_shape"].tolist() == [0.0]
    assert found["yaw"][0] < 2.0
    assert found["roll"][0] < 1.0
    assert len(generic_face(SHAPE)) == 13


def test_angles_are_absolute() -> None:
    found = frontal_and_neutral(np.stack([turned(-20), turned(20)]), SHAPE)
    np.testing.assert_allclose(found["roll"], 20.0, atol=1.0)
    mirrored = SHAPE.copy()
    mirrored[27:36, 0] += 12  # the nose to the right of the picture
    other = SHAPE.copy()
    other[27:36, 0] -= 12
    yaw = frontal_and_neutral(np.stack([mirrored, other]), SHAPE)["yaw"]
    assert (yaw > 10).all()


def test_the_distance_and_the_mouth_by_hand() -> None:
    """Everything 3 px to the right and 4 down: (9 + 16) / 2; the lower lip 6 px further down."""
    moved = SHAPE + np.array([3.0, 4.0])
    opened = SHAPE.copy()
    opened[65:68, 1] += 6.0
    closed = SHAPE.copy()
    closed[65:68, 1] = closed[61:64, 1] - 1.0  # lips may not overlap
    found = frontal_and_neutral(np.stack([moved, opened, closed]), SHAPE)
    assert found["mse_to_mean_shape"][0] == pytest.approx(12.5, rel=1e-5)
    gap = found["mouth_opening"]
    assert gap[1] - gap[0] == pytest.approx(6.0, abs=1e-4)
    assert gap[2] == 0.0


def test_without_a_face_there_is_nothing_to_measure() -> None:
    missing = np.full((68, 2), np.nan)
    found = frontal_and_neutral(np.stack([missing, SHAPE]), SHAPE)
    for values in found.values():
        assert np.isnan(values).tolist() == [True, False]
    for values in frontal_and_neutral(missing[None], SHAPE).values():
        assert np.isnan(values).all()


def faces(count: int) -> FaceSet:
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (count, 224, 224, 3)).astype(np.uint8)
    ids = [f"p/{i}" for i in range(count)]
    table = pd.DataFrame({"face_id": ids, "subject_id": ["p"] * count})
    return FaceSet(crops, np.repeat(SHAPE[None].astype(np.float32), count, axis=0), table)


def test_likeness_is_the_mean_over_the_probes_of_each_reconstruction() -> None:
    known = faces(4)
    probes = [np.array([0]), np.array([1, 2, 3]), np.array([3])]
    numbers = Portraits(known, "key", SHAPE, probes).numbers
    made = known.crops[[0, 1, 2]].copy()
    points = np.full((3, 68, 2), np.nan, dtype=np.float32)
    whole = numbers.measure(made, points, slice(0, 3))
    hulls = hull_masks(known.landmarks)
    by_hand = image_scores(made[[1, 1, 1]], known.crops[[1, 2, 3]], hulls[[1, 2, 3]])
    assert whole["ssim_crop"][0] == pytest.approx(1.0)
    assert whole["ssim_face"][1] == pytest.approx(by_hand.ssim_face.mean())
    assert whole["psnr_crop"][1] == pytest.approx(by_hand.psnr_crop.mean())
    for some in (slice(0, 1), slice(1, 3)):
        part = numbers.measure(made[some], points[some], some)
        for name, values in part.items():
            np.testing.assert_array_equal(values, whole[name][some])


def test_what_it_is_compared_with_is_in_the_record() -> None:
    known = faces(3)
    records = [
        dict(Portraits(known, key, shape, [np.array([row])]).numbers.record)
        for key, shape, row in (
            ("a", SHAPE, 0),
            ("b", SHAPE, 0),
            ("a", SHAPE + 1, 0),
            ("a", SHAPE, 1),
        )
    ]
    assert all(one != two for i, one in enumerate(records) for two in records[:i])
