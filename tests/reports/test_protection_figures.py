from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from reports import protection_charts
from reports import protection_figures as figures
from reports.protection_charts import linkage_charts, recognised, trade_off_charts
from reports.protection_figures import Borders, Spot
from reports.protection_words import KNOWN
from reports.results import Knowledge, Linkage, Measured, ProtectionLimits
from reports.theme import svg_text
from tests.reports import protection_factory as made
from tests.reports.factory import HOSTILE, rate
from tests.reports.test_compare_figures import overlaps

MOST = 60_000  # bytes, of one figure
ALL: tuple[Knowledge, ...] = ("nothing", "scheme", "one-key", "key", "all-keys")


def crowd(n: int = 20) -> list[Spot]:
    """Many schemes that recognise about equally well, each with five attackers."""
    found = [Spot("unprotected", rate(0.93), {"nothing": rate(0.62)}, protects=False)]
    for i in range(n):
        accepted = {name: rate(min(0.95, 0.01 + 0.2 * j + 0.004 * i)) for j, name in enumerate(ALL)}
        found.append(Spot(f"a scheme of some length, {i}", rate(0.80 + 0.009 * i), accepted))
    return found


def drawn(spots: list[Spot], borders: Borders | None = None) -> Figure:
    return figures.trade_off(spots, borders or Borders(5.0, 90.0), known=KNOWN, fmr="1e-3")


def test_points_stand_at_recognition_and_accepted_faces_with_their_intervals() -> None:
    spot = Spot("x", rate(0.9, 9, 0.02), {"scheme": rate(0.1, 9, 0.04), "key": rate(0.6, 9, 0.05)})
    other = Spot("y", rate(0.5, 9, 0.01), {"key": Measured(value=0.2, n=9)})
    axes = drawn([spot, other], Borders()).axes[0]
    points, spans = [], []
    for line in axes.lines:
        xy = np.column_stack(line.get_data())
        if line.get_marker() != "None":
            points += xy.tolist()
        elif np.isnan(xy).any():
            spans += [xy[i : i + 2].tolist() for i in range(0, len(xy), 3)]
    assert np.allclose(sorted(points), [[50, 20], [90, 10], [90, 60]])
    wanted = [
        *([[90, 6], [90, 14]], [[90, 55], [90, 65]], [[50, 20], [50, 20]]),
        *([[88, 60], [92, 60]], [[49, 20], [51, 20]]),
    ]
    assert np.allclose(sorted(spans), sorted(wanted))
    for low, high in (axes.get_xlim(), axes.get_ylim()):
        assert low < 0
        assert high > 100


def test_limits_are_lines_and_only_where_there_are_any() -> None:
    spot = Spot("x", rate(0.9), {"key": rate(0.6)})
    with_both = drawn([spot], Borders(5.0, 90.0)).axes[0]
    lines = [np.column_stack(line.get_data()) for line in with_both.lines[:2]]
    assert lines[0][:, 1] == pytest.approx([5, 5])
    assert lines[1][:, 0] == pytest.approx([90, 90])
    corner = with_both.patches[0].get_bbox()  # type: ignore[attr-defined]
    assert (corner.x0, corner.y1) == (90, 5)
    assert corner.x1 >= 100
    assert not drawn([spot], Borders()).axes[0].patches
    words = {text.get_text() for text in drawn([spot], Borders(5.0, None)).axes[0].texts}
    assert words == {"highest SAR", "x"}


def test_no_name_covers_another_however_crowded() -> None:
    figure = drawn(crowd())
    texts = [t for t in figure.axes[0].texts if t.get_text().startswith(("a scheme", "unprot"))]
    boxes = [tuple(text.get_window_extent().extents) for text in texts]
    assert len(boxes) == 21
    assert not [pair for pair in combinations(boxes, 2) if overlaps(*pair)]
    frame = figure.axes[0].get_window_extent()
    for box in boxes:
        assert box[0] >= frame.x0 - 1
        assert box[2] <= frame.x1 + 1


def test_the_figure_stays_small_themed_and_the_same_every_time() -> None:
    one, two = (svg_text(drawn(crowd()), "x") for _ in range(2))
    assert one == two
    assert len(one) < MOST
    assert ET.fromstring(one).tag.endswith("svg")
    assert not re.search(r"#0[1-9a]0[1-9a]0[1-9a]\b", one)


def test_the_legend_names_those_attackers_that_were_tried() -> None:
    spots = [Spot("x", rate(0.9), {"key": rate(0.6)}), *crowd(0)]
    words = [text.get_text() for text in drawn(spots).legends[0].get_texts()]
    assert words == [KNOWN["key"], "unprotected"]


