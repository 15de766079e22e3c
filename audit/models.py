"""The models of an audit: target, judges, their templates, and the attacker's appearance model."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from attacks.base import attack_class, make_settings
from audit.config import AuditConfig
from audit.degraded import Leaked, leaked_templates
from audit.own_models import without_folders
from audit.people import People, seed_for
from audit.run_folder import RunFolder, stage_key
from audit.watch import Watch
from biometrics.backbones.base import (
    BACKBONES,
    Backbone,
    Fittable,
    Similarity,
    identity,
    load_backbone,
    parts_of,
)
from biometrics.backbones.embed import embed_faces
from biometrics.errors import MissingFileError, WeightsError
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.appearance_fit import fit_appearance
from biometrics.faces.images import digest
from biometrics.faces.shipped import shipped_model_path
from biometrics.file_names import file_name
from biometrics.templates import TemplateSet
from biometrics.weights import weights_folder


@dataclass(frozen=True)
class Models:
    """What the audit works with.

    Attributes:
        target: name of the backbone whose templates leaked.
        ready: every backbone that is loaded: the target, the judges, and what attacks train with.
        judges: the ready judges by name; the target's own model among them where it was asked for.
        missing: judges that are not ready, with the reason.
        templates: every face's template, by backbone, for the target and all judges.
        leaked: the same of the leaked pictures as they leaked: of degraded copies where the
            configuration says so.
        backbone_keys, target_key, appearance_key: hashes of what each depends on.
        appearance: the attacker's appearance model.
        weights: sha256 of the weights by backbone.
        target_similarity: how the target's templates are compared.
    """

    target: str
    ready: dict[str, Backbone]
    judges: dict[str, Backbone]
    missing: dict[str, str]
    templates: dict[str, TemplateSet]
    leaked: Leaked
    backbone_keys: dict[str, str]
    target_key: str
    appearance: AppearanceModel
    appearance_key: str
    weights: dict[str, str]
    target_similarity: Similarity

    @property
    def target_templates(self) -> TemplateSet:
        """Every face's template of the target."""
        return self.templates[self.target]


def check_models(config: AuditConfig) -> None:
    """Try what an audit cannot do without, before any picture is looked at.

    A judge that is not ready is no reason to stop, but one whose file is not there is misspelt.

    Raises:
        WeightsError: the target, or a backbone that an attack trains with, is not ready; or there
            is no file where a judge's name says that one is.
        UnknownNameError: a backbone that does not exist.
    """
    weights = _weights(config)
    for name in _needed(config):
        if name in weights or not isinstance(BACKBONES.get(name), Fittable):
            load_backbone(name, weights)
    for name in config.judges:
        if ":" in name and name not in weights:
            try:
                load_backbone(name, weights)
            except MissingFileError:
                raise
            except WeightsError:
                continue  # said when the others are loaded, and in the report


def prepare_models(config: AuditConfig, people: People, run: RunFolder, watch: Watch) -> Models:
    """Load the backbones, embed all faces, and fit or load the appearance model.

    A judge without weights is noted as missing; a target without weights is an error.

    Raises:
        WeightsError: the target, or a backbone that an attack trains with, is not ready.
        UnknownNameError: a backbone that does not exist.
    """
    weights = _weights(config)
    ready, missing = _load_backbones(config, weights, people, run, watch)
    keys, templates = {}, {}
    embedded = {config.target, *config.judges}
    for name, backbone in ready.items():
        inputs = {
            "faces": people.faces_key,
            "backbone": name,
            "sha256": backbone.spec.sha256,
            **({"record": backbone.fingerprint} if backbone.fingerprint else {}),
            # A model that was fitted, or a user's own, has no published hash: its file speaks.
            "file": digest(Path(weights[name]).read_bytes()) if name in weights else None,
        }
        if name not in embedded:
            keys[name] = stage_key(name, inputs)
            continue
        embed = functools.partial(_embed, backbone, people, watch)
        stage = run.stage(f"templates/{file_name(name)}", inputs, embed)
        keys[name] = stage.key
        templates[name] = TemplateSet.load(stage.folder / "templates.parquet")
    leaked = leaked_templates(config.leak, ready, templates, keys, people, run, watch)
    model, appearance_key = _appearance(config, people, run, watch)
    return Models(
        target=config.target,
        ready=ready,
        judges={name: ready[name] for name in config.judges if name in ready},
        missing=missing,
        templates=templates,
        leaked=leaked,
        backbone_keys=keys,
        target_key=keys[config.target],
        appearance=model,
        appearance_key=appearance_key,
        weights={
            spec.name: spec.sha256
            for backbone in ready.values()
            for spec in (backbone.spec, *backbone.parts)
            if spec.sha256
        },
        target_similarity=ready[config.target].spec.similarity,
    )


