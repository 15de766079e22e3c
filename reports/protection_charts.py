"""The figures of protection with their words and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.charts import Chart, inline
from reports.protection_figures import (
    Borders,
    Spot,
    is_drawable,
    linkage_panels,
    panels_of,
    trade_off,
)
from reports.protection_select import (
    at,
    backbones_of,
    by_knowledge,
    by_setting,
    is_keyed,
    labels_of,
    linkages,
    of_backbone,
    plain_rows,
    protection_fmr,
    without_controls,
)
from reports.protection_words import KNOWN, attack_words, known
from reports.results import (
    Estimate,
    Linkage,
    Measured,
    ProtectionLimits,
    ProtectionResult,
)
from reports.theme import svg_text
from reports.words import Cell, Table, fmr_label, listed, percent

_PLAIN = "unprotected"


def trade_off_charts(
    rows: Sequence[ProtectionResult], limits: ProtectionLimits | None
) -> Iterator[Chart]:
    """What protection costs and what it brings, one figure a backbone."""
    told = without_controls(rows)
    fmr = protection_fmr(told) if limits is None else limits.fmr
    for i, backbone in enumerate(backbones_of(told)):
        chart = _trade_off(of_backbone(told, backbone), backbone, fmr, limits, i)
        if chart is not None:
            yield chart


def _trade_off(
    rows: Sequence[ProtectionResult],
    backbone: str,
    fmr: str | None,
    limits: ProtectionLimits | None,
    place: int,
) -> Chart | None:
    table = Table("", ("Scheme", "Attacker", "TMR, stolen key", "SAR, Type-I", "By"))
    labels = labels_of(rows)
    spots: list[Spot] = []
    for key, some in by_setting(rows).items():
        label = labels[key] if key.protects else _PLAIN
        x = recognised(some, fmr)
        found = by_knowledge(some, fmr)
        measured = {name: one.value for name, one in found.items() if one is not None}
        if isinstance(x, Measured) and measured:
            if not key.protects:
                best = max(measured, key=lambda name: measured[name].value)
                measured = {best: measured[best]}
            spots.append(Spot(label, x, measured, key.protects))
        for name, one in found.items():
            table.rows.append(
                [
                    Cell(label),
                    Cell(known(name, keyed=is_keyed(some)), tone="words"),
                    table.estimate(x),
                    table.estimate(None if one is None else one.value),
                    Cell("" if one is None else attack_words(one.row), tone="words"),
                ]
            )
        if not found:
            table.rows.append(
                [Cell(label), Cell("none"), table.estimate(x), table.estimate(None), Cell("")]
            )
    if not spots or fmr is None:
        return None
    borders = _borders(rows, fmr, limits)
    figure = trade_off(spots, borders, known=KNOWN, fmr=fmr)
    names = [spot.label for spot in spots]
    return Chart(
        f"Recognition and rebuilt faces, templates of {backbone}",
        inline(svg_text(figure, f"trade-off-{place}")),
        f"Recognition against accepted faces for {listed(names)}; the table below has the numbers.",
        _caption(fmr, limits, borders),
        table,
        wide=True,
        ends=True,
    )


def recognised(rows: Sequence[ProtectionResult], fmr: str | None) -> Estimate | None:
    """TMR with the stolen key; of templates as they are their own."""
    plain = plain_rows(rows)
    told = [at(getattr(row, name), fmr) for name in ("tmr", "tmr_plain") for row in plain]
    protects = any(setting.protects for setting in by_setting(rows))
    told = told[: len(plain)] if protects else told
    values = [value for value in told if value is not None]
    return next((v for v in values if isinstance(v, Measured)), next(iter(values), None))


def _borders(
    rows: Sequence[ProtectionResult], fmr: str, limits: ProtectionLimits | None
) -> Borders:
    if limits is None:
        return Borders()
    unprotected = [some for key, some in by_setting(rows).items() if not key.protects]
    told = [recognised(some, fmr) for some in unprotected]
    told += [at(row.tmr_plain, fmr) for row in plain_rows(rows)]
    before = next((value.value for value in told if isinstance(value, Measured)), None)
    least = None if before is None or limits.max_loss is None else before - limits.max_loss
    return Borders(
        None if limits.max_sar is None else 100 * limits.max_sar,
        None if least is None else 100 * least,
    )


def _caption(fmr: str, limits: ProtectionLimits | None, borders: Borders) -> str:
    text = (
        f"At FMR {fmr_label(fmr)}. To the right is better recognition, downwards fewer rebuilt "
        "faces get in. One mark for each scheme and attacker: the strongest attack by the upper "
        "end of its interval (Type-I). Lines are 95 % intervals."
    )
    if limits is None:
        return text
    told = []
    if borders.accepted is not None and limits.max_sar is not None:
        told.append(f"an upper bound of SAR of at most {percent(limits.max_sar)}")
    if borders.recognised is not None and limits.max_loss is not None:
        told.append(f"a loss of TMR of at most {percent(limits.max_loss, unit=False)} points")
    return f"{text} Dashed: the limits of this run, {listed(told)}." if told else text


def linkage_charts(rows: Sequence[ProtectionResult], backbone: str, place: int) -> Iterator[Chart]:
    """How much each score between templates under two keys tells, by scheme and linker; ``place``
    keeps the figures of several backbones apart."""
    labels = labels_of(rows)
    drawn: list[tuple[str, Linkage]] = []
    for key, some in by_setting(rows).items():
        drawn += [
            (f"{labels[key]}, {known(linkage.knowledge, keyed=is_keyed(some))}", linkage)
            for linkage in linkages(some)
            if is_drawable(linkage)
        ]
    size = panels_of([linkage for _, linkage in drawn])
    for i in range(0, len(drawn), size):
        part = drawn[i : i + size]
        figure = linkage_panels(part)
        yield Chart(
            f"Scores between templates of {backbone} under two keys",
            inline(svg_text(figure, f"linkage-{place}-{i}")),
            f"Distributions of scores for {listed([label for label, _ in part])}.",
            "The more the two outlines lie on each other, the less a score tells of who belongs "
            "together. D is 0 where a score tells nothing and 1 where it tells all.",
            Table("", ()),
            wide=True,
        )
