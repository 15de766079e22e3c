"""Figures of rates and likeness: success against FMR with bands, and bars of image measures.

As in :mod:`reports.figures`, each function returns a ``Figure`` and measures nothing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures import WIDTH, short
from reports.results import ByFmr, Estimate, Measured, fmr_value
from reports.theme import AMBER, BLUE, CARD, GREY, INK, MUTED, RED, TEAL, VIOLET, styled


class _Style(NamedTuple):
    """Colour is never alone: each line has its own marker and dashes as well."""

    colour: str
    marker: str
    dashes: str


_ATTACKS: Final = (
    _Style(RED, "o", "-"),
    _Style(BLUE, "s", "--"),
    _Style(AMBER, "^", "-."),
    _Style(VIOLET, "v", ":"),
)
_ROLES: Final = {"control": _Style(GREY, "x", ":"), "photograph": _Style(TEAL, "D", "-")}
_ROW = 0.19  # inches, of one bar
_LETTERS = 58  # in a line of words across a figure


class RateLine(NamedTuple):
    """One curve: what it is, its rates by FMR, and its part in the figure."""

    label: str
    rates: ByFmr
    role: str  # attack, control or photograph


class BarPanel(NamedTuple):
    """One measure: its name with its unit, and the values of the rows."""

    title: str
    values: Sequence[Estimate | None]
    instead: str = ""  # what stands in an empty panel


def rates_over_fmr(lines: Sequence[RateLine]) -> Figure:
    """How often each is accepted, against the FMR (logarithmic), with the band of its interval."""
    attacks = [line.label for line in lines if line.role == "attack"]
    with styled():
        figure = Figure(figsize=(WIDTH, 2.95 + 0.16 * len(lines)))
        tall = figure.get_figheight()
        axes = figure.add_axes((0.125, 0.44 / tall, 0.835, 2.3 / tall))
        for line in lines:
            style = _ROLES.get(line.role)
            style = style or _ATTACKS[attacks.index(line.label) % len(_ATTACKS)]
            _curve(axes, line, style)
        keys = sorted({fmr_value(key) for line in lines for key in _measured(line.rates)})
        axes.set_xscale("log")
        axes.set_xticks(keys, [f"{100 * key:g} %" for key in keys])
        axes.set_xticks([], minor=True)
        if keys:
            axes.set_xlim(keys[0] / 1.6, keys[-1] * 1.6)
        axes.set(ylim=(-3, 103), xlabel="FMR: strangers accepted at the threshold")
        axes.set_ylabel("accepted, %")
        figure.legend(loc="upper left", bbox_to_anchor=(0.1, 1.0), handlelength=2.6)
        return figure


def measure_bars(names: Sequence[str], controls: set[str], panels: Sequence[BarPanel]) -> Figure:
    """A panel for each measure with one bar a row; an empty panel says why it is empty."""
    heights = [_ROW * (2 if panel.instead else len(names)) for panel in panels]
    gap, bottom, top = 0.45, 0.25, 0.24
    with styled():
        figure = Figure(figsize=(WIDTH, top + bottom + sum(heights) + gap * (len(panels) - 1)))
        tall, y = figure.get_figheight(), figure.get_figheight() - top
        for panel, height in zip(panels, heights, strict=True):
            y -= height
            axes = figure.add_axes((0.34, y / tall, 0.5, height / tall))
            axes.set_title(panel.title, loc="left", x=-0.66)
            if panel.instead:
                _empty(axes, panel.instead)
            else:
                _bars(axes, names, controls, panel.values)
            y -= gap
        return figure


def _measured(rates: ByFmr) -> list[str]:
    return sorted((k for k, v in rates.items() if isinstance(v, Measured)), key=fmr_value)


def _curve(axes: Axes, line: RateLine, style: _Style) -> None:
    keys = _measured(line.rates)
    found = [value for key in keys if isinstance(value := line.rates[key], Measured)]
    if not found:
        return
    x = [fmr_value(key) for key in keys]
    low = [100 * (v.value if v.low is None else v.low) for v in found]
    high = [100 * (v.value if v.high is None else v.high) for v in found]
    axes.fill_between(x, low, high, color=style.colour, alpha=0.2, linewidth=0)
    axes.plot(
        x,
        [100 * v.value for v in found],
        color=style.colour,
        marker=style.marker,
        markersize=4.5,
        linestyle=style.dashes,
        label=short(line.label, 44),
    )


def _bars(
    axes: Axes, names: Sequence[str], controls: set[str], values: Sequence[Estimate | None]
) -> None:
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        if not isinstance(value, Measured):
            axes.text(0, place, " not measured", va="center", fontsize=7, color=MUTED)
            continue
        axes.barh(place, value.value, height=0.62, color=GREY if name in controls else RED)
        if value.low is not None and value.high is not None:
            ends = (value.low, value.high)
            axes.plot(ends, (place, place), color=CARD, linewidth=3.0, solid_capstyle="butt")
            axes.plot(ends, (place, place), color=INK, linewidth=1.1, solid_capstyle="butt")
        axes.annotate(
            f"{value.value:#.3g}".replace("-", "\u2212"),
            (1.04, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=7.5,
        )
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.locator_params(axis="x", nbins=4)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def _empty(axes: Axes, words: str) -> None:
    axes.axis("off")
    lines = textwrap.fill(words, _LETTERS)
    axes.text(-0.66, 1.0, lines, va="top", fontsize=7.5, color=MUTED, transform=axes.transAxes)
