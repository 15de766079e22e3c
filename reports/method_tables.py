"""The tables of how it was done: the rules of the grade, and provenance."""

from __future__ import annotations

from reports.results import Results
from reports.words import DASH, Cell, Table, percent


def grading_table(results: Results) -> Table:
    """From success rate to grade; no rows where the run does not say."""
    rules = results.grading
    if rules is None:
        return Table("", ())
    table = Table(f"Cut-offs of {rules.date}", ("Grade", "Success rate at most", "Because"))
    for grade, cutoff in sorted(rules.cutoffs.items()):
        table.rows.append(
            [Cell(grade), Cell(percent(cutoff.at_most)), Cell(cutoff.why, tone="words")]
        )
    table.rows.append([Cell("F"), Cell("above"), Cell("more than that", tone="words")])
    table.below.append(f"Measure: {rules.measure}.")
    table.below.append(
        f"Without an unseen judge {rules.best_without_unseen_judge} is the best grade: "
        f"{rules.why_capped}."
    )
    return table


def provenance_table(results: Results) -> Table:
    """What is needed to run it again."""
    source = results.provenance
    table = Table("Provenance", ("", ""))
    facts = [
        ("faceleak", source.faceleak),
        ("Python", source.python),
        ("PyTorch", source.torch or DASH),
        ("Device", source.device),
        ("Seed", str(source.seed)),
        ("Judges consulted in choosing settings", ", ".join(source.judges_consulted) or "none"),
        *((f"Input: {name}", digest) for name, digest in source.inputs.items()),
        *((f"Package: {name}", version) for name, version in source.packages.items()),
    ]
    table.rows = [[Cell(name), Cell(value)] for name, value in facts]
    return table
