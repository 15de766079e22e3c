"""Findings as SARIF 2.1.0 (OASIS, errata 01), for code scanning and dashboards.

The id of a rule is the id of the finding; one store or model has one result a rule. The file holds
what results.json says of the whole, never of a person. Where the finding is, is results.json: there
is no source file to point at.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from reports.gates import GateReport
from reports.results import RESULTS_NAME, SEVERITY_ORDER, Finding, Measured, Results, Severity
from reports.words import evidence_lines

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

_LEVELS: dict[Severity, str] = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "note",
    "info": "none",
}
# Points within the bands by which GitHub sorts: over 9 critical, from 7 high, from 4 medium.
_POINTS: dict[Severity, str] = {"critical": "9.5", "high": "8.0", "medium": "5.0", "low": "2.0"}


def sarif_json(results: Results, report: GateReport) -> bytes:
    """The log, UTF-8."""
    grouped = _by_rule(results.findings)
    run = {
        "tool": {
            "driver": {
                "name": "faceleak",
                "version": results.provenance.faceleak,
                "rules": [_rule(rule, told) for rule, told in grouped.items()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(results, report, index, told) for index, told in enumerate(grouped.values())
        ],
        "properties": {"title": results.title, "grade": results.grade, "verdict": results.verdict},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _by_rule(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """Findings by id, the worst of each first."""
    found: dict[str, list[Finding]] = {}
    for finding in sorted(findings, key=lambda f: SEVERITY_ORDER.index(f.severity)):
        found.setdefault(finding.id, []).append(finding)
    return found


def _rule(rule: str, told: Sequence[Finding]) -> dict[str, Any]:
    worst = told[0]
    points = _POINTS.get(worst.severity)
    properties: dict[str, Any] = {"tags": ["security", "privacy", "biometrics", *worst.clauses]}
    properties["tags"] = list(dict.fromkeys(properties["tags"]))
    if points is not None:
        properties["security-severity"] = points
    help_text = "\n".join(filter(None, [worst.recommendation, *worst.clauses])) or worst.title
    return {
        "id": rule,
        "shortDescription": {"text": worst.title},
        "help": {"text": help_text},
        "defaultConfiguration": {"level": _LEVELS[worst.severity]},
        "properties": properties,
    }


def _result(
    results: Results, report: GateReport, index: int, told: Sequence[Finding]
) -> dict[str, Any]:
    worst = told[0]
    lines = [line for one in told for line in (one.title, *evidence_lines(one.evidence))]
    found: dict[str, Any] = {
        "ruleId": worst.id,
        "ruleIndex": index,
        # Only what calls for an action fails.
        "kind": "informational" if worst.severity == "info" else "fail",
        "level": _LEVELS[worst.severity],
        "message": {"text": _message("\n".join(lines))},
        "locations": [_location(results)],
        "partialFingerprints": {"faceleakFinding/v1": _fingerprint(results, worst.id)},
        "properties": {"severity": worst.severity, "evidence": _evidence(told)},
    }
    entry = report.ignored.accepted.get(worst.id)
    if entry is not None:
        why = f"{entry.reason} (accepted until {entry.expires})"
        found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return found


def _location(results: Results) -> dict[str, Any]:
    name = results.target if results.store is None else results.store.name
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": RESULTS_NAME},
            "region": {"startLine": 1},
        },
        "logicalLocations": [{"name": name or results.title, "kind": "resource"}],
    }


def _fingerprint(results: Results, rule: str) -> str:
    """The same for the same rule on the same inputs, whatever the numbers are."""
    store = "" if results.store is None else results.store.sha256
    inputs = sorted(results.provenance.inputs.items())
    text = json.dumps([rule, results.target, store, inputs])
    return hashlib.sha256(text.encode()).hexdigest()


def _evidence(told: Sequence[Finding]) -> dict[str, Any]:
    return {
        name: value.model_dump(exclude_none=True)
        if isinstance(value, Measured)
        else {"notMeasured": value.not_measured}
        for one in told
        for name, value in one.evidence.items()
    }


def _message(text: str) -> str:
    """Text in which nothing is a placeholder (``{0}``) or a link (``[text](target)``)."""
    return text.replace("{", "{{").replace("}", "}}").replace("](", "] (")
