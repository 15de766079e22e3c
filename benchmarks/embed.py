"""Templates a second: every ready backbone, beside the library that it comes from.

Ours and the native library embed the same pictures in the same run on the same cores, in turns, and
the best turn of each counts; ours is timed once more on whole canonical crops, cutting included.
Exits with 1 where templates differ, or where our module of dlib's ResNet is less than ten times as
fast as dlib's faster way. A library that is not installed is not measured.

dlib computes on one thread, as its wheel ships it, so all do unless told otherwise. More threads
help on an idle machine only: they wait for each other, and one core that is busy with something
else slows them all (seen: 2.7 ms an image on one thread, 29 ms on two).

    python benchmarks/embed.py --images 64 --threads 1
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, not installed

import numpy as np
import torch
from _peers import MATCHES, Load, Match, own_way
from _timing import best_times

from biometrics.backbones.base import BACKBONES, load_backbone
from biometrics.errors import WeightsError

FLOORS = {"dlib": 10.0}
"""How many times faster than its native library a backbone has to be."""

TOLERANCE = 1e-5
"""Largest difference of a template value, in lengths of a template."""


def main() -> int:
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    print(f"{args.images} images, batches of {args.batch}, {args.threads} threads, ", end="")
    print(f"torch {torch.__version__}, best of {args.rounds}")
    print(f"{'backbone, way':<30}{'ms an image':>12}{'images/s':>10}{'x native':>10}")
    good = []
    with tempfile.TemporaryDirectory() as folder:
        load = Load(np.random.default_rng(0), args.images, args.batch, args.threads, Path(folder))
        for name, make in MATCHES.items():
            try:
                match = make(load)
            except (ImportError, WeightsError) as error:
                print(f"{name}: not measured: {error}")
                continue
            good.append(measure(name, match, args.rounds))
        others = [name for name in BACKBONES.names() if name not in MATCHES]
        absent = [name for name in others if not alone(name, load, args.rounds)]
    print(f"not ready here (faceleak backbones says why): {', '.join(absent)}")
    return 0 if all(good) else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def measure(name: str, match: Match, rounds: int) -> bool:
    """Print one backbone's lines; whether it is right and fast enough."""
    print(f"{name} ({match.weights})")
    ours = match.inputs()
    lengths = np.linalg.norm(ours, axis=1, keepdims=True)
    difference = max(float((abs(way() - ours) / lengths).max()) for way in match.native.values())
    ways = {"faceleak, crops": match.crops, "faceleak, its input": match.inputs, **match.native}
    seconds = best_times(ways, rounds)
    native = min(seconds[way] for way in match.native)
    show(seconds, len(ours), native)
    right = difference <= TOLERANCE
    print(f"  templates differ by {difference:.1e} (at most {TOLERANCE:.0e})", end="")
    factor, floor = native / seconds["faceleak, its input"], FLOORS.get(name, 0.0)
    if floor:
        print(f"; floor {floor:.0f}x: {'met' if factor >= floor else 'MISSED'}", end="")
    print("" if right else "  WRONG")
    return right and factor >= floor


def alone(name: str, load: Load, rounds: int) -> bool:
    """Print the line of a backbone that no library has, unless its weights are missing."""
    try:
        backbone = load_backbone(name)
    except WeightsError:
        return False
    print(f"{name} (no library has it)")
    show(best_times({"faceleak, crops": own_way(backbone, load)}, rounds), load.images, None)
    return True


def show(seconds: Mapping[str, float], images: int, native: float | None) -> None:
    for way, taken in seconds.items():
        compared = "" if native is None else f"{native / taken:>10.1f}"
        print(f"  {way:<28}{1e3 * taken / images:>12.2f}{images / taken:>10.1f}{compared}")


if __name__ == "__main__":
    sys.exit(main())
