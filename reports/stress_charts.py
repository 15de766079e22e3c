"""The figures of a stress run with their words and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports import stress_figures as figures
from reports.charts import Chart, inline
from reports.results import Estimate, Measured, NotMeasured, StressFamily, StressResult
from reports.stress_families import FAMILIES, Line, Panel
from reports.stress_figures import Plot, Series
from reports.stress_measures import measure_words
from reports.stress_select import (
    Condition,
    backbones_of,
    clean_row,
    condition_of,
    inverted,
    itself,
    labels_of,
    rates_of,
    recognised,
    shown_fmr,
    shown_judge,
    value_of,
)
from reports.stress_words import kind_of
from reports.theme import SERIES, svg_text
from reports.words import Cell, Kind, Table, fmr_label, gathered, listed, number

SIDES = {"inverted": inverted, "recognised": recognised, "itself": itself}
_DASHES = ("-", "--", ":", "-.")


def stress_charts(family: StressFamily, rows: Sequence[StressResult]) -> Iterator[Chart]:
    """The main figure of a family, and those more that it has."""
    words = FAMILIES[family]
    fmr = shown_fmr(rates for row in rows for rates in rates_of(row))
    plots = [plot for panel in words.panels for plot in _plots(panel, rows, fmr)]
    drawn = [plot for plot in plots if any(len(s.drawn) > 1 for s in plot.series)]
    if drawn:
        yield _curve_chart(family, drawn, rows, fmr)
    if words.bars or not drawn:
        yield from _bar_charts(family, rows, fmr, only_plain=bool(drawn))
    yield from _dots(family, rows)
    yield from _maps(family, rows)
    if words.roc:
        yield from _rocs(family, rows)


def _plots(panel: Panel, rows: Sequence[StressResult], fmr: str | None) -> Iterator[Plot]:
    """The panel with a line for each backbone; one panel a backbone where it says so."""
    names = backbones_of(rows)
    if not panel.apart:
        series = [
            _series(line, panel, rows, name, fmr, SERIES[i % len(SERIES)], name)
            for i, name in enumerate(names)
            for line in panel.lines
        ]
        yield _plot(panel, series, panel.title)
        return
    for name in names:
        series = [
            _series(line, panel, rows, name, fmr, SERIES[i % len(SERIES)], "")
            for i, line in enumerate(panel.lines)
        ]
        yield _plot(panel, series, f"{panel.title} {name}".strip())


def _plot(panel: Panel, series: Sequence[Series], title: str) -> Plot:
    kinds = {kind_of(line.measure) for line in panel.lines}
    rate = kinds == {"rate"}
    return Plot(
        panel.axis,
        series,
        title,
        log=panel.log,
        scale=100.0 if rate else 1.0,
        ylabel="%" if rate else panel.ylabel,
        ticks=sorted({x for s in series for x, _ in s.drawn}) if panel.log else (),
    )


def _series(
    line: Line,
    panel: Panel,
    rows: Sequence[StressResult],
    backbone: str,
    fmr: str | None,
    colour: str,
    name: str,
) -> Series:
    side = SIDES[line.side](rows, backbone)
    points = [
        (panel.scale * row.strength, value_of(row, line.measure, fmr))
        for row in side
        if row.perturbation == line.perturbation
        and row.repaired == line.repaired
        and row.strength is not None
    ]
    clean = clean_row(side)
    level = None if clean is None else value_of(clean, line.measure, fmr)
    words = ", ".join(filter(None, [name, line.words]))
    if panel.clean is None or not points:
        return Series(words, points, colour, line.dash, level)
    at = panel.scale * panel.clean
    if all(x != at for x, _ in points):
        points.append((at, level))
    return Series(words, points, colour, line.dash)


def _curve_chart(
    family: StressFamily, plots: Sequence[Plot], rows: Sequence[StressResult], fmr: str | None
) -> Chart:
    table = Table("", ("Line", "At", "Value"))
    missing: dict[str, None] = {}
    for plot in plots:
        for series in plot.series:
            for x, value in sorted(series.points, key=lambda point: point[0]):
                kind: Kind = "rate" if plot.scale == 100.0 else "number"
                at = Cell(f"{number(x)} ({plot.axis})")
                table.rows.append([Cell(series.words), at, table.estimate(value, kind)])
                if not isinstance(value, Measured):
                    missing[f"{series.words} at {number(x)}: {_why(value)}"] = None
    drawn = [s for plot in plots for s in plot.series if s.drawn]
    levels = any(isinstance(s.level, Measured) for s in drawn)
    says = [f"At FMR {fmr_label(fmr)}." if fmr else "", "Shades are 95 % intervals."]
    says += ["Dotted level lines: nothing was done."] if levels else []
    rebuilt = any(line.side == "inverted" for p in FAMILIES[family].panels for line in p.lines)
    says += [
        _judged(rows) if rebuilt else "",
        f"Not drawn: {_few(list(missing))}." if missing else "",
    ]
    return Chart(
        FAMILIES[family].curve,
        inline(svg_text(figures.curves(plots), f"{family}-curve")),
        f"Lines for {listed([s.words for s in drawn])} against "
        f"{' and '.join(dict.fromkeys(plot.axis for plot in plots))}; the table below has the "
        "numbers.",
        " ".join(filter(None, says)),
        gathered(table),
    )


def _bar_charts(
    family: StressFamily, rows: Sequence[StressResult], fmr: str | None, *, only_plain: bool
) -> Iterator[Chart]:
    names = backbones_of(rows)
    sides = {name: _by_condition(inverted(rows, name)) for name in names}
    own = {name: _by_condition(recognised(rows, name)) for name in names}
    there = {
        key
        for found in (*sides.values(), *own.values())
        for key, row in found.items()
        if any(rates_of(row))
    }
    keys = [
        key
        for key in labels_of(rows)
        if key in there and not (only_plain and key.strength is not None)
    ]
    labels = labels_of(rows)
    if fmr is None or len(keys) < 2:
        return

    def values(side: dict[Condition, StressResult], measure: str) -> list[Estimate | None]:
        return [None if k not in side else value_of(side[k], measure, fmr) for k in keys]

    accepted = {name: values(sides[name], "type1") for name in names}
    tmr = {name: values(own[name], "tmr") for name in names}
    table = Table("", ("Condition", "Templates of", "Type-I", "TMR"))
    for i, key in enumerate(keys):
        for name in names:
            cells = [table.estimate(accepted[name][i]), table.estimate(tmr[name][i])]
            table.rows.append([Cell(labels[key]), Cell(name), *cells])
    figure = figures.bars([labels[key] for key in keys], accepted, tmr)
    yield Chart(
        "Rebuilt faces accepted, by what was done",
        inline(svg_text(figure, f"{family}-bars")),
        f"Bars of rebuilt faces accepted at FMR {fmr_label(fmr)} under "
        f"{listed([labels[key] for key in keys])}, one for each of {listed(names)}; a diamond is "
        "how often the model still recognises the person.",
        f"At FMR {fmr_label(fmr)}, Type-I. Lines are 95 % intervals; the diamond is how often the "
        f"model itself recognises the person under the same stress (TMR). {_judged(rows)}",
        gathered(table),
    )


def _dots(family: StressFamily, rows: Sequence[StressResult]) -> Iterator[Chart]:
    """Measures of the backbones' own rows."""
    own = {name: itself(rows, name) for name in backbones_of(rows)}
    own = {name: found for name, found in own.items() if found}
    told = {name: {**found[0].measures} for name, found in own.items()}
    names = [n for n in FAMILIES[family].measures if any(n in facts for facts in told.values())]
    if not names:
        return
    words = [measure_words(name) for name in names]
    values = {name: [facts.get(measure) for measure in names] for name, facts in told.items()}
    table = Table("", ("", *values))
    for i, measure in enumerate(words):
        cells = [table.estimate(found[i], "number") for found in values.values()]
        table.rows.append([Cell(measure.name), *cells])
    yield Chart(
        FAMILIES[family].curve,
        inline(svg_text(figures.dots([m.name for m in words], values), f"{family}-measures")),
        f"Dots with their intervals for {listed([m.name for m in words])}, of "
        f"{listed(list(told))}; the table below has the numbers.",
        f"{words[0].says} Lines are 95 % intervals; what was not measured is not drawn.",
        gathered(table),
    )


