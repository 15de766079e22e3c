"""Whose system a report is about: what of the configuration goes into the run."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

from PIL import Image, ImageOps

from audit.about_settings import AboutSettings
from audit.run_folder import RunFolder, remove
from biometrics.errors import ConfigError
from biometrics.faces.images import digest
from reports.results import About

LOGO = "logo.png"
"""Of a run; a logo shows nobody, so that a purge keeps it."""
MAX_LOGO = 200_000
"""Bytes of the picture that is given."""
SIDE = 512
"""Pixels of the longer side of the picture that is kept."""
MAX_PIXELS = 16_000_000
_FORMATS = ("PNG", "JPEG", "WEBP")


def check_about(settings: AboutSettings | None) -> None:
    """Refuse a logo that cannot be used, before any work.

    Raises:
        ConfigError: what is wrong with it.
    """
    if settings is not None and settings.logo is not None:
        read_logo(settings.logo)


def about_key(settings: AboutSettings | None) -> dict[str, str] | None:
    """What results depend on of it; None where nothing is told, as before there was such a key."""
    if settings is None:
        return None
    logo = settings.logo
    words = settings.model_dump(mode="json", exclude={"logo"})
    return {**words, "logo": "" if logo is None else digest(read_logo(logo))}


def kept_about(settings: AboutSettings | None, run: RunFolder) -> About:
    """The section for results.json; the logo is written into the run, or an earlier one removed.

    Raises:
        ConfigError: the logo cannot be used.
    """
    if settings is None or settings.logo is None:
        remove(run.path / LOGO)
    else:
        run.write(LOGO, _as_png(read_logo(settings.logo), settings.logo))
    if settings is None:
        return About()
    return About(
        organisation=settings.organisation,
        system=settings.system,
        contact=settings.contact,
        logo=None if settings.logo is None else LOGO,
    )


def read_logo(path: Path) -> bytes:
    """The content of a logo's file.

    Raises:
        ConfigError: no file, too large, or another format; an SVG may hold scripts.
    """
    try:
        if path.stat().st_size > MAX_LOGO:
            raise ConfigError(f"about.logo: {path} is larger than {MAX_LOGO // 1000} kB")
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"about.logo: {path} cannot be read ({error.strerror})") from error
    _picture(content, path)
    return content


def _picture(content: bytes, path: Path) -> Image.Image:
    """The logo on white: a transparent one may be drawn in black."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata and of large pictures
            found = Image.open(io.BytesIO(content), formats=_FORMATS)
            if found.width * found.height > MAX_PIXELS:
                raise ValueError("too many pixels")
            upright = ImageOps.exif_transpose(found).convert("RGBA")
    except Exception as error:  # decoders raise many types on damaged data
        raise ConfigError(
            f"about.logo: {path} is no PNG, JPEG or WebP of at most {MAX_PIXELS:,} pixels that can "
            "be read; give one"
        ) from error
    white = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(white, upright).convert("RGB")


def _as_png(content: bytes, path: Path) -> bytes:
    """The pixels alone: metadata and whatever else lies in the file stay behind."""
    picture = _picture(content, path)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
