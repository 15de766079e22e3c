"""What covers a face, against loops over pixels, areas in closed form and turned faces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from attacks.perturbation.base import Pictures
from attacks.perturbation.occlusion import (
    BlockEyes,
    BlockMouth,
    HalfLeft,
    HalfLower,
    HalfRight,
    RandomBlock,
    grid_blocks,
)
from attacks.perturbation.worn import Sunglasses, SurgicalMask
from biometrics.faces.degrade import GREY, degrade
from tests.biometrics.faces.drawn import plain_shape

EYES, NOSE_TIP, MOUTH, CHIN, BROWS = range(36, 48), 30, range(48, 68), 8, range(17, 27)


def of(shape: NDArray[np.floating], level: int = 90, seed: int = 5) -> Pictures:
    """An even picture with these landmarks."""
    crops = np.full((1, 224, 224, 3), level, dtype=np.uint8)
    return Pictures(crops, shape[None].astype(np.float32), np.array([seed], dtype=np.uint64))


def turned(shape: NDArray[np.floating], degrees: float) -> NDArray[np.float64]:
    """Landmarks rotated in the plane about the middle of the crop."""
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return (shape - 111.5) @ turn.T + 111.5


def covers(mask: NDArray[np.bool_], shape: NDArray[np.floating], points: object) -> bool:
    x, y = np.rint(np.atleast_2d(shape[points])).astype(int).T  # type: ignore[index]
    return bool(mask[y, x].all())


def spares(mask: NDArray[np.bool_], shape: NDArray[np.floating], points: object) -> bool:
    return covers(~mask, shape, points)


@pytest.mark.parametrize(("kind", "part"), [(BlockEyes, "eyes"), (BlockMouth, "mouth")])
def test_blocks_are_those_that_a_leak_can_have(
    kind: type[BlockEyes | BlockMouth], part: str, pictures: Pictures
) -> None:
    known = degrade(pictures.crops, pictures.landmarks, occlude=part)  # type: ignore[arg-type]
    assert np.array_equal(kind().apply(pictures).crops, known)


def test_halves_end_at_the_middle_of_the_face(pictures: Pictures) -> None:
    left, right, lower = (k().apply(pictures) for k in (HalfLeft, HalfRight, HalfLower))
    for i, shape in enumerate(pictures.landmarks):
        middle, foot = shape[27:31, 0].mean(), shape[29, 1]
        for made, inside in (
            (left, [[x < middle for x in range(224)] for _ in range(224)]),
            (right, [[x > middle for x in range(224)] for _ in range(224)]),
            (lower, [[y > foot] * 224 for y in range(224)]),
        ):
            assert made.covered is not None
            assert np.array_equal(made.covered[i], inside)
            assert (made.crops[i][made.covered[i]] == GREY).all()


def box(shape: NDArray[np.floating]) -> tuple[int, int, int, int]:
    """First and one past the last column and row of the face, as far as it lies in the crop."""
    (x0, y0), (x1, y1) = np.floor(shape.min(axis=0)), np.floor(shape.max(axis=0)) + 1
    return max(0, int(x0)), min(224, int(x1)), max(0, int(y0)), min(224, int(y1))


@settings(max_examples=60, deadline=None)
@given(
    share=st.floats(0, 1),
    seed=st.integers(0, 2**64 - 1),
    move=st.tuples(st.floats(-90, 90), st.floats(-90, 90)),
)
def test_a_random_block_has_its_share_of_the_face_and_lies_in_it(
    share: float, seed: int, move: tuple[float, float]
) -> None:
    shape = plain_shape() + np.array(move, dtype=np.float32)
    made = RandomBlock(share).apply(of(shape, seed=seed))
    assert made.covered is not None
    x0, x1, y0, y1 = box(shape)
    rows, columns = np.nonzero(made.covered[0])
    wide, high = (round((b - a) * share**0.5) for a, b in ((x0, x1), (y0, y1)))
    assert len(rows) == wide * high
    if len(rows):
        assert (np.ptp(rows) + 1) * (np.ptp(columns) + 1) == len(rows)  # one rectangle
        assert x0 <= columns.min() <= columns.max() < x1
        assert y0 <= rows.min() <= rows.max() < y1


def test_a_whole_share_covers_the_box_of_the_face() -> None:
    shape = plain_shape()
    x0, x1, y0, y1 = box(shape)
    made = RandomBlock(1.0).apply(of(shape))
    assert made.covered is not None
    assert made.covered[0, y0:y1, x0:x1].all()
    assert made.covered.sum() == (x1 - x0) * (y1 - y0)


def test_random_blocks_lie_anywhere_in_the_face() -> None:
    places = [RandomBlock(0.1).apply(of(plain_shape(), seed=s)).covered for s in range(200)]
    seen = np.concatenate([place for place in places if place is not None]).any(axis=0)
    x0, x1, y0, y1 = box(plain_shape())
    assert seen[y0:y1, x0:x1].mean() > 0.9


@pytest.mark.parametrize(("grid", "side"), [(14, 16), (14, 33), (5, 40), (1, 224)])
def test_the_sliding_block_is_where_a_loop_puts_it(grid: int, side: int) -> None:
    masks = grid_blocks(grid, side)
    assert masks.shape == (grid * grid, 224, 224)
    for at in range(0, grid * grid, max(1, grid * grid // 9)):
        row, column = divmod(at, grid)
        y, x = (place * 224 / grid + 112 / grid - 0.5 for place in (row, column))
        rows = [abs(i - y) <= side / 2 for i in range(224)]
        columns = [abs(i - x) <= side / 2 for i in range(224)]
        assert np.array_equal(masks[at], np.outer(rows, columns))


def test_blocks_as_wide_as_the_cells_tile_the_crop() -> None:
    assert (grid_blocks(14, 16).sum(axis=0) == 1).all()


@pytest.mark.parametrize("degrees", [0, 25, -40])
def test_sunglasses_hide_the_eyes_and_nothing_below_the_nose(degrees: float) -> None:
    shape = turned(plain_shape(), degrees)
    made = Sunglasses().apply(of(shape, level=200))
    assert made.covered is not None
    mask = made.covered[0]
    assert covers(mask, shape, EYES)
    for points in (NOSE_TIP, MOUTH, CHIN):
        assert spares(mask, shape, points)
    eyes = np.stack([shape[36:42].mean(axis=0), shape[42:48].mean(axis=0)])
    x, y = np.rint(eyes).astype(int).T
    assert made.crops[0, y, x].max() < 100  # dark
    bridge = (
        mask[*np.rint(shape[27]).astype(int)[::-1] + np.array([-8, 0])] if not degrees else True
    )
    assert bridge  # the lenses hang together


@pytest.mark.parametrize("degrees", [0, 25, -40])
def test_a_mask_hides_nose_mouth_and_chin_and_spares_the_eyes(degrees: float) -> None:
    shape = turned(plain_shape(), degrees)
    made = SurgicalMask().apply(of(shape))
    assert made.covered is not None
    mask = made.covered[0]
    for points in (NOSE_TIP, MOUTH, CHIN, range(4, 13)):
        assert covers(mask, shape, points)
    assert spares(mask, shape, EYES)
    assert spares(mask, shape, BROWS)
    x, y = np.rint(shape[51]).astype(int)
    red, green, blue = (int(v) for v in made.crops[0, y, x])
    assert 90 < red < green < blue


@pytest.mark.parametrize("kind", [Sunglasses, SurgicalMask])
def test_what_is_worn_turns_with_the_face(kind: type[Sunglasses | SurgicalMask]) -> None:
    """A quarter turn of the landmarks about the crop's middle turns the pixels exactly."""
    upright = kind().apply(of(plain_shape())).covered
    lying = kind().apply(of(turned(plain_shape(), 90))).covered
    assert upright is not None
    assert lying is not None
    back = np.rot90(lying[0], 1)  # rows run downwards: this undoes a turn from x to y
    assert (back & upright[0]).sum() > 0.97 * (back | upright[0]).sum()


