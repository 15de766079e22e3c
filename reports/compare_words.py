"""What a comparison of backbones says in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from reports.results import CompareResult, CompareRow, Estimate, Measured, ProjectionCheck
from reports.tables import fmr_keys
from reports.words import NBSP, fmr_label, interval, listed, main, number, one_in

NO_JUDGE = (
    "No single unseen judge exists for all rows, so each row has its own and rows are not strictly "
    "comparable."
)
NO_PICTURE = (
    "No picture is made here: both sides come from one template. A linear map turns a template of "
    "one model into one of another, so these numbers say how much two models have in common, not "
    "how well a face is rebuilt, and they are never a headline. Read them beside the columns of "
    "calibration: what the judge's own templates of photographs reach on the same pairs, and how "
    "often a mapped template passes for somebody else."
)
PROJECTION_SLACK = 0.5  # dB below the projection at which the positive control still holds


def shown_fmr(compare: CompareResult) -> str | None:
    """The FMR at which rows are ranked; without one, the strictest at which a row was measured."""
    if compare.fmr is not None:
        return compare.fmr
    cells = [cell for row in compare.rows for cell in row.sar.items()]
    return next(
        reversed(fmr_keys(key for key, value in cells if isinstance(value, Measured))), None
    )


def verdict_of(compare: CompareResult) -> str:
    """Which row leaks most and which least, by which judge, at which FMR; ties are said."""
    measured = [row for row in compare.rows if isinstance(row.headline, Measured)]
    ranked = [row for row in measured if row.rank]
    if not measured:
        reasons = dict.fromkeys(_reason(row) for row in compare.rows)
        why = f": {'; '.join(reasons)}" if reasons else ""
        return f"Nothing could be ranked{why}."
    sentences = [] if compare.judge or len(measured) == 1 else [NO_JUDGE]
    if len(measured) == 1:
        row = measured[0]
        sentences.append(f"Only {row.name} was measured: {_accepted(compare, measured)}.")
    elif not ranked:
        names = listed([row.name for row in measured])
        sentences.append(f"{names} were not ranked: {_accepted(compare, measured)}.")
    else:
        sentences += _extremes(compare, ranked)
    missing = [row for row in compare.rows if row not in (ranked or measured)]
    sentences += [f"{row.name} was not ranked: {_reason(row)}." for row in missing]
    return " ".join(sentences)


def caveat_of(compare: CompareResult) -> str:
    """What stands beside the verdict where another judge does not agree with it; else empty."""
    first, *more = reversals(compare) or [""]
    if not more:
        return first
    return f"{first} {len(more)} more such {'pair' if len(more) == 1 else 'pairs'}: see the notes."


def reversals(compare: CompareResult) -> list[str]:
    """Sentences on pairs of rows that another unseen judge puts the other way round: an order that
    one judge gives may be its own."""
    fmr = shown_fmr(compare) or ""
    told = {(c.source, c.judge): c.type1.get(fmr) for c in compare.matrix if c.unseen}
    found = []
    for judge in dict.fromkeys(cell.judge for cell in compare.matrix):
        for upper, lower in combinations([row for row in compare.rows if row.rank], 2):
            first, second = (told.get((row.name, judge)) for row in (upper, lower))
            if upper.rank == lower.rank or judge in (upper.judge, lower.judge):
                continue
            if not isinstance(first, Measured) or not isinstance(second, Measured):
                continue
            if second.value > first.value:
                found.append(
                    f"The order depends on the judge: {judge}, which no attack on either saw, "
                    f"accepts {main(second, 'rate')} of the faces from {lower.name} and "
                    f"{main(first, 'rate')} of those from {upper.name} at FMR {fmr_label(fmr)}."
                )
    return found


def scale_note(compare: CompareResult) -> str:
    """What the bars at the top count."""
    fmr = shown_fmr(compare)
    by = compare.judge or "each row's own judge"
    return f"Accepted by {by}" + (f" at FMR {fmr_label(fmr)}" if fmr else "")


def counted_how(compare: CompareResult) -> str:
    """What rows are ranked by, for a reader who knows none of the words."""
    fmr = shown_fmr(compare)
    who = (
        f"{compare.judge}, a recognition model that took no part in any attack,"
        if compare.judge
        else "a recognition model (each row has its own, named in the table)"
    )
    where = f", at a threshold where {one_in(fmr)} is accepted too" if fmr else ""
    return (
        f"Ranked by how many of the faces rebuilt from leaked templates {who} accepts as the right "
        f"person{where}; compared with the very picture whose template leaked. Of each row the "
        "attack that this judge accepts most counts."
    )


def sign_of(value: Estimate | None) -> int | None:
    """1 or -1 where the interval lies above or below 0, 0 where it holds 0; None without one."""
    if not isinstance(value, Measured) or value.low is None or value.high is None:
        return None
    return int(value.low > 0) - int(value.high < 0)


def difference_words(left: str, right: str, value: Estimate | None) -> str:
    """A paired difference of success rates in words."""
    sign = sign_of(value)
    if sign is None:
        return "not measured" if not isinstance(value, Measured) else "no interval"
    if sign == 0:
        return "not clear: the interval holds 0"
    return f"clear: {left if sign > 0 else right} leaks more"


def projection_says(check: ProjectionCheck) -> str:
    """Whether the positive control holds."""
    if not isinstance(check.difference, Measured):
        return f"The control was not measured: {check.difference.not_measured}."
    gap = check.difference.value
    where = f"{number(abs(gap))}{NBSP}dB {'below' if gap < 0 else 'above'} the projection"
    if gap >= -PROJECTION_SLACK:
        return (
            f"The control holds: pictures made from templates lie {where}, within "
            f"{PROJECTION_SLACK:g}{NBSP}dB of all that these templates hold."
        )
    return (
        f"The control fails: pictures made from templates lie {where}, more than "
        f"{PROJECTION_SLACK:g}{NBSP}dB. The attack leaves behind what templates hold, so its other "
        "rows are too low as well."
    )


def _extremes(compare: CompareResult, ranked: Sequence[CompareRow]) -> Iterator[str]:
    most = [row for row in ranked if row.rank == min(r.rank for r in ranked)]
    least = [row for row in ranked if row.rank == max(r.rank for r in ranked)]
    if len(most) == len(ranked):
        names = listed([row.name for row in most])
        if len(most) == 1:
            yield f"Only {names} was ranked: {_accepted(compare, most)}."
        else:
            yield f"{names} cannot be told apart: {_accepted(compare, most)}."
        yield from _inside(compare, most)
        return
    yield f"{_leaks(most, 'most')}: {_accepted(compare, most)}."
    yield from _inside(compare, most)
    values = _values(least) if compare.judge else _each(least)
    yield f"{_leaks(least, 'least')}: {values}."
    yield from _inside(compare, least)


def _leaks(rows: Sequence[CompareRow], how: str) -> str:
    names = listed([row.name for row in rows])
    if len(rows) == 1:
        return f"{names} leaks {how}"
    return f"{names} leak {how} and cannot be told apart"


def _inside(compare: CompareResult, rows: Sequence[CompareRow]) -> Iterator[str]:
    """Clear differences between rows that share a rank: a tie is no chain of equals."""
    fmr = shown_fmr(compare)
    for one, two in combinations([row.name for row in rows], 2):
        for pair in compare.differences:
            sign = sign_of(pair.sar.get(fmr or ""))
            if {pair.left, pair.right} == {one, two} and sign:
                more, less = (pair.left, pair.right) if sign > 0 else (pair.right, pair.left)
                yield f"Of these, {more} leaks clearly more than {less}."


def _accepted(compare: CompareResult, rows: Sequence[CompareRow]) -> str:
    """``faceleak-mini accepts 62.1 % (59 – 65) of the faces rebuilt from its templates``."""
    fmr = shown_fmr(compare)
    said = f"{compare.judge} accepts {_values(rows)}" if compare.judge else _each(rows)
    whose = "its" if len(rows) == 1 else "their"
    at = f" at FMR{NBSP}{fmr_label(fmr)}" if fmr else ""
    return f"{said} of the faces rebuilt from {whose} templates{at}"


def _values(rows: Sequence[CompareRow]) -> str:
    return listed([_value(row.headline) for row in rows])


def _each(rows: Sequence[CompareRow]) -> str:
    """Each value with the judge that it is by."""
    return listed([f"{_judge(row)} accepts {_value(row.headline)}" for row in rows])


def _judge(row: CompareRow) -> str:
    if row.judge and row.judge == row.target:
        return f"{row.judge} itself"
    return row.judge or "its judge"


def _value(value: Estimate) -> str:
    if not isinstance(value, Measured):
        return value.not_measured
    spread = interval(value)
    return main(value, "rate") + (f" ({spread})" if spread else "")


def _reason(row: CompareRow) -> str:
    value = row.headline
    return (
        "its differences were not measured" if isinstance(value, Measured) else value.not_measured
    )
