"""A made-up run about protection of two backbones: every number is invented."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from reports.pictures import save_reconstruction_png
from reports.results import (
    ByFmr,
    Estimate,
    Finding,
    Knowledge,
    Linkage,
    Measured,
    NotMeasured,
    ProtectionFamily,
    ProtectionLimits,
    ProtectionResult,
    ProtectionSample,
    Results,
    save_results,
)
from tests.reports import factory
from tests.reports.factory import FEW, HOSTILE, rate

BACKBONES = ("dlib", "mobilefacenet")
ATTACK = "linear"
PEOPLE = ("T-01", "T-02")
NO_LABELS = "no labels were given (--labels)"
LIMITS = ProtectionLimits(fmr="1e-3", max_sar=0.05, max_loss=0.03)
PLAIN = {"dlib": (0.93, 0.62), "mobilefacenet": (0.98, 0.55)}  # TMR, Type-I

# scheme, settings, label, family, TMR kept, then SAR kept by what the attacker knows
Made = tuple[str, dict[str, Any], str, ProtectionFamily, float, dict[Knowledge, float]]
SCHEMES: tuple[Made, ...] = (
    (
        "biohash",
        {"bits": 64},
        "BioHashing, 64 bits",
        "keyed",
        0.80,
        {"nothing": 0.01, "scheme": 0.02, "one-key": 0.5, "key": 0.4, "all-keys": 0.9},
    ),
    (
        "projection",
        {"dim": 32},
        "random projection",
        "keyed",
        0.9,
        {"scheme": 0.02, "key": 0.7, "all-keys": 0.99},
    ),
    ("projection", {"dim": 64}, "random projection", "keyed", 0.96, {"scheme": 0.02, "key": 0.85}),
    (
        "polyprotect",
        {"overlap": 2, "secret": True},
        "PolyProtect, overlap 2",
        "keyed",
        0.99,
        {"scheme": 0.01, "key": 0.03},
    ),
    ("quantise", {"bits": 1}, "1 bit a value", "reduction", 0.97, {"scheme": 0.93}),
    ("ckks", {}, "CKKS", "encryption", 1.0, {"scheme": 0.95}),
)


def number(value: float, width: float = 0.02, n: int = 412) -> Measured:
    return Measured(value=value, low=value - width, high=value + width, n=n)


def by_fmr(value: float, n: int = 412, width: float = 0.02) -> ByFmr:
    """More at the laxer FMR; the strictest has too few people."""
    value = min(value, 1.0)
    return {"1e-2": rate(min(1.0, 1.2 * value), n), "1e-3": rate(value, n, width), "1e-4": FEW}


def change(value: float, width: float = 0.03) -> ByFmr:
    moved = Measured(value=value, low=value - width, high=value + width, n=412)
    return {"1e-2": moved, "1e-3": moved, "1e-4": FEW}


def linkage(knowledge: Knowledge, d_sys: float, **fields: Any) -> Linkage:
    edges = [round(-1 + i / 10, 1) for i in range(21)]
    other = [math.exp(-((x + 0.05) ** 2) / 0.05) for x in edges[:-1]]
    mated = [math.exp(-((x + 0.05 - d_sys) ** 2) / 0.05) for x in edges[:-1]]
    base: dict[str, Any] = {
        "linker": "cosine of protected templates",
        "knowledge": knowledge,
        "d_sys": number(d_sys, 0.03),
        "null": Measured(value=0.05, low=0.03, high=0.08 if d_sys < 0.7 else 0.07, n=999),
        "maximal": number(min(1.0, 1.1 * d_sys), 0.05),
        "maximal_null": Measured(value=0.1, low=0.06, high=0.13, n=999),
        "bins": 20,
        "mated": 1240,
        "non_mated": 98_000,
        "edges": edges,
        "mated_share": [x / sum(mated) for x in mated],
        "non_mated_share": [x / sum(other) for x in other],
        "local": [m / (m + o) if m + o else 0.0 for m, o in zip(mated, other, strict=True)],
    }
    return Linkage(**(base | fields))


def row(backbone: str = "dlib", judge: str = "", **fields: Any) -> ProtectionResult:
    """One row; another judge is one that the attack never saw."""
    base: dict[str, Any] = {
        "scheme": "biohash",
        "parameters": {"bits": 64},
        "label": "BioHashing, 64 bits",
        "family": "keyed",
        "keyed": True,
        "key_known": fields.get("knowledge") in ("one-key", "key", "all-keys"),
        "attack": "",
        "backbone": backbone,
        "judge": judge or backbone,
    }
    return ProtectionResult(**(base | fields))


def named(made: Made) -> dict[str, Any]:
    scheme, settings, label, family, *_ = made
    return {
        "scheme": scheme,
        "parameters": settings,
        "label": label,
        "family": family,
        "keyed": family == "keyed",
    }


def priced(backbone: str, made: Made) -> ProtectionResult:
    """The row of a scheme without an attack."""
    keyed, kept = made[3] == "keyed", made[4]
    tmr = PLAIN[backbone][0]
    links = [linkage("scheme", 0.05 if keyed else 0.9)]
    if keyed:
        links.append(linkage("key", 0.6, linker="cosine of recovered templates"))
    measures: dict[str, Estimate] = {}
    if made[0] == "ckks":
        measures = {
            "milliseconds_per_comparison": number(12.5, 0.5),
            "score_error": number(1e-5, 0),
        }
    return row(
        backbone,
        **named(made),
        tmr=by_fmr(tmr * kept, 260),
        tmr_plain=by_fmr(tmr, 260),
        tmr_difference=change(tmr * (kept - 1)),
        tmr_genuine_key=by_fmr(0.995, 260, 0.004) if keyed else {},
        realised_fmr=by_fmr(0.0012, 412, 0.0004),
        linkage=links,
        keys=20 if keyed else 0,
        dim=64,
        stored_bits=64 if made[0] == "biohash" else 2048,
        microseconds=number(3.25, 0.25, 20),
        measures=measures,
    )


def inverted(
    backbone: str, made: Made, knowledge: Knowledge, kept: float
) -> list[ProtectionResult]:
    """The rows of one attack, by the protected system and by a judge that it never saw."""
    sar = PLAIN[backbone][1] * kept
    scores = made[3] == "encryption"
    several = knowledge == "all-keys"
    found = []
    for judge in BACKBONES:
        own = judge == backbone
        told = 1.0 if own else 0.9
        found.append(
            row(
                backbone,
                judge,
                **named(made),
                attack="pre-image" if knowledge in ("key", "all-keys") else ATTACK,
                knowledge=knowledge,
                leak="score" if scores else "template",
                records=5 if several else 1,
                queries=999 if scores else 0,
                method="closed form" if knowledge in ("key", "all-keys") else "",
                judged="protected" if own else "plain",
                unseen=not own,
                n_attempts=1000,
                n_failed=12,
                detection_rate=rate(0.988, 412, 0.01),
                type1=by_fmr(told * sar),
                type2=by_fmr(0.8 * told * sar, 260),
                type2_reference=by_fmr(0.94, 260),
                reconstruction_fmr=by_fmr(
                    0.0052 if knowledge == "one-key" else 0.0011, 412, 0.0005
                ),
                revoked_type1=by_fmr(0.02 + 0.1 * sar) if made[3] == "keyed" else {},
                revoked_type2=by_fmr(0.01 + 0.1 * sar, 260) if made[3] == "keyed" else {},
                difference=change(sar - PLAIN[backbone][1]),
                type2_difference=change(0.8 * (sar - PLAIN[backbone][1])),
                recovered_cosine=number(min(0.99, math.sqrt(kept)), 0.01),
                image={"ssim_face": number(0.5 + 0.1 * kept), "lpips_alex": factory.NO_LPIPS},
                samples=samples(f"{backbone}/{made[0]}-{len(made[2])}/{knowledge}") if own else [],
            )
        )
    return found


def samples(slug: str) -> list[ProtectionSample]:
    return [
        ProtectionSample(
            template=name,
            subject=name.replace("T", "S"),
            original=f"figures/protection/original/{name}.png",
            reconstruction=f"figures/protection/{slug}/{i}.png",
        )
        for i, name in enumerate(PEOPLE)
    ]


def unprotected(backbone: str) -> list[ProtectionResult]:
    """Templates as they are: what the others are compared with."""
    made: Made = ("none", {}, "", "none", 1.0, {"nothing": 1.0})
    return [priced(backbone, made), *inverted(backbone, made, "nothing", 1.0)]


def rows() -> list[ProtectionResult]:
    found = []
    for backbone in BACKBONES:
        for made in SCHEMES:
            found.append(priced(backbone, made))
            for knowledge, kept in made[5].items():
                found += inverted(backbone, made, knowledge, kept)
        found += unprotected(backbone)
        found += controls(backbone)
        found.append(silent(backbone))
    return found


def controls(backbone: str) -> list[ProtectionResult]:
    """An attack that knows nothing, and a scheme that stores nothing of the person."""
    nobody = {"scheme": "random", "parameters": {}, "label": "random templates", "control": True}
    return [
        row(
            backbone,
            attack="control:mean",
            knowledge="nothing",
            type1=by_fmr(0.99),
            type2=by_fmr(0.02, 260),
            n_attempts=1000,
        ),
        row(backbone, **nobody, tmr=by_fmr(0.001, 260, 0.001), linkage=[linkage("scheme", 0.045)]),
        row(
            backbone, **nobody, attack=ATTACK, knowledge="key", type1=by_fmr(0.98), n_attempts=1000
        ),
    ]


def silent(backbone: str) -> ProtectionResult:
    """A scheme that could not be measured."""
    return row(
        backbone,
        scheme="pfrnet",
        parameters={},
        label="PFRNet-like split",
        family="disentangling",
        keyed=False,
        note=NO_LABELS,
    )


def hostile() -> list[ProtectionResult]:
    """Every text of a row that a plug-in may choose."""
    words = {"scheme": HOSTILE, "label": HOSTILE, "parameters": {HOSTILE: HOSTILE}, "note": HOSTILE}
    why = NotMeasured(not_measured=HOSTILE)
    return [
        row(
            HOSTILE,
            **words,
            tmr=by_fmr(0.9),
            linkage=[linkage("key", 0.5, linker=HOSTILE)],
            measures={HOSTILE: why},
        ),
        row(
            HOSTILE,
            HOSTILE,
            **words,
            attack=HOSTILE,
            method=HOSTILE,
            knowledge="key",
            type1=by_fmr(0.4),
            type2={"1e-3": why},
            image={HOSTILE: why},
            samples=samples("hostile"),
        ),
    ]


def recommendation() -> Finding:
    return Finding(
        id="protection.recommendation",
        severity="medium",
        title="Cheapest scheme that holds: PolyProtect, overlap 2",
        evidence={
            "rebuilt faces accepted, key known": rate(0.02, 412, 0.02),
            "recognition lost": number(0.01, 0.005),
        },
        clauses=["ISO/IEC 24745: irreversibility"],
        recommendation="Protect templates by PolyProtect, overlap 2, with a key for each person.",
    )


def document(protections: Sequence[ProtectionResult] | None = None, **changes: Any) -> Results:
    """A protection run's results.json."""
    source = factory.results()
    fields: dict[str, Any] = {
        "title": "Two models under protection",
        "created": "2026-01-31T12:00:00+00:00",
        "provenance": source.provenance,
        "faces": factory.faces(),
        "backbones": {
            name: factory.backbone("l2" if name == "dlib" else "cosine", None) for name in BACKBONES
        },
        "judges_missing": {"arcface": "weights arcface missing"},
        "protections": rows() if protections is None else list(protections),
        "protection_limits": LIMITS,
        "findings": [recommendation()],
    }
    return Results(**(fields | changes))


def write_run(folder: Path, results: Results, side: int = 224) -> Path:
    """results.json and the pictures that it names."""
    folder.mkdir(parents=True, exist_ok=True)
    save_results(results, folder / "results.json")
    found = [sample for r in results.protections for sample in r.samples]
    for name in {sample.original for sample in found if sample.original}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        factory.picture(0, side).save(folder / name)
    for name in {sample.reconstruction for sample in found if sample.reconstruction}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        save_reconstruction_png(Image.new("RGB", (side, side), (90, 120, 140)), folder / name)
    return folder
