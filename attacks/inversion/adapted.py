"""Somebody else's templates, by an attack that was trained on another model's.

A few hundred pictures, embedded by the model at hand, give a map from the leaked templates to those
of that model, and its trained attack does the rest: no training, and nothing of the attacked model
but the leaked templates of these pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from safetensors.numpy import save_file

from attacks.base import (
    AttackSettings,
    Brought,
    InversionAttack,
    Reconstruction,
    Resources,
    attack_class,
    make_settings,
    register_attack,
)
from attacks.checks import check_dimension, check_pairs
from attacks.saved import read_arrays
from attacks.trained import (
    Trained,
    copy_trained,
    find_attack,
    folder_hash,
    load_trained,
    read_record,
    ships,
)
from biometrics.backbones.embed import embed
from biometrics.errors import ConfigError, InputError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.shipped import shipped_subjects
from biometrics.template_map import ARRAYS, PAIRS, TemplateMap, draw_pairs, fit_template_map
from biometrics.templates import TemplateSet

NAME = "adapted"
FILE = "adapted.safetensors"
THROUGH = "through"
"""Folder of the copy of the trained attack, beside the map."""


class AdaptedSettings(AttackSettings):
    """Settings of ``adapted``.

    Attributes:
        through: the backbone that has a trained attack.
        attack: that attack: a folder made by ``faceleak train``, or the name of a backbone for
            which one ships; the one that ships for ``through`` where it is empty.
        pairs: pictures that the map is fitted on.
    """

    through: str = Field(default="dlib", min_length=1)
    attack: str = ""
    pairs: int = Field(default=PAIRS, ge=2)


@register_attack(NAME)
class Adapted(InversionAttack):
    """A map of templates, then a trained attack."""

    Settings: ClassVar[type[AttackSettings]] = AdaptedSettings
    knowledge: ClassVar[str] = (
        "a few hundred pairs of faces and templates, another model, and an attack trained on that"
    )

    settings: AdaptedSettings

    @classmethod
    def borrowed(cls, settings: AttackSettings) -> frozenset[str]:
        """The model that the trained attack belongs to."""
        return frozenset({_checked(settings).through})

    @classmethod
    def consulted(cls, settings: AttackSettings, target: str) -> frozenset[str]:
        """The attacked model, whose templates the map is made of; the model at hand; and whatever
        took part in making the trained attack."""
        record = _record(_checked(settings))
        inner = make_settings(record["attack"], record["settings"])
        before = attack_class(record["attack"]).consulted(inner, record["target"])
        return super().consulted(settings, target) | {target, record["target"]} | before

    @classmethod
    def brought(cls, settings: AttackSettings) -> Brought | None:
        """The trained attack."""
        folder = _folder(_checked(settings))
        if ships(folder):
            return Brought(folder_hash(folder), shipped_subjects())
        return Brought(
            folder_hash(folder), frozenset(), "whom the trained attack knows is not known"
        )

    def __init__(self, settings: AttackSettings, resources: Resources) -> None:
        super().__init__(settings, resources)
        self.map: TemplateMap | None = None
        self.trained: Trained | None = None

    def fit(self, faces: FaceSet, templates: TemplateSet) -> None:
        """Fit the map on the pictures that are drawn.

        Raises:
            InputError: no pairs, or no trained attack, or one for another model.
        """
        check_pairs(faces, templates)
        model = self.resources.others[self.settings.through]
        _check_model(_record(self.settings), model.spec.sha256)
        self.trained = load_trained(_folder(self.settings))
        rows = draw_pairs(faces.subject_ids, self.settings.pairs, self.resources.seed)
        mine = embed(model, faces.crops[rows], advance=self.resources.advance)
        unit = self.resources.similarity == "cosine"
        self.map = fit_template_map(templates.vectors[rows], mine, unit=unit)

    def invert(self, vectors: NDArray[np.float32]) -> Reconstruction:
        """What the trained attack makes of the mapped templates.

        Raises:
            InputError: another dimension than the map was fitted on, or NaN.
        """
        check_dimension(vectors, 0 if self.map is None else len(self.map.mean))
        assert self.map is not None
        assert self.trained is not None
        return self.trained.attack.invert(self.map.apply(vectors))

    def save(self, folder: Path) -> None:
        """``adapted.safetensors``, and a copy of the trained attack in ``through``."""
        assert self.map is not None
        assert self.trained is not None
        save_file(self.map.arrays(), folder / FILE)
        copy_trained(self.trained.folder, folder / THROUGH)

    def restore(self, folder: Path) -> None:
        """Read both; what the settings name is not asked for again."""
        self.map = TemplateMap.of_arrays(read_arrays(folder / FILE, ARRAYS), folder / FILE)
        self.trained = load_trained(folder / THROUGH)


def _checked(settings: AttackSettings) -> AdaptedSettings:
    assert isinstance(settings, AdaptedSettings)
    return settings


def _folder(settings: AdaptedSettings) -> Path:
    return find_attack(settings.attack or settings.through)


def _record(settings: AdaptedSettings) -> dict[str, Any]:
    """Of the trained attack, which must belong to the model at hand.

    Raises:
        InputError: it belongs to another.
        ConfigError: it is such a chain itself.
    """
    folder = _folder(settings)
    record = read_record(folder)
    if record["target"] != settings.through:
        raise InputError(
            f"attack '{NAME}': {folder} was trained on templates of {record['target']}, "
            f"not of {settings.through}; set its 'through'"
        )
    if attack_class(record["attack"]) is Adapted:
        raise ConfigError(
            f"attack '{NAME}': {folder} is an adapted attack itself; name the one that it uses"
        )
    return record


def _check_model(record: Any, sha256: str | None) -> None:
    """Refuse a model of the same name whose weights are others."""
    known = record.get("target_sha256")
    if known and sha256 and known != sha256:
        raise InputError(
            f"attack '{NAME}': the trained attack belongs to other weights of {record['target']}"
        )
