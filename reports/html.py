"""report.html: one self-contained page, rendered from a run's results.json and its pictures.

No script, no link to anything outside the file (a Content-Security-Policy says so to the browser),
every text escaped. Nothing is measured here.
"""

from __future__ import annotations

import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from reports import method_tables, tables
from reports.about import about_context
from reports.compare_page import compare_context
from reports.compliance import compliance_context
from reports.files import write_private
from reports.finding_words import finding_context
from reports.headline import MEANING
from reports.pdf import PDF_NAME, write_pdf
from reports.protection_page import protection_context
from reports.report_page import report_context
from reports.results import (
    RESULTS_NAME,
    Results,
    is_comparison,
    is_protection,
    is_stress,
    load_results,
)
from reports.stress_page import stress_context

REPORT_NAME = "report.html"
_TEMPLATE = "report.html.j2"
_COMPARISON = "compare.html.j2"
_STRESS = "stress.html.j2"
_PROTECTION = "protection.html.j2"
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


def render_pdf(run: Path, browser: str, *, reveal: bool = False) -> Path:
    """Write ``run/report.pdf``, the page printed by ``browser``, and return its path.

    The page is rendered anew, so that what is printed is what ``reveal`` asks for.
    """
    text = render_page(load_results(run / RESULTS_NAME), run, reveal=reveal)
    with tempfile.TemporaryDirectory(prefix="faceleak-page-") as folder:
        page = Path(folder, REPORT_NAME)
        write_private(page, text.encode())
        return write_pdf(page, run / PDF_NAME, browser)


def render_page(results: Results, run: Path, *, reveal: bool = False) -> str:
    """The page as text; ``run`` is where the relative paths of the pictures start."""
    context = _shared(results) | about_context(results, run)
    if results.compare is not None and is_comparison(results):
        name, own = _COMPARISON, compare_context(results.compare)
    elif is_stress(results):
        name, own = _STRESS, stress_context(results, run, reveal=reveal)
    elif is_protection(results):
        name, own = _PROTECTION, protection_context(results, run, reveal=reveal)
    else:
        name, own = _TEMPLATE, report_context(results, run, reveal=reveal)
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
        **finding_context(results),
        "backbones": tables.backbone_table(results),
        "accuracy": tables.accuracy_table(results),
        "faces_tables": []
        if faces is None
        else [tables.split_table(faces), tables.faces_table(faces)],
        "face_notes": [] if faces is None else faces.notes,
        "grading": method_tables.grading_table(results),
        "provenance": method_tables.provenance_table(results),
        **compliance_context(results),
    }
