"""Warped pictures a second: the differentiable warp against SciPy on the same task.

The peer evaluates the same spline (``RBFInterpolator``, linear kernel, degree 1, the same points
and the same smoothing) at every pixel and samples with ``map_coordinates`` (order 1). All ways run
in turns on the same cores and the best turn of each counts. Exits with 1 where the dense warp
differs from the peer's pictures by more than rounding, the coarse one by more than a grey level on
average, or where the coarse one, which draws the faces, is less than ten times as fast as the peer.

    python benchmarks/warp.py --images 16 --threads 1
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, not installed

import numpy as np
import torch
from _timing import best_times
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import map_coordinates, zoom
from torch import Tensor

from biometrics.faces.warp import RIDGE, border_points, warp

SIZE, LANDMARKS = 224, 68
FLOOR = 10.0
TOLERANCE = 0.1 / 255
COARSE_TOLERANCE = 1.0 / 255
ROUNDS = 3

Floats = NDArray[np.floating]


def main() -> int:
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    images, landmarks, displacement = make_task(args.images)

    def ours(stride: int) -> Floats:
        with torch.inference_mode():
            return warp(images, landmarks, displacement, stride=stride).numpy()

    def gradient() -> Floats:
        inputs = displacement.clone().requires_grad_()
        warp(images, landmarks, inputs, stride=4).square().sum().backward()
        assert inputs.grad is not None
        return inputs.grad.numpy()

    ways: dict[str, Callable[[], Floats]] = {
        "SciPy, dense": lambda: with_scipy(images, landmarks, displacement),
        "faceleak, dense": lambda: ours(1),
        "faceleak, stride 4": lambda: ours(4),
        "the same with gradient": gradient,
    }
    peer = ways["SciPy, dense"]()
    dense = float(abs(ours(1) - peer).max())
    coarse = float(abs(ours(4) - peer).mean())
    factor = report(best_times(ways, ROUNDS), args.images, args.threads)
    print(
        f"dense: largest difference {255 * dense:.4f} grey levels (at most {255 * TOLERANCE:.1f})"
    )
    print(f"stride 4: mean difference {255 * coarse:.4f} grey levels (at most 1)")
    print(f"floor {FLOOR:.0f}x: {'met' if factor >= FLOOR else 'MISSED'} with {factor:.1f}x")
    return 0 if factor >= FLOOR and dense <= TOLERANCE and coarse <= COARSE_TOLERANCE else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def make_task(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Smooth pictures [N, 3, 224, 224], and landmarks and displacements [N, 68, 2] like a face's:
    spread over its middle, moved by about four pixels, neighbours alike."""
    rng = np.random.default_rng(0)
    images = zoom(rng.random((count, 3, 14, 14)), (1, 1, 16, 16), order=3).clip(0, 1)
    landmarks = rng.uniform(50, 190, (count, LANDMARKS, 2))
    field = zoom(rng.standard_normal((count, 2, 4, 4)), (1, 1, 56, 56), order=3)
    where = landmarks.round().astype(int)
    rows = np.arange(count)[:, None]
    displacement = 4 * field[rows, :, where[..., 1], where[..., 0]]
    as_floats = (torch.from_numpy(array).float() for array in (images, landmarks, displacement))
    first, second, third = as_floats
    return first, second, third


def with_scipy(images: Tensor, landmarks: Tensor, displacement: Tensor) -> Floats:
    """The same warp, one picture at a time, in float64."""
    ys, xs = np.mgrid[:SIZE, :SIZE]
    pixels = np.column_stack([xs.ravel(), ys.ravel()]).astype(float)
    border = border_points(SIZE, like=landmarks).numpy()
    out = np.empty(images.shape)
    for i in range(len(images)):
        spline = RBFInterpolator(
            np.concatenate([landmarks[i].numpy(), border]),
            np.concatenate([displacement[i].numpy(), np.zeros((8, 2))]),
            kernel="linear",
            degree=1,
            smoothing=RIDGE * (SIZE - 1) / 2,  # RIDGE is in units of half an image
        )
        x, y = (pixels + spline(pixels)).T.reshape(2, SIZE, SIZE)
        for channel in range(3):
            picture = images[i, channel].numpy()
            out[i, channel] = map_coordinates(picture, [y, x], order=1, mode="nearest")
    return out


def report(seconds: dict[str, float], images: int, threads: int) -> float:
    """Print the table; gives how many times faster the coarse warp is than SciPy."""
    peer = seconds["SciPy, dense"]
    print(
        f"{images} pictures of {SIZE}x{SIZE}, {LANDMARKS} landmarks, {threads} threads, "
        f"torch {torch.__version__}, best of {ROUNDS}"
    )
    print(f"{'way':<24}{'ms a picture':>13}{'pictures/s':>12}{'x SciPy':>9}")
    for name, taken in seconds.items():
        each = f"{1e3 * taken / images:>13.2f}{images / taken:>12.1f}"
        print(f"{name:<24}{each}{peer / taken:>9.1f}")
    return peer / seconds["faceleak, stride 4"]


if __name__ == "__main__":
    sys.exit(main())
