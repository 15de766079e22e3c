"""What runs on several targets work with: one target's people, models, attacks and judges."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attacks.base import AttackSettings, InversionAttack, attack_class, make_settings
from audit.attempts import Attempts
from audit.config import AuditConfig
from audit.judging import Bench, Judge
from audit.models import Models
from audit.people import People, seed_for
from audit.reconstruct import embed_pictures, find_faces, invert
from audit.run_folder import RunFolder, stage_key
from audit.split import unit_hash
from audit.training_data import TrainingPairs
from audit.watch import Watch
from biometrics.faces.geometry import CROP_SIZE
from biometrics.faces.images import digest
from biometrics.faces.resize import to_canonical
from biometrics.file_names import file_name
from biometrics.metrics.pairs import Pairs, group, mated_across
from biometrics.metrics.success import Attempts as Compared

BATCH = 128
"""Pictures that are worked on at a time."""

MOST_CANONICAL = 4096
"""Reconstructions that are kept at 224 while they are looked at: 0.6 GB."""

NOTHING = np.empty((0, CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)

REDETECTED = "redetected.npy"

Vectors = NDArray[np.float32]
Measure = Callable[
    [NDArray[np.uint8], NDArray[np.float32], slice], Mapping[str, NDArray[np.floating]]
]
"""From reconstructions uint8 [N, 224, 224, 3], the landmarks found in them [N, 68, 2] (NaN where
there is no face) and their positions among all that are inverted to one number, or row
of numbers, a reconstruction under each name, [N, ...]; NaN where it has none."""


class Numbers(NamedTuple):
    """A measure, and all that it depends on besides the templates, as JSON: part of the stage's
    key."""

    measure: Measure
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """What an attack made of some templates [N, D].

    Attributes:
        redetected: landmarks [N, 68, 2] found in each reconstruction, NaN without a face.
        vectors: every judge's templates of the reconstructions [N, D].
        measures: as asked for, float64 [N, ...] each.
        shown: the reconstructions at the positions asked for, uint8 [K, 224, 224, 3].
    """

    redetected: NDArray[np.float32]
    vectors: Mapping[str, Vectors]
    measures: Mapping[str, NDArray[np.float64]]
    shown: NDArray[np.uint8]

    @property
    def detected(self) -> NDArray[np.bool_]:
        """Whether a face was found in the reconstruction, bool [N]."""
        return np.asarray(np.isfinite(self.redetected).all(axis=(1, 2)))


class Workbench(ABC):
    """One target of a run. Rows are positions in ``people.faces`` throughout.

    Attributes:
        config: the audit whose people, models and attacks are used.
        people, models: of the audit.
        judges: all judges with their thresholds, the target among them.
        shared: the folder of the whole run, for what does not depend on the target.
        run: the target's own folder.
        watch: shows progress.
        seed: of every bootstrap.
    """

    STAGES: ClassVar[str]
    """Folder of the target's run in which stages are kept."""

    def __init__(
        self,
        config: AuditConfig,
        people: People,
        models: Models,
        shared: RunFolder,
        run: RunFolder,
        watch: Watch,
    ) -> None:
        self.config, self.people, self.models = config, people, models
        self.shared, self.run, self.watch = shared, run, watch
        self.bench = Bench(config, people, models)
        self.judges = self.bench.judges
        self.seed = seed_for("bootstrap", config.seed)
        self._tries = Attempts.configured(config, run, people, models, watch)
        self._loaded: dict[str, InversionAttack] = {}

    @property
    @abstractmethod
    def most_shown(self) -> int:
        """People whose pictures are shown."""

    @property
    def target(self) -> str:
        """The backbone whose templates leaked."""
        return self.models.target

    @property
    def attacks(self) -> list[str]:
        """The configured attacks."""
        return [choice.name for choice in self.config.attacks]

    @functools.cached_property
    def names(self) -> NDArray[np.str_]:
        """Whose every face is."""
        return self.people.faces.subject_ids

    def judge(self, name: str) -> Judge:
        """The judge of that name."""
        return next(judge for judge in self.judges if judge.name == name)

    def draw(
        self,
        subjects: int | None,
        pictures: int | None,
        *,
        purpose: str | None = None,
        least: int = 1,
    ) -> NDArray[np.intp]:
        """Rows of leaked pictures: of ``subjects`` people at most who have ``least`` pictures or
        more, those with two or more first and else in an order that depends on name, purpose and
        seed alone; of each the first ``pictures``. In the order of the rows."""
        purpose = purpose or self.STAGES
        rows = self.people.split.leaked
        several = group(self.names[rows])
        place = np.empty(len(rows), dtype=np.intp)
        place[several.order] = np.arange(len(rows)) - np.repeat(several.starts, several.counts)
        people = np.unique(self.names[rows])
        hashes = np.array([unit_hash(n, purpose=purpose, seed=self.config.seed) for n in people])
        order = np.lexsort((hashes, several.counts < 2))
        order = order[several.counts[order] >= least]
        chosen = np.zeros(len(people), dtype=bool)
        chosen[order[:subjects]] = True
        kept = chosen[several.index] & (place < (len(rows) if pictures is None else pictures))
        return rows[kept]

    def shown(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Positions in ``rows`` of the pictures that are shown: one each of some people, chosen
        before any result is known."""
        names, first = np.unique(self.names[rows], return_index=True)
        hashes = [unit_hash(n, purpose="shown", seed=self.config.seed) for n in names]
        return np.sort(first[np.argsort(hashes)[: self.most_shown]])

    def clean(self, backbone: str, rows: NDArray[np.intp]) -> Vectors:
        """A backbone's templates of clean pictures [N, D]."""
        return self.models.templates[backbone].vectors[rows]

    def attack(self, name: str) -> InversionAttack:
        """A configured attack, fitted once on plain templates of the attacker's people."""
        if name not in self._loaded:
            fitted = self._tries.fit(name, self._settings(name), seed=self._attack_seed)
            self._loaded[name] = fitted.attack
        return self._loaded[name]

    @property
    def pairs(self) -> TrainingPairs:
        """What attacks learn from: the attacker's faces and their plain templates."""
        return self._tries.pairs

    @property
    def _attack_seed(self) -> int:
        return seed_for("attack", self.config.seed)

    def _settings(self, attack: str) -> AttackSettings:
        return make_settings(attack, dict(self.config.attacks)[attack])

    def unseen(self, attack: str, judge: Judge) -> bool:
        """Whether a judge took no part in an attack."""
        consulted = attack_class(attack).consulted(self._settings(attack), self.target)
        return self.bench.standing(judge, consulted).unseen

    def invert(
        self,
        attack: str,
        vectors: Vectors,
        slug: str,
        *,
        measure: Numbers | None = None,
        show: Sequence[int] | NDArray[np.intp] = (),
        fitted: Callable[[], InversionAttack] | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> Made:
        """Invert templates [N, D] and judge what comes out, as a stage of the target's run.

        Args:
            attack: a configured attack.
            vectors: templates, as this attack takes them.
            slug: names the stage, such as ``occlusion/eyes``.
            measure: numbers to be taken of the reconstructions, which are not kept.
            show: positions whose reconstructions are kept.
            fitted: gives the attack as it was fitted otherwise; ``record`` then says how, as JSON.
        """
        show = np.asarray(show, dtype=np.intp)
        inputs = {
            "templates": digest(np.ascontiguousarray(vectors).tobytes()),
            "attack": self._tries.trained(attack, self._settings(attack), self._attack_seed).key,
            "judges": {judge.name: self.models.backbone_keys[judge.name] for judge in self.judges},
            "fitted": None if record is None else dict(record),
        }
        name = f"{attack} ({slug})"

        @functools.cache
        def crops() -> NDArray[np.uint8]:
            ready = self.attack(attack) if fitted is None else fitted()
            made = invert(ready, vectors, name, self.watch).crops
            # Brought to 224 once for all who look at them, where that fits into memory.
            return _canonical(made) if len(made) <= MOST_CANONICAL else made

        # By content: many conditions begin with the same templates.
        place = f"{self.STAGES}/judged/{stage_key(attack, inputs)[:16]}"
        judged = self.run.stage(place, inputs, lambda out: self._judge(crops(), name, out))
        told = {
            "judged": judged.key,
            "measure": None if measure is None else dict(measure.record),
            "show": show.tolist(),
        }

        def look(out: Path) -> None:
            kept = to_canonical(crops()[show]) if len(show) else NOTHING
            np.save(out / "shown.npy", kept, allow_pickle=False)
            (out / "judged.txt").write_text(judged.folder.name, encoding="utf-8")
            found = _load(judged.folder / REDETECTED)
            parts: list[Mapping[str, NDArray[np.floating]]] = []
            for begin in range(0, len(vectors) if measure is not None else 0, BATCH):
                some = slice(begin, begin + BATCH)
                assert measure is not None
                parts.append(measure.measure(to_canonical(crops()[some]), found[some], some))
            names = list(parts[0]) if parts else []
            values = {n: np.concatenate([p[n] for p in parts]).astype(np.float64) for n in names}
            np.savez(out / "measures.npz", **values)  # type: ignore[arg-type]

        folder = self.run.stage(f"{self.STAGES}/{slug}/{file_name(attack)}", told, look).folder
        with np.load(folder / "measures.npz", allow_pickle=False) as kept:
            measures = {name: kept[name] for name in kept.files}
        vectors_by_judge = {
            j.name: _load(judged.folder / f"{file_name(j.name)}.npy") for j in self.judges
        }
        shown = _load(folder / "shown.npy")
        return Made(_load(judged.folder / REDETECTED), vectors_by_judge, measures, shown)

    def _judge(self, crops: NDArray[np.uint8], name: str, out: Path) -> None:
        """Every judge's templates of reconstructions, and the faces that are found in them."""
        # Faces are looked for in processes of their own, while the judges compute here.
        with ThreadPoolExecutor(1) as beside:
            looking = beside.submit(find_faces, crops, name, Watch.quiet())
            for judge in self.judges:
                seen = embed_pictures(judge.backbone, crops, name, self.watch)
                np.save(out / f"{file_name(judge.name)}.npy", seen, allow_pickle=False)
            with self.watch.task(f"look for faces in {name}"):
                found = looking.result()
        np.save(out / REDETECTED, found, allow_pickle=False)

    def compared(
        self,
        judge: Judge,
        made: Made,
        rows: NDArray[np.intp],
        own: Vectors | None = None,
        pairs: Pairs | None = None,
    ) -> Compared:
        """The attempts at these rows as a judge sees them, compared with all other pictures of
        these people that leaked, or those that ``pairs`` name; ``own`` are its templates of the
        pictures as they were enrolled (see :class:`biometrics.metrics.success.Attempts`)."""
        return Compared(
            reconstructed=made.vectors[judge.name],
            leaked=self.clean(judge.name, rows),
            own=own,
            others=self.clean(judge.name, self.people.split.leaked),
            pairs=self.others_of(rows) if pairs is None else pairs,
            subjects=self.names[rows],
            detected=made.detected,
            kind=judge.kind,
        )

    def others_of(self, rows: NDArray[np.intp]) -> Pairs:
        """Every (position in ``rows``, position among the leaked rows) of two different pictures of
        one person."""
        leaked = self.people.split.leaked
        pairs = mated_across(self.names[rows], self.names[leaked])
        other = rows[pairs.first] != leaked[pairs.second]
        return Pairs(pairs.first[other], pairs.second[other])


def _canonical(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    found = np.empty((len(pictures), CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
    for begin in range(0, len(pictures), BATCH):
        found[begin : begin + BATCH] = to_canonical(pictures[begin : begin + BATCH])
    return found


def _load(path: Path) -> NDArray[Any]:
    found: NDArray[Any] = np.load(path, allow_pickle=False)
    return found
