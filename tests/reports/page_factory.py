"""One document for each kind of page, each with hostile names wherever a name may stand."""

from __future__ import annotations

from functools import cache

from reports.results import About, Finding, NotMeasured, Results
from tests.reports import compare_factory, factory, protection_factory, store_factory

EVIL = '"><script>alert(1)</script>'


@cache
def pages() -> dict[str, Results]:
    """Clean, leaking, store-only, partial, a comparison and a run about protection."""
    return {
        "clean": clean(),
        "leaking": leaking(),
        "store": store(),
        "partial": partial(),
        "compare": compare(),
        "protect": protect(),
    }


def finding() -> Finding:
    """A finding whose every text is hostile."""
    return Finding(
        id=EVIL,
        severity="medium",
        title=EVIL,
        evidence={EVIL: factory.rate(0.3), "not known": NotMeasured(not_measured=EVIL)},
        clauses=[EVIL],
        recommendation=EVIL,
    )


def _named(document: Results) -> Results:
    """The document with hostile names of a file, a person, a finding and an organisation."""
    source = document.provenance.model_copy(update={"inputs": {EVIL: "ab" * 32}})
    samples = [s.model_copy(update={"subject": EVIL}) for s in document.samples]
    return document.model_copy(
        update={
            "provenance": source,
            "samples": samples,
            "findings": [*document.findings, finding()],
            "grading": factory.grading(),
            "about": About(organisation=EVIL, system=EVIL),
        }
    )


def leaking() -> Results:
    """An audit of photographs in which everything was measured, with few rows."""
    full = factory.results()
    judges = {name: full.attacks[1].judges[name] for name in ("dlib", "mobilefacenet")}
    rows = [full.attacks[i].model_copy(update={"judges": judges}) for i in (1, 2)]
    return _named(
        factory.results(
            attacks=rows,
            histograms={"dlib": full.histograms["dlib"]},
            det={"dlib": full.det["dlib"]},
            samples=factory.samples(2),
            **factory.extensions(),
        )
    )


def clean() -> Results:
    """An attack that does no better than an average face, and no finding but the hostile one."""
    rows = [
        factory.attack("linear", 0.004),
        factory.attack("control:mean", 0.004, knowledge="none"),
    ]
    return _named(
        factory.results(
            headline=factory.headline(factory.rate(0.003, 412, 0.003)),
            grade="A",
            grade_reason="linear judged by mobilefacenet at FMR 1e-3",
            verdict="About 0.3 % of the 412 people in this store would be accepted.",
            attacks=rows,
            histograms={},
            det={},
            curves={},
            samples=factory.samples(1)[:1],
        )
    )


def store() -> Results:
    """A store without photographs: the attacked model is the only judge."""
    return _named(store_factory.results(store_factory.summary(name=EVIL, unreadable={})))


def partial() -> Results:
    """A store of which a third could not be read (exit code 4), and nothing was inverted."""
    summary = store_factory.summary(
        name=EVIL,
        coverage=0.667,
        unreadable={EVIL: 995},
        broken="the file ends in the middle of a row",
        not_inverted="no attack ships for this model",
        predicted=[],
        attributes=[],
    )
    return _named(
        store_factory.results(
            summary,
            attacks=[],
            backbones={},
            samples=[],
            grade="not graded",
            grade_reason="no attack was tried",
            verdict="No face was rebuilt: no attack ships for this model.",
        )
    )


def compare() -> Results:
    """Four models beside each other."""
    return _named(compare_factory.document())


def protect() -> Results:
    """Two backbones under three schemes, one that was not measured, controls, and a hostile one."""
    keep = ("none", "polyprotect", "quantise", "pfrnet", "random")
    rows = [row for row in protection_factory.rows() if row.scheme in keep]
    return _named(protection_factory.document([*rows, *protection_factory.hostile()]))
