"""Covered and coarse pictures, against loops over pixels and Pillow's resizing."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from biometrics.faces import degrade as module
from biometrics.faces.degrade import GREY, Occlusion, blocks, degrade
from biometrics.faces.geometry import CROP_SIZE
from tests.biometrics.faces.drawn import plain_shape

Faces = tuple[NDArray[np.uint8], NDArray[np.float32]]
PARTS = {"eyes": range(36, 48), "mouth": range(48, 68)}


def by_loop(shape: NDArray[np.float32], part: str) -> NDArray[np.bool_]:
    """The block pixel by pixel."""
    left, right = (shape[list(eye)].mean(axis=0) for eye in (range(36, 42), range(42, 48)))
    margin = 0.25 * float(np.hypot(*(right - left)))
    points = shape[list(PARTS[part])]
    (x0, y0), (x1, y1) = points.min(axis=0) - margin, points.max(axis=0) + margin
    mask = np.zeros((224, 224), dtype=bool)
    for y in range(224):
        for x in range(224):
            mask[y, x] = x0 <= x <= x1 and y0 <= y <= y1
    return mask


@pytest.mark.parametrize("part", ["eyes", "mouth"])
def test_blocks_are_where_a_loop_over_pixels_puts_them(part: str) -> None:
    shape = plain_shape()
    both = np.stack([shape, shape * 0.7 + np.array([31.3, -12.6], dtype=np.float32)])
    found = blocks(both, part)  # type: ignore[arg-type]
    for mask, landmarks in zip(found, both, strict=True):
        assert np.array_equal(mask, by_loop(landmarks, part))
        assert mask.any()


def test_the_block_covers_its_part_and_spares_the_other(drawn_faces: Faces) -> None:
    _, landmarks = drawn_faces
    points = np.rint(landmarks).astype(int).clip(0, 223)
    for part, other in (("eyes", "mouth"), ("mouth", "eyes")):
        covered = blocks(landmarks, part)  # type: ignore[arg-type]
        for mask, shape in zip(covered, points, strict=True):
            own, spared = shape[list(PARTS[part])], shape[list(PARTS[other])]
            assert mask[own[:, 1], own[:, 0]].all()
            assert not mask[spared[:, 1], spared[:, 0]].any()


@pytest.mark.parametrize("part", ["eyes", "mouth"])
def test_inside_is_grey_and_outside_is_as_it_was(drawn_faces: Faces, part: Occlusion) -> None:
    crops, landmarks = drawn_faces
    made = degrade(crops, landmarks, occlude=part)
    covered = blocks(landmarks, part)  # type: ignore[arg-type]
    assert (made[covered] == 128).all()  # mid-grey
    assert np.array_equal(made[~covered], crops[~covered])


def test_nothing_changes_where_nothing_is_asked_for(drawn_faces: Faces) -> None:
    crops, landmarks = drawn_faces
    for made in (degrade(crops, landmarks), degrade(crops, landmarks, resolution=224)):
        assert made is not crops
        assert np.array_equal(made, crops)


def by_pillow(crop: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """A picture [S, S, 3] at another side, each channel as floats: Pillow's resizing of bytes
    rounds between rows and columns."""

    def resized(channel: NDArray[np.uint8]) -> NDArray[np.float32]:
        picture = Image.fromarray(channel.astype(np.float32))
        return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))

    channels = [resized(crop[..., channel]) for channel in range(3)]
    return np.rint(np.clip(np.stack(channels, axis=-1), 0, 255))


@pytest.mark.parametrize("side", [12, 32, 100])
def test_a_coarse_picture_is_the_one_that_pillow_makes(drawn_faces: Faces, side: int) -> None:
    crops, landmarks = drawn_faces
    made = degrade(crops, landmarks, resolution=side)
    for ours, crop in zip(made, crops, strict=True):
        apart = np.abs(ours - by_pillow(by_pillow(crop, side).astype(np.uint8), CROP_SIZE))
        assert apart.max() <= 2  # a rounding that fell the other way in the small picture
        assert apart.mean() < 0.02


def test_the_camera_sees_the_block() -> None:
    crops = np.full((1, 224, 224, 3), 255, dtype=np.uint8)
    shape = plain_shape()[None]
    made = degrade(crops, shape, occlude="eyes", resolution=16)
    first = degrade(degrade(crops, shape, occlude="eyes"), shape, resolution=16)
    assert np.array_equal(made, first)
    covered = blocks(shape, "eyes")
    assert (made[covered] != GREY).any()  # its edges are blurred


@settings(max_examples=20, deadline=None)
@given(level=st.integers(0, 255), side=st.integers(1, 224))
def test_an_even_picture_stays_even(level: int, side: int) -> None:
    crops = np.full((1, 224, 224, 3), level, dtype=np.uint8)
    assert np.array_equal(degrade(crops, plain_shape()[None], resolution=side), crops)


def test_batches_do_not_show(drawn_faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    crops, landmarks = drawn_faces
    crops.flags.writeable = False
    whole = degrade(crops, landmarks, occlude="mouth", resolution=40)
    monkeypatch.setattr(module, "BATCH", 3)
    assert np.array_equal(degrade(crops, landmarks, occlude="mouth", resolution=40), whole)
    assert degrade(crops[:0], landmarks[:0], resolution=40).shape == (0, 224, 224, 3)


def test_what_does_not_fit_is_refused(drawn_faces: Faces) -> None:
    crops, landmarks = drawn_faces
    with pytest.raises(ValueError, match=r"expected crops \[N, 224.*got \[8, 224.*\[7, 68, 2\]"):
        degrade(crops, landmarks[:7])
    for side in (0, 225):
        with pytest.raises(ValueError, match=f"between 1 and 224, got {side}"):
            degrade(crops, landmarks, resolution=side)


def test_the_parts_that_can_be_covered() -> None:
    assert get_args(Occlusion) == ("none", "eyes", "mouth")
