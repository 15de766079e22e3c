"""Pasting a face onto a background so that no seam shows: gradient-domain compositing.

Two ways. :class:`LeastSquares` is the linear system of Cole et al. 2017, equation 3: the face keeps
its colours and the background takes them on. :class:`Seamless` is OpenCV's ``seamlessClone``, as in
Nagm et al. 2026, section 5.3: the background keeps its colours and the face takes them on.

Convention: faces and backgrounds are textures on the same mean shape, float32 [B, C, S, S] in
[0, 1]; the mask [S, S] is 1 where the face is.
"""

from __future__ import annotations

from typing import Literal, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from biometrics.faces.resize import from_pixels, to_pixels
from biometrics.metrics.image import hull_masks

SOFTNESS = 6.0
"""Standard deviation of the mask's blur, in pixels of the 224 crop."""

Composite = Literal["least-squares", "seamless"]


class Compositor(Protocol):
    """Pastes faces onto backgrounds."""

    def __call__(self, faces: Tensor, backgrounds: Tensor) -> Tensor:
        """Composites [B, C, S, S] in [0, 1] of faces and backgrounds [B, C, S, S]."""
        ...


def make_compositor(kind: Composite, mean_shape: NDArray[np.floating]) -> Compositor:
    """The compositor of that name for textures of side 224 on a mean shape [68, 2]."""
    if kind == "least-squares":
        return LeastSquares(soft_mask(mean_shape))
    return Seamless(face_mask(mean_shape))


def face_mask(mean_shape: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Convex hull of the mean landmarks, bool [224, 224]."""
    mask: NDArray[np.bool_] = hull_masks(np.asarray(mean_shape)[None])[0]
    return mask


def soft_mask(mean_shape: NDArray[np.floating], softness: float = SOFTNESS) -> NDArray[np.float64]:
    """The same softened by a Gaussian blur, float64 [224, 224] in [0, 1]."""
    soft: NDArray[np.float64] = gaussian_filter(
        face_mask(mean_shape).astype(np.float64), softness, mode="nearest"
    )
    return soft


class LeastSquares:
    """Solves equation 3 of Cole et al. 2017 for many pictures at once.

    With mask M, face F, background B and forward differences ∂ it minimises, over the output T,
    ‖∂T - (M∘∂F + (1 - M)∘∂B)‖² + ‖M∘T - M∘F‖², the first term in both directions; at a difference
    M is the mean of its two ends. With D = F - B the step T - B solves the normal equations
    (∂ᵀ∂ + M²)(T - B) = ∂ᵀ(M∘∂D) + M²∘D. Their matrix depends on the mask alone and couples each row
    of pixels with the next by -1, so a block elimination over rows factorises it once; a solution
    then takes two products of an S x S matrix with a row, for all pictures and colours together.

    Args:
        mask: [S, S] in [0, 1], not zero everywhere.

    Raises:
        ValueError: a mask that is not square, leaves [0, 1] or is zero everywhere.
    """

    def __init__(self, mask: NDArray[np.floating]) -> None:
        m = np.asarray(mask, dtype=np.float64)
        if m.ndim != 2 or m.shape[0] != m.shape[1]:
            raise ValueError(f"expected a square mask, got {list(m.shape)}")
        if not (m.min() >= 0 and 0 < m.max() <= 1):
            raise ValueError("a mask lies in [0, 1] and is not zero everywhere")
        self._inverses = torch.from_numpy(_eliminate(m)).float()
        self._mask = torch.from_numpy(m).float()

    def __call__(self, faces: Tensor, backgrounds: Tensor) -> Tensor:
        """Composites [B, C, S, S] in [0, 1] of faces and backgrounds [B, C, S, S]."""
        return (backgrounds + self._solve(self._right(faces - backgrounds))).clamp(0, 1)

    def _right(self, difference: Tensor) -> Tensor:
        """The right side of the normal equations."""
        m = self._mask
        right = m.square() * difference
        across = difference.diff(dim=-1) * (m[:, 1:] + m[:, :-1]) / 2
        down = difference.diff(dim=-2) * (m[1:] + m[:-1]) / 2
        right[..., 1:] += across
        right[..., :-1] -= across
        right[..., 1:, :] += down
        right[..., :-1, :] -= down
        return right

    def _solve(self, right: Tensor) -> Tensor:
        """Forward and backward substitution over the rows."""
        rows = right.permute(2, 3, 0, 1).flatten(2).contiguous()  # B C S S -> S S BC
        last = len(rows) - 1
        rows[0] = self._inverses[0] @ rows[0]
        for i in range(1, last + 1):
            rows[i] = self._inverses[i] @ rows[i].add_(rows[i - 1])
        for i in range(last - 1, -1, -1):
            rows[i].addmm_(self._inverses[i], rows[i + 1])
        size = right.shape
        return rows.reshape(size[2], size[3], size[0], size[1]).permute(2, 3, 0, 1)


def _eliminate(mask: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverses [S, S, S] of the diagonal blocks that are left when all rows above are eliminated.

    With blocks D_i on the diagonal and -I beside them, S_0 = D_0 and S_i = D_i - S_(i-1)⁻¹. All are
    symmetric and positive definite.
    """
    size = len(mask)
    ends = np.ones(size)
    ends[1:-1] = 2  # neighbours along a line of pixels
    if size == 1:
        ends[:] = 0
    beside = np.eye(size, k=1) + np.eye(size, k=-1)
    inverses = np.empty((size, size, size))
    above = np.zeros((size, size))
    for i in range(size):
        block = np.diag(ends[i] + ends + mask[i] ** 2) - beside - above
        inverses[i] = np.linalg.inv(block)
        above = inverses[i]
    return inverses


class Seamless:
    """OpenCV's ``seamlessClone``, one picture at a time.

    Args:
        mask: bool [S, S]; the face must not touch the border.

    Raises:
        ValueError: an empty mask or one that touches the border.
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        inner = mask[1:-1, 1:-1].sum()
        if inner == 0 or inner != mask.sum():
            raise ValueError("a mask needs some pixels and may not touch the border")
        self._mask = mask.astype(np.uint8) * 255
        x, y, width, height = cv2.boundingRect(self._mask)
        # OpenCV places the mask's bounding box about this point: here where it already is.
        self._centre = (x + width // 2, y + height // 2)

    def __call__(self, faces: Tensor, backgrounds: Tensor) -> Tensor:
        """Composites [B, 3, S, S] in [0, 1] of faces and backgrounds [B, 3, S, S]."""
        pairs = zip(to_pixels(faces.numpy()), to_pixels(backgrounds.numpy()), strict=True)
        # A copy of the mask each time: OpenCV 5.0 leaves it inverted, and the next face would be
        # pasted everywhere but where it belongs.
        made = [
            cv2.seamlessClone(face, background, self._mask.copy(), self._centre, cv2.NORMAL_CLONE)
            for face, background in pairs
        ]
        return from_pixels(np.stack(made).astype(np.uint8, copy=False))
