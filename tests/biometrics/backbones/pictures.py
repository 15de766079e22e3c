"""Pictures for these tests: generated ones, and helpers that cut real ones without faceleak's own
detection and warping, so that the comparison with the makers' alignment stays independent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from biometrics.faces.geometry import invert_affine


def smooth_pictures(count: int, size: int = 224, seed: int = 0) -> NDArray[np.uint8]:
    """Colourful smooth noise uint8 [count, size, size, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 9, 9, 3), dtype=np.uint8)
    enlarged = [Image.fromarray(c).resize((size, size), Image.Resampling.BICUBIC) for c in coarse]
    return np.stack([np.asarray(picture) for picture in enlarged])


def pattern(size: int = 224) -> NDArray[np.uint8]:
    """One fixed picture uint8 [size, size, 3] of integer triangle waves: no generator, no rounding,
    so it is the same everywhere."""
    y, x = np.mgrid[:size, :size]
    waves = [3 * x + y, 2 * y - x + 4 * size, x + y + (x * y) // 64]
    return np.stack([abs(wave % 510 - 255) for wave in waves], axis=-1).astype(np.uint8)


def cut(
    picture: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Cut uint8 [height, width, 3] out of a picture by the affine [2, 3] from picture to cut-out.

    Convention: our points have pixel centres at whole numbers, PIL's at halves.
    """
    inverse = invert_affine(matrix)
    shift = inverse[:, 2] + 0.5 - inverse[:, :2].sum(axis=1) / 2
    data = np.column_stack([inverse[:, :2], shift]).reshape(-1).tolist()
    how = Image.Resampling.BILINEAR
    height, width = size
    out = Image.fromarray(picture).transform(
        (width, height), Image.Transform.AFFINE, data, resample=how
    )
    return np.asarray(out)


def lfw_pictures(folder: Path, count: int) -> list[NDArray[np.uint8]]:
    """The first picture of ``count`` subjects spread over the folder."""
    subjects = sorted(path for path in folder.iterdir() if path.is_dir())
    step = max(len(subjects) // count, 1)
    firsts = [min(subject.glob("*.jpg")) for subject in subjects[::step][:count]]
    return [np.asarray(Image.open(path).convert("RGB")) for path in firsts]
