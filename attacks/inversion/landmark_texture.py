"""Landmarks and texture decoded independently, joined by the differentiable warp.

Source: Nagm et al. 2026 (two decoders trained independently: landmarks by mean squared, texture by
mean absolute error, equations 1 and 2) with the warp of Cole et al. 2017, section 4; sized for two
cores. Ours, not theirs: the absolute error counts the face more than its background (the pixel
weights of the appearance model), and a linear shortcut (see ``shortcut``).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.base import (
    AttackSettings,
    InversionAttack,
    Reconstruction,
    Resources,
    Training,
    register_attack,
)
from attacks.checks import check_dimension, check_pairs
from attacks.inversion.training import Curves, Pairs, Schedule, held_out_subjects, seeded, train
from attacks.saved import read_arrays, save_appearance, with_appearance
from biometrics.errors import WeightsError
from biometrics.faces.appearance import normalised_textures
from biometrics.faces.faceset import FaceSet
from biometrics.templates import TemplateSet

BATCH = 128


class LandmarkTextureSettings(AttackSettings):
    """Settings of ``landmark-texture``.

    Attributes:
        epochs: passes over the attacker's faces of the texture decoder.
        landmark_epochs: the same of the landmark decoder.
        batch_size: pictures a step.
        learning_rate: highest rate of the one-cycle schedule.
        channels: channels of the texture decoder at its first, smallest size.
        hidden: width of the landmark decoder.
        shortcut: add a linear map from the template to the texture beside the convolutions. It is
            the fully connected decoder of Cole et al. 2017, section 3.2, and it is what makes the
            attack strong within minutes; without it the decoder is the one of Nagm et al.
        weight_decay: of AdamW.
    """

    epochs: int = Field(default=6, ge=1)
    landmark_epochs: int = Field(default=8, ge=1)
    batch_size: int = Field(default=48, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    channels: int = Field(default=192, ge=16)
    hidden: int = Field(default=512, ge=8)
    shortcut: bool = True
    weight_decay: float = Field(default=1e-2, ge=0)


class LandmarkDecoder(nn.Module):
    """A multi-layer perceptron from template [N, D] to offsets from the mean shape [N, 136], px."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.out = nn.Linear(hidden, 136)
        self.skip = nn.Linear(dim, 136, bias=False)

    def forward(self, vectors: Tensor) -> Tensor:
        """[N, D] to [N, 136]."""
        result: Tensor = self.out(self.layers(vectors)) + self.skip(vectors)
        return result


