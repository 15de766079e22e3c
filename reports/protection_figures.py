"""The figures of protection: recognition against rebuilt faces, and linkage score by score.

As in :mod:`reports.figures`, each function returns a ``Figure`` and measures nothing. Rates are
drawn in percent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from reports.figures import WIDTH, short
from reports.point_names import Span, name_points
from reports.results import Knowledge, Linkage, Measured
from reports.theme import AMBER, GREY, INK, MUTED, RED, TEAL, VIOLET, styled

MARKS: Final[Mapping[Knowledge, tuple[str, str]]] = {
    "nothing": (GREY, "v"),
    "scheme": (TEAL, "s"),
    "one-key": (AMBER, "^"),
    "key": (RED, "o"),
    "all-keys": (VIOLET, "D"),
}
"""Colour and marker by what the attacker knows."""
_ROOM = 3.0  # per cent of the axes beyond 0 and 100
_TALL = 4.2  # inches
_LETTERS = 36  # of a name
_REACH, _COLUMNS = 24, 3  # heights and widths of a name: the whole figure
_BYTES, _PANEL_BYTES, _BIN_BYTES = 50_000, 6000, 85  # of a figure, a panel, a bin of a panel
_PANELS = 4


@dataclass(frozen=True)
class Spot:
    """One scheme of the trade-off.

    Attributes:
        label: its name.
        recognised: TMR, to the right.
        accepted: SAR of the strongest attack of everybody who was tried, upwards.
        protects: False for templates as they are.
    """

    label: str
    recognised: Measured
    accepted: Mapping[Knowledge, Measured]
    protects: bool = True

    @property
    def top(self) -> Measured:
        """The highest of its points, which carries the name."""
        return max(self.accepted.values(), key=lambda value: value.value)


@dataclass(frozen=True)
class Borders:
    """What a scheme has to keep, in percent; None where no limit was set."""

    accepted: float | None = None
    recognised: float | None = None


def trade_off(
    spots: Sequence[Spot], borders: Borders, *, known: Mapping[Knowledge, str], fmr: str
) -> Figure:
    """Recognition to the right, accepted faces upwards: a column of points for each scheme, a mark
    for each attacker; ``known`` says what the marks mean."""
    with styled():
        figure = Figure(figsize=(2 * WIDTH, _TALL), dpi=72)  # so that display units are points
        axes = figure.add_axes((0.068, 0.105, 0.885, 0.83))
        axes.tick_params(axis="y", labelright=True)  # on a phone only this end is seen at first
        axes.set(xlim=(-_ROOM, 100 + _ROOM), ylim=(-_ROOM, 100 + _ROOM))
        at = f"FMR {100 * float(fmr):g} %"
        axes.set_xlabel(f"right persons recognised at {at}, impostors with the stolen key (TMR), %")
        axes.set_ylabel("rebuilt faces accepted, strongest attack (SAR), %")
        words = _borders(axes, borders)
        lines = [*_border_spans(borders), *_draw(axes, spots)]
        points = np.array([[100 * s.recognised.value, 100 * s.top.value] for s in spots])
        names = [spot.label for spot in spots]
        others = np.array([text.get_window_extent().extents for text in words]).reshape(-1, 4)
        keep = {"limit": _LETTERS, "reach": _REACH, "columns": _COLUMNS}
        name_points(axes, names, points.reshape(-1, 2), lines, others, **keep)
        _legend(figure, spots, known)
        return figure


def _draw(axes: Axes, spots: Sequence[Spot]) -> list[Span]:
    """The points of all schemes, what looks alike in one go, which keeps the figure small; the
    lines that names should not cover."""
    across: list[Span] = [(_ends(spot.recognised), (100 * spot.top.value,) * 2) for spot in spots]
    _segments(axes, across, GREY, 0.8)
    looks: dict[str, tuple[str, str, float]] = {n: (*look, 5.0) for n, look in MARKS.items()}
    looks[""] = (INK, "*", 10.0)  # unprotected
    lines = list(across)
    for name, (colour, marker, size) in looks.items():
        points, upright = [], []
        for spot in spots:
            x = 100 * spot.recognised.value
            for knowledge, value in spot.accepted.items():
                if (knowledge if spot.protects else "") == name:
                    points.append((x, 100 * value.value))
                    upright.append(((x, x), _ends(value)))
        if points:
            _segments(axes, upright, colour, 1.2)
            x_and_y = np.array(points).T
            axes.plot(*x_and_y, marker, color=colour, markersize=size, zorder=3, linestyle="")
        lines += [*upright, *(((x, x), (y, y)) for x, y in points)]
    return lines


def _segments(axes: Axes, spans: Sequence[Span], colour: str, width: float) -> None:
    """Many lines as one, with gaps."""
    x = [end for (low, high), _ in spans for end in (low, high, np.nan)]
    y = [end for _, (low, high) in spans for end in (low, high, np.nan)]
    axes.plot(x, y, color=colour, linewidth=width, zorder=2)


def _borders(axes: Axes, borders: Borders) -> list[Text]:
    """Dashed lines, and the corner in which both hold; the words beside the lines."""
    line: dict[str, Any] = {"color": MUTED, "linewidth": 0.9, "linestyle": (0, (4, 3))}
    words: list[Text] = []
    if borders.accepted is not None:
        axes.axhline(borders.accepted, **line)
        words.append(axes.text(-_ROOM + 0.5, borders.accepted + 0.8, "highest SAR"))
    if borders.recognised is not None:
        axes.axvline(borders.recognised, **line)
        place = (borders.recognised - 0.6, 100 + _ROOM - 1)
        words.append(axes.text(*place, "least TMR", ha="right", va="top"))
    for text in words:
        text.set(color=MUTED, fontsize=8)
    if borders.accepted is not None and borders.recognised is not None:
        low, wide = borders.recognised, 100 + _ROOM - borders.recognised
        corner = Rectangle((low, -_ROOM), wide, borders.accepted + _ROOM, linewidth=0)
        corner.set(facecolor=TEAL, alpha=0.14)
        axes.add_patch(corner)
    return words


def _border_spans(borders: Borders) -> list[Span]:
    """The same lines, for names to keep off."""
    whole = (-_ROOM, 100 + _ROOM)
    lines: list[Span] = []
    if borders.accepted is not None:
        lines.append((whole, (borders.accepted,) * 2))
    if borders.recognised is not None:
        lines.append(((borders.recognised,) * 2, whole))
    return lines


def _legend(figure: Figure, spots: Sequence[Spot], known: Mapping[Knowledge, str]) -> None:
    told = [k for k in MARKS if any(k in spot.accepted for spot in spots if spot.protects)]
    marks = [(*MARKS[k], known[k]) for k in told]
    if not all(spot.protects for spot in spots):
        marks.append((INK, "*", "unprotected"))
    figure.legend(
        handles=[
            Line2D([], [], color=colour, marker=marker, markersize=6, linestyle="", label=words)
            for colour, marker, words in marks
        ],
        loc="upper left",
        ncols=len(marks) or 1,
        handlelength=0.8,
        columnspacing=1.4,
        bbox_to_anchor=(0.055, 1.0),
    )


def _ends(value: Measured) -> tuple[float, float]:
    """The interval in percent; the value alone without one."""
    low = value.value if value.low is None else value.low
    high = value.value if value.high is None else value.high
    return 100 * low, 100 * high


def is_drawable(linkage: Linkage) -> bool:
    """Whether its scores were kept, bin by bin."""
    n = len(linkage.edges) - 1
    shares = (linkage.mated_share, linkage.non_mated_share)
    return n > 0 and all(len(share) == n for share in shares)


def panels_of(linkages: Sequence[Linkage]) -> int:
    """How many fit into one figure."""
    bins = max((len(linkage.edges) for linkage in linkages), default=1)
    return max(1, min(_PANELS, _BYTES // (_PANEL_BYTES + _BIN_BYTES * bins)))


def linkage_panels(linkages: Sequence[tuple[str, Linkage]]) -> Figure:
    """A panel for each scheme, two beside each other: scores of one person under two keys, of two
    people, and how much each score tells (D, from 0 to 1)."""
    rows = -(-len(linkages) // 2)
    tall = 1.5 * rows + 0.42
    with styled():
        figure = Figure(figsize=(2 * WIDTH, tall))
        for i, (label, linkage) in enumerate(linkages):
            left = 0.035 + 0.5 * (i % 2)
            bottom = (tall - 0.32 - 1.5 * (i // 2) - 1.18) / tall
            axes = figure.add_axes((left, bottom, 0.415, 0.92 / tall))
            edges = np.asarray(linkage.edges)
            shares = ((linkage.non_mated_share, GREY), (linkage.mated_share, TEAL))
            for share, colour in shares:
                axes.stairs(share, edges, color=colour, linewidth=1.2)
            axes.set_title(short(label, 40), loc="left")
            axes.set_yticks([])
            axes.set(xlim=(edges[0], edges[-1]), ylim=(0, None))
            axes.spines["left"].set_visible(False)
            if len(linkage.local) == len(edges) - 1:
                told = axes.twinx()
                told.stairs(linkage.local, edges, color=RED, linewidth=1.0)
                told.set(ylim=(0, 1.05))
                told.set_yticks([0, 1], ["0", "1"])
                told.grid(visible=False)
                told.spines["left"].set_visible(False)
        marks = ((TEAL, "one person, two keys"), (GREY, "two people"), (RED, "D of a score"))
        figure.legend(
            handles=[Line2D([], [], color=colour, label=words) for colour, words in marks],
            loc="upper left",
            ncols=3,
            handlelength=1.4,
            columnspacing=1.4,
            bbox_to_anchor=(0.02, 1.0),
        )
        return figure
