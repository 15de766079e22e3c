from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacks.perturbation.base import PERTURBATIONS, Perturbation, Pictures
from attacks.perturbation.geometry import Geometric
from biometrics.errors import ConfigError
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.head_pose import head_pose
from biometrics.faces.shipped import shipped_model_path

SHIFTS = {
    "translate-left": (-1, 0),
    "translate-right": (1, 0),
    "translate-up": (0, -1),
    "translate-down": (0, 1),
}
NAMES = ("rotation", "scale", *SHIFTS)


def made(name: str, strength: float) -> Perturbation:
    return PERTURBATIONS.get(name)(strength)


def pictures(n: int = 2, seed: int = 0) -> Pictures:
    rng = np.random.default_rng(seed)
    crops = rng.integers(0, 256, size=(n, 224, 224, 3), dtype=np.uint8)
    points = rng.uniform(40, 180, size=(n, 68, 2)).astype(np.float32)
    return Pictures(crops, points, np.arange(n, dtype=np.uint64))


def smooth(n: int = 1) -> Pictures:
    """Pictures of slow waves: interpolation errs by a few grey levels only."""
    y, x = np.mgrid[:224, :224]
    waves = [np.sin(x / 17 + i) + np.cos(y / 23 + c) for i in range(n) for c in range(3)]
    crops = np.stack(waves).reshape(n, 3, 224, 224).transpose(0, 2, 3, 1)  # N C H W -> N H W C
    base = pictures(n)
    return Pictures(np.rint(127 + 60 * crops).astype(np.uint8), base.landmarks, base.seeds)


def test_a_quarter_turn_is_that_of_numpy_to_the_last_bit() -> None:
    clean = pictures()
    for degrees, turns in ((90.0, -1), (-90.0, 1), (180.0, 2), (-180.0, 2)):
        found = made("rotation", degrees).apply(clean)
        assert np.array_equal(found.crops, np.rot90(clean.crops, turns, axes=(1, 2)))
    # Clockwise by 90: the top right corner comes from the top left.
    turned = made("rotation", 90.0).apply(clean)
    x, y = clean.landmarks[..., 0], clean.landmarks[..., 1]
    np.testing.assert_allclose(turned.landmarks, np.stack([223 - y, x], axis=-1), atol=1e-4)


def test_a_rotation_above_zero_is_a_roll_above_zero() -> None:
    mean = AppearanceModel.load(shipped_model_path()).mean_shape
    base = pictures(1)
    clean = Pictures(base.crops, mean[None].astype(np.float32), base.seeds)
    turned = made("rotation", 20.0).apply(clean)
    assert head_pose(turned.landmarks, mean).roll[0] == pytest.approx(20, abs=1)


@pytest.mark.parametrize("name", SHIFTS)
@pytest.mark.parametrize("pixels", [1, 45])
def test_whole_pixel_shifts_roll_the_picture_and_repeat_its_border(name: str, pixels: int) -> None:
    dx, dy = (pixels * step for step in SHIFTS[name])
    clean = pictures()
    found = made(name, pixels / 224).apply(clean)
    rows = np.clip(np.arange(224) - dy, 0, 223)
    columns = np.clip(np.arange(224) - dx, 0, 223)
    assert np.array_equal(found.crops, clean.crops[:, rows][:, :, columns])
    rolled = np.roll(clean.crops, (dy, dx), axis=(1, 2))
    inside = slice(pixels, -pixels)
    assert np.array_equal(found.crops[:, inside, inside], rolled[:, inside, inside])
    np.testing.assert_allclose(found.landmarks, clean.landmarks + np.array([dx, dy]), atol=1e-4)


def test_half_the_size_is_the_mean_of_four_pixels() -> None:
    clean = smooth()
    half = made("scale", 0.5).apply(clean)
    blocks = clean.crops.astype(float).reshape(1, 112, 2, 112, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(half.crops[:, 56:168, 56:168], blocks, atol=1)
    assert np.array_equal(half.crops[:, 0, 0], half.crops[:, 55, 55])  # the corner is repeated
    np.testing.assert_allclose(half.landmarks, (clean.landmarks - 111.5) / 2 + 111.5, atol=1e-4)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(
    st.one_of(
        st.tuples(st.just("rotation"), st.floats(-180, 180)),
        st.tuples(st.just("scale"), st.floats(0.5, 4)),
        st.tuples(st.sampled_from(sorted(SHIFTS)), st.floats(0, 1)),
    )
)
def test_every_point_shows_what_it_showed_before(case: tuple[str, float]) -> None:
    """Landmarks and pixels move together: a smooth picture looks the same at a moved point."""
    clean = smooth()
    found = made(*case).apply(clean)
    moved = np.rint(found.landmarks[0]).astype(int)
    inside = ((moved >= 1) & (moved <= 222)).all(axis=1)
    transform = made(*case)
    assert isinstance(transform, Geometric)
    matrix = transform.matrix()
    back = (moved - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    near = np.rint(back[inside]).astype(int).clip(0, 223)
    before = clean.crops[0][near[:, 1], near[:, 0]].astype(float)
    after = found.crops[0][moved[inside, 1], moved[inside, 0]].astype(float)
    assert np.abs(before - after).max(initial=0) <= 6
    np.testing.assert_allclose(
        found.landmarks[0], clean.landmarks[0] @ matrix[:, :2].T + matrix[:, 2], atol=1e-3
    )


@pytest.mark.parametrize("name", NAMES)
def test_at_identity_nothing_changes_and_nothing_is_shared(name: str) -> None:
    clean = pictures()
    kind = PERTURBATIONS.get(name)
    assert kind.identity is not None
    found = kind(kind.identity).apply(clean)
    assert np.array_equal(found.crops, clean.crops)
    assert np.array_equal(found.landmarks, clean.landmarks)
    assert not np.shares_memory(found.crops, clean.crops)
    # and at the least strength beside it something does
    near = kind(kind.identity + 0.05).apply(smooth())
    assert not np.array_equal(near.landmarks, smooth().landmarks)


@pytest.mark.parametrize(("name", "strength"), [("rotation", 37.0), ("scale", 1.5)])
def test_pictures_at_once_are_those_one_by_one_and_the_input_stays(
    name: str, strength: float
) -> None:
    clean = pictures(3)
    crops = clean.crops.copy()
    clean.crops.flags.writeable = False
    whole = made(name, strength).apply(clean)
    for i in range(3):
        one = made(name, strength).apply(clean.take(slice(i, i + 1)))
        assert np.array_equal(one.crops[0], whole.crops[i])
        assert np.array_equal(one.landmarks[0], whole.landmarks[i])
    assert np.array_equal(clean.crops, crops)
    assert whole.crops.dtype == np.uint8
    assert whole.landmarks.dtype == np.float32
    assert whole.covered is None


def test_words_and_limits() -> None:
    assert made("rotation", -30).label == "turned by -30°"
    assert made("translate-left", 0.2).label == "shifted left by 20 %"
    assert made("scale", 1.5).label == "1.5 times the size"
    assert made("rotation", -30).slug == "rotation--30"
    for name, strength in (("rotation", 181), ("scale", 0.49), ("translate-up", -0.1)):
        with pytest.raises(ConfigError, match=f"'{name}': expected a strength from"):
            made(name, strength)
    with pytest.raises(ConfigError, match="needs a strength"):
        PERTURBATIONS.get("rotation")()
