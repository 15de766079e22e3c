"""Pictures of a run: marking reconstructions, blurring people, embedding as data URIs.

Convention: a picture is a Pillow image in RGB; a reconstruction's band covers its lowest tenth and
is part of the pixels, so that it stays when the file is copied out of the run.
"""

from __future__ import annotations

import base64
import io
import warnings
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont
from PIL.PngImagePlugin import PngInfo

from reports.files import write_private

MARK_KEY = "faceleak"
MARK_VALUE = "reconstruction"
MARK_TEXT = "RECONSTRUCTION"
_DESCRIPTION = "RECONSTRUCTION: made from a face template by faceleak; not a photograph."
_BAND = 0.11  # of the height
_BAND_COLOUR = (122, 24, 24)
_MAX_PIXELS = 16 * 1024 * 1024
_MAX_FILE = 32 * 1024 * 1024
_FORMATS = ("PNG", "WEBP", "JPEG")
# Below about 7 cells a face is no longer recognised even by people who know it.
_BLUR_CELLS = 6


class PictureRemovedError(Exception):
    """The file is gone, as after a purge."""


class PictureUnusableError(Exception):
    """The file is there and is not a picture that may be shown."""


def mark_reconstruction(image: Image.Image) -> Image.Image:
    """A copy with the visible band; a picture that says it carries the band is only copied."""
    marked = _rgb(image)
    if not is_marked(image):
        _draw_band(marked)
    marked.info[MARK_KEY] = MARK_VALUE
    return marked


def is_marked(image: Image.Image) -> bool:
    """True for what :func:`mark_reconstruction` returned, also after saving and loading."""
    return bool(image.info.get(MARK_KEY) == MARK_VALUE)


def save_reconstruction_png(image: Image.Image, path: Path) -> None:
    """Write ``image`` as PNG with the band and a text chunk that says what it is (mode 0600)."""
    text = PngInfo()
    text.add_text(MARK_KEY, MARK_VALUE)
    text.add_text("Description", _DESCRIPTION)
    buffer = io.BytesIO()
    mark_reconstruction(image).save(buffer, "PNG", pnginfo=text)
    write_private(path, buffer.getvalue())


def blur_person(image: Image.Image) -> Image.Image:
    """The same size with all detail gone: what is kept are 6 x 6 smoothed cells of colour.

    A blur alone can be undone in part by deconvolution; the cells are what remains of the picture,
    so nothing finer than a sixth of its side can be brought back.
    """
    source = _rgb(image)
    smooth = source.filter(ImageFilter.GaussianBlur(max(source.size) / 10))
    cells = smooth.resize((_BLUR_CELLS, _BLUR_CELLS), Image.Resampling.BOX)
    blurred = cells.resize(source.size, Image.Resampling.BICUBIC)
    blurred.info.clear()  # a band is gone too, so the mark must not say that it is there
    return blurred


def load_picture(run: Path, name: str | None) -> Image.Image:
    """The picture ``name`` of the run as RGB, its text chunks kept in ``info``.

    A run folder may come from somebody else: links out of it, other formats and pictures of more
    than 16 megapixels are refused. Raises PictureRemovedError or PictureUnusableError.
    """
    if name is None:
        raise PictureRemovedError
    path = (run / name).resolve()
    if not path.is_relative_to(run.resolve()):
        raise PictureUnusableError("outside the run folder")
    if not path.is_file():
        raise PictureRemovedError
    if path.stat().st_size > _MAX_FILE:
        raise PictureUnusableError("file too large")
    return _decode(path)


def webp_data_uri(image: Image.Image, *, side: int, quality: int = 78) -> str:
    """``data:image/webp;base64,…`` of the picture, at most ``side`` pixels, without metadata."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    small.info.clear()  # EXIF and profiles of the original must not travel
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=quality, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _decode(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                if image.width * image.height > _MAX_PIXELS:
                    raise PictureUnusableError("too many pixels")
                image.load()
                return _rgb(image)
    except PictureUnusableError:
        raise
    except Exception as error:  # decoders raise SyntaxError, ValueError, struct.error, …
        raise PictureUnusableError("not a readable picture") from error


def _rgb(image: Image.Image) -> Image.Image:
    copy = image.convert("RGB") if image.mode != "RGB" else image.copy()
    if is_marked(image):
        copy.info[MARK_KEY] = MARK_VALUE
    return copy


def _draw_band(image: Image.Image) -> None:
    width, height = image.size
    band = max(round(height * _BAND), 1)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, height - band, width, height), fill=_BAND_COLOUR)
    draw.text(
        (width / 2, height - band / 2),
        MARK_TEXT,
        fill="white",
        font=_fitting_font(width * 0.9, band * 0.72),
        anchor="mm",
    )


def _fitting_font(width: float, height: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    font = ImageFont.load_default(height)
    length = font.getbbox(MARK_TEXT)[2]
    return ImageFont.load_default(max(height * min(1.0, width / length), 1.0))
