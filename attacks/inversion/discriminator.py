"""A small convolutional discriminator: is this the real picture of that template?"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

LAST_SIDE = 7
"""The picture is halved until its side is at most this."""

WIDEST = 8
"""The number of channels doubles from stage to stage up to this many times the first."""

SLOPE = 0.2


class Discriminator(nn.Module):
    """Scores pictures, high for real ones, low for reconstructions.

    Every layer is spectrally normalised (Miyato et al. 2018, "Spectral normalization for generative
    adversarial networks"). Stages of a 4x4 convolution with stride 2 lead to features phi(x), which
    are summed over positions.

    Conditional, the score is ``w.phi(x) + (V y).phi(x)`` with the template y (Miyato and Koyama
    2018, "cGANs with projection discriminator", eq. 3). A plain one asks only whether a picture
    looks like a face, which rewards details of anybody; the projection also asks whether they
    belong to this template, at the price of D x C weights and no second network.

    Args:
        size: side of the pictures, at least 16.
        dim: D of the templates, or None for the plain one.
        channels: of the first stage.
    """

    def __init__(self, size: int, dim: int | None, *, channels: int = 64) -> None:
        super().__init__()
        widths = [3]
        while size > LAST_SIDE:
            widths.append(channels * min(2 ** (len(widths) - 1), WIDEST))
            size = (size + 1) // 2
        self.stages = nn.ModuleList(
            spectral_norm(nn.Conv2d(narrow, wide, 4, stride=2, padding=1))
            for narrow, wide in pairwise(widths)
        )
        self.real = spectral_norm(nn.Linear(widths[-1], 1))
        self.projection = (
            None if dim is None else spectral_norm(nn.Linear(dim, widths[-1], bias=False))
        )

    def forward(self, pictures: Tensor, templates: Tensor) -> Tensor:
        """Scores [B].

        Args:
            pictures: [B, 3, S, S]; real ones lie in [0, 1].
            templates: standardised [B, D]; the plain discriminator ignores them.
        """
        maps = pictures * 2 - 1
        for stage in self.stages:
            # One row of padding more where the side is odd, so that no pixel is left out.
            maps = F.pad(maps, (0, maps.shape[-1] % 2, 0, maps.shape[-2] % 2), mode="replicate")
            maps = F.leaky_relu(stage(maps), SLOPE)
        features = maps.sum(dim=(2, 3))
        scores: Tensor = self.real(features)[:, 0]
        if self.projection is not None:
            scores = scores + (self.projection(templates) * features).sum(dim=1)
        return scores


def hinge(real: Tensor, made: Tensor) -> Tensor:
    """The discriminator's loss over scores [B] of real pictures and of reconstructions.

    mean max(0, 1 - D(real)) + mean max(0, 1 + D(made)) (Lim and Ye 2017, "Geometric GAN"; Miyato et
    al. 2018, eq. 16). The generator's part is ``-mean D(made)`` (eq. 17).
    """
    return F.relu(1 - real).mean() + F.relu(1 + made).mean()


def r1_penalty(scores: Tensor, pictures: Tensor) -> Tensor:
    """Half the mean squared length of the scores' gradient by the real pictures [B, 3, S, S] that
    they were computed from (Mescheder et al. 2018, "Which training methods for GANs do actually
    converge?", eq. 9, without its weight)."""
    (gradient,) = torch.autograd.grad(scores.sum(), pictures, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() / 2
