"""An attack on the templates of a store: reconstructions, and what judges make of them. Without
photographs the only original is the leaked template itself."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from attacks.trained import Trained, folder_hash
from audit.reconstruct import embed_pictures, find_faces, invert
from audit.run_folder import RunFolder, Stage
from audit.watch import Watch
from biometrics.backbones.base import Backbone, identity
from biometrics.backbones.embed import embed
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.detect import find_in_crop
from biometrics.faces.resize import to_canonical, to_pixels
from biometrics.faces.shipped import shipped_model_path
from biometrics.file_names import file_name
from biometrics.metrics.scores import Similarity, row_blocks, similarity_matrix

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class LeakedTemplates:
    """The templates of a store that are audited, in the space of their backbone.

    Attributes:
        vectors: float32 [N, D], finite, at the length that the backbone gives them.
        templates, subjects: pseudonyms [N].
        known: whether the store says whose each is, bool [N]; a template of nobody known is a
            person of its own.
        key: hash of what they depend on.
    """

    vectors: Vectors
    templates: list[str]
    subjects: NDArray[np.str_]
    known: NDArray[np.bool_]
    key: str

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True)
class StoreAttempt:
    """What an attack, or a control, shows for every leaked template; row i is template i.

    Attributes:
        name, knowledge, control: of the attack.
        crops: uint8 [N, S, S, 3]; None for controls, which are told by their templates.
        detected: whether a face was found, bool [N]; sampled faces are taken as found.
        vectors: the judges' templates of what is shown, float32 [N, D] each.
        seconds: of inverting.
    """

    name: str
    knowledge: str
    control: bool
    crops: NDArray[np.uint8] | None
    detected: NDArray[np.bool_]
    vectors: Mapping[str, Vectors]
    seconds: float | None = None


def attack_store(
    leaked: LeakedTemplates,
    trained: Trained,
    judges: Sequence[Backbone],
    weights: Mapping[str, str],
    run: RunFolder,
    watch: Watch,
) -> StoreAttempt:
    """Invert every template and let the judges look, as stages of a run."""
    name = str(trained.record["attack"])
    place = file_name(name)
    made = run.stage(
        f"reconstructions/{place}",
        {"leaked": leaked.key, "attack": folder_hash(trained.folder)},
        functools.partial(_reconstruct, leaked, trained, name, watch),
    )
    vectors = {
        judge.spec.name: np.load(
            _judged(name, judge, weights, made, run, watch).folder / "vectors.npy",
            allow_pickle=False,
        )
        for judge in judges
    }
    found = np.load(made.folder / "redetected.npy", allow_pickle=False)
    return StoreAttempt(
        name,
        trained.attack.knowledge,
        control=False,
        crops=np.load(made.folder / "crops.npy", mmap_mode="r", allow_pickle=False),
        detected=np.isfinite(found).all(axis=(1, 2)),
        vectors=vectors,
        seconds=float(np.load(made.folder / "seconds.npy", allow_pickle=False)),
    )


def _reconstruct(
    leaked: LeakedTemplates, trained: Trained, name: str, watch: Watch, out: Path
) -> None:
    made = invert(trained.attack, leaked.vectors, name, watch)
    np.save(out / "crops.npy", made.crops, allow_pickle=False)
    np.save(out / "redetected.npy", find_faces(made.crops, name, watch), allow_pickle=False)
    np.save(out / "seconds.npy", np.array(made.seconds), allow_pickle=False)


def _judged(
    name: str,
    judge: Backbone,
    weights: Mapping[str, str],
    made: Stage,
    run: RunFolder,
    watch: Watch,
) -> Stage:
    def build(out: Path) -> None:
        pictures = np.load(made.folder / "crops.npy", mmap_mode="r", allow_pickle=False)
        vectors = embed_pictures(judge, pictures, name, watch)
        np.save(out / "vectors.npy", vectors, allow_pickle=False)

    return run.stage(
        f"scores/{file_name(name)}/{file_name(judge.spec.name)}",
        {"reconstructions": made.key, "judge": identity(judge, weights)},
        build,
    )


def controls_of(
    leaked: LeakedTemplates, attempt: StoreAttempt, target: Backbone, sampled: Vectors, seed: int
) -> list[StoreAttempt]:
    """What the attack must beat, by the attacked model's own templates.

    * ``control:mean``: the appearance model's mean face for everybody;
    * ``control:nearest``: of the sampled faces, the one whose template is nearest to the leaked
      one;
    * ``control:random``: any of the sampled faces;
    * ``control:shuffled``: the attack on the template of a random other person of the store; left
      out where there is nobody else.

    Nobody looks for a face in a sampled one: it is taken as found, which favours these controls.

    Args:
        leaked: the templates.
        attempt: of the attack.
        target: the attacked model.
        sampled: its templates [M, D] of sampled faces.
        seed: of the draws.
    """
    name = target.spec.name
    everyone = np.ones(len(leaked), dtype=bool)
    mean, found = _mean_face(target)
    nearest = nearest_rows(leaked.vectors, sampled, target.spec.similarity)
    any_of = np.random.default_rng(seed).integers(0, len(sampled), len(leaked))
    many = f"{len(sampled):,} faces of nobody"

    def control(
        kind: str, knowledge: str, shown: NDArray[np.bool_], vectors: Vectors
    ) -> StoreAttempt:
        return StoreAttempt(f"control:{kind}", knowledge, True, None, shown, {name: vectors})

    controls = [
        control("mean", "nothing", everyone & found, np.tile(mean, (len(leaked), 1))),
        control("nearest", many, everyone, sampled[nearest]),
        control("random", many, everyone, sampled[any_of]),
    ]
    other = other_people(leaked.subjects, seed)
    if other is not None:
        vectors = attempt.vectors[name][other]
        controls.append(
            control("shuffled", "somebody else's template", attempt.detected[other], vectors)
        )
    return controls


def _mean_face(target: Backbone) -> tuple[Vectors, bool]:
    texture = AppearanceModel.load(shipped_model_path()).mean_texture[None]
    crop = to_canonical(to_pixels(texture))
    return embed(target, crop)[0], find_in_crop(crop[0]) is not None


def nearest_rows(vectors: Vectors, sampled: Vectors, kind: Similarity) -> NDArray[np.intp]:
    """The row of ``sampled`` [M, D] that is most similar to each of ``vectors`` [N, D]."""
    found = np.empty(len(vectors), dtype=np.intp)
    for block in row_blocks(len(vectors), len(sampled)):
        found[block] = similarity_matrix(vectors[block], sampled, kind).argmax(axis=1)
    return found


def other_people(subjects: NDArray[np.str_], seed: int) -> NDArray[np.intp] | None:
    """For each row a random row of another subject; None where there is only one subject."""
    _, index, counts = np.unique(subjects, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        return None
    order = np.argsort(index, kind="stable")
    starts = np.cumsum(counts) - counts
    # Drawn among the rows that are left when one's own block of the sorted rows is skipped.
    drawn = np.random.default_rng(seed).integers(0, len(subjects) - counts[index])
    skipped = drawn + np.where(drawn >= starts[index], counts[index], 0)
    return order[skipped]
