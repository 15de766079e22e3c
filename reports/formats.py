"""What a run can be written as: one table of names, files and writers.

``json`` is none of them: results.json is the run itself and always there. ``parquet`` cannot be
written from results.json, only by the audit; here it is looked for. Writers are imported when they
are called, so that a command line can list the names at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from reports.gates import GateReport
    from reports.results import Results

SCORES = "scores.parquet"
"""One row a reconstruction and judge, under pseudonyms; written by the audit."""

JSON = "json"


class Format(NamedTuple):
    """A file of the run folder, how it is written there, and what it is.

    ``write`` is told the run, the path, and whether photographed people are shown unblurred.
    """

    file: str
    write: Callable[[Path, Path, bool], object]
    what: str


def _html(run: Path, path: Path, reveal: bool) -> None:
    from reports.html import render_report

    render_report(run, reveal=reveal)


def _csv(run: Path, path: Path, reveal: bool) -> None:
    from reports.exports import write_csv

    write_csv(_load(run), path)


def _junit(run: Path, path: Path, reveal: bool) -> None:
    _gated("junit", run, path)


def _sarif(run: Path, path: Path, reveal: bool) -> None:
    _gated("sarif", run, path)


def _markdown(run: Path, path: Path, reveal: bool) -> None:
    _gated("markdown", run, path)


def _scores(run: Path, path: Path, reveal: bool) -> None:
    from reports.score_files import find_scores

    find_scores(run)


def _scores_csv(run: Path, path: Path, reveal: bool) -> None:
    from reports.score_files import find_scores, write_scores_csv

    write_scores_csv(find_scores(run), path)


FORMATS: dict[str, Format] = {
    "html": Format("report.html", _html, "the page"),
    "csv": Format("results.csv", _csv, "every rate, a row each"),
    "junit": Format("junit.xml", _junit, "findings as test cases"),
    "sarif": Format("results.sarif", _sarif, "findings as SARIF 2.1.0"),
    "markdown": Format("summary.md", _markdown, "a summary for a pull request"),
    "parquet": Format(SCORES, _scores, "the score of every reconstruction"),
    "scores-csv": Format("scores.csv", _scores_csv, "the same as CSV"),
}

OF_SCORES = ("parquet", "scores-csv")
"""Formats for which the audit keeps :data:`SCORES`."""

RENDERED = tuple(form.file for form in FORMATS.values())
"""Every file that a format may have left in a run folder."""


def known_format(name: str) -> str:
    """The name itself. Raises ValueError, listing what there is."""
    if name not in FORMATS and name != JSON:
        raise ValueError(f"unknown format '{name}'; known: {', '.join([*FORMATS, JSON])}")
    return name


def keeps_scores(formats: Collection[str]) -> bool:
    """Whether an audit that writes these formats keeps the scores of every reconstruction."""
    return any(name in formats for name in OF_SCORES)


def write_format(name: str, run: Path, *, reveal: bool = False) -> Path:
    """Write one format of a finished run into its folder, and return the file.

    Raises:
        ResultsError: results.json cannot be read, or the run kept no scores.
        OSError: the file cannot be written.
    """
    form = FORMATS[name]
    path = run / form.file
    form.write(run, path, reveal)
    return path


def write_formats(run: Path, wanted: Collection[str], *, reveal: bool = False) -> None:
    """Write the formats wanted, and remove the files of the others: they may tell of earlier
    results. A run without an attack has no scores to write."""
    there = (run / SCORES).is_file()
    kept = SCORES if keeps_scores(wanted) else ""
    for name, form in FORMATS.items():
        if name in wanted and (there or name not in OF_SCORES):
            write_format(name, run, reveal=reveal)
        elif form.file != kept:
            (run / form.file).unlink(missing_ok=True)


def write_gated(name: str, run: Path, report: GateReport, path: Path) -> None:
    """Write ``junit``, ``sarif`` or ``markdown`` with the gates and the accepted findings.

    Raises:
        ResultsError, OSError: as :func:`write_format`.
    """
    from reports.files import write_private

    content = _as_bytes(name, _load(run), report)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        path.write_bytes(content)  # such as /dev/stdout: not to be replaced
    else:
        write_private(path, content)


def _gated(name: str, run: Path, path: Path) -> None:
    from reports.files import write_private
    from reports.gates import plain_report

    results = _load(run)
    write_private(path, _as_bytes(name, results, plain_report(results)))


def _as_bytes(name: str, results: Results, report: GateReport) -> bytes:
    if name == "junit":
        from reports.junit import junit_xml

        return junit_xml(results, report)
    if name == "sarif":
        from reports.sarif import sarif_json

        return sarif_json(results, report)
    from reports.markdown import summary

    return summary(results, report).encode()


def _load(run: Path) -> Results:
    from reports.results import load_results

    return load_results(run)
