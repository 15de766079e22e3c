"""Results in forms that other programs read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from reports.files import write_private
from reports.results import AttackResult, Estimate, JudgeResult, Measured, Results
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

    Ranks and the mean similarity have no FMR, the detection rate and the image measures neither FMR
    nor judge: those cells are empty. So are value, low and high where ``not_measured`` says why.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for attack in results.attacks:
        head = (_safe(attack.attack), _safe(attack.backbone), _flag(attack.control))
        for judge, unseen, fmr, measure, value in _measures(attack):
            place = (_safe(judge), unseen, fmr, _safe(measure))
            writer.writerow((*head, *place, *_estimate(value)))
    write_private(path, text.getvalue().encode())


def _measures(attack: AttackResult) -> Iterator[tuple[str, str, str, str, Estimate]]:
    yield "", "", "", "detection_rate", attack.detection_rate
    for name, value in attack.image.items():
        yield "", "", "", name, value
    yield "", "", "", "landmark_mse_predicted", attack.landmarks.mse_predicted
    yield "", "", "", "landmark_mse_redetected", attack.landmarks.mse_redetected
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


def _estimate(value: Estimate) -> tuple[str, ...]:
    if not isinstance(value, Measured):
        return ("", "", "", "", _safe(value.not_measured))
    low = "" if value.low is None else repr(value.low)
    high = "" if value.high is None else repr(value.high)
    return (repr(value.value), low, high, str(value.n), "")


def _flag(value: bool) -> str:
    return "yes" if value else "no"


def _safe(text: str) -> str:
    # A spreadsheet would run a text that starts like a formula.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
