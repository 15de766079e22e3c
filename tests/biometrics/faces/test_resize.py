from __future__ import annotations

import numpy as np
import pytest
import torch

from biometrics.faces.resize import from_pixels, resize, to_canonical, to_pixels
from tests.biometrics.faces.drawn import centroid, dot


def test_pixels_survive_the_way_to_floats_and_back() -> None:
    pixels = np.arange(256 * 3, dtype=np.uint32).astype(np.uint8).reshape(1, 16, 16, 3)
    pixels.setflags(write=False)
    images = from_pixels(pixels)
    assert images.shape == (1, 3, 16, 16)
    assert float(images[0, 2, 0, 1]) == pytest.approx(pixels[0, 0, 1, 2] / 255)
    np.testing.assert_array_equal(to_pixels(images.numpy()), pixels)


def test_values_are_rounded_and_clipped() -> None:
    images = np.full((1, 3, 1, 1), 0.5, dtype=np.float32)
    images[0, :, 0, 0] = [-0.1, 1.3, 100.6 / 255]
    np.testing.assert_array_equal(to_pixels(images)[0, 0, 0], [0, 255, 101])


def test_the_canonical_picture_is_rounded_before_it_is_enlarged() -> None:
    # 100.4 and 99.6 both become 100 as a file of that size would hold them; enlarging first would
    # keep them apart.
    images = np.full((1, 3, 8, 8), 100.4 / 255, dtype=np.float32)
    images[:, :, :, 4:] = 99.6 / 255
    assert (to_canonical(images) == 100).all()
    assert to_canonical(images).shape == (1, 224, 224, 3)


def test_canonical_pixels_are_left_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    np.testing.assert_array_equal(to_canonical(pixels), pixels)
    np.testing.assert_array_equal(to_canonical(from_pixels(pixels).numpy()), pixels)


@pytest.mark.parametrize("size", [96, 150, 448])
def test_resizing_keeps_places_and_range(size: int) -> None:
    image = torch.from_numpy(dot(224, 224, 90.0, 140.0, sigma=9)).float()[None, None]
    out = resize(image, size)
    assert out.shape == (1, 1, size, size)
    assert float(out.min()) >= 0
    assert float(out.max()) <= 1
    expected = (np.array([90.0, 140.0]) + 0.5) * size / 224 - 0.5
    np.testing.assert_allclose(centroid(out[0, 0].numpy()), expected, atol=0.02 * size / 96)
