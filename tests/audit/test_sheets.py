"""Contact sheets: which face stands where."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.sheets import SIDE, face_grid


def faces(count: int, size: int = 8) -> list[NDArray[np.uint8]]:
    """Face i has the level i + 1 in red, and its number of pixels does not matter."""
    return [np.full((size, size, 3), [i + 1, 200, 90], dtype=np.uint8) for i in range(count)]


def cells(count: int, **given: int) -> list[list[int]]:
    """The red of the middle of each cell."""
    sheet = np.asarray(face_grid(faces(count), **given))
    assert sheet.shape[0] % SIDE == sheet.shape[1] % SIDE == 0
    reds: list[list[int]] = sheet[SIDE // 2 :: SIDE, SIDE // 2 :: SIDE, 0].tolist()
    return reds


def test_faces_stand_row_by_row_and_empty_cells_are_grey() -> None:
    assert cells(5, columns=3) == [[1, 2, 3], [4, 5, 48]]
    assert cells(2, columns=1) == [[1], [2]]


@pytest.mark.parametrize(
    ("count", "shape"), [(0, (1, 1)), (1, (1, 1)), (2, (1, 2)), (6, (2, 3)), (48, (6, 9))]
)
def test_a_sheet_is_a_little_wider_than_high(count: int, shape: tuple[int, int]) -> None:
    grid = cells(count)
    assert (len(grid), len(grid[0])) == shape
    flat = [red for row in grid for red in row]
    assert flat == [*range(1, count + 1), *[48] * (len(flat) - count)]


def test_faces_of_any_size_fill_their_cells() -> None:
    for size in (8, 112, 224):
        sheet = np.asarray(face_grid(faces(1, size)))
        assert sheet.shape == (SIDE, SIDE, 3)
        assert np.unique(sheet.reshape(-1, 3), axis=0).tolist() == [[1, 200, 90]]


def test_room_below_the_faces_is_a_share_of_the_whole() -> None:
    sheet = np.asarray(face_grid(faces(3), columns=1, room=0.25))
    assert sheet.shape == (4 * SIDE, SIDE, 3)
    assert sheet[SIDE // 2 :: SIDE, 0, 0].tolist() == [1, 2, 3, 48]
