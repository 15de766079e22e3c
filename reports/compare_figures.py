"""The figures of a comparison: accuracy against leakage, the matrix, the formats of templates.

As in :mod:`reports.figures`, each function returns a ``Figure`` and measures nothing. Rates are
drawn in percent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from reports.figures import WIDTH, short
from reports.point_names import Span, name_points
from reports.results import CompareCell, CompareRow, Estimate, FormatRow, Measured
from reports.theme import GREY, INK, MUTED, RED, SERIES, TEAL, styled
from reports.words import percent

_LETTER = 0.075  # inches, of one letter of a label; wide, as fonts of readers differ
_BEST = "best \u2198"
_OWN = (0, (2, 1.2))  # dashes of the frame of an own model
CROWDED = 6  # judges above which a map takes the width of the page
_DARKEST = 0.62  # share of red in a cell of 100 %, at which ink is still readable on it


def drawable(row: CompareRow, fmr: str) -> tuple[Measured, Measured] | None:
    """Accuracy and leakage of a row, where both were measured."""
    x, y = row.tmr.get(fmr), row.headline
    return (x, y) if isinstance(x, Measured) and isinstance(y, Measured) else None


def trade_off(rows: Sequence[CompareRow], *, fmr: str, judge: str) -> Figure:
    """Accuracy to the right, leakage upwards, a point with both intervals for each row."""
    drawn = [(row, found) for row in rows if (found := drawable(row, fmr)) is not None]
    with styled():
        figure = Figure(figsize=(WIDTH, 3.5), dpi=72)  # so that display units are points
        axes = figure.add_axes((0.135, 0.135, 0.825, 0.835))
        for i, (_, (x, y)) in enumerate(drawn):
            colour = SERIES[i % len(SERIES)]
            across, up = _ends(x), _ends(y)
            axes.plot(across, [100 * y.value] * 2, color=colour, linewidth=1.2)
            axes.plot([100 * x.value] * 2, up, color=colour, linewidth=1.2)
            axes.plot(100 * x.value, 100 * y.value, "o", color=colour, markersize=6)
        axes.set(xlim=_range([_ends(x) for _, (x, _) in drawn]))
        axes.set(ylim=_range([_ends(y) for _, (_, y) in drawn]))
        at = f"FMR {100 * float(fmr):g} %"
        axes.set_xlabel(f"recognises the right person at {at} (TMR), %")
        by = short(judge) if judge else "each row's own judge"
        axes.set_ylabel(f"rebuilt faces accepted by {by}, %")
        axes.text(0.985, 0.02, _BEST, transform=axes.transAxes, ha="right", color=TEAL)
        _name_points(axes, [(row.name, found) for row, found in drawn])
        return figure


def matrix_map(
    cells: Sequence[CompareCell], *, judges: Sequence[str], own: Sequence[str], rates: str, fmr: str
) -> Figure:
    """Template sources downwards, judges across; redder is more leakage.

    ``rates`` is ``type1`` or ``type2``; ``own`` holds, for each cell, the judge that is the
    attacked model. A place without a cell, or whose rate was not measured, is hatched.
    """
    lines = matrix_lines(cells)
    width = 2 * WIDTH if len(judges) > CROWDED else WIDTH
    rise = _LETTER * 0.72 * max((len(short(judge)) for judge in judges), default=1) + 0.1
    left = 0.12 + _LETTER * max((len(_line_name(line, lines)) for line in lines), default=1)
    right = max(0.08, rise - (width - left) / max(len(judges), 1) / 2)
    below, height = 0.36, 0.4 * max(len(lines), 1)
    with styled():
        figure = Figure(figsize=(width, rise + below + height))
        tall = figure.get_figheight()
        axes = figure.add_axes(
            (left / width, below / tall, 1 - (left + right) / width, height / tall)
        )
        axes.set(xlim=(-0.5, len(judges) - 0.5), ylim=(len(lines) - 0.5, -0.5))
        found = {
            (cell.source, cell.attack, cell.judge): (cell, itself == cell.judge)
            for cell, itself in zip(cells, own, strict=True)
        }
        for y, line in enumerate(lines):
            for x, judge in enumerate(judges):
                _square(axes, x, y, found.get((*line, judge)), rates, fmr)
        axes.set_yticks(range(len(lines)), [_line_name(line, lines) for line in lines])
        axes.set_xticks(range(len(judges)), [short(judge) for judge in judges])
        axes.tick_params(axis="both", length=0, colors=INK)
        axes.tick_params(axis="x", labeltop=True, labelbottom=False)
        for label in axes.get_xticklabels():
            label.set(rotation=45, ha="left", va="bottom", rotation_mode="anchor")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        _map_legend(figure)
        return figure


def matrix_lines(cells: Sequence[CompareCell]) -> list[tuple[str, str]]:
    """The rows of the matrix: source and attack, in their order."""
    return list(dict.fromkeys((cell.source, cell.attack) for cell in cells))


def format_dots(rows: Sequence[FormatRow], *, fmr: str) -> Figure:
    """One backbone's templates as they are, shorter and coarser: a line of the figure for each,
    recognition (TMR) beside leakage (Type-I)."""
    with styled():
        figure = Figure(figsize=(WIDTH, 0.82 + 0.3 * len(rows)))
        tall = figure.get_figheight()
        left = 0.16 + 0.068 * max((len(short(row.form, 28)) for row in rows), default=1)
        axes = figure.add_axes((left / WIDTH, 0.42 / tall, 0.96 - left / WIDTH, 1 - 0.74 / tall))
        for place, row in enumerate(rows):
            _dot(axes, place - 0.13, row.tmr.get(fmr), TEAL, "D")
            _dot(axes, place + 0.13, row.type1.get(fmr), RED, "o")
        axes.set_yticks(range(len(rows)), [short(row.form, 28) for row in rows])
        axes.set(xlim=(-2, 102), ylim=(len(rows) - 0.5, -0.5), xlabel="%")
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        marks = ((TEAL, "D", "recognises the person (TMR)"), (RED, "o", "rebuilt face accepted"))
        figure.legend(
            handles=[
                Line2D([], [], color=colour, marker=marker, markersize=5, linestyle="", label=words)
                for colour, marker, words in marks
            ],
            loc="upper right",
            ncols=2,
            handlelength=1.0,
            columnspacing=1.0,
            bbox_to_anchor=(0.98, 1.0),
        )
        return figure


def _ends(value: Measured) -> tuple[float, float]:
    """The interval in percent; the value alone without one."""
    low = value.value if value.low is None else value.low
    high = value.value if value.high is None else value.high
    return 100 * low, 100 * high


def _range(spans: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The part of 0 to 100 % that holds all intervals, with room around them."""
    if not spans:
        return -4.0, 104.0
    low, high = min(a for a, _ in spans), max(b for _, b in spans)
    room = max(0.18 * (high - low), 4.0)
    return max(low - room, -4.0), min(high + room, 104.0)


