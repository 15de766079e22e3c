"""The page of an audit: what its template is given, in the order of its sections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reports import charts, rate_charts, tables
from reports.basis import display_fmr
from reports.cost import cost_table
from reports.gallery import build_gallery
from reports.headline import top_of
from reports.likeness_tables import glossary, likeness_tables
from reports.more_tables import extension_tables
from reports.protection_page import protection_view
from reports.results import Results
from reports.search import search_sentences, search_tables
from reports.store_tables import store_context
from reports.words import Table, fmr_label


def report_context(results: Results, run: Path, *, reveal: bool) -> dict[str, Any]:
    """What ``report.html.j2`` needs beside what every page has."""
    fmr = display_fmr(results)
    gallery = build_gallery(results, run, reveal=reveal)
    judges = tables.judges_of(results)
    return {
        "top": top_of(results),
        "shown_fmr": fmr_label(fmr) if fmr else "",
        "sar_tables": [tables.sar_table(results, judge, only=fmr) for judge in judges],
        "every_fmr": _every_fmr(results, judges),
        "sar_charts": list(charts.sar_charts(results)),
        "rates": list(rate_charts.rate_charts(results)),
        "transfer": list(rate_charts.transfer_charts(results)),
        "attempts": tables.attempts_table(results),
        "gallery": gallery,
        "sample_fmr": ", ".join(fmr_label(key) for key in gallery.fmrs),
        "histograms": list(charts.histogram_charts(results)),
        "det": list(charts.det_charts(results)),
        "bars": list(rate_charts.likeness_charts(results)),
        "landmarks": list(charts.landmark_charts(results)),
        "training": list(charts.training_charts(results)),
        "cost": cost_table(results),
        "ranks": tables.rank_table(results),
        "likeness": likeness_tables(results),
        "glossary": glossary(results),
        "search": search_tables(results.search, fmr),
        "search_says": search_sentences(results.search, fmr),
        "stressed": bool(results.stress or results.protections),
        "extensions": extension_tables(results),
        "protection": protection_view(results, run, reveal=reveal),
        **store_context(results),
    }


def _every_fmr(results: Results, judges: list[str]) -> list[Table]:
    """The full tables, unless one FMR is all there is."""
    keys = {k for a in results.attacks for judge in a.judges.values() for k in judge.type1}
    return [tables.sar_table(results, judge) for judge in judges] if len(keys) > 1 else []
