"""A contact sheet of morphs: parents on the left, the face made of them on the right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from biometrics.faces.faceset import FaceSet

COLUMNS, ROWS = 3, 6
SIDE, GAP, MARGIN = 128, 8, 28
CAPTION, HEADER = 24, 46
CARD = 3 * SIDE + 2 * GAP

PAPER, INK, FAINT, ACCENT = "#ffffff", "#1f2933", "#7b8794", "#2f6f9f"


def morph_sheet(morphs: FaceSet, parents: FaceSet, title: str) -> Image.Image:
    """The first morphs, each beside its parents, with its weights below.

    Args:
        morphs: with the columns of :func:`biometrics.faces.morph.make_morphs`.
        parents: the faces they were made of.
        title: one line above all.
    """
    shown = min(len(morphs), COLUMNS * ROWS)
    columns = min(COLUMNS, max(shown, 1))
    rows = -(-shown // columns)
    across, down = CARD + MARGIN, SIDE + CAPTION + GAP
    size = (columns * across + MARGIN, HEADER + rows * down + MARGIN // 2)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, HEADER / 2), title, fill=INK, font=_font(15), anchor="lm")
    row_of = {name: row for row, name in enumerate(parents.table["face_id"])}
    for index in range(shown):
        x = MARGIN + index % columns * across
        y = HEADER + index // columns * down
        a, b = (row_of[morphs.table[f"parent_{side}"].iloc[index]] for side in "ab")
        pictures = (parents.crops[a], parents.crops[b], morphs.crops[index])
        shares = (morphs.table[f"{part}_weight"].iloc[index] for part in ("shape", "texture"))
        _card(sheet, draw, (x, y), pictures, _caption(*shares))
    return sheet


def _caption(shape: float, texture: float) -> str:
    return f"B: shape {shape:.0%}, texture {texture:.0%}"


def _card(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    pictures: tuple[NDArray[np.uint8], ...],
    caption: str,
) -> None:
    """Two parents and their morph, which has a frame."""
    x, y = corner
    labels = (("A", FAINT), ("B", FAINT), (caption, ACCENT))
    for pixels, (label, colour) in zip(pictures, labels, strict=True):
        tile = Image.fromarray(np.asarray(pixels)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        sheet.paste(tile, (x, y))
        middle = (x + SIDE / 2, y + SIDE + CAPTION / 2)
        draw.text(middle, label, fill=colour, font=_font(11), anchor="mm")
        x += SIDE + GAP
    left = x - SIDE - GAP
    draw.rectangle((left - 2, y - 2, left + SIDE + 1, y + SIDE + 1), outline=ACCENT, width=2)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
