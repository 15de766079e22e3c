"""What decoders of the whole crop have in common: they start at the mean crop."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AroundTheMean(nn.Module):
    """A decoder's pictures as deviations, none at first, from the mean crop.

    Args:
        decoder: from templates [N, D] to [N, 3, size, size].
        last: its last layer, which is set to zero.
        size: side of the pictures.
    """

    mean_crop: Tensor

    def __init__(self, decoder: nn.Module, last: nn.Conv2d, size: int) -> None:
        super().__init__()
        self.decoder = decoder
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)
        self.register_buffer("mean_crop", torch.zeros(3, size, size))
        # Channels last, which is faster on a CPU; torch's annotations lack this overload.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, vectors: Tensor) -> Tensor:
        """Templates [N, D] to crops [N, 3, S, S], RGB, of any range."""
        crops: Tensor = self.mean_crop + self.decoder(vectors)
        return crops


def mean_picture(pictures: Tensor) -> Tensor:
    """The mean [3, S, S] in [0, 1] of pictures uint8 [N, 3, S, S]."""
    return pictures.sum(dim=0, dtype=torch.int64).float() / (255 * len(pictures))
