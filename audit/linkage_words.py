"""What linking two stores found, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from audit.linkage import StoreLinkage
from biometrics.metrics.intervals import Measured, NotMeasured
from biometrics.metrics.linkage import LinkedAt


def sentences(found: StoreLinkage) -> Iterator[str]:
    """Lines for a console."""
    first, second = found.linkage.subjects
    yield (
        f"{first:,} people of the first store were compared with {second:,} of the second; "
        f"{found.linkage.shared:,} are in both by their labels."
    )
    one, two = found.backbones
    if one and one == two:
        yield f"Both hold templates of {one}."
    elif one or two:
        yield f"The first holds templates of {one or 'an unknown model'}, the second of " + (
            f"{two or 'an unknown model'}."
        )
    if found.linkage.shared:
        yield (
            f"Found again: of {_rate(found.linkage.rank1)} the most similar person of the other "
            f"store is the right one (rank 1), of {_rate(found.linkage.rank10)} one of the ten "
            "most similar."
        )
    given = "the backbone's threshold" if found.calibrated is None else "the map's threshold"
    yield from _thresholds(found.linkage.given, given)
    yield from _thresholds(found.linkage.own, "a threshold from the stores themselves")
    if (made := found.calibrated) is not None:
        yield (
            f"The map predicts {made.map.explained:.0%} of the templates' variance; of "
            f"{made.held_out.shared:,} sampled people held out, {_rate(made.held_out.rank1)} are "
            "found at rank 1 through it."
        )
    yield from found.notes


def _thresholds(found: Mapping[float, LinkedAt | NotMeasured], what: str) -> Iterator[str]:
    for fmr, at in found.items():
        if isinstance(at, NotMeasured):
            yield f"At FMR {fmr:g}, {what}: not measured ({at.reason})."
            continue
        yield (
            f"At FMR {fmr:g}, {what}: {at.pairs:,} pairs are linked, where about "
            f"{_count(at.expected_false)} would be by chance; {at.people:,} people of the first "
            "store are in such a pair."
        )
        if at.right is not None:
            yield (
                f"  Of the people in both {_rate(at.tmr)} are linked to themselves; realised FMR "
                f"{_rate(at.fmr, 3)}."
            )


def _count(expected: float) -> str:
    return f"{expected:,.1f}" if expected < 10 else f"{expected:,.0f}"


def _rate(fact: Measured, digits: int = 1) -> str:
    if isinstance(fact, NotMeasured):
        return f"an unknown share ({fact.reason})"
    value = f"{100 * fact.value:.{digits}f} %"
    if fact.low is None or fact.high is None:
        return value
    return f"{value} [{100 * fact.low:.{digits}f} - {100 * fact.high:.{digits}f}]"
