"""The report's part on templates that were not read but worked out, and on several of a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reports.results import Estimate, Measured
from reports.search_results import SearchResult
from reports.tables import fmr_keys
from reports.words import DASH, Cell, Table, count, fmr_label, gathered, listed

INTRO = (
    "Here nobody read the templates. The attacker asked how alike each one is to faces of his own, "
    "and worked the template out from the answers (the scores)."
)

_NEVER = 0  # scores


def search_tables(rows: Sequence[SearchResult], fmr: str | None) -> list[Table]:
    """One table for the search by scores, one for fused templates; those that have rows.

    ``fmr`` is the false match rate of the tables, None for the strictest that was measured.
    """
    key = _fmr(rows, fmr)
    tables = [_scores(_of(rows, "scores"), key), _fusion(_of(rows, "fusion"), key)]
    return [gathered(table) for table in tables if table.rows]


def search_sentences(rows: Sequence[SearchResult], fmr: str | None) -> list[str]:
    """What the search is, and from how many scores on it does as well as the template itself."""
    chosen = _of(rows, "scores")
    if not chosen:
        return []
    by_number: dict[int, list[str]] = {}
    for judge in _judges(chosen):
        enough = _enough(chosen, judge, _fmr(rows, fmr))
        if enough is not None:
            by_number.setdefault(enough, []).append(judge)
    return [INTRO, *(_sentence(number, judges) for number, judges in by_number.items())]


def _sentence(number: int, judges: Sequence[str]) -> str:
    if number == _NEVER:
        names = listed(judges, "or")
        return f"No number of scores that was tried does as well with {names} as the template."
    accept = "accepts" if len(judges) == 1 else "accept"
    return (
        f"From {count(number)} scores on, {listed(judges, 'and')} {accept} the reconstructions "
        "about as often as those from the templates themselves."
    )


def _scores(rows: Sequence[SearchResult], fmr: str) -> Table:
    table = _table("Attack by scores alone", rows, fmr, ("Scores", "Rounding"))
    for row in rows:
        if row.scores is None:
            head = [Cell("none: the template itself", tone="strong"), Cell(DASH)]
        else:
            head = [Cell(count(row.scores)), Cell(_rounding(row.decimals))]
        table.rows.append([*head, *_numbers(table, row, rows, fmr)])
    return table


def _fusion(rows: Sequence[SearchResult], fmr: str) -> Table:
    table = _table("Several templates of one person made into one", rows, fmr, ("Templates",))
    for row in rows:
        table.rows.append([Cell(count(row.templates)), *_numbers(table, row, rows, fmr)])
    return table


def _table(caption: str, rows: Sequence[SearchResult], fmr: str, head: Sequence[str]) -> Table:
    if not rows:
        return Table(caption, head)
    rates = [f"{judge}, {kind}" for judge in _judges(rows) for kind in ("Type-I", "Type-II")]
    return Table(
        f"{caption}: {rows[0].attack} on {rows[0].backbone}, accepted at FMR {fmr_label(fmr)}",
        (*head, "Likeness to the true templates", *rates),
    )


def _numbers(table: Table, row: SearchResult, rows: Sequence[SearchResult], fmr: str) -> list[Cell]:
    cells = [table.estimate(row.template_similarity, "number")]
    for name in _judges(rows):
        judge = row.judges.get(name)
        cells.append(table.estimate(judge.type1.get(fmr) if judge else None))
        cells.append(table.estimate(judge.type2.get(fmr) if judge else None))
    return cells


def _enough(rows: Sequence[SearchResult], judge: str, fmr: str) -> int | None:
    """From which number of unrounded scores on Type-I reaches the interval of the template's;
    ``_NEVER`` where none does, None where that cannot be told."""
    itself = next((_type1(row, judge, fmr) for row in rows if row.scores is None), None)
    exact = {row.scores: row for row in rows if row.scores is not None and row.decimals is None}
    if not isinstance(itself, Measured) or itself.low is None or not exact:
        return None
    enough = _NEVER
    for scores in sorted(exact, reverse=True):
        found = _type1(exact[scores], judge, fmr)
        if not isinstance(found, Measured):
            continue
        if found.value < itself.low:
            break
        enough = scores
    return enough


def _type1(row: SearchResult, judge: str, fmr: str) -> Estimate | None:
    found = row.judges.get(judge)
    return found.type1.get(fmr) if found else None


def _fmr(rows: Sequence[SearchResult], fmr: str | None) -> str:
    cells = [cell for row in rows for judge in row.judges.values() for cell in judge.type1.items()]
    keys = fmr_keys(key for key, value in cells if isinstance(value, Measured))
    return fmr or next(reversed(keys), "1e-3")


def _judges(rows: Iterable[SearchResult]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.judges))


def _of(rows: Iterable[SearchResult], part: str) -> list[SearchResult]:
    return [row for row in rows if row.part == part]


def _rounding(decimals: int | None) -> str:
    if decimals is None:
        return "none"
    return f"{decimals} decimal" + ("" if decimals == 1 else "s")
