from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.feature import local_binary_pattern

from biometrics.backbones.base import Backbone, load_backbone
from biometrics.backbones.embed import embed, to_tensor
from biometrics.backbones.lbp import BINS, INPUT_SIZE, pattern_codes, uniform_bins


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("lbp")


def oracle(backbone: Backbone, crop: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The descriptor by scikit-image: a histogram of each region, square roots of the shares."""
    cut = backbone.to_input(to_tensor(crop[None]))[0]
    grey = np.rint(np.tensordot([0.299, 0.587, 0.114], cut.double().numpy() * 255, axes=1))
    patterns = local_binary_pattern(grey.astype(np.uint8), 8, 2, method="nri_uniform")
    rows = np.split(patterns[2:-2, 2:-2], 7, axis=0)
    regions = [region for row in rows for region in np.split(row, 7, axis=1)]
    counts = [np.bincount(region.astype(int).ravel(), minlength=59) for region in regions]
    return np.sqrt(np.concatenate(counts) / np.sum(counts))


@pytest.mark.parametrize("noise", [0, 40])
def test_it_is_the_descriptor_that_scikit_image_makes(
    noise: int, backbone: Backbone, crops: NDArray[np.uint8]
) -> None:
    draw = np.random.default_rng(2)
    grain = draw.integers(-noise, noise + 1, crops[0].shape)
    crop = np.clip(crops[0] + grain, 0, 255).astype(np.uint8)
    found, expected = embed(backbone, crop[None])[0], oracle(backbone, crop)
    # the bins have another order there, the same in every region
    histograms = found.reshape(49, BINS), expected.reshape(49, BINS)
    ours, theirs = (np.sort(h, axis=1) for h in histograms)
    assert np.square(ours - theirs).sum() < 1e-4
    np.testing.assert_allclose(histograms[0][:, -1], histograms[1][:, -1], atol=0.02)
    assert (theirs > 0).sum(axis=1).mean() > 10


def test_bit_k_is_the_sample_at_k_eighths_of_a_turn_counter_clockwise() -> None:
    directions = [(2, 0), (2, -2), (0, -2), (-2, -2), (-2, 0), (-2, 2), (0, 2), (2, 2)]
    for k, (x, y) in enumerate(directions):
        grey = torch.full((1, 5, 5), 10.0)
        grey[0, 2, 2] = 20.0  # brighter than all
        grey[0, 2 + y // 2 : 2 + y // 2 + 1, 2 + x // 2 : 2 + x // 2 + 1] = 200.0
        grey[0, 2 + y, 2 + x] = 200.0
        assert int(pattern_codes(grey)) == 1 << k


def test_equal_neighbours_count_as_bright_even_between_pixels() -> None:
    for level in (0.0, 77.0, 255.0):
        assert (pattern_codes(torch.full((1, 9, 9), level)) == 255).all()


def test_58_patterns_are_uniform() -> None:
    bins = uniform_bins()
    assert bins.shape == (256,)
    assert int((bins == BINS - 1).sum()) == 256 - 58
    assert sorted(set(bins.tolist())) == list(range(59))
    for code in range(256):
        text = f"{code:08b}"
        changes = sum(a != b for a, b in zip(text, text[1:] + text[0], strict=True))
        assert (int(bins[code]) < BINS - 1) == (changes <= 2)


def test_the_cosine_is_the_hellinger_kernel(backbone: Backbone, crops: NDArray[np.uint8]) -> None:
    a, b = embed(backbone, crops[:2]).astype(np.float64)
    assert np.linalg.norm(a) == pytest.approx(1.0, abs=1e-6)
    regions = np.square([a, b]).reshape(2, 49, BINS)
    assert regions.sum(axis=2) == pytest.approx(1 / 49, abs=1e-6)
    coefficients = np.sqrt(49 * regions[0] * 49 * regions[1]).sum(axis=1)
    assert a @ b == pytest.approx(coefficients.mean(), abs=1e-6)


def test_regions_are_read_row_by_row(backbone: Backbone) -> None:
    """Noise in one region changes that region's histogram and no other's, but for its edge."""
    flat = torch.full((1, 3, INPUT_SIZE, INPUT_SIZE), 0.5)
    marked = flat.clone()
    row, column = 2, 5
    top, left = 2 + 18 * row, 2 + 18 * column
    noise = torch.rand(14, 14, generator=torch.Generator().manual_seed(1))
    marked[:, :, top + 2 : top + 16, left + 2 : left + 16] = noise
    both = backbone.embed_input(torch.cat([flat, marked])).reshape(2, 49, BINS)
    changed = (both[0] - both[1]).abs().sum(dim=1) > 0
    assert changed.nonzero().flatten().tolist() == [7 * row + column]


def test_brightness_and_contrast_change_nothing(backbone: Backbone) -> None:
    draw = np.random.default_rng(0).integers(0, 64, (17, 17, 1), dtype=np.uint8)
    small = Image.fromarray(draw[:, :, 0]).resize((224, 224), Image.Resampling.NEAREST)
    crop = np.repeat(np.asarray(small)[:, :, None], 3, axis=2)
    both = embed(backbone, np.stack([crop, 3 * crop + 20]))
    np.testing.assert_array_equal(both[0], both[1])


def test_it_is_a_control_without_gradient_or_weights(backbone: Backbone) -> None:
    spec = backbone.spec
    assert (spec.differentiable, spec.may_be_unseen_judge, spec.sha256) == (False, False, None)
    crop = torch.rand(1, 3, 224, 224, requires_grad=True)
    assert not backbone(crop).requires_grad