@pytest.mark.parametrize("bins", [10, 20, 100, 400])
def test_panels_of_linkage_stay_small(bins: int) -> None:
    edges = np.linspace(-1, 1, bins + 1).tolist()
    rng = np.random.default_rng(0)
    share = rng.dirichlet(np.ones(bins)).tolist()
    one = Linkage(
        **made.linkage("key", 0.3, bins=bins).model_dump()
        | {"edges": edges, "mated_share": share, "non_mated_share": share[::-1], "local": share}
    )
    drawn_ones = [(f"scheme {i}", one) for i in range(figures.panels_of([one]))]
    assert len(svg_text(figures.linkage_panels(drawn_ones), "x")) < MOST


def test_only_linkage_whose_scores_were_kept_is_drawn() -> None:
    full = made.linkage("key", 0.3)
    assert figures.is_drawable(full)
    assert not figures.is_drawable(full.model_copy(update={"mated_share": []}))
    assert not figures.is_drawable(full.model_copy(update={"edges": []}))
    rows = [made.row(linkage=[full.model_copy(update={"edges": []})])]
    assert list(linkage_charts(rows, "dlib", 0)) == []


def test_one_chart_a_backbone_with_every_number_below_it() -> None:
    rows = made.rows()
    charts = list(trade_off_charts(rows, made.LIMITS))
    assert len(charts) == 2
    for chart, backbone in zip(charts, made.BACKBONES, strict=True):
        assert backbone in chart.title
        assert len(chart.svg) < MOST
        assert "at most 5.0" in chart.caption
        told = {(row[0].text, row[1].text) for row in chart.table.rows}
        assert ("BioHashing, 64 bits", KNOWN["all-keys"]) in told
        assert ("1 bit a value", "knows the scheme") in told
        assert ("unprotected", KNOWN["nothing"]) in told
        assert ("PFRNet-like split", "none") in told
        assert not any("random templates" in label for label, _ in told)
    without = next(iter(trade_off_charts(rows, None)))
    assert "Dashed" not in without.caption


def test_the_least_recognition_is_that_without_protection_less_the_loss() -> None:
    rows = [row for row in made.rows() if row.backbone == "dlib"]
    chart = next(iter(trade_off_charts(rows, ProtectionLimits(max_loss=0.03))))
    assert "a loss of TMR of at most 3.0 points" in chart.caption
    assert "upper bound of SAR of" not in chart.caption
    plain = [row for row in rows if row.scheme == "none"]
    before = recognised(plain, "1e-3")
    assert isinstance(before, Measured)
    assert before.value == pytest.approx(0.93)


def test_both_limits_reach_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Borders] = []

    def spy(spots: list[Spot], borders: Borders, **words: Any) -> Figure:
        given.append(borders)
        return figures.trade_off(spots, borders, **words)

    monkeypatch.setattr(protection_charts, "trade_off", spy)
    rows = [row for row in made.rows() if row.backbone == "dlib"]
    list(trade_off_charts(rows, ProtectionLimits(max_sar=0.04, max_loss=0.03)))
    list(trade_off_charts(rows, None))
    # What the other schemes are paired with tells it too, without rows of plain templates.
    list(trade_off_charts([r for r in rows if r.scheme != "none"], ProtectionLimits(max_loss=0.5)))
    assert given[0].accepted == pytest.approx(4.0)
    assert [b.recognised for b in given] == [pytest.approx(90.0), None, pytest.approx(43.0)]
    assert given[1] == Borders()


def test_names_keep_off_points_and_lines_where_there_is_room() -> None:
    # The nearest place of the first name lies on a mark of the second, that of the third on a line.
    spots = [
        Spot("scheme 0", rate(0.5, 9, 0.001), {"key": rate(0.6)}),
        Spot("scheme 1", rate(0.55, 9, 0.001), {"scheme": rate(0.6), "key": rate(0.8)}),
        Spot("scheme 2", rate(0.2, 9, 0.001), {"key": rate(0.33)}),
    ]
    figure = drawn(spots, Borders(33.0, 40.0))
    axes = figure.axes[0]
    names = [t for t in axes.texts if t.get_text().startswith("scheme")]
    place = axes.transData.transform
    for text in names:
        box = text.get_window_extent()
        for spot in spots:
            for value in spot.accepted.values():
                x, y = place((100 * spot.recognised.value, 100 * value.value))
                assert not (box.x0 < x < box.x1 and box.y0 < y < box.y1)
        assert not box.y0 < place((0, 33))[1] < box.y1


def test_without_a_point_there_is_no_chart() -> None:
    assert list(trade_off_charts([made.silent("dlib")], made.LIMITS)) == []
    assert list(trade_off_charts([], None)) == []


def test_names_are_texts_of_the_figure() -> None:
    chart = next(iter(trade_off_charts(made.hostile(), None)))
    assert "<script" not in chart.svg
    assert "&lt;script" in chart.svg
    assert HOSTILE in chart.alt
