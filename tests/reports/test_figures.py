from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle, StepPatch

from reports import figures
from reports.results import DetCurve, NotMeasured
from reports.theme import svg_text
from tests.reports import factory


def all_figures() -> dict[str, Figure]:
    document = factory.results()
    return {
        "histogram": figures.score_histogram(
            document.histograms["dlib"], attacks=["linear", "control:mean"], similarity="score"
        ),
        "det": figures.det_curves(document.det),
        "sar": figures.sar_bars(document.attacks, judge="dlib", fmr="1e-3"),
        "landmarks": figures.landmark_map(document.attacks[1].landmarks),
        "training": figures.training_curves(document.curves["landmark-texture"]),
    }


@pytest.mark.parametrize("name", sorted(all_figures()))
def test_svg_is_well_formed_themed_and_the_same_every_time(name: str) -> None:
    one, two = (svg_text(all_figures()[name], name) for _ in range(2))
    assert one == two
    assert ET.fromstring(one).tag.endswith("svg")
    assert "var(--" in one
    assert not re.search(r"#0[1-9a]0[1-9a]0[1-9a]\b", one)  # no marker colour is left
    assert "<dc:date>" not in one
    assert "<script" not in one
    assert set(re.findall(r"https?://[^\"' ]+", one)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_ids_of_two_figures_do_not_meet() -> None:
    figure = all_figures()["sar"]
    ids = [set(re.findall(r' id="([^"]+)"', svg_text(figure, name))) for name in ("a", "b")]
    assert ids[0]
    assert ids[0].isdisjoint(ids[1])


def test_references_of_a_figure_point_into_it() -> None:
    for name, figure in all_figures().items():
        svg = svg_text(figure, name)
        used = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", svg))
        assert used <= set(re.findall(r' id="([^"]+)"', svg))


def test_bars_have_the_length_of_the_rates() -> None:
    document = factory.results()
    axes = figures.sar_bars(document.attacks, judge="dlib", fmr="1e-2").axes[0]
    widths = [p.get_width() for p in axes.patches if isinstance(p, Rectangle)]
    expected = []
    for attack in document.attacks:
        judge = attack.judges["dlib"]
        for value in (judge.type1["1e-2"], judge.type2["1e-2"]):
            assert not isinstance(value, NotMeasured)
            expected.append(100 * value.value)
    assert widths == pytest.approx(expected)


def test_what_was_not_measured_has_words_and_no_bar() -> None:
    document = factory.results()
    axes = figures.sar_bars(document.attacks, judge="dlib", fmr="1e-4").axes[0]
    assert not axes.patches
    assert [text.get_text() for text in axes.texts] == ["not measured"] * 2 * len(document.attacks)


def test_histograms_keep_their_area_and_their_thresholds() -> None:
    figure = all_figures()["histogram"]
    assert len(figure.axes) == 3  # photographs and the two attacks that were asked for
    for axes in figure.axes:
        outlines = [p for p in axes.patches if isinstance(p, StepPatch)]
        assert outlines
        for patch in outlines:
            data = patch.get_data()
            assert np.sum(data.values * np.diff(data.edges)) == pytest.approx(1.0)
        lines = sorted(float(np.asarray(line.get_xdata())[0]) for line in axes.lines)
        assert lines == [-0.66, -0.6, -0.55]  # the third threshold was not measured
    legends = [axes.get_legend() for axes in figure.axes]
    words = [t.get_text() for legend in legends if legend for t in legend.get_texts()]
    assert words.count("customary, \u22120.55") == 1  # the last line, and said once


def test_many_histograms_are_drawn_with_fewer_bins_and_the_same_area() -> None:
    full = factory.histogram(0.0)
    names = [f"attack-{i}" for i in range(5)]
    crowded = full.model_copy(update={"attacks": dict.fromkeys(names, full.attacks["linear"])})
    figure = figures.score_histogram(crowded, attacks=names, similarity="score")
    patches = [p for axes in figure.axes for p in axes.patches if isinstance(p, StepPatch)]
    assert len(patches) == 12
    for patch in patches:
        data = patch.get_data()
        assert len(data.values) <= 60
        assert np.sum(data.values * np.diff(data.edges)) == pytest.approx(1.0)


@pytest.mark.parametrize(("n", "step"), [(9, 4), (10, 3), (7, 7), (5, 9), (6, 1)])
def test_bins_drawn_as_one_lose_nothing(n: int, step: int) -> None:
    bins = figures._Bins(np.arange(n + 1.0), step)
    merged = bins.merged([1.0] * n)
    assert merged == pytest.approx(np.diff(bins.drawn))
    assert merged.sum() == n


def test_without_a_customary_threshold_no_line_is_drawn_for_it() -> None:
    plain = factory.histogram(0.0).model_copy(update={"customary": None})
    figure = figures.score_histogram(plain, attacks=["linear"], similarity="score")
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]
    assert "customary" not in svg_text(figure, "h")


def test_a_bar_of_an_attack_that_does_not_work_says_so() -> None:
    axes = figures.sar_bars(factory.attacks(), judge="dlib", fmr="1e-2").axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[:3] == ["linear", "landmark-texture\n(not working)", "control:mean"]


def test_circles_have_the_root_of_the_mean_squared_error_as_radius() -> None:
    marks = factory.landmarks()
    axes = figures.landmark_map(marks).axes[0]
    circles = [p for p in axes.patches if isinstance(p, Circle)]
    assert [c.get_radius() ** 2 for c in circles] == pytest.approx(marks.per_point)
    centres = np.array([c.get_center() for c in circles])
    assert centres == pytest.approx(np.array(marks.mean_shape))
    top, bottom = axes.get_ylim()[1], axes.get_ylim()[0]
    assert top < bottom  # y grows downwards, as in pictures


def test_det_axes_are_logarithmic_and_hold_the_curve_as_it_is() -> None:
    # A power law, FNMR = 1e-5 / FMR, is a straight line of slope -1 on logarithmic axes.
    fmr = np.logspace(-4, -1, 40)
    curve = DetCurve(fmr=[0.0, *fmr.tolist()], fnmr=[1.0, *(1e-5 / fmr).tolist()])
    axes = figures.det_curves({"power": curve}).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    x, y = (np.asarray(values) for values in axes.lines[0].get_data())
    assert len(x) == 40  # what is 0 lies at infinity
    assert np.diff(np.log(y)) / np.diff(np.log(x)) == pytest.approx(np.full(39, -1.0))


@pytest.mark.parametrize("name", ["a$b$c", factory.HOSTILE, "x --> <b>", "m" * 90])
def test_names_are_drawn_as_they_are(name: str) -> None:
    figure = figures.sar_bars([factory.attack(name, 0.4)], judge="dlib", fmr="1e-3")
    svg = svg_text(figure, name)
    texts = [element.text for element in ET.fromstring(svg).iter() if element.tag.endswith("text")]
    assert figures.short(name) in texts
    assert "<script" not in svg
    assert "<b>" not in svg


def test_a_curve_of_one_point_and_an_empty_histogram_can_be_drawn() -> None:
    svg_text(figures.training_curves({"loss": [1.0]}), "t")
    empty = factory.histogram(0.0).model_copy(update={"mated": [], "attacks": {}})
    svg_text(figures.score_histogram(empty, attacks=[], similarity="score"), "h")
