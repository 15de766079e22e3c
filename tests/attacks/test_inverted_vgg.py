"""VGG turned round: sizes, counts, and the same computed step by step."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.inversion.inverted_vgg import LEAST, InvertedVgg, scaled

PAPER = 60_510_983
"""Trainable parameters of the texture model, Nagm et al. 2026, section 4.4."""


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def small(size: int, seed: int = 0, *, convolutions: bool = True) -> InvertedVgg:
    torch.manual_seed(seed)
    return InvertedVgg(5, size, width=0.02, dense=6, convolutions=convolutions)


def full(*, convolutions: bool = True) -> InvertedVgg:
    with torch.device("meta"):
        return InvertedVgg(4096, 224, convolutions=convolutions)


def test_the_full_size_comes_within_two_thousandths_of_the_papers_parameters() -> None:
    dense = 4096 * 4096 + 4096
    stem = 4096 * 124 * 49 + 124 + 2 * 124
    doublings = 16 * (124 * 512 + 512 * 512 + 512 * 256 + 256 * 128 + 128 * 64) + 1472
    ordinary = 9 * (2 * 512**2 + 2 * 512**2 + 2 * 256**2 + 128**2 + 64**2)
    ordinary += 2 * 512 + 2 * 512 + 2 * 256 + 128 + 64
    norms, rgb = 2 * 1472, 3 * 64 + 3
    expected = dense + stem + doublings + ordinary + norms + rgb
    assert count(full()) == expected == 60_440_119
    assert abs(expected / PAPER - 1) < 0.002
    assert count(full()) - count(full(convolutions=False)) == ordinary


def test_it_is_built_as_the_paper_says() -> None:
    network = full()
    transposed = [m for m in network.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.kernel_size for m in transposed] == [(7, 7)] + 5 * [(4, 4)]
    assert [m.stride for m in transposed] == [(1, 1)] + 5 * [(2, 2)]
    assert transposed[0].in_channels == 4096
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 6
    ordinary = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(ordinary) == 2 + 2 + 2 + 1 + 1 + 1
    assert (network.rgb.kernel_size, network.rgb.out_channels) == ((1, 1), 3)


@pytest.mark.parametrize(("size", "start"), [(224, 7), (96, 3), (97, 4), (32, 1), (24, 1)])
def test_it_starts_at_a_thirty_second_of_the_side(size: int, start: int) -> None:
    assert small(size).start == start
    assert small(size).stem[0].kernel_size == (start, start)


@settings(max_examples=12, deadline=None)
@given(st.integers(24, 80), st.booleans())
def test_any_size_from_24_gives_pictures_of_that_size(size: int, convolutions: bool) -> None:
    network = small(size, convolutions=convolutions).eval()
    with torch.no_grad():
        assert network(torch.ones(2, 5)).shape == (2, 3, size, size)
        assert network(torch.ones(0, 5)).shape == (0, 3, size, size)


def test_smaller_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="pictures of 23 pixels: 24 is the least"):
        InvertedVgg(5, 23)


def test_a_size_in_between_is_cut_from_the_next_multiple_of_32() -> None:
    vectors = torch.randn(2, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole, cut = small(64).eval()(vectors), small(41).eval()(vectors)
    assert torch.equal(cut, whole[:, :, :41, :41])


def test_no_layer_becomes_narrower_than_eight() -> None:
    assert (scaled(512, 0.25), scaled(64, 0.25), scaled(64, 0.001)) == (128, 16, LEAST)
    assert LEAST == 8


def test_the_pictures_are_neither_clamped_nor_squashed() -> None:
    network = small(24).eval()
    vectors = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = network(vectors)
        network.rgb.weight *= 100
        network.rgb.bias *= 100
        after = network(vectors)
    torch.testing.assert_close(after, 100 * before, rtol=1e-4, atol=1e-4)
    assert after.min() < 0 or after.max() > 1


@pytest.mark.parametrize("convolutions", [True, False])
def test_it_equals_its_layers_one_after_the_other(convolutions: bool) -> None:
    network = small(40, convolutions=convolutions).double().eval()
    generator = torch.Generator().manual_seed(2)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            noise = torch.rand(value.shape, generator=generator, dtype=value.dtype)
            value.copy_(noise + 0.5 if "running_var" in name else noise - 0.5)
    vectors = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    weights = list(network.state_dict().values())
    with torch.no_grad():
        expected = by_hand(vectors, weights, convolutions=convolutions)
        torch.testing.assert_close(network(vectors), expected[:, :, :40, :40])


def by_hand(vectors: Tensor, weights: list[Tensor], *, convolutions: bool) -> Tensor:
    """The network at 40 pixels from its weights in order."""
    left = iter(weights)

    def norm(x: Tensor) -> Tensor:
        gain, shift, mean, variance, _steps = (next(left) for _ in range(5))
        part = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
        return (part * gain[:, None, None] + shift[:, None, None]).clamp_min(0)

    x = (vectors @ next(left).T + next(left)).clamp_min(0)
    # A transposed convolution of one pixel is a matrix product.
    weight, bias = next(left), next(left)
    x = norm(torch.einsum("nk,kcij->ncij", x, weight) + bias[:, None, None])
    for ordinary in (2, 2, 2, 1, 1):
        weight, bias = next(left), next(left)
        # Zeros between the pixels, then an ordinary convolution with the kernel turned round.
        spread = x.new_zeros(*x.shape[:2], 2 * x.shape[2] - 1, 2 * x.shape[3] - 1)
        spread[:, :, ::2, ::2] = x
        x = F.conv2d(F.pad(spread, (2, 2, 2, 2)), weight.transpose(0, 1).flip(2, 3), bias)
        for _ in range(ordinary if convolutions else 0):
            x = F.conv2d(x.clamp_min(0), next(left), next(left), padding=1)
        x = norm(x)
    x = F.conv2d(x, next(left), next(left))
    assert next(left, None) is None
    return x
