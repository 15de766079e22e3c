"""The same decoder twice: trained on pixels alone (a CNN), or against a discriminator too (a GAN).

After Kumar et al. 2024, "Accurate reconstruction of facial images", who weigh the two kinds in
words and give neither an architecture nor a figure. Here the decoder is an inverted VGG, the pixel
loss the mean absolute error, and the discriminator spectrally normalised with a hinge loss.
``adversarial: 0`` is the plain CNN: same network, data, order of batches and steps.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field
from torch import Tensor, nn

from attacks.base import AttackSettings, register_attack
from attacks.inversion.adversarial import (
    AdversarialCurves,
    Adversary,
    train_against,
    training_memory,
)
from attacks.inversion.crop_network import AroundTheMean, mean_picture
from attacks.inversion.decoder import HELD_OUT, DecoderAttack, resized_crops
from attacks.inversion.discriminator import Discriminator
from attacks.inversion.inverted_vgg import SMALLEST, InvertedVgg
from attacks.inversion.training import Pairs, Schedule, held_out_subjects, seeded
from biometrics.faces.faceset import FaceSet
from biometrics.templates import TemplateSet

GREY_LEVELS = 255

QUICK_SIZE = 96
QUICK_WIDTH = 0.125
QUICK_DENSE = 1024
QUICK_CHANNELS = 16
QUICK_EPOCHS = 4
QUICK_RATE = 5e-3


class GanSettings(AttackSettings):
    """Settings of ``gan``.

    Attributes:
        adversarial: weight of the adversarial loss beside the mean absolute error of pixels in
            [0, 1]; 0 leaves the discriminator out.
        conditional: whether the discriminator sees the template.
        start: share of the steps on pixels alone before the discriminator joins.
        discriminator_channels, discriminator_rate: its first width and its learning rate.
        r1: weight of the gradient penalty on real pictures.
        size: side of the pictures in pixels.
        width, convolutions, dense: of the inverted VGG.
        epochs, batch_size, learning_rate, beta1, weight_decay: of the decoder's training.
    """

    adversarial: float = Field(default=0.01, ge=0)
    conditional: bool = True
    start: float = Field(default=0.2, ge=0, lt=1)
    discriminator_channels: int = Field(default=64, ge=1)
    discriminator_rate: float = Field(default=2e-4, gt=0)
    r1: float = Field(default=0.0, ge=0)
    size: int = Field(default=224, ge=SMALLEST, le=224)
    width: float = Field(default=1.0, gt=0)
    convolutions: bool = True
    dense: int = Field(default=4096, ge=1)
    epochs: int = Field(default=60, ge=1)
    batch_size: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)

    def quick(self) -> Self:
        """Smaller and narrower, with transposed convolutions only, and fewer passes."""
        changes = {
            "size": min(self.size, QUICK_SIZE),
            "width": min(self.width, QUICK_WIDTH),
            "dense": min(self.dense, QUICK_DENSE),
            "discriminator_channels": min(self.discriminator_channels, QUICK_CHANNELS),
            "epochs": min(self.epochs, QUICK_EPOCHS),
            "learning_rate": max(self.learning_rate, QUICK_RATE),
            "convolutions": False,
        }
        return self.model_copy(update=changes)


@register_attack("gan")
class Gan(DecoderAttack):
    """A decoder of whole crops, trained on pixels and against a discriminator."""

    Settings = GanSettings
    knowledge = "template and picture pairs"
    tuned_for = frozenset({"dlib"})
    file = "gan"
    draws_with_appearance: ClassVar[bool] = False

    settings: GanSettings
    network: AroundTheMean

    def build(self, dim: int) -> nn.Module:
        """An inverted VGG around the mean crop."""
        s = self.settings
        decoder = InvertedVgg(
            dim, s.size, width=s.width, convolutions=s.convolutions, dense=s.dense
        )
        return AroundTheMean(decoder, decoder.rgb, s.size)

    def learn(self, faces: FaceSet, templates: TemplateSet, inputs: Tensor) -> None:
        """Train with or without the discriminator, as the settings say."""
        pictures = resized_crops(faces, self.settings.size)
        held_out = held_out_subjects(faces.subject_ids, share=HELD_OUT, seed=self.resources.seed)
        mean = mean_picture(pictures)
        self.network.mean_crop.copy_(mean)
        rival = self._discriminator(inputs.shape[1]) if self.settings.adversarial > 0 else None
        batch = inputs[: self.settings.batch_size]
        self.step_memory = training_memory(self.network, batch, rival)
        if rival is None:
            plain = self.train_network(
                self.network, faces, inputs, pictures, absolute_error, self._schedule()
            )
            self.curves = {
                "pixels, mean absolute error": plain.train,
                "pixels, held-out subjects": plain.held_out,
            }
            return
        curves = self._play(Pairs(inputs, pictures, held_out), rival)
        self.curves = {
            "pixels, mean absolute error": curves.train,
            "pixels, held-out subjects": curves.held_out,
            "generator, minus the score": curves.generator,
            "discriminator, hinge": curves.discriminator,
        }

    def _discriminator(self, dim: int) -> Discriminator:
        s = self.settings
        with seeded(self.resources.seed):
            return Discriminator(
                s.size, dim if s.conditional else None, channels=s.discriminator_channels
            )

    def _play(self, pairs: Pairs, rival: Discriminator) -> AdversarialCurves:
        s = self.settings
        curves = train_against(
            self.network,
            Adversary(
                rival,
                real=in_unit_range,
                weight=s.adversarial,
                learning_rate=s.discriminator_rate,
                start=s.start,
                r1=s.r1,
            ),
            pairs,
            absolute_error,
            self._schedule(),
            advance=self.resources.advance,
            accelerator=self.resources.accelerator,
        )
        self.note_training(curves)
        return curves

    def _schedule(self) -> Schedule:
        s = self.settings
        return Schedule(
            epochs=s.epochs,
            batch_size=s.batch_size,
            learning_rate=s.learning_rate,
            weight_decay=s.weight_decay,
            seed=self.resources.seed,
            beta1=s.beta1,
        )

    def draw(self, output: object) -> tuple[Tensor, Tensor | None]:
        """The pictures are the network's output; there are no landmarks."""
        assert isinstance(output, Tensor)
        return output.clamp(0, 1), None


def in_unit_range(pictures: Tensor) -> Tensor:
    """uint8 [B, 3, S, S] as float in [0, 1]."""
    return pictures.float() / GREY_LEVELS


def absolute_error(made: Tensor, pictures: Tensor) -> Tensor:
    """Mean absolute error between pictures in [0, 1] and uint8 ones."""
    return (made - in_unit_range(pictures)).abs().mean()
