"""The neighbourly network: what its blocks are made of, and what it learns."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from attacks.base import make_settings
from attacks.inversion.nbnet import NbNet, NbNetSettings, NeighbourBlock, split_evenly


@given(total=st.integers(1, 300), parts=st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_channels_are_shared_out_evenly(total: int, parts: int) -> None:
    shares = split_evenly(total, parts)
    assert sum(shares) == total
    assert len(shares) == min(total, parts)
    assert max(shares) - min(shares) <= 1


def test_a_block_is_half_de_convolution_and_half_neighbours() -> None:
    block = NeighbourBlock(6, 16, neighbours=4).eval()
    x = torch.randn(2, 6, 5, 5)
    with torch.inference_mode():
        made = block(x)
        assert made.shape == (2, 16, 10, 10)
        torch.testing.assert_close(made[:, :8], block.deconvolution(x))


def test_every_neighbour_sees_all_channels_before_it() -> None:
    block = NeighbourBlock(6, 16, neighbours=4)
    convolutions = [part[0] for part in block.neighbours]  # type: ignore[index]
    assert [conv.in_channels for conv in convolutions] == [8, 10, 12, 14]
    assert [conv.out_channels for conv in convolutions] == [2, 2, 2, 2]
    block.eval()
    x = torch.randn(1, 6, 4, 4)
    with torch.inference_mode():
        before = block(x)
        convolutions[1].bias += 5.0  # the second neighbour's channels are 10 and 11
        after = block(x)
    changed = (before - after).abs().amax(dim=(0, 2, 3)) > 0
    assert not changed[:10].any()
    assert changed[10:12].all()
    assert changed[12:].any()


@pytest.mark.parametrize(("size", "start"), [(224, 7), (96, 3), (64, 2), (24, 1), (100, 4)])
def test_pictures_have_the_size_that_was_asked_for(size: int, start: int) -> None:
    network = NbNet(12, size, width=0.05, neighbours=2).eval()
    assert network.start == start
    with torch.inference_mode():
        assert network(torch.randn(2, 12)).shape == (2, 3, size, size)


def test_neighbours_cost_fewer_weights_than_de_convolutions_alone() -> None:
    """What the blocks are for: half of the channels by 3x3 instead of 4x4 kernels."""
    block = NeighbourBlock(256, 128, neighbours=4)
    plain = nn.ConvTranspose2d(256, 128, 4, 2, 1)
    assert weights(block) < 0.75 * weights(plain)


def weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.ndim > 1)


def test_the_defaults_are_the_absolute_pixel_difference_alone() -> None:
    made = make_settings("nbnet:baseline", {})
    assert isinstance(made, NbNetSettings)
    assert {name for name, weight in made.weights.items() if weight} == {"pixel"}
    assert made.pixel_norm == "l1"
    assert not made.perceives


def test_a_quick_run_is_smaller_and_never_larger() -> None:
    quick = NbNetSettings().quick()
    assert (quick.size, quick.epochs) < (224, 30)
    assert quick.width < 1
    tiny = NbNetSettings(size=32, epochs=1, width=0.1)
    assert (tiny.quick().size, tiny.quick().epochs, tiny.quick().width) == (32, 1, 0.1)
