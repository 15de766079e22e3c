from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from audit.stress.console import show_stress
from audit.stress.findings import stress_findings
from audit.stress.rules import load_rules
from reports.results import STRESS_FAMILIES, Results
from reports.stress_families import FAMILIES
from reports.stress_words import told_of
from tests.reports import stress_factory as made


def shown(results: Results, page: Path | None = None) -> str:
    text = io.StringIO()
    show_stress(results, page, Console(file=text, width=80, highlight=False))
    return text.getvalue()


def test_every_family_has_its_three_sentences_a_table_and_the_report_stands_last() -> None:
    rows = made.rows()
    results = made.document(rows, findings=stress_findings(rows, load_rules()))
    text = shown(results, Path("runs/x/report.html"))
    flat = " ".join(text.split())
    places = [flat.index(FAMILIES[family].title) for family in STRESS_FAMILIES]
    assert places == sorted(places)
    for family in STRESS_FAMILIES:
        for finding in told_of(results, family):
            assert " ".join(finding.title.replace("\u00a0", " ").split()) in flat.replace(
                "\u00a0", " "
            )
    assert max(map(len, text.splitlines())) <= 80
    assert "judge arcface not measured: weights arcface missing" in text
    assert text.endswith("report: runs/x/report.html\n")


def test_the_table_has_sar_and_tmr_of_every_backbone() -> None:
    lines = shown(made.document(made.quality())).splitlines()
    (blur,) = [line for line in lines if line.startswith("blur, sigma 6 px")]
    # 0.62 and 0.55 of the clean faces, 0.98 of them found; four tenths and half are left.
    assert blur.split()[-4:] == ["24.3", "47.0", "21.6", "47.0"]
    (clean,) = [line for line in lines if line.startswith("clean")]
    assert clean.split()[-4:] == ["60.8", "94.0", "53.9", "94.0"]


def test_without_rows_of_a_family_or_numbers_there_is_no_table() -> None:
    text = shown(made.document([made.row("invariance")]))
    assert FAMILIES["invariance"].title in text
    assert "FMR" not in text
    assert FAMILIES["damage"].title not in text
    assert "report:" not in text
