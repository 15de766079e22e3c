"""What inverting with a kept attack reads and writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ABOVE_THE_BAND = slice(0, 198)
"""The mark covers the lowest tenth of a picture."""


def stored(folder: Path, values: Any) -> Path:
    path = folder / "store.npy"
    np.save(path, values)
    return path


def pictures(folder: Path) -> NDArray[np.uint8]:
    found = []
    for path in sorted((folder / "faces").iterdir()):
        with Image.open(path) as picture:
            found.append(np.asarray(picture))
    return np.stack(found)
