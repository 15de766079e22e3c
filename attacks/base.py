"""What an inversion attack is: it learns from pairs of face and template and turns templates back
into faces. It never grades itself; the audit re-embeds its reconstructions with the judges."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from biometrics.backbones.base import Backbone, Similarity
from biometrics.errors import ConfigError, did_you_mean
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.faceset import FaceSet
from biometrics.faces.resize import to_pixels
from biometrics.progress import Advance, silent
from biometrics.registry import Registry
from biometrics.templates import TemplateSet


@dataclass(frozen=True)
class Reconstruction:
    """Faces made from templates.

    Attributes:
        crops: the canonical crop at any square size, float32 [N, 3, S, S], RGB in [0, 1].
        landmarks: float32 [N, 68, 2] in pixels of the 224 crop, where the attack predicts them.
    """

    crops: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.crops)

    def rounded(self) -> NDArray[np.uint8]:
        """The crops as an attacker would hand them in: uint8 [N, S, S, 3]."""
        return to_pixels(self.crops)


class AttackSettings(BaseModel):
    """Base of every attack's own settings; unknown keys and infinite numbers are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Resources:
    """What an attacker has besides pairs of faces and templates.

    Attributes:
        appearance: the statistical face model fitted on the attacker's subjects.
        backbone: the attacked model itself where the attacker holds it (white-box), else None.
        similarity: how the attacked model compares templates.
        seed: makes training and drawing reproducible.
        advance: told about every finished unit of training.
    """

    appearance: AppearanceModel
    backbone: Backbone | None = None
    similarity: Similarity = "l2"
    seed: int = 0
    advance: Advance = field(default=silent, compare=False)


class InversionAttack(ABC):
    """Base of every attack.

    ``knowledge`` says in words what the attacker must hold; ``control`` marks rows that only give
    the numbers of real attacks their meaning. After :meth:`fit`, ``curves`` holds the training
    curves as ``{name: [value of each epoch]}`` (empty for closed-form attacks).

    ``tuned_for`` names the backbones that judged when the default settings were chosen (each its
    own templates, on a fold of attacker subjects): they are never unseen judges of the attack.
    """

    Settings: ClassVar[type[AttackSettings]] = AttackSettings
    knowledge: ClassVar[str]
    control: ClassVar[bool] = False
    tuned_for: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, settings: AttackSettings, resources: Resources) -> None:
        self.settings = settings
        self.resources = resources
        self.curves: dict[str, list[float]] = {}

    @abstractmethod
    def fit(self, faces: FaceSet, templates: TemplateSet) -> None:
        """Learn from the attacker's faces and their templates, row by row the same pictures."""

    @abstractmethod
    def invert(self, vectors: NDArray[np.float32]) -> Reconstruction:
        """Turn templates [N, D] into N faces. The input is left untouched."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write everything that :meth:`invert` needs into an existing folder (no pickles)."""

    @abstractmethod
    def restore(self, folder: Path) -> None:
        """Read what :meth:`save` wrote into this object."""

    @classmethod
    def load(cls, folder: Path, settings: AttackSettings, resources: Resources) -> Self:
        """A fitted attack from what :meth:`save` wrote."""
        attack = cls(settings, resources)
        attack.restore(folder)
        return attack


ATTACKS: Registry[type[InversionAttack]] = Registry(
    "attack", group="faceleak.attacks", builtin="attacks.inversion"
)
register_attack = ATTACKS.register


def make_settings(name: str, values: Mapping[str, Any]) -> AttackSettings:
    """The settings object of a registered attack.

    Raises:
        UnknownNameError: no such attack.
        ConfigError: an unknown key or a value out of range, with the nearest known key.
    """
    model = ATTACKS.get(name).Settings
    unknown = sorted(set(values) - set(model.model_fields))
    if unknown:
        hint = did_you_mean(unknown[0], model.model_fields)
        raise ConfigError(f"attack '{name}' has no setting '{unknown[0]}'{hint}")
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"attack '{name}', setting '{where}': {first['msg']}") from error
