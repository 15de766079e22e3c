"""From attacks to scored attempts: fit, invert, detect, embed. Each a stage of the run."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from attacks.base import (
    Accelerator,
    AttackSettings,
    InversionAttack,
    Resources,
    Training,
    attack_class,
    make_settings,
)
from audit.attempted import Attempted, Tried, read_attempted
from audit.config import AuditConfig
from audit.likeness import Likeness
from audit.models import Models
from audit.people import People, seed_for
from audit.reconstruct import embed_pictures, find_faces, invert
from audit.run_folder import RunFolder, Stage, stage_key
from audit.training_data import TrainingPairs, training_pairs
from audit.training_settings import TrainingSettings
from audit.watch import Watch
from biometrics.file_names import file_name
from biometrics.progress import Advance, silent

CONTROLS = ("control:mean", "control:nearest", "control:random", "control:shuffled")


def consulted(attacks: Iterable[tuple[str, Mapping[str, Any]]], target: str) -> list[str]:
    """The backbones that took part in training these attacks (name, settings) or in choosing their
    settings, sorted."""
    names: set[str] = set()
    for name, settings in attacks:
        names |= attack_class(name).consulted(make_settings(name, settings), target)
    return sorted(names)


class Fitted(NamedTuple):
    """A fitted attack, and how long the fit took when it was made."""

    attack: InversionAttack
    seconds: float


class Attempts:
    """Runs attacks against the leaked templates of one target."""

    def __init__(
        self,
        run: RunFolder,
        people: People,
        models: Models,
        watch: Watch,
        *,
        seed: int = 0,
        accelerator: Accelerator = "cpu",
        training: TrainingSettings | None = None,
    ) -> None:
        self.run, self.people, self.models, self.watch = run, people, models, watch
        self.accelerator, self.training = accelerator, training or TrainingSettings()
        self.seed = seed
        self.likeness = Likeness(run, people, watch, seed=seed_for("bootstrap", seed))

    @classmethod
    def configured(
        cls, config: AuditConfig, run: RunFolder, people: People, models: Models, watch: Watch
    ) -> Attempts:
        """With the seed, the device and the training data of a configuration."""
        return cls(
            run,
            people,
            models,
            watch,
            seed=config.seed,
            accelerator=config.device,
            training=config.training,
        )

    @functools.cached_property
    def _photographs(self) -> TrainingPairs:
        """The attacker's own faces, copied into memory once for all attacks."""
        return self._made_pairs(TrainingSettings())

    @functools.cached_property
    def pairs(self) -> TrainingPairs:
        """What attacks learn from; controls that show a face show one of the attacker's own."""
        return self._photographs if self.training.plain else self._made_pairs(self.training)

    def _made_pairs(self, settings: TrainingSettings) -> TrainingPairs:
        seed = seed_for("training", self.seed)
        return training_pairs(settings, self.people, self.models, self.run, self.watch, seed)

    def attempt(self, name: str, settings: Mapping[str, Any], *, seed: int) -> Attempted:
        """Everything that is known of one attack, from finished stages where they exist."""
        tried = self.tried(name, settings, seed=seed)
        looks = self.likeness.compare(name, tried.made)
        checked = make_settings(name, settings)
        return read_attempted(
            name, tried, looks, attack_class(name).consulted(checked, self.models.target)
        )

    def tried(self, name: str, settings: Mapping[str, Any], *, seed: int) -> Tried:
        """The reconstructions of one attack and what the judges made of them, as stages."""
        checked, kind = make_settings(name, settings), attack_class(name)
        place = file_name(name)
        if kind.control:
            inputs = self._inputs(name, checked, seed)
            fitted = functools.partial(self._fitted, name, checked, seed)
        else:
            trained = self.trained(name, checked, seed)
            inputs = {"attack": trained.key}
            fitted = functools.partial(self._loaded, name, checked, seed, trained)
        if self.models.leaked.keys:
            inputs["leaked"] = self.models.leaked.keys[self.models.target]
        made = self.run.stage(
            f"reconstructions/{place}", inputs, lambda out: self._invert(name, fitted, out)
        )
        judged = {
            judge: self.run.stage(
                f"scores/{place}/{file_name(judge)}",
                {"reconstructions": made.key, "judge": self.models.backbone_keys[judge]},
                functools.partial(self._judge, name, judge, made),
            )
            for judge in self.models.judges
        }
        return Tried(made, judged)

    def fit(self, name: str, settings: AttackSettings, *, seed: int) -> Fitted:
        """The fitted attack, from its finished stage where there is one."""
        return self._loaded(name, settings, seed, self.trained(name, settings, seed))

    def trained(self, name: str, settings: AttackSettings, seed: int) -> Stage:
        """The stage of the fitted attack."""
        return self.run.stage(
            f"attacks/{file_name(name)}",
            self._inputs(name, settings, seed),
            lambda out: self._fit(self._fitted(name, settings, seed).attack, out),
        )

    def _inputs(self, name: str, settings: AttackSettings, seed: int) -> dict[str, Any]:
        """All that a fitted attack depends on."""
        borrowed = sorted(attack_class(name).borrowed(settings))
        inputs: dict[str, Any] = {
            "settings": settings.model_dump(mode="json"),
            "seed": seed,
            "faces": self._training_key(name),
            "templates": self.models.target_key,
            "appearance": self.models.appearance_key,
            "others": {other: self.models.backbone_keys[other] for other in borrowed},
        }
        brought = attack_class(name).brought(settings)
        if brought is not None:
            inputs["brought"] = brought.sha256
        if self.accelerator != "cpu":
            inputs["accelerator"] = self.accelerator
        return inputs

    def _training_key(self, name: str) -> str:
        """Of the faces that an attack learns from; they are made only where one is fitted."""
        if _shows_photographs(name) or self.training.plain:
            return self.people.key
        return stage_key(
            "training",
            {"faces": self.people.key, "settings": self.training.model_dump(mode="json")},
        )

    def _resources(self, seed: int, advance: Advance = silent) -> Resources:
        return Resources(
            appearance=self.models.appearance,
            backbone=self.models.ready[self.models.target],
            others=self.models.ready,
            similarity=self.models.target_similarity,
            seed=seed,
            accelerator=self.accelerator,
            advance=advance,
        )

    def _fitted(self, name: str, settings: AttackSettings, seed: int) -> Fitted:
        pairs = self._photographs if _shows_photographs(name) else self.pairs
        start = time.perf_counter()
        with self.watch.task(f"fit {name} on {len(pairs.faces):,} pairs") as advance:
            attack = attack_class(name)(settings, self._resources(seed, advance))
            attack.fit(pairs.faces, pairs.templates)
        return Fitted(attack, time.perf_counter() - start)

    def _fit(self, attack: InversionAttack, out: Path) -> None:
        attack.save(out)
        cost = None if attack.training is None else asdict(attack.training)
        record = {"curves": attack.curves, "training": cost}
        (out / "training.json").write_text(json.dumps(record))

    def _loaded(self, name: str, settings: AttackSettings, seed: int, trained: Stage) -> Fitted:
        attack = attack_class(name).load(trained.folder, settings, self._resources(seed))
        record = json.loads((trained.folder / "training.json").read_text())
        attack.curves = record["curves"]
        attack.training = None if record["training"] is None else Training(**record["training"])
        return Fitted(attack, trained.seconds)

    def _invert(self, name: str, fitted: Callable[[], Fitted], out: Path) -> None:
        attack, fit_seconds = fitted()
        made = invert(attack, self.models.leaked.vectors[self.models.target], name, self.watch)
        np.save(out / "crops.npy", made.crops, allow_pickle=False)
        if made.landmarks is not None:
            np.save(out / "predicted.npy", made.landmarks, allow_pickle=False)
        found = find_faces(made.crops, name, self.watch)
        np.save(out / "redetected.npy", found, allow_pickle=False)
        record = {
            "knowledge": attack.knowledge,
            "control": attack.control,
            "curves": attack.curves,
            "training": None if attack.training is None else asdict(attack.training),
            "seconds": {"fit": fit_seconds, "invert": made.seconds},
        }
        (out / "attack.json").write_text(json.dumps(record))

    def _judge(self, name: str, judge: str, made: Stage, out: Path) -> None:
        pictures = np.load(made.folder / "crops.npy", mmap_mode="r", allow_pickle=False)
        vectors = embed_pictures(self.models.judges[judge], pictures, name, self.watch)
        np.save(out / "vectors.npy", vectors, allow_pickle=False)


def _shows_photographs(name: str) -> bool:
    """Controls that learn nothing, but show what the attacker has."""
    return attack_class(name).control and name != "control:shuffled"
