"""What bf16 does to templates: how far they move, whether they still recognise, and the time.

Each backbone embeds the same faces in float32 and in bf16, in turns, batch by batch. The TMR of
each is at its own threshold; "mixed" compares bf16 templates with float32 ones at the float32
threshold, as a new template meets an old store. Exact enough is a backbone whose TMR in bf16, own
and mixed, differs from that in float32 by less than .005 at both ends of the 95 % interval (paired,
over subjects); its record may then say ``bf16_measured``. Random weights would say nothing about
recognition, so only backbones whose weights are here are measured.

    python benchmarks/precision.py --faces RUN/faces --pictures 3000 dlib mobilefacenet
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, not installed

import numpy as np
import torch
from numpy.typing import NDArray

from audit.synthesis import generate_faces
from biometrics.backbones.base import Backbone, load_backbone
from biometrics.backbones.embed import Precision, embed
from biometrics.errors import WeightsError
from biometrics.faces.faceset import FaceSet
from biometrics.metrics.intervals import Interval, paired_difference, subject_means
from biometrics.metrics.pairs import group, mated_pairs
from biometrics.metrics.scores import pair_scores
from biometrics.metrics.verification import Threshold, nonmated_threshold

BATCH = 32
ENOUGH = 0.005
PICTURES_EACH = 4
PRECISIONS: tuple[Precision, Precision] = ("float32", "bf16")


class Embedded(NamedTuple):
    """Templates [N, D], and the seconds of the median batch."""

    vectors: NDArray[np.float32]
    seconds: float


def main() -> int:
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    faces = some(args.faces, args.pictures)
    people = len(set(faces.subject_ids.tolist()))
    where = args.faces or "generated, they say little about photographs"
    print(f"{len(faces):,} pictures of {people:,} people ({where}), TMR at FMR {args.fmr:g},")
    print(f"{args.device}, {args.threads} threads, torch {torch.__version__}")
    for name in args.backbones:
        try:
            backbone = load_backbone(name).to(args.device)
        except WeightsError as error:
            print(f"{name}: not measured: {error}")
            continue
        report(backbone, faces, args.fmr)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("backbones", nargs="*", default=["dlib", "mobilefacenet"])
    parser.add_argument("--faces", type=Path, help="what faceleak faces align wrote")
    parser.add_argument("--pictures", type=int, default=240)
    parser.add_argument("--fmr", type=float, default=None)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    args.fmr = args.fmr or (1e-3 if args.faces else 1e-2)
    return args


def some(folder: Path | None, pictures: int) -> FaceSet:
    """At most so many, four each of people with several, in the order of the folder."""
    if folder is None:
        return generate_faces(pictures // 3, 3, seed=3)
    faces = FaceSet.load(folder)
    groups = group(faces.subject_ids)
    starts = np.concatenate([[0], np.cumsum(groups.counts)])
    place = np.arange(len(faces)) - starts[groups.index[groups.order]]
    several = groups.counts[groups.index[groups.order]] > 1
    return faces.take(groups.order[several & (place < PICTURES_EACH)][:pictures])


def both(backbone: Backbone, faces: FaceSet) -> dict[Precision, Embedded]:
    """In turns, so that load hits both alike."""
    parts: dict[Precision, list[NDArray[np.float32]]] = {precision: [] for precision in PRECISIONS}
    seconds: dict[Precision, list[float]] = {precision: [] for precision in PRECISIONS}
    for start in range(0, len(faces), BATCH):
        crops = faces.crops[start : start + BATCH]
        for precision in PRECISIONS:
            began = time.perf_counter()
            parts[precision].append(embed(backbone, crops, batch_size=BATCH, precision=precision))
            seconds[precision].append((time.perf_counter() - began) / len(crops))
    return {
        precision: Embedded(np.concatenate(parts[precision]), float(np.median(seconds[precision])))
        for precision in PRECISIONS
    }


def report(backbone: Backbone, faces: FaceSet, fmr: float) -> None:
    made = both(backbone, faces)
    full, half = (made[precision].vectors for precision in PRECISIONS)
    moved = np.linalg.norm(half - full, axis=1) / np.linalg.norm(full, axis=1)
    groups = group(faces.subject_ids)
    pairs, kind = mated_pairs(groups).both_ways(), backbone.spec.similarity
    owner = groups.index[pairs.first]

    def threshold(vectors: NDArray[np.float32]) -> float:
        found = nonmated_threshold(vectors, faces.subject_ids, kind, fmr)
        assert isinstance(found, Threshold), found
        return found.value

    def accepted(
        first: NDArray[np.float32], second: NDArray[np.float32], least: float
    ) -> NDArray[np.float64]:
        return subject_means(pair_scores(first, second, pairs, kind) >= least, owner)

    declared = accepted(full, full, threshold(full))
    own = accepted(half, half, threshold(half))
    mixed = accepted(half, full, threshold(full))
    milliseconds = [1e3 * made[precision].seconds for precision in PRECISIONS]
    print(f"{backbone.spec.name}: {milliseconds[0]:.1f} ms a picture in float32, ", end="")
    print(f"{milliseconds[1]:.1f} in bf16")
    print(f"  a template moves by {np.median(moved):.2%} of its length, at most {moved.max():.2%}")
    differences = [paired_difference(way, declared, rates=True) for way in (own, mixed)]
    print(f"  TMR {declared.mean():.4f}; bf16 {own.mean():.4f} ({shown(differences[0])}), ", end="")
    print(f"mixed {mixed.mean():.4f} ({shown(differences[1])})")
    enough = all(within(difference) for difference in differences)
    print(f"  {'exact enough' if enough else 'not shown to be exact enough'}")


def within(difference: Interval) -> bool:
    ends = (difference.low, difference.high)
    return all(end is not None and abs(end) < ENOUGH for end in ends)


def shown(difference: Interval) -> str:
    low, high = (np.nan if end is None else end for end in (difference.low, difference.high))
    return f"{difference.value:+.4f} [{low:+.4f}, {high:+.4f}]"


if __name__ == "__main__":
    sys.exit(main())
