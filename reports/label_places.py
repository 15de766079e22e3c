"""Where the names of points stand in a figure, so that none covers another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]  # [N, 4] left, bottom, right, top
_GAP = 5.0  # from a point to its name
_SWEEPS = 4
_ON_NAME, _ON_MARK, _FAR = 50.0, 6.0, 0.35


def place_labels(
    points: NDArray[np.float64],
    sizes: NDArray[np.float64],
    frame: NDArray[np.float64],
    marks: Boxes,
    *,
    reach: int = 9,
    columns: int = 1,
) -> Boxes:
    """Boxes [N, 4] of the names of ``points``, all in one unit of length (points of a page).

    Each name tries places left, right, above and below its point, near ones first; what it covers
    costs: other names more than ``marks``. Names are placed one by one, then each again with the
    others in place, until none moves.

    Args:
        points: [N, 2] x, y.
        sizes: [N, 2] width, height of each name.
        frame: [4] left, bottom, right, top; a place that leaves it is moved inside.
        marks: [M, 4] boxes of what names should not cover: points, lines, words.
        reach: how many of its heights a name may move up or down.
        columns: how many of its widths a name may move aside.
    """
    steps = np.arange(-reach, reach + 1)
    choices = [
        _choices(point, size, frame, steps, columns)
        for point, size in zip(points, sizes, strict=True)
    ]
    fixed = [
        _FAR * _distance(boxes, point) + _ON_MARK * _covered(boxes, marks)
        for boxes, point in zip(choices, points, strict=True)
    ]
    placed = np.full((len(points), 4), np.nan)
    for _ in range(_SWEEPS):
        before = placed.copy()
        for i, boxes in enumerate(choices):
            others = np.delete(placed, i, axis=0)
            others = others[~np.isnan(others[:, 0])]
            cost = fixed[i] + _ON_NAME * _covered(boxes, others)
            placed[i] = boxes[int(np.argmin(cost))]
        if np.array_equal(before, placed):
            break
    return placed


def _choices(
    point: NDArray[np.float64],
    size: NDArray[np.float64],
    frame: NDArray[np.float64],
    steps: NDArray[np.int64],
    columns: int,
) -> Boxes:
    """[K, 4]: right and left of the point at many heights, and centred above and below it."""
    width, height = size
    rise = steps * height
    middle = rise[np.abs(steps) >= 1]
    aside = [(1 + i) * _GAP + i * width for i in range(columns)]
    x = [
        *(np.full(len(rise), gap) for gap in aside),
        *(np.full(len(rise), -gap - width) for gap in aside),
        np.full(len(middle), -width / 2),
    ]
    y = [rise - height / 2] * (2 * columns)
    y.append(middle - height / 2 + np.sign(middle) * 1.0)
    left = np.clip(point[0] + np.concatenate(x), frame[0], max(frame[0], frame[2] - width))
    bottom = np.clip(point[1] + np.concatenate(y), frame[1], max(frame[1], frame[3] - height))
    return np.stack([left, bottom, left + width, bottom + height], axis=1)


def _shared(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """[K, M] areas that each of K boxes shares with each of M others."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared: NDArray[np.float64] = np.clip(high - low, 0.0, None).prod(axis=2)
    return shared


def _covered(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """[K] how many of the others each box touches; a little more the more it covers."""
    if not len(others):
        return np.zeros(len(boxes))
    shared = _shared(boxes, others)
    found: NDArray[np.float64] = ((shared > 0) + shared / _area(boxes)[:, None]).sum(axis=1)
    return found


def _area(boxes: Boxes) -> NDArray[np.float64]:
    area: NDArray[np.float64] = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return area


def _distance(boxes: Boxes, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """[K] from the point to the nearest place of each box."""
    nearest = np.clip(point[None], boxes[:, :2], boxes[:, 2:])
    distance: NDArray[np.float64] = np.linalg.norm(nearest - point[None], axis=1)
    return distance
