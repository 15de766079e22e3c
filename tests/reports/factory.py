"""A rich, made-up run: every number is invented, every case of the schema appears."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from reports.pictures import save_reconstruction_png
from reports.results import (
    AttackHistogram,
    AttackResult,
    BackboneResult,
    DetCurve,
    Estimate,
    FacesSummary,
    Finding,
    GateResult,
    Grading,
    Headline,
    JudgeResult,
    Landmarks,
    Measured,
    NotMeasured,
    ProtectionResult,
    Provenance,
    Results,
    Sample,
    ScoreHistogram,
    SearchJudge,
    SearchResult,
    Seconds,
    SplitCount,
    StressResult,
    Training,
    View2,
    save_results,
)

HOSTILE = "<script>alert(1)</script>"
FEW = NotMeasured(not_measured="210 subject pairs, 3,000 needed at this FMR")
NO_LPIPS = NotMeasured(not_measured="weights lpips-alex missing: faceleak weights pull lpips-alex")
NO_FID = NotMeasured(
    not_measured="weights fid-inception missing: faceleak weights pull fid-inception"
)
NO_SPACE = NotMeasured(not_measured="a 512-D covariance needs 513 pictures, there are 412")
REGIONS = ("jaw", "brows", "nose", "eyes", "mouth")
NOT_WORKING = (
    "not working: mobilefacenet, which it never saw, accepts 2.9 % (1.8 to 4.4) of its faces and "
    "3.0 % (1.9 to 4.5) of the mean face"
)
CONTROLS = ("control:mean", "control:nearest", "control:random", "control:shuffled")
JUDGES = {"dlib": False, "mobilefacenet": True, "eigenfaces": False}


def rate(value: float, n: int = 412, width: float = 0.03) -> Measured:
    return Measured(value=value, low=max(value - width, 0.0), high=min(value + width, 1.0), n=n)


def judge(unseen: bool, success: float, own_fmr: float) -> JudgeResult:
    return JudgeResult(
        unseen=unseen,
        type1={"1e-2": rate(success), "1e-3": rate(success * 0.7), "1e-4": FEW},
        type2={"1e-2": rate(success * 0.8, 260), "1e-3": rate(success * 0.5, 260), "1e-4": FEW},
        type2_reference={"1e-2": rate(0.97, 260), "1e-3": rate(0.93, 260), "1e-4": FEW},
        margin_over_nearest={
            "1e-2": Measured(value=success - 0.06, low=success - 0.09, high=success, n=412),
            "1e-3": Measured(value=success * 0.7 - 0.01, low=-0.02, high=0.5, n=412),
        },
        reconstruction_fmr={"1e-2": rate(own_fmr, 412, 0.004), "1e-3": rate(0.0011, 412, 0.0005)},
        sar_ignoring_detection={"1e-2": rate(success + 0.01), "1e-3": rate(success * 0.7 + 0.01)},
        rank1=rate(success * 0.3),
        rank10=rate(success * 0.6),
        similarity=Measured(value=0.2 + success / 2, low=0.2, high=0.2 + success, n=412),
    )


def attack(name: str, success: float, **changes: Any) -> AttackResult:
    fields: dict[str, Any] = {
        "attack": name,
        "backbone": "dlib",
        "knowledge": "black-box pairs",
        "control": name.startswith("control:"),
        "n_attempts": 2480,
        "n_failed": 12,
        "detection_rate": rate(0.995, 412, 0.003),
        "judges": {j: judge(u, success * (0.8 if u else 1), 0.012) for j, u in JUDGES.items()},
        "image": {
            "ssim_crop": Measured(value=0.512, low=0.50, high=0.52, n=412),
            "ssim_face": Measured(value=0.631, low=0.62, high=0.64, n=412),
            "psnr_crop": Measured(value=17.31, low=17.2, high=17.4, n=412),
            "ms_ssim": Measured(value=0.431, low=0.42, high=0.44, n=412),
            "lpips_alex": NO_LPIPS,
            "lpips_squeeze": Measured(value=0.318, low=0.31, high=0.33, n=412),
            "fid": NO_FID,
            "kid": NO_FID,
            "frechet_dlib": Measured(value=0.0431, n=412),
            "frechet_mobilefacenet": NO_SPACE,
        },
        "image_notes": {"lpips_squeeze": "lpips 0.1.4, metric 0.1, trunk squeezenet1_1.pth"},
        "seconds": Seconds(fit=61.2, invert=1.3),
        "templates_per_second": 1907.7,
        "picture_size": 224,
    }
    return AttackResult(**(fields | changes))


def shape68() -> list[tuple[float, float]]:
    """A schematic face on the 224 crop."""

    def arc(n: int, x: float, y: float, rx: float, ry: float, a: float, b: float) -> list[Any]:
        angles = [math.radians(a + (b - a) * i / max(n - 1, 1)) for i in range(n)]
        return [(x + rx * math.cos(t), y + ry * math.sin(t)) for t in angles]

    jaw = arc(17, 112, 105, 62, 82, 180, 0)
    brows = arc(5, 82, 92, 20, 10, 200, 340) + arc(5, 142, 92, 20, 10, 200, 340)
    nose = [(112.0, 100.0 + 9 * i) for i in range(4)] + arc(5, 112, 130, 13, 6, 160, 20)
    eyes = arc(6, 84, 101, 10, 5, 180, 480) + arc(6, 140, 101, 10, 5, 180, 480)
    mouth = arc(12, 112, 158, 24, 11, 180, 510) + arc(8, 112, 158, 18, 5, 180, 495)
    return jaw + brows + nose + eyes + mouth


def landmarks() -> Landmarks:
    errors = [4.0 + 20.0 * abs(i - 8) / 8 if i < 17 else 3.0 + (i % 5) for i in range(68)]
    return Landmarks(
        mse_predicted=Measured(value=6.4, low=6.1, high=6.8, n=412),
        mse_redetected=Measured(value=9.9, low=9.0, high=11.0, n=410),
        regions={
            part: Measured(value=error, low=error - 1.0, high=error + 1.0, n=410)
            for part, error in zip(REGIONS, (17.2, 9.1, 6.4, 5.2, 8.8), strict=True)
        },
        share_near=rate(0.942),
        per_point=errors,
        mean_shape=shape68(),
    )


def histogram(shift: float) -> ScoreHistogram:
    edges = np.linspace(-1.2, 0.0, 121)
    middle = (edges[1:] + edges[:-1]) / 2

    def bell(centre: float, width: float) -> list[float]:
        weight = np.exp(-(((middle - centre) / width) ** 2) / 2)
        return [float(v) for v in weight / weight.sum()]

    attacks = {
        "linear": AttackHistogram(type1=bell(-0.62, 0.08), type2=bell(-0.68, 0.08)),
        "landmark-texture": AttackHistogram(
            type1=bell(-0.5 - shift, 0.07), type2=bell(-0.58 - shift, 0.08)
        ),
        "control:mean": AttackHistogram(type1=bell(-0.78, 0.06)),
    }
    return ScoreHistogram(
        edges=edges.tolist(),
        mated=bell(-0.45, 0.07),
        non_mated=bell(-0.85, 0.08),
        attacks=attacks,
        thresholds={"1e-2": -0.66, "1e-3": -0.6, "1e-4": FEW},
        customary=-0.55,
    )


def det(quality: float) -> DetCurve:
    t = np.linspace(-4, 4, 900)
    tail = 0.5 * np.vectorize(math.erfc)(t / math.sqrt(2))
    miss = 0.5 * np.vectorize(math.erfc)((quality - t) / math.sqrt(2))
    return DetCurve(fmr=tail.tolist(), fnmr=miss.tolist())


def backbone(similarity: str, accuracy: float | None) -> BackboneResult:
    view2 = None
    if accuracy is not None:
        view2 = View2(accuracy=accuracy, std=0.0012, dropped_pairs=21, n_pairs=6000)
    return BackboneResult.model_validate(
        {
            "dim": 128,
            "similarity": similarity,
            "differentiable": True,
            "licence": "CC0-1.0",
            "thresholds": {"1e-2": -0.66, "1e-3": -0.6, "1e-4": FEW},
            "tmr": {"1e-2": rate(0.98), "1e-3": rate(0.94), "1e-4": FEW},
            "realised_fmr": {"1e-2": rate(0.011, 412, 0.002), "1e-3": rate(0.0009, 412, 0.0003)},
            "lfw_view2": view2,
            "eer": rate(0.013, 412, 0.002),
            "roc_auc": rate(0.998, 412, 0.001),
        }
    )


def curves() -> dict[str, dict[str, list[float]]]:
    steps = np.arange(1, 61)
    return {
        "landmark-texture": {
            "landmark loss": (8 / steps + 0.2).tolist(),
            "texture loss": (0.3 * np.exp(-steps / 20) + 0.1).tolist(),
        }
    }


def samples(n: int = 3) -> list[Sample]:
    return [
        Sample(
            template=f"t-{i:04d}",
            subject=HOSTILE if i == 0 else f"p-{i:04d}",
            attack=name,
            original=f"faces/{i}.png",
            reconstruction=f"reconstructions/{name}-{i}.png",
            accepted_by={"dlib": True, "mobilefacenet": i % 2 == 0},
            similarity={"dlib": -0.51, "mobilefacenet": 0.33},
            detected=i != 1,
            fmr="1e-3",
        )
        for i in range(n)
        for name in ("linear", "landmark-texture")
    ]


def results(**changes: Any) -> Results:
    fields: dict[str, Any] = {
        "title": "Access gate, building 7",
        "created": "2026-01-31T12:00:00+00:00",
        "headline": headline(rate(0.392, 412, 0.032)),
        "grade": "D",
        "grade_reason": "More than a quarter of the reconstructions pass an unseen judge.",
        "verdict": "Leaked templates of this model can be turned back into faces that "
        "another model accepts.",
        "target": "dlib",
        "provenance": Provenance(
            faceleak="0.1.0",
            python="3.12.4",
            torch="2.13.0",
            device="cpu",
            seed=7,
            inputs={"faces": "ab" * 32},
            judges_consulted=["eigenfaces"],
            packages={"numpy": "2.4.6"},
        ),
        "faces": faces(),
        "backbones": {
            "dlib": backbone("l2", 0.9938),
            "mobilefacenet": backbone("cosine", 0.981),
            "eigenfaces": backbone("cosine", None),
        },
        "judges_missing": {"arcface": "weights arcface missing"},
        "attacks": attacks(),
        "histograms": {"dlib": histogram(0.0), "mobilefacenet": histogram(0.06)},
        "det": {"dlib": det(4.6), "mobilefacenet": det(4.2), "eigenfaces": det(1.6)},
        "curves": curves(),
        "samples": samples(),
        "notes": ["Accepted by this matcher, at this FMR, with no liveness check."],
    }
    return Results(**(fields | changes))


def headline(sar: Estimate) -> Headline:
    return Headline(attack="landmark-texture", judge="mobilefacenet", fmr="1e-3", sar=sar)


def grading() -> Grading:
    whys = ("hardly any", "one in twenty", "one in five", "every second one", "most of them")
    shares = (0.01, 0.05, 0.2, 0.5, 0.8)
    return Grading.model_validate(
        {
            "date": "2026-01-01",
            "measure": "SAR Type-I at FMR 1e-3",
            "cutoffs": {
                grade: {"at_most": share, "why": why}
                for grade, share, why in zip("ABCDE", shares, whys, strict=True)
            },
            "best_without_unseen_judge": "C",
            "why_capped": "an attack that failed may be a weak attack",
        }
    )


def faces(generated: bool = False) -> FacesSummary:
    return FacesSummary(
        n_files=13233,
        n_faces=13190,
        n_subjects=5741,
        skipped={"no face found": 41, "not a picture": 2},
        several_faces=903,
        attacker=SplitCount(subjects=3680, pictures=8450),
        threshold=SplitCount(subjects=911, pictures=1875),
        leaked=SplitCount(subjects=1150, pictures=2480),
        capped=385,
        notes=["2 pictures are in both folders and were left out."],
        generated=generated,
    )


def attacks() -> list[AttackResult]:
    everybody = {j: judge(u, 0.5, 0.045) for j, u in JUDGES.items()}
    return [
        attack("linear", 0.41, knowledge="black-box pairs"),
        attack(
            "landmark-texture",
            0.7,
            landmarks=landmarks(),
            judges={**everybody, "mobilefacenet": judge(True, 0.56, 0.012)},
            note=f"{NOT_WORKING}; shares the generator's model",
            training=Training(passes=60, pairs=8450, steps=3960, parameters=1_240_320),
            seconds=Seconds(fit=754.6, invert=2.1),
        ),
        *(
            attack(name, success, knowledge="none", landmarks=Landmarks())
            for name, success in zip(CONTROLS, (0.03, 0.06, 0.01, 0.035), strict=True)
        ),
    ]


def extensions() -> dict[str, Any]:
    """The parts that a first audit leaves empty."""
    common = {"attack": "linear", "backbone": "dlib", "judge": "mobilefacenet"}
    return {
        "search": [searched(None, 0.7), searched(99, 0.68), searched(10, 0.1, 1), fused(2, 0.75)],
        "stress": [
            StressResult(perturbation="slide", note="no picture shows a face", **common),
            StressResult(
                perturbation="occlusion",
                strength=0.2,
                unseen=True,
                type1={"1e-3": rate(0.31), "1e-4": FEW},
                difference={"1e-3": Measured(value=-0.08, low=-0.1, high=-0.05, n=412)},
                n_attempts=412,
                n_failed=3,
                detection_rate=rate(0.99),
                **common,
            ),
        ],
        "protections": [ProtectionResult(scheme="biohash", key_known=False, **common)],
        "findings": [
            Finding(
                id="FL-001",
                severity="high",
                title="Templates are stored unprotected",
                evidence={"sar": rate(0.39)},
                clauses=["ISO/IEC 24745 6.2"],
                recommendation="Encrypt the store and rotate the keys.",
            )
        ],
        "gates": [GateResult(name="sar", rule="sar@1e-3 < 0.1", limit=0.1, value=rate(0.39))],
    }


def searched(scores: int | None, success: float, decimals: int | None = None) -> SearchResult:
    return SearchResult(
        attack="linear",
        backbone="dlib",
        part="scores",
        scores=scores,
        decimals=decimals,
        n=412,
        template_similarity=Measured(value=-0.25 if scores else 0.0, low=-0.3, high=0.0, n=412),
        judges={
            name: SearchJudge(
                unseen=unseen,
                type1={"1e-3": rate(success), "1e-4": FEW},
                type2={"1e-3": rate(success / 2), "1e-4": FEW},
            )
            for name, unseen in JUDGES.items()
        },
    )


def fused(templates: int, success: float) -> SearchResult:
    return searched(None, success).model_copy(update={"part": "fusion", "templates": templates})


def picture(seed: int, side: int = 224) -> Image.Image:
    """Noise: as much fine detail, and as large a file, as a picture can have."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def write_run(folder: Path, document: Results) -> Path:
    """results.json and the pictures that it names."""
    folder.mkdir(parents=True, exist_ok=True)
    save_results(document, folder / "results.json")
    for i, sample in enumerate(document.samples):
        if sample.original is not None:
            (folder / sample.original).parent.mkdir(exist_ok=True)
            picture(i).save(folder / sample.original)
        if sample.reconstruction is not None:
            (folder / sample.reconstruction).parent.mkdir(exist_ok=True)
            save_reconstruction_png(picture(1000 + i), folder / sample.reconstruction)
    return folder
