from __future__ import annotations

import numpy as np
import pytest
import torch

import biometrics  # noqa: F401  torchmetrics imports torchvision
from biometrics.metrics.ms_ssim import ms_ssim
from tests.biometrics.metrics.common import Array
from tests.biometrics.metrics.test_image import pictures


def by_torchmetrics(made: Array, true: Array) -> Array:
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    a, b = (torch.from_numpy(x).permute(0, 3, 1, 2).double() / 255 for x in (made, true))
    found: Array = multiscale_structural_similarity_index_measure(
        a, b, data_range=1.0, reduction="none"
    ).numpy()
    return found


@pytest.mark.parametrize("size", [224, 177])
def test_the_value_is_that_of_torchmetrics_in_double_precision(size: int) -> None:
    made, true = pictures(0, 3, size)
    made[2] = 255 - true[2]  # nothing alike: a negative scale counts as 0
    true[1, 40:90] = 200  # flat: a small difference of large numbers
    np.testing.assert_allclose(ms_ssim(made, true), by_torchmetrics(made, true), atol=5e-6)
    assert ms_ssim(made, true)[2] == 0.0
    assert 0.1 < ms_ssim(made, true)[1] < 0.99


def test_dark_pictures_are_judged_on_the_same_scale() -> None:
    made, true = (x // 16 for x in pictures(1, 2))
    np.testing.assert_allclose(ms_ssim(made, true), by_torchmetrics(made, true), atol=5e-6)


def test_equal_pictures_have_one_and_noise_takes_from_it() -> None:
    made, true = pictures(2, 3)
    np.testing.assert_allclose(ms_ssim(true, true), 1.0, atol=1e-6)
    assert (np.diff(ms_ssim(made, true)) < 0).all()  # more noise, less alike


def test_pictures_that_do_not_fit_are_refused() -> None:
    made, true = pictures(3, 1)
    with pytest.raises(ValueError, match="larger than 175 pixels"):
        ms_ssim(made[:, :175], true[:, :175])
    with pytest.raises(ValueError, match="expected uint8, got float64"):
        ms_ssim(made / 255, true)  # type: ignore[arg-type]