@pytest.mark.parametrize("kind", [Sunglasses, SurgicalMask])
def test_a_symmetric_face_is_dressed_symmetrically(kind: type[Sunglasses | SurgicalMask]) -> None:
    made = kind().apply(of(plain_shape())).covered
    assert made is not None
    mask = made[0, :, 1:]  # the face's middle is x = 112
    assert (mask & mask[:, ::-1]).sum() > 0.97 * (mask | mask[:, ::-1]).sum()


@pytest.mark.parametrize("kind", [Sunglasses, SurgicalMask])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), spread=st.floats(0, 400))
def test_no_landmarks_are_too_odd_to_be_dressed(
    kind: type[Sunglasses | SurgicalMask], seed: int, spread: float
) -> None:
    shape = np.random.default_rng(seed).normal(112, spread, (68, 2))
    assert kind().apply(of(shape)).crops.shape == (1, 224, 224, 3)


def test_the_far_lens_of_a_turned_face_is_narrower() -> None:
    shape = plain_shape().astype(np.float64)
    far = shape.copy()
    far[42:48, 0] = far[42:48, 0].mean() + 0.4 * (far[42:48, 0] - far[42:48, 0].mean())
    front, side = (Sunglasses().apply(of(s)).covered for s in (shape, far))
    assert front is not None
    assert side is not None
    # Below the temples and the bridge, right of the nose.
    assert side[0, 104:, 112:].sum() < 0.85 * front[0, 104:, 112:].sum()
    assert side[0, :, :100].sum() == front[0, :, :100].sum()
