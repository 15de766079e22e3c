"""Colours of the figures, and the way from a matplotlib figure to an SVG that follows the page.

Every colour is drawn as a marker and then replaced by a CSS variable with a fallback: in the page
the figure follows the light or dark style, and on its own it is readable on a white card.
"""

from __future__ import annotations

import io
import re
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

# Told apart by people with any of the three kinds of colour blindness, in both styles (tested).
# name: (marker that matplotlib draws, what the SVG says)
_PALETTE: Final = {
    "ink": ("#010101", "var(--ink, #1d2530)"),
    "muted": ("#020202", "var(--muted, #5b6672)"),
    "grid": ("#030303", "var(--rule, #dfe3e8)"),
    "card": ("#040404", "var(--card, #ffffff)"),
    "blue": ("#050505", "var(--blue, #2a5f9e)"),
    "grey": ("#060606", "var(--grey, #8a919a)"),
    "red": ("#070707", "var(--red, #b3402e)"),
    "amber": ("#080808", "var(--amber, #b87c12)"),
    "teal": ("#090909", "var(--teal, #1c8c70)"),
    "violet": ("#0a0a0a", "var(--violet, #4d2a80)"),
}
INK, MUTED, GRID, CARD, BLUE, GREY, RED, AMBER, TEAL, VIOLET = (m for m, _ in _PALETTE.values())
SERIES: Final = (BLUE, RED, TEAL, AMBER, VIOLET, GREY)
_STYLE: Final[Any] = {  # matplotlib types its keys as one huge Literal
    "svg.fonttype": "none",
    "font.size": 8.5,
    "axes.titlesize": 9.0,
    "axes.labelsize": 8.5,
    "legend.fontsize": 8.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titley": 1.0,  # a place that is given need not be searched for: a tenth of the time
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 2.5,
    "ytick.major.size": 0.0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "path.simplify": True,
    "text.parse_math": False,  # a name may hold a dollar sign
}


def styled() -> Any:
    """Context in which figures are made and drawn; leaves matplotlib's global state alone."""
    return mpl.rc_context(_STYLE)


def svg_text(figure: Figure, name: str) -> str:
    """The figure as one ``<svg>`` element: the same text for the same figure, on any day.

    ``name`` keeps the ids of several figures in one page apart.
    """
    buffer = io.StringIO()
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return _tidy(buffer.getvalue(), name)


def _tidy(document: str, name: str) -> str:
    svg = document[document.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font: ([^;\"]*?px) [^;\"]*", r"font: \1 var(--sans, sans-serif)", svg)
    for marker, css in _PALETTE.values():
        svg = svg.replace(marker, css)
    svg = re.sub(r' (?:d|x|y)="[^"]*"', lambda m: _shortened(m[0]), svg)
    svg = _scope_ids(svg, re.sub(r"[^a-zA-Z0-9]+", "-", name))
    return re.sub(r">\s*\n\s*<", "><", svg).strip()


def _shortened(attribute: str) -> str:
    """Coordinates to a hundredth of a point, which nobody sees, and each command of a path once for
    all points that follow it: less than half the size of most figures."""
    short = re.sub(r"\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}", attribute)
    parts = re.split(r"\s*\n", short)
    for i in range(len(parts) - 1, 0, -1):
        # A pair of numbers after a move or a line is the end of a further line.
        before, now = parts[i - 1].removeprefix(' d="')[:1], parts[i][:1]
        if (before, now) in (("M", "L"), ("L", "L"), ("C", "C")):
            parts[i] = parts[i][2:]
    return " ".join(parts)


def _scope_ids(svg: str, prefix: str) -> str:
    used = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", svg))
    svg = re.sub(
        r' id="([^"]+)"',
        lambda m: f' id="{prefix}-{m[1]}"' if m[1] in used else "",
        svg,
    )
    return re.sub(r"(url\(|href=\")#", rf"\1#{prefix}-", svg)
