"""What a report says of a leaked store: what it is, what is in it, and what was worked out from
templates alone."""

from __future__ import annotations

from collections.abc import Iterator

from reports.results import (
    EVERYBODY_FACTOR,
    Results,
    StoreCollection,
    StoreSummary,
    far_above_nominal,
)
from reports.tables import fmr_keys
from reports.words import DASH, Cell, Table, count, fmr_label, listed, number, percent

_UNKNOWN = "unknown"
_SHOWN_COLLECTIONS = 40
LOOSE = (
    f"The prediction is loose here: strangers agree with it more than {EVERYBODY_FACTOR:g} times "
    "as often as the FMR allows, so agreement says little."
)


def store_table(store: StoreSummary) -> Table:
    """The facts, one a line."""
    table = Table("", ("", ""))
    table.rows = [[Cell(name), Cell(value)] for name, value in _facts(store) if value]
    return table


def _facts(store: StoreSummary) -> Iterator[tuple[str, str]]:
    product = store.kind + (f", {store.family}" if store.family else "")
    yield "Store", store.name
    yield "Product", product
    yield "Form", store.form
    yield "Taken for this because", "; ".join(store.evidence)
    yield "Templates", count(store.n_templates)
    yield "People", _people(store)
    yield "Readable names", count(store.n_named) if store.n_named else "none"
    pictures = [f"{count(n)} in {where}" for where, n in store.pictures.items()]
    yield "Pictures beside the templates", listed(pictures) if pictures else "none"
    yield "Numbers in a template", _UNKNOWN if store.dim is None else str(store.dim)
    yield "Made by", store.backbone or (f"{store.model} (not confirmed)" if store.model else "")
    yield "Length 1", {True: "yes", False: "no, raw", None: _UNKNOWN}[store.normalised]
    yield "Encrypted", {True: "yes", False: "no", None: _UNKNOWN}[store.encrypted]
    yield "Standard password", {True: "opens it", False: "no", None: ""}[store.stock_password]
    yield "Runs code when opened", "yes, it is a pickle" if store.executable else ""
    yield "Rows that could be read", "" if store.coverage is None else percent(store.coverage)
    yield "Rows without a template", count(store.empty_rows) if store.empty_rows else ""
    for reason, rows in store.unreadable.items():
        yield "Unreadable", f"{count(rows)}: {reason}"
    for problem in store.problems:
        yield "Problem", problem
    if store.n_audited_templates:
        parts = [store.audited, f"{count(store.n_audited_subjects)} people"]
        if store.n_audited_of_nobody:
            parts.append(f"{count(store.n_audited_of_nobody)} of them of nobody known")
        yield "Audited", ", ".join([f"{count(store.n_audited_templates)} templates", *parts])
    yield "Authorised by", store.authorised_by
    yield "Purpose", store.purpose
    yield "SHA-256", store.sha256 or DASH


def _people(store: StoreSummary) -> str:
    return "the store does not say" if store.n_subjects is None else count(store.n_subjects)


def collections_table(store: StoreSummary) -> Table:
    """The parts of the store, and what is wrong with their rows."""
    table = Table(
        "Templates that lie together",
        ("Where", "Rows", "D", "Stored as", "Length", "People", "Unusable", "Twice", "Probably"),
    )
    for part in store.collections[:_SHOWN_COLLECTIONS]:
        table.rows.append(_collection_row(part))
    left = len(store.collections) - _SHOWN_COLLECTIONS
    if left > 0:
        table.below.append(f"{count(left)} more are not shown; results.json has them.")
    return table


def _collection_row(part: StoreCollection) -> list[Cell]:
    length = DASH if part.norm_mean is None else number(part.norm_mean)
    spread = "" if part.norm_std is None else f"± {number(part.norm_std)}"
    unusable = part.nan_rows + part.zero_rows + part.constant_rows
    return [
        Cell(part.name, detail=part.model),
        Cell(count(part.rows), detail="means" if part.mean else ""),
        Cell(str(part.dim)),
        Cell(part.stored_as or DASH),
        Cell(length, detail=spread),
        Cell(DASH if part.subjects is None else count(part.subjects)),
        Cell(count(unusable), tone="flag" if unusable else ""),
        Cell(count(part.duplicate_rows), tone="flag" if part.duplicate_rows else ""),
        Cell(part.backbone or _UNKNOWN, detail="; ".join(part.evidence), tone="words"),
    ]


def predicted_table(store: StoreSummary) -> Table:
    """Other judges by way of predicted templates, each beside the prediction's own calibration."""
    table = Table(
        "Other models, asked by way of predicted templates",
        (
            "Model",
            "FMR",
            "Agrees with the reconstruction",
            "Agrees with the true face (calibration)",
            "Agrees with strangers (calibration)",
        ),
    )
    for part in store.predicted:
        keys = fmr_keys([*part.agreement, *part.same_picture])
        for i, key in enumerate(keys):
            row = [Cell(part.judge, detail=f"map of {count(part.pairs)} pairs", rows=len(keys))]
            row = row if i == 0 else []
            flag = LOOSE if far_above_nominal(part.strangers.get(key), key) else ""
            row += [
                Cell(fmr_label(key)),
                table.estimate(part.agreement.get(key), flag=flag),
                table.estimate(part.same_picture.get(key)),
                table.estimate(part.strangers.get(key), flag=flag),
            ]
            table.rows.append(row)
    return table


def attributes_table(store: StoreSummary) -> Table:
    """What templates say of the people without any picture."""
    table = Table(
        "Attributes read off the templates",
        ("Attribute", "Balanced accuracy", "Guessing", "Labels permuted", "People in each class"),
    )
    for leak in store.attributes:
        classes = [f"{name} {count(n)}" for name, n in leak.classes.items()]
        chance = DASH if len(leak.classes) < 2 else percent(1 / len(leak.classes))
        most = "" if leak.majority is None else f"plain accuracy {percent(leak.majority)}"
        table.rows.append(
            [
                Cell(leak.attribute, detail=leak.note),
                table.estimate(leak.balanced_accuracy),
                Cell(chance, detail=most),
                table.estimate(leak.permuted),
                Cell(", ".join(classes) or DASH, tone="words"),
            ]
        )
    return table


def apart_table(store: StoreSummary) -> Table:
    """What is known of the whole store rather than of one template."""
    table = Table("Among the people of the store", ("", "Share"))
    table.rows.append(
        [
            Cell(
                "Reconstructions nearest to their own person",
                detail="of everybody audited; the leaked template itself is among those compared",
            ),
            table.estimate(store.told_apart),
        ]
    )
    for key in fmr_keys(store.all_pairs_rate):
        table.rows.append(
            [
                Cell(
                    f"Pairs of templates over the threshold at FMR {fmr_label(key)}",
                    detail="not everybody is named, so this is an upper bound of the FMR here",
                ),
                table.estimate(store.all_pairs_rate[key]),
            ]
        )
    return table


def store_context(results: Results) -> dict[str, object]:
    """What the page needs of the store; empty where there is none."""
    store = results.store
    if store is None:
        return {"store": None, "store_tables": [], "store_beyond": [], "predicted": Table("", ())}
    beyond = [attributes_table(store)]
    if results.attacks:
        beyond.insert(0, apart_table(store))
    return {
        "store": store_table(store),
        "store_tables": [t for t in (collections_table(store),) if t.rows],
        "store_beyond": [t for t in beyond if t.rows],
        "predicted": predicted_table(store),
    }
