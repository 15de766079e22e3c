from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from reports import compare_figures as figures
from reports.label_places import place_labels
from reports.results import Measured
from reports.theme import svg_text
from tests.reports import compare_factory as made
from tests.reports.factory import FEW, HOSTILE, rate


def heat_map(**changes: object) -> Figure:
    cells = made.comparison().matrix
    fields = {"judges": made.JUDGES, "own": [cell.source for cell in cells], "rates": "type1"}
    return figures.matrix_map(cells, **(fields | {"fmr": "1e-3"} | changes))


def all_figures() -> dict[str, Figure]:
    rows = made.comparison().rows
    return {
        "trade-off": figures.trade_off(rows, fmr="1e-3", judge=made.JUDGE),
        "map": heat_map(),
        "formats": figures.format_dots(made.formats("dlib"), fmr="1e-3"),
    }


@pytest.mark.parametrize("name", sorted(all_figures()))
def test_svg_is_well_formed_themed_and_the_same_every_time(name: str) -> None:
    one, two = (svg_text(all_figures()[name], name) for _ in range(2))
    assert one == two
    assert ET.fromstring(one).tag.endswith("svg")
    assert "var(--" in one
    assert not re.search(r"#0[1-9a]0[1-9a]0[1-9a]\b", one)  # no marker colour is left
    used = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", one))
    assert used <= set(re.findall(r' id="([^"]+)"', one))


def test_points_stand_at_accuracy_and_leakage_with_both_intervals() -> None:
    axes = all_figures()["trade-off"].axes[0]
    drawn = [np.column_stack(line.get_data()) for line in axes.lines]
    points = np.array([xy[0] for xy in drawn if len(xy) == 1])
    expected = [(made.ACCURACY[name], made.HEADLINE[name]) for name in made.NAMES]
    assert points == pytest.approx(100 * np.array(expected))
    across, up = drawn[0], drawn[1]
    assert across == pytest.approx(np.array([[93.2, 41.2], [99.2, 41.2]]))
    assert up == pytest.approx(np.array([[96.2, 38.2], [96.2, 44.2]]))
    for xy in drawn:  # nothing is cut off
        assert (xy[:, 0] >= axes.get_xlim()[0]).all()
        assert (xy[:, 0] <= axes.get_xlim()[1]).all()
        assert (xy[:, 1] <= axes.get_ylim()[1]).all()


def test_a_row_without_a_number_is_not_drawn() -> None:
    rows = [
        made.row("dlib"),
        made.row("lbp", tmr={"1e-3": FEW}),
        made.row("eigenfaces", headline=FEW),
    ]
    axes = figures.trade_off(rows, fmr="1e-3", judge="").axes[0]
    assert [t.get_text() for t in axes.texts] == ["best \u2198", "dlib"]
    assert "each row's own judge" in axes.get_ylabel()


def boxes_of(figure: Figure) -> list[tuple[float, float, float, float]]:
    found = [t.get_window_extent().extents for t in figure.axes[0].texts]
    return [tuple(box) for box in found]


def overlaps(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    return wide > 0.01 and high > 0.01


@pytest.mark.parametrize("spread", [0.0, 0.001, 0.01, 0.2])
def test_names_do_not_cover_each_other_even_at_one_point(spread: float) -> None:
    base = made.row("dlib")
    rows = []
    for i in range(8):
        x, y = rate(0.9 - spread * i / 8), rate(0.4 + spread * ((5 * i) % 8) / 8)
        changes = {"name": f"a long backbone {i}", "tmr": {"1e-3": x}, "headline": y}
        rows.append(base.model_copy(update=changes))
    figure = figures.trade_off(rows, fmr="1e-3", judge="j")
    boxes = boxes_of(figure)
    assert len(boxes) == 9
    frame = figure.axes[0].get_window_extent().extents
    for i, box in enumerate(boxes):
        assert not any(overlaps(box, other) for other in boxes[:i])
        assert box[0] >= frame[0] - 1
        assert box[2] <= frame[2] + 1


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 230), st.floats(0, 190), st.floats(10, 90)), min_size=1, max_size=8
    )
)
def test_labels_keep_their_size_and_stay_apart_and_inside(
    points: list[tuple[float, float, float]],
) -> None:
    where = np.array([(x, y) for x, y, _ in points])
    sizes = np.array([(w, 10.0) for _, _, w in points])
    frame = np.array([0.0, 0.0, 230.0, 190.0])
    places = place_labels(where, sizes, frame, np.concatenate([where - 3, where + 3], axis=1))
    assert places[:, 2:] - places[:, :2] == pytest.approx(sizes)
    assert (places[:, :2] >= frame[:2] - 0.01).all()
    assert (places[:, 2:] <= frame[2:] + 0.01).all()
    for i, box in enumerate(places):
        assert not any(overlaps(tuple(box), tuple(other)) for other in places[:i])


def test_a_lonely_label_stands_right_beside_its_point() -> None:
    place = place_labels(
        np.array([[50.0, 50.0]]),
        np.array([[30.0, 10.0]]),
        np.array([0.0, 0.0, 200.0, 100.0]),
        np.array([[47.0, 47.0, 53.0, 53.0]]),
    )[0]
    assert place == pytest.approx([55.0, 45.0, 85.0, 55.0])


