"""Several pictures of one person: whether their templates give one face.

As Cole et al. 2017, section 7.1, show it, with numbers beside the pictures.

Leaked people with three or more pictures, each picture's template inverted as it is. Counted are
the pictures in whose reconstruction a face was found, of people who have two or more such.

Measures of the target's row, for pose (yaw and pitch in degrees, by the landmarks), expression
(mouth, eyes and brows in pixels), light (grey levels of 4 x 4 parts of the face), shape (68 points
in pixels, place, size and roll undone) and colours (grey levels of 16 x 16 cells):
    pose_within_pictures, pose_within_reconstructions (and so on): standard deviation of one of
        these numbers over the pictures of a person, mean over people; shape_between_pictures,
        shape_between_reconstructions (and so on, pose and expression apart): that between people.
    normalised_pose (and so on): 1 where nothing is left of a person's spread while people still
        differ, 0 where it is as in the pictures or merely shrunk with all else, below 0 where more
        was lost of people than of their poses; not measured where the reconstructions do not tell
        people apart, as the mean face (biometrics/metrics/spread.py says how and why). People
        differ by their shape for pose and expression, else by the quantity itself.
    normalised: the mean of those of pose, light and expression: is a reconstruction normalised?

Measures of every judge's row:
    same_pictures, same_reconstructions: mean similarity of two pictures of one person;
    same_difference: the latter less the former, paired;
    others_pictures, others_reconstructions: the same of two people;
    normalised_templates: the score above, of the judge's templates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.estimates import estimate
from audit.judging import Judge
from audit.stress.bench import Made, Numbers, Vectors, Workbench
from audit.stress.rows import clean_condition, inversion_rows
from audit.stress.strips import save_strip
from biometrics.faces.head_pose import head_pose
from biometrics.faces.traits import aligned, colours, expression, light
from biometrics.metrics.intervals import (
    Measured,
    NotMeasured,
    mean_over_subjects,
    paired_difference,
    subject_means,
    two_way,
)
from biometrics.metrics.pairs import Groups, group, mated_pairs
from biometrics.metrics.scores import Similarity, pair_scores, similarity_matrix
from biometrics.metrics.spread import Kept, Spread, normalisation, spread
from reports.results import Estimate, StressResult

LEAST_PICTURES = 3
NUISANCES = ("pose", "light", "expression")
OF_THE_SHAPE = ("pose", "expression")
"""Quantities that say little of a person: people are told apart by their shape."""

NOBODY = NotMeasured(f"no leaked person has {LEAST_PICTURES} pictures with faces in what they gave")

Array = NDArray[Any]


def stress(bench: Workbench) -> list[StressResult]:
    """The rows of the family for one target: one an attack and a judge."""
    rows = people_with_several(bench)
    if len(rows) == 0:
        return []
    found: list[StressResult] = []
    for attack in bench.attacks:
        found += _rows(bench, attack, rows)
    return found


def people_with_several(bench: Workbench) -> NDArray[np.intp]:
    """Rows of leaked people with three or more pictures."""
    sizes = bench.sizes.invariance
    return bench.draw(sizes.people, sizes.each, purpose="invariance", least=LEAST_PICTURES)


def strip_places(bench: Workbench, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Positions in ``rows`` of the first pictures of the people who are shown, person by person."""
    wanted = bench.sizes.invariance.strip_pictures
    people = bench.names[rows][bench.shown(rows)]
    places = [np.flatnonzero(bench.names[rows] == name)[:wanted] for name in people]
    return np.concatenate([np.empty(0, dtype=np.intp), *places]).astype(np.intp)


def _rows(bench: Workbench, attack: str, rows: NDArray[np.intp]) -> list[StressResult]:
    places = strip_places(bench, rows)
    made = bench.invert(
        attack,
        bench.clean(bench.target, rows),
        "invariance/several",
        measure=Numbers(_cells, {"cells of the face": 1}),
        show=places,
    )
    n = len(np.unique(bench.names[rows]))
    note = f"{len(rows):,} pictures of {n:,} people with {LEAST_PICTURES} or more"
    seen = inversion_rows(
        bench,
        replace(clean_condition("invariance"), label="several pictures of a person", note=note),
        attack,
        made,
        rows,
        own={judge.name: bench.clean(judge.name, rows) for judge in bench.judges},
        clean=None,
        samples=save_strip(
            bench,
            f"invariance/{attack.replace(':', '-')}",
            rows[places],
            reconstruction=made.shown,
        ),
    )
    used = _used(bench.names[rows], made.detected)
    by_judge = {judge.name: _of_judge(bench, judge, made, rows, used) for judge in bench.judges}
    by_judge[bench.target] |= _of_pictures(bench, made, rows, used)
    return [
        row.model_copy(update={"measures": {**row.measures, **by_judge[row.judge]}})
        for row in seen.rows
    ]


def _cells(
    crops: NDArray[np.uint8], _landmarks: NDArray[np.float32], _rows: slice
) -> dict[str, NDArray[np.float64]]:
    return {"colours": colours(crops)}


