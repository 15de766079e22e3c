"""How much reconstructions look like the leaked pictures: per picture, and as sets of pictures.

Measures per picture (SSIM, PSNR, MS-SSIM, LPIPS) get their intervals from subjects as every rate
does. Measures of sets (FID, KID, the Fréchet distance in a judge's space) are one number each. What
needs weights that are not there is "not measured", with the command that gets them. Reconstructions
in which no face is found are compared like all others.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from safetensors.numpy import load_file, save_file

from audit.estimates import estimate, mean_estimate
from audit.people import People
from audit.run_folder import RunFolder, Stage
from audit.watch import Watch
from biometrics.faces.resize import to_canonical
from biometrics.file_names import file_name
from biometrics.metrics import frechet, inception
from biometrics.metrics.frechet import frechet_distance, gaussian_of
from biometrics.metrics.image import hull_masks, image_scores
from biometrics.metrics.inception import Inception, load_inception
from biometrics.metrics.kid import kid
from biometrics.metrics.ms_ssim import ms_ssim
from biometrics.metrics.pairs import group
from biometrics.metrics.perceptual import FILES, TRUNKS, Lpips, Trunk, load_lpips
from biometrics.metrics.scores import Similarity
from biometrics.weights import known, missing_weight
from reports.results import Estimate, Measured, NotMeasured

BATCH = 256

SLOW: dict[Trunk, int] = {"vgg": 100}
"""LPIPS with VGG takes over half a second a picture on a core, so it is measured on one picture of
each of this many subjects, unless there is an accelerator."""

_ESTIMATE: TypeAdapter[Estimate] = TypeAdapter(Estimate)


@dataclass(frozen=True)
class Looks:
    """How one attack's reconstructions compare with the pictures.

    Attributes:
        images: measures per picture, float64 [N] each; NaN where a picture was left out.
        sets: measures of the whole set, and those that could not be measured.
        notes: by measure, what a reader must know: implementation, weights, warnings.
    """

    images: dict[str, NDArray[np.float64]]
    sets: dict[str, Estimate]
    notes: dict[str, str]

    def estimates(self, index: NDArray[np.intp], seed: int) -> dict[str, Estimate]:
        """Every measure under its name; ``index`` [N] numbers the subjects."""
        means: dict[str, Estimate] = {}
        for name, values in self.images.items():
            done = np.isfinite(values)
            means[name] = mean_estimate(values[done], index[done], seed)
        return {**means, **self.sets}


class Likeness:
    """Compares attacks' reconstructions with the leaked pictures, each as a stage of the run.

    Networks are loaded when the first attack needs them, and the Inception features of the leaked
    pictures are computed once for all attacks.

    Args:
        run, people, watch: of the audit.
        seed: of the bootstrap.
        device: where networks compute.
    """

    def __init__(
        self,
        run: RunFolder,
        people: People,
        watch: Watch,
        *,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.run, self.people, self.watch, self.seed = run, people, watch, seed
        self.device = torch.device(device)
        self.rows = people.split.leaked
        self.subjects = group(people.faces.subject_ids[self.rows]).index
        self.missing: dict[str, str] = {}
        for name in (*FILES.values(), inception.FILE):
            if (why := missing_weight(name)) is not None:
                self.missing[name] = why
        self._lpips = functools.cache(functools.partial(load_lpips, device=self.device))

    @functools.cached_property
    def _inception(self) -> Inception:
        return load_inception(self.device)

    def compare(self, name: str, made: Stage) -> Stage:
        """The stage ``scores/ATTACK/images`` for the reconstructions ``crops.npy`` of a stage.

        Its key holds the hashes of the weights that are there: pulling some measures anew.

        Raises:
            WeightsError: a weight file is there but damaged.
        """
        present = [n for n in (*FILES.values(), inception.FILE) if n not in self.missing]
        inputs = {
            "reconstructions": made.key,
            "faces": self.people.key,
            "weights": {n: known(n).sha256 for n in present},
            "seed": self.seed,
        }
        originals: NDArray[np.float32] | None = None
        if inception.FILE not in self.missing:
            stage = self._originals()
            originals = np.load(stage.folder / "features.npy", mmap_mode="r", allow_pickle=False)

        def build(out: Path) -> None:
            pictures = np.load(made.folder / "crops.npy", mmap_mode="r", allow_pickle=False)
            self._save(self._looks(name, pictures, originals), out)

        return self.run.stage(f"scores/{file_name(name)}/images", inputs, build)

    def _originals(self) -> Stage:
        inputs = {"faces": self.people.key, "weights": known(inception.FILE).sha256}

        def build(out: Path) -> None:
            faces, rows = self.people.faces, self.rows
            features = self._features("the leaked pictures", lambda some: faces.crops[rows[some]])
            np.save(out / "features.npy", features, allow_pickle=False)

        return self.run.stage("scores/leaked/inception", inputs, build)

    def _looks(
        self, name: str, pictures: NDArray[np.uint8], originals: NDArray[np.float32] | None
    ) -> Looks:
        measures = [trunk for trunk in TRUNKS if FILES[trunk] not in self.missing]
        images = self._similar(name, pictures)
        images |= {f"lpips_{trunk}": self._perceived(name, trunk, pictures) for trunk in measures}
        notes = {f"lpips_{trunk}": self._lpips_note(trunk) for trunk in measures}
        sets: dict[str, Estimate] = {
            f"lpips_{trunk}": NotMeasured(not_measured=self.missing[FILES[trunk]])
            for trunk in TRUNKS
            if trunk not in measures
        }
        if originals is None:
            why = NotMeasured(not_measured=self.missing[inception.FILE])
            return Looks(images, {**sets, "fid": why, "kid": why}, notes)
        features = self._features(name, lambda some: to_canonical(np.asarray(pictures[some])))
        n = len(features)
        sets["fid"] = frechet_estimate(features, originals)
        sets["kid"] = (
            estimate(kid(features, originals, self.subjects, seed=self.seed))
            if n > 1
            else NotMeasured(not_measured="KID needs two pictures or more")
        )
        notes["fid"] = notes["kid"] = self._inception.origin
        if n < frechet.FEW:
            notes["fid"] += f"; from {n:,} pictures: below {frechet.FEW:,} it is too high, see KID"
        return Looks(images, sets, notes)

    def _similar(self, name: str, pictures: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
        """SSIM, PSNR and MS-SSIM."""
        faces = self.people.faces
        parts: dict[str, list[NDArray[np.float64]]] = {}
        with self.watch.task(f"compare {name} with the pictures", len(self.rows)) as advance:
            for some in self._batches():
                made, true = self._pair(pictures, some)
                masks = hull_masks(faces.landmarks[self.rows[some]])
                found = {**vars(image_scores(made, true, masks)), "ms_ssim": ms_ssim(made, true)}
                for measure, values in found.items():
                    parts.setdefault(measure, []).append(values)
                advance(len(true))
        return {measure: np.concatenate(values) for measure, values in parts.items()}

    def _perceived(
        self, name: str, trunk: Trunk, pictures: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        metric: Lpips = self._lpips(trunk)
        chosen = self._chosen(trunk)
        values = np.full(len(self.rows), np.nan)
        with self.watch.task(f"LPIPS {trunk} of {name}", len(chosen)) as advance:
            for start in range(0, len(chosen), BATCH):
                some = chosen[start : start + BATCH]
                values[some] = metric(*self._pair(pictures, some))
                advance(len(some))
        return values

    def _chosen(self, trunk: Trunk) -> NDArray[np.intp]:
        """Positions to measure: all, or the first pictures of some subjects drawn by the seed."""
        limit = SLOW.get(trunk)
        if limit is None or self.device.type != "cpu":
            return np.arange(len(self.rows))
        first = np.unique(self.subjects, return_index=True)[1]
        drawn = np.random.default_rng(self.seed).permutation(first)[:limit]
        return np.sort(drawn).astype(np.intp)

    def _lpips_note(self, trunk: Trunk) -> str:
        n = len(self._chosen(trunk))
        some = f"; on {n:,} of {len(self.rows):,} pictures" if n < len(self.rows) else ""
        return self._lpips(trunk).origin + some

    def _features(
        self, name: str, read: Callable[[NDArray[np.intp]], NDArray[np.uint8]]
    ) -> NDArray[np.float32]:
        """Inception features of all leaked pictures or of their reconstructions; equal ones (the
        mean face) are computed once a batch."""
        parts = []
        with self.watch.task(f"Inception features of {name}", len(self.rows)) as advance:
            for some in self._batches():
                pictures = read(some)
                digests = [hashlib.sha256(picture.tobytes()).digest() for picture in pictures]
                _, first, back = np.unique(digests, return_index=True, return_inverse=True)
                parts.append(self._inception.features(pictures[first])[back])
                advance(len(some))
        return np.concatenate(parts)

    def _pair(
        self, pictures: NDArray[np.uint8], some: NDArray[np.intp]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Reconstructions and originals at 224."""
        made = to_canonical(np.asarray(pictures[some]))
        return made, np.asarray(self.people.faces.crops[self.rows[some]])

    def _batches(self) -> list[NDArray[np.intp]]:
        n = len(self.rows)
        return [np.arange(start, min(start + BATCH, n)) for start in range(0, n, BATCH)]

    @staticmethod
    def _save(looks: Looks, out: Path) -> None:
        save_file(looks.images, out / "images.safetensors")
        sets = {name: _ESTIMATE.dump_python(value) for name, value in looks.sets.items()}
        (out / "sets.json").write_text(json.dumps({"sets": sets, "notes": looks.notes}))


