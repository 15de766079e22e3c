"""report.html: one self-contained page, rendered from a run's results.json and its pictures.

No script, no link to anything outside the file (a Content-Security-Policy says so to the browser),
every text escaped. Nothing is measured here.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from reports import charts, tables
from reports.about import about_context
from reports.compare_page import compare_context
from reports.compliance import compliance_context
from reports.cost import cost_table
from reports.files import write_private
from reports.gallery import build_gallery
from reports.headline import MEANING, top_of
from reports.likeness_tables import glossary, likeness_tables
from reports.more_tables import extension_tables
from reports.results import (
    RESULTS_NAME,
    Estimate,
    Finding,
    Measured,
    Results,
    is_comparison,
    is_stress,
    load_results,
)
from reports.search import search_sentences, search_tables
from reports.store_tables import store_context
from reports.stress_page import stress_context
from reports.words import fmr_label, interval, main

REPORT_NAME = "report.html"
_TEMPLATE = "report.html.j2"
_COMPARISON = "compare.html.j2"
_STRESS = "stress.html.j2"
_STYLE = "style.css"


def render_report(run: Path, *, reveal: bool = False) -> Path:
    """Write ``run/report.html`` (0600, in one step) and return its path.

    Pictures of people are blurred unless ``reveal`` is set or the results say that the people are
    generated. Raises ResultsError where results.json cannot be read, OSError where the page cannot
    be written.
    """
    results = load_results(run / RESULTS_NAME)
    target = run / REPORT_NAME
    write_private(target, render_page(results, run, reveal=reveal).encode())
    return target


def render_page(results: Results, run: Path, *, reveal: bool = False) -> str:
    """The page as text; ``run`` is where the relative paths of the pictures start."""
    context = _shared(results) | about_context(results, run)
    if results.compare is not None and is_comparison(results):
        name, own = _COMPARISON, compare_context(results.compare)
    elif is_stress(results):
        name, own = _STRESS, stress_context(results, run, reveal=reveal)
    else:
        name, own = _TEMPLATE, _context(results, run, reveal=reveal)
    return _environment().get_template(name).render(context | own)


def _environment() -> Environment:
    # By extension, autoescaping would miss a name that ends in .j2.
    return Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _read(name: str) -> str:
    return files("templates").joinpath(name).read_text(encoding="utf-8")


def _shared(results: Results) -> dict[str, Any]:
    """What every page has."""
    faces = results.faces
    return {
        "results": results,
        "style": Markup(_read(_STYLE)),
        "created": results.created[:16].replace("T", " "),
        "meaning": MEANING,
        "backbones": tables.backbone_table(results),
        "accuracy": tables.accuracy_table(results),
        "faces_tables": []
        if faces is None
        else [tables.split_table(faces), tables.faces_table(faces)],
        "face_notes": [] if faces is None else faces.notes,
        "provenance": tables.provenance_table(results),
        **compliance_context(results),
    }


def _context(results: Results, run: Path, *, reveal: bool) -> dict[str, Any]:
    gallery = build_gallery(results, run, reveal=reveal)
    return {
        "top": top_of(results),
        "findings": [_finding(finding) for finding in results.findings],
        "sar_tables": [tables.sar_table(results, judge) for judge in tables.judges_of(results)],
        "sar_charts": list(charts.sar_charts(results)),
        "attempts": tables.attempts_table(results),
        "gallery": gallery,
        "sample_fmr": ", ".join(fmr_label(key) for key in gallery.fmrs),
        "histograms": list(charts.histogram_charts(results)),
        "det": list(charts.det_charts(results)),
        "landmarks": list(charts.landmark_charts(results)),
        "training": list(charts.training_charts(results)),
        "cost": cost_table(results),
        "ranks": tables.rank_table(results),
        "likeness": likeness_tables(results),
        "glossary": glossary(results),
        "search": search_tables(results.search, charts.display_fmr(results)),
        "search_says": search_sentences(results.search, charts.display_fmr(results)),
        "extensions": extension_tables(results),
        **store_context(results),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    evidence = [(name, *_told(value)) for name, value in finding.evidence.items()]
    return {"finding": finding, "evidence": evidence}


def _told(value: Estimate) -> tuple[str, str]:
    """A number of a finding and what stands behind it: rates have an interval, counts have none."""
    if not isinstance(value, Measured):
        return "not measured", value.not_measured
    spread = interval(value)
    if not spread:
        return main(value, "number"), ""
    return main(value, "rate"), spread
