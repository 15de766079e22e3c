"""JUnit XML: gates and findings as test cases, for the test view of a CI system.

A gate that failed is a failure, one that was not decided an error. A finding is a failure from a
severity on: that of ``--fail-on``, or ``high`` where the file is written without gates; an accepted
one is skipped, with its reason and its day. So the file fails where ``faceleak gate`` does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree as Xml

from reports.gate_words import found_words, limit_words
from reports.gates import GateReport, grave
from reports.results import Finding, GateResult, Results
from reports.words import evidence_lines

# What XML 1.0 cannot hold at all, not even escaped.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Case(NamedTuple):
    name: str
    outcome: str  # "", failure, error or skipped
    message: str = ""
    text: str = ""


def junit_xml(results: Results, report: GateReport) -> bytes:
    """The document, UTF-8."""
    suites = {
        "gates": [_gate(gate) for gate in report.gates],
        "findings": [_finding(finding, report) for finding in results.findings],
    }
    root = Xml.Element("testsuites", {"name": _legal(f"faceleak: {results.title}")})
    everything = [case for cases in suites.values() for case in cases]
    root.attrib |= _counts(everything)
    for name, cases in suites.items():
        if not cases:
            continue
        at = {"timestamp": results.created[:19], "time": "0"}
        suite = Xml.SubElement(root, "testsuite", {"name": name, **_counts(cases), **at})
        for case in cases:
            _add(suite, name, case)
    Xml.indent(root)
    document: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _gate(gate: GateResult) -> _Case:
    message = f"{limit_words(gate)}; found {found_words(gate)}"
    outcome = {True: "", False: "failure", None: "error"}[gate.passed]
    return _Case(gate.name, outcome, message, "\n".join(filter(None, [gate.rule, gate.detail])))


def _finding(finding: Finding, report: GateReport) -> _Case:
    message = f"{finding.severity}: {finding.title}"
    entry = report.ignored.accepted.get(finding.id)
    if entry is not None:
        return _Case(
            finding.id, "skipped", f"accepted until {entry.expires}: {entry.reason}", message
        )
    bad = report.fail_on is not None and finding.severity in grave(report.fail_on)
    lines = [message, *evidence_lines(finding.evidence), finding.recommendation]
    lines += [
        f"the acceptance of this finding expired on {old.expires}"
        for old in report.ignored.expired
        if old.finding == finding.id
    ]
    return _Case(finding.id, "failure" if bad else "", message, "\n".join(filter(None, lines)))


def _counts(cases: Sequence[_Case]) -> dict[str, str]:
    kinds = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    found = {key: sum(case.outcome == kind for case in cases) for key, kind in kinds.items()}
    return {key: str(n) for key, n in {"tests": len(cases), **found}.items()}


def _add(suite: Xml.Element, name: str, case: _Case) -> None:
    at = {"classname": f"faceleak.{name}", "name": _legal(case.name), "time": "0"}
    place = Xml.SubElement(suite, "testcase", at)
    if case.outcome:
        told = {"message": _legal(case.message)}
        Xml.SubElement(place, case.outcome, told).text = _legal(case.text)
    else:
        Xml.SubElement(place, "system-out").text = _legal(f"{case.message}\n{case.text}")


def _legal(text: str) -> str:
    return _ILLEGAL.sub("?", text)
