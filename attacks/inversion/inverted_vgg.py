"""VGG turned round: the texture network of Nagm et al. 2026, from a template to a picture.

Source: Nagm et al. 2026, section 4.4 and figure 4: a dense layer to 4,096 values, seen as one pixel
of 4,096 channels; a 7x7 transposed convolution; five times a transposed convolution that doubles
the side, each followed by ordinary convolutions that can be left out; batch normalisation after
each block; a last 1x1 convolution to RGB.

The paper does not give the widths. VGG's own, turned round, are 512, 512, 256, 128 and 64 channels
in the five blocks, with one convolution fewer in each than VGG has, since the transposed one stands
for the pooling and the convolution beside it. With 4x4 transposed convolutions (stride 2) and 124
channels after the 7x7 one, which alone costs 200,704 weights a channel, the network has 60,440,119
parameters at D = 4096 where the paper counts 60,510,983.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

DOUBLINGS = 5
SMALLEST = 24
STEM = 124
"""Channels after the first transposed convolution."""
CHANNELS = (512, 512, 256, 128, 64)
"""Channels of the five blocks, VGG-16's in reverse order."""
CONVOLUTIONS = (2, 2, 2, 1, 1)
"""Ordinary convolutions of each block, VGG-16's less one."""
LEAST = 8
"""No layer is narrower, however small ``width`` is."""


class InvertedVgg(nn.Module):
    """From standardised templates to pictures.

    The output is linear (neither clamped nor squashed), so that a loss sees every error; the last
    layer's bias may be set to a mean colour.

    Attributes:
        size: side of the pictures.
        start: side after the first transposed convolution, 7 for pictures of 224 pixels.
    """

    def __init__(
        self,
        dim: int,
        size: int,
        *,
        width: float = 1.0,
        convolutions: bool = True,
        dense: int = 4096,
    ) -> None:
        """Args:
            dim: length of a template.
            size: side of the pictures; what is no multiple of 32 is cut from the next one.
            width: share of the channels after the first transposed convolution.
            convolutions: keep the ordinary convolutions between the transposed ones.
            dense: values of the dense layer.

        Raises:
            ValueError: a size below 24.
        """
        super().__init__()
        if size < SMALLEST:
            raise ValueError(f"pictures of {size} pixels: {SMALLEST} is the least")
        self.size = size
        self.start = math.ceil(size / 2**DOUBLINGS)
        channels = scaled(STEM, width)
        self.dense = nn.Sequential(nn.Linear(dim, dense), nn.ReLU())
        self.stem = nn.Sequential(
            nn.ConvTranspose2d(dense, channels, self.start), nn.BatchNorm2d(channels), nn.ReLU()
        )
        blocks: list[nn.Module] = []
        for wide, count in zip(CHANNELS, CONVOLUTIONS, strict=True):
            after = scaled(wide, width)
            blocks.append(block(channels, after, count if convolutions else 0))
            channels = after
        self.blocks = nn.Sequential(*blocks)
        self.rgb = nn.Conv2d(channels, 3, 1)

    def forward(self, vectors: Tensor) -> Tensor:
        """Templates [N, D] to pictures [N, 3, S, S], RGB, of any range."""
        pixel = self.dense(vectors)[:, :, None, None]
        pictures: Tensor = self.rgb(self.blocks(self.stem(pixel)))
        return pictures[:, :, : self.size, : self.size]


def block(before: int, after: int, convolutions: int) -> nn.Sequential:
    """A doubling, then ``convolutions`` ordinary 3x3 convolutions, one batch normalisation."""
    layers: list[nn.Module] = [nn.ConvTranspose2d(before, after, 4, 2, 1)]
    for _ in range(convolutions):
        layers += [nn.ReLU(), nn.Conv2d(after, after, 3, padding=1)]
    return nn.Sequential(*layers, nn.BatchNorm2d(after), nn.ReLU())


def scaled(channels: int, width: float) -> int:
    """Channels at a share of the full width."""
    return max(LEAST, round(channels * width))
