"""Which measured numbers of a run speak to a requirement.

A selector names a measurement, who judged, and the false match rate. Controls never speak, and a
judge that is neither the attacked model nor unseen does not either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import model_validator

from reports.compliance.facts import (
    across_models,
    attribute_gain,
    names_beside,
    pictures_beside,
    realised_fmr,
    recognition,
    unencrypted,
)
from reports.compliance.found import (
    Evidence,
    Judge,
    Tried,
    acceptances,
    heard_by,
    overheard,
    stressed,
    tried,
)
from reports.compliance.protected import (
    linkability,
    protected,
    protected_recognition,
    reductions,
)
from reports.protection_select import REVOKED
from reports.results import FmrKey, Measured, Model, NotMeasured, Results
from reports.stress_select import shown_fmr
from reports.words import Kind, listed

QUICK = "this was a quick run, so the attack was trained on a part of the data"


class Selector(Model):
    """Which numbers speak.

    Attributes:
        measure: one of :data:`MEASUREMENTS`.
        judge: the attacked model itself, those that the attack never saw, or either.
        fmr: the headline's (else the strictest that was measured), or one by name.
    """

    measure: str
    judge: Judge | None = None
    fmr: Literal["headline"] | FmrKey | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.measure not in MEASUREMENTS:
            raise ValueError(f"no measure '{self.measure}'; known: {listed(sorted(MEASUREMENTS))}")
        kind = MEASUREMENTS[self.measure]
        if (self.judge is not None) is not kind.judged:
            word = "needs" if kind.judged else "has no"
            raise ValueError(f"measure '{self.measure}' {word} judge (own, unseen or any)")
        if self.fmr is not None and not kind.by_fmr:
            raise ValueError(f"measure '{self.measure}' knows no fmr")
        return self

    @property
    def rate(self) -> str | None:
        """The false match rate by name; None for the headline's."""
        return None if self.fmr == "headline" else self.fmr


@dataclass(frozen=True)
class Measurement:
    """What can be selected.

    Attributes:
        words: what the number is.
        find: the numbers of a run.
        judged: whether a judge has to be named.
        by_fmr: whether it depends on a false match rate.
        kind: how it is printed.
    """

    words: str
    find: Callable[[Results, Selector], list[Evidence]]
    judged: bool = False
    by_fmr: bool = True
    kind: Kind = "rate"


def evidence_for(selector: Selector, results: Results) -> list[Evidence]:
    """The numbers of a run that speak; at least one, which says why where there is none."""
    return MEASUREMENTS[selector.measure].find(results, selector)


def kind_of(selector: Selector) -> Kind:
    """How its numbers are printed."""
    return MEASUREMENTS[selector.measure].kind


def _weak(results: Results) -> str:
    """Why a run's numbers cannot support anything; empty where they can."""
    return QUICK if results.quick else ""


def _accepted(
    measure: str, rows: Callable[[Results], list[Tried]]
) -> Callable[..., list[Evidence]]:
    def find(results: Results, selector: Selector) -> list[Evidence]:
        assert selector.judge is not None
        told = rows(results)
        return acceptances(told, measure, selector.judge, selector.rate, weak=_weak(results))

    return find


def _rank1(results: Results, selector: Selector) -> list[Evidence]:
    assert selector.judge is not None
    weak = _weak(results)
    rows = heard_by(tried(results), selector.judge)
    if not rows:
        return [Evidence(NotMeasured(not_measured="no attack was judged that way in this run"))]
    return [
        Evidence(
            row.rank1,
            row.attack,
            row.judge,
            row.backbone,
            weak=row.not_working or weak,
            doubtful=row.not_working,
        )
        for row in rows
    ]


def _searched(results: Results, selector: Selector) -> list[Evidence]:
    """Faces from templates that nobody read: known by their scores alone."""
    rows = [
        Tried(
            attack=f"{row.attack} from {row.scores} scores"
            + ("" if row.decimals is None else f" of {row.decimals} decimals"),
            judge=name,
            backbone=row.backbone,
            unseen=judge.unseen,
            type1=judge.type1,
            type2=judge.type2,
            reference=_reference(results, name),
            own_fmr={},
            margin={},
        )
        for row in results.search
        if row.part == "scores" and row.scores is not None
        for name, judge in row.judges.items()
    ]
    rows += overheard(results)
    assert selector.judge is not None
    if not rows:
        why = "faces were not rebuilt from comparison scores in this run (search)"
        return [Evidence(NotMeasured(not_measured=why))]
    return acceptances(rows, "type2", selector.judge, selector.rate)


