"""The identity loss: how far a reconstruction's own template lies from the leaked one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from biometrics.backbones.base import Backbone
from biometrics.faces.geometry import CROP_SIZE


class IdentityLoss(nn.Module):
    """Distance between templates, through the frozen and differentiable backbone.

    For backbones that compare by cosine it is ``1 - cosine`` (Cole et al. 2017, section 3.3, up to
    the constant); for those that compare by distance, the squared Euclidean distance.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.similarity = backbone.spec.similarity

    def forward(self, faces: Tensor, templates: Tensor) -> Tensor:
        """The loss of each face.

        Args:
            faces: canonical crops of any side [B, 3, S, S] in [0, 1].
            templates: what their templates should be [B, D], as the backbone gives them.

        Returns:
            [B].
        """
        return self.between(self.embed(faces), templates)

    def embed(self, faces: Tensor) -> Tensor:
        """Templates [B, D] of canonical crops of any side, differentiable.

        A small crop is sampled where the backbone looks, and not enlarged to 224 first: that would
        cost more than the warp.
        """
        if faces.shape[-1] == CROP_SIZE:
            made: Tensor = self.backbone(faces)
            return made
        # From corners at the centres of the outer pixels of 224 to corners at the picture's edge,
        # where a point of the face has the same place at every size.
        grid = self.backbone.grid.to(faces.dtype)
        places = (grid * ((CROP_SIZE - 1) / CROP_SIZE)).expand(len(faces), -1, -1, -1)
        inputs = F.grid_sample(faces, places, padding_mode="border", align_corners=False)
        # Black beyond the crop, as the backbone itself has it.
        crop = torch.ones(1, 1, CROP_SIZE, CROP_SIZE, dtype=faces.dtype, device=faces.device)
        inside = F.grid_sample(crop, grid, padding_mode="zeros", align_corners=True)
        return self.backbone.embed_input(inputs * inside)

    def between(self, made: Tensor, templates: Tensor) -> Tensor:
        """The same from templates [B, D] of the reconstructions."""
        if self.similarity == "cosine":
            return 1 - torch.cosine_similarity(made, templates)
        return (made - templates).square().sum(dim=1)
