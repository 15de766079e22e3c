"""What a protection run works with: one target, and the leaked templates that are attacked."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks.preimage.base import Population
from audit.config import AuditConfig
from audit.models import Models
from audit.people import People, seed_for
from audit.protect.settings import ProtectSettings
from audit.run_folder import RunFolder
from audit.split import unit_hash
from audit.watch import Watch
from audit.workbench import Numbers, Vectors
from audit.workbench import Workbench as Target
from biometrics.metrics.image import hull_masks, image_scores

MEASURES = ("ssim_crop", "ssim_face", "psnr_face")
"""Of the likeness of pictures, those that are told for every attack."""


class Workbench(Target):
    """One target whose templates are protected.

    Attributes:
        sizes: what is tried.
        attributes: by name, whether the picture of each face shows it, bool [M]; empty where nobody
            knows.
    """

    STAGES: ClassVar[str] = "protect"

    def __init__(
        self,
        config: AuditConfig,
        sizes: ProtectSettings,
        attributes: Mapping[str, NDArray[np.bool_]],
        people: People,
        models: Models,
        shared: RunFolder,
        run: RunFolder,
        watch: Watch,
    ) -> None:
        super().__init__(config, people, models, shared, run, watch)
        self.sizes, self.attributes = sizes, attributes

    @property
    def most_shown(self) -> int:
        """People whose pictures are shown."""
        return self.sizes.shown

    @functools.cached_property
    def rows(self) -> NDArray[np.intp]:
        """The pictures whose protected templates leaked."""
        return self.draw(self.sizes.subjects, self.sizes.pictures)

    @functools.cached_property
    def sample(self) -> NDArray[np.intp]:
        """One picture of each of some of the attacker's own people, on whom the attacker tries
        what it is about to do."""
        attacker = self.people.split.attacker
        names, first = np.unique(self.names[attacker], return_index=True)
        hashes = [unit_hash(n, purpose="sample", seed=self.config.seed) for n in names]
        # At most half of them: the others say what templates look like.
        most = min(self.sizes.sample, len(names) // 2)
        return np.sort(attacker[first[np.argsort(hashes)[:most]]])

    @functools.cached_property
    def rest(self) -> NDArray[np.intp]:
        """The attacker's pictures of everybody who is not in the sample."""
        attacker = self.people.split.attacker
        return attacker[~np.isin(self.names[attacker], self.names[self.sample])]

    @functools.cached_property
    def population(self) -> Population:
        """What the attacker's people say of the target's templates."""
        return Population.of(self.clean(self.target, self.rest))

    @functools.cached_property
    def known(self) -> NDArray[np.intp]:
        """The attacker's pictures that are handed in where only scores or decisions leak: one of
        each of as many people as there are, then further ones."""
        names = self.names[self.rest]
        order = np.argsort([unit_hash(n, purpose="known", seed=self.config.seed) for n in names])
        seen: dict[str, int] = {}
        place = np.array([seen.setdefault(n, 0) for n in names[order]], dtype=np.intp)
        for i, name in enumerate(names[order]):
            place[i] = seen[name]
            seen[name] += 1
        return np.sort(self.rest[order[np.argsort(place, kind="stable")[: self.sizes.queries]]])

    def centred_cosine(self, found: Vectors, true: Vectors) -> NDArray[np.float64]:
        """Cosine of templates [N, D] less the mean of the attacker's people: 0 is a guess."""
        a, b = (rows.astype(np.float64) - self.population.mean for rows in (found, true))
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        cosine: NDArray[np.float64] = np.einsum("nd,nd->n", a, b) / np.maximum(lengths, 1e-12)
        return cosine.clip(-1.0, 1.0)

    def likeness(self) -> Numbers:
        """How much reconstructions look like the leaked pictures; NaN for those left out."""
        faces, rows, most = self.people.faces, self.rows, self.sizes.likeness
        compared = np.zeros(len(rows), dtype=bool)
        compared[np.random.default_rng(self.seed_of("likeness")).permutation(len(rows))[:most]] = 1

        def measure(
            pictures: NDArray[np.uint8], redetected: NDArray[np.float32], some: slice
        ) -> dict[str, NDArray[np.floating]]:
            found = {name: np.full(len(pictures), np.nan) for name in MEASURES}
            chosen = np.flatnonzero(compared[some])
            if len(chosen):
                mine = rows[some][chosen]
                masks = hull_masks(faces.landmarks[mine])
                scores = image_scores(pictures[chosen], np.asarray(faces.crops[mine]), masks)
                for name, values in found.items():
                    values[chosen] = getattr(scores, name)
            return dict(found)

        record = {"likeness": list(MEASURES), "most": most, "faces": self.people.faces_key}
        return Numbers(measure, record)

    def seed_of(self, purpose: str) -> int:
        """A seed for what an attacker draws."""
        return seed_for(purpose, self.config.seed)
