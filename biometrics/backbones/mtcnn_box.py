"""Where the box of the detector MTCNN lies in the canonical crop, for networks cut by it.

MTCNN's box follows no landmarks: it turns with nothing, and its sides stretch with pose. One fixed
box stands for it here, an approximation: the mean over 285 pictures of LFW of what facenet-pytorch
2.6.0's MTCNN (margin 0) gives, measured at eye centres, nose tip and mouth corners. From picture to
picture these points scatter around it by 13 of 160 pixels across (the nose by 23, with the pose)
and 5 down (the nose by 9).
"""

from __future__ import annotations

from typing import NamedTuple

from biometrics.backbones.base import Crop


class Box(NamedTuple):
    """Edges in pixels of the canonical crop; the first pixel reaches from -0.5 to 0.5."""

    left: float
    top: float
    right: float
    bottom: float

    def enlarged(self, factor: float) -> Box:
        """Both sides times ``factor``, about the same centre."""
        x, y = (self.left + self.right) / 2, (self.top + self.bottom) / 2
        width, height = self.right - self.left, self.bottom - self.top
        across, down = width * factor / 2, height * factor / 2
        return Box(x - across, y - down, x + across, y + down)

    def squared(self) -> Box:
        """The square of the shorter side's length about the same centre."""
        x, y = (self.left + self.right) / 2, (self.top + self.bottom) / 2
        half = min(self.right - self.left, self.bottom - self.top) / 2
        return Box(x - half, y - half, x + half, y + half)

    def crop(self, size: int) -> Crop:
        """The crop of a network whose makers stretch this box to ``size`` x ``size`` pixels."""
        across, down = size / (self.right - self.left), size / (self.bottom - self.top)
        return (
            (across, 0.0, -across * self.left - 0.5),
            (0.0, down, -down * self.top - 0.5),
        )


MTCNN_BOX = Box(47.5, 33.7, 172.8, 202.2)
