from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from biometrics.faces.faceset import FaceSet
from biometrics.faces.head_pose import FOCAL, POINTS, generic_face, head_pose
from tests.biometrics.faces.drawn import plain_shape

CENTRE = 111.5
angle = st.floats(-25, 25)


def seen(
    yaw: float, pitch: float, roll: float, *, focal: float = FOCAL, shift: float = 0.0
) -> NDArray[np.float64]:
    """Landmarks [1, 68, 2] of the generic face turned and projected by a camera of our own."""
    turn = Rotation.from_euler("ZYX", [roll, -yaw, -pitch], degrees=True)
    face = turn.apply(generic_face(plain_shape())) + np.array([shift, 0, focal])
    landmarks = np.zeros((1, 68, 2))
    landmarks[0, list(POINTS)] = focal * face[:, :2] / face[:, 2:] + CENTRE
    return landmarks


@settings(max_examples=40, deadline=None)
@given(angle, angle, angle)
def test_known_angles_come_back(yaw: float, pitch: float, roll: float) -> None:
    pose = head_pose(seen(yaw, pitch, roll), plain_shape())
    found = [float(a[0]) for a in (pose.yaw, pose.pitch, pose.roll)]
    np.testing.assert_allclose(found, [yaw, pitch, roll], atol=0.5)


def test_the_signs_are_those_of_the_convention() -> None:
    nose, brow = seen(10, 0, 0)[0, 30], seen(0, 0, 0)[0, 30]
    assert nose[0] > brow[0] + 3  # yaw > 0: the nose moves to the right
    assert seen(0, 10, 0)[0, 30, 1] < brow[1] - 3  # pitch > 0: it moves up
    turned = seen(0, 0, 10)[0]
    assert turned[45, 1] > turned[36, 1] + 5  # roll > 0: the eye on the right sinks


def test_the_mean_face_looks_straight_ahead(synthetic: FaceSet) -> None:
    mean = synthetic.landmarks.mean(axis=0)
    pose = head_pose(plain_shape()[None], plain_shape())
    assert max(abs(float(a[0])) for a in (pose.yaw, pose.pitch, pose.roll)) < 0.01
    assert abs(float(head_pose(mean[None], mean).pitch[0])) < 0.1


def test_a_mean_that_looks_aside_does_not_hide_yaw() -> None:
    # Pitch is relative to the mean face, yaw is not: faces are symmetric.
    aside = seen(12, 0, 0)
    assert float(head_pose(aside, aside[0]).yaw[0]) == pytest.approx(12, abs=1.5)
    raised = seen(0, 12, 0)
    assert abs(float(head_pose(raised, raised[0]).pitch[0])) < 0.1


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("angles", [(5, 0, 0), (0, 5, 0), (-10, 5, 2)])
def test_another_focal_length_changes_little(
    factor: float, angles: tuple[float, float, float]
) -> None:
    # The camera that took the picture is closer or further away than the one assumed.
    pose = head_pose(_from(factor * FOCAL, angles), plain_shape())
    found = [float(a[0]) for a in (pose.yaw, pose.pitch, pose.roll)]
    np.testing.assert_allclose(found, angles, atol=1.0)


def _from(focal: float, angles: tuple[float, float, float]) -> NDArray[np.float64]:
    return seen(*angles, focal=focal)


def test_a_face_beside_the_middle_has_the_same_angles() -> None:
    pose = head_pose(seen(8, -6, 3, shift=15), plain_shape())
    assert (float(pose.yaw[0]), float(pose.pitch[0])) == pytest.approx((8, -6), abs=0.5)


def test_no_faces_and_wrong_ones() -> None:
    assert head_pose(np.zeros((0, 68, 2)), plain_shape()).yaw.shape == (0,)
    with pytest.raises(ValueError, match=r"landmarks \[N, 68, 2\], got \[1, 67, 2\]"):
        head_pose(np.zeros((1, 67, 2)), plain_shape())
    with pytest.raises(ValueError, match="finite"):
        head_pose(np.full((1, 68, 2), np.nan), plain_shape())
