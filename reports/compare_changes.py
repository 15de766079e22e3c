"""What a change did, before and after, in sentences and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.compare_words import shown_fmr, sign_of, verdict_of
from reports.results import CompareChange, CompareResult, Measured
from reports.tables import told_keys
from reports.words import Cell, Table, fmr_label, gathered, interval, listed, main

MEASURES = {"type1": "Type-I", "type2": "Type-II"}
_OUTCOMES = {1: "regression", 0: "not clear", -1: "improvement"}
_SIGNS = {1: "▲", 0: "=", -1: "▼"}
MANY = (
    "Many differences are shown, each with its own 95 % interval: one in twenty leaves 0 out by "
    "chance where nothing changed."
)


def change_verdict(compare: CompareResult) -> str:
    """What became of the strongest attack of each later run, then every regression by name."""
    fmr = shown_fmr(compare) or ""
    sentences = []
    for after in dict.fromkeys(change.after for change in compare.changes):
        some = [change for change in compare.changes if change.after == after]
        sentences += [_headline(compare, some, fmr), _regressions(some, fmr)]
    return " ".join(sentences)


def verdict(compare: CompareResult) -> str:
    """What stands first on the page: what changed, or where targets differ which leaks most."""
    return change_verdict(compare) if compare.changes else verdict_of(compare)


def outcome_of(change: CompareChange, fmr: str) -> str:
    """``regression`` where clearly more is accepted than before, ``improvement`` where clearly
    less, ``not clear`` where the interval holds 0, ``not measured``."""
    sign = sign_of(change.difference.get(fmr))
    return "not measured" if sign is None else _OUTCOMES[sign]


def regressions(changes: Sequence[CompareChange], fmr: str) -> list[CompareChange]:
    """The changes by which clearly more is accepted than before."""
    return [change for change in changes if sign_of(change.difference.get(fmr)) == 1]


def settings_table(compare: CompareResult) -> Table:
    """What differs between the runs."""
    table = Table("Settings that differ", ("Setting", "Before", "After"))
    several = len({setting.run for setting in compare.settings}) > 1
    for setting in compare.settings:
        name = Cell(setting.key, detail=setting.run if several else "", tone="strong")
        table.rows.append([name, Cell(setting.before), Cell(setting.after)])
    return gathered(table)


def change_tables(compare: CompareResult) -> list[Table]:
    """One table for each later run, the strongest attacks first, every FMR."""
    found = []
    for after in dict.fromkeys(change.after for change in compare.changes):
        some = [change for change in compare.changes if change.after == after]
        table = Table(
            f"From {some[0].before} to {after}",
            ("Attack", "Judge", "Measure", "FMR", "Before", "After", "Change", "Outcome"),
        )
        keys = told_keys(table, [c.difference for c in some])
        for change in sorted(some, key=_order):
            for i, key in enumerate(keys):
                head = _head(change, len(keys)) if i == 0 else []
                sign = sign_of(change.difference.get(key))
                mark = "" if sign is None else f"{_SIGNS[sign]} "
                outcome = Cell(
                    mark + outcome_of(change, key), tone="flag" if sign == 1 else "words"
                )
                cells = [
                    table.estimate(change.was.get(key)),
                    table.estimate(change.now.get(key)),
                    table.estimate(change.difference.get(key), "margin"),
                ]
                table.rows.append([*head, Cell(fmr_label(key)), *cells, outcome])
        table.below.append(MANY)
        found.append(gathered(table))
    return found


def _order(change: CompareChange) -> tuple[bool, bool]:
    return (not change.which, not change.unseen)


def _head(change: CompareChange, rows: int) -> list[Cell]:
    seen = "unseen" if change.unseen else "took part, or is the attacked model"
    return [
        Cell(attacks_of(change), rows=rows, tone="strong"),
        Cell(change.judge, detail=seen, rows=rows),
        Cell(MEASURES[change.measure], rows=rows),
    ]


def attacks_of(change: CompareChange) -> str:
    """The attack, or the strongest of each side."""
    if not change.which:
        return change.attack_after
    if change.attack_before == change.attack_after:
        return f"strongest: {change.attack_after}"
    return f"strongest: {change.attack_before}, then {change.attack_after}"


def _headline(compare: CompareResult, some: Sequence[CompareChange], fmr: str) -> str:
    after = some[0].after
    strongest = [c for c in some if c.which and c.measure == "type1"]
    judge = compare.judge or next((row.judge for row in compare.rows if row.judge), "")
    chosen = next((c for c in strongest if c.judge == judge), None)
    if chosen is None:
        return f"{after}: what changed was not measured."
    was, now, change = (v.get(fmr) for v in (chosen.was, chosen.now, chosen.difference))
    known = isinstance(was, Measured) and isinstance(now, Measured)
    if not known or not isinstance(change, Measured):
        return f"{after}: what changed was not measured at FMR {fmr_label(fmr)}."
    assert isinstance(was, Measured)
    assert isinstance(now, Measured)
    how = {1: "More leaks than before", -1: "Less leaks than before"}.get(
        sign_of(change) or 0, "No clear change"
    )
    spread = interval(change, "margin")
    return (
        f"{how} ({after}): of the faces that the strongest attack rebuilds {chosen.judge} accepted "
        f"{main(was, 'rate')} and accepts {main(now, 'rate')} at FMR {fmr_label(fmr)}, "
        f"{main(change, 'margin')}" + (f" ({spread})" if spread else "") + "."
    )


def _regressions(some: Sequence[CompareChange], fmr: str) -> str:
    worse = list(_named(regressions(some, fmr), fmr))
    if worse:
        return f"Clearly worse: {listed(worse)}."
    measured = any(outcome_of(change, fmr) != "not measured" for change in some)
    return "Nothing became clearly worse." if measured else "Nothing could be compared."


def _named(worse: Sequence[CompareChange], fmr: str) -> Iterator[str]:
    for change in worse:
        value = change.difference[fmr]
        assert isinstance(value, Measured)  # a regression is a measured one
        yield (
            f"{attacks_of(change)} as {change.judge} sees it, {MEASURES[change.measure]} "
            f"{main(value, 'margin')}"
        )
