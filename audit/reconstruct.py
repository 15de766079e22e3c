"""From templates to pictures, to the faces found in them, and to a judge's templates of them."""

from __future__ import annotations

import hashlib
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attacks.base import InversionAttack
from audit.watch import Watch
from biometrics.backbones.base import Backbone
from biometrics.backbones.embed import embed
from biometrics.faces.detect import find_in_crop
from biometrics.faces.resize import to_canonical
from biometrics.parallel import ordered_map

BATCH = 256


class Inverted(NamedTuple):
    """Reconstructions uint8 [N, S, S, 3], landmarks where they are predicted, and the seconds."""

    crops: NDArray[np.uint8]
    landmarks: NDArray[np.float32] | None
    seconds: float


def invert(
    attack: InversionAttack, vectors: NDArray[np.float32], name: str, watch: Watch
) -> Inverted:
    """Faces from templates [N, D], as an attacker would hand them in."""
    crops, landmarks, seconds = [], [], 0.0
    with watch.task(f"invert {len(vectors):,} templates by {name}", len(vectors)) as step:
        for begin in range(0, len(vectors), BATCH):
            start = time.perf_counter()
            made = attack.invert(vectors[begin : begin + BATCH])
            seconds += time.perf_counter() - start
            crops.append(made.rounded())
            if made.landmarks is not None:
                landmarks.append(made.landmarks)
            step(len(made))
    points = np.concatenate(landmarks) if landmarks else None
    return Inverted(np.concatenate(crops), points, seconds)


def find_faces(pictures: NDArray[np.uint8], name: str, watch: Watch) -> NDArray[np.float32]:
    """Landmarks [N, 68, 2] found in each reconstruction, NaN where there is no face; equal pictures
    (the mean face) are searched once."""
    digests = [hashlib.sha256(picture.tobytes()).digest() for picture in pictures]
    _, first, back = np.unique(digests, return_index=True, return_inverse=True)
    with watch.task(f"look for faces in {name}", len(first)) as advance:
        crops = [to_canonical(pictures[i : i + 1])[0] for i in first]
        found = []
        for landmarks in ordered_map(find_in_crop, crops):
            missing = np.full((68, 2), np.nan, dtype=np.float32)
            found.append(missing if landmarks is None else landmarks)
            advance(1)
    return np.stack(found)[back]


def embed_pictures(
    backbone: Backbone, pictures: NDArray[np.uint8], name: str, watch: Watch
) -> NDArray[np.float32]:
    """A judge's templates [N, D] of reconstructions uint8 [N, S, S, 3]."""
    parts = []
    with watch.task(f"judge {name} by {backbone.spec.name}", len(pictures)) as advance:
        for begin in range(0, len(pictures), BATCH):
            crops = to_canonical(np.asarray(pictures[begin : begin + BATCH]))
            parts.append(embed(backbone, crops, advance=advance))
    return np.concatenate(parts)
