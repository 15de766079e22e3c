"""Numbers and words as the report prints them, and the tables made of them.

No-break spaces keep a number and its unit on one line. What was not measured is printed as such,
with a footnote that says why; it never takes the shape of a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from reports.results import Estimate, Measured, Threshold, fmr_value

NBSP = "\u00a0"
MINUS = "\u2212"
DASH = "\u2013"
_TO = f"{NBSP}to{NBSP}"
_PLAIN = "no interval"
Kind = Literal["rate", "margin", "number", "ratio"]
_NO_RATES: dict[str, Kind] = {"change of": "margin", "D_sys": "ratio"}


@dataclass(frozen=True)
class Cell:
    """One cell: the text, a smaller line below it, and how it is set off."""

    text: str
    detail: str = ""
    extra: str = ""  # beside the detail, or below it where there is no room
    tone: Literal["", "missing", "flag", "strong", "words"] = ""
    note: str = ""  # number of a footnote of the table
    rows: int = 1  # rows that a row's heading spans
    warning: str = ""  # a line of its own that must not be missed


@dataclass
class Table:
    """A table of the report; the first cell of a row is its heading, the first column is a text."""

    caption: str
    columns: Sequence[str | Cell]
    rows: list[list[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)  # what is said once for whole columns
    groups: Sequence[tuple[str, int]] = ()  # headings above the columns: words, columns below them

    def note(self, text: str) -> str:
        """The number of the footnote ``text``; the same text is printed once."""
        if text not in self.notes:
            self.notes.append(text)
        return str(self.notes.index(text) + 1)

    def estimate(self, value: Estimate | None, kind: Kind = "rate", *, flag: str = "") -> Cell:
        """The cell of an estimate; ``flag`` is a footnote that sets it off."""
        if not isinstance(value, Measured):
            why = "not part of this run" if value is None else value.not_measured
            return Cell("not measured", tone="missing", note=self.note(why))
        tone: Literal["flag", ""] = "flag" if flag else ""
        note = self.note(flag) if flag else ""
        return Cell(
            main(value, kind),
            detail=interval(value, kind) or _PLAIN,
            extra=f"n{NBSP}={NBSP}{count(value.n)}",
            tone=tone,
            note=note,
        )

    def threshold(self, value: Threshold | None) -> Cell:
        """The cell of a score threshold."""
        if isinstance(value, float):
            return Cell(number(value))
        return self.estimate(value)


def gathered(table: Table) -> Table:
    """The table with an n that a whole column shares said once, in its heading; so is that nothing
    in the column has an interval. A shorter row lacks its first cells, as a heading spans it."""
    columns = list(table.columns)
    rows = [list(row) for row in table.rows]
    for i, heading in enumerate(columns):
        places = [(row, i - len(columns) + len(row)) for row in rows]
        told = [(row, j) for row, j in places if j >= 0 and row[j].extra]
        cells = [row[j] for row, j in told]
        if len({cell.extra for cell in cells}) != 1:
            continue
        plain = all(cell.detail == _PLAIN for cell in cells)
        top = heading if isinstance(heading, Cell) else Cell(heading)
        detail = ", ".join(filter(None, [top.detail, _PLAIN if plain else ""]))
        # An n needs a line to stand beside.
        both = (detail, cells[0].extra) if detail else (cells[0].extra, "")
        columns[i] = replace(top, detail=both[0], extra=both[1])
        for row, j in told:
            row[j] = replace(row[j], detail="" if plain else row[j].detail, extra="")
    return replace(table, columns=columns, rows=rows)


_SMALLEST = 0.001  # per cent


def percent(value: float, *, unit: bool = True) -> str:
    """0.392 -> ``39.2 %``; small rates keep two digits, so that 0.0004 is not printed as 0, and
    those that no audit could resolve are ``<0.001 %``."""
    scaled = 100.0 * value
    size = abs(scaled)
    digits = f"{size:.1f}" if size >= 1 else f"{size:.2f}" if size >= 0.1 else f"{size:.2g}"
    if 0 < size < _SMALLEST:
        return f"<{_SMALLEST:g}" + (f"{NBSP}%" if unit else "")
    sign = MINUS if scaled < 0 and float(digits) != 0 else ""
    return sign + digits + (f"{NBSP}%" if unit else "")


def number(value: float) -> str:
    """Four significant digits with a real minus sign; large numbers with separators."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return text.replace("-", MINUS)


def ratio(value: float) -> str:
    """Two decimals, for what goes from 0 to 1 or from -1 to 1 and is no share: a cosine."""
    text = f"{value:.2f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", MINUS)


def main(value: Measured, kind: Kind) -> str:
    """The value alone."""
    if kind == "number":
        return number(value.value)
    if kind == "ratio":
        return ratio(value.value)
    if kind == "margin":
        return _signed(value.value) + f"{NBSP}pp"
    return percent(value.value)


def interval(value: Measured, kind: Kind = "rate") -> str:
    """``36.0–42.4``, in the unit of the value; the empty string where there is no interval."""
    if value.low is None or value.high is None:
        return ""
    if kind == "margin":
        return f"{_signed(value.low)}{_TO}{_signed(value.high)}"
    if kind in ("number", "ratio"):
        told = number if kind == "number" else ratio
        ends = (told(value.low), told(value.high))
    else:
        ends = (percent(value.low, unit=False), percent(value.high, unit=False))
    # A dash beside a minus sign reads as another one.
    return (_TO if MINUS in "".join(ends) else DASH).join(ends)


def spread_of(value: Measured, kind: Kind = "rate") -> str:
    """``36.0–42.4, n = 412``: what stands in brackets behind a value."""
    return f"{interval(value, kind) or _PLAIN}, n{NBSP}={NBSP}{count(value.n)}"


def evidence_kind(name: str) -> Kind:
    """How a finding's number is printed: most are rates, and the name of the others says so."""
    return next((kind for words, kind in _NO_RATES.items() if words in name), "rate")


def evidence_lines(evidence: Mapping[str, Estimate]) -> list[str]:
    """``name: 39.2 % (36.0 – 42.4 %, n = 412)`` each; counts have no interval and no n."""
    lines = []
    for name, value in evidence.items():
        if not isinstance(value, Measured):
            lines.append(f"{name}: not measured ({value.not_measured})")
        elif interval(value):
            kind = evidence_kind(name)
            lines.append(f"{name}: {main(value, kind)} ({spread_of(value, kind)})")
        else:
            lines.append(f"{name}: {main(value, 'number')}")
    return lines


def count(value: int) -> str:
    """12345 -> ``12,345``."""
    return f"{value:,}"


def listed(names: Sequence[str], last: str = "and") -> str:
    """``a, b and c``; at least one name."""
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def fmr_label(key: str) -> str:
    """``1e-3`` -> ``0.1 %``."""
    return f"{100 * fmr_value(key):g}{NBSP}%"


def one_in(key: str) -> str:
    """``1e-3`` -> ``1 stranger in 1,000``."""
    return f"1{NBSP}stranger in{NBSP}{count(round(1 / fmr_value(key)))}"


def _signed(value: float) -> str:
    if abs(100.0 * value) < _SMALLEST:
        return "0"
    text = percent(value, unit=False)
    return text if text.startswith(MINUS) else f"+{text}"
