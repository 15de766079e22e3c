"""Landmarks and texture from one shared layer, trained end to end through the warp and the model.

Source: Cole et al. 2017, sections 3, 4 and 7.

A fully connected layer with a ReLU brings the template to f values. From there a multi-layer
perceptron gives the landmarks; a fully connected layer gives 56x56 places of 256 channels, and 5x5
transposed convolutions of stride 2 a texture of 224x224. The paper does not give f: 64 unless set,
since the layer after it has f x 802,816 weights (51.4 million).

What does not fit together there: two such convolutions lead from 56 to 224 pixels and, by its
formula 256 / 2^i, to 64 channels; its text says 224x224x32. Taken here are the sizes, so 128 and
then 32 channels, in two steps; a third step would end at 448 pixels. The ReLU after the dense layer
is read from "separated by ReLUs".

What it leaves open: the units of the losses whose weights it gives. With landmarks in pixels of the
224 crop (its own size), textures in [0, 1] and the negative cosine, the weighted terms of a fresh
network are of one order (about 40 px², 100 x .12, 10 x 1), so these are taken. The landmark
network's hidden layer and the learning rate are ours.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from attacks.base import AttackSettings, register_attack
from attacks.inversion.decoder import DecoderAttack
from attacks.inversion.identity import IdentityLoss
from attacks.inversion.inverted_vgg import SMALLEST, scaled
from attacks.inversion.landmark_texture import rounded_textures
from attacks.inversion.training import Schedule
from attacks.inversion.warped_face import (
    GREY_LEVELS,
    MeanFace,
    Parts,
    grey_error,
    landmark_error,
    parameters,
    start_at_zero,
)
from biometrics.backbones.base import Backbone
from biometrics.faces.faceset import FaceSet
from biometrics.templates import TemplateSet

DOUBLINGS = 2
CHANNELS = (256, 128, 32)
"""At 56, 112 and 224 pixels."""

Texture = Literal["convolutional", "fully-connected"]


class ColeSettings(AttackSettings):
    """Settings of ``cole``.

    Attributes:
        features: f, the values of the shared layer.
        texture: ``convolutional``, or ``fully-connected``: one linear map to all pixels.
        size: side of the pictures in pixels.
        width: share of the channels of the convolutional texture network.
        hidden: values of the landmark network's hidden layer.
        landmark_weight: of the mean squared error in px² of the 224 crop.
        identity_weight: of the negative cosine between the template of the warped picture and the
            face's own; 0 needs no model and warps nothing while training.
        texture_weight: of the mean absolute error of textures in [0, 1].
        epochs, batch_size: passes over the attacker's faces, and faces a step.
        learning_rate: the highest of Adam's one cycle.
    """

    features: int = Field(default=64, ge=1)
    texture: Texture = "convolutional"
    size: int = Field(default=224, ge=SMALLEST, le=224)
    width: float = Field(default=1.0, gt=0)
    hidden: int = Field(default=256, ge=1)
    landmark_weight: float = Field(default=1.0, ge=0)
    identity_weight: float = Field(default=10.0, ge=0)
    texture_weight: float = Field(default=100.0, gt=0)
    epochs: int = Field(default=40, ge=1)
    batch_size: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)

    def quick(self) -> Self:
        """Narrower, and at a size that two cores train on LFW within five minutes."""
        return self.model_copy(update={"size": 96, "width": 0.25, "epochs": 4})


class ConvolutionalTexture(nn.Module):
    """Features [N, F] to deviations from the mean texture [N, 3, S, S]."""

    def __init__(self, features: int, size: int, width: float) -> None:
        super().__init__()
        self.size, self.start = size, math.ceil(size / 2**DOUBLINGS)
        first, *others = (scaled(wide, width) for wide in CHANNELS)
        self.channels = before = first
        self.dense = nn.Linear(features, first * self.start**2)
        layers: list[nn.Module] = [nn.ReLU()]
        for after in others:
            layers += [nn.ConvTranspose2d(before, after, 5, 2, 2, output_padding=1), nn.ReLU()]
            before = after
        self.doublings = nn.Sequential(*layers)
        self.rgb = nn.Conv2d(before, 3, 1)
        start_at_zero(self.rgb)

    def forward(self, features: Tensor) -> Tensor:
        """Not clamped."""
        places = self.dense(features).reshape(-1, self.channels, self.start, self.start)
        image: Tensor = self.rgb(self.doublings(places))
        return image[:, :, : self.size, : self.size]


class LinearTexture(nn.Module):
    """Features [N, F] to deviations from the mean texture [N, 3, S, S] by one linear map."""

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.dense = nn.Linear(features, 3 * size**2)
        start_at_zero(self.dense)

    def forward(self, features: Tensor) -> Tensor:
        """Not clamped."""
        values: Tensor = self.dense(features)
        return values.reshape(-1, 3, self.size, self.size)


class ColeNetwork(nn.Module):
    """Templates [N, D] to landmarks and textures."""

    def __init__(self, dim: int, settings: ColeSettings, face: MeanFace) -> None:
        super().__init__()
        self.face = face
        f = settings.features
        self.shared = nn.Sequential(nn.Linear(dim, f), nn.ReLU())
        out = nn.Linear(settings.hidden, 136)
        start_at_zero(out)
        self.landmarks = nn.Sequential(nn.Linear(f, settings.hidden), nn.ReLU(), out)
        self.texture: nn.Module = (
            ConvolutionalTexture(f, settings.size, settings.width)
            if settings.texture == "convolutional"
            else LinearTexture(f, settings.size)
        )

    def forward(self, vectors: Tensor) -> Parts:
        """Both parts, not yet warped."""
        features = self.shared(vectors)
        landmarks = self.face.landmarks(self.landmarks(features))
        return Parts(landmarks, self.face.textures(self.texture(features)))


class ColeLoss(nn.Module):
    """The weighted sum of the three losses (Cole et al. 2017, section 3.3)."""

    def __init__(self, face: MeanFace, settings: ColeSettings, backbone: Backbone | None) -> None:
        """Args:
        face: warps.
        settings: give the weights.
        backbone: the attacked model; None leaves the identity loss out.
        """
        super().__init__()
        self.face, self.settings = face, settings
        self.identity = None if backbone is None else IdentityLoss(backbone)

    def forward(
        self, made: Parts, landmarks: Tensor, textures: Tensor, templates: Tensor
    ) -> Tensor:
        """Of landmarks [B, 68, 2], textures uint8 [B, 3, S, S] and templates [B, D]."""
        assert made.landmarks is not None
        settings = self.settings
        shape = settings.landmark_weight * landmark_error(made.landmarks, landmarks)
        texture = settings.texture_weight * grey_error(made.textures, textures) / GREY_LEVELS
        if self.identity is None:
            return shape + texture
        # Clamped, as the picture that is handed in will be.
        picture = self.face.render(made.textures, made.landmarks).clamp(0, 1)
        # The cosine for every backbone, as published, also for those that compare by distance.
        likeness = torch.cosine_similarity(self.identity.embed(picture), templates).mean()
        return shape + texture - settings.identity_weight * likeness


@register_attack("cole")
class Cole(DecoderAttack):
    """The decoder of Cole et al. 2017."""

    Settings: ClassVar[type[AttackSettings]] = ColeSettings
    knowledge: ClassVar[str] = (
        "pairs of faces and templates, and the model itself unless its identity loss is off"
    )
    whitebox: ClassVar[bool] = True
    tuned_for: ClassVar[frozenset[str]] = frozenset({"dlib"})
    file: ClassVar[str] = "cole"
    draws_with_appearance: ClassVar[bool] = False

    settings: ColeSettings

    def needs_model(self) -> bool:
        """Without the identity loss no model is asked for."""
        return self.settings.identity_weight > 0

    def build(self, dim: int) -> ColeNetwork:
        """The shared layer and both decoders."""
        face = MeanFace(self.resources.appearance, self.settings.size)
        return ColeNetwork(dim, self.settings, face)

    def learn(self, faces: FaceSet, templates: TemplateSet, inputs: Tensor) -> None:
        """Train everything together."""
        settings, network = self.settings, self._decoders()
        backbone = self.attacked_model() if self.needs_model() else None
        targets = (
            torch.from_numpy(np.array(faces.landmarks)),
            rounded_textures(faces, self.resources.appearance.mean_shape, settings.size),
            torch.from_numpy(np.array(templates.vectors)),
        )
        schedule = Schedule(
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            weight_decay=0.0,
            seed=self.resources.seed + 1,
        )
        loss = ColeLoss(network.face, settings, backbone)
        curves = self.train_network(network, faces, inputs, targets, loss, schedule)
        self.curves = {
            "weighted sum of the losses": curves.train,
            "weighted sum, held-out subjects": curves.held_out,
        }

    def draw(self, output: object) -> tuple[Tensor, Tensor | None]:
        """The texture, warped to the landmarks."""
        assert isinstance(output, Parts)
        assert output.landmarks is not None
        picture = self._decoders().face.render(output.textures.clamp(0, 1), output.landmarks)
        return picture, output.landmarks

    def describe(self) -> str:
        """The parameters of each part, once there are any; f decides most of them."""
        network, f = self._decoders(), self.settings.features
        texture = network.texture
        assert isinstance(texture, (ConvolutionalTexture, LinearTexture))
        values = texture.dense.out_features
        return (
            f"shared layer {parameters(network.shared):,} parameters, "
            f"landmark network {parameters(network.landmarks):,}, "
            f"{self.settings.texture} texture network {parameters(texture):,} "
            f"(its first layer {f} x {values:,} weights)"
        )

    def _decoders(self) -> ColeNetwork:
        assert isinstance(self.network, ColeNetwork)
        return self.network