def _load_backbones(
    config: AuditConfig, weights: dict[str, str], people: People, run: RunFolder, watch: Watch
) -> tuple[dict[str, Backbone], dict[str, str]]:
    """The target, all judges that are ready and what attacks train with, and why others are not.

    The files of models that the audit fits itself are added to ``weights``.
    """
    ready: dict[str, Backbone] = {}
    missing: dict[str, str] = {}
    needed = _needed(config)
    for name in dict.fromkeys([*needed, *config.judges]):
        try:
            for part in (*parts_of(name), name):
                factory = BACKBONES.get(part)
                if isinstance(factory, Fittable) and part not in weights:
                    path = _fit_backbone(part, factory, weights, people, run, watch)
                    weights[part] = str(path)
            ready[name] = load_backbone(name, weights)
        except WeightsError as error:
            if name in needed:
                raise
            # Reports travel: they get the name of the file, not the folders of this machine.
            given = [Path(weights.get(part, "")).parent for part in (name, *parts_of(name))]
            folders = [weights_folder(), Path.home(), Path.cwd(), *given]
            missing[name] = without_folders(str(error), folders)
            watch.note(f"judge {name} is not measured: {error}")
    return ready, missing


def _weights(config: AuditConfig) -> dict[str, str]:
    return {name: str(path) for name, path in config.weights.items()}


def _needed(config: AuditConfig) -> list[str]:
    """The target, and the other backbones that the configured attacks train with."""
    names: set[str] = set()
    for attack in config.attacks:
        settings = make_settings(attack.name, attack.settings)
        names |= attack_class(attack.name).borrowed(settings)
    return [config.target, *sorted(names - {config.target})]


def _fit_backbone(
    name: str,
    factory: Fittable,
    weights: Mapping[str, str],
    people: People,
    run: RunFolder,
    watch: Watch,
) -> Path:
    rows = people.split.attacker

    def build(out: Path) -> None:
        with watch.task(f"fit {name} on {len(rows):,} attacker faces"):
            factory.fit(
                people.faces.crops[rows],
                out / "weights.safetensors",
                subjects=people.faces.subject_ids[rows],
                weights=weights,
            )

    made_of = [identity(load_backbone(part, weights), weights) for part in parts_of(name)]
    inputs = {"faces": people.key, **({"parts": made_of} if made_of else {})}
    stage = run.stage(f"backbones/{file_name(name)}", inputs, build)
    return stage.folder / "weights.safetensors"


def _embed(backbone: Backbone, people: People, watch: Watch, out: Path) -> None:
    with watch.task(
        f"embed {len(people.faces):,} faces with {backbone.spec.name}", len(people.faces)
    ) as advance:
        templates = embed_faces(backbone, people.faces, advance=advance)
    templates.save(out / "templates.parquet")


def _appearance(
    config: AuditConfig, people: People, run: RunFolder, watch: Watch
) -> tuple[AppearanceModel, str]:
    """The attacker's own model; for generated people the one that generated them."""
    if people.generated:
        path = shipped_model_path()
        return AppearanceModel.load(path), digest(path.read_bytes())
    sizes: Mapping[str, int] = config.appearance.model_dump()
    rows = people.split.attacker

    def build(out: Path) -> None:
        with watch.task(f"fit the appearance model on {len(rows):,} faces", len(rows)) as advance:
            model = fit_appearance(
                people.faces.take(rows),
                **sizes,
                seed=seed_for("appearance", config.seed),
                advance=advance,
            )
        model.save(out / "appearance.safetensors")

    inputs = {"faces": people.key, "seed": config.seed, **sizes}
    stage = run.stage("appearance", inputs, build)
    return AppearanceModel.load(stage.folder / "appearance.safetensors"), stage.key
