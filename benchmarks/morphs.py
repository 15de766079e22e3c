"""Composites and morphs a second: the least-squares compositor against OpenCV's ``seamlessClone``.

Both paste the same faces onto the same backgrounds, in turns on the same cores, and the best turn
of each counts. SciPy's sparse factorisation of the same normal equations, also made once, is timed
beside them and says whether the solution is right. Whole morphs (reading, three warps, pasting) are
timed with either compositor. At last, reading random batches of the morphs from the memory map is
set against a training step (the appearance decoder's: draw, warp, embed with dlib's network,
gradients). Exits with 1 where the composite is wrong by more than a tenth of a grey level, where it
is slower than ``seamlessClone``, or where reading takes over 10 % of a step.

    python benchmarks/morphs.py --images 32 --threads 1
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, not installed

import cv2
import numpy as np
import scipy.sparse as sp
import torch
from _timing import best_times
from numpy.typing import NDArray
from scipy.sparse.linalg import splu
from torch import Tensor

from audit.synthesis import generate_faces, shipped_model_path
from biometrics.backbones.base import load_backbone
from biometrics.faces import morph
from biometrics.faces.appearance import AppearanceModel, normalised_textures
from biometrics.faces.composite import Composite, make_compositor, soft_mask
from biometrics.faces.faceset import FaceSet
from biometrics.faces.resize import from_pixels, resize
from biometrics.faces.stream import write_faces

SIZE, ROUNDS, STEP = 224, 3, 48
TOLERANCE = 0.1
WAITING = 0.10

Floats = NDArray[np.floating]


def main() -> int:
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    faces = generate_faces(args.images, 2, 0)
    mean = faces.landmarks.mean(axis=0).astype(np.float32)
    parts = [torch.from_numpy(part.copy()) for part in normalised_textures(faces, mean, SIZE)]
    textures = torch.cat(parts)
    first, second = textures[::2], textures[1::2].roll(1, dims=0)
    ours, clone = make_compositor("least-squares", mean), make_compositor("seamless", mean)
    sparse = factorised(soft_mask(mean))
    print(f"{args.images} pictures of {SIZE}x{SIZE}, {args.threads} threads, best of {ROUNDS}")
    ways: dict[str, Callable[[], object]] = {
        "seamlessClone": lambda: clone(first, second),
        "sparse, SciPy": lambda: sparse(first, second),
        "least squares": lambda: ours(first, second),
        "morph, seamless": lambda: morphs(faces, args.images, "seamless", clone),
        "morph, least squares": lambda: morphs(faces, args.images, "least-squares", ours),
    }
    seconds = best_times(ways, ROUNDS)
    print(f"{'way':<24}{'ms a picture':>13}{'pictures/s':>12}")
    for name, taken in seconds.items():
        print(f"{name:<24}{1e3 * taken / args.images:>13.2f}{args.images / taken:>12.1f}")
    away = 255 * float((ours(first, second) - sparse(first, second)).abs().max())
    print(f"largest difference from SciPy {away:.4f} grey levels (at most {TOLERANCE})")
    factor = seconds["seamlessClone"] / seconds["least squares"]
    print(f"least squares is {factor:.1f} times as fast as seamlessClone (floor 1)")
    waiting = reading(faces)
    return 0 if away <= TOLERANCE and factor >= 1 and waiting <= WAITING else 1


def morphs(faces: FaceSet, count: int, kind: Composite, ready: object) -> None:
    """Draw morphs with a compositor that was made before."""
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(faces))
    weights = rng.random((2, count))
    plan = morph.MorphPlan(rows[:count], rows[::-1][:count], *weights)
    known = morph.make_compositor
    morph.make_compositor = lambda *_: ready  # type: ignore[assignment,return-value]
    try:
        for _ in morph.make_morphs(faces, plan, composite=kind):
            pass
    finally:
        morph.make_compositor = known


def factorised(mask: Floats) -> Callable[[Tensor, Tensor], Tensor]:
    """The same normal equations by SciPy's sparse LU, in float64."""
    n = len(mask)
    same, ones = sp.identity(n), np.ones(n - 1)
    step = sp.diags([-ones, ones], [0, 1], shape=(n - 1, n))
    mean = sp.diags([ones / 2, ones / 2], [0, 1], shape=(n - 1, n))
    across, down = sp.kron(same, step), sp.kron(step, same)
    weights = [sp.diags(sp.kron(*pair) @ mask.ravel()) for pair in ((same, mean), (mean, same))]
    square = sp.diags(mask.ravel() ** 2)
    solver = splu((across.T @ across + down.T @ down + square).tocsc())
    right = across.T @ weights[0] @ across + down.T @ weights[1] @ down + square

    def paste(faces: Tensor, backgrounds: Tensor) -> Tensor:
        difference = (faces - backgrounds).double().reshape(-1, n * n).numpy().T
        change = solver.solve(np.asarray(right @ difference)).T.reshape(faces.shape)
        return (backgrounds + torch.from_numpy(change).float()).clamp(0, 1)

    return paste


def reading(faces: FaceSet) -> float:
    """Share of a training step that is spent on reading its batch from the memory map."""
    model = AppearanceModel.load(shipped_model_path())
    backbone, rng = load_backbone("dlib", {}), np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        mapped = write_faces([faces] * -(-512 // len(faces)), Path(folder))

        def read() -> Tensor:
            return from_pixels(mapped.crops[rng.integers(0, len(mapped), STEP)])

        def step() -> None:
            coefficients = torch.zeros(STEP, model.n_coefficients, requires_grad=True)
            large = resize(model.render(coefficients), SIZE)
            backbone(large).square().sum().backward()

        seconds = best_times({"read": read, "step": step}, ROUNDS)
    share = seconds["read"] / (seconds["read"] + seconds["step"])
    print(
        f"a batch of {STEP}: read in {1e3 * seconds['read']:.1f} ms, trained on in "
        f"{1e3 * seconds['step']:.1f} ms: {share:.1%} waiting (at most {WAITING:.0%})"
    )
    return share


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
