"""The Deep Face Decoder: VGG turned round, from the template to the whole crop.

Source: Krizaj et al. 2024, sections 3.2 and 3.3. The losses and their weights are settings, the
perceptual network too: the attacked backbone's inner layers (white-box) or another backbone's
(black-box), as in section 4.1 and Table 1. Ours, not theirs: the network learns the deviation from
the mean crop and starts at it; the optimiser, its rates and the weights of the losses, none of
which the paper gives.
"""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from attacks.base import AttackSettings, register_attack
from attacks.inversion.crop_network import AroundTheMean, mean_picture
from attacks.inversion.decoder import DecoderAttack, resized_crops
from attacks.inversion.dfd_losses import TERMS, DfdLoss, Norm, narrow_face
from attacks.inversion.inverted_vgg import SMALLEST, InvertedVgg
from attacks.inversion.training import Schedule
from biometrics.backbones.base import Backbone
from biometrics.errors import ConfigError
from biometrics.faces.faceset import FaceSet
from biometrics.templates import TemplateSet

TARGET = "target"
"""The perceptual network is the attacked model itself."""

CALIBRATION = 256
"""Faces on which the losses find their scales."""

QUICK_SIZE = 96
QUICK_WIDTH = 0.125
QUICK_DENSE = 1024
QUICK_EPOCHS = 4
QUICK_SHARE = 0.125
QUICK_RATE = 5e-3


