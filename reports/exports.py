"""Results in forms that other programs read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from reports.compare_exports import COMPARE_COLUMNS, Number, numbers_of
from reports.files import write_private
from reports.protection_exports import (
    PROTECTION_COLUMNS,
    ProtectionValue,
    protection_values,
)
from reports.results import (
    AttackResult,
    Estimate,
    JudgeResult,
    Measured,
    Results,
    is_comparison,
    is_protection,
    is_stress,
)
from reports.stress_exports import STRESS_COLUMNS, StressValue, values_of
from reports.tables import fmr_keys

COLUMNS = (
    "attack",
    "backbone",
    "control",
    "judge",
    "unseen",
    "fmr",
    "measure",
    "value",
    "low",
    "high",
    "n",
    "not_measured",
)
_BY_FMR = (
    "type1",
    "type2",
    "type2_reference",
    "margin_over_nearest",
    "reconstruction_fmr",
    "sar_ignoring_detection",
)
_PLAIN = ("rank1", "rank10", "similarity")


CSV_NAME = "results.csv"


def write_csv(results: Results, path: Path) -> None:
    """One row for each attack, judge, FMR and measure (0600, in one step).

    Ranks and the mean similarity have no FMR; the detection rate, the measures of likeness and what
    an attack cost have neither FMR nor judge: those cells are empty. So are value, low and high
    where ``not_measured`` says why. Costs are plain numbers, so they have no n. A comparison has
    columns of its own (:data:`COMPARE_COLUMNS`), and so have a stress run
    (:data:`reports.stress_exports.STRESS_COLUMNS`) and a run about protection
    (:data:`reports.protection_exports.PROTECTION_COLUMNS`).
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if results.compare is not None and is_comparison(results):
        writer.writerow(COMPARE_COLUMNS)
        writer.writerows(_compared(number) for number in numbers_of(results.compare))
    elif is_stress(results):
        writer.writerow(STRESS_COLUMNS)
        writer.writerows(_stressed(value) for value in values_of(results.stress))
    elif is_protection(results):
        writer.writerow(PROTECTION_COLUMNS)
        writer.writerows(_protected(value) for value in protection_values(results.protections))
    else:
        writer.writerow(COLUMNS)
        writer.writerows(_audited(results))
    write_private(path, text.getvalue().encode())


def _compared(number: Number) -> tuple[str, ...]:
    """In the order of COMPARE_COLUMNS."""
    value = number.value
    end = (repr(value), "", "", "", "") if isinstance(value, int) else _estimate(value)
    unseen = "" if number.unseen is None else _flag(number.unseen)
    names = (number.source, number.against, number.form, number.attack, number.judge)
    place = (*map(harmless, names), unseen, harmless(number.measure), number.fmr)
    return (number.part, *place, *end)


def _stressed(told: StressValue) -> tuple[str, ...]:
    """In the order of STRESS_COLUMNS."""
    row, value = told.row, told.value
    end = (repr(value), "", "", "", "") if isinstance(value, int) else _estimate(value)
    strength = "" if row.strength is None else repr(row.strength)
    what = (
        row.family,
        harmless(row.perturbation),
        strength,
        harmless(row.unit),
        harmless(row.label),
    )
    whose = (_flag(row.repaired), harmless(row.attack), harmless(row.backbone), harmless(row.judge))
    return (
        *what,
        *whose,
        _flag(row.unseen),
        told.fmr,
        harmless(told.measure),
        *end,
        harmless(row.note),
    )


def _protected(told: ProtectionValue) -> tuple[str, ...]:
    """In the order of PROTECTION_COLUMNS."""
    row, value = told.row, told.value
    end = (repr(value), "", "", "", "") if isinstance(value, int) else _estimate(value)
    settings = json.dumps(row.parameters, sort_keys=True) if row.parameters else ""
    names = (harmless(row.backbone), harmless(row.attack), told.knowledge, _flag(row.key_known))
    return (
        *(harmless(row.scheme), harmless(row.label), row.family, _flag(row.keyed)),
        *(settings, _flag(row.control), *names, row.leak),
        *(str(row.records), str(row.queries), harmless(row.method)),
        *(harmless(row.judge), row.judged, _flag(row.unseen), harmless(told.linker)),
        *(told.fmr, harmless(told.measure), *end, harmless(row.note)),
    )


def _audited(results: Results) -> Iterator[tuple[str, ...]]:
    for attack in results.attacks:
        head = (harmless(attack.attack), harmless(attack.backbone), _flag(attack.control))
        for judge, unseen, fmr, measure, value in _measures(attack):
            place = (harmless(judge), unseen, fmr, harmless(measure))
            yield (*head, *place, *_estimate(value))
        for measure, spent in _costs(attack):
            yield (*head, "", "", "", measure, repr(spent), "", "", "", "")


def _measures(attack: AttackResult) -> Iterator[tuple[str, str, str, str, Estimate]]:
    yield "", "", "", "detection_rate", attack.detection_rate
    for name, value in attack.image.items():
        yield "", "", "", name, value
    marks = attack.landmarks
    yield "", "", "", "landmark_mse_predicted", marks.mse_predicted
    yield "", "", "", "landmark_mse_redetected", marks.mse_redetected
    yield "", "", "", "landmark_share_near", marks.share_near
    for name, value in marks.regions.items():
        yield "", "", "", f"landmark_mse_{name}", value
    for name, judge in attack.judges.items():
        for fmr, measure, value in _judged(judge):
            yield name, _flag(judge.unseen), fmr, measure, value


def _judged(judge: JudgeResult) -> Iterator[tuple[str, str, Estimate]]:
    for measure in _BY_FMR:
        values: dict[str, Estimate] = getattr(judge, measure)
        for fmr in fmr_keys(values):
            yield fmr, measure, values[fmr]
    for measure in _PLAIN:
        yield "", measure, getattr(judge, measure)


def _costs(attack: AttackResult) -> Iterator[tuple[str, float]]:
    """What is known of them, under names with their units."""
    found: dict[str, float | None] = {
        "seconds_fit": attack.seconds.fit,
        "seconds_invert": attack.seconds.invert,
        "templates_per_second": attack.templates_per_second,
        "picture_size": attack.picture_size,
    }
    if attack.training is not None:
        found |= {f"training_{name}": value for name, value in attack.training}
    for name, value in found.items():
        if value is not None:
            yield name, value


def _estimate(value: Estimate) -> tuple[str, ...]:
    if not isinstance(value, Measured):
        return ("", "", "", "", harmless(value.not_measured))
    low = "" if value.low is None else repr(value.low)
    high = "" if value.high is None else repr(value.high)
    return (repr(value.value), low, high, str(value.n), "")


def _flag(value: bool) -> str:
    return "yes" if value else "no"


def harmless(text: str) -> str:
    """A cell that a spreadsheet takes for text."""
    # A spreadsheet would run a text that starts like a formula.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
