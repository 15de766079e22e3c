"""The figures of a stress run, drawn from rows alone.

As in :mod:`reports.figures`, each function returns a ``Figure`` and measures nothing. Rates are
drawn in percent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse, Rectangle

from reports.figures import WIDTH, short
from reports.results import Estimate, Measured, StressCurve, StressMap
from reports.theme import GREY, INK, MUTED, RED, SERIES, styled

_LEGEND_ROW = 0.17  # inches
# The canonical crop: eye centres, nose tip and mouth corners, as shares of its side.
_EYES: Final = ((84.5 / 224, 100 / 224), (139.5 / 224, 100 / 224))
_NOSE: Final = (112 / 224, 130.4 / 224)
_MOUTH: Final = ((87.2 / 224, 160.7 / 224), (137 / 224, 160.9 / 224))
_DARKEST: Final = 0.85


@dataclass(frozen=True)
class Series:
    """One line: strengths to the right, estimates upwards; what was not measured is left out."""

    words: str
    points: Sequence[tuple[float, Estimate | None]]
    colour: str
    dash: str = "-"
    level: Estimate | None = None  # of the clean row, where it has no strength

    @property
    def drawn(self) -> list[tuple[float, Measured]]:
        """The points that were measured, from left to right."""
        found = [(x, v) for x, v in self.points if isinstance(v, Measured)]
        return sorted(found, key=lambda point: point[0])


@dataclass(frozen=True)
class Plot:
    """One panel of lines."""

    axis: str
    series: Sequence[Series]
    title: str = ""
    log: bool = False
    scale: float = 100.0  # of values: percent for rates
    ylabel: str = "accepted, %"
    ticks: Sequence[float] = field(default_factory=tuple)


def curves(plots: Sequence[Plot]) -> Figure:
    """Panels below each other, a line with its intervals for each series."""
    legends = [-(-len(_named(plot)) // 2) for plot in plots]
    heights = [
        1.75 + _LEGEND_ROW * rows + (0.2 if plot.title else 0.05)
        for rows, plot in zip(legends, plots, strict=True)
    ]
    tall = sum(heights) + 0.5 * len(plots)
    with styled():
        figure = Figure(figsize=(WIDTH, tall))
        top = tall
        for plot, height, rows in zip(plots, heights, legends, strict=True):
            head = _LEGEND_ROW * rows + (0.2 if plot.title else 0.05)
            axes = figure.add_axes((0.13, (top - height) / tall, 0.83, (height - head) / tall))
            _panel(axes, plot)
            if _named(plot):
                axes.legend(
                    handles=_named(plot),
                    loc="lower left",
                    bbox_to_anchor=(-0.13, 1.0),
                    ncols=2,
                    borderaxespad=0.1,
                    handlelength=1.8,
                    columnspacing=1.0,
                    labelspacing=0.25,
                )
            if plot.title:
                figure.text(0.01, (top - 0.13) / tall, plot.title, fontsize=9, color=INK)
            top -= height + 0.5
        return figure


def bars(
    conditions: Sequence[str],
    accepted: Mapping[str, Sequence[Estimate | None]],
    recognised: Mapping[str, Sequence[Estimate | None]],
) -> Figure:
    """A group of bars for each condition, one for each backbone; the diamond is how often the
    backbone still recognises the person. Both by backbone, in the order of the conditions."""
    names = list(accepted)
    step = 0.15 * max(len(names), 1) + 0.12
    with styled():
        figure = Figure(figsize=(WIDTH, 0.86 + step * len(conditions)))
        tall = figure.get_figheight()
        left = 0.16 + 0.062 * max((len(short(words, 30)) for words in conditions), default=1)
        axes = figure.add_axes((left / WIDTH, 0.42 / tall, 0.96 - left / WIDTH, 1 - 0.82 / tall))
        share = 0.8 / max(len(names), 1)
        for i, name in enumerate(names):
            colour = SERIES[i % len(SERIES)]
            for place in range(len(conditions)):
                y = place - 0.4 + (i + 0.5) * share
                _bar(axes, y, share, accepted[name][place], colour)
                found = recognised[name][place]
                if isinstance(found, Measured):
                    axes.plot(
                        100 * found.value, y, "D", color=colour, markersize=3.2, mec=INK, mew=0.5
                    )
        axes.set_yticks(range(len(conditions)), [short(words, 30) for words in conditions])
        axes.set(xlim=(0, 102), ylim=(len(conditions) - 0.4, -0.6), xlabel="%")
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        handles = [
            Line2D([], [], color=SERIES[i % len(SERIES)], linewidth=5, label=short(name, 18))
            for i, name in enumerate(names)
        ]
        handles.append(
            Line2D(
                [],
                [],
                color=GREY,
                marker="D",
                mec=INK,
                mew=0.5,
                markersize=4,
                linestyle="",
                label="TMR",
            )
        )
        figure.legend(
            handles=handles,
            loc="upper right",
            ncols=len(handles),
            handlelength=1.0,
            columnspacing=0.9,
            bbox_to_anchor=(0.98, 1.0),
        )
        return figure


def dots(labels: Sequence[str], values: Mapping[str, Sequence[Estimate | None]]) -> Figure:
    """Numbers of one scale with their intervals, a line of the figure for each, by backbone; the
    upright line is 0."""
    with styled():
        figure = Figure(figsize=(WIDTH, 0.8 + 0.34 * len(labels)))
        tall = figure.get_figheight()
        left = 0.16 + 0.064 * max((len(short(words, 30)) for words in labels), default=1)
        axes = figure.add_axes((left / WIDTH, 0.3 / tall, 0.96 - left / WIDTH, 1 - 0.62 / tall))
        axes.axvline(0, color=GREY, linewidth=0.8)
        for i, (name, found) in enumerate(values.items()):
            colour = SERIES[i % len(SERIES)]
            axes.plot([], [], "o", color=colour, markersize=4, label=short(name))
            for place, value in enumerate(found):
                y = place + 0.22 * (i - (len(values) - 1) / 2)
                if not isinstance(value, Measured):
                    continue
                if value.low is not None and value.high is not None:
                    axes.plot((value.low, value.high), (y, y), color=colour, linewidth=1.3)
                axes.plot(value.value, y, "o", color=colour, markersize=4)
        axes.set_yticks(range(len(labels)), [short(words, 30) for words in labels])
        axes.set(ylim=(len(labels) - 0.5, -0.5))
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        figure.legend(loc="upper right", ncols=len(values), bbox_to_anchor=(0.98, 1.0))
        return figure


def sensitivity(maps: Mapping[str, StressMap]) -> Figure:
    """Where a template looks: the redder a place, the more it moves when that place is covered;
    over the outline of an aligned face. One map for each backbone, each on its own scale."""
    with styled():
        wide = WIDTH if len(maps) < 3 else WIDTH * len(maps) / 2
        side = (wide - 0.1 * (len(maps) + 1)) / max(len(maps), 2)
        figure = Figure(figsize=(wide, side + 0.5))
        tall = side + 0.5
        for i, (name, found) in enumerate(maps.items()):
            left = 0.1 + i * (side + 0.1)
            axes = figure.add_axes((left / wide, 0.26 / tall, side / wide, side / tall))
            values = np.asarray(found.values, dtype=float)
            _heat(axes, values)
            _outline(axes)
            axes.set_title(short(name), loc="left")
            scale = f"{values.min():.3g} (white) to {values.max():.3g} (red)"
            axes.text(
                0, -0.04, scale, transform=axes.transAxes, va="top", fontsize=7.5, color=MUTED
            )
        return figure


def roc(curves_by_backbone: Mapping[str, Sequence[StressCurve]]) -> Figure:
    """Right persons accepted against strangers accepted, a panel for each backbone."""
    names = list(curves_by_backbone)
    tall = 2.55 * len(names) + 0.1
    with styled():
        figure = Figure(figsize=(WIDTH, tall))
        for i, name in enumerate(names):
            bottom = tall - 2.55 * (i + 1) + 0.5
            axes = figure.add_axes((0.13, bottom / tall, 0.83, 1.75 / tall))
            for j, curve in enumerate(curves_by_backbone[name]):
                decoded = "decoded" in curve.name
                axes.plot(
                    np.maximum(curve.fmr, 1e-5),
                    100 * np.asarray(curve.tmr),
                    color=SERIES[(j // 2) % len(SERIES)],
                    linestyle="--" if decoded else "-",
                    label=short(curve.name, 30),
                )
            axes.set(xscale="log", xlim=(1e-4, 1), ylim=(-2, 102))
            axes.set_xticks([1e-4, 1e-3, 1e-2, 1e-1, 1], ["0.01", "0.1", "1", "10", "100"])
            axes.minorticks_off()
            axes.set_xlabel("strangers accepted (FMR), %")
            axes.set_ylabel("right persons accepted, %")
            axes.set_title(short(name), loc="left")
            axes.legend(loc="best", handlelength=1.8, labelspacing=0.2)
        return figure


def _named(plot: Plot) -> list[Line2D]:
    return [
        Line2D(
            [],
            [],
            color=s.colour,
            linestyle=cast(Any, s.dash),
            marker="o",
            markersize=3,
            label=s.words,
        )
        for s in plot.series
        if s.drawn
    ]


def _panel(axes: Axes, plot: Plot) -> None:
    for series in plot.series:
        drawn = series.drawn
        if not drawn:
            continue
        x = [at for at, _ in drawn]
        y = [plot.scale * value.value for _, value in drawn]
        axes.plot(x, y, color=series.colour, linestyle=series.dash, marker="o", markersize=3)
        ends = [
            (
                value.value if value.low is None else value.low,
                value.value if value.high is None else value.high,
            )
            for _, value in drawn
        ]
        low, high = (plot.scale * np.asarray([e[k] for e in ends]) for k in (0, 1))
        axes.fill_between(x, low, high, color=series.colour, alpha=0.15, linewidth=0)
        axes.vlines(x, low, high, color=series.colour, linewidth=0.8)
        if isinstance(series.level, Measured):
            axes.axhline(
                plot.scale * series.level.value,
                color=series.colour,
                linewidth=0.7,
                linestyle=(0, (1, 3)),
            )
    if plot.log:
        axes.set_xscale("log")
        axes.minorticks_off()
    if plot.ticks:
        axes.set_xticks(list(plot.ticks), [f"{tick:g}" for tick in plot.ticks])
    if plot.scale == 100.0:
        axes.set_ylim(-2, 102)
    axes.set_xlabel(plot.axis)
    axes.set_ylabel(plot.ylabel)


def _bar(axes: Axes, y: float, height: float, value: Estimate | None, colour: str) -> None:
    if not isinstance(value, Measured):
        axes.text(1, y, "not measured", va="center", fontsize=6, color=MUTED, style="italic")
        return
    axes.barh(y, 100 * value.value, height=0.85 * height, color=colour, alpha=0.75)
    if value.low is not None and value.high is not None:
        axes.plot(
            (100 * value.low, 100 * value.high),
            (y, y),
            color=INK,
            linewidth=0.9,
            solid_capstyle="butt",
        )


def _heat(axes: Axes, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    low, high = float(values.min()), float(values.max())
    rows, columns = values.shape
    for y in range(rows):
        for x in range(columns):
            share = (values[y, x] - low) / (high - low) if high > low else 0.0
            square = Rectangle((x / columns, y / rows), 1 / columns, 1 / rows, linewidth=0)
            square.set(facecolor=RED, alpha=round(_DARKEST * share, 3))
            axes.add_patch(square)
    axes.set(xlim=(0, 1), ylim=(1, 0), aspect="equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set(visible=True, color=GREY)


def _outline(axes: Axes) -> None:
    """Eyes, nose, mouth and the edge of an aligned face."""
    line: dict[str, Any] = {"fill": False, "edgecolor": INK, "linewidth": 0.8, "alpha": 0.75}
    for x, y in _EYES:
        axes.add_patch(Ellipse((x, y), 0.12, 0.05, **line))
        axes.add_patch(Ellipse((x, y), 0.035, 0.035, **line))
    (left, y), (right, _) = _MOUTH
    axes.add_patch(Ellipse(((left + right) / 2, y), right - left, 0.07, **line))
    axes.plot(
        [0.5, 0.5, 0.46],
        [_EYES[0][1], _NOSE[1], _NOSE[1] + 0.015],
        color=INK,
        linewidth=0.8,
        alpha=0.75,
    )
    axes.add_patch(Ellipse((0.5, 0.53), 0.64, 0.86, **line))
