"""Covered faces: a small run, errors of known size, and a backbone that looks at one place."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

from attacks.perturbation.base import Perturbation, Perturbed, Pictures
from attacks.perturbation.occlusion import BlockEyes, RandomBlock, grid_blocks
from audit.stress import occlusion
from audit.stress.bench import Made
from audit.stress.occlusion import COVERS, DECODED, Errors
from audit.stress.settings import OcclusionSettings, StressSettings
from audit.stress.slide import sensitivity
from biometrics.backbones.base import Backbone, BackboneSpec
from biometrics.backbones.embed import embed
from biometrics.metrics.image import hull_masks
from reports.results import Measured, Results, StressResult
from tests.audit.stress.small import TARGET, rows_of, run_small
from tests.biometrics.faces.drawn import random_faces

TINY = {"size": 64, "width": 0.03, "convolutions": False, "dense": 16, "epochs": 1}
STRESS: dict[str, Any] = {
    "shown": 1,
    "subjects": 6,
    "pictures": 2,
    "occlusion": {
        "areas": [0, 0.1, 0.5],
        "slide_faces": 2,
        "slide_grid": 7,
        "decoders": [{"gan:cnn": {**TINY, "adversarial": 0}}, {"gan:wide": {**TINY, "dense": 32}}],
        "decoder_subjects": 4,
    },
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run_small(tmp_path_factory.mktemp("occlusion"), ["occlusion"], STRESS)


def row(results: Results, perturbation: str, attack: str = "linear", **fields: Any) -> StressResult:
    (found,) = rows_of(results, perturbation, attack=attack, **fields)
    return found


def value(of: StressResult, name: str) -> float:
    measured = of.measures[name]
    assert isinstance(measured, Measured)
    return measured.value


# --- the run


def test_every_cover_has_its_row(results: Results) -> None:
    linear = [r.perturbation for r in results.stress if r.attack == "linear"]
    assert linear == ["none", *COVERS, *["random-block"] * 3]
    for found in results.stress:
        assert (found.family, found.backbone, found.judge) == ("occlusion", TARGET, TARGET)
        assert found.label
    assert row(results, "surgical-mask").samples[0].perturbed


def test_an_empty_cover_gives_the_clean_numbers_exactly(results: Results) -> None:
    clean, empty = row(results, "none"), row(results, "random-block", strength=0.0)
    for name in ("type1", "type2", "tmr", "detection_rate", "n_failed"):
        assert getattr(empty, name) == getattr(clean, name)
    for name in ("shift", "error_face", "landmark_error"):
        assert empty.measures[name] == clean.measures[name]
    for changes in (empty.difference, empty.type2_difference, empty.tmr_difference):
        change = changes["1e-2"]
        assert isinstance(change, Measured)
        assert change.value == 0
    assert empty.measures["error_outside"] == clean.measures["error_face"]
    assert not isinstance(empty.measures["error_inside"], Measured)  # nothing is covered


def test_larger_blocks_move_the_template_further(results: Results) -> None:
    areas = [value(row(results, "random-block", strength=s), "shift") for s in (0.0, 0.1, 0.5)]
    assert areas[0] == pytest.approx(1)
    assert areas[0] - 0.05 > areas[1] > areas[2] + 0.05


def test_the_face_is_what_was_covered_and_the_rest(results: Results) -> None:
    for name in COVERS:
        found = row(results, name)
        parts = value(found, "error_inside"), value(found, "error_outside")
        # Of each picture it lies between; people have their own shares, hence a little room.
        assert min(parts) - 1 < value(found, "error_face") < max(parts) + 1
        for place in ("inside", "outside"):
            change = value(found, f"error_{place}") - value(found, f"error_{place}_clean")
            assert value(found, f"error_{place}_change") == pytest.approx(change)


def test_the_slide_has_a_map_and_no_attack(results: Results) -> None:
    found = row(results, "slide", attack="")
    assert found.map is not None
    values = np.array(found.map.values)
    assert values.shape == (7, 7)
    assert found.map.n == 2
    assert values[3, 3] > 5 * abs(values[0, 0])
    assert value(found, "loss_face") > value(found, "loss_outside")


def test_decoders_are_compared_under_a_few_covers_and_say_how_they_were_trained(
    results: Results,
) -> None:
    found = rows_of(results, "none", attack="gan:cnn")
    found += [r for name in DECODED for r in rows_of(results, name, attack="gan:cnn")]
    assert len(found) == 1 + len(DECODED)
    for r in found:
        assert r.note.startswith("trained on 30 people with 1 passes, 64 pixels a side;")
        assert r.n_attempts == 8
        assert value(r, "error_face") > 0
    assert not any(r.note for r in results.stress if r.attack == "linear")


def test_a_second_decoder_is_told_of_after_the_first(results: Results) -> None:
    for name in DECODED:
        first, second = (row(results, name, attack) for attack in ("gan:cnn", "gan:wide"))
        for error in ("error_inside", "error_outside", "error_face"):
            gap = value(second, error) - value(first, error)
            assert value(second, f"{error}_to_first") == pytest.approx(gap, abs=1e-9)
            assert f"{error}_to_first" not in first.measures
    assert "error_inside_to_first" not in row(results, "block-eyes").measures


@pytest.mark.parametrize(("target", "trained"), [("first", True), ("second", False)])
def test_decoders_are_trained_for_the_first_target_alone(
    target: str, trained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(occlusion, "_rows", lambda *_: [])
    monkeypatch.setattr(occlusion, "_decoder_rows", lambda _: ["row of a decoder"])
    bench: Any = SimpleNamespace(
        target=target,
        sizes=StressSettings(occlusion=OcclusionSettings(slide_faces=0)),
        config=SimpleNamespace(judges=("first", "second")),
        draw=lambda *_: None,
    )
    assert occlusion.stress(bench) == (["row of a decoder"] if trained else [])


# --- errors of known size


def errors_of(inside: int, outside: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measures under a block, and of the clean pictures, where reconstructions are off by so many
    grey levels in the block and beside it; by 3 everywhere of the clean ones."""
    people = random_faces(3, 1)
    faces = dataclasses.replace(people, crops=np.array(people.crops).clip(60, 190))

    def perturbed(perturbation: Perturbation, rows: np.ndarray) -> Perturbed:
        seeds = rows.astype(np.uint64)
        return perturbation.apply(Pictures(faces.crops[rows], faces.landmarks[rows], seeds))

    bench: Any = SimpleNamespace(
        people=SimpleNamespace(faces=faces, faces_key="key"),
        config=SimpleNamespace(seed=1),
        names=faces.subject_ids,
        seed=1,
        perturbed=perturbed,
    )
    rows, block = np.array([2, 0]), BlockEyes()
    errors = Errors(bench, rows, [block, RandomBlock(0.2)])
    covered = perturbed(block, rows).covered
    assert covered is not None
    face = hull_masks(faces.landmarks[rows])
    off = np.where(covered, inside, outside) + np.where(face, 0, 40)  # the background is nobody's
    crops = faces.crops[rows].astype(int)
    made = (crops - off[..., None]).clip(0, 255).astype(np.uint8)
    points = faces.landmarks[rows] + np.array([2, 4], dtype=np.float32)
    taken = []
    for perturbation, pictures in ((block, made), (None, (crops + 3).astype(np.uint8))):
        measure = errors.numbers(perturbation).measure
        parts = [measure(pictures[i : i + 1], points[i : i + 1], slice(i, i + 1)) for i in (0, 1)]
        values = {k: np.concatenate([p[k] for p in parts]).astype(float) for k in parts[0]}
        taken.append(Made(points, {}, values, np.empty(0, np.uint8)))
    before = errors.summary(None, taken[1], taken[1])
    return dict(errors.summary(block, taken[0], taken[1])), dict(before)


