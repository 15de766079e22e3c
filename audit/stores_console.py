"""What ``faceleak stores inspect`` prints, laid out for 80 columns.

Everything that comes from the store is cleaned of control characters first: a store is hostile, and
a terminal obeys them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from audit.failures import clean
from audit.stores_tools import InspectedStore
from biometrics.stores.base import StoreFacts
from biometrics.stores.fingerprint import TOO_FEW, UNKNOWN
from biometrics.stores.inspection import CollectionFigures, Inspection

LABEL = 11
"""Width of the left column."""

SHOWN = 12
"""Collections, rows that cannot be read, and evidence that are shown; the others are counted."""

Line = tuple[str, Text]


def show_store(found: InspectedStore, console: Console) -> None:
    """What it is, what it holds, what made the templates, and what to do next."""
    inspection = found.inspection
    console.print()
    console.print(_text(inspection.source, "bold"))
    console.print(_grid(_about(inspection)))
    if inspection.collections:
        console.print()
        console.print(_templates(inspection))
        for place, figures in enumerate(inspection.collections[:SHOWN]):
            console.print()
            if len(inspection.collections) > 1:
                console.print(_text(figures.collection.name, "bold"))
            console.print(_grid(_details(found, place, figures)))
        if (more := len(inspection.collections) - SHOWN) > 0:
            console.print(_text(f"\n{more:,} more; --json has all of them", "dim"))
    console.print()
    console.print(_grid(_end(found)))


def _about(inspection: Inspection) -> Iterator[Line]:
    facts = inspection.facts
    product = f"{facts.product}, {facts.family}" if facts.family else facts.product
    yield "product", _text(product)
    yield "form", _text(facts.form)
    if facts.evidence:
        yield "evidence", _text("; ".join(facts.evidence[:SHOWN]))
    tables = [f"{name} {count:,}" for name, count in list(facts.rows.items())[:SHOWN]]
    if tables:
        yield "rows", _text(", ".join(tables))
    pictures = sum(facts.pictures.values())
    where = ", ".join(name for name, count in facts.pictures.items() if count)
    if pictures:
        said = f"{pictures:,} kept beside the templates ({where})"
        yield "pictures", _text(said, "yellow")
    elif facts.product != "pictures-only":
        yield "pictures", _text("none")
    names = max((figures.names for figures in inspection.collections), default=0)
    if inspection.collections:
        yield "names", _text(f"of {names:,} people", "yellow") if names else _text("none")
    yield "protection", _protection(facts)
    for note in facts.notes[:SHOWN]:
        yield "note", _text(note)


def _protection(facts: StoreFacts) -> Text:
    words = {True: "encrypted", False: "plain: not encrypted", None: "encryption cannot be seen"}
    said = [words[facts.encrypted]]
    if facts.stock_password:
        said.append("the product's standard password opens it")
    if facts.executable:
        said.append("runs code of whoever wrote it, when opened as its product does")
    bad = facts.encrypted is False or facts.stock_password or facts.executable
    return _text("; ".join(said), "yellow" if bad else "")


def _templates(inspection: Inspection) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("templates", overflow="fold")
    for heading in ("rows", "D"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("stored as", overflow="fold")
    table.add_column("length", no_wrap=True)
    table.add_column("subjects", justify="right", no_wrap=True)
    for figures in inspection.collections[:SHOWN]:
        table.add_row(
            _text(figures.collection.name),
            f"{figures.rows:,}",
            str(figures.collection.dim),
            _text(figures.collection.stored_as),
            _length(figures),
            f"{figures.subjects:,}" if figures.subjects else "-",
        )
    return table


def _length(figures: CollectionFigures) -> str:
    mean, std = figures.norms.mean, figures.norms.std
    if mean is None or std is None:
        return "-"
    return f"{mean:.3g} ± {std:.1g}" if std >= 5e-4 * mean else f"{mean:.3g}, all alike"


def _details(found: InspectedStore, place: int, figures: CollectionFigures) -> Iterator[Line]:
    said, recognition = found.judgements[place], found.recognitions[place]
    yield "rows", _sound(figures)
    if figures.low is not None and figures.high is not None:
        yield "values", _text(f"{figures.low:.3g} to {figures.high:.3g}{_stored(figures)}")
    if figures.subjects:
        yield "subjects", _text(_subjects(figures))
    if said.means:
        yield "means", _text(said.means)
    if recognition is not None:
        known = recognition.backbone not in (UNKNOWN, TOO_FEW)
        name = _text(recognition.backbone, "bold" if known else "yellow")
        if recognition.best is not None:
            name.append(f", {recognition.best.form.name}", style="")
        yield "backbone", name
        yield "", _text(recognition.why, "dim")
    family = said.family
    end = f": {family.name}" if family.name and family.name not in family.evidence else ""
    yield "by length", _text(f"{family.evidence}{end}")
    for claim in said.claims:
        yield "claimed", _text(claim)
    for contradiction in found.contradictions(place):
        yield "but", _text(contradiction, "yellow")


def _sound(figures: CollectionFigures) -> Text:
    wrong = {
        "with NaN": figures.nan,
        "with infinite values": figures.infinite,
        "of zeros": figures.zero,
        "of one value": figures.constant,
        "equal to an earlier one": figures.duplicates,
    }
    parts = [f"{count:,} {what}" for what, count in wrong.items() if count]
    return _text(", ".join(parts), "yellow") if parts else _text("all sound, all different")


def _stored(figures: CollectionFigures) -> str:
    grids, said = figures.grids, ""
    if figures.non_negative > 0.99:
        said += ", none negative"
    if figures.min_max_scaled:
        said += ", min-max scaled"
    if grids is None:
        return said
    if grids.levels <= 2 < grids.rows:
        said += ", two levels a dimension (1 bit)"
    elif grids.eight_bits > 0.99 or (grids.levels <= 256 < grids.rows / 2):
        said += ", in steps of 8 bits"
    elif grids.two_decimals > 0.99:
        said += ", rounded to 2 decimals"
    elif grids.float16 > 0.99:
        said += ", at half precision"
    return said


def _subjects(figures: CollectionFigures) -> str:
    said = [
        f"{count:,} with {what}"
        for what, count in (("one template", figures.single), ("several", figures.several))
        if count
    ]
    if figures.several:
        said[-1] += f" (up to {figures.most:,})"
    if figures.without_subject:
        said.append(f"{figures.without_subject:,} rows of nobody named")
    return ", ".join(said)


def _end(found: InspectedStore) -> Iterator[Line]:
    inspection, tally = found.inspection, found.inspection.tally
    total = tally.read + tally.lost
    if inspection.broken:
        yield "broken", _text(inspection.broken, "red")
    if total:
        share = f"{tally.read:,} of {total:,} rows read"
        shown = f"{share} ({100 * tally.coverage:.2f} %)" if tally.lost else share
        if tally.empty:
            shown += f"; {tally.empty:,} more hold no template yet"
        yield "coverage", _text(shown, "red" if tally.lost else "")
    reasons = sorted(tally.unreadable.items(), key=lambda item: -item[1])[:SHOWN]
    for why, count in reasons:
        yield "", _text(f"{count:,}: {why}", "red")
    if tally.examples:
        yield "", _text(f"first: {tally.examples[0]}", "dim")
    yield from _next(found)


def _next(found: InspectedStore) -> Iterator[Line]:
    main, answers = found.inspection.main, [r for r in found.recognitions if r is not None]
    place = clean(found.location)
    if main is None and found.inspection.facts.product == "pictures-only":
        yield "next", _text("no templates to invert: the pictures themselves are what leaks")
    elif main is None or not main.sound:
        yield "next", _text("nothing to invert: no sound template was read")
    elif found.backbone is not None:
        yield "next", _text(f"faceleak audit --store {place} --backbone {found.backbone}", "bold")
    else:
        if answers and all(answer.backbone == TOO_FEW for answer in answers):
            said = "if you know the model, name it:"
        else:
            said = "try a model of yours (faceleak backbones lists them):"
        yield "next", _text(said)
        yield "", _text(f"faceleak stores inspect {place} --backbone NAME", "bold")


def _grid(lines: Iterator[Line] | Sequence[Line]) -> Table:
    """Labels and what belongs to them; a label that comes again is left out."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=LABEL, no_wrap=True)
    grid.add_column(overflow="fold")
    last = ""
    for label, text in lines:
        grid.add_row(Text("" if label == last else label, style="dim"), text)
        last = label
    return grid


def _text(text: str, style: str = "") -> Text:
    return Text("\n".join(clean(line) for line in text.split("\n")), style=style)
