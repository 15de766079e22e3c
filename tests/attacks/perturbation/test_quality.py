"""Poor pictures, against SciPy, Pillow and the moments of the noise."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from attacks.perturbation.base import Pictures
from attacks.perturbation.quality import Blur, Grey, Jpeg, LowResolution, Noise
from biometrics.errors import ConfigError
from biometrics.faces.degrade import degrade


def even(level: int, count: int = 1) -> Pictures:
    crops = np.full((count, 224, 224, 3), level, dtype=np.uint8)
    seeds = np.arange(count, dtype=np.uint64)
    return Pictures(crops, np.zeros((count, 68, 2), dtype=np.float32), seeds)


def test_grey_is_the_weighted_sum_in_all_channels(pictures: Pictures) -> None:
    made = Grey().apply(pictures).crops
    luma = pictures.crops @ np.array([0.299, 0.587, 0.114])
    for channel in range(3):
        assert np.abs(made[..., channel] - luma).max() <= 0.51


@pytest.mark.parametrize("sigma", [0.8, 2.0, 5.5])
def test_blur_is_the_gaussian_of_scipy(sigma: float, pictures: Pictures) -> None:
    made = Blur(sigma).apply(pictures).crops
    known = gaussian_filter(
        pictures.crops.astype(np.float64), (0, sigma, sigma, 0), mode="mirror", truncate=4
    )
    assert np.abs(made - known).max() <= 1.5


def test_noise_has_the_deviation_that_was_asked_for() -> None:
    made = Noise(12.0).apply(even(128, 3)).crops.astype(np.float64) - 128
    assert abs(made.mean()) < 0.1
    assert made.std() == pytest.approx(np.hypot(12.0, 12**-0.5), rel=0.005)  # and the rounding
    assert abs(np.corrcoef(made[0].ravel(), made[1].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(made[0, ..., 0].ravel(), made[0, ..., 1].ravel())[0, 1]) < 0.02


def test_stronger_noise_is_the_same_pattern(pictures: Pictures) -> None:
    weak, strong = (Noise(s).apply(even(128)).crops.astype(float) - 128 for s in (4, 16))
    assert np.corrcoef(weak.ravel(), strong.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("level", [0, 255])
def test_noise_stays_in_range(level: int) -> None:
    made = Noise(40.0).apply(even(level)).crops
    assert (made == level).mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("quality", [5, 60])
def test_a_jpeg_is_what_pillow_reads_back(quality: int, pictures: Pictures) -> None:
    for made, crop in zip(Jpeg(quality).apply(pictures).crops, pictures.crops, strict=True):
        file = io.BytesIO()
        Image.fromarray(crop).save(file, "JPEG", quality=quality, subsampling="4:2:0")
        file.seek(0)
        assert np.array_equal(made, np.asarray(Image.open(file)))


def test_a_worse_jpeg_is_further_away(pictures: Pictures) -> None:
    errors = [
        np.square(Jpeg(q).apply(pictures).crops.astype(float) - pictures.crops).mean()
        for q in (5, 20, 60, 95)
    ]
    assert errors == sorted(errors, reverse=True)


def test_few_pixels_are_those_that_a_leak_can_have(pictures: Pictures) -> None:
    known = degrade(pictures.crops, pictures.landmarks, resolution=24)
    assert np.array_equal(LowResolution(24).apply(pictures).crops, known)


@settings(max_examples=15, deadline=None)
@given(level=st.integers(0, 255))
def test_an_even_picture_stays_even(level: int) -> None:
    for perturbation in (Grey(), Blur(3.0), LowResolution(17)):
        assert (perturbation.apply(even(level)).crops == level).all()


@pytest.mark.parametrize("kind", [Jpeg, LowResolution])
def test_half_a_pixel_or_quality_is_refused(kind: type[Jpeg | LowResolution]) -> None:
    with pytest.raises(ConfigError, match=r"expected a whole number \((quality|pixels)\); got 7.5"):
        kind(7.5)
