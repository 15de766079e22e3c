"""A recognition model of a user's own for which every line of its record matters, and its people.

Everybody has a pattern of squares that are redder than they are blue, in the middle of the crop;
around it, and in part upon it, lies noise that is new in every picture. The network looks at how
red the middle is, square by square: as BGR nothing is redder than blue, white as 255 runs many
times round the sine, and another crop looks at noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from biometrics.faces.faceset import FaceSet

SIDE, CELL = 96, 8
CELLS = SIDE // CELL
LEFT, TOP = 64, 80
"""Of the pattern in the crop."""

RECORD: dict[str, Any] = {
    "dim": CELLS * CELLS,
    "input": {"height": SIDE, "width": SIDE},
    "crop": {"affine": [[1.0, 0.0, -LEFT], [0.0, 1.0, -TOP]]},
    "colour": "rgb",
    "pixel_range": 1,
    "mean": 0,
    "std": 1,
    "layout": "nchw",
    "similarity": "cosine",
    "licence": "ours",
}
"""The right one."""


class Network(nn.Module):
    """From [N, 3, 96, 96], RGB in [0, 1], to [N, 144]."""

    faceleak_record = RECORD

    def forward(self, x: Tensor) -> Tensor:
        redder = torch.sin(4 * (x[:, :1] - x[:, 2:]).clamp(min=0))
        places = F.avg_pool2d(redder, CELL).flatten(1)
        return places - places.mean(dim=1, keepdim=True)


def patterned_people(people: int, pictures: int, *, noise: float, seed: int = 0) -> FaceSet:
    """Pictures of them; ``noise`` is that upon the pattern, whose own values lie in [0, 0.3]."""
    draw = np.random.default_rng(seed)
    own = draw.uniform(0, 0.3, (people, 1, CELLS, CELLS)).repeat(pictures, axis=1)
    cells = draw.uniform(-0.3, 0.3, (people, pictures, 224 // CELL, 224 // CELL))
    rows = slice(TOP // CELL, TOP // CELL + CELLS)
    columns = slice(LEFT // CELL, LEFT // CELL + CELLS)
    cells[:, :, rows, columns] = (own + draw.normal(0, noise, own.shape)).clip(0, 0.4)
    half = cells.reshape(-1, 224 // CELL, 224 // CELL).repeat(CELL, 1).repeat(CELL, 2) / 2
    pixels = np.stack([0.5 + half, np.full_like(half, 0.5), 0.5 - half], axis=-1)
    count = people * pictures
    table = pd.DataFrame(
        {
            "face_id": [f"f{i}" for i in range(count)],
            "subject_id": [f"p{i // pictures}" for i in range(count)],
        }
    )
    crops = (pixels * 255).round().astype(np.uint8)
    return FaceSet(crops, np.zeros((count, 68, 2), np.float32), table)
