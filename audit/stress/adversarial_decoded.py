"""Does decoding undo an attack? The templates of attacked pictures inverted, and judged again;
:mod:`audit.stress.adversarial` says what the measures are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from attacks.perturbation.recogniser import Gallery
from audit.estimates import estimate
from audit.judging import Judge
from audit.stress.adversarial_noise import Attacked, Plan
from audit.stress.adversarial_people import (
    NOBODY,
    Cast,
    Compared,
    Places,
    accepted,
    change,
    named,
    usable,
)
from audit.stress.adversarial_rows import FAMILY, condition, probabilities
from audit.stress.bench import Made, Vectors, Workbench
from audit.stress.rows import Condition, Seen, by_fmr, clean_condition, inversion_rows
from audit.stress.strips import save_strip
from biometrics.metrics.curves import WeightedScores, det_curve
from biometrics.metrics.intervals import paired_difference
from biometrics.metrics.scores import similarity_matrix
from reports.results import Estimate, StressCurve, StressResult

DRAWN = "fgsm-softmax-evasion"
"""The noise of the ROC: that of the figure in the paper, a classifier's FGSM on the mated pairs."""

EVERY_BUDGET = ("fgsm-softmax-impersonation", DRAWN)
"""These are decoded at every budget, the others at their largest."""

CURVE_POINTS = 60


