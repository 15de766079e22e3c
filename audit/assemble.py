"""From measured facts to results.json: the one place where numbers are put into the schema."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from audit.attempted import Attempted
from audit.attempts import consulted
from audit.estimates import mean_estimate, rate_estimate
from audit.judged import judge_result
from audit.judging import Bench, Judge
from audit.likeness import judge_distances
from audit.outcomes import OutcomeLog
from audit.provenance import provenance
from audit.pseudonyms import pseudonym_salt
from biometrics.faces.images import digest
from biometrics.metrics.curves import WeightedScores, score_histograms
from biometrics.metrics.intervals import subject_means
from biometrics.metrics.landmarks import is_near, landmark_mse, per_point_error, region_mse
from biometrics.metrics.pairs import group
from biometrics.metrics.success import (
    Attempts,
)
from reports.results import (
    AttackHistogram,
    AttackResult,
    Estimate,
    JudgeResult,
    Landmarks,
    NotMeasured,
    Provenance,
    ScoreHistogram,
    Seconds,
    Training,
)


class Assembly:
    """Computes every number of the attacks' rows from the judges and the attempts.

    ``outcomes`` collects what the rows are averages of, person by person.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench, self.judges = bench, bench.judges
        self.config, self.people, self.models = bench.config, bench.people, bench.models
        self.seed, self.subjects = bench.seed, bench.subjects
        self.rows = self.people.split.leaked
        self.outcomes = OutcomeLog(self.subjects, pseudonym_salt())

    @property
    def consulted(self) -> list[str]:
        """Judges that took part in choosing the attacks' settings."""
        return consulted(self.config.attacks, self.config.target)

    def attack(self, made: Attempted, nearest: Attempted | None, note: str) -> AttackResult:
        """One row of the report."""
        index = group(self.subjects).index
        judges = {}
        for judge in self.judges:
            other = self.attempts(judge, nearest) if nearest is not None else None
            judges[judge.name] = self._judged(judge, made, other)
        self.outcomes.add_likeness(made.name, made.looks.images)
        return AttackResult(
            attack=made.name,
            backbone=self.models.target,
            knowledge=made.knowledge,
            control=made.control,
            n_attempts=len(made.detected),
            n_failed=int((~made.detected).sum()),
            detection_rate=rate_estimate(made.detected, index, self.seed),
            judges=judges,
            image=self._image(made, index),
            image_notes=made.looks.notes,
            landmarks=self._landmarks(made, index),
            seconds=Seconds(fit=round(made.seconds_fit, 2), invert=round(made.seconds_invert, 3)),
            templates_per_second=round(len(made.detected) / max(made.seconds_invert, 1e-9), 1),
            picture_size=made.crops.shape[1],
            training=None if made.training is None else Training(**asdict(made.training)),
            note=note,
        )

    def _image(self, made: Attempted, index: NDArray[np.intp]) -> dict[str, Estimate]:
        """Likeness of pictures, and distances of sets in each judge's own space."""
        leaked = {judge.name: judge.leaked for judge in self.judges}
        kinds = {judge.name: judge.kind for judge in self.judges}
        return {
            **made.looks.estimates(index, self.seed),
            **judge_distances(made.vectors, leaked, kinds),
        }

    def attempts(self, judge: Judge, made: Attempted) -> Attempts:
        """An attack's attempts as one judge sees them."""
        return Attempts(
            reconstructed=made.vectors[judge.name],
            leaked=judge.leaked,
            own=judge.own,
            subjects=self.subjects,
            detected=made.detected,
            kind=judge.kind,
        )

    def _judged(self, judge: Judge, made: Attempted, nearest: Attempts | None) -> JudgeResult:
        return judge_result(
            self.attempts(judge, made),
            judge.cuts,
            unseen=self.bench.standing(judge, made.consulted).unseen,
            nearest=nearest,
            seed=self.seed,
            tell=functools.partial(self.outcomes.add_rates, made.name, judge.name),
        )

    def _landmarks(self, made: Attempted, index: NDArray[np.intp]) -> Landmarks:
        """Errors of the predicted and of the re-detected points; point by point of the former where
        the attack predicts any."""
        true, found = self.people.faces.landmarks[self.rows], made.detected
        again: Estimate = NotMeasured(not_measured="no face was found in any reconstruction")
        said: Estimate = NotMeasured(not_measured="this attack predicts no landmarks")
        per_point: list[float] = []
        regions: dict[str, Estimate] = {}
        near = rate_estimate(is_near(landmark_mse(made.redetected, true)), index, self.seed)
        if found.any():
            regions = {
                region: mean_estimate(values, index[found], self.seed)
                for region, values in region_mse(made.redetected[found], true[found]).items()
            }
            errors = landmark_mse(made.redetected[found], true[found])
            again = mean_estimate(errors, index[found], self.seed)
            per_point = _mean_of_points(made.redetected[found], true[found], index[found])
        if made.predicted is not None:
            said = mean_estimate(landmark_mse(made.predicted, true), index, self.seed)
            per_point = _mean_of_points(made.predicted, true, index)
        shape = [(float(x), float(y)) for x, y in self.models.appearance.mean_shape]
        return Landmarks(
            mse_predicted=said,
            mse_redetected=again,
            regions=regions,
            share_near=near,
            per_point=per_point,
            mean_shape=shape,
        )

    def histograms(self, attempts: Sequence[Attempted]) -> dict[str, ScoreHistogram]:
        """Shares of scores in bins, by judge."""
        return {judge.name: self._histogram(judge, attempts) for judge in self.judges}

    def _histogram(self, judge: Judge, attempts: Sequence[Attempted]) -> ScoreHistogram:
        sets: dict[str, WeightedScores] = {}
        if judge.genuine is not None:
            sets = {"mated": judge.genuine.mated, "non-mated": judge.genuine.nonmated}
        for made in attempts:
            mine = self.attempts(judge, made)
            owner, attempt = mine.groups.index, mine.other_pictures.first
            sets[f"type1 {made.name}"] = _by_subject(mine.type1_scores, owner, mine.usable)
            sets[f"type2 {made.name}"] = _by_subject(
                mine.type2_scores, owner[attempt], mine.usable[attempt]
            )
        found = score_histograms(sets, judge.backbone.spec.similarity)

        def shares(name: str) -> list[float]:
            values = found.shares.get(name)
            return [] if values is None else [round(float(v), 7) for v in values]

        return ScoreHistogram(
            edges=[float(edge) for edge in found.edges],
            mated=shares("mated"),
            non_mated=shares("non-mated"),
            attacks={
                made.name: AttackHistogram(
                    type1=shares(f"type1 {made.name}"), type2=shares(f"type2 {made.name}")
                )
                for made in attempts
            },
            thresholds={cut.label: cut.value for cut in judge.cuts if cut.value is not None},
            customary=judge.backbone.spec.customary_threshold,
        )

    def provenance(self) -> Provenance:
        """What is needed to get the same numbers again."""
        inputs = dict(self.people.inputs)
        if self.config.faces.pairs is not None:
            inputs["faces.pairs"] = digest(self.config.faces.pairs.read_bytes())
        return provenance(inputs, self.models.weights, self.config.seed, self.consulted)


def _mean_of_points(
    points: NDArray[np.float32], true: NDArray[np.float32], index: NDArray[np.intp]
) -> list[float]:
    """Squared error of each of the 68 points, within subjects first, then over them."""
    errors = per_point_error(points, true)
    return [float(subject_means(column, index).mean()) for column in errors.T]


def _by_subject(
    scores: NDArray[np.float32], owner: NDArray[np.intp], usable: NDArray[np.bool_]
) -> WeightedScores:
    """Scores that count as in the rates: every subject once; an attempt without a face keeps its
    share but shows no score, so the area beyond a threshold is the success rate."""
    counts = np.bincount(owner) if len(owner) else np.ones(1)
    return WeightedScores(np.where(usable, scores, np.nan), 1.0 / counts[owner])
