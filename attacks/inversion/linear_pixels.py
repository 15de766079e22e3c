"""Ridge regression from the template to the pixels: the nearest picture that a line can draw.

Closed form. It comes nearest to the photographs in the mean square, hence in PSNR, and looks
blurred: what the template does not say is averaged over everybody. Where templates are linear in
the pixels, as those of eigenfaces, it gives back all that they hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from safetensors.numpy import save_file
from sklearn.decomposition import PCA

from attacks.base import (
    AttackSettings,
    InversionAttack,
    Reconstruction,
    Resources,
    register_attack,
)
from attacks.checks import check_dimension, check_pairs
from attacks.inversion.decoder import resized_crops
from attacks.saved import read_arrays
from biometrics.faces.faceset import FaceSet
from biometrics.ridge import solve_ridge
from biometrics.templates import TemplateSet

FILE = "linear-pixels.safetensors"
ARRAYS = ("mean", "directions", "weights", "picture")
PIXELS_AT_ONCE = 1 << 13
"""Pixels whose equations are solved together: memory stays below that of all of them."""


class LinearPixelsSettings(AttackSettings):
    """Settings of ``linear-pixels``.

    Attributes:
        ridge: penalty, relative to the number of pairs and the mean variance of a template's value.
        size: side of the pictures.
        components: longer templates are brought to this many principal components first.
    """

    ridge: float = Field(default=1e-3, ge=0)
    size: int = Field(default=112, ge=16, le=224)
    components: int = Field(default=512, ge=1)


@register_attack("linear-pixels")
class LinearPixels(InversionAttack):
    """``pixels = mean picture + (template - mean) W``."""

    Settings: ClassVar[type[AttackSettings]] = LinearPixelsSettings
    knowledge: ClassVar[str] = "pairs of faces and templates; the model itself is not needed"

    settings: LinearPixelsSettings

    def __init__(self, settings: AttackSettings, resources: Resources) -> None:
        super().__init__(settings, resources)
        self.mean = np.zeros(0, dtype=np.float32)
        self.directions = np.zeros((0, 0), dtype=np.float32)
        self.weights = np.zeros((0, 0), dtype=np.float32)
        self.picture = np.zeros((0, 0, 0), dtype=np.float32)

    def fit(self, faces: FaceSet, templates: TemplateSet) -> None:
        """Solve the normal equations, some pixels at a time.

        Raises:
            InputError: different numbers of faces and templates, or fewer than two.
        """
        check_pairs(faces, templates)
        vectors = templates.vectors
        self.directions = _directions(vectors, self.settings.components)
        pixels = resized_crops(faces, self.settings.size).numpy()
        flat = pixels.reshape(len(pixels), -1)
        average = flat.mean(axis=0, dtype=np.float64)
        self.picture = (average / 255).astype(np.float32).reshape(pixels.shape[1:])
        # The mean is taken off before the projection, so that of the projected ones is nothing.
        self.mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        shortened = ((vectors - self.mean) @ self.directions).astype(np.float32)
        self.weights = np.empty((shortened.shape[1], flat.shape[1]), dtype=np.float32)
        for start in range(0, flat.shape[1], PIXELS_AT_ONCE):
            part = slice(start, start + PIXELS_AT_ONCE)
            targets = ((flat[:, part] - average[part]) / 255).astype(np.float32)
            _, self.weights[:, part] = solve_ridge(shortened, targets, self.settings.ridge)

    def invert(self, vectors: NDArray[np.float32]) -> Reconstruction:
        """Faces [N, 3, size, size].

        Raises:
            InputError: another dimension than the attack was fitted on, or NaN.
        """
        check_dimension(vectors, len(self.mean))
        changes = (vectors - self.mean) @ self.directions @ self.weights
        crops = self.picture + changes.reshape(len(vectors), *self.picture.shape)
        return Reconstruction(np.clip(crops, 0, 1).astype(np.float32))

    def save(self, folder: Path) -> None:
        """``linear-pixels.safetensors``."""
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in ARRAYS}
        save_file(arrays, folder / FILE)

    def restore(self, folder: Path) -> None:
        """Read the file."""
        arrays = read_arrays(folder / FILE, ARRAYS)
        for name in ARRAYS:
            setattr(self, name, arrays[name])


def _directions(vectors: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Orthonormal columns [D, C]: the identity, or the principal components of longer templates."""
    dim = vectors.shape[1]
    if dim <= most:
        return np.eye(dim, dtype=np.float32)
    fewer = min(most, len(vectors) - 1)
    pca = PCA(n_components=fewer, svd_solver="randomized", random_state=0).fit(vectors)
    return np.ascontiguousarray(pca.components_.T, dtype=np.float32)