class Decoder:
    """Inverts templates of attacked pictures by every configured attack."""

    def __init__(self, bench: Workbench, cast: Cast, gallery: Gallery) -> None:
        self.bench, self.cast, self.gallery = bench, cast, gallery
        self.everybody = np.arange(len(cast))
        self.show = bench.shown(cast.handed)
        vectors = bench.clean(bench.target, cast.handed)
        self.clean = {
            attack: bench.invert(attack, vectors, f"{FAMILY}/clean", show=self.show)
            for attack in bench.attacks
        }
        self._seen: dict[tuple[str, bytes], Seen] = {}

    def clean_rows(self) -> list[StressResult]:
        """The clean pictures decoded."""
        rows = []
        vectors = {j.name: self.bench.clean(j.name, self.cast.handed) for j in self.bench.judges}
        for attack, made in self.clean.items():
            rows += self._rows(
                clean_condition(FAMILY), attack, made, vectors, self.everybody, self.show, None
            )
        return rows

    def rows(self, plan: Plan, seen: Attacked, show: Places) -> list[StressResult]:
        """The pictures of a plan decoded; nothing where it is not one of those."""
        largest = plan.noise.strength in (None, *self._largest(plan))
        if not largest and plan.noise.title not in EVERY_BUDGET:
            return []
        rows = []
        for attack in self.bench.attacks:
            if plan.noise.strength == 0.0:
                made = _taken(self.clean[attack], plan.who, np.empty(0, dtype=np.intp))
            else:
                made = self.bench.invert(
                    attack,
                    seen.vectors[self.bench.target],
                    f"{FAMILY}/{plan.noise.slug}",
                    show=show,
                )
            shown = seen.shown if plan.noise.strength != 0.0 else None
            found = self._rows(condition(plan), attack, made, seen.vectors, plan.who, show, shown)
            if plan.noise.title == DRAWN and largest:
                curves = self._roc(attack, made, seen.vectors[self.bench.target])
                found = [
                    row.model_copy(update={"roc": curves}) if row.judge == row.backbone else row
                    for row in found
                ]
            rows += found
        return rows

    def _largest(self, plan: Plan) -> tuple[float]:
        sizes = self.bench.sizes.adversarial
        budgets = sizes.square_budgets if plan.noise.name == "square" else sizes.budgets
        return (max(budgets),)

    def _rows(
        self,
        said: Condition,
        attack: str,
        made: Made,
        vectors: Mapping[str, Vectors],
        who: Places,
        show: Places,
        shown: NDArray[np.uint8] | None,
    ) -> list[StressResult]:
        bench, cast = self.bench, self.cast
        handed = cast.handed[who]
        base = _taken(self.clean[attack], who, np.empty(0, dtype=np.intp))
        before = {j.name: bench.clean(j.name, handed) for j in bench.judges}
        clean = None if said.clean else self._clean_seen(attack, who)
        samples = []
        if len(made.shown):
            slug = f"{FAMILY}/{said.perturbation}-{said.strength or 0:g}/{attack}"
            samples = save_strip(
                bench,
                slug.replace(":", "-"),
                handed[show],
                perturbed=shown,
                reconstruction=made.shown,
            )
        seen = inversion_rows(
            bench, said, attack, made, handed, own=vectors, clean=clean, samples=samples
        )
        return [
            self._filled(row, judge, made, base, vectors[judge.name], before[judge.name], who)
            for row, judge in zip(seen.rows, bench.judges, strict=True)
        ]

    def _clean_seen(self, attack: str, who: Places) -> Seen:
        """What every judge says of the clean pictures decoded: the same for many plans."""
        key = attack, who.tobytes()
        if key not in self._seen:
            rows = self.cast.handed[who]
            self._seen[key] = inversion_rows(
                self.bench,
                clean_condition(FAMILY),
                attack,
                _taken(self.clean[attack], who, np.empty(0, dtype=np.intp)),
                rows,
                own={j.name: self.bench.clean(j.name, rows) for j in self.bench.judges},
                clean=None,
            )
        return self._seen[key]

    def _filled(
        self,
        row: StressResult,
        judge: Judge,
        made: Made,
        base: Made,
        vectors: Vectors,
        clean: Vectors,
        who: Places,
    ) -> StressResult:
        """A row with what it says of people whose other pictures are not among those attacked."""
        bench, cast = self.bench, self.cast
        direct = cast.with_own(bench, judge, vectors, who)
        direct_clean = cast.with_own(bench, judge, clean, who)
        decoded = usable(cast.with_own(bench, judge, made.vectors[judge.name], who), made)
        decoded_clean = usable(cast.with_own(bench, judge, base.vectors[judge.name], who), base)
        goal = usable(cast.with_goals(bench, judge, made.vectors[judge.name], who), made)

        def less(cut: float) -> Estimate:
            if not len(direct.first):
                return estimate(NOBODY)
            fall = direct_clean.accepted(cut) - direct.accepted(cut)
            fall_decoded = decoded_clean.accepted(cut) - decoded.accepted(cut)
            return estimate(paired_difference(fall, fall_decoded, rates=False, seed=bench.seed))

        measures = {
            **row.measures,
            **named("decoded_impersonation", accepted(bench, judge, goal)),
            **named("recovered", change(bench, judge, decoded, direct)),
            **named("fall_difference", by_fmr(judge, less)),
        }
        if judge.name == bench.target:
            for when, seen in (("before", clean), ("after", vectors)):
                found = self.gallery.probabilities(seen)
                measures |= probabilities(bench, cast, found, who, when)
            found = self.gallery.probabilities(made.vectors[judge.name])
            measures |= probabilities(bench, cast, found, who, "decoded")
        return row.model_copy(
            update={
                "tmr": accepted(bench, judge, direct),
                "tmr_difference": change(bench, judge, direct, direct_clean),
                "type2": accepted(bench, judge, decoded),
                "type2_difference": change(bench, judge, decoded, decoded_clean),
                "measures": measures,
            }
        )

    def _roc(self, attack: str, made: Made, vectors: Vectors) -> list[StressCurve]:
        bench, judge, base = self.bench, self.bench.judge(self.bench.target), self.clean[attack]
        clean = bench.clean(judge.name, self.cast.handed)
        strangers = {
            "direct": self._strangers(judge, clean, None),
            "decoded": self._strangers(judge, base.vectors[judge.name], base),
        }
        curves = []
        for name, way, found, how in (
            ("clean", "direct", clean, None),
            ("clean, decoded", "decoded", base.vectors[judge.name], base),
            ("attacked", "direct", vectors, None),
            ("attacked, decoded", "decoded", made.vectors[judge.name], made),
        ):
            mated = usable(self.cast.with_own(bench, judge, found, self.everybody), how)
            if not len(mated.first) or not len(strangers[way].scores):
                return []
            counts = np.bincount(mated.first, minlength=len(self.cast))
            weighed = WeightedScores(_finite(mated.scores), 1.0 / counts[mated.first])
            curve = det_curve(weighed, strangers[way], points=CURVE_POINTS)
            curves.append(StressCurve(name=name, fmr=curve.fmr.tolist(), tmr=curve.tmr.tolist()))
        return curves

    def _strangers(self, judge: Judge, vectors: Vectors, made: Made | None) -> WeightedScores:
        """Every picture with those of all other people, every pair of people the same weight."""
        cast = self.cast
        known = self.bench.clean(judge.name, cast.others)
        scores = similarity_matrix(vectors, known, judge.kind)
        first, second = np.nonzero(self.everybody[:, None] != cast.owners)
        found = usable(Compared(scores[first, second], first), made)
        counts = np.bincount(cast.owners, minlength=len(cast))
        return WeightedScores(_finite(found.scores), 1.0 / counts[cast.owners[second]])


def _taken(made: Made, who: Places, show: Places) -> Made:
    """What was made of some of the people."""
    return Made(
        made.redetected[who],
        {name: vectors[who] for name, vectors in made.vectors.items()},
        {name: values[who] for name, values in made.measures.items()},
        made.shown[show],
    )


def _finite(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """A curve needs numbers: the lowest there is for what is never accepted."""
    return np.maximum(scores, np.finfo(np.float32).min)
