from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from biometrics.faces import images
from biometrics.faces.images import PictureError, cut_crop, decode, digest, read_bytes
from tests.biometrics.faces.drawn import centroid, dot, smooth


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def colourful(width: int = 40, height: int = 24) -> Image.Image:
    field = smooth(np.random.default_rng(5), 1, 4, 40)[0, :height, :width]
    return Image.fromarray(np.clip(128 + 40 * field, 0, 255).astype(np.uint8))


def as_picture(grey: NDArray[np.floating]) -> Image.Image:
    return Image.fromarray(np.rint(grey * 255).astype(np.uint8)).convert("RGB")


# Crops

SUB_PIXEL = 0.12
"""Pillow's bicubic kernel (a = -1) does not reproduce a ramp: where a crop is a plain shift it
moves a dot by up to a tenth of a pixel."""


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-np.pi, np.pi),
    st.floats(0.12, 4),
    st.tuples(st.floats(70, 154), st.floats(70, 154)),
    st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
)
def test_a_dot_lands_where_the_similarity_says(
    angle: float, scale: float, place: tuple[float, float], nudge: tuple[float, float]
) -> None:
    at = np.array([350.0, 260.0]) + nudge
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[c, -s], [s, c]])
    to_crop = np.column_stack([linear, np.array(place) - linear @ at])
    picture = as_picture(dot(701, 522, *at, sigma=max(2.5, 4 / scale)))
    found = centroid(cut_crop(picture, to_crop)[..., 1].astype(float))
    np.testing.assert_allclose(found, place, atol=SUB_PIXEL)


@pytest.mark.parametrize("scale", [0.5, 1 / 3, 0.3, 0.26, 0.2, 0.999, 1.0, 2.0])
def test_whole_number_reductions_do_not_shift_the_crop(scale: float) -> None:
    at, place = np.array([301.3, 222.6]), np.array([111.7, 95.2])
    to_crop = np.column_stack([np.eye(2) * scale, place - scale * at])
    picture = as_picture(dot(640, 480, *at, sigma=4 / scale))
    found = centroid(cut_crop(picture, to_crop)[..., 0].astype(float))
    np.testing.assert_allclose(found, place, atol=SUB_PIXEL)


def test_the_identity_keeps_every_pixel_and_what_is_outside_is_black() -> None:
    picture = colourful()
    crop = cut_crop(picture, np.eye(2, 3))
    assert crop.shape == (224, 224, 3)
    assert crop.dtype == np.uint8
    np.testing.assert_array_equal(crop[:24, :40], np.asarray(picture))
    assert not crop[24:].any()
    assert not crop[:, 40:].any()


def test_x_runs_to_the_right_and_y_down() -> None:
    # Moved by x + 7 and y + 3: swapping them would put the dot elsewhere.
    crop = cut_crop(as_picture(dot(60, 60, 20, 30, 2)), np.array([[1.0, 0, 7], [0, 1, 3]]), size=64)
    assert np.unravel_index(crop[..., 0].argmax(), (64, 64)) == (33, 27)


def test_fine_stripes_average_out_instead_of_aliasing() -> None:
    stripes = np.zeros((896, 896))
    stripes[:, ::2] = 1
    crop = cut_crop(as_picture(stripes), np.array([[0.25, 0, 0], [0, 0.25, 0]]))
    inside = crop[4:-4, 4:-4]
    assert abs(inside.astype(int) - 128).max() <= 2


# Decoding


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "JPEG", "WEBP"])
def test_every_format_decodes(kind: str) -> None:
    picture = colourful()
    lossy = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}.get(kind, {})
    got = decode(encoded(picture, kind, **lossy))
    assert got.mode == "RGB"
    limit = 12 if lossy else 0
    assert abs(np.asarray(got, dtype=int) - np.asarray(picture, dtype=int)).max() <= limit


@pytest.mark.parametrize("kind", ["GIF", "PPM", "ICO"])
def test_other_formats_that_pillow_knows_are_refused(kind: str) -> None:
    with pytest.raises(PictureError, match=r"^not a picture$"):
        decode(encoded(colourful(), kind))


