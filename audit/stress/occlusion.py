"""Covered faces: what a template keeps of them, and how an inversion fills what it never saw.

Rows with an attack hold these measures besides ``shift`` (see rows.py), all of them means over
people; errors are mean absolute errors in grey levels of the reconstruction against the *clean*
crop, within the hull of the true 68 points, since no template promises the background:

* ``error_inside``, ``error_outside``: in the part of the face that was covered, and in the rest.
* ``error_inside_clean``, ``error_outside_clean``: of the reconstruction from the clean template, in
  the very same places.
* ``error_inside_change``, ``error_outside_change``: the paired differences of these.
* ``error_face``: over the whole face.
* ``landmark_error``: mean squared error in px² of the points found in the reconstruction against
  the true ones of the clean picture; of reconstructions in which a face was found.

The rows of the decoders ask the same of networks that were trained for this comparison alone, on
fewer people; ``error_inside_to_first`` (and ``error_outside_to_first``, ``error_face_to_first``) is
the paired difference of the GAN's error to that of the CNN, which stands first. The row ``slide``
holds the map of slide.py.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from attacks.base import make_settings
from attacks.perturbation.base import PERTURBATIONS, Perturbation
from audit.stress.bench import Made, Numbers, Workbench
from audit.stress.pictures import picture_rows
from audit.stress.rows import subject_estimate
from audit.stress.slide import slide_row
from biometrics.faces.images import digest
from biometrics.metrics.image import absolute_errors, hull_masks, mean_within
from biometrics.metrics.landmarks import landmark_mse
from reports.results import CLEAN, Estimate, StressFamily, StressResult

FAMILY: StressFamily = "occlusion"
COVERS = (
    "block-eyes",
    "block-mouth",
    "sunglasses",
    "surgical-mask",
    "half-left",
    "half-right",
    "half-lower",
)
DECODED = ("block-eyes", "block-mouth", "surgical-mask")
"""What the decoders are compared under."""


def stress(bench: Workbench) -> list[StressResult]:
    """The rows of one target: every cover, blocks of growing area, the slide and the decoders."""
    sizes = bench.sizes.occlusion
    block = PERTURBATIONS.get("random-block")
    tried = [*_covers(COVERS), *(block(area) for area in sizes.areas)]
    rows = bench.draw(bench.sizes.subjects, bench.sizes.pictures)
    found = _rows(bench, tried, rows)
    if sizes.slide_faces:
        found.append(slide_row(bench, sizes))
    if sizes.decoders and bench.target == bench.config.judges[0]:
        found += _decoder_rows(bench)
    return found


def _covers(names: Sequence[str]) -> list[Perturbation]:
    return [PERTURBATIONS.get(name)() for name in names]


def _rows(
    bench: Workbench,
    tried: Sequence[Perturbation],
    rows: NDArray[np.intp],
    errors: Errors | None = None,
) -> list[StressResult]:
    errors = errors or Errors(bench, rows, tried)
    return picture_rows(bench, FAMILY, tried, rows, numbers=errors.numbers, summary=errors.summary)


def _decoder_rows(bench: Workbench) -> list[StressResult]:
    """The decoders on the first target only: they are trained here."""
    sizes = bench.sizes.occlusion
    configured = set(bench.attacks)
    chosen = tuple(choice for choice in sizes.decoders if choice.name not in configured)
    if not chosen:
        return []
    config = bench.config.model_copy(update={"attacks": chosen})
    own = Workbench(
        config, bench.sizes, bench.people, bench.models, bench.shared, bench.run, bench.watch
    )
    rows = own.draw(sizes.decoder_subjects, bench.sizes.pictures)
    covers = _covers(DECODED)
    found = _rows(own, covers, rows, Decoders(own, rows, covers))
    return [row.model_copy(update={"note": _note(own, row.attack)}) for row in found]


def _note(bench: Workbench, attack: str) -> str:
    """What a reader must know of a decoder that was trained for these rows."""
    settings = make_settings(attack, dict(bench.config.attacks)[attack]).model_dump()
    said = [f"{settings[key]} {word}" for key, word in _SAID.items() if key in settings]
    people = len(np.unique(bench.names[bench.people.split.attacker]))
    trained = f"trained on {people:,} people" + (f" with {', '.join(said)}" if said else "")
    return f"{trained}; a decoder with more training may fill a covered face better"


_SAID = {"epochs": "passes", "size": "pixels a side"}


class Errors:
    """Errors of reconstructions of covered faces, in and beside what was covered.

    Args:
        bench: the target.
        rows: whose pictures are covered.
        tried: all that they are covered with; what is made of clean templates is measured in the
            same places.
    """

    def __init__(
        self, bench: Workbench, rows: NDArray[np.intp], tried: Sequence[Perturbation]
    ) -> None:
        self.bench, self.rows, self.tried = bench, rows, list(tried)

    def numbers(self, perturbation: Perturbation | None) -> Numbers:
        """What to measure under one cover; of clean reconstructions under all."""
        where = self.tried if perturbation is None else [perturbation]
        record = {
            "errors": [[p.name, p.strength] for p in where],
            "faces": self.bench.people.faces_key,
            "rows": digest(self.rows.astype(np.int64).tobytes()),
            "seed": self.bench.config.seed,
        }
        return Numbers(functools.partial(self._measure, where), record)

    def _measure(
        self,
        where: Sequence[Perturbation],
        made: NDArray[np.uint8],
        points: NDArray[np.float32],
        some: slice,
    ) -> Mapping[str, NDArray[np.floating]]:
        rows = self.rows[some]
        faces = self.bench.people.faces
        true = np.asarray(faces.landmarks[rows])
        face, errors = hull_masks(true), absolute_errors(made, np.asarray(faces.crops[rows]))
        found: dict[str, NDArray[np.floating]] = {
            "landmark_error": landmark_mse(points, true),
            "error_face": mean_within(errors, face),
        }
        for perturbation in where:
            covered = self.bench.perturbed(perturbation, rows).covered
            assert covered is not None
            found[_inside(perturbation)] = mean_within(errors, face & covered)
            found[_outside(perturbation)] = mean_within(errors, face & ~covered)
        return found

    def summary(
        self, perturbation: Perturbation | None, made: Made, clean: Made
    ) -> dict[str, Estimate]:
        """The measures of one row."""
        values = {name: made.measures[name] for name in ("landmark_error", "error_face")}
        if perturbation is not None:
            places = {"inside": _inside(perturbation), "outside": _outside(perturbation)}
            for place, name in places.items():
                now, before = made.measures[name], clean.measures[name]
                values[f"error_{place}"] = now
                values[f"error_{place}_clean"] = before
                values[f"error_{place}_change"] = now - before
        return {n: subject_estimate(self.bench, self.rows, v) for n, v in values.items()}


class Decoders(Errors):
    """The errors of decoders that are compared: one is told of after the other."""

    def __init__(
        self, bench: Workbench, rows: NDArray[np.intp], tried: Sequence[Perturbation]
    ) -> None:
        super().__init__(bench, rows, tried)
        self._first: dict[str, Made] = {}

    def summary(
        self, perturbation: Perturbation | None, made: Made, clean: Made
    ) -> dict[str, Estimate]:
        """As of one attack, and for the second and later ones the paired differences to the
        first."""
        found = super().summary(perturbation, made, clean)
        cover = CLEAN if perturbation is None else perturbation.slug
        first = self._first.setdefault(cover, made)
        if first is made:
            return found
        names = {"error_face": "error_face_to_first"}
        if perturbation is not None:
            names[_inside(perturbation)] = "error_inside_to_first"
            names[_outside(perturbation)] = "error_outside_to_first"
        return found | {
            word: subject_estimate(
                self.bench, self.rows, made.measures[name] - first.measures[name]
            )
            for name, word in names.items()
        }


def _inside(perturbation: Perturbation) -> str:
    return f"inside {perturbation.slug}"


def _outside(perturbation: Perturbation) -> str:
    return f"outside {perturbation.slug}"