def _maps(family: StressFamily, rows: Sequence[StressResult]) -> Iterator[Chart]:
    maps = {row.backbone: row.map for row in reversed(rows) if row.map is not None}
    maps = {name: maps[name] for name in backbones_of(rows) if name in maps}
    if not maps:
        return
    table = Table("", ("Place", *maps))
    grid = next(iter(maps.values())).values
    for y in range(len(grid)):
        for x in range(len(grid[0])):
            cells = [Cell(_at(found.values, y, x)) for found in maps.values()]
            table.rows.append([Cell(f"row {y + 1}, column {x + 1}"), *cells])
    measure = measure_words(next(iter(maps.values())).measure).name.lower()
    faces = listed([f"{found.n} ({name})" for name, found in maps.items()])
    yield Chart(
        "Where a template looks",
        inline(svg_text(figures.sensitivity(maps), f"{family}-map")),
        f"For {listed(list(maps))}: a grid over the outline of an aligned face, redder where "
        "covering that place moves the template more.",
        f"One block slides over the face; colour: {measure}. The redder, the more the template "
        f"moves when that place is covered. Each map has its own scale. Mean of n faces: {faces}.",
        table,
    )


def _rocs(family: StressFamily, rows: Sequence[StressResult]) -> Iterator[Chart]:
    told = {row.backbone: row.roc for row in reversed(rows) if row.roc}
    told = {name: told[name] for name in backbones_of(rows) if name in told}
    if not told:
        return
    table = Table("", ("Line", *(f"accepted at FMR {label}" for label, _ in _LOOKUPS)))
    for name, curves in told.items():
        for curve in curves:
            cells = [Cell(_looked_up(curve.fmr, curve.tmr, at)) for _, at in _LOOKUPS]
            table.rows.append([Cell(f"{name}, {curve.name}"), *cells])
    yield Chart(
        "Does decoding undo the attack?",
        inline(svg_text(figures.roc(told), f"{family}-roc")),
        f"ROC curves of {listed(list(told))}: "
        f"{', '.join(dict.fromkeys(c.name for curves in told.values() for c in curves))}.",
        "Right persons accepted against strangers accepted. Dashed: the same after the template "
        "was decoded into a face and that face embedded again. These lines have no intervals.",
        table,
    )


