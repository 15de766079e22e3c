from __future__ import annotations

import stat
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reports.pictures import (
    PictureRemovedError,
    PictureUnusableError,
    blur_person,
    is_marked,
    load_picture,
    mark_reconstruction,
    save_reconstruction_png,
)
from tests.reports import factory


def png_texts(path: Path) -> dict[str, str]:
    """The tEXt chunks, read from the bytes of the format and not by the library that wrote them."""
    data, place, texts = path.read_bytes(), 8, {}
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        assert struct.unpack(">I", data[place + 8 + length : place + 12 + length])[0] == zlib.crc32(
            kind + body
        )
        if kind == b"tEXt":
            key, _, value = body.partition(b"\0")
            texts[key.decode()] = value.decode()
        place += 12 + length
    return texts


def detail_energy(image: Image.Image, beyond: int) -> float:
    """Spectral energy above ``beyond`` cycles a side: the part that could hold features."""
    grey = np.asarray(image.convert("L"), dtype=float)
    spectrum = np.abs(np.fft.fft2(grey - grey.mean())) ** 2
    cycles = np.abs(np.fft.fftfreq(len(grey)) * len(grey))
    return float(spectrum[np.maximum(cycles[:, None], cycles[None, :]) > beyond].sum())


def test_a_saved_reconstruction_says_so_in_the_file_and_in_the_picture(tmp_path: Path) -> None:
    flat = Image.new("RGB", (224, 224), (0, 90, 200))
    save_reconstruction_png(flat, tmp_path / "r.png")
    texts = png_texts(tmp_path / "r.png")
    assert texts["faceleak"] == "reconstruction"
    assert texts["Description"].startswith("RECONSTRUCTION")
    assert stat.S_IMODE((tmp_path / "r.png").stat().st_mode) == 0o600
    pixels = np.asarray(Image.open(tmp_path / "r.png"))
    assert pixels.shape == (224, 224, 3)
    assert (pixels[:195] == (0, 90, 200)).all()  # the face is left as it is
    band = pixels[202:]
    assert (band[:, :8, 0] > 100).all()  # red to the edge
    assert (band.min(axis=2) > 200).mean() > 0.05  # white letters
    assert (flat.getpixel((5, 220))) == (0, 90, 200)  # the input is untouched


def test_the_band_is_not_drawn_twice(tmp_path: Path) -> None:
    once = mark_reconstruction(factory.picture(3))
    assert np.array_equal(np.asarray(mark_reconstruction(once)), np.asarray(once))
    save_reconstruction_png(once, tmp_path / "r.png")
    again = load_picture(tmp_path, "r.png")
    assert is_marked(again)
    assert np.array_equal(np.asarray(mark_reconstruction(again)), np.asarray(once))


@pytest.mark.parametrize("side", [1, 8, 33, 96, 512])
def test_the_band_fits_any_size(side: int) -> None:
    marked = np.asarray(mark_reconstruction(Image.new("RGB", (side, side), "white")))
    assert tuple(marked[-1, 0]) == (122, 24, 24)


def test_blurring_removes_the_detail() -> None:
    sharp = factory.picture(5)
    before, after = detail_energy(sharp, 6), detail_energy(blur_person(sharp), 6)
    assert after < 1e-4 * before


def test_two_faces_with_equal_coarse_colours_cannot_be_told_apart_after_blurring() -> None:
    # A checkerboard finer than the cells, and its negative: nothing of it may remain.
    rows, columns = np.indices((224, 224)) // 14
    board = (((rows + columns) % 2) * 255).astype(np.uint8)
    one = np.asarray(blur_person(Image.fromarray(board)), dtype=int)
    two = np.asarray(blur_person(Image.fromarray(255 - board)), dtype=int)
    # one and its negative differ by 255 everywhere before
    assert np.abs(one - two).max() < 40
    assert np.abs(one - two).mean() < 8


def test_a_blurred_picture_no_longer_claims_a_band() -> None:
    assert not is_marked(blur_person(mark_reconstruction(factory.picture(1))))


def test_a_picture_that_is_gone_is_told_from_one_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(PictureRemovedError):
        load_picture(tmp_path, "none.png")
    with pytest.raises(PictureRemovedError):
        load_picture(tmp_path, None)
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nxx")
    with pytest.raises(PictureUnusableError, match="not a readable picture"):
        load_picture(tmp_path, "bad.png")


def test_links_out_of_the_run_other_formats_and_huge_pictures_are_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    factory.picture(1).save(tmp_path / "secret.png")
    (run / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(PictureUnusableError, match="outside the run folder"):
        load_picture(run, "link.png")
    factory.picture(1, 16).save(run / "picture.png", "BMP")
    with pytest.raises(PictureUnusableError, match="not a readable picture"):
        load_picture(run, "picture.png")
    Image.new("1", (5000, 5000)).save(run / "large.png")
    with pytest.raises(PictureUnusableError, match="too many pixels"):
        load_picture(run, "large.png")
    Image.new("1", (20000, 20000)).save(run / "bomb.png")
    with pytest.raises(PictureUnusableError):
        load_picture(run, "bomb.png")