def texts_in(figure: Figure) -> dict[tuple[float, float], str]:
    return {text.get_position(): text.get_text() for text in figure.axes[0].texts}


def test_every_cell_holds_its_number_and_is_redder_for_more() -> None:
    figure = heat_map()
    texts = texts_in(figure)
    for y, source in enumerate(made.NAMES):
        for x, judge in enumerate(made.JUDGES):
            value = made.cell(source, judge).type1["1e-3"]
            if isinstance(value, Measured):
                assert float(texts[x, y]) == pytest.approx(100 * value.value, abs=0.051)
    assert len(texts) == 4 * 5 - 1
    filled = [p for p in figure.axes[0].patches if isinstance(p, Rectangle) and p.get_alpha()]
    assert len(filled) == len(texts)
    by_number = sorted((float(texts[centre(p)]), float(p.get_alpha() or 0)) for p in filled)
    assert [a for _, a in by_number] == sorted(a for _, a in by_number)


def centre(patch: Rectangle) -> tuple[int, int]:
    x, y = patch.get_xy()
    return round(x + patch.get_width() / 2), round(y + patch.get_height() / 2)


def kinds(figure: Figure) -> tuple[set[tuple[int, int]], ...]:
    """Places that are hatched, framed with dashes, framed with a line."""
    patches = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    frames = [p for p in patches if not p.get_fill()]
    hatched = {centre(p) for p in patches if p.get_hatch()}
    solid = {centre(p) for p in frames if p.get_linestyle() in ("-", "solid")}
    return hatched, {centre(p) for p in frames} - solid, solid


def test_own_unseen_and_missing_cells_can_be_told_apart() -> None:
    hatched, own, unseen = kinds(heat_map())
    assert hatched == {(1, 2)}
    assert own == {(0, 0), (1, 1), (2, 2), (3, 3)}
    assert unseen == {
        (4, 0),
        (4, 1),
        (4, 2),
        (4, 3),
        (1, 0),
        (0, 1),
        (0, 2),
        (1, 2),
        (0, 3),
        (1, 3),
    }


def test_a_place_without_a_cell_and_an_fmr_without_a_rate_are_hatched() -> None:
    cells = made.comparison().matrix[1:]
    hatched, own, _ = kinds(
        figures.matrix_map(
            cells, judges=made.JUDGES, own=[c.source for c in cells], rates="type2", fmr="1e-3"
        )
    )
    assert hatched == {(0, 0), (1, 2)}
    assert (0, 0) not in own
    assert len(kinds(heat_map(fmr="1e-4"))[0]) == 20


def test_two_attacks_on_one_source_are_two_lines() -> None:
    cells = [made.cell("dlib", "lbp"), made.cell("dlib", "lbp").model_copy(update={"attack": "x"})]
    figure = figures.matrix_map(cells, judges=["lbp"], own=["dlib"] * 2, rates="type1", fmr="1e-3")
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert labels == ["dlib, appearance", "dlib, x"]


@pytest.mark.parametrize("more", [0, 9])
def test_names_of_judges_stay_inside_the_figure_and_numbers_apart(more: int) -> None:
    long = ["a backbone of great length", "b" * 40, "m", *(f"insightface:{i}" for i in range(more))]
    cells = [made.cell("dlib", "lbp").model_copy(update={"judge": judge}) for judge in long]
    figure = figures.matrix_map(
        cells, judges=long, own=["dlib"] * len(long), rates="type1", fmr="1e-3"
    )
    figure.draw_without_rendering()
    wide, high = figure.bbox.width, figure.bbox.height
    labels: list[Text] = [*figure.axes[0].get_xticklabels(), *figure.axes[0].get_yticklabels()]
    for label in labels:
        box = label.get_window_extent()
        assert box.x0 >= 0, label.get_text()
        assert box.x1 <= wide, label.get_text()
        assert box.y1 <= high, label.get_text()
    numbers = boxes_of(figure)
    assert len(numbers) == len(long)
    assert not any(overlaps(a, b) for a, b in combinations(numbers, 2))


def test_formats_show_accuracy_and_leakage_line_by_line() -> None:
    rows = made.formats("dlib")
    rows[1] = rows[1].model_copy(update={"type1": {"1e-3": FEW}})
    axes = figures.format_dots(rows, fmr="1e-3").axes[0]
    dots = {
        (line.get_marker(), round(float(np.asarray(line.get_ydata())[0]))): float(
            np.asarray(line.get_xdata())[0]
        )
        for line in axes.lines
        if line.get_marker() in ("D", "o")
    }
    for place, row in enumerate(rows):
        for marker, rates in (("D", row.tmr), ("o", row.type1)):
            value = rates["1e-3"]
            if isinstance(value, Measured):
                assert dots.pop((marker, place)) == pytest.approx(100 * value.value)
    assert not dots
    assert [t.get_text() for t in axes.texts] == ["not measured"]
    assert [t.get_text() for t in axes.get_yticklabels()] == [row.form for row in rows]


def test_hostile_names_are_drawn_as_they_are() -> None:
    rows = [made.row("dlib", name=HOSTILE), made.row("lbp", name="a$b$c")]
    svg = svg_text(figures.trade_off(rows, fmr="1e-3", judge=HOSTILE), HOSTILE)
    assert "<script" not in svg
    assert "a$b$c" in [e.text for e in ET.fromstring(svg).iter() if e.tag.endswith("text")]
