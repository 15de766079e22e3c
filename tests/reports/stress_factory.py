"""A made-up stress run of two backbones: every number is invented, every family appears."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from reports.pictures import save_reconstruction_png
from reports.results import (
    ByFmr,
    Estimate,
    Measured,
    NotMeasured,
    Results,
    StressCurve,
    StressFamily,
    StressMap,
    StressResult,
    StressSample,
    save_results,
)
from tests.reports import factory
from tests.reports.factory import FEW, rate
from tests.reports.stress_conditions import (
    AVERAGES,
    DAMAGE,
    GEOMETRY,
    GOALS,
    NOISES,
    OCCLUSION,
    QUALITY,
    Done,
)

BACKBONES = ("dlib", "mobilefacenet")
ATTACK = "linear"
PEOPLE = ("T-01", "T-02")
SAR = {"dlib": 0.62, "mobilefacenet": 0.55}
ONE = NotMeasured(not_measured="no person has another picture")
BASE = NotMeasured(not_measured="the others are compared with this row")


def by_fmr(value: float, n: int = 412) -> ByFmr:
    """More at the laxer FMR; the strictest has too few people."""
    value = min(value, 1.0)
    return {"1e-2": rate(min(1.0, value * 1.3), n), "1e-3": rate(value, n), "1e-4": FEW}


def change(value: float, width: float = 0.03) -> ByFmr:
    moved = Measured(value=value, low=value - width, high=value + width, n=412)
    return {"1e-2": moved, "1e-3": moved, "1e-4": FEW}


def number(value: float, width: float = 0.02) -> Measured:
    return Measured(value=value, low=value - width, high=value + width, n=412)


def row(family: StressFamily, backbone: str = "dlib", judge: str = "", **fields: Any) -> Any:
    """One row; the other backbone judges as one that the attack never saw."""
    judge = judge or backbone
    base: dict[str, Any] = {
        "family": family,
        "backbone": backbone,
        "judge": judge,
        "attack": ATTACK,
        "perturbation": "none",
        "label": "clean",
    }
    base |= fields
    base |= {"unseen": bool(base["attack"]) and judge != backbone}
    return StressResult(**base)


def inverted(
    family: StressFamily,
    done: Done | None,
    measures: Mapping[str, Estimate] | None = None,
    **fields: Any,
) -> list[StressResult]:
    """The rows of one condition: both backbones by both judges."""
    name, strength, unit, label, kept, seen = done or ("none", None, "", "clean", 1.0, 1.0)
    found = []
    for backbone in BACKBONES:
        for judge in BACKBONES:
            sar = SAR[backbone] * (1.0 if judge != backbone else 1.5) * 0.98
            slug = f"{backbone}/{family}/{name}-{strength}"
            own = judge == backbone
            changes = {
                "difference": change(sar * (kept - 1)),
                "type2_difference": change(0.8 * sar * (kept - 1)),
                "tmr_difference": change(0.94 * (seen - 1)),
            }
            none: ByFmr = dict.fromkeys(("1e-2", "1e-3", "1e-4"), BASE)
            told: dict[str, Any] = {
                "perturbation": name,
                "strength": strength,
                "unit": unit,
                "label": label,
                "n_attempts": 1000,
                "n_failed": 12,
                "detection_rate": rate(0.988, 412, 0.01),
                "type1": by_fmr(sar * kept),
                "type2": by_fmr(0.8 * sar * kept, 260),
                "tmr": by_fmr(0.94 * seen, 260),
                **(dict.fromkeys(changes, none) if done is None else changes),
                "measures": dict(measures or {}) if own else {},
                "samples": samples(slug, clean=done is None) if own else [],
            }
            found.append(row(family, backbone, judge, **(told | fields)))
    return found


def samples(slug: str, *, clean: bool, repaired: bool = False) -> list[StressSample]:
    return [
        StressSample(
            template=name,
            subject=name.replace("T", "S"),
            original=f"figures/stress/original/{name}.png",
            perturbed=None if clean else f"figures/stress/{slug}/{i}-perturbed.png",
            reconstruction=f"figures/stress/{slug}/{i}-reconstruction.png",
            repaired=f"figures/stress/{slug}/{i}-repaired.png" if repaired else None,
        )
        for i, name in enumerate(PEOPLE)
    ]


def occlusion() -> list[StressResult]:
    found = []
    for done in (None, *OCCLUSION):
        facts: dict[str, Estimate] = {"shift": number(1.0 if done is None else 0.6)}
        if done is not None:
            facts |= {"error_inside": number(31.2, 0.8), "error_inside_change": number(5.1, 0.8)}
            facts |= {"landmark_error": number(18.3, 1.1)}
        found += inverted("occlusion", done, facts)
    grid = [
        [math.exp(-((x - 6.5) ** 2 + (y - 5.5) ** 2) / 18) for x in range(14)] for y in range(14)
    ]
    for backbone in BACKBONES:
        slide = StressMap(measure="loss", values=grid, n=20)
        found.append(
            row(
                "occlusion",
                backbone,
                attack="",
                perturbation="slide",
                label="slide of a block",
                map=slide,
                measures={"loss_eyes": number(0.225), "loss_mouth": number(0.101)},
            )
        )
    return found


def geometry() -> list[StressResult]:
    found = []
    for backbone in BACKBONES:
        found.append(row("geometry", backbone, attack="", tmr=by_fmr(0.94, 260)))
        for name, strength, unit, label, _, seen in GEOMETRY:
            moved = {"attack": "", "perturbation": name, "strength": strength, "unit": unit}
            moved |= {"label": label, "measures": {"shift": number(0.5)}}
            gain = 0.3 if backbone == "dlib" else 0.01
            found.append(
                row(
                    "geometry",
                    backbone,
                    **moved,
                    tmr=by_fmr(0.94 * seen, 260),
                    tmr_difference=change(0.94 * (seen - 1)),
                )
            )
            found.append(
                row(
                    "geometry",
                    backbone,
                    **moved,
                    repaired=True,
                    tmr=by_fmr(min(1.0, 0.94 * seen + gain), 260),
                    tmr_difference=change(gain),
                    note="map learnt on 8,450 pictures of 3,680 of the attacker's people",
                )
            )
    for done in (None, *GEOMETRY):
        found += inverted("geometry", done)
    return found


def aggregation() -> list[StressResult]:
    found = inverted("aggregation", None)
    for n in AVERAGES:
        done: Done = (
            "average",
            float(n),
            "templates",
            f"average of {n}",
            1 + 0.1 * math.log(n),
            1 + 0.01 * math.log(n),
        )
        found += inverted("aggregation", done, {"yaw": number(12 / n, 1.0)})
        found += [
            row(
                "aggregation",
                name,
                attack="",
                perturbation="average",
                strength=float(n),
                unit="templates",
                label=f"average of {n}",
                tmr=by_fmr(0.94 + 0.01 * math.log(n), 50),
                tmr_difference=change(0.01 * math.log(n)),
            )
            for name in BACKBONES
        ]
    return found


def damage() -> list[StressResult]:
    found = inverted("damage", None)
    for done in DAMAGE:
        found += inverted("damage", done)
        if done[0] in ("noise", "dimensions", "dimensions-unknown", "shuffled"):
            better = (*done[:4], min(1.0, done[4] * 1.1), done[5])
            found += inverted("damage", better, {"explained": number(0.4)}, repaired=True)
    return found


def quality() -> list[StressResult]:
    found = inverted("quality", None)
    for done in QUALITY:
        found += inverted("quality", done, {"gain_over_source": number(0.1, 0.04)})
    return found


def adversarial() -> list[StressResult]:
    found = inverted("adversarial", None)
    clean = {f"{goal}_at_{fmr}": rate(0.01) for goal in GOALS for fmr in ("1e-2", "1e-3")}
    found += [
        row("adversarial", name, attack="", tmr=by_fmr(0.94, 100), measures=clean)
        for name in BACKBONES
    ]
    for method, words, goal, slow in NOISES:
        for budget in (0.0, 1.0, 2.0, 4.0, 8.0):
            share = 1 - math.exp(-budget / slow)
            told = {f"{goal}_at_{fmr}": rate(share, 100) for fmr in ("1e-2", "1e-3")}
            label = f"{words}, {goal}, \u03b5 = {budget:g}/255"
            done: Done = (f"{method}-{goal}", budget, "/255", label, 1 - share, 1 - share)
            for name in BACKBONES:
                found.append(
                    row(
                        "adversarial",
                        name,
                        attack="",
                        perturbation=done[0],
                        strength=budget,
                        unit=done[2],
                        label=label,
                        tmr=by_fmr(0.94 * done[5], 100),
                        measures=told,
                    )
                )
            gain = Measured(value=0.1, low=0.02, high=0.18, n=100)
            facts = {f"recovered_at_{fmr}": gain for fmr in ("1e-2", "1e-3")}
            if budget == 8.0:
                found += inverted("adversarial", done, facts)
    for backbone in BACKBONES:
        grid = [10 ** (-4 + i / 10) for i in range(41)]
        curves = [
            StressCurve(name=name, fmr=grid, tmr=[x**power for x in grid])
            for name, power in (
                ("clean", 0.02),
                ("clean, decoded", 0.05),
                ("attacked", 0.6),
                ("attacked, decoded", 0.4),
            )
        ]
        found.append(
            row(
                "adversarial",
                backbone,
                attack="",
                perturbation="fgsm-softmax-evasion",
                label="FGSM, evasion, \u03b5 = 8/255",
                strength=8.0,
                roc=curves,
            )
        )
    return found


def invariance() -> list[StressResult]:
    several = [
        sample.model_copy(update={"template": f"{sample.template}-{i}"})
        for sample in samples("invariance", clean=True)
        for i in range(3)
    ]
    facts: dict[str, Estimate] = {
        "same_pictures": number(0.71),
        "same_reconstructions": number(0.83),
        "same_difference": number(0.12),
        "normalised": number(0.2),
    }
    found = inverted("invariance", None, facts, label="several pictures of a person")
    return [r.model_copy(update={"samples": several if r.samples else []}) for r in found]


def rows() -> list[StressResult]:
    return [
        *occlusion(),
        *adversarial(),
        *geometry(),
        *aggregation(),
        *damage(),
        *quality(),
        *invariance(),
    ]


def document(stress: list[StressResult] | None = None, **changes: Any) -> Results:
    """A stress run's results.json."""
    source = factory.results()
    fields: dict[str, Any] = {
        "title": "Two models under stress",
        "created": "2026-01-31T12:00:00+00:00",
        "provenance": source.provenance,
        "faces": factory.faces(),
        "backbones": {
            name: factory.backbone("l2" if name == "dlib" else "cosine", None) for name in BACKBONES
        },
        "judges_missing": {"arcface": "weights arcface missing"},
        "stress": rows() if stress is None else stress,
    }
    return Results(**(fields | changes))


def write_run(folder: Path, results: Results, side: int = 224) -> Path:
    """results.json and the pictures that it names."""
    folder.mkdir(parents=True, exist_ok=True)
    save_results(results, folder / "results.json")
    names = {
        (name, kind)
        for r in results.stress
        for sample in r.samples
        for kind, name in sample.model_dump(exclude_none=True).items()
        if kind not in ("template", "subject")
    }
    noise = factory.picture(0, side)
    for name, kind in sorted(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind in ("original", "perturbed"):
            noise.save(path)
        else:
            save_reconstruction_png(Image.new("RGB", (side, side), (90, 120, 140)), path)
    return folder