def test_errors_inside_and_outside_are_those_that_were_made() -> None:
    now, before = errors_of(inside=20, outside=5)
    known = {
        "error_inside": 20,
        "error_outside": 5,
        "error_inside_clean": 3,
        "error_outside_clean": 3,
        "error_inside_change": 17,
        "error_outside_change": 2,
        "landmark_error": (4 + 16) / 2,
    }
    for name, expected in known.items():
        assert now[name].value == pytest.approx(expected, rel=1e-4), name
        assert now[name].n == 2
    assert 5 < now["error_face"].value < 20
    assert before["error_face"].value == pytest.approx(3)
    assert set(before) == {"error_face", "landmark_error"}


# --- a backbone that looks at one place

PLACE = (slice(96, 112), slice(80, 96))
SPEC = BackboneSpec(
    name="one place",
    dim=16,
    input_size=(224, 224),
    crop=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    similarity="l2",
    licence="none",
    origin="a test",
    sha256=None,
    differentiable=True,
    may_be_unseen_judge=False,
    customary_threshold=None,
)


class OnePlace(Backbone):
    """The pixels of one square of 16, four by four at a time."""

    def embed_input(self, inputs: Tensor) -> Tensor:
        return F.avg_pool2d(inputs[:, :1, *PLACE], 4).flatten(1)


def test_the_map_lights_up_where_the_backbone_looks_and_nowhere_else() -> None:
    crop = np.array(random_faces(1, 1).crops[0])
    crop[PLACE] = 250
    model = OnePlace(SPEC)
    clean = embed(model, crop[None])[0]
    lost = sensitivity(model, crop, clean, grid_blocks(14, 16)).reshape(14, 14)
    at = np.unravel_index(lost.argmax(), lost.shape)
    assert at == (96 // 16, 80 // 16)
    assert lost[at] == pytest.approx(4 * (250 - 128) / 255, rel=1e-4)  # 16 values off by this / 4
    lost[at] = 0
    assert np.abs(lost).max() < 1e-6
    wide = sensitivity(model, crop, clean, grid_blocks(14, 48)).reshape(14, 14)
    assert {tuple(i) for i in np.argwhere(wide > 1e-3)} == {
        (r, c) for r in (5, 6, 7) for c in (4, 5, 6)
    }


# --- settings


def test_a_quick_run_is_smaller_and_keeps_what_was_set_by_hand() -> None:
    full, quick = OcclusionSettings(), OcclusionSettings().quick()
    assert (quick.slide_faces, quick.slide_grid) == (20, 14)
    assert full.slide_faces > 20
    assert full.decoders
    assert quick.decoders == ()
    assert OcclusionSettings(slide_faces=3).quick().slide_faces == 3
    assert OcclusionSettings(decoders=()).quick().decoders == ()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"areas": [0.1, 1.5]}, "less than or equal to 1"),
        ({"areas": [0.1, 0.1]}, "'0.1' is named twice"),
        ({"decoders": ["gan:a", "gan:a"]}, "'gan:a' is named twice"),
        ({"slide_block": 500}, "less than or equal to 224"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        OcclusionSettings(**wrong)
