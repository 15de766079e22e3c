"""Eigenfaces: the classical backbone, fitted by the audit itself. A positive control.

A linear template gives its face away by construction, so an inversion attack that fails here is
broken; for the same reason its acceptance says nothing, and it is never an unseen judge.

Source: M. Turk and A. Pentland, "Eigenfaces for Recognition", 1991 (principal components of grey
pictures), compared by the whitened cosine, "MahCosine" of R. Beveridge, D. Bolme, M. Teixeira and
B. Draper, "The CSU Face Identification Evaluation System User's Guide", 2003.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sklearn.decomposition import PCA
from torch import Tensor

from biometrics.backbones.base import Backbone, BackboneSpec, register_backbone
from biometrics.backbones.embed import check_crops, to_tensor
from biometrics.errors import InputError, OutputError, WeightsError
from biometrics.faces.grey import grey

NAME = "eigenfaces"
SIZE = 64
MAX_DIM = 128
SMALLEST_VARIANCE = 1e-6
"""Components below this part of the largest variance are dropped: whitening would blow up noise."""

SPEC = BackboneSpec(
    name=NAME,
    dim=MAX_DIM,
    input_size=(SIZE, SIZE),
    # Every second pixel of the 128x128 around eyes and mouth; the quarter shift puts the sampling
    # point between four pixels, so that halving averages them.
    crop=((0.5, 0.0, -24.25), (0.0, 0.5, -33.25)),
    similarity="cosine",
    licence="none: fitted on the audit's own faces",
    origin="principal components of the attacker's faces",
    sha256=None,
    differentiable=True,
    may_be_unseen_judge=False,
    customary_threshold=None,
)


class Components(NamedTuple):
    """What is fitted: ``mean`` [P], orthonormal ``directions`` [D, P] and the standard deviation
    ``scale`` [D] along each, for P grey pixels."""

    mean: Tensor
    directions: Tensor
    scale: Tensor


class Eigenfaces(Backbone):
    """Whitened principal components of the grey face."""

    mean: Tensor
    projection: Tensor

    def __init__(self, components: Components) -> None:
        super().__init__(replace(SPEC, dim=len(components.directions)))
        self.register_buffer("mean", components.mean)
        self.register_buffer("projection", components.directions.T / components.scale)

    def embed_input(self, inputs: Tensor) -> Tensor:
        """Templates [N, D] of [N, 3, 64, 64], RGB in [0, 1]; unit variance over the fitted faces
        in every component, not of unit length."""
        return (grey_pixels(inputs) - self.mean) @ self.projection


def grey_pixels(inputs: Tensor) -> Tensor:
    """Grey values [N, H * W] of pictures [N, 3, H, W], in their range."""
    return grey(inputs).flatten(1)


class Cutter(Backbone):
    """The part of the crop that eigenfaces see, as grey pixels; before anything is fitted."""

    def __init__(self) -> None:
        super().__init__(SPEC)

    def embed_input(self, inputs: Tensor) -> Tensor:
        """Grey pixels [N, 64 * 64] in [0, 1]."""
        return grey_pixels(inputs)


def fit_components(crops: NDArray[np.uint8], *, max_dim: int = MAX_DIM) -> Components:
    """Principal components of crops uint8 [N, 224, 224, 3] RGB.

    D is ``max_dim``, or fewer where N - 1 or the number of directions with variance is smaller.

    Raises:
        InputError: for other shapes, or fewer than two different faces.
    """
    check_crops(crops)
    dim = min(max_dim, len(crops) - 1)
    if dim < 1:
        raise InputError(f"eigenfaces need at least two faces, got {len(crops)}")
    seen = grey_matrix(crops)
    if np.ptp(seen, axis=0).max() < 1e-5:  # less than rounding to 8 bits can make
        raise InputError(f"eigenfaces need different faces, got {len(crops)} equal ones")
    solver = "full" if len(crops) <= 4 * max_dim else "randomized"  # exact where that is cheap
    pca = PCA(n_components=dim, svd_solver=solver, iterated_power=7, random_state=0).fit(seen)
    variance = pca.explained_variance_
    kept = variance > SMALLEST_VARIANCE * variance[0]
    parts = (pca.mean_, pca.components_[kept], np.sqrt(variance[kept]))
    return Components(*(torch.from_numpy(np.ascontiguousarray(p, np.float32)) for p in parts))


def grey_matrix(crops: NDArray[np.uint8], batch_size: int = 64) -> NDArray[np.float32]:
    """What eigenfaces see of crops uint8 [N, 224, 224, 3]: grey pixels [N, 64 * 64] in [0, 1]."""
    cutter = Cutter()
    seen = np.empty((len(crops), SIZE * SIZE), dtype=np.float32)
    for start in range(0, len(crops), batch_size):
        with torch.inference_mode():
            batch = cutter(to_tensor(crops[start : start + batch_size])).numpy()
        seen[start : start + len(batch)] = batch
    return seen


def read_components(path: Path) -> Components:
    """Read what :meth:`EigenfacesFactory.fit` wrote.

    Raises:
        WeightsError: one line with the path, where the file is not usable.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
            if names != set(Components._fields):
                raise WeightsError(f"{path} holds no eigenfaces: tensors {sorted(names)[:5]}")
            components = Components(*(file.get_tensor(name) for name in Components._fields))
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is no readable safetensors file: {error}") from error
    _check_components(components, path)
    return components


