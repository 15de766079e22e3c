"""Templates a second: our module of dlib's ResNet against dlib itself.

Both embed the same 150x150 chips in the same run on the same cores, in turns, and the best turn of
each counts; ours is timed once more on whole canonical crops, cutting included. Exits with 1 where
ours is less than ten times as fast as dlib's faster way, or where the templates differ.

dlib computes on one thread, as its wheel ships it, so ours does too unless told otherwise. More
threads help on an idle machine only: they wait for each other, and one core that is busy with
something else slows them all (seen: 2.7 ms an image on one thread, 29 ms on two).

    python benchmarks/embed.py --images 64 --threads 1
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, not installed

import dlib
import numpy as np
import torch
from _timing import best_times
from numpy.typing import NDArray

from biometrics.backbones.base import Backbone, load_backbone
from biometrics.backbones.dlib_resnet import packaged_file
from biometrics.backbones.embed import embed, to_tensor

FLOOR = 10.0
TOLERANCE = 1e-5
ROUNDS = 5


def main() -> int:
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    random = np.random.default_rng(0)
    chips = random.integers(0, 256, (args.images, 150, 150, 3), dtype=np.uint8)
    crops = random.integers(0, 256, (args.images, 224, 224, 3), dtype=np.uint8)
    model = dlib.face_recognition_model_v1(str(packaged_file()))
    backbone = load_backbone("dlib")

    def ours() -> NDArray[np.floating]:
        return embed_chips(backbone, chips, args.batch)

    ways: dict[str, Callable[[], NDArray[np.floating]]] = {
        "dlib, one by one": lambda: np.array([model.compute_face_descriptor(c) for c in chips]),
        "dlib, as a batch": lambda: np.array(model.compute_face_descriptor(list(chips), 0)),
        "faceleak, chips": ours,
        "faceleak, crops": lambda: embed(backbone, crops, batch_size=args.batch),
    }
    difference = float(abs(ways["dlib, as a batch"]() - ours()).max())
    seconds = best_times(ways, ROUNDS)
    factor = report(seconds, args.images, args.threads, difference)
    return 0 if factor >= FLOOR and difference <= TOLERANCE else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    return parser.parse_args()


def embed_chips(
    backbone: Backbone, chips: NDArray[np.uint8], batch_size: int
) -> NDArray[np.floating]:
    """Templates [N, 128] of chips uint8 [N, 150, 150, 3], without the cut from the crop."""
    with torch.inference_mode():
        parts = [
            backbone.embed_input(to_tensor(chips[start : start + batch_size]))
            for start in range(0, len(chips), batch_size)
        ]
    return torch.cat(parts).numpy()


def report(seconds: dict[str, float], images: int, threads: int, difference: float) -> float:
    """Print the table; gives how many times faster ours is than dlib's faster way."""
    peer = min(taken for name, taken in seconds.items() if name.startswith("dlib"))
    print(f"{images} images, {threads} threads, torch {torch.__version__}, best of {ROUNDS}")
    print(f"{'way':<20}{'ms an image':>12}{'images/s':>10}{'x dlib':>8}")
    for name, taken in seconds.items():
        each = f"{1e3 * taken / images:>12.2f}{images / taken:>10.1f}"
        print(f"{name:<20}{each}{peer / taken:>8.1f}")
    factor = peer / seconds["faceleak, chips"]
    print(f"largest difference of a template value {difference:.1e} (at most {TOLERANCE:.0e})")
    print(f"floor {FLOOR:.0f}x: {'met' if factor >= FLOOR else 'MISSED'} with {factor:.1f}x")
    return factor


if __name__ == "__main__":
    sys.exit(main())
