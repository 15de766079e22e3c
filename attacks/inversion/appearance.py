"""The default attack: from the template to coefficients of the appearance model, trained until the
attacked model itself takes the reconstruction for the person.

Ridge regression gives a recognisable, evenly lit face within seconds. A small network beside it,
started at zero, then learns what the ridge missed from an identity loss: the reconstruction is
rendered, embedded by the attacked model, and its template drawn towards the leaked one, while the
distance of its coefficients to those of the picture keeps a face a face.

Sources: ridge and appearance model as in ``linear``; the identity loss is that of Cole et al. 2017,
section 3.3, here alone and through the coefficients, so that no weight of it can leave the space of
faces.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from attacks.base import AttackSettings, register_attack
from attacks.inversion.decoder import DecoderAttack
from attacks.inversion.identity import IdentityLoss
from attacks.inversion.jitter import Jitter
from attacks.inversion.training import Schedule
from biometrics.backbones.base import Backbone
from biometrics.faces.appearance import AppearanceModel, as_tensor
from biometrics.faces.faceset import FaceSet
from biometrics.faces.geometry import CROP_SIZE
from biometrics.faces.warp import scale_points, warp
from biometrics.ridge import solve_ridge
from biometrics.templates import TemplateSet

WARP_STRIDE = 4
"""The flow is evaluated at every fourth pixel, as in the appearance model."""


class AppearanceSettings(AttackSettings):
    """Settings of ``appearance``.

    Attributes:
        epochs: passes over the attacker's templates.
        batch_size: templates a step.
        learning_rate: highest rate of the one-cycle schedule.
        hidden: width of the network beside the ridge.
        ridge: penalty of the regression, as in ``linear``.
        identity: weight of the identity loss; 0 leaves the ridge alone and needs no white-box.
        prior: weight of the mean squared coefficient, which pulls towards the mean face.
        likeness: weight of the mean squared error of the coefficients against the picture's own:
            it pulls towards what is known of the face besides what the attacked model looks at.
        jitter: strength of the random shifts, turns, flips and tints that a reconstruction suffers
            before the attacked model sees it in training, so that it must please the model as a
            face and not as a pattern of pixels; 0 for none.
        sibling: share of the identity loss that aims at the template of another picture of the
            same subject instead of the leaked one.
        weight_decay: of AdamW.
    """

    epochs: int = Field(default=8, ge=1)
    batch_size: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)
    hidden: int = Field(default=512, ge=8)
    ridge: float = Field(default=1e-2, ge=0)
    identity: float = Field(default=1.0, ge=0)
    prior: float = Field(default=0.0, ge=0)
    likeness: float = Field(default=0.05, ge=0)
    jitter: float = Field(default=1.0, ge=0)
    sibling: float = Field(default=0.5, ge=0, le=1)
    weight_decay: float = Field(default=1e-2, ge=0)


class CoefficientNetwork(nn.Module):
    """Standardised templates [N, D] to standardised coefficients [N, K]: a linear map, and a
    perceptron beside it that starts at zero."""

    def __init__(self, dim: int, coefficients: int, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, coefficients, bias=False)
        self.layers = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU()
        )
        self.out = nn.Linear(hidden, coefficients)
        for weights in (self.linear.weight, self.out.weight, self.out.bias):
            nn.init.zeros_(weights)

    def forward(self, vectors: Tensor) -> Tensor:
        """[N, D] to [N, K]."""
        result: Tensor = self.linear(vectors) + self.out(self.layers(vectors))
        return result


class Renderer(nn.Module):
    """The appearance model as a module, so that it goes to where training runs."""

    def __init__(self, model: AppearanceModel) -> None:
        super().__init__()
        size = model.texture_size
        self.size, self.n_shape = size, model.n_shape
        mean = scale_points(as_tensor(model.mean_shape), size=CROP_SIZE, to=size)
        for name, value in {
            "mean_points": mean,
            "mean_shape": as_tensor(model.mean_shape),
            "mean_texture": as_tensor(model.mean_texture).reshape(1, -1),
            "shape_basis": as_tensor(model.shape_basis),
            "texture_basis": as_tensor(model.texture_basis).reshape(len(model.texture_basis), -1),
        }.items():
            self.register_buffer(name, value)

    mean_points: Tensor
    mean_shape: Tensor
    mean_texture: Tensor
    shape_basis: Tensor
    texture_basis: Tensor

    def forward(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Faces [N, 3, T, T] in [0, 1] and landmarks [N, 68, 2] (224 crop) of coefficients."""
        shape, texture = coefficients.tensor_split([self.n_shape], dim=1)
        flat = torch.addmm(self.mean_texture, texture, self.texture_basis)
        textures = flat.reshape(-1, 3, self.size, self.size).clamp(0, 1)
        landmarks = self.mean_shape + (shape @ self.shape_basis).reshape(-1, 68, 2)
        target = scale_points(landmarks, size=CROP_SIZE, to=self.size)
        return warp(textures, target, self.mean_points - target, stride=WARP_STRIDE), landmarks


