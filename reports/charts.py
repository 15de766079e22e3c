"""The figures of the page: SVG, words for those who cannot see it, and the numbers as a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from reports import figures
from reports.basis import display_fmr
from reports.results import AttackResult, DetCurve, Results, ScoreHistogram
from reports.tables import judges_of
from reports.theme import svg_text
from reports.words import Cell, Table, count, fmr_label, number, percent

_TABLE_ROWS = 12
_MEAN_FACE = "control:mean"
_SHOWN_CONTROLS = (_MEAN_FACE, "control:nearest")
_DET_LOOKUPS = (1e-4, 1e-3, 1e-2, 0.05, 0.1, 0.2, 0.5)
_REGIONS = ((17, "jaw"), (27, "brow"), (36, "nose"), (48, "eye"), (68, "mouth"))


@dataclass(frozen=True)
class Chart:
    """One figure of the page."""

    title: str
    svg: Markup  # drawn by matplotlib, which escapes every text
    alt: str
    caption: str
    table: Table
    wide: bool = False  # over the whole page
    ends: bool = False  # where it is wider than the screen, its right end is seen first


def sar_charts(results: Results) -> Iterator[Chart]:
    """Bars of every judge at the FMR of the headline."""
    fmr = display_fmr(results)
    if fmr is None:
        return
    for i, judge in enumerate(judges_of(results)):
        figure = figures.sar_bars(
            results.attacks,
            judge=judge,
            fmr=fmr,
            genuine="template" if results.store else "photograph",
        )
        yield Chart(
            f"Judge {judge}",
            inline(svg_text(figure, f"sar-{i}")),
            f"Bars: share of reconstructions accepted by {judge} at FMR {fmr_label(fmr)}, for each "
            "attack and control; the table below has the numbers.",
            f"Accepted by {judge} at FMR {fmr_label(fmr)}. Lines are 95 % intervals. The diamond "
            f"is what {_reference(results)} reaches.",
            _sar_numbers(results, judge, fmr),
        )


def histogram_charts(results: Results) -> Iterator[Chart]:
    """Score histograms of every judge."""
    rows = sorted(results.attacks, key=lambda a: a.control)
    names = [a.attack for a in rows if not a.control or a.attack in _SHOWN_CONTROLS]
    drawn = names[: figures.MAX_HISTOGRAMS]
    for i, (judge, histogram) in enumerate(results.histograms.items()):
        left = [name for name in histogram.attacks if name not in drawn]
        model = results.backbones.get(judge)
        axis = "score" if model is None else f"score ({_similarity(model.similarity)})"
        figure = figures.score_histogram(histogram, attacks=drawn, similarity=axis)
        customary = (
            ""
            if histogram.customary is None
            else " The dotted line is the threshold that is customary with this model, whatever "
            f"its FMR here: {number(histogram.customary)}."
        )
        yield Chart(
            f"Scores of {judge}",
            inline(svg_text(figure, f"histogram-{i}")),
            f"Histograms of the scores of {judge}: photographs of the same and of different "
            "people, and the reconstructions of each attack, with the acceptance thresholds.",
            "Each area is scaled to one. A reconstruction to the right of a dashed line is "
            "accepted at that threshold."
            + customary
            + (f" Only in the table: {', '.join(left)}." if left else ""),
            _histogram_numbers(histogram, judge),
        )


def det_charts(results: Results) -> Iterator[Chart]:
    """One DET figure of all judges."""
    if results.det:
        yield Chart(
            "Error trade-off of the judges",
            inline(svg_text(figures.det_curves(results.det), "det")),
            f"DET curves of {', '.join(results.det)}: strangers accepted against right persons "
            "refused.",
            "Nearer to the lower left is the better recognition model. Both axes are logarithmic; "
            "the dotted diagonal is the equal error rate.",
            _det_numbers(results.det),
        )


def landmark_charts(results: Results) -> Iterator[Chart]:
    """One face map for each attack that has landmark errors, and the mean face's beside them."""
    for i, attack in enumerate(results.attacks):
        marks = attack.landmarks
        if attack.control and attack.attack != _MEAN_FACE:
            continue
        if marks.per_point and marks.mean_shape:
            yield Chart(
                f"Landmark errors of {attack.attack}",
                inline(svg_text(figures.landmark_map(marks), f"landmarks-{i}")),
                "The outline of a face with a circle at each of its 68 landmarks, larger where "
                f"{attack.attack} errs more.",
                "The radius of a circle is the root mean squared error of its landmark, to the "
                "scale of the face.",
                _landmark_numbers(attack),
            )


