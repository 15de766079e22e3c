"""The differentiable polyharmonic warp.

Source: Cole et al. 2017, section 4 (equation 1, algorithm 1) and Nagm et al. 2026, section 4.7
(equations 3 to 6), with φ(r) = r and zero displacement at eight points of the border.

Convention: points are ``(x, y)`` in pixels of the image that is warped, pixel centres at whole
numbers. A displacement says where a point of the *output* is fetched from: ``I1[p] = I0[p + d(p)]``
(backward warp). Giving the forward displacement warps the wrong way round, and landmarks of a crop
of another size must be brought over by :func:`scale_points` first;
``tests/biometrics/faces/test_warp.py`` pins these.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

RIDGE = 1e-3
"""Smoothing used when faces are warped, in units of half an image. Closed lips bring landmarks
within a tenth of a pixel of each other with contradicting displacements; exact interpolation would
tear the image there. At ordinary points it costs about a hundredth of a pixel."""


def scale_points(points: Tensor, *, size: int, to: int) -> Tensor:
    """Points of an image of side ``size`` in pixels of the same image resized to side ``to``."""
    return (points + 0.5) * (to / size) - 0.5


def border_points(size: int, *, like: Tensor) -> Tensor:
    """Corners and middles of the sides of a square image, [8, 2] in pixels."""
    end, middle = float(size - 1), (size - 1) / 2
    points = [
        (0, 0),
        (middle, 0),
        (end, 0),
        (0, middle),
        (end, middle),
        (0, end),
        (middle, end),
        (end, end),
    ]
    return torch.tensor(points, dtype=like.dtype, device=like.device)


def fit_spline(centres: Tensor, values: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Coefficients of the polyharmonic spline through values at centres.

    Solves ``[[Φ - λI, P], [Pᵀ, 0]] [w; v] = [values; 0]`` with Φ_ij = ‖c_i - c_j‖, P = [1, x, y].

    Args:
        centres: [B, K, 2], not all on one line; two equal centres need ``smoothing`` > 0.
        values: [B, K, C].
        smoothing: λ, 0 for exact interpolation.

    Returns:
        [B, K + 3, C]: K radial weights, then the affine part (constant, x, y).
    """
    batch, k, _ = centres.shape
    phi = _distances(centres, centres)
    if smoothing:
        phi = phi - smoothing * torch.eye(k, dtype=phi.dtype, device=phi.device)
    affine = torch.cat([torch.ones_like(centres[..., :1]), centres], dim=-1)  # B K 3
    corner = centres.new_zeros(batch, 3, 3)
    top = torch.cat([phi, affine], dim=2)
    bottom = torch.cat([affine.transpose(1, 2), corner], dim=2)
    right = torch.cat([values, values.new_zeros(batch, 3, values.shape[2])], dim=1)
    coefficients: Tensor = torch.linalg.solve(torch.cat([top, bottom], dim=1), right)
    return coefficients


def evaluate_spline(points: Tensor, centres: Tensor, coefficients: Tensor) -> Tensor:
    """Values [B, M, C] of a fitted spline at points [B or 1, M, 2]."""
    k = centres.shape[1]
    radial = _distances(points, centres) @ coefficients[:, :k]
    return radial + coefficients[:, k : k + 1] + points @ coefficients[:, k + 1 :]


def flow_field(
    landmarks: Tensor, displacement: Tensor, size: int, *, stride: int = 1, smoothing: float = RIDGE
) -> Tensor:
    """Dense displacement: ``displacement`` at the landmarks, zero at eight points of the border.

    Args:
        landmarks, displacement: [B, K, 2] in pixels of a square image of side ``size``.
        stride: the spline is evaluated at about every ``stride``-th pixel and interpolated linearly
            in between; 1 is dense.
        smoothing: see :func:`fit_spline`, in units of half an image.

    Returns:
        [B, size, size, 2] in pixels.
    """
    batch, half = len(landmarks), (size - 1) / 2
    border = border_points(size, like=landmarks).expand(batch, -1, -1)
    centres = torch.cat([landmarks, border], dim=1) / half - 1
    values = torch.cat([displacement, torch.zeros_like(border)], dim=1)
    coefficients = fit_spline(centres, values, smoothing=smoothing)
    nodes = math.ceil((size - 1) / stride) + 1
    line = torch.linspace(-1, 1, nodes, dtype=landmarks.dtype, device=landmarks.device)
    ys, xs = torch.meshgrid(line, line, indexing="ij")
    points = torch.stack([xs, ys], dim=-1).reshape(1, -1, 2)
    flow = evaluate_spline(points, centres, coefficients).reshape(batch, nodes, nodes, 2)
    if nodes == size:
        return flow
    coarse = flow.permute(0, 3, 1, 2)  # B H W 2 -> B 2 H W
    fine = F.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=True)
    return fine.permute(0, 2, 3, 1)


def warp(
    images: Tensor,
    landmarks: Tensor,
    displacement: Tensor,
    *,
    stride: int = 1,
    smoothing: float = RIDGE,
) -> Tensor:
    """Warp square images so that ``output[p] = images[p + displacement]`` at every landmark p.

    Args:
        images: [B, C, S, S].
        landmarks: [B, K, 2], where the points lie in the *output*.
        displacement: [B, K, 2], from there to where they lie in ``images``.

    Returns:
        [B, C, S, S], differentiable in all three inputs; sampled bilinearly, the border repeated.
    """
    size = images.shape[-1]
    flow = flow_field(landmarks, displacement, size, stride=stride, smoothing=smoothing)
    line = torch.linspace(-1, 1, size, dtype=images.dtype, device=images.device)
    ys, xs = torch.meshgrid(line, line, indexing="ij")
    grid = torch.stack([xs, ys], dim=-1) + flow * (2 / (size - 1))
    return F.grid_sample(images, grid, padding_mode="border", align_corners=True)


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances [B, M, K]; the gradient at distance zero is zero.

    Differences and not the product form: that one loses the digits of points close together.
    """
    a = a.expand(len(b), -1, -1)
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
