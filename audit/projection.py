"""The positive control of a comparison: do pictures made of eigenfaces' templates hold what the
templates hold?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.compared_run import ComparedRun
from audit.estimates import estimate, mean_estimate
from audit.people import seed_for
from biometrics.backbones import eigenfaces
from biometrics.errors import InputError, WeightsError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.resize import to_canonical
from biometrics.file_names import file_name
from biometrics.metrics.image import PSNR_CAP
from biometrics.metrics.intervals import paired_difference, subject_means
from biometrics.metrics.pairs import group
from reports.results import ProjectionCheck

BATCH = 256

SMALLEST_ERROR = 10 ** (-PSNR_CAP / 10)
"""The mean squared error below which pictures count as equal."""


def check_projection(run: ComparedRun) -> ProjectionCheck | None:
    """PSNR of the projection on the components, and of the reconstructions that come nearest, over
    the grey window that eigenfaces see; None where the run attacks another model, the pictures
    leaked degraded, or its faces are gone."""
    if run.target != eigenfaces.NAME or not run.config.leak.clean:
        return None
    try:
        faces = FaceSet.load(run.folder / "faces")
        weights = run.config.weights.get(run.target) or (
            run.folder / "backbones" / file_name(run.target) / "weights.safetensors"
        )
        components = eigenfaces.read_components(weights)
        templates = run.templates(run.target)
    except (InputError, WeightsError):
        return None
    rows = np.flatnonzero(run.roles(templates) == "leaked")
    originals = _grey(faces.crops, rows)
    index = group(templates.subject_ids[rows]).index
    seed = seed_for("bootstrap", run.config.seed)
    shown = {a.attack: _psnr(_reconstructed(run, a.attack), originals) for a in run.attacks}
    attack = max(shown, key=lambda name: subject_means(shown[name], index).mean())
    projection = _psnr(eigenfaces.projected(components, originals), originals)
    means = [subject_means(values, index) for values in (shown[attack], projection)]
    return ProjectionCheck(
        attack=attack,
        components=len(components.directions),
        projection=mean_estimate(projection, index, seed),
        reconstruction=mean_estimate(shown[attack], index, seed),
        difference=estimate(paired_difference(means[0], means[1], rates=False, seed=seed)),
    )


def _reconstructed(run: ComparedRun, attack: str) -> NDArray[np.float32]:
    path = run.folder / "reconstructions" / file_name(attack) / "crops.npy"
    crops = np.load(path, mmap_mode="r", allow_pickle=False)
    return _grey(crops, np.arange(len(crops)))


def _grey(crops: NDArray[np.uint8], rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """What eigenfaces see of these crops of any square size, [N, P] in [0, 1]."""
    parts = [
        eigenfaces.grey_matrix(to_canonical(np.asarray(crops[rows[start : start + BATCH]])))
        for start in range(0, len(rows), BATCH)
    ]
    return np.concatenate(parts)


def _psnr(made: NDArray[np.float32], originals: NDArray[np.float32]) -> NDArray[np.float64]:
    """PSNR [N] in dB of grey pictures [N, P], brought into [0, 1] as a picture would be."""
    errors = (made.clip(0, 1) - originals).astype(np.float64)
    return np.asarray(10 * np.log10(1 / np.maximum((errors**2).mean(axis=1), SMALLEST_ERROR)))
