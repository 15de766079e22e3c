"""Poor pictures: what their templates keep, and whether the reconstruction is cleaner than they.

Measures of a row besides ``shift`` (see rows.py), means over people, all inside the hull of the
true 68 points and against the *clean* crop:

* ``psnr_reconstruction`` and ``psnr_source``: PSNR in dB of the reconstruction and of the poor
  picture; ``gain_over_source``: the first minus the second, paired. Above 0 the reconstruction is
  nearer to the clean picture than what the template was computed from. The source of the clean row
  is the clean picture itself, so there is no gain to speak of.
* ``sharpness_reconstruction``, ``sharpness_source``, ``sharpness_clean``: variance of the Laplacian
  of the reconstruction, the poor and the clean picture. It tells blur from detail, but takes noise
  and the blocks of a JPEG for detail, too.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from attacks.perturbation.base import PERTURBATIONS, Perturbation
from audit.stress.bench import Numbers, Workbench
from audit.stress.pictures import picture_rows
from audit.stress.settings import QualitySettings
from biometrics.faces.images import digest
from biometrics.faces.quality import sharpness
from biometrics.metrics.image import hull_masks, psnr_within
from reports.results import StressFamily, StressResult

FAMILY: StressFamily = "quality"


def stress(bench: Workbench) -> list[StressResult]:
    """The rows of one target."""
    rows = bench.draw(bench.sizes.quality.subjects, bench.sizes.pictures)
    numbers = functools.partial(_numbers, bench, rows)
    return picture_rows(bench, FAMILY, perturbations(bench.sizes.quality), rows, numbers=numbers)


def perturbations(sizes: QualitySettings) -> list[Perturbation]:
    """All that is tried, the mildest of each kind first."""
    strengths: dict[str, tuple[float, ...]] = {
        "blur": sizes.blur,
        "low-resolution": sizes.low_resolution,
        "jpeg": sizes.jpeg,
        "noise": sizes.noise,
    }
    grey = PERTURBATIONS.get("grey")()
    return [grey, *(PERTURBATIONS.get(n)(s) for n, tried in strengths.items() for s in tried)]


def _numbers(
    bench: Workbench, rows: NDArray[np.intp], perturbation: Perturbation | None
) -> Numbers:
    record = {
        "quality": None if perturbation is None else [perturbation.name, perturbation.strength],
        "faces": bench.people.faces_key,
        "rows": digest(rows.astype(np.int64).tobytes()),
        "seed": bench.config.seed,
    }
    return Numbers(functools.partial(_measure, bench, rows, perturbation), record)


def _measure(
    bench: Workbench,
    rows: NDArray[np.intp],
    perturbation: Perturbation | None,
    made: NDArray[np.uint8],
    points: NDArray[np.float32],
    some: slice,
) -> Mapping[str, NDArray[np.floating]]:
    faces, here = bench.people.faces, rows[some]
    clean, true = np.asarray(faces.crops[here]), np.asarray(faces.landmarks[here])
    face = hull_masks(true)
    now = psnr_within(made, clean, face)
    found: dict[str, NDArray[np.floating]] = {
        "psnr_reconstruction": now,
        "sharpness_reconstruction": sharpness(made, true),
        "sharpness_clean": sharpness(clean, true),
    }
    if perturbation is not None:
        source = bench.perturbed(perturbation, here).crops
        before = psnr_within(source, clean, face)
        found |= {
            "psnr_source": before,
            "gain_over_source": now - before,
            "sharpness_source": sharpness(source, true),
        }
    return found
