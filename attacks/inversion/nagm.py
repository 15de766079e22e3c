"""A landmark decoder and a texture decoder, trained independently and joined by the warp.

Source: Nagm et al. 2026, sections 4.2 to 4.7, with the four rows of its ablation (table 2).

The paper gives the number of trainable parameters, not the widths. The landmark network with hidden
layers of 1000, 800, 600, 400 and 200 values and batch normalisation after the first two has exactly
its 5,729,936 at D = 4096, and its 3,600 untrained statistics. (Other choices of widths give the
same numbers; this is the plainest.) The texture network is an inverted VGG, see
:mod:`attacks.inversion.inverted_vgg`.

Neither the batch size nor the joint loss is described there; see :class:`NagmSettings`.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from attacks.base import AttackSettings, register_attack
from attacks.inversion.decoder import DecoderAttack, resized_crops
from attacks.inversion.inverted_vgg import LEAST, SMALLEST, InvertedVgg
from attacks.inversion.landmark_texture import rounded_textures
from attacks.inversion.training import Curves, Schedule, seeded
from attacks.inversion.warped_face import (
    MeanFace,
    Parts,
    grey_error,
    landmark_error,
    parameters,
    start_at_zero,
)
from biometrics.faces.faceset import FaceSet
from biometrics.templates import TemplateSet

HIDDEN = (1000, 800, 600, 400, 200)
NORMALISED = 2
"""So many of the hidden layers are followed by batch normalisation."""

Mode = Literal["full", "single", "no-warp", "joint"]


class NagmSettings(AttackSettings):
    """Settings of ``nagm``.

    Attributes:
        mode: the row of the paper's ablation. ``full``: two decoders, trained independently;
            ``single``: one texture network that makes the whole crop at once; ``no-warp``: the
            texture of ``full``, shown on the mean shape; ``joint``: both decoders trained together
            on the sum of their two losses, the absolute error taken after the warp. (Taken before
            it, nothing would tie the decoders together, and the sum would train the same two.)
        size: side of the pictures in pixels.
        width: share of the channels of the texture network and of the landmark network's values.
        convolutions: keep the ordinary convolutions of the texture network.
        dense: values of the texture network's dense layer.
        epochs: passes over the attacker's faces of whatever makes pictures.
        landmark_epochs: the same of the landmark decoder, where it is trained on its own.
        batch_size: faces a step.
        learning_rate, beta1, decay: of Adam; the rate falls as ``1 / (1 + decay k)`` with step k.
        landmark_weight: of the squared error in px² of the 224 crop, in ``joint``.
        texture_weight: of the absolute error in grey levels, in ``joint``.
    """

    mode: Mode = "full"
    size: int = Field(default=224, ge=SMALLEST, le=224)
    width: float = Field(default=1.0, gt=0)
    convolutions: bool = True
    dense: int = Field(default=4096, ge=1)
    epochs: int = Field(default=40, ge=1)
    landmark_epochs: int = Field(default=200, ge=1)
    batch_size: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)
    beta1: float = Field(default=0.5, ge=0, lt=1)
    decay: float = Field(default=9.5e-5, ge=0)
    landmark_weight: float = Field(default=1.0, ge=0)
    texture_weight: float = Field(default=1.0, gt=0)

    def quick(self) -> Self:
        """Narrower, smaller and without the ordinary convolutions, which the paper leaves out too
        for speed; and at a higher rate, since there are only some thousand steps."""
        return self.model_copy(
            update={
                "size": 96,
                "width": 0.125,
                "convolutions": False,
                "dense": 1024,
                "epochs": 6,
                "landmark_epochs": 6,
                "learning_rate": 5e-3,
            }
        )


class LandmarkNetwork(nn.Module):
    """A multi-layer perceptron from template [N, D] to offsets from the mean shape [N, 136], px."""

    def __init__(self, dim: int, width: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for place, full in enumerate(HIDDEN):
            values = max(LEAST, round(full * width))
            layers.append(nn.Linear(dim, values))
            if place < NORMALISED:
                layers.append(nn.BatchNorm1d(values))
            layers.append(nn.ReLU())
            dim = values
        self.layers = nn.Sequential(*layers)
        self.out = nn.Linear(dim, 136)
        start_at_zero(self.out)

    def forward(self, vectors: Tensor) -> Tensor:
        """[N, D] to [N, 136]."""
        offsets: Tensor = self.out(self.layers(vectors))
        return offsets


class NagmNetwork(nn.Module):
    """The decoders that a row of the ablation has."""

    def __init__(
        self, face: MeanFace, texture: InvertedVgg, landmarks: LandmarkNetwork | None
    ) -> None:
        super().__init__()
        self.face, self.texture, self.landmarks = face, texture, landmarks
        start_at_zero(texture.rgb)

    def forward(self, vectors: Tensor) -> Parts:
        """What the decoders say."""
        textures = self.face.textures(self.texture(vectors))
        if self.landmarks is None:
            return Parts(None, textures)
        return Parts(self.face.landmarks(self.landmarks(vectors)), textures)


class LandmarkLoss(nn.Module):
    """Of offsets from the mean shape [B, 136] and true landmarks [B, 68, 2]: px²."""

    def __init__(self, face: MeanFace) -> None:
        super().__init__()
        self.face = face

    def forward(self, offsets: Tensor, landmarks: Tensor) -> Tensor:
        """The mean squared error."""
        return landmark_error(self.face.landmarks(offsets), landmarks)


class TextureLoss(nn.Module):
    """Of deviations from the mean texture and true pictures, uint8 [B, 3, S, S]: grey levels."""

    def __init__(self, face: MeanFace) -> None:
        super().__init__()
        self.face = face

    def forward(self, deviations: Tensor, pictures: Tensor) -> Tensor:
        """The mean absolute error."""
        return grey_error(self.face.textures(deviations), pictures)


class JointLoss(nn.Module):
    """Sum of the landmarks' squared and the warped picture's absolute error."""

    def __init__(self, face: MeanFace, landmark_weight: float, texture_weight: float) -> None:
        super().__init__()
        self.face = face
        self.landmark_weight, self.texture_weight = landmark_weight, texture_weight

    def forward(self, made: Parts, landmarks: Tensor, crops: Tensor) -> Tensor:
        """Of landmarks [B, 68, 2] and crops uint8 [B, 3, S, S]."""
        assert made.landmarks is not None
        picture = self.face.render(made.textures, made.landmarks)
        shape = self.landmark_weight * landmark_error(made.landmarks, landmarks)
        return shape + self.texture_weight * grey_error(picture, crops)


@register_attack("nagm")
class Nagm(DecoderAttack):
    """The decoders of Nagm et al. 2026, and their ablation."""

    Settings: ClassVar[type[AttackSettings]] = NagmSettings
    knowledge: ClassVar[str] = "pairs of faces and templates; the model itself is not needed"
    tuned_for: ClassVar[frozenset[str]] = frozenset({"dlib"})
    file: ClassVar[str] = "nagm"
    draws_with_appearance: ClassVar[bool] = False

    settings: NagmSettings

    def build(self, dim: int) -> NagmNetwork:
        """Both decoders, or the one that the row has."""
        settings = self.settings
        face = MeanFace(self.resources.appearance, settings.size)
        # Seeded one by one, so that leaving one decoder out does not change the other.
        with seeded(self.resources.seed):
            texture = InvertedVgg(
                dim,
                settings.size,
                width=settings.width,
                convolutions=settings.convolutions,
                dense=settings.dense,
            )
        with seeded(self.resources.seed):
            two = settings.mode in ("full", "joint")
            landmarks = LandmarkNetwork(dim, settings.width) if two else None
        return NagmNetwork(face, texture, landmarks)

    def learn(self, faces: FaceSet, templates: TemplateSet, inputs: Tensor) -> None:
        """Train the decoders, one after the other or together."""
        network, settings = self._decoders(), self.settings
        points = torch.from_numpy(np.array(faces.landmarks))
        if settings.mode == "joint":
            crops = resized_crops(faces, settings.size)
            loss = JointLoss(network.face, settings.landmark_weight, settings.texture_weight)
            schedule = self._schedule(settings.epochs, self.resources.seed + 2)
            joint = self.train_network(network, faces, inputs, (points, crops), loss, schedule)
            self._note("landmarks in px² and picture in grey levels, weighted sum", joint)
            return
        if network.landmarks is not None:
            schedule = self._schedule(settings.landmark_epochs, self.resources.seed + 1)
            shape = self.train_network(
                network.landmarks, faces, inputs, points, LandmarkLoss(network.face), schedule
            )
            self._note("landmarks, MSE in px²", shape)
        whole = settings.mode == "single"
        mean_shape = self.resources.appearance.mean_shape
        pictures = (
            resized_crops(faces, settings.size)
            if whole
            else rounded_textures(faces, mean_shape, settings.size)
        )
        schedule = self._schedule(settings.epochs, self.resources.seed + 2)
        curves = self.train_network(
            network.texture, faces, inputs, pictures, TextureLoss(network.face), schedule
        )
        self._note(f"{'crop' if whole else 'texture'}, MAE in grey levels", curves)

    def draw(self, output: object) -> tuple[Tensor, Tensor | None]:
        """The picture of the row: warped, on the mean shape, or the crop itself."""
        assert isinstance(output, Parts)
        face = self._decoders().face
        if output.landmarks is not None:
            return face.render(output.textures.clamp(0, 1), output.landmarks), output.landmarks
        if self.settings.mode == "single":
            return output.textures, None
        # The landmarks of a picture that was not warped are those of the mean shape.
        return output.textures, face.mean_shape.repeat(len(output.textures), 1, 1)

    def describe(self) -> str:
        """The parameters of each decoder, once there is one."""
        network = self._decoders()
        said = f"texture network {parameters(network.texture):,} parameters"
        if network.landmarks is not None:
            said = f"landmark network {parameters(network.landmarks):,} parameters, {said}"
        return said

    def _decoders(self) -> NagmNetwork:
        assert isinstance(self.network, NagmNetwork)
        return self.network

    def _note(self, name: str, curves: Curves) -> None:
        self.curves[name] = curves.train
        self.curves[f"{name.partition(',')[0]}, held-out subjects"] = curves.held_out

    def _schedule(self, epochs: int, seed: int) -> Schedule:
        settings = self.settings
        return Schedule(
            epochs=epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            weight_decay=0.0,
            seed=seed,
            beta1=settings.beta1,
            decay=settings.decay,
        )