def _check_components(components: Components, path: Path) -> None:
    shapes = [list(part.shape) for part in components]
    pixels, dim = SIZE * SIZE, shapes[1][0] if shapes[1] else 0
    if dim < 1 or shapes != [[pixels], [dim, pixels], [dim]]:
        raise WeightsError(f"{path}: expected [{pixels}], [D, {pixels}], [D], got {shapes}")
    if any(part.dtype != torch.float32 or not part.isfinite().all() for part in components):
        raise WeightsError(f"{path}: expected finite float32 values")
    if not (components.scale > 0).all():
        raise WeightsError(f"{path}: standard deviations must be positive")


def projected(components: Components, seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """The grey faces [N, P] that templates of those ``seen`` hold: the mean and the part along the
    components, without rounding and not clipped."""
    mean, directions = components.mean.numpy(), components.directions.numpy()
    return np.asarray(mean + (seen - mean) @ directions.T @ directions, dtype=np.float32)


class EigenfacesFactory:
    """Fits eigenfaces and makes the backbone from what was fitted."""

    def __call__(self, weights: Mapping[str, str]) -> Backbone:
        """Eigenfaces from ``weights["eigenfaces"]``."""
        if NAME not in weights:
            raise WeightsError(
                f"weights {NAME} missing: they are fitted on an audit's faces; "
                f"give the file of an earlier run as weights.{NAME}"
            )
        return Eigenfaces(read_components(Path(weights[NAME])))

    def fit(
        self,
        crops: NDArray[np.uint8],
        path: Path,
        *,
        subjects: NDArray[np.str_] | None = None,
        weights: Mapping[str, str] | None = None,
    ) -> None:
        """Fit on crops uint8 [N, 224, 224, 3] and write a safetensors file.

        Whose they are, and the weights of other backbones, do not matter. Equal crops give equal
        bytes (a second metadata entry would come in random order).

        Raises:
            InputError: for other shapes, or fewer than two different faces.
            OutputError: where the file cannot be written.
        """
        components = fit_components(crops)
        tensors = {k: v.contiguous() for k, v in components._asdict().items()}
        try:
            save_file(tensors, path, metadata={"generator": "faceleak"})
        except (SafetensorError, OSError) as error:
            raise OutputError(f"{path} cannot be written: {error}") from error


register_backbone(NAME)(EigenfacesFactory())
