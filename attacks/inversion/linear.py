"""Ridge regression from the template to the coefficients of the appearance model.

Closed form, fitted in seconds, and startlingly strong: the floor that every trained decoder has to
beat.
"""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from safetensors.numpy import save_file

from attacks.base import (
    AttackSettings,
    InversionAttack,
    Reconstruction,
    Resources,
    register_attack,
)
from attacks.checks import check_dimension, check_pairs
from attacks.saved import read_arrays, save_appearance, with_appearance
from biometrics.errors import InputError
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.faceset import FaceSet
from biometrics.ridge import solve_ridge
from biometrics.templates import TemplateSet

BATCH = 128


class LinearSettings(AttackSettings):
    """Settings of ``linear``.

    Attributes:
        ridge: penalty, relative to the number of pairs and the mean variance of a template's value.
        exaggeration: factor on the predicted coefficients. Regression predicts less variance than
            faces have, as if everybody were more average than they are; a caricature makes up for
            it. Chosen with the ridge on a fold of attacker subjects, judged by the attacked model
            (``benchmarks/lfw/tune_linear.py``).
    """

    ridge: float = Field(default=1e-2, ge=0)
    exaggeration: float = Field(default=1.3, gt=0)


class _Encoded(NamedTuple):
    faces: weakref.ref[FaceSet]
    model: AppearanceModel
    coded: NDArray[np.float32]


_LAST: list[_Encoded] = []
"""One at most. It outlives the attack: one that was fitted is read back from its files before it is
fitted again to other templates of the same faces."""


def _same(a: AppearanceModel, b: AppearanceModel) -> bool:
    """Whether both encode alike."""
    parts = ("mean_shape", "shape_basis", "mean_texture", "texture_basis", "pixel_weights")
    return a is b or all(np.array_equal(getattr(a, part), getattr(b, part)) for part in parts)


@register_attack("linear")
class Linear(InversionAttack):
    """``coefficients = (template - mean) W``, drawn by the appearance model and its warp."""

    Settings: ClassVar[type[AttackSettings]] = LinearSettings
    knowledge: ClassVar[str] = "pairs of faces and templates; the model itself is not needed"
    closed_form: ClassVar[bool] = True
    tuned_for: ClassVar[frozenset[str]] = frozenset({"dlib"})

    settings: LinearSettings

    def __init__(self, settings: AttackSettings, resources: Resources) -> None:
        super().__init__(settings, resources)
        self.mean = np.zeros(0, dtype=np.float32)
        self.weights = np.zeros((0, 0), dtype=np.float32)

    def fit(self, faces: FaceSet, templates: TemplateSet) -> None:
        """Solve the normal equations once.

        Raises:
            InputError: different numbers of faces and templates, or fewer than two.
        """
        check_pairs(faces, templates)
        self._solve(templates.vectors, self._targets(faces))

    def refitted(
        self,
        faces: FaceSet,
        templates: TemplateSet,
        rows: NDArray[np.integer] | None = None,
    ) -> Self:
        """As for any attack; the faces are encoded once for all fits that follow each other."""
        again = type(self)(self.settings, self.resources)
        targets = self._targets(faces)
        targets = targets if rows is None else targets[rows]
        if len(targets) != len(templates):
            raise InputError(f"{len(targets)} faces, but {len(templates)} templates")
        again._solve(templates.vectors, targets)
        return again

    def _solve(self, vectors: NDArray[np.float32], targets: NDArray[np.float32]) -> None:
        self.mean, self.weights = solve_ridge(vectors, targets, self.settings.ridge)

    def _targets(self, faces: FaceSet) -> NDArray[np.float32]:
        """Coefficients of these faces [N, K]; those of the last faces are kept."""
        model = self.resources.appearance
        for last in _LAST:
            if last.faces() is faces and _same(last.model, model):
                return last.coded
        coded = model.encode(faces, advance=self.resources.advance)
        _LAST[:] = [_Encoded(weakref.ref(faces), model, coded)]
        return coded

    def coefficients(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predicted standardised coefficients [N, K]."""
        check_dimension(vectors, len(self.mean))
        predicted = (vectors - self.mean) @ self.weights
        return (predicted * self.settings.exaggeration).astype(np.float32)

    def invert(self, vectors: NDArray[np.float32]) -> Reconstruction:
        """Faces at the size of the appearance model's texture.

        Raises:
            InputError: another dimension than the attack was fitted on, or NaN.
        """
        coefficients = torch.from_numpy(self.coefficients(vectors))
        model = self.resources.appearance
        crops, landmarks = [], []
        with torch.inference_mode():
            for batch in coefficients.split(BATCH):
                decoded = model.decode(batch)
                crops.append(model.compose(decoded.textures, decoded.landmarks).numpy())
                landmarks.append(decoded.landmarks.numpy())
        return Reconstruction(np.concatenate(crops), np.concatenate(landmarks))

    def save(self, folder: Path) -> None:
        """``linear.safetensors`` and ``appearance.safetensors``."""
        save_file({"mean": self.mean, "weights": self.weights}, folder / "linear.safetensors")
        save_appearance(self.resources, folder)

    def restore(self, folder: Path) -> None:
        """Read both files; the stored appearance model replaces the given one."""
        arrays = read_arrays(folder / "linear.safetensors", ("mean", "weights"))
        self.mean, self.weights = arrays["mean"], arrays["weights"]
        self.resources = with_appearance(self.resources, folder)