class AppearanceLoss(nn.Module):
    """Identity, prior and likeness of predicted coefficients, a mean over the batch."""

    def __init__(self, backbone: Backbone, model: AppearanceModel, settings: AppearanceSettings):
        super().__init__()
        self.identity, self.render = IdentityLoss(backbone), Renderer(model)
        self.jitter = Jitter(settings.jitter)
        self.settings = settings

    def forward(self, coefficients: Tensor, own: Tensor, sibling: Tensor, true: Tensor) -> Tensor:
        """The loss of predicted coefficients [B, K].

        Args:
            coefficients: predicted.
            own, sibling: templates [B, D] of the picture and of another picture of its subject.
            true: coefficients [B, K] of the picture.
        """
        settings = self.settings
        made = self.identity.embed(self.jitter(self.render(coefficients)[0]))
        distance = self.identity.between(made, own).mean()
        if settings.sibling:
            other = self.identity.between(made, sibling).mean()
            distance = torch.lerp(distance, other, settings.sibling)
        loss: Tensor = settings.identity * distance + settings.prior * coefficients.square().mean()
        if settings.likeness:
            loss = loss + settings.likeness * (coefficients - true).square().mean()
        return loss


@register_attack("appearance")
class Appearance(DecoderAttack):
    """Ridge and a small network to coefficients, trained through the attacked model.

    Templates that are compared by cosine are brought to length 1 first.
    """

    Settings: ClassVar[type[AttackSettings]] = AppearanceSettings
    knowledge: ClassVar[str] = "pairs of faces and templates, and the model itself (white-box)"
    whitebox: ClassVar[bool] = True
    file: ClassVar[str] = "appearance-decoder"
    tuned_for: ClassVar[frozenset[str]] = frozenset({"dlib", "mobilefacenet"})

    settings: AppearanceSettings
    network: CoefficientNetwork

    @classmethod
    def consulted(cls, settings: AttackSettings, target: str) -> frozenset[str]:
        """For the backbones of ``tuned_for`` only the target itself: the default settings were
        chosen twice, for each by its own verdict alone (``benchmarks/lfw/tune_appearance.py``),
        with the same outcome."""
        if settings == AppearanceSettings() and target in cls.tuned_for:
            return frozenset({target})
        return super().consulted(settings, target)

    def build(self, dim: int) -> CoefficientNetwork:
        """A network that answers the mean face."""
        return CoefficientNetwork(
            dim, self.resources.appearance.n_coefficients, self.settings.hidden
        )

    def needs_model(self) -> bool:
        """Only the identity loss looks through the attacked model."""
        return self.settings.identity > 0

    def prepare(self, vectors: Tensor) -> Tensor:
        """Unit length where the attacked model compares directions."""
        if self.resources.similarity == "cosine":
            return nn.functional.normalize(vectors, dim=1)
        return vectors

    def learn(self, faces: FaceSet, templates: TemplateSet, inputs: Tensor) -> None:
        """Solve the ridge, then train everything through the attacked model."""
        settings, model = self.settings, self.resources.appearance
        true = model.encode(faces)
        weights = solve_ridge(inputs.numpy(), true, settings.ridge)[1]
        with torch.no_grad():
            self.network.linear.weight.copy_(torch.from_numpy(weights.T))
        if settings.identity == 0:
            return
        own = self.prepare(torch.from_numpy(np.array(templates.vectors, dtype=np.float32)))
        other = siblings(faces.subject_ids, self.resources.seed)
        curves = self.train_network(
            self.network,
            faces,
            inputs,
            (own, own[other], torch.from_numpy(true)),
            AppearanceLoss(self.attacked_model(), model, settings),
            Schedule(
                epochs=settings.epochs,
                batch_size=settings.batch_size,
                learning_rate=settings.learning_rate,
                weight_decay=settings.weight_decay,
                seed=self.resources.seed,
            ),
        )
        self.curves = {
            "identity loss with its prior": curves.train,
            "identity loss, held-out subjects": curves.held_out,
        }

    def draw(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """Faces at the size of the appearance model's texture, with their landmarks."""
        model = self.resources.appearance
        decoded = model.decode(output)
        return model.compose(decoded.textures, decoded.landmarks), decoded.landmarks


def siblings(subjects: NDArray[np.str_], seed: int) -> NDArray[np.intp]:
    """For each picture the row of another one of the same subject, itself where there is none."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(subjects))
    order = shuffled[np.argsort(subjects[shuffled], kind="stable")]
    names = subjects[order]
    first = np.flatnonzero(np.r_[True, names[1:] != names[:-1]])
    counts = np.diff(np.r_[first, len(names)])
    start, count = np.repeat(first, counts), np.repeat(counts, counts)
    within = np.arange(len(names)) - start
    answer = np.empty(len(subjects), dtype=np.intp)
    answer[order] = order[start + (within + 1) % count]  # the next in a circle of the subject's own
    return answer
