"""What can be measured of a face's quality in the canonical crop, without a classifier.

Convention: crops are uint8 [N, 224, 224, 3] RGB and landmarks ``(x, y)`` in crop pixels (see
geometry.py). Lengths are shares of the distance between the eye centres, so that they do not depend
on how well a face filled its crop; grey and colour differences are in 8-bit levels.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from biometrics.faces.faceset import FaceSet
from biometrics.faces.geometry import CROP_SIZE, five_points
from biometrics.metrics.image import hull_masks
from biometrics.progress import Advance, silent

BATCH = 64
LUMA = torch.tensor([0.299, 0.587, 0.114])

BRIDGE = ((-6.0, 6.0, 7), (-10.0, 18.0, 28))
"""A patch on the bridge of the nose: first, last and number of samples across and along it, in
pixels of a crop with 55 px between the eyes, from landmark 27."""

FOREHEAD = ((-24.0, 24.0, 13), (-28.0, -20.0, 5))
"""A strip above the brows, in the same units, from the point between the inner ends of the brows;
and :data:`CHEEK`, a patch on each cheek, from the lower lid's middle."""

CHEEK = ((-8.0, 8.0, 9), (20.0, 36.0, 9))

UNIT = 55.0
"""Pixels between the eye centres that the patches are measured in."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Quality:
    """Measures of each face, float64 [N] each.

    Attributes:
        colour: colour that brightness does not explain, in 8-bit levels: the larger of the standard
            deviations of R - G and B - G about a straight line in the brightness. About 0 for a
            grey picture, also for one that is tinted as a whole.
        sharpness: variance of the Laplacian (four neighbours) of the grey crop inside the face.
        mouth_opening: gap between the lips.
        mouth_width: distance between the corners of the mouth.
        mouth_lift: how far these stand above the middle of the upper lip (mostly negative).
        eye_opening: gap between the lids as a share of the eye's own width.
        bridge_edge: the strongest thin line across the bridge of the nose, as a share of the
            contrast of the face.
        forehead: distance in colour between the strip above the brows and the cheeks.
    """

    colour: Values
    sharpness: Values
    mouth_opening: Values
    mouth_width: Values
    mouth_lift: Values
    eye_opening: Values
    bridge_edge: Values
    forehead: Values


def measure_quality(faces: FaceSet, *, advance: Advance = silent) -> Quality:
    """Measure every face; the crops are read batch by batch."""
    shape = _expression(faces.landmarks)
    parts = []
    for start in range(0, len(faces), BATCH):
        rows = slice(start, start + BATCH)
        crops = torch.from_numpy(np.array(faces.crops[rows])).float()
        parts.append(_looks(crops, np.asarray(faces.landmarks[rows], dtype=np.float64)))
        advance(len(crops))
    looks = {
        name: np.concatenate([part[name] for part in parts]) if parts else np.empty(0)
        for name in ("colour", "sharpness", "bridge_edge", "forehead")
    }
    return Quality(**{f.name: (shape | looks)[f.name] for f in fields(Quality)})


def sharpness(crops: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Variance of the Laplacian of the grey crops [N, 224, 224, 3] inside the hull of landmarks
    [N, 68, 2], float64 [N]. Noise and blocks of a JPEG count as sharp."""
    inside = torch.from_numpy(hull_masks(landmarks))
    grey = torch.from_numpy(np.array(crops)).float() @ LUMA
    found: NDArray[np.float64] = _variance(_laplacian(grey), inside).double().numpy()
    return found


def _expression(landmarks: NDArray[np.floating]) -> dict[str, Values]:
    """What landmarks [N, 68, 2] tell of an expression."""
    points = np.asarray(landmarks, dtype=np.float64)
    eyes = five_points(points)[:, :2]
    unit = np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=1)

    def apart(a: list[int], b: list[int]) -> Values:
        distance: Values = np.linalg.norm(points[:, a] - points[:, b], axis=2).mean(axis=1)
        return distance

    _, down = _axes(points)
    corners = points[:, [48, 54]].mean(axis=1) - points[:, 51]
    return {
        "mouth_opening": apart([61, 62, 63], [67, 66, 65]) / unit,
        "mouth_width": apart([48], [54]) / unit,
        "mouth_lift": -(corners * down).sum(axis=1) / unit,
        "eye_opening": apart([37, 38, 43, 44], [41, 40, 47, 46]) / apart([36, 42], [39, 45]),
    }


