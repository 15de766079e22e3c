"""What attacks have in common that are one network trained on standardised templates."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from attacks.base import AttackSettings, InversionAttack, Reconstruction, Resources, Training
from attacks.checks import check_dimension, check_pairs
from attacks.inversion.training import (
    Curves,
    Loss,
    Pairs,
    Schedule,
    held_out_subjects,
    seeded,
    train,
)
from attacks.saved import read_arrays, save_appearance, with_appearance
from biometrics.backbones.base import Backbone
from biometrics.errors import ConfigError, WeightsError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.resize import from_pixels, resize
from biometrics.templates import TemplateSet

BATCH = 128
HELD_OUT = 0.05
"""Share of the attacker's subjects on whom the held-out curve is measured."""


class DecoderAttack(InversionAttack):
    """An attack that is one network from standardised templates to faces.

    A subclass says how the network is built (:meth:`build`), what its output looks like as faces
    (:meth:`draw`), and trains it in :meth:`learn`. Templates are centred and divided by one common
    scale, the root of their mean variance.

    ``file`` names the safetensors file without its ending; ``draws_with_appearance`` tells whether
    the appearance model has to be kept beside it.
    """

    file: ClassVar[str]
    draws_with_appearance: ClassVar[bool] = True

    network: nn.Module
    step_memory: int | None = None
    """Bytes that one step of the training holds; set by the attacks that count them."""

    def __init__(self, settings: AttackSettings, resources: Resources) -> None:
        super().__init__(settings, resources)
        self.constants: dict[str, Tensor] = {}

    @abstractmethod
    def build(self, dim: int) -> nn.Module:
        """The untrained network for templates of ``dim`` values; weights are drawn from torch's
        generator, which the caller has seeded."""

    @abstractmethod
    def learn(self, faces: FaceSet, templates: TemplateSet, inputs: Tensor) -> None:
        """Train ``self.network`` on standardised templates [N, D]; set ``self.curves``."""

    @abstractmethod
    def draw(self, output: Any) -> tuple[Tensor, Tensor | None]:
        """The network's output as crops [B, 3, S, S] in [0, 1], and landmarks [B, 68, 2] in pixels
        of the 224 crop where there are any."""

    def fit(self, faces: FaceSet, templates: TemplateSet) -> None:
        """Train the network.

        Raises:
            InputError: different numbers of faces and templates, or fewer than two.
            ConfigError: the attack needs the attacked model, and it was not given or is not
                differentiable.
        """
        check_pairs(faces, templates)
        if self.needs_model():
            self.attacked_model()
        vectors = self.prepare(torch.from_numpy(np.array(templates.vectors, dtype=np.float32)))
        spread = vectors.var(dim=0).mean().sqrt().reshape(1)
        self.constants = {"mean": vectors.mean(dim=0), "scale": spread}
        self._build(vectors.shape[1])
        self.learn(faces, templates, self.standardise(vectors))
        self.network.eval()

    def needs_model(self) -> bool:
        """Whether these settings train through the attacked model."""
        return self.whitebox

    def prepare(self, vectors: Tensor) -> Tensor:
        """Templates [N, D] before they are standardised; here, as they are."""
        return vectors

    def attacked_model(self) -> Backbone:
        """The attacked backbone, for losses that look through it.

        Raises:
            ConfigError: it was not given, or gradients do not pass through it.
        """
        backbone = self.resources.backbone
        if backbone is None or not backbone.spec.differentiable:
            what = "was not given" if backbone is None else "lets no gradients through"
            raise ConfigError(
                f"attack '{self.file}' trains through the attacked model, which {what}; "
                "turn its identity loss off or choose another attack"
            )
        return backbone

    def train_network(
        self,
        network: nn.Module,
        faces: FaceSet,
        inputs: Tensor,
        targets: Tensor | tuple[Tensor, ...],
        loss: Loss,
        schedule: Schedule,
    ) -> Curves:
        """Train a network (or a part of one) on rows of ``faces``, some subjects held out."""
        held_out = held_out_subjects(faces.subject_ids, share=HELD_OUT, seed=self.resources.seed)
        curves = train(
            network,
            Pairs(inputs, targets, held_out),
            loss,
            schedule,
            advance=self.resources.advance,
            accelerator=self.resources.accelerator,
        )
        self.note_training(curves)
        return curves

    def note_training(self, curves: Curves) -> None:
        """Remember what a training cost, for :attr:`training`; with :attr:`step_memory`."""
        if self.training is None or curves.steps > self.training.steps:
            parameters = sum(p.numel() for p in self.network.parameters() if p.requires_grad)
            self.training = Training(
                len(curves.train), curves.pairs, curves.steps, parameters, self.step_memory
            )

    def invert(self, vectors: NDArray[np.float32]) -> Reconstruction:
        """Faces at the attack's own size.

        Raises:
            InputError: another dimension than the attack was fitted on, or NaN.
        """
        check_dimension(vectors, len(self.constants.get("mean", ())))
        crops, landmarks = [], []
        with torch.inference_mode():
            inputs = self.standardise(torch.from_numpy(np.array(vectors, dtype=np.float32)))
            for batch in inputs.split(BATCH):
                made, points = self.draw(self.network(batch))
                crops.append(made.clamp(0, 1).float().numpy())
                if points is not None:
                    landmarks.append(points.float().numpy())
        return Reconstruction(
            np.concatenate(crops), np.concatenate(landmarks) if landmarks else None
        )

    def save(self, folder: Path) -> None:
        """The network with its constants, and the appearance model where it is drawn with."""
        tensors = self.network.state_dict() | self.constants
        path = folder / f"{self.file}.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
        if self.draws_with_appearance:
            save_appearance(self.resources, folder)

    def restore(self, folder: Path) -> None:
        """Read what :meth:`save` wrote; a stored appearance model replaces the given one.

        Raises:
            WeightsError: absent, damaged, or fitted with other settings.
        """
        path = folder / f"{self.file}.safetensors"
        arrays = read_arrays(path, ("mean", "scale"))
        tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        if self.draws_with_appearance:
            self.resources = with_appearance(self.resources, folder)
        self.constants = {name: tensors.pop(name) for name in ("mean", "scale")}
        self._build(len(self.constants["mean"]))
        try:
            self.network.load_state_dict(tensors)
        except RuntimeError as error:
            raise WeightsError(f"{path} was fitted with other settings: {error}") from error
        self.network.eval()

    def standardise(self, vectors: Tensor) -> Tensor:
        """Templates [N, D] as the network takes them."""
        return (self.prepare(vectors) - self.constants["mean"]) / self.constants["scale"].clamp_min(
            1e-6
        )

    def _build(self, dim: int) -> None:
        with seeded(self.resources.seed):
            self.network = self.build(dim)


def resized_crops(faces: FaceSet, size: int) -> Tensor:
    """Crops at side ``size``, uint8 [N, 3, size, size] (a quarter of float's memory)."""
    parts = [
        (resize(from_pixels(faces.crops[start : start + BATCH]), size) * 255).round().byte()
        for start in range(0, len(faces), BATCH)
    ]
    return torch.cat(parts)
