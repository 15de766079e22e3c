from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, laplace

from biometrics.faces.faceset import FaceSet
from biometrics.faces.quality import BATCH, Quality, measure_quality, sharpness
from biometrics.metrics.image import hull_masks
from tests.biometrics.faces.drawn import plain_shape

LUMA = np.array([0.299, 0.587, 0.114])


def faceset(crops: list[NDArray[np.uint8]], shape: NDArray[np.floating] | None = None) -> FaceSet:
    landmarks = np.repeat((plain_shape() if shape is None else shape)[None], len(crops), axis=0)
    names = [str(i) for i in range(len(crops))]
    table = pd.DataFrame({"face_id": names, "subject_id": names})
    return FaceSet(np.stack(crops), landmarks.astype(np.float32), table)


def measured(*crops: NDArray[np.uint8]) -> Quality:
    return measure_quality(faceset(list(crops)))


@pytest.fixture(scope="module")
def face(drawn_faces: tuple[NDArray[np.uint8], NDArray[np.float32]]) -> NDArray[np.uint8]:
    return drawn_faces[0][0]


def test_grey_and_tinted_pictures_have_no_colour(face: NDArray[np.uint8]) -> None:
    grey = (face @ LUMA)[..., None]
    tinted = np.rint(grey * np.array([1.0, 0.8, 0.6])).astype(np.uint8)
    plain = np.rint(grey).astype(np.uint8).repeat(3, axis=2)
    colour = measured(face, plain, tinted).colour
    assert colour[0] > 8
    assert colour[1] < 0.01
    assert colour[2] < 0.6  # rounding


def test_colour_is_what_a_line_in_the_brightness_leaves(face: NDArray[np.uint8]) -> None:
    pixels = face[::4, ::4].reshape(-1, 3).astype(float)
    brightness = pixels @ LUMA
    rests = []
    for channel in (0, 2):
        difference = pixels[:, channel] - pixels[:, 1]
        line = np.polynomial.Polynomial.fit(brightness, difference, 1)
        rests.append((difference - line(brightness)).std())
    assert measured(face).colour[0] == pytest.approx(max(rests), rel=1e-3)


def test_sharpness_is_the_variance_of_scipys_laplacian(face: NDArray[np.uint8]) -> None:
    grey = face @ LUMA
    inside = hull_masks(plain_shape()[None])[0]
    expected = laplace(grey, mode="nearest")[inside].var()
    assert measured(face).sharpness[0] == pytest.approx(expected, rel=1e-3)


def test_sharpness_alone_is_that_of_all_measures(face: NDArray[np.uint8]) -> None:
    faces = faceset([face, face[::-1].copy()])
    alone = sharpness(faces.crops, faces.landmarks)
    assert np.array_equal(alone, measure_quality(faces).sharpness)


def test_blur_lowers_sharpness() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3)).astype(np.uint8)
    crops = [noise] + [gaussian_filter(noise, (s, s, 0)) for s in (0.7, 1.5, 3.0)]
    assert (np.diff(measured(*crops).sharpness) < 0).all()


def test_a_line_across_the_bridge_of_the_nose_is_seen(face: NDArray[np.uint8]) -> None:
    x, y = plain_shape()[27].astype(int)
    line, below = face.copy(), face.copy()
    line[y + 4 : y + 7, x - 15 : x + 16] = 10
    below[y + 60 : y + 63, x - 15 : x + 16] = 10
    edge = measured(face, line, below).bridge_edge
    assert edge[1] > edge[0] + 0.5
    assert edge[2] == pytest.approx(edge[0], rel=0.2)  # by the contrast alone


def test_a_forehead_of_another_colour_is_seen() -> None:
    skin = np.full((224, 224, 3), (200, 150, 120), dtype=np.uint8)
    hat = skin.copy()
    hat[:75] = (20, 30, 90)
    far = measured(skin, hat).forehead
    assert far[0] == pytest.approx(0, abs=0.01)
    assert far[1] == pytest.approx(np.linalg.norm([180, 120, 30]), rel=0.01)


def expression(shape: NDArray[np.floating]) -> dict[str, float]:
    q = measure_quality(faceset([np.zeros((224, 224, 3), np.uint8)], shape))
    names = ("mouth_opening", "mouth_width", "mouth_lift", "eye_opening")
    return {name: float(getattr(q, name)[0]) for name in names}


def test_expressions_follow_the_landmarks() -> None:
    before = expression(plain_shape())
    opened, smiling, shut = plain_shape(), plain_shape(), plain_shape()
    opened[[65, 66, 67], 1] += 11
    smiling[48] += (-5.5, -11)
    smiling[54] += (5.5, -11)
    for top, bottom in ((37, 41), (38, 40), (43, 47), (44, 46)):
        shut[bottom] = shut[top] = (shut[top] + shut[bottom]) / 2
    assert expression(opened)["mouth_opening"] == pytest.approx(
        before["mouth_opening"] + 0.2, abs=0.02
    )
    smile = expression(smiling)
    assert smile["mouth_width"] == pytest.approx(before["mouth_width"] + 0.2, abs=1e-3)
    assert smile["mouth_lift"] == pytest.approx(before["mouth_lift"] + 0.2, abs=1e-3)
    assert expression(shut)["eye_opening"] == pytest.approx(0, abs=1e-6)
    assert before["eye_opening"] > 0.2


def test_expressions_do_not_depend_on_size_or_turn() -> None:
    turn = 0.8 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    turned = expression((plain_shape() - 112) @ turn.T + 112)
    before = expression(plain_shape())
    assert turned == {name: pytest.approx(value, abs=1e-4) for name, value in before.items()}


def test_patches_turn_and_grow_with_the_face() -> None:
    # A picture and its landmarks turned by 90 degrees have the same measures.
    picture = gaussian_filter(np.random.default_rng(1).random((224, 224, 3)) * 255, (4, 4, 0))
    picture = np.clip(128 + 8 * (picture - picture.mean()), 0, 255).astype(np.uint8)
    upright = measure_quality(faceset([picture]))
    shape = np.stack([plain_shape()[:, 1], 223 - plain_shape()[:, 0]], axis=1)
    turned = measure_quality(faceset([np.rot90(picture).copy()], shape))
    for name in ("bridge_edge", "forehead", "sharpness"):
        assert getattr(turned, name)[0] == pytest.approx(getattr(upright, name)[0], rel=0.02)


def test_batches_do_not_matter(synthetic: FaceSet) -> None:
    many = synthetic.take(np.arange(BATCH + 3) % len(synthetic))
    seen: list[int] = []
    whole = measure_quality(many, advance=seen.append)
    last = measure_quality(many.take([BATCH + 1]))
    assert seen == [BATCH, 3]
    for field in dataclasses.fields(Quality):
        values = getattr(whole, field.name)
        assert (values.shape, values.dtype) == ((BATCH + 3,), np.float64)
        assert values[BATCH + 1] == pytest.approx(getattr(last, field.name)[0], rel=1e-4)