def _reference(results: Results, judge: str) -> dict[str, Measured | NotMeasured]:
    """How well a judge recognises the leaked people; the same pairs for every attack."""
    found = (row.judges[judge].type2_reference for row in results.attacks if judge in row.judges)
    return next(found, {})


def _reduced(results: Results, selector: Selector) -> list[Evidence]:
    """Templates that are kept shortened, coarser or noisy."""
    assert selector.judge is not None
    found = []
    formats = [] if results.compare is None else results.compare.formats
    first = {row.backbone: row.form for row in reversed(formats)}
    kept = [row for row in formats if row.form != first[row.backbone]]
    own = [row for row in kept if row.judge == row.backbone]
    kept = own if selector.judge == "own" else kept
    key = selector.rate or shown_fmr(row.type2 for row in kept)
    if kept and key:
        lacking = NotMeasured(not_measured=f"not measured at FMR {key}")
        found = [
            Evidence(
                row.type2.get(key, lacking),
                f"{row.attack}, {row.form}",
                row.judge,
                row.backbone,
                key,
            )
            for row in kept
        ]
    rows = [*stressed(results), *reductions(results)]
    if rows:
        weak = _weak(results)
        found += acceptances(rows, "type2", selector.judge, selector.rate, weak=weak)
    why = NotMeasured(not_measured="shortened or coarser templates were not tried in this run")
    return found or [Evidence(why)]


MEASUREMENTS: dict[str, Measurement] = {
    "type1": Measurement(
        "rebuilt faces accepted against the picture whose template leaked",
        _accepted("type1", tried),
        judged=True,
    ),
    "type2": Measurement(
        "rebuilt faces accepted against other pictures of the person",
        _accepted("type2", tried),
        judged=True,
    ),
    "margin": Measurement(
        "rebuilt faces accepted, less the nearest face that the attacker had",
        _accepted("margin", tried),
        judged=True,
        kind="margin",
    ),
    "rank1": Measurement(
        "rebuilt faces whose nearest leaked person is the right one",
        _rank1,
        judged=True,
        by_fmr=False,
    ),
    "search": Measurement(
        "faces rebuilt from comparison scores alone that are accepted", _searched, judged=True
    ),
    "reduced": Measurement(
        "faces rebuilt from shortened, coarser or noisy templates that are accepted",
        _reduced,
        judged=True,
    ),
    "tmr": Measurement(
        "right persons recognised by the leaked model", lambda r, s: recognition(r, s.rate)
    ),
    "realised_fmr": Measurement(
        "strangers accepted among the leaked people", lambda r, s: realised_fmr(r, s.rate)
    ),
    "across_models": Measurement(
        "templates of one model accepted as the person by another",
        lambda r, s: across_models(r, s.rate),
    ),
    "attribute_gain": Measurement(
        "attributes read off templates, above chance",
        lambda r, s: attribute_gain(r),
        by_fmr=False,
    ),
    "unencrypted": Measurement(
        "templates that can be read without a key", lambda r, s: unencrypted(r), by_fmr=False
    ),
    "pictures_beside": Measurement(
        "pictures beside the templates", lambda r, s: pictures_beside(r), by_fmr=False
    ),
    "names_beside": Measurement(
        "people whose name lies beside their templates", lambda r, s: names_beside(r), by_fmr=False
    ),
    "protected_type2": Measurement(
        "faces rebuilt from protected templates that are accepted",
        lambda r, s: protected(r, ["type2"], s.rate, weak=_weak(r)),
    ),
    "protected_type2_key_known": Measurement(
        "the same, when the key leaked too",
        lambda r, s: protected(r, ["type2"], s.rate, keys=[True], weak=_weak(r)),
    ),
    "protected_revoked": Measurement(
        "faces rebuilt from old templates that open a system with new keys",
        lambda r, s: protected(r, REVOKED, s.rate, weak=_weak(r)),
    ),
    "protected_linkage": Measurement(
        "D_sys of protected templates under different keys, less what chance gives",
        lambda r, s: linkability(r, weak=_weak(r)),
        by_fmr=False,
        kind="ratio",
    ),
    "protected_tmr": Measurement(
        "right persons recognised by protected templates",
        lambda r, s: protected_recognition(r, s.rate),
    ),
}
"""By the name under which a table selects it."""