def read_looks(stage: Stage) -> Looks:
    """What :meth:`Likeness.compare` found."""
    record = json.loads((stage.folder / "sets.json").read_text())
    return Looks(
        images=load_file(stage.folder / "images.safetensors"),
        sets={name: _ESTIMATE.validate_python(value) for name, value in record["sets"].items()},
        notes=record["notes"],
    )


def judge_distances(
    made: Mapping[str, NDArray[np.float32]],
    leaked: Mapping[str, NDArray[np.float32]],
    kinds: Mapping[str, Similarity],
) -> dict[str, Estimate]:
    """``frechet_JUDGE``: the Fréchet distance between a judge's templates of the reconstructions
    and of the leaked pictures. It is no FID, and is comparable only within one judge.

    Args:
        made, leaked: templates [N, D] by judge; of unit length first where the judge compares by
            the cosine, since it does not see lengths.
        kinds: how each judge compares.
    """
    return {
        f"frechet_{judge}": frechet_estimate(
            *(_seen(vectors[judge], kind) for vectors in (made, leaked)), full_rank=True
        )
        for judge, kind in kinds.items()
    }


def frechet_estimate(
    made: NDArray[np.floating], original: NDArray[np.floating], *, full_rank: bool = False
) -> Estimate:
    """Fréchet distance of two sets of features [N, D] without an interval; n = pictures.

    Args:
        made, original: the features.
        full_rank: refuse sets whose covariance is singular for want of pictures.
    """
    n, dim = original.shape
    if n < 2:
        return NotMeasured(not_measured="a Fréchet distance needs two pictures or more")
    if full_rank and n < dim + 1:
        return NotMeasured(
            not_measured=f"a {dim}-D covariance needs {dim + 1:,} pictures, there are {n:,}"
        )
    return Measured(value=frechet_distance(gaussian_of(made), gaussian_of(original)), n=n)


def _seen(vectors: NDArray[np.float32], kind: Similarity) -> NDArray[np.float64]:
    rows = vectors.astype(np.float64)
    if kind == "cosine":
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        rows /= np.where(lengths > 0.0, lengths, 1.0)
    return rows
