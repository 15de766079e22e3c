"""The terms of every weight file that took part in a run."""

from __future__ import annotations

from reports.results import Results
from reports.words import Cell, Table

NOT_TOLD = "not recorded by this run"


def licences_table(results: Results) -> Table:
    """Each file with what it did, its terms and its hash; recognition models of older runs, which
    recorded no files, by their name."""
    table = Table(
        "Terms of the weights that were used", ("Weights", "Used for", "Terms", "SHA-256")
    )
    known = {weight.name for weight in results.weights}
    for weight in results.weights:
        table.rows.append(
            [
                Cell(weight.name, detail=weight.origin, tone="words"),
                Cell(weight.use, tone="words"),
                Cell(weight.licence or NOT_TOLD, tone="words" if weight.licence else "missing"),
                Cell(weight.sha256 or "no file", tone="words" if weight.sha256 else "missing"),
            ]
        )
    inputs = results.provenance.inputs
    for name, model in results.backbones.items():
        if name not in known:
            digest = inputs.get(f"weights.{name}", "")
            table.rows.append(
                [
                    Cell(name, tone="words"),
                    Cell("recognition", tone="words"),
                    Cell(model.licence or NOT_TOLD, tone="words" if model.licence else "missing"),
                    Cell(digest or NOT_TOLD, tone="words" if digest else "missing"),
                ]
            )
    return table
