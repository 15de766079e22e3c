"""What an inversion attack is: it learns from pairs of face and template and turns templates back
into faces. It never grades itself; the audit re-embeds its reconstructions with the judges."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

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


QUICK_EPOCHS = 0.5
"""A quick run trains for this share of the configured epochs."""

Accelerator = Literal["cpu", "auto"]
"""Where training runs: ``auto`` takes a GPU where there is one; results then depend on it."""


class AttackSettings(BaseModel):
    """Base of every attack's own settings; unknown keys and infinite numbers are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def quick(self) -> Self:
        """These settings for a quick run; here, half of every number of epochs."""
        values = self.model_dump()
        epochs = {
            name: max(1, round(value * QUICK_EPOCHS))
            for name, value in values.items()
            if name.endswith("epochs")
        }
        return self.model_copy(update=epochs)


@dataclass(frozen=True)
class Training:
    """What a trained attack cost.

    Attributes:
        passes, pairs, steps: passes over its pairs, pairs in one pass and optimisation steps; with
            several networks, of the one that took most steps.
        parameters: trainable ones of all networks that the attack keeps.
        memory: bytes that one step holds, where they were counted.
    """

    passes: int
    pairs: int
    steps: int
    parameters: int
    memory: int | None = None


@dataclass(frozen=True)
class Resources:
    """What an attacker has besides pairs of faces and templates.

    Attributes:
        appearance: the statistical face model fitted on the attacker's subjects.
        backbone: the attacked model itself where the attacker holds it (white-box), else None.
        others: other recognition models that the attacker holds, by name.
        similarity: how the attacked model compares templates.
        seed: makes training and drawing reproducible.
        accelerator: where training runs.
        advance: told about every finished unit of training.
    """

    appearance: AppearanceModel
    backbone: Backbone | None = None
    others: Mapping[str, Backbone] = field(default_factory=dict, compare=False)
    similarity: Similarity = "l2"
    seed: int = 0
    accelerator: Accelerator = "cpu"
    advance: Advance = field(default=silent, compare=False)


@dataclass(frozen=True)
class Brought:
    """What an attack brings along, trained before it was fitted here.

    Attributes:
        sha256: of all its files.
        subjects: names of the people whom it was trained on, as far as they are listed.
        note: what a report should say of it.
    """

    sha256: str
    subjects: frozenset[str]
    note: str = ""


class InversionAttack(ABC):
    """Base of every attack.

    ``knowledge`` says in words what the attacker must hold; ``control`` marks rows that only give
    the numbers of real attacks their meaning. After :meth:`fit`, ``curves`` holds the training
    curves as ``{name: [value of each epoch]}`` (empty for closed-form attacks) and ``training``
    what it cost (None for those).

    ``tuned_for`` names the backbones that judged when the default settings were chosen (each its
    own templates, on a fold of attacker subjects): they are never unseen judges of the attack.
    ``whitebox`` says that :meth:`fit` needs ``resources.backbone``. ``closed_form`` says that it
    takes seconds, so that an attack may be fitted again for every key of a protected store.
    """

    Settings: ClassVar[type[AttackSettings]] = AttackSettings
    knowledge: ClassVar[str]
    control: ClassVar[bool] = False
    whitebox: ClassVar[bool] = False
    closed_form: ClassVar[bool] = False
    tuned_for: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def borrowed(cls, settings: AttackSettings) -> frozenset[str]:
        """Names of the backbones besides the attacked one that :meth:`fit` trains with, to be given
        as ``resources.others``; they are never unseen judges either."""
        return frozenset()

    @classmethod
    def consulted(cls, settings: AttackSettings, target: str) -> frozenset[str]:
        """Backbones that took part in training or in choosing these settings, for attacking
        ``target``: none of them is an unseen judge."""
        return cls.tuned_for | cls.borrowed(settings)

    @classmethod
    def brought(cls, settings: AttackSettings) -> Brought | None:
        """What it brings along; None where all it knows is learnt by :meth:`fit`."""
        return None

    def __init__(self, settings: AttackSettings, resources: Resources) -> None:
        self.settings = settings
        self.resources = resources
        self.curves: dict[str, list[float]] = {}
        self.training: Training | None = None

    @abstractmethod
    def fit(self, faces: FaceSet, templates: TemplateSet) -> None:
        """Learn from the attacker's faces and their templates, row by row the same pictures."""

    def refitted(
        self,
        faces: FaceSet,
        templates: TemplateSet,
        rows: NDArray[np.integer] | None = None,
    ) -> Self:
        """The same attack, learnt anew from other templates: protected ones, or another model's.

        Args:
            faces: the attacker's.
            templates: of these faces, or of those at ``rows``.
            rows: positions in ``faces``; None for all.
        """
        attack = type(self)(self.settings, self.resources)
        attack.fit(faces if rows is None else faces.take(rows), templates)
        return attack

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


def registered_name(name: str) -> str:
    """The registered part of an attack's name: ``nagm:full`` is a variant of ``nagm``.

    Variants let one run hold the same attack with several settings; ``control:mean`` is registered
    under its whole name.
    """
    return name if name in ATTACKS.names() else name.partition(":")[0]


def attack_class(name: str) -> type[InversionAttack]:
    """The attack of that name, or of the name before its variant.

    Raises:
        UnknownNameError: no such attack.
    """
    return ATTACKS.get(registered_name(name))


def make_settings(name: str, values: Mapping[str, Any]) -> AttackSettings:
    """The settings object of a registered attack, or of a variant of one.

    Raises:
        UnknownNameError: no such attack.
        ConfigError: an unknown key or a value out of range, with the nearest known key.
    """
    model = attack_class(name).Settings
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
