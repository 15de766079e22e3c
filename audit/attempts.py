"""From attacks to scored attempts: fit, invert, detect, embed. Each a stage of the run."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from attacks.base import ATTACKS, AttackSettings, InversionAttack, Resources, make_settings
from audit.models import Models
from audit.people import People
from audit.run_folder import RunFolder, Stage
from audit.watch import Watch
from biometrics.backbones.embed import embed
from biometrics.faces.detect import find_in_crop
from biometrics.faces.faceset import FaceSet
from biometrics.faces.resize import to_canonical
from biometrics.metrics.image import hull_masks, image_scores
from biometrics.parallel import ordered_map
from biometrics.progress import Advance, silent

CONTROLS = ("control:mean", "control:nearest", "control:random", "control:shuffled")
BATCH = 256


def consulted(names: Sequence[str]) -> list[str]:
    """The judges that took part in choosing the default settings of these attacks, sorted."""
    return sorted(set().union(*(ATTACKS.get(name).tuned_for for name in names)))


@dataclass(frozen=True)
class Attempted:
    """What an attack made of the leaked templates; row i belongs to leaked picture i.

    Attributes:
        name, knowledge, control: of the attack.
        crops: uint8 [N, S, S, 3] at the attack's own size, memory-mapped.
        predicted: landmarks float32 [N, 68, 2] that the attack predicts, or None.
        redetected: landmarks [N, 68, 2] that dlib finds in the reconstruction; NaN without a face.
        vectors: the judges' templates of the reconstructions, float32 [N, D] each.
        images: likeness of each reconstruction to its picture, float64 [N] each.
        curves: training curves.
        seconds_fit, seconds_invert: wall time.
        keys: of the stages that all this comes from.
    """

    name: str
    knowledge: str
    control: bool
    crops: NDArray[np.uint8]
    predicted: NDArray[np.float32] | None
    redetected: NDArray[np.float32]
    vectors: dict[str, NDArray[np.float32]]
    images: dict[str, NDArray[np.float64]]
    curves: dict[str, list[float]]
    seconds_fit: float
    seconds_invert: float
    keys: tuple[str, ...]

    @property
    def detected(self) -> NDArray[np.bool_]:
        """Whether a face was found in the reconstruction, bool [N]."""
        return np.asarray(np.isfinite(self.redetected).all(axis=(1, 2)))


class _Fitted(NamedTuple):
    """A fitted attack, and how long the fit took when it was made."""

    attack: InversionAttack
    seconds: float


class _Inverted(NamedTuple):
    """Reconstructions uint8 [N, S, S, 3], landmarks where they are predicted, and the seconds."""

    crops: NDArray[np.uint8]
    landmarks: NDArray[np.float32] | None
    seconds: float


class Attempts:
    """Runs attacks against the leaked templates of one target."""

    def __init__(self, run: RunFolder, people: People, models: Models, watch: Watch) -> None:
        self.run, self.people, self.models, self.watch = run, people, models, watch

    @functools.cached_property
    def _attacker_faces(self) -> FaceSet:
        """The attacker's faces, copied into memory once for all attacks."""
        return self.people.faces.take(self.people.split.attacker)

    def attempt(self, name: str, settings: Mapping[str, Any], *, seed: int) -> Attempted:
        """Everything that is known of one attack, from finished stages where they exist."""
        checked = make_settings(name, settings)
        inputs = {
            "settings": checked.model_dump(mode="json"),
            "seed": seed,
            "faces": self.people.key,
            "templates": self.models.target_key,
            "appearance": self.models.appearance_key,
        }
        place = name.replace(":", "-")
        fitted = functools.partial(self._fitted, name, checked, seed)
        if not ATTACKS.get(name).control:
            trained = self.run.stage(
                f"attacks/{place}", inputs, lambda out: self._fit(fitted().attack, out)
            )
            fitted = functools.partial(self._loaded, name, checked, seed, trained)
            inputs = {"attack": trained.key}
        made = self.run.stage(
            f"reconstructions/{place}", inputs, lambda out: self._invert(name, fitted, out)
        )
        judged = {
            judge: self.run.stage(
                f"scores/{place}/{judge}",
                {"reconstructions": made.key, "judge": self.models.backbone_keys[judge]},
                functools.partial(self._judge, name, judge, made),
            )
            for judge in self.models.judges
        }
        looks = self.run.stage(
            f"scores/{place}/images",
            {"reconstructions": made.key},
            lambda out: self._compare(name, made, out),
        )
        return _read(name, made, judged, looks)

    def _resources(self, seed: int, advance: Advance = silent) -> Resources:
        return Resources(
            appearance=self.models.appearance,
            similarity=self.models.target_similarity,
            seed=seed,
            advance=advance,
        )

    def _fitted(self, name: str, settings: AttackSettings, seed: int) -> _Fitted:
        faces, start = self._attacker_faces, time.perf_counter()
        with self.watch.task(f"fit {name} on {len(faces):,} pairs") as advance:
            attack = ATTACKS.get(name)(settings, self._resources(seed, advance))
            attack.fit(faces, self.models.target_templates.take(self.people.split.attacker))
        return _Fitted(attack, time.perf_counter() - start)

    def _fit(self, attack: InversionAttack, out: Path) -> None:
        attack.save(out)
        (out / "curves.json").write_text(json.dumps(attack.curves))

    def _loaded(self, name: str, settings: AttackSettings, seed: int, trained: Stage) -> _Fitted:
        attack = ATTACKS.get(name).load(trained.folder, settings, self._resources(seed))
        attack.curves = json.loads((trained.folder / "curves.json").read_text())
        return _Fitted(attack, trained.seconds)

    def _invert(self, name: str, fitted: Callable[[], _Fitted], out: Path) -> None:
        attack, fit_seconds = fitted()
        made = self._inverted(name, attack)
        np.save(out / "crops.npy", made.crops, allow_pickle=False)
        if made.landmarks is not None:
            np.save(out / "predicted.npy", made.landmarks, allow_pickle=False)
        np.save(out / "redetected.npy", self._detect(name, made.crops), allow_pickle=False)
        record = {
            "knowledge": attack.knowledge,
            "control": attack.control,
            "curves": attack.curves,
            "seconds": {"fit": fit_seconds, "invert": made.seconds},
        }
        (out / "attack.json").write_text(json.dumps(record))

    def _inverted(self, name: str, attack: InversionAttack) -> _Inverted:
        vectors = self.models.target_templates.vectors[self.people.split.leaked]
        crops, landmarks, seconds = [], [], 0.0
        with self.watch.task(f"invert {len(vectors):,} templates by {name}", len(vectors)) as step:
            for begin in range(0, len(vectors), BATCH):
                start = time.perf_counter()
                made = attack.invert(vectors[begin : begin + BATCH])
                seconds += time.perf_counter() - start
                crops.append(made.rounded())
                if made.landmarks is not None:
                    landmarks.append(made.landmarks)
                step(len(made))
        points = np.concatenate(landmarks) if landmarks else None
        return _Inverted(np.concatenate(crops), points, seconds)

    def _detect(self, name: str, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Landmarks found in each reconstruction, NaN where there is no face; equal pictures (the
        mean face) are searched once."""
        digests = [hashlib.sha256(picture.tobytes()).digest() for picture in pictures]
        _, first, back = np.unique(digests, return_index=True, return_inverse=True)
        with self.watch.task(f"look for faces in {name}", len(first)) as advance:
            crops = [to_canonical(pictures[i : i + 1])[0] for i in first]
            found = []
            for landmarks in ordered_map(find_in_crop, crops):
                missing = np.full((68, 2), np.nan, dtype=np.float32)
                found.append(missing if landmarks is None else landmarks)
                advance(1)
        return np.stack(found)[back]

    def _judge(self, name: str, judge: str, made: Stage, out: Path) -> None:
        pictures = np.load(made.folder / "crops.npy", mmap_mode="r", allow_pickle=False)
        backbone, parts = self.models.judges[judge], []
        with self.watch.task(f"judge {name} by {judge}", len(pictures)) as advance:
            for begin in range(0, len(pictures), BATCH):
                crops = to_canonical(np.asarray(pictures[begin : begin + BATCH]))
                parts.append(embed(backbone, crops, advance=advance))
        np.save(out / "vectors.npy", np.concatenate(parts), allow_pickle=False)

    def _compare(self, name: str, made: Stage, out: Path) -> None:
        pictures = np.load(made.folder / "crops.npy", mmap_mode="r", allow_pickle=False)
        faces, rows = self.people.faces, self.people.split.leaked
        parts: dict[str, list[NDArray[np.float64]]] = {}
        with self.watch.task(f"compare {name} with the pictures", len(rows)) as advance:
            for begin in range(0, len(rows), BATCH):
                some = rows[begin : begin + BATCH]
                scores = image_scores(
                    to_canonical(np.asarray(pictures[begin : begin + BATCH])),
                    faces.crops[some],
                    hull_masks(faces.landmarks[some]),
                )
                for measure, values in vars(scores).items():
                    parts.setdefault(measure, []).append(values)
                advance(len(some))
        save_file({k: np.concatenate(v) for k, v in parts.items()}, out / "images.safetensors")


def _read(name: str, made: Stage, judged: Mapping[str, Stage], looks: Stage) -> Attempted:
    record = json.loads((made.folder / "attack.json").read_text())
    predicted = made.folder / "predicted.npy"
    return Attempted(
        name=name,
        knowledge=record["knowledge"],
        control=record["control"],
        crops=np.load(made.folder / "crops.npy", mmap_mode="r", allow_pickle=False),
        predicted=np.load(predicted, allow_pickle=False) if predicted.exists() else None,
        redetected=np.load(made.folder / "redetected.npy", allow_pickle=False),
        vectors={
            judge: np.load(stage.folder / "vectors.npy", allow_pickle=False)
            for judge, stage in judged.items()
        },
        images=load_file(looks.folder / "images.safetensors"),
        curves=record["curves"],
        seconds_fit=record["seconds"]["fit"],
        seconds_invert=record["seconds"]["invert"],
        keys=(made.key, looks.key, *(stage.key for stage in judged.values())),
    )
