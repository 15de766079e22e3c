"""What the templates of a store tell of people besides who they are, by a CSV of what is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audit.estimates import estimate
from audit.store_labels import read_store_labels
from audit.store_sample import StoreSample
from audit.watch import Watch
from biometrics.metrics.attributes import AttributeLeakage, attribute_leakage
from biometrics.metrics.intervals import NotMeasured
from reports.results import AttributeLeak, Estimate, Measured
from reports.results import NotMeasured as NotMeasuredEstimate


class Attributes(NamedTuple):
    """What was measured, and what a reader must know of the labels."""

    leaks: list[AttributeLeak]
    notes: list[str]


def store_attributes(path: Path, sample: StoreSample, *, seed: int, watch: Watch) -> Attributes:
    """Measure every attribute of a CSV on the templates that were drawn.

    Args:
        path: see :func:`read_store_labels`.
        sample: the templates, with the store's own ids and names; none of them is kept.
        seed: of folds and intervals.
        watch: shows progress.

    Raises:
        InputError: the CSV is not usable.
    """
    found = read_store_labels(path, sample.template_ids, sample.subject_ids, sample.names)
    # Where the store has names and no ids, those of one name are one person's in the folds.
    people = [
        subject if subject[:1] == "s" or not name else f"n{name}"
        for subject, name in zip(sample.subjects.tolist(), sample.names, strict=True)
    ]
    notes = []
    if not found.matched:
        notes.append(
            f"labels: none of the {len(sample):,} templates that were drawn is spoken of in the "
            "CSV; it names people as the store does, under template_id, subject_id or name"
        )
    with watch.task(f"tell {len(found.values)} attributes from templates", len(found.values)) as on:
        leaks = []
        for name, values in found.values.items():
            leaks.append(_leak(name, sample, people, values, seed))
            on(1)
    return Attributes(leaks, notes)


def _leak(
    name: str,
    sample: StoreSample,
    people: Sequence[str],
    values: Sequence[str | None],
    seed: int,
) -> AttributeLeak:
    found = attribute_leakage(sample.vectors, people, values, seed=seed)
    if isinstance(found, NotMeasured):
        return AttributeLeak(attribute=name, balanced_accuracy=estimate(found))
    notes = [
        found.grouped,
        _left_out(found),
        ""
        if any(p[:1] != "t" for p in people)
        else "the store does not say whose templates are "
        "whose: one person's may have been learnt from and asked for",
    ]
    return AttributeLeak(
        attribute=name,
        classes=dict(found.classes),
        balanced_accuracy=estimate(found.balanced_accuracy),
        majority=found.majority,
        permuted=_permuted(found),
        note="; ".join(note for note in notes if note),
    )


def _left_out(found: AttributeLeakage) -> str:
    """A value that few people have may say who they are: it is counted, not written."""
    people = sum(found.left_out.values())
    return f"rarer values of {people:,} people are left out" if people else ""


def _permuted(found: AttributeLeakage) -> Estimate:
    if not found.permuted:
        return NotMeasuredEstimate(not_measured="dealing the labels leaves a value to too few")
    return Measured(value=float(np.mean(found.permuted)), n=len(found.permuted))
