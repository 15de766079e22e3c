"""Contact sheets: many faces in one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 112


def face_grid(
    faces: Sequence[NDArray[np.uint8]], *, columns: int = 0, room: float = 0.0
) -> Image.Image:
    """Crops uint8 [S, S, 3] side by side, each 112 pixels wide; nearly square unless ``columns``
    are given. Empty cells are grey, as is a share ``room`` of the sheet's height below the faces,
    for the band that marks reconstructions."""
    across = columns or max(1, min(len(faces), math.ceil(math.sqrt(len(faces) * 1.5))))
    down = max(1, math.ceil(len(faces) / across))
    height = math.ceil(down * SIDE / (1 - room))
    sheet = Image.new("RGB", (across * SIDE, height), (48, 48, 48))
    for place, face in enumerate(faces):
        tile = Image.fromarray(np.asarray(face)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        sheet.paste(tile, (place % across * SIDE, place // across * SIDE))
    return sheet
