"""What these tests draw: dots at known places, a plain face shape, faces of the shipped model."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.faceset import FaceSet

ASSET = Path(str(files("biometrics.faces").joinpath("assets", "appearance-lfw.safetensors")))


def dot(width: int, height: int, x: float, y: float, sigma: float) -> NDArray[np.float64]:
    """A Gaussian dot of height 1 on black, [height, width]; pixel centres at whole numbers."""
    ys, xs = np.mgrid[:height, :width]
    return np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * sigma**2))


def centroid(grey: NDArray[np.floating]) -> NDArray[np.float64]:
    """Where the light of a picture [H, W] lies, ``(x, y)``."""
    ys, xs = np.mgrid[: grey.shape[0], : grey.shape[1]]
    return np.array([(xs * grey).sum(), (ys * grey).sum()]) / grey.sum()


def _arc(
    x: float, y: float, rx: float, ry: float, start: float, end: float, n: int
) -> NDArray[np.float64]:
    """``n`` points of an ellipse about (x, y), angles in degrees."""
    angle = np.radians(np.linspace(start, end, n))
    return np.column_stack([x + rx * np.cos(angle), y + ry * np.sin(angle)])


def _ring(x: float, y: float, rx: float, ry: float, n: int) -> NDArray[np.float64]:
    return _arc(x, y, rx, ry, 180, 180 + 360 * (n - 1) / n, n)


def plain_shape() -> NDArray[np.float32]:
    """68 landmarks of a symmetric face drawn by hand into the canonical crop, [68, 2]."""

    parts = [
        _arc(112, 105, 66, 85, 180, 0, 17),
        _arc(84, 88, 20, 8, 200, 340, 5),
        _arc(140, 88, 20, 8, 200, 340, 5),
        np.column_stack([np.full(4, 112.0), np.linspace(100, 130, 4)]),
        _arc(112, 136, 14, 4, 180, 0, 5),
        _ring(84.5, 100, 10, 5, 6),
        _ring(139.5, 100, 10, 5, 6),
        _ring(112, 161, 25, 11, 12),
        _ring(112, 161, 18, 5, 8),
    ]
    return np.concatenate(parts).astype(np.float32)


def smooth(rng: np.random.Generator, count: int, coarse: int, size: int) -> NDArray[np.float64]:
    """Smooth random fields [count, size, size, 3] with unit variance at the coarse points."""
    noise = rng.standard_normal((count, 3, coarse, coarse)).astype(np.float32)
    fields = [
        [np.asarray(Image.fromarray(c).resize((size, size), Image.Resampling.BICUBIC)) for c in n]
        for n in noise
    ]
    return np.array(fields, dtype=np.float64).transpose(0, 2, 3, 1)


def random_faces(people: int, pictures: int, seed: int = 0) -> FaceSet:
    """Smooth random pictures with landmarks about :func:`plain_shape`; each subject's pictures are
    more like one another than like others."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), pictures)
    own, now = smooth(rng, people, 6, 224), smooth(rng, len(who), 6, 224)
    grey = 128 + 22 * own[who] + 20 * now
    own_shape, now_shape = (
        rng.standard_normal((n, 68, 2)) * s for n, s in ((people, 2.0), (len(who), 1.5))
    )
    landmarks = plain_shape() + own_shape[who] + now_shape
    table = pd.DataFrame(
        {
            "face_id": [f"s{w:03d}/{i}.png" for i, w in enumerate(who)],
            "subject_id": [f"s{w:03d}" for w in who],
        }
    )
    crops = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return FaceSet(crops, landmarks.astype(np.float32), table)


def model_faces(count: int, seed: int = 3) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Faces of nobody, drawn by the shipped model: uint8 [count, 224, 224, 3] and the landmarks
    they were drawn at, float32 [count, 68, 2]."""
    model = AppearanceModel.load(ASSET)
    coefficients = torch.from_numpy(model.sample(count, 1, seed).coefficients)
    with torch.inference_mode():
        decoded = model.decode(coefficients)
        images = model.compose(decoded.textures, decoded.landmarks)
        large = torch.nn.functional.interpolate(images, (224, 224), mode="bicubic")
    pixels = (large.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    # dlib reads arrays that are not contiguous wrongly, without a word.
    return np.ascontiguousarray(pixels.numpy()), decoded.landmarks.numpy()
