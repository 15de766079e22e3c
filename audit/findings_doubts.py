"""Findings on an audit's own numbers: thresholds that are laxer than they say, rates that are
flattered, and what was not measured well enough to lean on."""

from __future__ import annotations

from collections.abc import Iterator

from audit.findings import count_of
from reports.compliance import clause_of
from reports.results import (
    HEADLINE_FMR,
    AttackResult,
    Estimate,
    Finding,
    Measured,
    Results,
    fmr_value,
)
from reports.stress_select import shown_fmr
from reports.words import listed, one_in, percent

SKIPPED = 0.05
"""Share of unused pictures from which the numbers may not speak for the folder."""


def doubts(results: Results) -> Iterator[Finding]:
    """All of them, in no order."""
    yield from _lax(results)
    yield from _everybody(results)
    yield from _weak(results)
    yield from _people(results)


def told_fmr(results: Results) -> str:
    """The rate at which the audit speaks: the headline's, or the strictest that was measured."""
    if results.headline is not None:
        return results.headline.fmr
    rates = (judge.type1 for row in working(results) for judge in row.judges.values())
    return shown_fmr(rates) or HEADLINE_FMR


def working(results: Results) -> list[AttackResult]:
    """The attacks that are no controls and work."""
    return [row for row in results.attacks if not row.control and not row.not_working]


def lower(value: Measured) -> float:
    """The lower limit; the value where there is no interval."""
    return value.value if value.low is None else value.low


def _lax(results: Results) -> Iterator[Finding]:
    """The threshold accepts more strangers among these people than it promises."""
    fmr = told_fmr(results)
    model = results.backbones.get(results.target)
    rate = None if model is None else model.realised_fmr.get(fmr)
    if isinstance(rate, Measured) and rate.low is not None and rate.low > fmr_value(fmr):
        yield Finding(
            id="audit.lax-threshold",
            severity="medium",
            title=f"On these people the threshold is laxer than {one_in(fmr)}",
            evidence={f"strangers accepted at FMR {fmr}": rate},
            clauses=[clause_of("iso19795.fmr")],
            recommendation=(
                "Set the threshold on people like those who are enrolled, and stricter; success "
                "rates of attacks fall with it."
            ),
        )


def _everybody(results: Results) -> Iterator[Finding]:
    fmr = told_fmr(results)
    flattered: dict[str, Estimate] = {
        f"strangers accept it, {row.attack} at {name}": judge.reconstruction_fmr[fmr]
        for row in working(results)
        for name, judge in row.judges.items()
        if (judge.unseen or name == row.backbone) and judge.everybody(fmr)
    }
    if flattered:
        yield Finding(
            id="audit.everybody",
            severity="low",
            title="Some success rates are flattered: their faces match strangers too",
            evidence=flattered,
            clauses=[clause_of("iso19795.fmr")],
            recommendation=(
                "Read these rates beside their margin over the nearest face, and not alone. Which "
                "ones is marked in the tables."
            ),
        )


def _weak(results: Results) -> Iterator[Finding]:
    """Why the numbers may tell less than they seem to."""
    real = [row for row in results.attacks if not row.control]
    if real and not working(results):
        yield Finding(
            id="audit.not-working",
            severity="low",
            title="No attack worked here, which shows nothing about the templates",
            evidence={f"a face found, {row.attack}": row.detection_rate for row in real},
            recommendation=(
                "Train longer, with more people, or with another attack before reading safety from "
                "this report."
            ),
        )
    if real and results.headline is None:
        missing = listed(list(results.judges_missing)) if results.judges_missing else ""
        yield Finding(
            id="audit.no-unseen-judge",
            severity="low",
            title="Nobody but the attacked model could be asked",
            clauses=[clause_of("gdpr.assessment")],
            recommendation=(
                "Measure with a judge that the attack never saw"
                + (f"; not ready: {missing}" if missing else "")
                + ". faceleak backbones lists them."
            ),
        )
    if results.quick:
        yield Finding(
            id="audit.quick",
            severity="low",
            title="This was a quick run: a full one may well find more",
            recommendation="Run the audit without quick before anything is decided by it.",
        )


def _people(results: Results) -> Iterator[Finding]:
    """Too few people, or too many pictures that could not be used."""
    fmr, faces = told_fmr(results), results.faces
    model = results.backbones.get(results.target)
    threshold = None if model is None else model.thresholds.get(HEADLINE_FMR)
    if faces is not None and threshold is not None and not isinstance(threshold, float):
        yield Finding(
            id="audit.few-people",
            severity="low",
            title=f"Too few people to speak of {one_in(HEADLINE_FMR)}",
            evidence={"people who set thresholds": count_of(faces.threshold.subjects, None)},
            recommendation=(
                f"The numbers are told at FMR {percent(fmr_value(fmr))}, which is laxer than most "
                "matchers in use. Audit with more people."
            ),
        )
    skipped = 0 if faces is None else sum(faces.skipped.values())
    if faces is not None and faces.n_files and skipped / faces.n_files > SKIPPED:
        yield Finding(
            id="audit.coverage",
            severity="low",
            title="Many pictures could not be used",
            evidence={
                reason: count_of(number, faces.n_files)
                for reason, number in faces.skipped.items()
                if number
            },
            recommendation=(
                "Look at them: people whose pictures are poor may be left out of these numbers."
            ),
        )
