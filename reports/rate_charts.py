"""The figures of rates and likeness with words and numbers: who is fooled, at which FMR, and how
alike the pictures are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reports.basis import display_fmr
from reports.charts import Chart, inline
from reports.compare_figures import CROWDED, matrix_map
from reports.measure_words import measure_of
from reports.rate_figures import BarPanel, RateLine, measure_bars, rates_over_fmr
from reports.results import NOT_RUN, AttackResult, CompareCell, Estimate, Measured, Results
from reports.tables import fmr_keys, judges_of, told_keys
from reports.theme import svg_text
from reports.words import Cell, Table, fmr_label, gathered

_NEAREST = "control:nearest"
_BARS = (("ssim_face", "ssim_crop"), ("psnr_face", "psnr_crop"), ("fid",), ("kid",))


def transfer_charts(results: Results) -> Iterator[Chart]:
    """One heat map, attacks by judges, at the FMR of the verdict."""
    fmr, judges = display_fmr(results), judges_of(results)
    if fmr is None or not judges:
        return
    cells = [
        CompareCell(
            source=row.attack,
            attack=row.attack,
            judge=name,
            unseen=judge.unseen,
            type1=judge.type1,
            type2=judge.type2,
        )
        for row in results.attacks
        for name, judge in row.judges.items()
    ]
    own = [results.target] * len(cells)
    figure = matrix_map(cells, judges=judges, own=own, rates="type1", fmr=fmr)
    yield Chart(
        f"SAR (Type-I) of every attack at every judge, FMR {fmr_label(fmr)}",
        inline(svg_text(figure, "transfer")),
        f"A grid: a line for each attack and control, a column for each of the judges "
        f"{', '.join(judges)}, the share accepted in percent in each cell; the table has all "
        "numbers.",
        "Percent of rebuilt faces that a judge accepts; the stronger the colour, the more. A solid "
        "frame marks an unseen judge, a dashed one the attacked model itself; no frame, a judge "
        "that does not count as unseen.",
        _transfer_numbers(results, judges, fmr),
        wide=len(judges) > CROWDED,
    )


def _transfer_numbers(results: Results, judges: Sequence[str], fmr: str) -> Table:
    unseen = {n for row in results.attacks for n, j in row.judges.items() if j.unseen}
    heads = [Cell(name, detail=_standing(name, results.target, unseen)) for name in judges]
    table = Table("", ("Attack", *heads))
    for row in results.attacks:
        found = [row.judges[name].type1.get(fmr) if name in row.judges else None for name in judges]
        name = Cell(row.attack, tone="" if row.control else "strong")
        table.rows.append([name, *(table.estimate(value) for value in found)])
    return gathered(table)


def _standing(judge: str, target: str, unseen: set[str]) -> str:
    if judge in unseen:
        return "unseen"
    return "the attacked model" if judge == target else "not unseen"


def rate_charts(results: Results) -> Iterator[Chart]:
    """TMR and SAR against FMR with their bands, one figure for each judge."""
    for i, judge in enumerate(judges_of(results)):
        lines = list(_lines(results, judge))
        if not any(_seen(line.rates.values()) for line in lines):
            continue
        table = Table("", ("FMR", *(line.label for line in lines)))
        for key in told_keys(table, [line.rates for line in lines]):
            cells = [table.estimate(line.rates.get(key)) for line in lines]
            table.rows.append([Cell(fmr_label(key)), *cells])
        keys = ", ".join(fmr_label(key) for key in fmr_keys(k for li in lines for k in li.rates))
        yield Chart(
            f"SAR and TMR of {judge} against FMR",
            inline(svg_text(rates_over_fmr(lines), f"rates-{i}")),
            f"Lines: share of faces accepted by {judge} at FMR {keys}, for "
            f"{', '.join(line.label for line in lines)}; the table has the numbers.",
            "Bands are 95 % intervals, conditional on the threshold; lines between the measured "
            "points are drawn for the eye.",
            gathered(table),
        )


def _lines(results: Results, judge: str) -> Iterator[RateLine]:
    model = results.backbones.get(judge)
    if model is not None and model.tmr:
        yield RateLine("photographs of the right person (TMR)", model.tmr, "photograph")
    for row in results.attacks:
        if judge in row.judges and (not row.control or row.attack == _NEAREST):
            role = "control" if row.control else "attack"
            yield RateLine(row.attack, row.judges[judge].type1, role)


def likeness_charts(results: Results) -> Iterator[Chart]:
    """Bars of SSIM, PSNR, FID and KID for each attack and control."""
    rows = results.attacks
    names = [_first_measured(rows, options) for options in _BARS]
    if not any(_seen(row.image.get(name) for row in rows) for name in names):
        return
    table = Table("", ("Attack", *(measure_of(name).name for name in names)))
    for row in rows:
        cells = [table.estimate(row.image.get(name), "number") for name in names]
        table.rows.append([Cell(row.attack, tone="" if row.control else "strong"), *cells])
    figure = measure_bars(
        [row.attack for row in rows],
        {row.attack for row in rows if row.control},
        [_panel(rows, name) for name in names],
    )
    yield Chart(
        "Likeness of each attack's pictures",
        inline(svg_text(figure, "likeness")),
        f"Bars of {', '.join(measure_of(name).name for name in names)} for each attack and "
        "control; the table has the numbers, or why there are none.",
        "Red: attacks; grey: controls, named so. Lines are 95 % intervals; FID has none.",
        gathered(table),
    )


def _first_measured(rows: Sequence[AttackResult], options: Sequence[str]) -> str:
    """The first of the measures that any row has."""
    found = (name for name in options if _seen(row.image.get(name) for row in rows))
    return next(found, options[0])


def _panel(rows: Sequence[AttackResult], name: str) -> BarPanel:
    measure, values = measure_of(name), [row.image.get(name) for row in rows]
    title = f"{measure.name} ({measure.direction})" if measure.direction else measure.name
    if _seen(values):
        return BarPanel(title, values)
    reasons = [v.not_measured for v in values if v is not None and not isinstance(v, Measured)]
    why = next(iter(reasons), NOT_RUN.not_measured)
    return BarPanel(title, values, f"not measured: {why}")


def _seen(values: Iterable[Estimate | None]) -> bool:
    return any(isinstance(value, Measured) for value in values)
