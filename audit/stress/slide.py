"""Where a template looks: one grey block slid over a grid, and what similarity it costs there.

The row ``slide`` holds the map, the mean loss over people at every place, and four measures, means
of the loss over the places whose middle lies there: ``loss_eyes`` and ``loss_mouth`` (in the blocks
that the family lays over these), ``loss_face`` (in the hull of the 68 points) and ``loss_outside``
(out of it). The loss is the similarity of the clean template to itself minus that of the template
with the block to the clean one: 1 - cosine, or the distance.

Source of the idea: M. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks",
2014, section 4.2, there with a classifier's probability.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from attacks.perturbation.occlusion import grid_blocks
from audit.stress.bench import Vectors, Workbench
from audit.stress.rows import Condition, recognition_row, subject_estimate
from audit.stress.settings import OcclusionSettings
from biometrics.backbones.base import Backbone
from biometrics.backbones.embed import embed
from biometrics.faces.degrade import blocks, cover
from biometrics.faces.geometry import CROP_SIZE
from biometrics.faces.images import digest
from biometrics.file_names import file_name
from biometrics.metrics.image import hull_masks
from biometrics.metrics.scores import paired_similarity
from reports.results import StressMap, StressResult


def sensitivity(
    backbone: Backbone, crop: NDArray[np.uint8], clean: Vectors, covered: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Loss of similarity under each cover, float64 [K].

    Args:
        backbone: the model.
        crop: uint8 [224, 224, 3].
        clean: its template of the crop [D].
        covered: bool [K, 224, 224].
    """
    kind = backbone.spec.similarity
    moved = embed(backbone, cover(crop[None], covered))
    itself = paired_similarity(clean[None], clean[None], kind)
    lost = itself - paired_similarity(moved, np.broadcast_to(clean, moved.shape), kind)
    return lost.astype(np.float64)


def slide_row(bench: Workbench, sizes: OcclusionSettings) -> StressResult:
    """The map of the target itself, one picture a person."""
    rows = bench.draw(sizes.slide_faces, 1, purpose="slide")
    lost = _losses(bench, rows, sizes)
    grid = sizes.slide_grid
    condition = Condition(
        "occlusion",
        "slide",
        float(sizes.slide_block),
        "pixels",
        f"one block of {sizes.slide_block} px on a {grid} x {grid} grid",
        note="the block of each place may reach into its neighbours"
        if sizes.slide_block * grid > CROP_SIZE
        else "",
    )
    people = np.unique(bench.names[rows])
    means = np.stack([lost[bench.names[rows] == name].mean(axis=0) for name in people])
    places = {f"loss_{name}": where for name, where in _places(bench, rows, grid).items()}
    measures = {
        name: subject_estimate(bench, rows, _mean_where(lost, where))
        for name, where in places.items()
    }
    row = recognition_row(bench, condition, bench.judge(bench.target), {}, measures=measures)
    values = means.mean(axis=0).reshape(grid, grid)
    drawn = StressMap(measure="loss of similarity", values=values.tolist(), n=len(rows))
    return row.model_copy(update={"map": drawn})


def _losses(
    bench: Workbench, rows: NDArray[np.intp], sizes: OcclusionSettings
) -> NDArray[np.float64]:
    """Loss at every place [N, grid * grid], as a stage of the whole run."""
    drawn = digest(rows.astype(np.int64).tobytes())
    inputs = {
        "faces": bench.people.faces_key,
        "rows": drawn,
        "grid": sizes.slide_grid,
        "block": sizes.slide_block,
        "backbone": bench.models.backbone_keys[bench.target],
    }

    def build(out: Path) -> None:
        covered = grid_blocks(sizes.slide_grid, sizes.slide_block)
        model, clean = bench.models.ready[bench.target], bench.clean(bench.target, rows)
        lost = np.empty((len(rows), len(covered)))
        with bench.watch.task(f"slide a block: {bench.target}", len(rows)) as advance:
            for i, row in enumerate(rows):
                crop = np.asarray(bench.people.faces.crops[row])
                lost[i] = sensitivity(model, crop, clean[i], covered)
                advance(1)
        np.save(out / "lost.npy", lost, allow_pickle=False)

    place = f"perturbed/slide-{drawn[:8]}/{file_name(bench.target)}"
    folder = bench.shared.stage(place, inputs, build).folder
    found: NDArray[np.float64] = np.load(folder / "lost.npy", allow_pickle=False)
    return found


def _places(bench: Workbench, rows: NDArray[np.intp], grid: int) -> dict[str, NDArray[np.bool_]]:
    """Which places of the grid have their middle in a part of each face, bool [N, grid * grid]."""
    points = np.asarray(bench.people.faces.landmarks[rows])
    middles = np.rint((np.arange(grid) + 0.5) * CROP_SIZE / grid - 0.5).astype(int)
    face = hull_masks(points)
    masks = {
        "eyes": blocks(points, "eyes"),
        "mouth": blocks(points, "mouth"),
        "face": face,
        "outside": ~face,
    }
    return {n: m[:, middles][:, :, middles].reshape(len(rows), -1) for n, m in masks.items()}


def _mean_where(values: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean of each row over the places that are true there; NaN where none is."""
    counts = where.sum(axis=1)
    sums = np.where(where, values, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