class TextureDecoder(nn.Module):
    """Dense layer, then transposed convolutions that double the size, then 1x1 to RGB; beside them,
    where ``shortcut`` is set, one linear map that starts at zero."""

    def __init__(self, dim: int, channels: int, size: int, *, shortcut: bool) -> None:
        super().__init__()
        self.shortcut = nn.Linear(dim, 3 * size * size, bias=False) if shortcut else None
        if self.shortcut is not None:
            nn.init.zeros_(self.shortcut.weight)
        doublings = max(1, round(math.log2(size / 7)))
        self.start = -(-size // 2**doublings)
        self.size = size
        self.dense = nn.Linear(dim, channels * self.start**2)
        blocks: list[nn.Module] = []
        for step in range(doublings):
            before, after = max(16, channels >> step), max(16, channels >> (step + 1))
            blocks += [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
        self.blocks = nn.Sequential(*blocks)
        self.rgb = nn.Conv2d(max(16, channels >> doublings), 3, 1)
        self.channels = channels

    def forward(self, vectors: Tensor) -> Tensor:
        """[N, D] to deviations from the mean texture [N, 3, T, T]."""
        x = self.dense(vectors).reshape(-1, self.channels, self.start, self.start)
        image: Tensor = self.rgb(self.blocks(x))[:, :, : self.size, : self.size]
        if self.shortcut is not None:
            image = image + self.shortcut(vectors).reshape(image.shape)
        return image


@register_attack("landmark-texture")
class LandmarkTexture(InversionAttack):
    """The two decoders, each trained on its own from the same template."""

    Settings: ClassVar[type[AttackSettings]] = LandmarkTextureSettings
    knowledge: ClassVar[str] = "pairs of faces and templates; the model itself is not needed"
    tuned_for: ClassVar[frozenset[str]] = frozenset({"dlib"})

    settings: LandmarkTextureSettings

    def __init__(self, settings: AttackSettings, resources: Resources) -> None:
        super().__init__(settings, resources)
        self.constants: dict[str, Tensor] = {}

    def fit(self, faces: FaceSet, templates: TemplateSet) -> None:
        """Train the landmark decoder (MSE, px²), then the texture decoder (MAE).

        Raises:
            InputError: different numbers of faces and templates, or fewer than two.
        """
        check_pairs(faces, templates)
        vectors = torch.from_numpy(np.array(templates.vectors, dtype=np.float32))
        self.constants = {"mean": vectors.mean(dim=0), "scale": vectors.std().reshape(1)}
        self._build(vectors.shape[1], self.resources.appearance.texture_size)
        inputs = self._standardise(vectors)
        held_out = held_out_subjects(faces.subject_ids, share=0.05, seed=self.resources.seed)
        landmarks = self._train_landmarks(faces, inputs, held_out)
        texture = self._train_texture(faces, inputs, held_out)
        decoders = (self.landmark_decoder, self.texture_decoder)
        self.training = Training(
            passes=len(texture.train),
            pairs=texture.pairs,
            steps=texture.steps,
            parameters=sum(p.numel() for decoder in decoders for p in decoder.parameters()),
        )
        self.curves = {
            "landmarks, MSE in px²": landmarks.train,
            "landmarks, held-out subjects": landmarks.held_out,
            "texture, weighted MAE in grey levels": [255 * value for value in texture.train],
            "texture, held-out subjects": [255 * value for value in texture.held_out],
        }

    def _train_landmarks(
        self, faces: FaceSet, inputs: Tensor, held_out: NDArray[np.bool_]
    ) -> Curves:
        offsets = (faces.landmarks - self.resources.appearance.mean_shape).reshape(len(faces), -1)
        pairs = Pairs(inputs, torch.from_numpy(offsets), held_out)
        schedule = self._schedule(self.settings.landmark_epochs, self.resources.seed + 1)
        return train(
            self.landmark_decoder,
            pairs,
            F.mse_loss,
            schedule,
            accelerator=self.resources.accelerator,
        )

    def _train_texture(self, faces: FaceSet, inputs: Tensor, held_out: NDArray[np.bool_]) -> Curves:
        model = self.resources.appearance
        mean = torch.from_numpy(model.mean_texture)
        weights = torch.from_numpy(model.pixel_weights).square()
        weights = weights / weights.mean()
        textures = rounded_textures(faces, model.mean_shape, model.texture_size)

        def absolute_error(deviation: Tensor, true: Tensor) -> Tensor:
            error = deviation + mean.to(deviation.device) - true / 255
            return (error.abs() * weights.to(error.device)).mean()

        return train(
            self.texture_decoder,
            Pairs(inputs, textures, held_out),
            absolute_error,
            self._schedule(self.settings.epochs, self.resources.seed + 2),
            advance=self.resources.advance,
            accelerator=self.resources.accelerator,
        )

    def invert(self, vectors: NDArray[np.float32]) -> Reconstruction:
        """Faces at the size of the appearance model's texture.

        Raises:
            InputError: another dimension than the attack was fitted on, or NaN.
        """
        check_dimension(vectors, len(self.constants.get("mean", ())))
        model = self.resources.appearance
        mean_texture, mean_shape = map(torch.from_numpy, (model.mean_texture, model.mean_shape))
        crops, landmarks = [], []
        with torch.inference_mode():
            inputs = self._standardise(torch.from_numpy(np.array(vectors, dtype=np.float32)))
            for batch in inputs.split(BATCH):
                points = mean_shape + self.landmark_decoder(batch).reshape(-1, 68, 2)
                textures = (mean_texture + self.texture_decoder(batch)).clamp(0, 1)
                crops.append(model.compose(textures, points).numpy())
                landmarks.append(points.numpy())
        return Reconstruction(np.concatenate(crops), np.concatenate(landmarks))

    def save(self, folder: Path) -> None:
        """``landmark-texture.safetensors`` and ``appearance.safetensors``."""
        weights = {f"landmark.{k}": v for k, v in self.landmark_decoder.state_dict().items()}
        weights |= {f"texture.{k}": v for k, v in self.texture_decoder.state_dict().items()}
        tensors = {k: v.contiguous() for k, v in (weights | self.constants).items()}
        save_file(tensors, folder / "landmark-texture.safetensors")
        save_appearance(self.resources, folder)

    def restore(self, folder: Path) -> None:
        """Read both files; the stored appearance model replaces the given one.

        Raises:
            WeightsError: absent, damaged, or fitted with other widths than the settings say.
        """
        path = folder / "landmark-texture.safetensors"
        arrays = read_arrays(path, ("mean", "scale"))
        tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        self.resources = with_appearance(self.resources, folder)
        self.constants = {name: tensors.pop(name) for name in ("mean", "scale")}
        self._build(len(self.constants["mean"]), self.resources.appearance.texture_size)
        for part, decoder in (
            ("landmark.", self.landmark_decoder),
            ("texture.", self.texture_decoder),
        ):
            own = {k.removeprefix(part): v for k, v in tensors.items() if k.startswith(part)}
            try:
                decoder.load_state_dict(own)
            except RuntimeError as error:
                raise WeightsError(f"{path} was fitted with other settings: {error}") from error
            decoder.eval()

    def _build(self, dim: int, size: int) -> None:
        # Seeded one by one, so that no setting of one decoder changes the other.
        with seeded(self.resources.seed):
            self.landmark_decoder = LandmarkDecoder(dim, self.settings.hidden)
        with seeded(self.resources.seed):
            self.texture_decoder = TextureDecoder(
                dim, self.settings.channels, size, shortcut=self.settings.shortcut
            )

    def _standardise(self, vectors: Tensor) -> Tensor:
        return (vectors - self.constants["mean"]) / self.constants["scale"].clamp_min(1e-6)

    def _schedule(self, epochs: int, seed: int) -> Schedule:
        settings = self.settings
        return Schedule(
            epochs=epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            seed=seed,
        )


def rounded_textures(faces: FaceSet, mean_shape: NDArray[np.float32], size: int) -> Tensor:
    """Faces' textures on the mean face, uint8 [N, 3, size, size] (a quarter of float's memory)."""
    parts = [
        np.rint(batch * 255).astype(np.uint8)
        for batch in normalised_textures(faces, mean_shape, size)
    ]
    return torch.from_numpy(np.concatenate(parts))
