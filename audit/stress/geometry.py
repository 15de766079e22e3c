"""Turned, shifted and scaled faces, and the linear maps that undo it in template space.

As Krizaj et al. 2024, section 4.3.1: for every transform a linear map from templates of transformed
pictures to those of the clean ones is learnt on the attacker's people (eq. 6, see undo.py), and
people are recognised with and without it (Table 2).

Rows without an attack are the table: ``tmr`` is that of transformed pictures against clean ones of
the same leaked people, at thresholds of the *same* condition: a map changes the scores of strangers
too, so the FMR holds only if transformed (and mapped) pictures of the threshold people, against
their clean ones, set the threshold. Intervals are conditional on it. In a ``repaired`` row
``tmr_difference`` is paired with the row without the map.

Rows with an attack tell what an inversion of such a template shows. ``type1`` is against the
template that leaked, that of the transformed picture; so it falls where a map has put the face
upright again, and ``type2``, against clean pictures of the person, says whether that person is
still in it.

Measures:
    shift: mean similarity of the templates, mapped where there is a map, to the clean ones.
    explained: share of the variance of clean templates of people not learnt from that the map
        predicts from transformed ones; 0 is the attacker's mean for everybody, 1 is all.
    realised_fmr_1e_3: FMR on the leaked people at the row's own threshold (for every FMR).
    deployed_tmr_1e_3, deployed_fmr_1e_3: the same rates at the judge's usual threshold, of clean
        pictures of the threshold set: a matcher in use does not move it for a turned face.
    clean_similarity: mean similarity, by the target, of reconstructions to the clean template of
        the picture that they were made from; whether or not a face was found in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from attacks.perturbation.base import PERTURBATIONS, Perturbation
from audit.people import seed_for
from audit.stress.bench import Made, Vectors, Workbench
from audit.stress.pictures import condition_of
from audit.stress.recognition import Drawn, Recognised, recognised
from audit.stress.rows import (
    Condition,
    Seen,
    clean_condition,
    inversion_rows,
    recognition_row,
    subject_estimate,
    template_shift,
)
from audit.stress.settings import GeometrySettings
from audit.stress.strips import save_strip
from audit.stress.undo import undoing
from biometrics.metrics.pairs import group
from biometrics.metrics.scores import paired_similarity
from biometrics.template_map import TemplateMap, draw_pairs
from reports.results import ByFmr, Estimate, StressResult, StressSample

INVERTED_ROTATIONS = (30.0, 60.0, 90.0)
INVERTED = ("translate-right", "scale")
"""Transforms whose templates of many people are inverted; of others those of the shown people."""


def transforms(sizes: GeometrySettings) -> list[Perturbation]:
    """Every transform of the settings."""
    chosen = [("rotation", degrees) for degrees in sizes.rotations]
    for direction in ("left", "right", "up", "down"):
        chosen.append((f"translate-{direction}", sizes.translation))
    chosen += [("scale", factor) for factor in sizes.scales]
    return [PERTURBATIONS.get(name)(strength) for name, strength in chosen]


def stress(bench: Workbench) -> list[StressResult]:
    """The rows of the family for one target."""
    drawn, inverted = _drawn(bench), _inverted(bench)
    judge = bench.judge(bench.target)
    clean = recognised(bench, judge, drawn, bench.clean(judge.name, drawn.threshold), drawn.clean)
    rows = [_table_row(bench, clean_condition("geometry"), clean, None, {})]
    before = {a: _invert_clean(bench, a, inverted) for a in bench.attacks}
    for seen in before.values():
        rows += seen.rows
    for transform in transforms(bench.sizes.geometry):
        rows += _under(bench, transform, drawn, inverted, clean, before)
    return rows


def _drawn(bench: Workbench) -> Drawn:
    """Whose pictures are transformed."""
    sizes, split = bench.sizes.geometry, bench.people.split
    seed = seed_for("geometry", bench.config.seed)
    people = len(np.unique(bench.names[split.threshold]))
    some = min(sizes.threshold_people or people, people)  # no more than one picture of each
    leaked = _recognised_rows(bench)
    return Drawn(
        learn=split.attacker[draw_pairs(bench.names[split.attacker], sizes.pairs, seed)],
        threshold=split.threshold[draw_pairs(bench.names[split.threshold], some, seed)],
        leaked=leaked,
        clean=bench.clean(bench.target, leaked),
    )


def _recognised_rows(bench: Workbench) -> NDArray[np.intp]:
    """Leaked pictures that are recognised, two of a person or more: one of each pair is
    transformed."""
    pictures = bench.sizes.pictures
    return bench.draw(bench.sizes.subjects, None if pictures is None else max(2, pictures))


@dataclass(frozen=True)
class _Inverted:
    """Rows whose templates are inverted, where they stand among the drawn leaked ones, and which of
    them are shown."""

    rows: NDArray[np.intp]
    places: NDArray[np.intp]
    shown: NDArray[np.intp]


def _inverted(bench: Workbench) -> _Inverted:
    wanted = (bench.sizes.geometry.inverted_people, bench.sizes.subjects)
    most = min((n for n in wanted if n is not None), default=None)
    leaked = _recognised_rows(bench)
    rows = bench.draw(most, bench.sizes.pictures)  # the first of the same people
    return _Inverted(rows, np.searchsorted(leaked, rows), bench.shown(rows))


def _under(
    bench: Workbench,
    transform: Perturbation,
    drawn: Drawn,
    inverted: _Inverted,
    clean: Recognised,
    before: Mapping[str, Seen],
) -> Iterator[StressResult]:
    """The rows of one transform, without and with the map."""
    judge = bench.judge(bench.target)
    learn, threshold, leaked = (
        bench.templates(transform, rows, judge.name)
        for rows in (drawn.learn, drawn.threshold, drawn.leaked)
    )
    seed = seed_for("geometry", bench.config.seed)
    undo = undoing(learn, bench.clean(judge.name, drawn.learn), judge.kind, seed=seed)
    plain, mended = condition_of("geometry", transform), _with_map(bench, transform, undo, drawn)
    mapped = undo.apply(leaked)
    without = recognised(bench, judge, drawn, threshold, leaked)
    repaired = recognised(bench, judge, drawn, undo.apply(threshold), mapped)
    facts = {"shift": template_shift(bench, drawn.leaked, leaked)}
    facts_mapped = {
        "shift": template_shift(bench, drawn.leaked, mapped),
        "explained": explained(bench, drawn, mapped, undo),
    }
    turned = transform.name == "rotation" and transform.strength in INVERTED_ROTATIONS
    whole = turned or transform.name in INVERTED
    both = {False: leaked[inverted.places], True: mapped[inverted.places]}
    samples = [] if whole else _strip_alone(bench, transform, inverted, both)
    yield _table_row(bench, plain, without, clean, facts, samples)
    yield _table_row(bench, mended, repaired, without, facts_mapped)
    for attack in bench.attacks if whole else ():
        yield from _inversions(bench, transform, attack, inverted, both, mended, before[attack])


def _table_row(
    bench: Workbench,
    condition: Condition,
    found: Recognised,
    against: Recognised | None,
    measures: Mapping[str, Estimate],
    samples: list[StressSample] | None = None,
) -> StressResult:
    return recognition_row(
        bench,
        condition,
        bench.judge(bench.target),
        found.tmr,
        difference=None if against is None else found.less(against, bench.seed),
        measures={**measures, **found.measures},
        samples=samples or [],
    )


def _with_map(
    bench: Workbench, transform: Perturbation, undo: TemplateMap, drawn: Drawn
) -> Condition:
    people = len(np.unique(bench.names[drawn.learn]))
    note = (
        f"map learnt on {undo.pairs:,} pictures of {people:,} of the attacker's people, penalty "
        f"{undo.ridge:.2g}; the difference in TMR is to the same templates without the map"
    )
    return replace(condition_of("geometry", transform), repaired=True, note=note)


def explained(bench: Workbench, drawn: Drawn, mapped: Vectors, undo: TemplateMap) -> Estimate:
    """Share of the variance of the leaked people's clean templates that a map predicts, its
    interval conditional on that variance."""
    truth = drawn.clean.astype(np.float64)
    index = group(bench.names[drawn.leaked]).index
    spread = ((truth - undo.offset) ** 2).sum(axis=1)
    weights = 1.0 / np.bincount(index)[index]  # every person counts once
    variance = float(np.average(spread, weights=weights))
    wrong = ((truth - mapped) ** 2).sum(axis=1)
    return subject_estimate(bench, drawn.leaked, 1.0 - wrong / max(variance, 1e-30))


def _invert_clean(bench: Workbench, attack: str, inverted: _Inverted) -> Seen:
    vectors = bench.clean(bench.target, inverted.rows)
    made = bench.invert(attack, vectors, "geometry/clean", show=inverted.shown)
    own = {judge.name: bench.clean(judge.name, inverted.rows) for judge in bench.judges}
    return inversion_rows(
        bench,
        clean_condition("geometry"),
        attack,
        made,
        inverted.rows,
        own=own,
        clean=None,
        measures=_of_inversion(bench, inverted.rows, vectors, made),
        samples=save_strip(
            bench,
            f"geometry/clean/{_word(attack)}",
            inverted.rows[inverted.shown],
            reconstruction=made.shown,
        ),
    )


def _inversions(
    bench: Workbench,
    transform: Perturbation,
    attack: str,
    inverted: _Inverted,
    vectors: Mapping[bool, Vectors],
    mended: Condition,
    before: Seen,
) -> Iterator[StressResult]:
    """Rows without and with the map; the strip of both goes to the former."""
    rows = inverted.rows
    own = {
        judge.name: vectors[False]
        if judge.name == bench.target
        else bench.templates(transform, rows, judge.name)
        for judge in bench.judges
    }
    made = {
        mapped: bench.invert(attack, some, _slug(transform, mapped), show=inverted.shown)
        for mapped, some in vectors.items()
    }
    strip = save_strip(
        bench,
        f"geometry/{transform.slug}/{_word(attack)}",
        rows[inverted.shown],
        perturbed=bench.perturbed(transform, rows[inverted.shown]).crops,
        reconstruction=made[False].shown,
        repaired=made[True].shown,
    )
    note = (
        "type1 is against the template of the transformed picture, before the map; the differences "
        "are to the clean rows"
    )
    for mapped, some in vectors.items():
        plain = condition_of("geometry", transform)
        seen = inversion_rows(
            bench,
            replace(mended, note=note) if mapped else plain,
            attack,
            made[mapped],
            rows,
            own=own,
            clean=before,
            measures=_of_inversion(bench, rows, some, made[mapped]),
            samples=() if mapped else strip,
        )
        # The pictures are the same with a map of templates: their own TMR stands in the other row.
        gone: dict[str, ByFmr] = {"tmr": {}, "tmr_difference": {}} if mapped else {}
        yield from (row.model_copy(update=gone) for row in seen.rows)


def _of_inversion(
    bench: Workbench, rows: NDArray[np.intp], vectors: Vectors, made: Made
) -> dict[str, Estimate]:
    seen, clean = made.vectors[bench.target], bench.clean(bench.target, rows)
    near = paired_similarity(seen, clean, bench.models.target_similarity)
    return {
        "shift": template_shift(bench, rows, vectors),
        "clean_similarity": subject_estimate(bench, rows, near),
    }


def _strip_alone(
    bench: Workbench,
    transform: Perturbation,
    inverted: _Inverted,
    vectors: Mapping[bool, Vectors],
) -> list[StressSample]:
    """The shown people's templates alone, inverted by the first attack."""
    if not len(inverted.shown):
        return []
    attack, k = bench.attacks[0], len(inverted.shown)
    both = np.concatenate([vectors[mapped][inverted.shown] for mapped in (False, True)])
    made = bench.invert(attack, both, f"geometry/{transform.slug}-strip", show=np.arange(2 * k))
    rows = inverted.rows[inverted.shown]
    return save_strip(
        bench,
        f"geometry/{transform.slug}/{_word(attack)}",
        rows,
        perturbed=bench.perturbed(transform, rows).crops,
        reconstruction=made.shown[:k],
        repaired=made.shown[k:],
    )


def _slug(transform: Perturbation, mapped: bool) -> str:
    return f"geometry/{transform.slug}{'-mapped' if mapped else ''}"


def _word(attack: str) -> str:
    return attack.replace(":", "-")
