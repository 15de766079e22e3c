"""What an attacker spends: learning once, and then a moment for each template."""

from __future__ import annotations

from reports.results import AttackResult, Results
from reports.words import DASH, NBSP, Cell, Table, count, number


def cost_table(results: Results) -> Table:
    """Training and speed of every attack; controls, which nobody would run, are left out."""
    counted = any(a.training is not None and a.training.memory for a in results.attacks)
    table = Table(
        "What the attacks cost",
        (
            "Attack",
            "Parameters",
            "Pictures in a pass",
            "Passes",
            "Steps",
            *(["Memory of a step"] if counted else []),
            "Learning",
            "Templates a second",
            "Side of a picture",
        ),
    )
    for attack in results.attacks:
        if not attack.control:
            table.rows.append([Cell(attack.attack, tone="strong"), *_costs(table, attack, counted)])
    return table


def _costs(table: Table, attack: AttackResult, counted: bool) -> list[Cell]:
    training, side = attack.training, attack.picture_size
    rate = attack.templates_per_second
    if training is None:
        why = "Solved or drawn directly: nothing is trained step by step."
        steps = [Cell(DASH, note=table.note(why)), *(Cell(DASH),) * (3 + counted)]
    else:
        steps = [
            Cell(count(training.parameters)),
            Cell(count(training.pairs)),
            Cell(count(training.passes)),
            Cell(count(training.steps)),
            *([Cell(_mebibytes(training.memory))] if counted else []),
        ]
    return [
        *steps,
        Cell(duration(attack.seconds.fit)),
        Cell(DASH if rate is None else number(rate)),
        Cell(DASH if side is None else f"{side}{NBSP}px"),
    ]


def _mebibytes(size: int | None) -> str:
    return DASH if size is None else f"{number(size / 2**20)}{NBSP}MiB"


def duration(seconds: float | None) -> str:
    """``12.4 s``, ``3 min 20 s``, ``5 h 12 min``; a dash where the step did not run."""
    if seconds is None:
        return DASH
    if seconds < 60:
        return f"{number(seconds)}{NBSP}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{NBSP}min {rest}{NBSP}s"
    return f"{minutes // 60}{NBSP}h {minutes % 60}{NBSP}min"