_LOOKUPS = (("0.1 %", 1e-3), ("1 %", 1e-2), ("10 %", 1e-1))


def _looked_up(fmr: Sequence[float], tmr: Sequence[float], at: float) -> str:
    below = [t for f, t in zip(fmr, tmr, strict=True) if f <= at]
    return f"{100 * max(below):.1f} %" if below else "not measured"


def _at(values: Sequence[Sequence[float]], y: int, x: int) -> str:
    return number(values[y][x]) if y < len(values) and x < len(values[y]) else ""


def _by_condition(rows: Sequence[StressResult]) -> dict[Condition, StressResult]:
    return {condition_of(row): row for row in reversed(rows)}


def _judged(rows: Sequence[StressResult]) -> str:
    pairs = [(name, shown_judge(rows, name)) for name in backbones_of(rows)]
    told = [f"from {name} by {judge}" for name, judge in pairs if judge]
    return f"Rebuilt faces are judged: {', '.join(told)}." if told else ""


def _why(value: Estimate | None) -> str:
    return value.not_measured if isinstance(value, NotMeasured) else "not part of this run"


def _few(texts: Sequence[str]) -> str:
    """The first three, and how many more."""
    more = f", and {len(texts) - 3} more, see the numbers" if len(texts) > 3 else ""
    return "; ".join(texts[:3]) + more