def _name_points(axes: Axes, drawn: Sequence[tuple[str, tuple[Measured, Measured]]]) -> None:
    """Names beside the points, off their intervals and off the corner that is best."""
    points = np.array([[100 * x.value, 100 * y.value] for _, (x, y) in drawn])
    lines: list[Span] = [(_ends(x), (100 * y.value,) * 2) for _, (x, y) in drawn]
    lines += [((100 * x.value,) * 2, _ends(y)) for _, (x, y) in drawn]
    frame = np.asarray(axes.get_window_extent().extents)
    best = np.array([[frame[2] - 30, frame[1], frame[2], frame[1] + 14]])
    name_points(axes, [name for name, _ in drawn], points, lines, best)


def _square(
    axes: Axes, x: int, y: int, found: tuple[CompareCell, bool] | None, rates: str, fmr: str
) -> None:
    value: Estimate | None = None if found is None else getattr(found[0], rates).get(fmr)
    place = axes.add_patch(Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, linewidth=0))
    if not isinstance(value, Measured):
        place.set(facecolor="none", edgecolor=GREY, hatch="////")
    else:
        place.set(facecolor=RED, alpha=0.04 + _DARKEST * value.value)
        axes.text(x, y, percent(value.value, unit=False), ha="center", va="center")
    if found is not None and (found[1] or found[0].unseen):
        edge, line, width = (INK, _OWN, 1.0) if found[1] else (TEAL, "-", 1.6)
        frame = Rectangle((x - 0.44, y - 0.41), 0.88, 0.82, fill=False, edgecolor=edge)
        frame.set(linestyle=line, linewidth=width)
        axes.add_patch(frame)


def _map_legend(figure: Figure) -> None:
    figure.legend(
        handles=[
            Patch(facecolor="none", edgecolor=TEAL, linewidth=1.6, label="unseen judge"),
            Patch(facecolor="none", edgecolor=INK, linestyle=_OWN, label="the attacked model"),
            Patch(facecolor="none", edgecolor=GREY, hatch="/////", lw=0, label="not measured"),
        ],
        loc="lower right",
        ncols=3,
        handlelength=1.3,
        columnspacing=1.0,
        bbox_to_anchor=(1.0, 0.0),
    )


def _line_name(line: tuple[str, str], lines: Sequence[tuple[str, str]]) -> str:
    """The source, and the attack where several were tried on it."""
    source, attack = line
    several = sum(other == source for other, _ in lines) > 1
    return short(f"{source}, {attack}" if several else source)


def _dot(axes: Axes, y: float, value: Estimate | None, colour: str, marker: str) -> None:
    if not isinstance(value, Measured):
        axes.text(0, y, "not measured", va="center", fontsize=7, color=MUTED, style="italic")
        return
    axes.plot(_ends(value), (y, y), color=colour, linewidth=1.4)
    axes.plot(100 * value.value, y, color=colour, marker=marker, markersize=4.5)