# Where the corner stored first, and the one stored last in the first row, are shown (EXIF 2.32,
# tag 274: which visual side the 0th row and the 0th column are).
ORIENTATIONS = {
    1: ("top left", "top right"),
    2: ("top right", "top left"),
    3: ("bottom right", "bottom left"),
    4: ("bottom left", "bottom right"),
    5: ("top left", "bottom left"),
    6: ("top right", "bottom right"),
    7: ("bottom right", "top right"),
    8: ("bottom left", "top left"),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_pictures_are_turned_upright_by_their_exif(orientation: int) -> None:
    stored = np.zeros((20, 30, 3), dtype=np.uint8)
    stored[0, 0], stored[0, -1] = (255, 0, 0), (0, 255, 0)
    exif = Image.Exif()
    exif[274] = orientation
    shown = np.asarray(decode(encoded(Image.fromarray(stored), "PNG", exif=exif)))
    assert shown.shape[:2] == ((20, 30) if orientation < 5 else (30, 20))
    rows, columns = {"top": 0, "bottom": -1}, {"left": 0, "right": -1}
    for channel, corner in enumerate(ORIENTATIONS[orientation]):
        row, column = corner.split()
        assert shown[rows[row], columns[column], channel] == 255


def test_grey_palette_and_alpha_pictures_become_rgb() -> None:
    grey = Image.new("L", (8, 6), 77)
    np.testing.assert_array_equal(np.asarray(decode(encoded(grey, "PNG")))[0, 0], [77] * 3)
    palette = Image.new("P", (8, 6), 3)
    palette.putpalette([0] * 9 + [10, 200, 30] + [0] * 756)
    content = encoded(palette, "PNG", transparency=b"\x00\x10")
    np.testing.assert_array_equal(np.asarray(decode(content))[0, 0], [10, 200, 30])
    alpha = Image.new("RGBA", (8, 6), (10, 20, 30, 128))
    np.testing.assert_array_equal(np.asarray(decode(encoded(alpha, "PNG")))[0, 0], [10, 20, 30])
    bits = Image.new("1", (8, 6), 1)
    np.testing.assert_array_equal(np.asarray(decode(encoded(bits, "PNG")))[0, 0], [255] * 3)
    ink = Image.new("CMYK", (8, 6), (0, 255, 255, 0))
    red = np.asarray(decode(encoded(ink, "JPEG", quality=95)))[3, 3].astype(int)
    assert abs(red - [255, 0, 0]).max() < 10


def test_sixteen_bit_grey_keeps_its_grey_levels() -> None:
    levels = np.array([[0, 0x1234, 0x80FF, 0xFFFF]] * 4, dtype=np.uint16)
    for kind in ("PNG", "TIFF"):
        shown = np.asarray(decode(encoded(Image.fromarray(levels), kind)))
        np.testing.assert_array_equal(shown[0, :, 0], [0, 0x12, 0x80, 0xFF])


@pytest.mark.parametrize(
    "numbers", [np.full((4, 4), 0.5, np.float32), np.full((4, 4), -5, np.int32)]
)
def test_numbers_that_are_no_colours_are_refused(numbers: NDArray[np.generic]) -> None:
    with pytest.raises(PictureError, match="not a picture of 8- or 16-bit colours"):
        decode(encoded(Image.fromarray(numbers), "TIFF"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_truncated_pictures_are_refused(kind: str) -> None:
    content = encoded(colourful(), kind)
    with pytest.raises(PictureError, match=r"damaged|not a picture"):
        decode(content[: len(content) // 2])


@pytest.mark.parametrize(
    "content", [b"just some text\n" * 20, b"<html></html>", b"\x00", b"\xff\xd8"]
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(PictureError, match=r"^not a picture$"):
        decode(content)


def png_claiming(width: int, height: int) -> bytes:
    """A few bytes that claim to be a picture of that size."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\x00" * 64)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


@pytest.mark.parametrize("side", [100_000, 12_000, 8_001])
def test_huge_pictures_are_refused_before_they_are_decoded(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decoded(*_: object) -> None:
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with pytest.raises(PictureError, match=r"^too many pixels$"):
        decode(png_claiming(side, side))


def test_a_small_header_without_its_pixels_is_damaged() -> None:
    with pytest.raises(PictureError, match=r"^truncated or damaged$"):
        decode(png_claiming(50, 50))


def test_unusable_files_give_their_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty, large = tmp_path / "empty.png", tmp_path / "large.png"
    empty.touch()
    large.write_bytes(b"x" * 11)
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    for path, reason in [
        (empty, "empty file"),
        (large, "file too large"),
        (tmp_path / "absent.png", "file cannot be read"),
    ]:
        with pytest.raises(PictureError, match=f"^{reason}$"):
            read_bytes(path)


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"^file cannot be read$"):
        read_bytes(tmp_path)


def test_digest_is_sha256() -> None:
    # The test vector of FIPS 180 for "abc".
    assert digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


SEEDS = {kind: encoded(colourful(), kind) for kind in ("JPEG", "PNG", "WEBP", "BMP", "TIFF")}


@pytest.mark.parametrize("kind", SEEDS)
@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6),
    st.none() | st.integers(1, 10**6),
)
def test_damaged_bytes_give_a_picture_or_a_reason_and_nothing_else(
    kind: str, flips: list[tuple[int, int]], cut: int | None
) -> None:
    content = bytearray(SEEDS[kind])
    for position, value in flips:
        # Half of the flips go into the header, where they matter.
        content[position % (len(content) if position % 2 else 64)] = value
    if cut is not None:
        content = content[: 1 + cut % len(content)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            picture = decode(bytes(content))
        except PictureError:
            return
    assert picture.mode == "RGB"
    np.asarray(picture)
