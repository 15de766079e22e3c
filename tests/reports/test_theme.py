"""Colours: contrast, and whether they are told apart without full colour vision."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from reports import theme

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
VISION = {
    "full": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])
SERIES = ("blue", "red", "teal", "amber", "violet", "grey")
JUST_SEEN = 2.3  # CIE76 difference that half of all people notice; five times that is plain


def palettes() -> dict[str, dict[str, str]]:
    """The colours of both styles as the stylesheet has them."""
    style = files("templates").joinpath("style.css").read_text(encoding="utf-8")
    light, dark = style.split("prefers-color-scheme: dark", 1)
    dark = dark.split("}\n}")[0]
    found = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", part)) for part in (light, dark)]
    return {"light": found[0], "dark": found[1]}


def linear(colour: str) -> NDArray[np.float64]:
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, two: str) -> float:
    low, high = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, two))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("style", ["light", "dark"])
def test_the_colours_of_figures_are_told_apart_by_everybody(style: str, vision: str) -> None:
    colours = palettes()[style]
    seen = {name: lab(np.array(VISION[vision]) @ linear(colours[name])) for name in SERIES}
    for one, two in combinations(SERIES, 2):
        assert np.linalg.norm(seen[one] - seen[two]) >= 5 * JUST_SEEN, (one, two)


@pytest.mark.parametrize("style", ["light", "dark"])
def test_lines_stand_out_from_the_card_and_words_from_every_ground(style: str) -> None:
    colours = palettes()[style]
    assert all(contrast(colours[name], colours["card"]) >= 3 for name in SERIES)
    for name in ("ink", "muted", "accent", "good", "warn", "red"):
        for ground in ("card", "page", "soft"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)


def test_a_figure_on_its_own_has_the_colours_of_the_light_page() -> None:
    light = palettes()["light"]
    fallbacks = [re.fullmatch(r"var\(--(\w+), (#\w+)\)", css) for _, css in theme._PALETTE.values()]
    told = {match[1]: match[2] for match in fallbacks if match}
    assert {name: light[name] for name in SERIES} == {name: told[name] for name in SERIES}
