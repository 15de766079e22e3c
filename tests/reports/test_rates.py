"""Figures of rates and likeness, and the tables of the method."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from reports import rate_charts
from reports.charts import histogram_charts, landmark_charts
from reports.method_tables import grading_table
from reports.rate_figures import BarPanel, RateLine, measure_bars, rates_over_fmr
from reports.results import AttackHistogram, Measured
from tests.reports import factory

LIMIT = 60_000  # bytes of one figure


def test_lines_hold_the_rates_and_bands_their_intervals() -> None:
    rates = {
        "1e-2": Measured(value=0.9, low=0.8, high=0.95, n=9),
        "1e-3": Measured(value=0.5, low=0.4, high=0.6, n=9),
        "1e-4": factory.FEW,
    }
    axes = rates_over_fmr([RateLine("linear", rates, "attack")]).axes[0]
    assert axes.get_xscale() == "log"
    x, y = (np.asarray(values) for values in axes.lines[0].get_data())
    assert x == pytest.approx([1e-3, 1e-2])  # what was not measured is no point
    assert y == pytest.approx([50, 90])
    corners = axes.collections[0].get_paths()[0].vertices
    assert {round(float(c)) for c in corners[:, 1]} == {40, 60, 80, 95}


def test_lines_differ_in_marker_and_dashes_and_not_in_colour_alone() -> None:
    rates = {"1e-2": factory.rate(0.9)}
    lines = [RateLine(f"attack {i}", rates, "attack") for i in range(4)]
    lines += [RateLine("p", rates, "photograph"), RateLine("c", rates, "control")]
    drawn = rates_over_fmr(lines).axes[0].lines
    assert len({line.get_marker() for line in drawn}) == len(lines)
    assert len({line.get_color() for line in drawn}) == len(lines)


def test_bars_have_the_length_of_the_values_and_an_empty_panel_says_why() -> None:
    values = [Measured(value=0.5, low=0.4, high=0.6, n=9), factory.NO_FID]
    panels = [BarPanel("SSIM", values), BarPanel("FID", [None, None], "not measured: no weights")]
    full, empty = measure_bars(["linear", "control:mean"], {"control:mean"}, panels).axes
    assert [p.get_width() for p in full.patches if isinstance(p, Rectangle)] == [0.5]
    assert " not measured" in [text.get_text() for text in full.texts]
    assert [text.get_text() for text in empty.texts] == ["not measured: no weights"]
    assert not empty.patches


def test_the_map_has_a_number_in_every_cell_and_marks_who_is_unseen() -> None:
    document = factory.results()
    (chart,) = rate_charts.transfer_charts(document)
    assert "at every judge, FMR 0.1" in chart.title
    assert [cell.text for cell in chart.table.rows[1]][1:] == ["39.2 %".replace(" ", "\u00a0")] + [
        "35.0 %".replace(" ", "\u00a0")
    ] * 2
    heads = [(head.text, head.detail) for head in chart.table.columns[1:]]  # type: ignore[union-attr]
    assert [name for name, _ in heads] == ["mobilefacenet", "eigenfaces", "dlib"]
    told = [detail.split(",")[0] for _, detail in heads]
    assert told == ["unseen", "not unseen", "the attacked model"]
    assert chart.svg.count(">39.2<") == 1


def test_a_control_is_no_attack_in_any_figure() -> None:
    document = factory.results()
    lines = list(rate_charts._lines(document, "dlib"))
    assert {line.label: line.role for line in lines} == {
        "photographs of the right person (TMR)": "photograph",
        "linear": "attack",
        "landmark-texture": "attack",
        "control:nearest": "control",
    }
    assert [chart.title for chart in landmark_charts(document)] == [
        "Landmark errors of landmark-texture"
    ]


def test_every_figure_stays_below_60_kilobytes() -> None:
    many = [factory.attack(f"attack-{i}", 0.5, landmarks=factory.landmarks()) for i in range(8)]
    bins = factory.histogram(0.0)
    wave = AttackHistogram(type1=bins.mated, type2=bins.non_mated)
    full = bins.model_copy(update={"attacks": {row.attack: wave for row in many}})
    document = factory.results(attacks=many, histograms={"dlib": full})
    charts = [
        *histogram_charts(document),
        *landmark_charts(document),
        *rate_charts.rate_charts(document),
        *rate_charts.transfer_charts(document),
        *rate_charts.likeness_charts(document),
    ]
    assert len(charts) == 1 + 8 + 3 + 1 + 1
    sizes = {chart.title: len(chart.svg.encode()) for chart in charts}
    assert max(sizes.values()) < LIMIT, sizes
    assert "Only in the table: attack-5, attack-6, attack-7." in charts[0].caption


def test_the_cut_offs_of_the_grade_are_printed_with_their_date_and_reasons() -> None:
    table = grading_table(factory.results(grading=factory.grading()))
    assert table.caption == "Cut-offs of 2026-01-01"
    assert [row[0].text for row in table.rows] == list("ABCDEF")
    assert table.rows[2][2].text == "one in five"
    assert any("may be a weak attack" in line for line in table.below)
    assert grading_table(factory.results()).rows == []


def cpu_seconds(code: str, *arguments: str) -> tuple[float, str]:
    """Of a process of its own, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, done.stdout


def test_the_command_renders_within_three_seconds_and_without_torch(tmp_path: Path) -> None:
    """Three seconds where the imports of the libraries below take 0.55 s of processor time, as they
    do on an idle core; as much more as they take more."""
    run = factory.write_run(tmp_path / "run", factory.results(samples=factory.samples(12)))
    baseline, _ = cpu_seconds("import matplotlib.figure, pydantic, PIL.Image, jinja2, typer")
    code = (
        "import sys, atexit\n"
        "bad = ('torch', 'torchvision', 'attacks', 'matplotlib.pyplot', 'scipy', 'pandas')\n"
        "atexit.register(lambda: print('loaded', [m for m in bad if m in sys.modules]))\n"
        "from audit.cli import main\n"
        "sys.argv = ['faceleak', 'report', sys.argv[1]]\n"
        "main()\n"
    )
    spent, said = cpu_seconds(code, str(run))
    assert said.splitlines()[-1] == "loaded []"
    assert (run / "report.html").is_file()
    assert spent < 3.0 * max(1.0, baseline / 0.55)
