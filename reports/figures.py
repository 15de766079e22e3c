"""The figures of a report, drawn from results alone.

Each function returns a ``matplotlib.figure.Figure`` (pyplot and its global state are never used);
:func:`reports.theme.svg_text` turns it into SVG. Nothing is measured here: what is drawn stands in
results.json. Rates are drawn in percent, scores in the judge's own units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch
from numpy.typing import NDArray

from reports.results import AttackResult, DetCurve, Estimate, Landmarks, Measured, ScoreHistogram
from reports.theme import AMBER, BLUE, CARD, GREY, INK, MUTED, RED, SERIES, TEAL, VIOLET, styled
from reports.words import number

WIDTH = 4.1  # inches; narrow, so that the text stays readable on a phone
_MAX_POINTS = 240
MAX_HISTOGRAMS = 5  # attacks beside the photographs, so that the figure stays below 60 kB
_MAX_STEPS = 1000  # of all outlines of a figure; beyond it bins are drawn two by two
_MAX_PANELS = 7
# The outline of the 68 points: (first, last, closed).
_OUTLINE: Final = (
    (0, 16, False),  # jaw
    (17, 21, False),  # brows
    (22, 26, False),
    (27, 30, False),  # bridge and base of the nose
    (31, 35, False),
    (36, 41, True),  # eyes
    (42, 47, True),
    (48, 59, True),  # lips, outer and inner
    (60, 67, True),
)
_DET_TICKS: Final = (1e-4, 1e-3, 1e-2, 0.1, 1.0)
_DET_RANGE: Final = (5e-5, 1.0)
_DASHES: Final = ("-", "--", "-.", ":")


def short(name: str, limit: int = 24) -> str:
    """The name, cut with an ellipsis where it is too long for a figure."""
    return name if len(name) <= limit else name[: limit - 1] + "…"


def score_histogram(
    histogram: ScoreHistogram, *, attacks: Sequence[str], similarity: str
) -> Figure:
    """One judge's scores: genuine and different people on top, then a panel for each attack.

    The dotted line is the threshold that is customary with this judge, where there is one; beside
    the Type-I scores it is Figure 14 of paper 001.
    """
    shown = [name for name in attacks if name in histogram.attacks][:MAX_HISTOGRAMS]
    with styled():
        figure, panels = _stack(len(shown) + 1, panel=0.78, left=0.035)
        outlines = 2 * (len(shown) + 1) * (len(histogram.edges) - 1)
        bins = _Bins(np.asarray(histogram.edges), -(-outlines // _MAX_STEPS))
        _steps(panels[0], bins, histogram.non_mated, GREY, "different people")
        _steps(panels[0], bins, histogram.mated, TEAL, "same person")
        panels[0].set_title("photographs", loc="left")
        if histogram.customary is not None:
            for axes in panels:
                label = f"customary, {number(histogram.customary)}" if axes is panels[0] else None
                axes.axvline(histogram.customary, color=VIOLET, linestyle=(0, (1, 1)), label=label)
        for axes, name in zip(panels[1:], shown, strict=True):
            scores = histogram.attacks[name]
            _steps(axes, bins, scores.type1, RED, "Type-I")
            _steps(axes, bins, scores.type2, AMBER, "Type-II")
            axes.set_title(short(name, 40), loc="left")
        for axes in panels:
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            if axes in panels[:2]:  # what the colours mean is the same in all that follow
                axes.legend(loc="upper left", handlelength=1.0, borderaxespad=0.1, labelspacing=0.2)
            _thresholds(axes, histogram, labels=axes is panels[0])
        panels[-1].set_xlabel(similarity)
        return figure


def det_curves(curves: Mapping[str, DetCurve]) -> Figure:
    """Missed matches against false matches of every judge, both axes logarithmic."""
    with styled():
        figure = Figure(figsize=(WIDTH, 3.4))
        axes = figure.add_axes((0.17, 0.15, 0.79, 0.81))
        for i, (name, curve) in enumerate(curves.items()):
            pairs = zip(curve.fmr, curve.fnmr, strict=True)
            inside = np.array([(x, y) for x, y in pairs if x > 0 and y > 0]).reshape(-1, 2)
            axes.plot(
                _thin(inside[:, 0]),
                _thin(inside[:, 1]),
                color=SERIES[i % len(SERIES)],
                linestyle=_DASHES[i % len(_DASHES)],
                label=short(name),
            )
        axes.set(xscale="log", yscale="log", xlim=_DET_RANGE, ylim=_DET_RANGE)
        axes.set(xlabel="FMR (strangers accepted)", ylabel="FNMR (right person refused)")
        labels = [f"{100 * tick:g} %" for tick in _DET_TICKS]
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks(_DET_TICKS, labels)
            axis.set_ticks([], minor=True)
        axes.plot(_DET_RANGE, _DET_RANGE, color=GREY, linewidth=0.7, linestyle=(0, (2, 3)))
        axes.legend(loc="lower left")
        return figure


def sar_bars(
    attacks: Sequence[AttackResult], *, judge: str, fmr: str, genuine: str = "photograph"
) -> Figure:
    """Success rates at one judge: attacks, then controls, each with its 95 % interval; the diamond
    is what ``genuine`` reaches."""
    rows = [a for a in attacks if judge in a.judges]
    with styled():
        figure = Figure(figsize=(WIDTH, 0.86 + 0.4 * len(rows)))
        height = figure.get_figheight()
        axes = figure.add_axes((0.34, 0.42 / height, 0.61, 1 - 0.82 / height))
        for place, row in enumerate(rows):
            result, colour = row.judges[judge], GREY if row.control else RED
            _bar(axes, place - 0.17, result.type1.get(fmr), colour, 1.0)
            _bar(axes, place + 0.17, result.type2.get(fmr), colour, 0.5)
            reference = result.type2_reference.get(fmr)
            if isinstance(reference, Measured):
                axes.plot(100 * reference.value, place, marker="D", markersize=4, color=TEAL)
        axes.set_yticks(range(len(rows)), [_row_label(row) for row in rows])
        axes.set(xlim=(0, 100), ylim=(len(rows) - 0.4, -0.6), xlabel="accepted, %")
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        figure.legend(
            handles=[
                Patch(color=RED, label="Type-I"),
                Patch(color=RED, alpha=0.5, label="Type-II"),
                Patch(color=GREY, label="control"),
                Line2D([], [], color=TEAL, marker="D", linestyle="", label=genuine),
            ],
            loc="upper right",
            ncols=4,
            handlelength=1.0,
            columnspacing=0.9,
            bbox_to_anchor=(0.97, 1.0),
        )
        return figure


def landmark_map(landmarks: Landmarks) -> Figure:
    """The mean face; the radius of each circle is that point's root mean squared error in pixels.

    Needs both ``per_point`` and ``mean_shape``.
    """
    shape = np.asarray(landmarks.mean_shape)  # [68, 2], x to the right and y down
    radius = np.sqrt(np.asarray(landmarks.per_point))
    low, high = shape.min(axis=0) - radius.max() - 4, shape.max(axis=0) + radius.max() + 4
    with styled():
        figure = Figure(figsize=(WIDTH, WIDTH * (high - low)[1] / (high - low)[0]))
        axes = figure.add_axes((0, 0, 1, 1))
        for first, last, closed in _OUTLINE:
            line = shape[[*range(first, last + 1), *([first] if closed else [])]]
            axes.plot(line[:, 0], line[:, 1], color=MUTED, linewidth=1.0)
        for point, size in zip(shape, radius, strict=True):
            # As an artist: as a patch each would widen limits that are set below, which is slow.
            axes.add_artist(Circle((point[0], point[1]), size, facecolor=RED, alpha=0.28))
        axes.scatter(shape[:, 0], shape[:, 1], s=3, color=INK, zorder=3)
        axes.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]), aspect="equal")
        axes.axis("off")
        return figure


def training_curves(curves: Mapping[str, Sequence[float]]) -> Figure:
    """One panel for each recorded quantity: they differ in scale and often in length."""
    names = list(curves)[:_MAX_PANELS]
    with styled():
        figure, panels = _stack(len(names), panel=0.95, left=0.13, share=False)
        for axes, name in zip(panels, names, strict=True):
            values = np.asarray(curves[name], dtype=float)
            steps = np.arange(1.0, len(values) + 1)
            marker = "o" if len(values) == 1 else ""
            axes.plot(_thin(steps), _thin(values), color=BLUE, marker=marker, markersize=3)
            if len(values) and values.min() > 0 and values.max() > 30 * values.min():
                axes.set_yscale("log")
                axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
                axes.yaxis.set_minor_formatter(lambda *_: "")
            axes.locator_params(axis="x", integer=True)
            axes.set_title(short(name, 40), loc="left")
        panels[-1].set_xlabel("recorded step")
        return figure


def _stack(n: int, *, panel: float, left: float, share: bool = True) -> tuple[Figure, list[Axes]]:
    gap, bottom, top = (0.24 if share else 0.42), 0.42, 0.26
    height = bottom + top + n * panel + (n - 1) * gap
    figure = Figure(figsize=(WIDTH, height))
    panels: list[Axes] = []
    for i in range(n):
        y = height - top - (i + 1) * panel - i * gap
        axes = figure.add_axes(
            (left, y / height, 0.965 - left, panel / height),
            sharex=panels[0] if share and panels else None,
        )
        if share and i < n - 1:
            axes.tick_params(labelbottom=False)
        panels.append(axes)
    return figure, panels


class _Bins(NamedTuple):
    """The bins of a histogram, of which ``step`` neighbours are drawn as one."""

    edges: NDArray[np.float64]
    step: int

    @property
    def drawn(self) -> NDArray[np.float64]:
        """Every ``step``-th edge, and the last one."""
        return np.append(self.edges[: -1 : self.step], self.edges[-1])

    def merged(self, shares: Sequence[float]) -> NDArray[np.float64]:
        """The shares of the bins that are drawn."""
        places = np.arange(0, len(shares), self.step)
        summed: NDArray[np.float64] = np.add.reduceat(np.asarray(shares, dtype=float), places)
        return summed


def _steps(axes: Axes, bins: _Bins, shares: Sequence[float], colour: str, label: str) -> None:
    total = sum(shares)
    if total == 0:
        return
    edges = bins.drawn
    density = bins.merged(shares) / (total * np.diff(edges))
    used = np.flatnonzero(density)
    part = slice(used[0], used[-1] + 1)
    where = edges[used[0] : used[-1] + 2]
    face = to_rgba(colour, 0.3)  # one outline for both: a second one doubles the file
    axes.stairs(
        density[part],
        where,
        fill=True,
        facecolor=face,
        edgecolor=colour,
        label=label,
        linewidth=1.1,
    )


def _thresholds(axes: Axes, histogram: ScoreHistogram, *, labels: bool) -> None:
    found = [(t, key) for key, t in histogram.thresholds.items() if isinstance(t, float)]
    found.sort()
    for threshold, _ in found:
        axes.axvline(threshold, color=INK, linewidth=0.9, linestyle=(0, (3, 2)))
    if not labels or not found:
        return
    # The lines may lie close together, so the outer two are labelled, each on its free side.
    _label_threshold(axes, found[0], side="right" if len(found) > 1 else "left")
    if len(found) > 1:
        _label_threshold(axes, found[-1], side="left")


def _label_threshold(axes: Axes, found: tuple[float, str], *, side: str) -> None:
    axes.annotate(
        f"FMR {100 * float(found[1]):g} %",
        (found[0], 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-2 if side == "right" else 2, 3),
        textcoords="offset points",
        ha=side,
        fontsize=7.5,
        color=MUTED,
    )


def _row_label(row: AttackResult) -> str:
    return short(row.attack) + ("\n(not working)" if row.not_working else "")


def _bar(axes: Axes, place: float, value: Estimate | None, colour: str, alpha: float) -> None:
    if not isinstance(value, Measured):
        axes.text(1, place, "not measured", va="center", fontsize=7, color=MUTED, style="italic")
        return
    axes.barh(place, 100 * value.value, height=0.3, color=colour, alpha=alpha)
    if value.low is not None and value.high is not None:
        ends = (100 * value.low, 100 * value.high)
        axes.plot(ends, (place, place), color=CARD, linewidth=3.0, solid_capstyle="butt")
        axes.plot(ends, (place, place), color=INK, linewidth=1.1, solid_capstyle="butt")


def _thin(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=float)
    if len(array) <= _MAX_POINTS:
        return array
    kept: NDArray[np.float64] = array[np.linspace(0, len(array) - 1, _MAX_POINTS).astype(int)]
    return kept
