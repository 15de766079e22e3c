"""Names beside the points of a figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from reports.figures import short
from reports.label_places import Boxes, place_labels
from reports.theme import GREY

_LEADER = 8.0  # points between a point and its name from which a line joins them
_HALF = 3.5  # points, of a marker

Span = tuple[tuple[float, float], tuple[float, float]]
"""A line of a figure: from x to x, from y to y."""


def name_points(
    axes: Axes,
    names: Sequence[str],
    points: NDArray[np.float64],
    lines: Sequence[Span],
    others: Boxes | None = None,
    *,
    limit: int = 24,
    reach: int = 9,
    columns: int = 1,
) -> None:
    """Names beside points, none over another; a thin line where one had to move away.

    The figure must have 72 dots an inch, so that its display units are points.

    Args:
        names: of the points; long ones are cut.
        points: [N, 2] in units of the axes.
        lines: what names should not cover, in units of the axes.
        others: [M, 4] boxes that they should not cover either, in points of the page.
        limit: letters of a name.
        reach: how many of its heights a name may move up or down.
        columns: how many of its widths it may move aside.
    """
    if not names:
        return
    places = axes.transData.transform(points)
    texts = [axes.text(0, 0, short(name, limit), fontsize=8.5) for name in names]
    extents = [text.get_window_extent() for text in texts]
    sizes = np.array([[box.width + 2, box.height] for box in extents])
    corners = [corner for (x0, x1), (y0, y1) in lines for corner in ((x0, y0), (x1, y1))]
    ends = axes.transData.transform(corners).reshape(-1, 4) if corners else np.empty((0, 4))
    frame = np.asarray(axes.get_window_extent().extents)
    marks = np.concatenate([np.tile(places, 2), ends]) + np.array([-_HALF, -_HALF, _HALF, _HALF])
    marks = marks if others is None else np.concatenate([marks, others])
    to_data = axes.transData.inverted().transform
    found = place_labels(places, sizes, frame, marks, reach=reach, columns=columns)
    for text, place, point in zip(texts, found, places, strict=True):
        text.set(position=to_data((place[0] + 1, (place[1] + place[3]) / 2)), va="center")
        near = np.clip(point, place[:2], place[2:])
        if np.linalg.norm(near - point) > _LEADER:
            leader = to_data([point, near])
            axes.plot(leader[:, 0], leader[:, 1], color=GREY, linewidth=0.6, zorder=1)
