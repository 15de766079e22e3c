"""Whether an attack works at all: does an unseen judge prefer its faces to the mean face?"""

from __future__ import annotations

from collections.abc import Iterator

from reports.results import AttackResult, Measured, fmr_value

MEAN_FACE = "control:mean"


def failing(attack: AttackResult, mean: AttackResult) -> str:
    """Why an attack counts as not working, or nothing where it works or cannot be told.

    It works where an unseen judge, at the highest FMR that was measured, accepts it more often than
    the mean face with intervals that do not overlap.
    """
    compared = list(_compared(attack, mean))
    if not compared or any((own.low or 0) > (other.high or 0) for _, own, other in compared):
        return ""
    judge, own, other = compared[0]
    return (
        f"not working: {judge}, which it never saw, accepts {_interval(own)} of its faces and "
        f"{_interval(other)} of the mean face"
    )


def _compared(attack: AttackResult, mean: AttackResult) -> Iterator[tuple[str, Measured, Measured]]:
    for name, judge in attack.judges.items():
        if not judge.unseen or name not in mean.judges:
            continue
        others = mean.judges[name].type1
        for fmr in sorted(judge.type1, key=fmr_value, reverse=True):
            own, other = judge.type1[fmr], others.get(fmr)
            if isinstance(own, Measured) and isinstance(other, Measured):
                yield name, own, other
                break


def _interval(rate: Measured) -> str:
    return f"{100 * rate.value:.1f} % ({100 * (rate.low or 0):.1f} to {100 * (rate.high or 0):.1f})"