def _used(names: NDArray[np.str_], detected: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Positions of the pictures that are counted."""
    found = np.flatnonzero(detected)
    if len(found) == 0:
        return found
    groups = group(names[found])
    return found[groups.counts[groups.index] >= 2]


@dataclass(frozen=True)
class _Both:
    """A quantity of pictures and of their reconstructions."""

    pictures: Spread
    reconstructions: Spread


def _of_pictures(
    bench: Workbench, made: Made, rows: NDArray[np.intp], used: NDArray[np.intp]
) -> dict[str, Estimate]:
    if len(used) == 0:
        return {"normalised": estimate(NOBODY)}
    groups = group(bench.names[rows[used]])
    faces = bench.people.faces
    mean_shape = faces.landmarks[bench.people.split.attacker].mean(axis=0, dtype=np.float64)
    before = traits(faces.landmarks[rows[used]], colours(faces.crops[rows[used]]), mean_shape)
    after = traits(made.redetected[used], made.measures["colours"][used], mean_shape)
    both = {q: _Both(spread(before[q], groups), spread(after[q], groups)) for q in before}
    return in_words(both, bench.seed)


def traits(
    landmarks: NDArray[np.floating], cells: NDArray[np.float64], mean_shape: NDArray[np.floating]
) -> dict[str, NDArray[np.float64]]:
    """Pose [N, 2], expression [N, 4], light [N, 16], shape [N, 136] and colours [N, 768] of
    pictures, from landmarks [N, 68, 2] and the colours of cells [N, 768]."""
    shapes = aligned(landmarks)
    pose = head_pose(shapes, mean_shape)
    return {
        "pose": np.stack([pose.yaw, pose.pitch], axis=1),
        "expression": expression(shapes),
        "light": light(cells),
        "shape": shapes.reshape(len(shapes), -1),
        "colours": cells,
    }


def in_words(both: Mapping[str, Any], seed: int) -> dict[str, Estimate]:
    """The measures of the head of this module, from quantities of pictures and reconstructions."""
    found: dict[str, Estimate] = {}
    kept = {}
    for name, quantity in both.items():
        people = both["shape"] if name in OF_THE_SHAPE else quantity
        kept[name] = Kept(
            quantity.pictures, quantity.reconstructions, people.pictures, people.reconstructions
        )
        for side in ("pictures", "reconstructions"):
            one: Spread = getattr(quantity, side)
            found[f"{name}_within_{side}"] = estimate(one.within_people(seed))
            if name not in OF_THE_SHAPE:
                found[f"{name}_between_{side}"] = estimate(one.between_people(seed))
        found[f"normalised_{name}"] = estimate(normalisation([kept[name]], seed))
    found["normalised"] = estimate(normalisation([kept[name] for name in NUISANCES], seed))
    return found


def _of_judge(
    bench: Workbench,
    judge: Judge,
    made: Made,
    rows: NDArray[np.intp],
    used: NDArray[np.intp],
) -> dict[str, Estimate]:
    if len(used) == 0:
        return {"same_reconstructions": estimate(NOBODY)}
    groups = group(bench.names[rows[used]])
    before, after = bench.clean(judge.name, rows[used]), made.vectors[judge.name][used]
    return similarities(before, after, groups, judge.kind, bench.seed)


def similarities(
    pictures: Vectors, reconstructions: Vectors, groups: Groups, kind: Similarity, seed: int
) -> dict[str, Estimate]:
    """A judge's measures, from its templates [N, D] of pictures and of their reconstructions."""
    pairs = mated_pairs(groups)
    owner = groups.index[pairs.first]
    sides = {"pictures": pictures, "reconstructions": reconstructions}
    same = {
        side: subject_means(pair_scores(vectors, vectors, pairs, kind), owner)
        for side, vectors in sides.items()
    }
    facts: dict[str, Measured] = {}
    for side, vectors in sides.items():
        facts[f"same_{side}"] = mean_over_subjects(same[side], rates=False, seed=seed)
        facts[f"others_{side}"] = _of_two_people(vectors, groups, kind, seed)
    facts["same_difference"] = paired_difference(
        same["reconstructions"], same["pictures"], rates=False, seed=seed
    )
    a, b = (spread(_as_compared(vectors, kind), groups) for vectors in sides.values())
    facts["normalised_templates"] = normalisation([Kept(a, b, a, b)], seed)
    return {name: estimate(fact) for name, fact in facts.items()}


def _of_two_people(vectors: Vectors, groups: Groups, kind: Similarity, seed: int) -> Measured:
    """Mean similarity of pictures of two people; n = pairs of people."""
    if groups.n_subjects < 2:
        return NotMeasured("there is only one person")
    ordered = vectors[groups.order]
    scores = similarity_matrix(ordered, ordered, kind).astype(np.float64)
    sums = np.add.reduceat(np.add.reduceat(scores, groups.starts, 0), groups.starts, 1)
    return two_way(sums / np.outer(groups.counts, groups.counts), rates=False, seed=seed)


def _as_compared(vectors: Vectors, kind: Similarity) -> NDArray[np.float64]:
    """At length 1 where lengths say nothing."""
    rows = vectors.astype(np.float64)
    if kind == "cosine":
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
    return rows
