"""Every file of weights that took part in a run, with its terms."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from attacks.trained import Trained, folder_hash, ships
from audit.brought import brought_by
from audit.models import Models
from audit.people import hash_file
from biometrics.backbones.base import OWN_LICENCE, Backbone
from biometrics.errors import FaceleakError
from biometrics.faces.detect import model_path
from biometrics.faces.shipped import SHIPPED_MODEL, shipped_model_path
from biometrics.weights import KNOWN
from reports.results import AttackResult, Measured, WeightResult

SHIPPED_TERMS = (
    "trained on a research data set (LFW): for research and for testing the protection of "
    "biometric data"
)
"""Of what ships with faceleak; the cards of the files say the same."""

_LANDMARKS = "shape_predictor_68_face_landmarks.dat"
_LANDMARK_TERMS = "trained on iBUG 300-W, whose terms are non-commercial"


def of_backbones(backbones: Iterable[Backbone], targets: Collection[str]) -> list[WeightResult]:
    """The recognition models, and what they are made of."""
    found: dict[str, WeightResult] = {}
    for backbone in backbones:
        for spec in (backbone.spec, *backbone.parts):
            use = "made the templates that leaked" if spec.name in targets else "recognition"
            found.setdefault(
                spec.name,
                WeightResult(
                    name=spec.name,
                    use=use,
                    licence=spec.licence,
                    origin=spec.origin,
                    sha256=spec.sha256 or "",
                ),
            )
    return list(found.values())


def of_measures(rows: Sequence[AttackResult]) -> list[WeightResult]:
    """What measures of likeness were computed with."""
    measured = {
        name for row in rows for name, value in row.image.items() if isinstance(value, Measured)
    }
    return [
        WeightResult(
            name=record.name,
            use=record.purpose,
            licence=record.licence,
            origin=record.url,
            sha256=record.sha256,
        )
        for record in KNOWN
        if measured & set(record.purpose.split(", "))
    ]


def of_attacks(attacks: Iterable[tuple[str, Mapping[str, Any]]]) -> list[WeightResult]:
    """What attacks bring along, trained before."""
    found = []
    for name, settings in attacks:
        brought = brought_by(name, settings)
        if brought is not None:
            own = bool(brought.subjects)
            found.append(
                WeightResult(
                    name=name,
                    use="a trained attack",
                    licence=SHIPPED_TERMS if own else OWN_LICENCE,
                    origin="ships with faceleak" if own else "brought by the user",
                    sha256=brought.sha256,
                )
            )
    return found


def of_store(trained: Trained, backbones: Iterable[Backbone], target: str) -> list[WeightResult]:
    """All of an audit of a store: the models, the attack that inverts, and what draws faces."""
    ours = ships(trained.folder)
    attack = WeightResult(
        name=f"attack {trained.folder.name}",
        use="a trained attack",
        licence=SHIPPED_TERMS if ours else OWN_LICENCE,
        origin="ships with faceleak" if ours else "brought by the user",
        sha256=folder_hash(trained.folder),
    )
    return [*of_backbones(backbones, [target]), attack, *of_landmarks(), of_shipped_appearance()]


def of_shipped_appearance() -> WeightResult:
    """The appearance model that ships, where it drew people or reconstructions."""
    return WeightResult(
        name=SHIPPED_MODEL.removesuffix(".safetensors"),
        use="draws faces",
        licence=SHIPPED_TERMS,
        origin="ships with faceleak",
        sha256=hash_file(shipped_model_path()),
    )


def of_landmarks() -> list[WeightResult]:
    """The model of the 68 points; none where it is not installed."""
    try:
        path = model_path(_LANDMARKS)
    except FaceleakError:
        return []
    return [
        WeightResult(
            name="dlib landmarks",
            use="finds 68 points of a face",
            licence=_LANDMARK_TERMS,
            origin="PyPI package face_recognition_models",
            sha256=hash_file(path),
        )
    ]


def of_audit(
    models: Iterable[Models],
    rows: Sequence[AttackResult],
    attacks: Iterable[tuple[str, Mapping[str, Any]]],
    *,
    generated: bool,
) -> list[WeightResult]:
    """All of an audit of faces, or of several targets of a stress run."""
    every = list(models)
    ready = [backbone for each in every for backbone in each.ready.values()]
    return [
        *of_backbones(ready, {each.target for each in every}),
        *of_landmarks(),
        *([of_shipped_appearance()] if generated else []),
        *of_attacks(attacks),
        *of_measures(rows),
    ]
