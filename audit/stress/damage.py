"""Templates that leaked in part or coarser than they were: what they are still worth.

Type-I asks for the account whose damaged copy leaked: the system still holds the whole template.
TMR is the backbone's own recognition among such templates, at thresholds from such templates of the
threshold set; in the rows of other judges it is not measured. A ``repaired`` row tells of templates
that the attacker made whole again, its TMR included. Damaged templates that are too short for the
attack have a row of their own without an attack.

Measures:
    shift: mean similarity to the whole template, where there are as many values.
    explained: share of the variance over people of whole templates that the repaired ones hold;
        0 is the mean for everybody.
    dimensions_matched: share of the leaked dimensions that the attacker took for what they are,
        from all leaked templates; n counts dimensions. ``dimensions_matched_at_N``: from N of them,
        the mean of three draws.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attacks.perturbation.damage import (
    Damage,
    half_precision,
    in_bits,
    noisy,
    rounded,
    shuffled,
    some_dimensions,
)
from audit.estimates import estimate
from audit.judging import tmr_at
from audit.people import seed_for
from audit.stress.bench import Made, Vectors, Workbench
from audit.stress.leaks import Leak, Leaked, leak
from audit.stress.rows import (
    Condition,
    Seen,
    clean_condition,
    inversion_rows,
    recognition_row,
    subject_estimate,
    template_shift,
)
from audit.stress.settings import DamageSettings
from audit.stress.strips import save_strip
from biometrics.faces.images import digest
from biometrics.metrics.intervals import mean_over_subjects, paired_difference, subject_means
from biometrics.metrics.pairs import group
from biometrics.metrics.success import NO_OTHER_PICTURE
from biometrics.metrics.verification import tmr_by_subject
from reports.results import ByFmr, Estimate, NotMeasured, StressResult

NOT_THEIRS = NotMeasured(not_measured="the damaged templates are those of another model")


def damages(sizes: DamageSettings, seed: int) -> list[Damage]:
    """What is tried, in this order."""
    draw = seed_for("damage", seed)
    return [
        *(some_dimensions(share, draw) for share in sizes.shares),
        *(some_dimensions(share, draw, hidden=True) for share in sizes.unknown),
        *(rounded(decimals) for decimals in sizes.decimals),
        half_precision(),
        *(in_bits(bits) for bits in sizes.bits),
        shuffled(draw),
        *(noisy(snr) for snr in sizes.noise),
    ]


def stress(bench: Workbench) -> list[StressResult]:
    """The rows of the family for one target."""
    held = bench.draw(bench.sizes.subjects, None)
    leaks = [(d, leak(bench, d, held)) for d in damages(bench.sizes.damage, bench.config.seed)]
    return [row for attack in bench.attacks for row in _Trial(bench, held, attack).rows(leaks)]


class _Recognition(NamedTuple):
    """How well templates recognise people, and the rate of each person at each FMR."""

    tmr: ByFmr
    by_subject: dict[str, NDArray[np.float64]]


class _Trial:
    """One attack on all damages: all pictures of the people leaked, some of each are inverted."""

    def __init__(self, bench: Workbench, held: NDArray[np.intp], attack: str) -> None:
        self.bench, self.held, self.attack = bench, held, attack
        self.of = bench.draw(bench.sizes.subjects, bench.sizes.pictures)
        self.places = np.searchsorted(held, self.of)
        self.whole = bench.clean(bench.target, held)
        self.shown = bench.shown(self.of)
        self._made: dict[str, Made] = {}
        cuts = bench.judge(bench.target).cuts
        self.before = self._recognition(Leak(self.whole, cuts))
        self.clean: Seen | None = None

    def rows(self, leaks: list[tuple[Damage, Leaked]]) -> list[StressResult]:
        """The clean row first, then every damage as it is and repaired."""
        clean = Leak(self.whole, self.bench.judge(self.bench.target).cuts)
        found = self._inverted(clean_condition("damage"), clean, "clean", {})
        for damage, leaked in leaks:
            matched = self._matched(leaked)
            if leaked.damaged.vectors.shape == self.whole.shape:
                found += self._inverted(
                    _condition(damage),
                    leaked.damaged,
                    damage.slug,
                    {} if leaked.repaired else matched,
                )
            else:
                found.append(self._too_short(damage, leaked.damaged))
            if leaked.repaired is not None:
                measures = {**matched, "explained": self._explained(leaked.repaired.vectors)}
                condition = _condition(damage, repaired=True)
                slug = f"{damage.slug}-repaired"
                found += self._inverted(condition, leaked.repaired, slug, measures)
        return found

    def _inverted(
        self, condition: Condition, leak: Leak, slug: str, measures: dict[str, Estimate]
    ) -> list[StressResult]:
        bench, inverted = self.bench, leak.vectors[self.places]
        made = self._invert(inverted, slug)
        shown = {"repaired" if condition.repaired else "reconstruction": made.shown}
        strip = f"damage/{slug}/{self.attack.replace(':', '-')}"
        seen = inversion_rows(
            bench,
            condition,
            self.attack,
            made,
            self.of,
            own={},
            clean=self.clean,
            measures={"shift": template_shift(bench, self.of, inverted), **measures},
            samples=save_strip(bench, strip, self.of[self.shown], **shown),
        )
        if self.clean is None:
            self.clean = seen
            # As in the other rows, every picture of these people is compared with every other.
            whole = {"tmr": self.before.tmr}
            return [
                row.model_copy(update=whole) if row.judge == bench.target else row
                for row in seen.rows
            ]
        recognised = self._recognition(leak)
        own = {"tmr": recognised.tmr, "tmr_difference": self._change(recognised)}
        return [
            row.model_copy(update=own if row.judge == bench.target else _not_theirs(row))
            for row in seen.rows
        ]

    def _too_short(self, damage: Damage, leak: Leak) -> StressResult:
        """The row of templates that the attack cannot take as they are."""
        recognised = self._recognition(leak)
        return recognition_row(
            self.bench,
            _condition(damage),
            self.bench.judge(self.bench.target),
            recognised.tmr,
            difference=self._change(recognised),
        )

    def _invert(self, vectors: Vectors, slug: str) -> Made:
        """Equal templates are inverted once: a repair that is perfect costs nothing."""
        key = digest(np.ascontiguousarray(vectors).tobytes())
        if key not in self._made:
            slug = f"damage/{slug}"
            self._made[key] = self.bench.invert(self.attack, vectors, slug, show=self.shown)
        return self._made[key]

    def _recognition(self, leak: Leak) -> _Recognition:
        names = self.bench.names[self.held]
        kind, seed = self.bench.models.target_similarity, self.bench.seed
        by_subject = {
            cut.label: tmr_by_subject(leak.vectors, names, kind, cut.value)
            for cut in leak.cuts
            if cut.value is not None
        }
        return _Recognition(tmr_at(leak.cuts, leak.vectors, names, kind, seed), by_subject)

    def _change(self, after: _Recognition) -> ByFmr:
        """Paired differences of the TMR against whole templates."""
        found: ByFmr = {}
        for fmr, now in after.tmr.items():
            if fmr not in after.by_subject or fmr not in self.before.by_subject:
                found[fmr] = now
                continue
            a, b = after.by_subject[fmr], self.before.by_subject[fmr]
            found[fmr] = estimate(
                paired_difference(a, b, rates=True, seed=self.bench.seed)
                if len(a)
                else NO_OTHER_PICTURE
            )
        return found

    def _explained(self, repaired: Vectors) -> Estimate:
        bench = self.bench
        centre = bench.clean(bench.target, bench.people.split.attacker).mean(axis=0)
        spread = ((self.whole - centre) ** 2).sum(axis=1)
        errors = ((self.whole - repaired) ** 2).sum(axis=1)
        variance = subject_means(spread, group(bench.names[self.held]).index).mean()
        return subject_estimate(bench, self.held, 1.0 - errors / variance)

    def _matched(self, leaked: Leaked) -> dict[str, Estimate]:
        return {
            "dimensions_matched" + (f"_at_{n}" if n else ""): estimate(
                mean_over_subjects(hits, rates=True, seed=self.bench.seed)
            )
            for n, hits in leaked.matched.items()
        }


def _condition(damage: Damage, *, repaired: bool = False) -> Condition:
    return Condition(
        "damage", damage.name, damage.strength, damage.unit, damage.label, repaired=repaired
    )


def _not_theirs(row: StressResult) -> dict[str, ByFmr]:
    return {name: dict.fromkeys(row.tmr, NOT_THEIRS) for name in ("tmr", "tmr_difference")}