def training_charts(results: Results) -> Iterator[Chart]:
    """The curves that were recorded while an attack learned."""
    for i, (attack, curves) in enumerate(results.curves.items()):
        drawn = {name: values for name, values in curves.items() if values}
        if drawn:
            yield Chart(
                f"Training of {attack}",
                inline(svg_text(figures.training_curves(drawn), f"training-{i}")),
                f"Training curves of {attack}: {', '.join(drawn)}.",
                "As recorded during training on the attacker's people.",
                _curve_numbers(attack, drawn),
            )


def inline(svg: str) -> Markup:
    """A figure as it stands in a page."""
    # In a page the namespaces are implied, and the figure's own rule for `*` would reach out of it.
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    return Markup(re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg))


def _similarity(kind: str) -> str:
    return "cosine" if kind == "cosine" else "minus L2 distance"


def _reference(results: Results) -> str:
    return "the leaked template itself" if results.store else "a real photograph of the person"


def _sar_numbers(results: Results, judge: str, fmr: str) -> Table:
    table = Table("", ("Attack", "Type-I", "Type-II", "Photograph"))
    for attack in results.attacks:
        if judge in attack.judges:
            found = attack.judges[judge]
            values = (found.type1, found.type2, found.type2_reference)
            cells = [table.estimate(value.get(fmr)) for value in values]
            table.rows.append([Cell(attack.attack), *cells])
    return table


def _histogram_numbers(histogram: ScoreHistogram, judge: str) -> Table:
    columns = [("Different people", histogram.non_mated), ("Same person", histogram.mated)]
    for name, scores in histogram.attacks.items():
        columns += [(f"{name}, Type-I", scores.type1), (f"{name}, Type-II", scores.type2)]
    columns = [(name, shares) for name, shares in columns if shares]
    table = Table("", (f"Score of {judge}", *(name for name, _ in columns)))
    bins = len(histogram.edges) - 1
    step = -(-bins // _TABLE_ROWS)
    for first in range(0, bins, step):
        last = min(first + step, bins)
        ends = f"{number(histogram.edges[first])} to {number(histogram.edges[last])}"
        cells = [Cell(f"{100 * sum(shares[first:last]):.2f} %") for _, shares in columns]
        table.rows.append([Cell(ends), *cells])
    return table


def _det_numbers(curves: dict[str, DetCurve]) -> Table:
    table = Table("", ("FMR at most", *(f"FNMR of {name}" for name in curves)))
    for limit in _DET_LOOKUPS:
        cells = []
        for curve in curves.values():
            pairs = zip(curve.fmr, curve.fnmr, strict=True)
            below = [fnmr for fmr, fnmr in pairs if fmr <= limit]
            cells.append(Cell(percent(min(below))) if below else table.estimate(None))
        table.rows.append([Cell(percent(limit)), *cells])
    return table


def _landmark_numbers(attack: AttackResult) -> Table:
    table = Table("", ("Landmark", "Part", "Mean squared error (px²)"))
    for i, error in enumerate(attack.landmarks.per_point):
        region = next(name for end, name in _REGIONS if i < end)
        table.rows.append([Cell(str(i + 1)), Cell(region), Cell(number(error))])
    return table


def _curve_numbers(attack: str, curves: dict[str, list[float]]) -> Table:
    table = Table("", (f"Step of {attack}", *curves))
    longest = max(len(values) for values in curves.values())
    step = -(-longest // _TABLE_ROWS)
    for i in sorted({*range(0, longest, step), longest - 1}):
        cells = [Cell(number(v[i]) if i < len(v) else "") for v in curves.values()]
        table.rows.append([Cell(count(i + 1)), *cells])
    return table