def _looks(crops: Tensor, landmarks: Values) -> dict[str, Values]:
    """What the pixels of crops [B, 224, 224, 3] in 8-bit levels tell."""
    grey = crops @ LUMA
    inside = torch.from_numpy(hull_masks(landmarks))
    planes = torch.cat([crops.permute(0, 3, 1, 2), grey[:, None]], dim=1)
    brows = (landmarks[:, 21] + landmarks[:, 22]) / 2
    forehead = _patch(planes, landmarks, brows, FOREHEAD)[:, :3].mean(dim=(2, 3))
    below = [landmarks[:, points].mean(axis=1) for points in ([40, 41], [46, 47])]
    cheeks = [_patch(planes, landmarks, at, CHEEK)[:, :3].mean(dim=(2, 3)) for at in below]
    lines = _patch(planes, landmarks, landmarks[:, 27], BRIDGE)[:, 3].mean(dim=2)
    lines = lines.unflatten(1, (-1, 2)).mean(dim=2)  # pairs: enlarged pictures hold no finer lines
    contrast = _variance(grey, inside).sqrt().clamp(min=1.0)
    return {
        "colour": _colour(crops[:, ::4, ::4].flatten(1, 2)).double().numpy(),
        "sharpness": _variance(_laplacian(grey), inside).double().numpy(),
        "bridge_edge": (lines.diff(n=2, dim=1).abs().amax(dim=1) / contrast).double().numpy(),
        "forehead": (forehead - sum(cheeks) / 2).norm(dim=1).double().numpy(),
    }


def _colour(pixels: Tensor) -> Tensor:
    """Spread of colour about a line in the brightness, [B], of pixels [B, P, 3]."""
    brightness = pixels @ LUMA
    centred = brightness - brightness.mean(dim=1, keepdim=True)
    opponents = pixels[..., [0, 2]] - pixels[..., 1:2]
    opponents = opponents - opponents.mean(dim=1, keepdim=True)
    slope = (opponents * centred[..., None]).sum(dim=1)
    slope = slope / centred.square().sum(dim=1, keepdim=True).clamp(min=1e-6)
    rest = opponents - slope[:, None] * centred[..., None]
    return rest.square().mean(dim=1).sqrt().amax(dim=1)


def _laplacian(grey: Tensor) -> Tensor:
    """Sum of the four neighbours minus four times the pixel, [B, H, W]; the border repeated."""
    near = F.pad(grey[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    across = near[:, 1:-1, :-2] + near[:, 1:-1, 2:]
    return across + near[:, :-2, 1:-1] + near[:, 2:, 1:-1] - 4 * grey


def _variance(values: Tensor, inside: Tensor) -> Tensor:
    """Variance [B] of values [B, H, W] where ``inside``; 0 where no pixel is."""
    count = inside.sum(dim=(1, 2)).clamp(min=1)
    mean = (values * inside).sum(dim=(1, 2)) / count
    return ((values - mean[:, None, None]).square() * inside).sum(dim=(1, 2)) / count


def _axes(landmarks: Values) -> tuple[Values, Values]:
    """Unit vectors [N, 2] of each face: from its right eye to its left, and down the face."""
    eyes = five_points(landmarks)[:, :2]
    across = eyes[:, 1] - eyes[:, 0]
    across = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    return across, np.stack([-across[:, 1], across[:, 0]], axis=1)


def _patch(
    planes: Tensor,
    landmarks: Values,
    origin: Values,
    extent: tuple[tuple[float, float, int], tuple[float, float, int]],
) -> Tensor:
    """Samples [B, C, rows, columns] of planes [B, C, H, W] on a grid that turns and grows with the
    face, about origins [B, 2]."""
    across, down = _axes(landmarks)
    eyes = five_points(landmarks)[:, :2]
    scale = np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=1)[:, None, None, None] / UNIT
    x, y = (np.linspace(*line) for line in extent)
    steps = x[None, :, None] * across[:, None, None] + y[:, None, None] * down[:, None, None]
    points = origin[:, None, None] + scale * steps  # B rows columns 2
    grid = torch.from_numpy(points / ((CROP_SIZE - 1) / 2) - 1).float()
    return F.grid_sample(planes, grid, padding_mode="border", align_corners=True)
