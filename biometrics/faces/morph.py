"""More faces from few: random morphs of similar faces, and averages of one subject's pictures.

Sources: Cole et al. 2017, sections 5.1, 5.2 and 6.2; Nagm et al. 2026, section 5.3.

Convention: landmarks are pixels of the 224 crop and textures lie in [0, 1] on the mean shape. The
distance of equation 2, λ‖L_A - L_B‖ + ‖T_A - T_B‖, depends on these units, which the paper does not
give; here ‖T‖ is that of the whole 224 x 224 x 3 texture, whatever size it is computed at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from biometrics.errors import InputError
from biometrics.faces.appearance import WARP_STRIDE, Floats, as_tensor, normalised_textures
from biometrics.faces.composite import Composite, make_compositor
from biometrics.faces.faceset import FaceSet
from biometrics.faces.geometry import CROP_SIZE
from biometrics.faces.resize import from_pixels, to_pixels
from biometrics.faces.warp import warp
from biometrics.progress import Advance, silent

BATCH = 16
BLOCK = 512
"""Faces whose distances to all others are held at a time."""

MINIMUM = 3
"""Pictures that a subject needs for an average (Cole et al. 2017, 6.2)."""

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class MorphSettings:
    """How morphs are drawn.

    Attributes:
        neighbours: k, parent B is one of A's k nearest faces; fewer where the set holds fewer.
        landmark_weight: λ of equation 2.
        distance_size: side of the textures that are compared, in pixels.
        composite: how the morphed face is pasted onto A's texture.
    """

    neighbours: int = 200
    landmark_weight: float = 10.0
    distance_size: int = 32
    composite: Composite = "least-squares"


@dataclass(frozen=True)
class MorphPlan:
    """Which faces are morphed, and how much of B each morph has.

    Attributes:
        a, b: rows of the parents, int [M].
        shape_weight, texture_weight: B's share in landmarks and in texture, float64 [M] in [0, 1].
    """

    a: Rows
    b: Rows
    shape_weight: NDArray[np.float64]
    texture_weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.a)


def plan_morphs(
    faces: FaceSet, count: int, seed: int, *, settings: MorphSettings | None = None
) -> MorphPlan:
    """Draw the parents and weights of morphs.

    Every face is parent A equally often, up to one. B is another subject's: a morph within a
    subject would be no new face.

    Raises:
        InputError: faces of one subject only.
    """
    settings, rng = settings or MorphSettings(), np.random.default_rng(seed)
    if len(set(faces.subject_ids)) < 2:
        raise InputError("morphs need faces of at least two subjects")
    rounds = -(-count // len(faces))
    a = np.concatenate([rng.permutation(len(faces)) for _ in range(max(rounds, 1))])[:count]
    choice, shape, texture = rng.random((3, count))
    b = np.empty(count, dtype=np.intp)
    known = _Known.of(faces, settings.distance_size)
    for seeds in np.array_split(np.unique(a), -(-len(np.unique(a)) // BLOCK) or 1):
        near = known.neighbours(seeds, settings)
        of = np.flatnonzero(np.isin(a, seeds))
        mine = near.rows[np.searchsorted(seeds, a[of])]
        rank = (choice[of] * near.counts[np.searchsorted(seeds, a[of])]).astype(np.intp)
        b[of] = mine[np.arange(len(of)), rank]
    return MorphPlan(a.astype(np.intp), b, shape, texture)


@dataclass(frozen=True)
class Neighbours:
    """The nearest faces of each of some faces, nearest first.

    Attributes:
        rows: int [S, k]; beyond a face's count the entries mean nothing.
        counts: how many there are, int [S], at most k.
    """

    rows: Rows
    counts: Rows


def nearest_faces(
    faces: FaceSet, seeds: Rows, *, settings: MorphSettings | None = None
) -> Neighbours:
    """The nearest faces of other subjects by equation 2, for the faces at rows ``seeds``."""
    settings = settings or MorphSettings()
    return _Known.of(faces, settings.distance_size).neighbours(seeds, settings)


@dataclass(frozen=True)
class _Known:
    """What distances are computed from: rows of landmarks and textures, and subjects by number."""

    shapes: Floats
    textures: Floats
    subjects: Rows

    @classmethod
    def of(cls, faces: FaceSet, size: int) -> _Known:
        mean = faces.landmarks.mean(axis=0).astype(np.float32)
        shapes = (faces.landmarks - mean).reshape(len(faces), -1).astype(np.float32)
        parts = [t.reshape(len(t), -1) for t in normalised_textures(faces, mean, size)]
        textures = np.concatenate(parts)
        textures -= textures.mean(axis=0)  # smaller numbers, fewer lost digits; same distances
        textures *= CROP_SIZE / size
        return cls(shapes, textures, np.unique(faces.subject_ids, return_inverse=True)[1])

    def neighbours(self, seeds: Rows, settings: MorphSettings) -> Neighbours:
        distance = settings.landmark_weight * _distances(self.shapes, seeds)
        distance += _distances(self.textures, seeds)
        distance[self.subjects[seeds][:, None] == self.subjects] = np.inf
        k = min(settings.neighbours, len(self.subjects))
        some = np.argpartition(distance, k - 1, axis=1)[:, :k]
        values = np.take_along_axis(distance, some, axis=1)
        order = np.lexsort((some, values), axis=1)  # ties by row, so that a seed is enough
        counts = np.isfinite(values).sum(axis=1)
        return Neighbours(np.take_along_axis(some, order, axis=1), counts)


def _distances(rows: Floats, seeds: Rows) -> Floats:
    """Euclidean distances [S, N] from some rows [N, P] to all, by one matrix product."""
    squares = np.einsum("ij,ij->i", rows, rows)
    product = rows[seeds] @ rows.T
    distance: Floats = np.sqrt(np.maximum(squares[seeds][:, None] + squares - 2 * product, 0))
    return distance


def make_morphs(
    faces: FaceSet,
    plan: MorphPlan,
    *,
    composite: Composite = "least-squares",
    advance: Advance = silent,
) -> Iterator[FaceSet]:
    """Draw planned morphs, batch by batch.

    Both parents are warped to the mean shape, blended there, pasted onto A's texture and warped to
    the morphed landmarks. Each morph is a subject of its own; the table names its parents.
    """
    mean = faces.landmarks.mean(axis=0).astype(np.float32)
    paste = make_compositor(composite, mean)
    for start in range(0, len(plan), BATCH):
        rows = np.arange(start, min(start + BATCH, len(plan)))
        a, b = faces.take(plan.a[rows]), faces.take(plan.b[rows])
        weight = as_tensor(plan.texture_weight[rows])[:, None, None, None]
        with torch.inference_mode():
            background, other = _textures(a, mean), _textures(b, mean)
            pasted = paste(torch.lerp(background, other, weight), background)
            shape = plan.shape_weight[rows][:, None, None]
            landmarks = ((1 - shape) * a.landmarks + shape * b.landmarks).astype(np.float32)
            target = as_tensor(landmarks)
            made = warp(pasted, target, as_tensor(mean) - target, stride=WARP_STRIDE)
        yield FaceSet(to_pixels(made.numpy()), landmarks, _morph_table(plan, rows, a, b))
        advance(len(rows))


def _textures(faces: FaceSet, mean: Floats) -> torch.Tensor:
    """Whole textures [B, 3, 224, 224] of one batch."""
    return torch.cat([as_tensor(t) for t in normalised_textures(faces, mean, CROP_SIZE)])


def _morph_table(plan: MorphPlan, rows: Rows, a: FaceSet, b: FaceSet) -> pd.DataFrame:
    names = [f"morph-{row:06d}" for row in rows]
    return pd.DataFrame(
        {
            "face_id": names,
            "subject_id": names,
            "parent_a": a.table["face_id"].to_numpy(),
            "parent_b": b.table["face_id"].to_numpy(),
            "shape_weight": plan.shape_weight[rows],
            "texture_weight": plan.texture_weight[rows],
        }
    )


def average_faces(
    faces: FaceSet, *, minimum: int = MINIMUM, advance: Advance = silent
) -> Iterator[FaceSet]:
    """Averages of the pictures of each subject who has at least ``minimum``, batch by batch.

    Each picture is warped to the subject's mean landmarks, then the pixels are averaged. The table
    holds the number of pictures. ``advance`` is told about every picture used.
    """
    names, subject, counts = np.unique(faces.subject_ids, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(counts[subject] >= minimum)
    rows = rows[np.argsort(subject[rows], kind="stable")]
    means = _mean_shapes(faces.landmarks, subject, len(names))
    carried = torch.zeros(3, CROP_SIZE, CROP_SIZE)  # of a subject who goes on in the next batch
    for start in range(0, len(rows), BATCH):
        some, following = rows[start : start + BATCH], rows[start + BATCH : start + BATCH + 1]
        who, inside = np.unique(subject[some], return_inverse=True)
        sums = torch.zeros(len(who), 3, CROP_SIZE, CROP_SIZE)
        sums[0] += carried
        target = as_tensor(means[subject[some]])
        with torch.inference_mode():
            away = as_tensor(faces.landmarks[some]) - target
            warped = warp(from_pixels(faces.crops[some]), target, away, stride=WARP_STRIDE)
        sums.index_add_(0, torch.from_numpy(inside), warped)
        goes_on = bool(len(following)) and subject[following[0]] == who[-1]
        carried = sums[-1].clone() if goes_on else torch.zeros_like(carried)
        done = who[:-1] if goes_on else who
        if len(done):
            pictures = torch.from_numpy(counts[done])[:, None, None, None]
            pixels = to_pixels((sums[: len(done)] / pictures).numpy())
            yield FaceSet(pixels, means[done], _average_table(names[done], counts[done]))
        advance(len(some))


def _mean_shapes(landmarks: NDArray[np.floating], subject: Rows, count: int) -> Floats:
    """Mean landmarks of each subject, float32 [count, 68, 2]."""
    sums = np.zeros((count, *landmarks.shape[1:]))
    np.add.at(sums, subject, landmarks)
    means = sums / np.bincount(subject, minlength=count)[:, None, None]
    return means.astype(np.float32)


def _average_table(names: NDArray[np.str_], counts: Rows) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "face_id": [f"average/{name}" for name in names],
            "subject_id": names.astype(object),
            "pictures": counts,
        }
    )
