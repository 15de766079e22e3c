"""A small paper, and audits of it that cost nothing; shared by the tests of ``reproduce``."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import reproduce as module
from audit.config import AuditConfig
from audit.watch import Watch
from reports.results import (
    AttackResult,
    FacesSummary,
    JudgeResult,
    Landmarks,
    Measured,
    NotMeasured,
    Provenance,
    Results,
    Seconds,
    SplitCount,
    Training,
    save_results,
)

PAPER = """\
title: A paper
source: A. Author, "A paper", 2026
table: "Table 1"
differences: ["Data: theirs is larger."]
measures: {PSNR: psnr_crop, SSIM: ssim_crop, MSE: landmarks.mse_redetected, FID: fid}
rows:
  - {row: "full model", config: full.yaml, attack: "linear:full", paper: {PSNR: 23.8, MSE: 13.25}}
  - {row: "without", config: without.yaml, attack: "linear:without", paper: {PSNR: 20, SSIM: 0.5}}
  - {row: "of the other model", config: other.yaml, attack: "linear:full"}
"""
FACES = "faces: {path: photos}\n"
FULL = 'title: Full\nattacks: [{"linear:full": {ridge: 0.5}}, landmark-texture]\n'
WITHOUT = 'title: Without\nattacks: [{"linear:without": {ridge: 0}}]\n'
OTHER = 'title: Other\ntarget: mobilefacenet\nattacks: [{"linear:full": {ridge: 0.1}}]\n'


@pytest.fixture
def paper_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One small paper in the place of those that ship."""
    place = tmp_path / "papers"
    (place / "paper2026").mkdir(parents=True)
    (place / "unfinished").mkdir()
    parts = {"paper": PAPER, "full": FACES + FULL, "without": FACES + WITHOUT}
    for name, text in {**parts, "other": FACES + OTHER}.items():
        (place / "paper2026" / f"{name}.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(module, "_folder", lambda: place)
    return place / "paper2026"


def rate(value: float) -> Measured:
    return Measured(value=value, low=max(0, value - 0.1), high=min(1, value + 0.1), n=60)


def result(config: AuditConfig, name: str) -> AttackResult:
    """A row that tells from which run and attack it comes."""
    number = len(config.title) + len(name)
    unseen = JudgeResult(
        unseen=True,
        type1={
            "1e-3": rate(0.1),
            "1e-2": rate(0.5),
            "1e-1": NotMeasured(not_measured="too few people"),
        },
    )
    return AttackResult(
        attack=name,
        backbone=config.target,
        knowledge="pairs",
        control=False,
        n_attempts=60,
        n_failed=0,
        detection_rate=rate(0.9),
        judges={
            "mobilefacenet": unseen,
            "dlib": JudgeResult(unseen=False, type1={"1e-2": rate(0.99)}),
        },
        image={
            "psnr_crop": Measured(value=number, n=60),
            "ssim_crop": Measured(value=0.43219, n=60),
            "fid": NotMeasured(not_measured="fid-inception is missing"),
        },
        landmarks=Landmarks(mse_redetected=Measured(value=123.456, n=60)),
        seconds=Seconds(fit=3723.4),
        training=None
        if name == "linear:without"
        else Training(passes=2, pairs=1234, steps=77, parameters=5_000_000, memory=3 << 20),
        note="not working: so it is" if name == "linear:without" else "",
    )


Ran = list[tuple[AuditConfig, Path]]


@pytest.fixture
def paper_runs(paper_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """The audits of the small paper that were run; in their place small results are written."""
    calls: Ran = []

    def run_audit(config: AuditConfig, out: Path, _watch: Watch) -> Path:
        calls.append((config, out))
        out.mkdir(parents=True, mode=0o700)
        pictures = SplitCount(subjects=10, pictures=4321)
        results = Results(
            title=config.title,
            created="2026-01-31T12:00:00Z",
            quick=config.quick,
            provenance=Provenance(faceleak="0", python="3", device="cpu", seed=7),
            faces=FacesSummary(attacker=pictures),
            attacks=[result(config, attack.name) for attack in config.attacks],
            curves={
                "linear:full": {
                    "landmarks": [7, 8],
                    "pixels": [0.9, 0.5, 0.25],
                    "pixels, held-out subjects": [1.0, 1.5],
                }
            },
        )
        save_results(results, out / "results.json")
        return out / "results.json"

    monkeypatch.setattr(module, "run_audit", run_audit)
    return calls