class CropSettings(AttackSettings):
    """What the decoders of the whole crop have in common.

    Attributes:
        size: side of the pictures in pixels.
        epochs: passes over the attacker's faces.
        batch_size: pictures a step.
        learning_rate: highest rate of the one-cycle schedule of Adam.
        pixel_weight: weight of the pixel loss; every loss is 1 for the mean face (``dfd_losses``).
        gradient_weight: the same of the gradient loss.
        perceptual_weight: the same of the perceptual loss.
        local_pixel_weight: the same of the pixel loss over the narrow face.
        local_gradient_weight: the same of the gradient loss there.
        local_perceptual_weight: the same of the perceptual loss there.
        pixel_norm: squared (l2) or absolute (l1) differences of pixels.
        perceptual: the perceptual network, ``target`` or a backbone's name.
        perceptual_share: share of each batch that the perceptual losses look at.
    """

    size: int = Field(default=224, ge=SMALLEST, le=224)
    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)
    pixel_weight: float = Field(default=1.0, ge=0)
    gradient_weight: float = Field(default=1.0, ge=0)
    perceptual_weight: float = Field(default=1.0, ge=0)
    local_pixel_weight: float = Field(default=1.0, ge=0)
    local_gradient_weight: float = Field(default=1.0, ge=0)
    local_perceptual_weight: float = Field(default=1.0, ge=0)
    pixel_norm: Norm = "l2"
    perceptual: str = TARGET
    perceptual_share: float = Field(default=1.0, gt=0, le=1)

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each loss by its name."""
        return {name: getattr(self, f"{name}_weight") for name in TERMS}

    @property
    def perceives(self) -> bool:
        """Whether a perceptual network is needed at all."""
        return self.perceptual_weight > 0 or self.local_perceptual_weight > 0

    def quick(self) -> Self:
        """Smaller, fewer passes; perceptual losses on an eighth of each batch."""
        changes = {
            "size": min(self.size, QUICK_SIZE),
            "epochs": min(self.epochs, QUICK_EPOCHS),
            "learning_rate": max(self.learning_rate, QUICK_RATE),
            "perceptual_share": min(self.perceptual_share, QUICK_SHARE),
        }
        return self.model_copy(update=changes)


class DfdSettings(CropSettings):
    """Settings of ``dfd``.

    Attributes:
        width: share of the channels of the inverted VGG.
        convolutions: whether it has the ordinary convolutions beside the transposed ones.
        dense: values of its dense layer.
    """

    width: float = Field(default=1.0, gt=0, le=2)
    convolutions: bool = True
    dense: int = Field(default=4096, ge=8)

    def quick(self) -> Self:
        """Smaller and narrower, with transposed convolutions only, fewer passes."""
        changes = {
            "width": min(self.width, QUICK_WIDTH),
            "convolutions": False,
            "dense": min(self.dense, QUICK_DENSE),
        }
        return super().quick().model_copy(update=changes)


class CropDecoder(DecoderAttack):
    """An attack that is one network from the template to the whole crop, under these losses."""

    whitebox: ClassVar[bool] = True
    tuned_for: ClassVar[frozenset[str]] = frozenset({"dlib"})
    draws_with_appearance: ClassVar[bool] = False

    settings: CropSettings
    network: AroundTheMean

    @classmethod
    def borrowed(cls, settings: AttackSettings) -> frozenset[str]:
        """The perceptual network, unless it is the attacked model."""
        assert isinstance(settings, CropSettings)
        if settings.perceives and settings.perceptual != TARGET:
            return frozenset({settings.perceptual})
        return frozenset()

    def needs_model(self) -> bool:
        """Whether a perceptual loss looks through the attacked model."""
        return self.settings.perceives and self.settings.perceptual == TARGET

    def learn(self, faces: FaceSet, templates: TemplateSet, inputs: Tensor) -> None:
        """Train on the crops at the settings' size.

        Raises:
            ConfigError: no loss has a weight, or the perceptual network is not at hand.
        """
        settings = self.settings
        if not any(settings.weights.values()):
            raise ConfigError(f"attack '{self.file}' has no loss: give one of its weights")
        network = self._perceptual_network()
        pictures = resized_crops(faces, settings.size)
        mean = mean_picture(pictures)
        self.network.mean_crop.copy_(mean)
        loss = DfdLoss(
            settings.weights,
            narrow_face(self.resources.appearance.mean_shape, settings.size),
            network=network,
            share=settings.perceptual_share,
            norm=settings.pixel_norm,
        )
        some = torch.linspace(0, len(pictures) - 1, min(CALIBRATION, len(pictures))).long()
        loss.calibrate(pictures[some], mean)
        schedule = Schedule(
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            weight_decay=0.0,
            seed=self.resources.seed + 1,
        )
        curves = self.train_network(self.network, faces, inputs, pictures, loss, schedule)
        total = sum(settings.weights.values())
        self.curves = {
            "loss, 1 = mean face": [value / total for value in curves.train],
            "held-out subjects": [value / total for value in curves.held_out],
        }

    def _perceptual_network(self) -> Backbone | None:
        name = self.settings.perceptual
        if not self.settings.perceives:
            return None
        if name == TARGET:
            return self.attacked_model()
        try:
            return self.resources.others[name]
        except KeyError:
            raise ConfigError(
                f"attack '{self.file}' compares pictures through backbone '{name}', which is not "
                "at hand; give its weights, or set perceptual: target"
            ) from None

    def draw(self, output: Tensor) -> tuple[Tensor, Tensor | None]:
        """The crops; no landmarks."""
        return output, None


@register_attack("dfd")
class DeepFaceDecoder(CropDecoder):
    """The inverted VGG under pixel, gradient and perceptual losses, global and local."""

    Settings: ClassVar[type[AttackSettings]] = DfdSettings
    knowledge: ClassVar[str] = (
        "pairs of faces and templates; the model's inner layers, or those of another model, where "
        "a perceptual loss has a weight"
    )
    file: ClassVar[str] = "dfd"

    settings: DfdSettings

    def build(self, dim: int) -> nn.Module:
        """The inverted VGG around the mean crop."""
        settings = self.settings
        decoder = InvertedVgg(
            dim,
            settings.size,
            width=settings.width,
            convolutions=settings.convolutions,
            dense=settings.dense,
        )
        return AroundTheMean(decoder, decoder.rgb, settings.size)
