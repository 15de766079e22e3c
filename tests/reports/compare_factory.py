"""A made-up comparison of four backbones: every number is invented, every case appears."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from reports.results import (
    ByFmr,
    CompareCell,
    CompareDifference,
    CompareResult,
    CompareRow,
    Estimate,
    FormatRow,
    Measured,
    Predictability,
    ProjectionCheck,
    Results,
)
from tests.reports import factory
from tests.reports.factory import FEW, rate

NAMES = ("dlib", "mobilefacenet", "lbp", "eigenfaces")
JUDGES = (*NAMES, "faceleak-mini")
JUDGE = "faceleak-mini"
HEADLINE = {"dlib": 0.412, "mobilefacenet": 0.397, "lbp": 0.108, "eigenfaces": 0.034}
RANKS = {"dlib": 1, "mobilefacenet": 1, "lbp": 3, "eigenfaces": 4}
ACCURACY = {"dlib": 0.962, "mobilefacenet": 0.981, "lbp": 0.121, "eigenfaces": 0.088}
PSNR = {"dlib": 17.3, "mobilefacenet": 17.1, "lbp": 16.2, "eigenfaces": 21.4}
FORMS = (
    ("as they are", 128, 512, 1.0),
    ("50 % of the dimensions", 64, 256, 0.8),
    ("30 % of the dimensions", 38, 152, 0.55),
    ("2 decimals", 128, 256, 0.98),
    ("8 bits", 128, 128, 0.99),
    ("1 bit", 128, 16, 0.72),
)


def by_fmr(value: float, n: int = 412) -> ByFmr:
    """More at the laxer FMR; the strictest has too few people."""
    return {"1e-2": rate(min(1.0, value * 1.35), n), "1e-3": rate(value, n), "1e-4": FEW}


def number(value: float, width: float = 0.1) -> Measured:
    return Measured(value=value, low=value - width, high=value + width, n=412)


def row(name: str, /, **changes: Any) -> CompareRow:
    sar = by_fmr(HEADLINE[name])
    fields: dict[str, Any] = {
        "name": name,
        "sar": sar,
        "tmr": by_fmr(ACCURACY[name]) | {"1e-2": rate(min(0.995, ACCURACY[name] * 1.2))},
        "target": name,
        "attack": "linear" if name == "eigenfaces" else "appearance",
        "judge": JUDGE,
        "headline": sar["1e-3"],
        "rank": RANKS[name],
        "type2": by_fmr(HEADLINE[name] * 0.7, 260),
        "type2_reference": by_fmr(0.61, 260),
        "own": by_fmr(min(1.0, 0.6 + HEADLINE[name])),
        "image": {
            "psnr_crop": number(PSNR[name]),
            "ssim_crop": number(PSNR[name] / 40, 0.01),
            "lpips_squeeze": number(0.31, 0.01),
        },
        "dim": 128,
        "similarity": "l2" if name == "dlib" else "cosine",
        "licence": "CC0-1.0" if name == "dlib" else "MIT",
    }
    return CompareRow(**(fields | changes))


def difference(left: str, right: str, gap: float) -> CompareDifference:
    def paired(value: float) -> Estimate:
        return Measured(value=value, low=value - 0.021, high=value + 0.023, n=412)

    gap_db = PSNR.get(left, 17.0) - PSNR.get(right, 17.0)
    return CompareDifference(
        left=left,
        right=right,
        sar={"1e-2": paired(gap * 1.2), "1e-3": paired(gap), "1e-4": FEW},
        image={"psnr_crop": number(gap_db)},
    )


def cell(source: str, judge: str) -> CompareCell:
    success = HEADLINE[source] * (2.1 if source == judge else 1.0)
    measured = (source, judge) != ("lbp", "mobilefacenet")
    return CompareCell(
        source=source,
        judge=judge,
        attack="linear" if source == "eigenfaces" else "appearance",
        unseen=judge in ("dlib", "mobilefacenet", JUDGE) and judge != source,
        type1=by_fmr(success) if measured else {"1e-3": FEW},
        type2=by_fmr(success * 0.7, 260) if measured else {"1e-3": FEW},
        type2_reference=by_fmr(ACCURACY.get(judge, 0.61), 260),
    )


def formats(backbone: str) -> list[FormatRow]:
    return [
        FormatRow(
            backbone=backbone,
            form=form,
            dim=dim,
            bytes=size,
            attack="linear",
            judge=JUDGE,
            tmr=by_fmr(ACCURACY[backbone] * kept**0.4),
            type1=by_fmr(HEADLINE[backbone] * kept),
            type2=by_fmr(HEADLINE[backbone] * kept * 0.7, 260),
            difference={}
            if kept == 1.0
            else {"1e-3": number(HEADLINE[backbone] * (kept - 1), 0.012)},
        )
        for form, dim, size, kept in FORMS
    ]


def predictability(source: str, judge: str) -> Predictability:
    return Predictability(
        source=source,
        judge=judge,
        pairs=2480,
        same_picture=by_fmr(0.93),
        other_pictures=by_fmr(0.81, 260),
        photographs=by_fmr(0.97, 260),
        strangers=by_fmr(0.0013),
    )


def projection(gap: float = -0.21) -> ProjectionCheck:
    return ProjectionCheck(
        attack="linear",
        components=128,
        projection=number(23.4),
        reconstruction=number(23.4 + gap),
        difference=number(gap, 0.03),
    )


def comparison(**changes: Any) -> CompareResult:
    fields: dict[str, Any] = {
        "judge": JUDGE,
        "fmr": "1e-3",
        "rows": [row(name) for name in NAMES],
        "differences": [
            difference(a, b, HEADLINE[a] - HEADLINE[b]) for a, b in combinations(NAMES, 2)
        ],
        "judges": list(JUDGES),
        "matrix": [cell(source, judge) for source in NAMES for judge in JUDGES],
        "predictability": [
            predictability("dlib", "mobilefacenet"),
            predictability("mobilefacenet", "dlib"),
        ],
        "formats": [form for name in NAMES[:2] for form in formats(name)],
        "projection": projection(),
        "notes": ["Every model was given the same faces, people and attacks."],
    }
    return CompareResult(**(fields | changes))


def document(compare: CompareResult | None = None, **changes: Any) -> Results:
    """A comparison's results.json."""
    source = factory.results()
    fields: dict[str, Any] = {
        "title": "Four models on LFW",
        "created": "2026-01-31T12:00:00+00:00",
        "provenance": source.provenance,
        "faces": factory.faces(),
        "backbones": {
            name: factory.backbone("l2" if name == "dlib" else "cosine", None) for name in JUDGES
        },
        "judges_missing": {"arcface": "weights arcface missing"},
        "compare": compare or comparison(),
    }
    return Results(**(fields | changes))
