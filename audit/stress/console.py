"""What ``faceleak stress`` prints, laid out for 80 columns."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from reports.results import Results


def show_stress(results: Results, page: Path | None, console: Console) -> None:
    """The findings, and where the report lies."""
    console.print()
    for finding in results.findings:
        console.print(finding.title, markup=False)
    if page is not None:
        console.print(f"\nreport: {page}", markup=False, soft_wrap=True)
