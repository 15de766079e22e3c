"""Reading pictures that nobody vouches for."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from biometrics.faces.geometry import CROP_SIZE, invert_affine

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
"""What is decoded; Pillow knows many more formats, each with a parser that could be attacked."""

MAX_PIXELS = 64_000_000
MAX_BYTES = 128 * 1024 * 1024


class PictureError(Exception):
    """A picture that cannot be used; the message is the reason that is counted and shown."""


def read_bytes(path: Path) -> bytes:
    """The file's content.

    Raises:
        PictureError: unreadable, empty or larger than ``MAX_BYTES``.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PictureError("file too large")
        content = path.read_bytes()
    except OSError as error:
        raise PictureError("file cannot be read") from error
    if not content:
        raise PictureError("empty file")
    return content


def decode(content: bytes) -> Image.Image:
    """An upright RGB picture.

    Raises:
        PictureError: not one of ``FORMATS``, more than ``MAX_PIXELS``, truncated, damaged, or of
            numbers that are no 8- or 16-bit colours.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata; the pixels decide here
        try:
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
        except UnidentifiedImageError as error:
            raise PictureError("not a picture") from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise PictureError("too many pixels") from error
        except Exception as error:
            raise PictureError("truncated or damaged") from error
        if picture.width * picture.height > MAX_PIXELS:
            raise PictureError("too many pixels")
        try:
            return _to_rgb(ImageOps.exif_transpose(picture))
        except PictureError:
            raise
        except Exception as error:  # decoders raise many types on damaged data
            raise PictureError("truncated or damaged") from error


def _to_rgb(picture: Image.Image) -> Image.Image:
    """8-bit RGB of a picture of any mode."""
    if picture.mode.startswith("I"):
        # Pillow would clip 16-bit grey at 255: an all but white picture.
        grey = np.asarray(picture).astype(np.int64)
        if grey.min() < 0 or grey.max() > 65535:
            raise PictureError("not a picture of 8- or 16-bit colours")
        picture = Image.fromarray((grey >> 8).astype(np.uint8))
    if picture.mode == "F":
        raise PictureError("not a picture of 8- or 16-bit colours")
    return picture.convert("RGB")


def digest(content: bytes) -> str:
    """SHA-256 of a file's content, in hex."""
    return hashlib.sha256(content).hexdigest()


def cut_crop(
    picture: Image.Image, to_crop: NDArray[np.float64], size: int = CROP_SIZE
) -> NDArray[np.uint8]:
    """Cut a square crop out of a picture by a similarity.

    Convention: ``to_crop`` [2, 3] maps picture pixels to crop pixels, pixel centres at whole
    numbers. Pillow counts from pixel corners, so half a pixel is moved on both sides here;
    forgetting it shifts every crop. What lies outside the picture is black.

    Returns:
        uint8 [size, size, 3] RGB.
    """
    scale = float(np.sqrt(abs(np.linalg.det(to_crop[:, :2]))))
    # A box reduction first: bicubic sampling of a much larger picture would alias.
    factor = max(1, int(1.0 / max(scale, 1e-6)))
    inverse = invert_affine(to_crop)
    if factor > 1:
        picture = picture.reduce(factor)
        inverse = inverse / factor
        inverse[:, 2] += 0.5 / factor - 0.5
    half = np.array([0.5, 0.5])
    offset = inverse[:, 2] - inverse[:, :2] @ half + half
    data = (*inverse[0, :2], offset[0], *inverse[1, :2], offset[1])
    crop = picture.transform(
        (size, size),
        Image.Transform.AFFINE,
        tuple(float(x) for x in data),
        resample=Image.Resampling.BICUBIC,
    )
    return np.asarray(crop)
