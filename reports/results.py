"""results.json, the one source of truth of a run (schema_version 1).

Every page, table and figure comes from these models alone. Additions need a default; renames and
removals need a new schema version. A rate is always an ``Estimate``; what was not measured is a
``NotMeasured`` with its reason and never a 0, a NaN or a missing row.

The parts live in ``schema`` (base, estimate), ``measures`` (backbones, attacks, figures' data) and
``extensions`` (protections, findings, gates), ``stress_results``; import all of them from here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, NonNegativeInt, ValidationError

from reports.compare_results import (
    CompareCell,
    CompareChange,
    CompareDifference,
    CompareResult,
    CompareRow,
    CompareSetting,
    FormatRow,
    Predictability,
    ProjectionCheck,
)
from reports.extensions import (
    About,
    Finding,
    GateResult,
    WeightResult,
)
from reports.files import write_private
from reports.grading import GradeCutoff, Grading
from reports.measures import (
    EVERYBODY_FACTOR,
    N_LANDMARKS,
    AttackHistogram,
    AttackResult,
    BackboneResult,
    DetCurve,
    JudgeResult,
    Landmarks,
    Sample,
    ScoreHistogram,
    Seconds,
    Training,
    View2,
    far_above_nominal,
)
from reports.protection_results import (
    UNPROTECTED,
    Knowledge,
    Leak,
    Linkage,
    ProtectionFamily,
    ProtectionLimits,
    ProtectionResult,
    ProtectionSample,
)
from reports.schema import (
    HEADLINE_FMR,
    NOT_RUN,
    SEVERITY_ORDER,
    ByFmr,
    Estimate,
    FmrKey,
    Grade,
    Measured,
    Model,
    NotMeasured,
    RelativePath,
    Severity,
    Threshold,
    Timestamp,
    first_problem,
    fmr_value,
)
from reports.search_results import SearchJudge, SearchResult
from reports.store_results import (
    AttributeLeak,
    PredictedAgreement,
    StoreCollection,
    StoreSummary,
)
from reports.stress_results import (
    CLEAN,
    STRESS_FAMILIES,
    StressCurve,
    StressFamily,
    StressMap,
    StressResult,
    StressSample,
)

__all__ = [
    "CLEAN",
    "EVERYBODY_FACTOR",
    "HEADLINE_FMR",
    "NOT_RUN",
    "N_LANDMARKS",
    "RESULTS_NAME",
    "SCHEMA_VERSION",
    "SEVERITY_ORDER",
    "STRESS_FAMILIES",
    "UNPROTECTED",
    "About",
    "AttackHistogram",
    "AttackResult",
    "AttributeLeak",
    "BackboneResult",
    "ByFmr",
    "CompareCell",
    "CompareChange",
    "CompareDifference",
    "CompareResult",
    "CompareRow",
    "CompareSetting",
    "DetCurve",
    "Estimate",
    "FacesSummary",
    "Finding",
    "FmrKey",
    "FormatRow",
    "GateResult",
    "Grade",
    "GradeCutoff",
    "Grading",
    "Headline",
    "JudgeResult",
    "Knowledge",
    "Landmarks",
    "Leak",
    "Linkage",
    "Measured",
    "Model",
    "NotMeasured",
    "Predictability",
    "PredictedAgreement",
    "ProjectionCheck",
    "ProtectionFamily",
    "ProtectionLimits",
    "ProtectionResult",
    "ProtectionSample",
    "Provenance",
    "RelativePath",
    "Results",
    "ResultsError",
    "Sample",
    "ScoreHistogram",
    "SearchJudge",
    "SearchResult",
    "Seconds",
    "Severity",
    "SplitCount",
    "StoreCollection",
    "StoreSummary",
    "StressCurve",
    "StressFamily",
    "StressMap",
    "StressResult",
    "StressSample",
    "Threshold",
    "Timestamp",
    "Training",
    "View2",
    "WeightResult",
    "dump_results",
    "far_above_nominal",
    "fmr_value",
    "is_comparison",
    "is_protection",
    "is_stress",
    "load_results",
    "save_results",
]

SCHEMA_VERSION: Literal[1] = 1
RESULTS_NAME = "results.json"
_MAX_BYTES = 256 * 1024 * 1024


class ResultsError(ValueError):
    """results.json is absent, damaged or of another version; the message is one readable line."""

    exit_code = 2


class Headline(Model):
    """The one number: how often an unseen judge accepts the reconstructions."""

    attack: str
    judge: str
    fmr: FmrKey
    sar: Estimate
    measure: Literal["type1", "type2"] = "type1"


class Provenance(Model):
    """What is needed to obtain the same numbers again."""

    faceleak: str
    python: str
    torch: str | None = None
    device: str
    seed: int
    inputs: dict[str, str] = Field(default_factory=dict)  # name: sha256
    judges_consulted: list[str] = Field(
        default_factory=list
    )  # judges that took part in choosing anything
    packages: dict[str, str] = Field(default_factory=dict)


class SplitCount(Model):
    """Size of one part of the split by subject."""

    subjects: NonNegativeInt = 0
    pictures: NonNegativeInt = 0


class FacesSummary(Model):
    """What was found in the folder of faces, and how it was split."""

    n_files: NonNegativeInt = 0
    n_faces: NonNegativeInt = 0
    n_subjects: NonNegativeInt = 0
    skipped: dict[str, NonNegativeInt] = Field(default_factory=dict)  # reason: pictures
    several_faces: NonNegativeInt = 0  # pictures with more than one face (one was used)
    attacker: SplitCount = SplitCount()
    threshold: SplitCount = SplitCount()
    leaked: SplitCount = SplitCount()
    capped: NonNegativeInt = 0  # pictures left out by the limit per subject
    subjects_in_both: NonNegativeInt = 0  # of the attacker's and the leaked folder
    notes: list[str] = Field(default_factory=list)
    generated: bool = False  # the people do not exist: pictures are shown unblurred


class Results(Model):
    """The whole document."""

    schema_version: Literal[1] = SCHEMA_VERSION
    title: str
    created: Timestamp
    headline: Headline | None = None
    grade: Grade = "not graded"
    grade_reason: str = ""
    grading: Grading | None = None  # the rules of the grade
    verdict: str = ""
    quick: bool = False
    target: str = ""
    provenance: Provenance
    faces: FacesSummary | None = None
    backbones: dict[str, BackboneResult] = Field(default_factory=dict)
    judges_missing: dict[str, str] = Field(default_factory=dict)  # judge: why it was not measured
    attacks: list[AttackResult] = Field(default_factory=list)
    histograms: dict[str, ScoreHistogram] = Field(default_factory=dict)  # by judge
    det: dict[str, DetCurve] = Field(default_factory=dict)  # by judge
    curves: dict[str, dict[str, list[float]]] = Field(
        default_factory=dict
    )  # by attack, then by name of the curve
    samples: list[Sample] = Field(default_factory=list)
    search: list[SearchResult] = Field(default_factory=list)
    stress: list[StressResult] = Field(default_factory=list)
    protections: list[ProtectionResult] = Field(default_factory=list)
    protection_limits: ProtectionLimits | None = None
    compare: CompareResult | None = None
    store: StoreSummary | None = None
    findings: list[Finding] = Field(default_factory=list)
    gates: list[GateResult] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    about: About = About()
    weights: list[WeightResult] = Field(default_factory=list)  # all that took part


def is_comparison(results: Results) -> bool:
    """True of what ``faceleak compare`` wrote: a comparison and no audit of its own."""
    return results.compare is not None and not results.attacks and not results.target


def is_stress(results: Results) -> bool:
    """True of what ``faceleak stress`` wrote: templates under stress and no audit of its own."""
    return bool(results.stress) and not results.attacks and results.compare is None


def is_protection(results: Results) -> bool:
    """True of what ``faceleak protect`` wrote: protected templates and no audit of its own."""
    return bool(results.protections) and not results.attacks and results.compare is None


def dump_results(results: Results) -> str:
    """JSON text: fields in the order of the schema, the keys of dictionaries sorted, no NaN.

    Raises ResultsError where a part was changed after its validation and is no longer valid.
    """
    try:
        checked = Results.model_validate(results.model_dump())
    except ValidationError as error:
        raise ResultsError(
            f"these results do not fit the schema: {first_problem(error)}"
        ) from error
    return json.dumps(_plain(checked), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def save_results(results: Results, path: Path) -> None:
    """Write ``results`` to ``path`` in one step, readable by the owner only (0600)."""
    write_private(path, dump_results(results).encode())


def load_results(path: Path) -> Results:
    """Read a results.json (or the one in a run folder). Raises ResultsError with one line."""
    file = path / RESULTS_NAME if path.is_dir() else path
    try:
        if os.path.getsize(file) > _MAX_BYTES:
            raise ResultsError(f"{file}: larger than {_MAX_BYTES >> 20} MiB, not a results.json")
        document = json.loads(file.read_bytes())
    except OSError as error:
        raise ResultsError(f"{file}: cannot be read ({error.strerror}); is this a run?") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, ResultsError):
            raise
        raise ResultsError(f"{file}: not JSON ({error})") from error
    _check_version(document, file)
    try:
        return Results.model_validate(document)
    except ValidationError as error:
        raise ResultsError(f"{file}: {first_problem(error)}") from error


def _check_version(document: Any, file: Path) -> None:
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise ResultsError(f"{file}: schema_version is {version!r}, expected {SCHEMA_VERSION}")


def _plain(value: Any) -> Any:
    """Models keep their order, dictionaries are sorted, so equal runs give equal text."""
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
