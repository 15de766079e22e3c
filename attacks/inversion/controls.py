"""Controls: what an attack must beat before its numbers mean anything."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator
from safetensors.numpy import save_file

from attacks.base import (
    ATTACKS,
    AttackSettings,
    Brought,
    InversionAttack,
    Reconstruction,
    Resources,
    make_settings,
    register_attack,
)
from attacks.checks import check_dimension, check_pairs
from attacks.saved import read_arrays, save_appearance, with_appearance
from biometrics.faces.faceset import FaceSet
from biometrics.faces.resize import from_pixels
from biometrics.metrics.scores import similarity_matrix
from biometrics.templates import TemplateSet

FILE = "control.safetensors"


@register_attack("control:mean")
class MeanFace(InversionAttack):
    """The mean face for every template: what is accepted of it is accepted of everybody."""

    knowledge: ClassVar[str] = "nothing"
    control: ClassVar[bool] = True

    def __init__(self, settings: AttackSettings, resources: Resources) -> None:
        super().__init__(settings, resources)
        self.dim = 0

    def fit(self, faces: FaceSet, templates: TemplateSet) -> None:
        """Nothing to learn: the mean face is the appearance model's."""
        check_pairs(faces, templates)
        self.dim = templates.vectors.shape[1]

    def invert(self, vectors: NDArray[np.float32]) -> Reconstruction:
        """N times the mean texture on the mean shape."""
        check_dimension(vectors, self.dim)
        model, n = self.resources.appearance, len(vectors)
        crops = np.tile(model.mean_texture, (n, 1, 1, 1))
        return Reconstruction(crops, np.tile(model.mean_shape, (n, 1, 1)))

    def save(self, folder: Path) -> None:
        """The dimension and the appearance model, whose mean face is the answer."""
        save_file({"dim": np.array([self.dim])}, folder / FILE)
        save_appearance(self.resources, folder)

    def restore(self, folder: Path) -> None:
        """Read both files; the stored appearance model replaces the given one."""
        self.dim = int(read_arrays(folder / FILE, ("dim",))["dim"][0])
        self.resources = with_appearance(self.resources, folder)


class _TrainingFaces(InversionAttack):
    """Controls that answer with a face of the attacker's own collection."""

    control: ClassVar[bool] = True

    def __init__(self, settings: AttackSettings, resources: Resources) -> None:
        super().__init__(settings, resources)
        self.vectors: NDArray[np.float32] = np.zeros((0, 0), dtype=np.float32)

    def fit(self, faces: FaceSet, templates: TemplateSet) -> None:
        """Keep the collection (the crops stay where they are, memory-mapped)."""
        check_pairs(faces, templates)
        self.crops: NDArray[np.uint8] = faces.crops
        self.landmarks = faces.landmarks
        self.vectors = templates.vectors

    @abstractmethod
    def choose(self, vectors: NDArray[np.float32]) -> NDArray[np.intp]:
        """The row of the collection that answers each template, int [N]."""

    def invert(self, vectors: NDArray[np.float32]) -> Reconstruction:
        """The chosen faces at the size of the canonical crop."""
        check_dimension(vectors, self.vectors.shape[1])
        rows = self.choose(vectors)
        crops = from_pixels(self.crops[rows]).numpy()
        return Reconstruction(crops, self.landmarks[rows])

    def save(self, folder: Path) -> None:
        """The collection with its templates."""
        arrays: dict[str, NDArray[Any]] = {
            "vectors": np.ascontiguousarray(self.vectors),
            "crops": np.ascontiguousarray(self.crops),
            "landmarks": np.ascontiguousarray(self.landmarks),
        }
        save_file(arrays, folder / FILE)

    def restore(self, folder: Path) -> None:
        """Read what :meth:`save` wrote."""
        arrays = read_arrays(folder / FILE, ("vectors", "crops", "landmarks"))
        self.vectors, self.crops = arrays["vectors"], arrays["crops"]
        self.landmarks = arrays["landmarks"]


@register_attack("control:nearest")
class NearestFace(_TrainingFaces):
    """The training face whose template is most similar, as the attacked model compares: a search,
    not an inversion."""

    knowledge: ClassVar[str] = "a collection of other people's faces and their templates"

    def choose(self, vectors: NDArray[np.float32]) -> NDArray[np.intp]:
        """The most similar training template, the first of equals."""
        scores = similarity_matrix(vectors, self.vectors, self.resources.similarity)
        rows: NDArray[np.intp] = scores.argmax(axis=1)
        return rows


@register_attack("control:random")
class RandomFace(_TrainingFaces):
    """A training face drawn at random: another person's real face.

    The draw depends on the template's own bytes and the seed, not on its place in the batch.
    """

    knowledge: ClassVar[str] = "a collection of other people's faces"

    def choose(self, vectors: NDArray[np.float32]) -> NDArray[np.intp]:
        """A uniform draw for each template."""
        seeds = [
            np.random.SeedSequence([self.resources.seed, *np.frombuffer(v.tobytes(), np.uint32)])
            for v in np.ascontiguousarray(vectors, dtype=np.float32)
        ]
        draws = [np.random.default_rng(seed).integers(len(self.crops)) for seed in seeds]
        return np.array(draws, dtype=np.intp)


class ShuffledSettings(AttackSettings):
    """Settings of ``control:shuffled``.

    Attributes:
        attack: the attack that is trained on permuted templates; no control itself.
    """

    attack: str = "linear"

    @field_validator("attack")
    @classmethod
    def _is_a_real_attack(cls, name: str) -> str:
        if ATTACKS.get(name).control:
            raise ValueError(f"'{name}' is a control itself; name an attack")
        return name


@register_attack("control:shuffled")
class Shuffled(InversionAttack):
    """An attack trained with its input templates permuted, while targets stay with their pictures.

    It must fall to the mean face; if it does not, something besides the templates leaks into the
    attack or its evaluation.
    """

    Settings: ClassVar[type[AttackSettings]] = ShuffledSettings
    knowledge: ClassVar[str] = "pairs whose templates were permuted: nothing"
    control: ClassVar[bool] = True

    settings: ShuffledSettings

    @classmethod
    def borrowed(cls, settings: AttackSettings) -> frozenset[str]:
        """What the attack trains with."""
        assert isinstance(settings, ShuffledSettings)
        return ATTACKS.get(settings.attack).borrowed(make_settings(settings.attack, {}))

    @classmethod
    def brought(cls, settings: AttackSettings) -> Brought | None:
        """What the attack brings along."""
        assert isinstance(settings, ShuffledSettings)
        return ATTACKS.get(settings.attack).brought(make_settings(settings.attack, {}))

    def __init__(self, settings: AttackSettings, resources: Resources) -> None:
        super().__init__(settings, resources)
        name = self.settings.attack
        self.attack = ATTACKS.get(name)(make_settings(name, {}), resources)

    def fit(self, faces: FaceSet, templates: TemplateSet) -> None:
        """Permute the templates so that none stays with its picture, then train."""
        check_pairs(faces, templates)
        around = np.random.default_rng(self.resources.seed).permutation(len(templates))
        order = np.empty_like(around)
        order[around] = np.roll(around, 1)
        self.attack.fit(faces, templates.take(order))
        self.curves = self.attack.curves

    def invert(self, vectors: NDArray[np.float32]) -> Reconstruction:
        """What the badly trained attack answers."""
        return self.attack.invert(vectors)

    def save(self, folder: Path) -> None:
        """What the attack saves."""
        self.attack.save(folder)

    def restore(self, folder: Path) -> None:
        """What the attack restores."""
        self.attack.restore(folder)
