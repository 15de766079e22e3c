from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.spatial import ConvexHull, Delaunay
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from biometrics.metrics.image import (
    absolute_errors,
    hull_masks,
    image_scores,
    mean_within,
    psnr_within,
)
from tests.biometrics.metrics.common import PROPERTY, Array


def pictures(seed: int, n: int, size: int = 224) -> tuple[Array, Array]:
    """Smooth pictures and noisy copies of them, uint8 [n, size, size, 3]."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=(n, size, size, 3)), (0, 5, 5, 0))
    first = np.clip(128 + 900 * smooth, 0, 255).round()
    noise = rng.normal(size=first.shape) * np.linspace(1, 40, n)[:, None, None, None]
    second = np.clip(first + noise, 0, 255).round()
    return first.astype(np.uint8), second.astype(np.uint8)


def points(seed: int, n: int, size: int = 224) -> Array:
    rng = np.random.default_rng(seed)
    return rng.normal(size / 2, size / 6, size=(n, 68, 2))


def reference_map(a: Array, b: Array) -> tuple[float, Array]:
    value, full = structural_similarity(  # type: ignore[no-untyped-call]
        a,
        b,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
        full=True,
    )
    return value, full


def psnr(true: Array, made: Array) -> float:
    return float(peak_signal_noise_ratio(true, made, data_range=255))  # type: ignore[no-untyped-call]


def test_scores_agree_with_skimage() -> None:
    made, true = pictures(0, 4)
    faces = hull_masks(points(1, 4))
    got = image_scores(made, true, faces)
    for i in range(4):
        value, full = reference_map(made[i], true[i])
        assert got.ssim_crop[i] == pytest.approx(value, abs=1e-10)
        assert got.ssim_face[i] == pytest.approx(full[faces[i]].mean(), abs=1e-10)
        assert got.psnr_crop[i] == pytest.approx(psnr(true[i], made[i]))
        assert got.psnr_face[i] == pytest.approx(psnr(true[i][faces[i]], made[i][faces[i]]))
    assert (np.diff(got.ssim_crop) < 0).all()  # more noise, less alike
    assert (np.diff(got.psnr_face) < 0).all()


def test_the_data_range_is_255_whatever_the_picture_holds() -> None:
    dark, noisy = (x // 16 for x in pictures(2, 1))
    got = image_scores(dark, noisy, np.ones((1, 224, 224), dtype=bool))
    assert got.ssim_crop[0] == pytest.approx(reference_map(dark[0], noisy[0])[0], abs=1e-10)


def test_equal_pictures_reach_the_caps_and_one_level_of_one_pixel_does_not() -> None:
    true, _ = pictures(3, 2)
    made = true.copy()
    made[1, 100, 100, 0] ^= 1
    faces = hull_masks(points(4, 2))
    got = image_scores(made, true, faces)
    assert (got.ssim_crop[0], got.ssim_face[0]) == pytest.approx((1.0, 1.0))
    assert (got.psnr_crop[0], got.psnr_face[0]) == pytest.approx((100.0, 100.0))
    closed_form = 10 * np.log10(255**2 * 224 * 224 * 3)
    assert got.psnr_crop[1] == pytest.approx(closed_form)
    assert closed_form < 100.0
    assert got.ssim_crop[1] < 1.0


def test_what_is_outside_the_face_does_not_change_the_face_figures() -> None:
    made, true = pictures(5, 2)
    faces = hull_masks(points(6, 2) * 0.4 + 60)
    before = image_scores(made, true, faces)
    far = ~faces & ~np.roll(faces, 5, 1) & ~np.roll(faces, -5, 1)
    far &= np.arange(224) < 30  # away from the window of any face pixel
    made[far] = 0
    after = image_scores(made, true, faces)
    np.testing.assert_allclose(after.psnr_face, before.psnr_face)
    np.testing.assert_allclose(after.ssim_face, before.ssim_face)
    assert (after.ssim_crop < before.ssim_crop).all()


@PROPERTY
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_order_changes_nothing(seed: int, n: int) -> None:
    made, true = pictures(seed, n, size=24)
    faces = hull_masks(points(seed, n, 24), 24)
    whole = image_scores(made, true, faces)
    order = np.random.default_rng(seed).permutation(n)
    split = image_scores(made[order], true[order], faces[order])
    for name in ("ssim_crop", "ssim_face", "psnr_crop", "psnr_face"):
        np.testing.assert_allclose(
            getattr(split, name), getattr(whole, name)[order], rtol=1e-12, atol=1e-12
        )


def test_wrong_pictures_are_refused() -> None:
    made, true = pictures(7, 2, size=24)
    faces = np.ones((2, 24, 24), dtype=bool)
    with pytest.raises(ValueError, match="expected uint8, got float64 and uint8"):
        image_scores(made / 255, true, faces)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected pictures \[N, S, S, 3\]"):
        image_scores(made[:1], true, faces)
    with pytest.raises(ValueError, match="expected bool faces"):
        image_scores(made, true, faces[:1])
    with pytest.raises(ValueError, match="larger than 10 pixels"):
        image_scores(made[:, :9, :9], true[:, :9, :9], faces[:, :9, :9])
    faces[1] = False
    with pytest.raises(ValueError, match="the face of picture 1 covers no pixel"):
        image_scores(made, true, faces)


# --- hulls -------------------------------------------------------------------------------------


@PROPERTY
@given(st.integers(0, 10**6), st.integers(3, 68), st.booleans())
def test_hulls_agree_with_a_triangulation(seed: int, k: int, leaves_the_crop: bool) -> None:
    rng = np.random.default_rng(seed)
    spread = 40 if leaves_the_crop else 8
    sets = rng.normal(16, spread, size=(3, k, 2))
    got = hull_masks(sets, 32)
    rows, columns = np.mgrid[:32, :32]
    pixels = np.stack([columns, rows], axis=-1).reshape(-1, 2)
    for i in range(3):
        corners = sets[i][ConvexHull(sets[i]).vertices]
        expected = Delaunay(corners).find_simplex(pixels) >= 0
        np.testing.assert_array_equal(got[i], expected.reshape(32, 32))


def test_points_on_pixels_belong_to_the_hull_and_x_comes_first() -> None:
    box = np.array([[[2, 1], [5, 1], [5, 3], [2, 3], [4, 2], [2, 1]]], dtype=np.float32)
    expected = np.zeros((8, 8), dtype=bool)
    expected[1:4, 2:6] = True  # rows are y
    np.testing.assert_array_equal(hull_masks(box, 8)[0], expected)


def test_degenerate_hulls_are_lines_points_or_nothing() -> None:
    line = np.array([[[1, 1], [3, 3], [2, 2]], [[4, 2], [1, 2], [3, 2]], [[2, 5], [2, 1], [2, 3]]])
    got = hull_masks(line.astype(float), 6)
    assert [np.argwhere(m).tolist() for m in got] == [
        [[1, 1], [2, 2], [3, 3]],
        [[2, 1], [2, 2], [2, 3], [2, 4]],
        [[1, 2], [2, 2], [3, 2], [4, 2], [5, 2]],
    ]
    assert np.argwhere(hull_masks(np.full((1, 68, 2), 3.0), 6)[0]).tolist() == [[3, 3]]
    assert not hull_masks(np.full((1, 68, 2), 0.5), 6).any()


def test_points_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="expected finite points"):
        hull_masks(np.full((1, 68, 2), np.nan))


def test_errors_within_masks_are_those_of_a_loop() -> None:
    made, true = pictures(3, 4, 60)
    masks = hull_masks(points(4, 4, 60), 60)
    got = mean_within(absolute_errors(made, true), masks)
    for i in range(4):
        apart = np.abs(made[i].astype(float) - true[i])[masks[i]]
        assert got[i] == pytest.approx(apart.mean(), rel=1e-6)


def test_psnr_within_the_face_is_that_of_the_scores() -> None:
    made, true = pictures(5, 4, 60)
    made[0] = true[0]
    masks = hull_masks(points(6, 4, 60), 60)
    scores = image_scores(made, true, masks)
    assert psnr_within(made, true, masks) == pytest.approx(scores.psnr_face)
    assert psnr_within(made, true, np.ones_like(masks)) == pytest.approx(scores.psnr_crop)


def test_an_empty_mask_has_no_mean_and_no_psnr() -> None:
    made, true = pictures(7, 2, 60)
    masks = np.zeros((2, 60, 60), dtype=bool)
    masks[1, 5, 5] = True
    assert np.isnan(mean_within(absolute_errors(made, true), masks)).tolist() == [True, False]
    assert np.isnan(psnr_within(made, true, masks)).tolist() == [True, False]


def test_values_and_masks_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[2, 5, 5\] values for masks \[2, 4, 5\]"):
        mean_within(np.zeros((2, 5, 5)), np.zeros((2, 4, 5), dtype=bool))
