"""The two decoders of Nagm et al. 2026 and the rows of its ablation."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from attacks.base import InversionAttack, Resources, make_settings
from attacks.inversion.landmark_texture import rounded_textures
from attacks.inversion.nagm import (
    JointLoss,
    LandmarkLoss,
    LandmarkNetwork,
    Nagm,
    NagmNetwork,
    NagmSettings,
    TextureLoss,
)
from attacks.inversion.training import Schedule, held_out_subjects
from attacks.inversion.warped_face import MeanFace, Parts, parameters
from biometrics.errors import ConfigError, WeightsError
from tests.attacks.world import DIM, SIZE, World, build

TINY = {
    "size": SIZE,
    "width": 0.02,
    "dense": 16,
    "convolutions": False,
    "epochs": 2,
    "landmark_epochs": 2,
    "batch_size": 32,
}


def made(world: World, **values: Any) -> Nagm:
    attack = build("nagm", world, **{**TINY, **values})
    assert isinstance(attack, Nagm)
    return attack


def trained(world: World, **values: Any) -> Nagm:
    attack = made(world, **values)
    attack.fit(world.faces, world.templates)
    return attack


@pytest.fixture(scope="module")
def rows(world: World) -> dict[str, Nagm]:
    return {mode: trained(world, mode=mode) for mode in ("full", "single", "no-warp", "joint")}


def decoders(attack: Nagm) -> NagmNetwork:
    assert isinstance(attack.network, NagmNetwork)
    return attack.network


def parts(attack: Nagm, vectors: np.ndarray) -> Parts:
    with torch.no_grad():
        said = attack.network(attack.standardise(torch.from_numpy(vectors.copy())))
    assert isinstance(said, Parts)
    return said


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    assert states[0].keys() == states[1].keys()
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_the_landmark_network_has_exactly_the_papers_parameters() -> None:
    with torch.device("meta"):
        network = LandmarkNetwork(4096, 1.0)
    sizes = [4096, 1000, 800, 600, 400, 200, 136]
    dense = sum(a * b + b for a, b in pairwise(sizes))
    assert parameters(network) == dense + 2 * (1000 + 800) == 5_729_936
    running = [b for name, b in network.named_buffers() if "running" in name]
    assert sum(b.numel() for b in running) == 3_600  # 134,264,144 less VGG-Face's 134,260,544


@pytest.mark.parametrize("mode", ["full", "single", "no-warp", "joint"])
def test_before_training_everyone_looks_like_the_mean_face(world: World, mode: str) -> None:
    attack = made(world, mode=mode)
    network = attack.build(DIM).eval()
    attack.network = network
    with torch.no_grad():
        pictures, points = attack.draw(network(torch.randn(2, DIM)))
    expected = torch.from_numpy(world.model.mean_texture).expand(2, -1, -1, -1)
    torch.testing.assert_close(pictures, expected, atol=1e-4, rtol=0)
    if mode == "single":
        assert points is None
    else:
        assert points is not None
        assert torch.equal(points, torch.from_numpy(world.model.mean_shape).expand(2, -1, -1))


def test_the_mean_face_is_drawn_at_the_attacks_own_size(world: World) -> None:
    face = MeanFace(world.model, 48)
    assert face.mean_texture.shape == (3, 48, 48)
    assert float(face.mean_texture.mean()) == pytest.approx(
        float(world.model.mean_texture.mean()), abs=2e-3
    )


def test_the_warp_is_the_appearance_models_and_its_constants_move_along(world: World) -> None:
    face = MeanFace(world.model, SIZE)
    generator = torch.Generator().manual_seed(3)
    textures = torch.rand(2, 3, SIZE, SIZE, generator=generator)
    points = face.landmarks(2 * torch.randn(2, 136, generator=generator))
    expected = world.model.compose(textures, points)
    assert torch.equal(face.render(textures, points), expected)
    double = face.double().render(textures.double(), points.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), expected, atol=5e-3, rtol=0)


def test_full_is_the_texture_warped_to_the_landmarks(world: World, rows: dict[str, Nagm]) -> None:
    attack = copy.deepcopy(rows["full"])
    points = decoders(attack).landmarks
    assert points is not None
    torch.manual_seed(6)
    points.out.bias.data.normal_(std=4)  # so that there is something to warp
    said = parts(attack, world.leaked)
    assert said.landmarks is not None
    done = attack.invert(world.leaked)
    assert np.array_equal(done.landmarks, said.landmarks.numpy())
    expected = world.model.compose(said.textures.clamp(0, 1), said.landmarks).numpy()
    np.testing.assert_allclose(done.crops, expected, atol=1e-6)
    assert np.abs(done.crops - said.textures.clamp(0, 1).numpy()).max() > 1e-4


def test_without_the_warp_the_same_texture_is_shown_on_the_mean_shape(
    world: World, rows: dict[str, Nagm]
) -> None:
    plain, full = rows["no-warp"], rows["full"]
    assert same_weights(decoders(plain).texture, decoders(full).texture)
    assert decoders(plain).landmarks is None
    done = plain.invert(world.leaked)
    textures = parts(full, world.leaked).textures.clamp(0, 1).numpy()
    np.testing.assert_allclose(done.crops, textures, atol=1e-6)
    mean = np.broadcast_to(world.model.mean_shape, (len(textures), 68, 2))
    assert np.array_equal(done.landmarks, mean)
    assert list(plain.curves) == list(full.curves)[2:]


def test_a_single_decoder_learns_the_crop_itself(world: World, rows: dict[str, Nagm]) -> None:
    attack = rows["single"]
    assert decoders(attack).landmarks is None
    assert attack.invert(world.leaked).landmarks is None
    held = held_out_subjects(world.faces.subject_ids, share=0.05, seed=0)
    crops = torch.from_numpy(world.faces.crops[held].copy()).permute(0, 3, 1, 2).float()
    small = torch.nn.functional.interpolate(
        crops, (SIZE, SIZE), mode="bicubic", antialias=True
    ).clamp(0, 255)
    said = parts(attack, world.templates.vectors[held]).textures
    error = (255 * said - small.round()).abs().mean()
    assert attack.curves["crop, held-out subjects"][-1] == pytest.approx(float(error), rel=1e-4)


def test_the_last_values_of_the_curves_are_the_errors_on_the_people_held_out(
    world: World, rows: dict[str, Nagm]
) -> None:
    full = rows["full"]
    held = held_out_subjects(world.faces.subject_ids, share=0.05, seed=0)
    said = parts(full, world.templates.vectors[held])
    assert said.landmarks is not None
    squared = ((said.landmarks.numpy() - world.faces.landmarks[held]) ** 2).mean()
    assert full.curves["landmarks, held-out subjects"][-1] == pytest.approx(squared, rel=1e-4)
    true = rounded_textures(world.faces, world.model.mean_shape, SIZE).numpy()[held]
    error = np.abs(255.0 * said.textures.numpy() - true).mean()
    assert full.curves["texture, held-out subjects"][-1] == pytest.approx(error, rel=1e-4)
    assert [len(curve) for curve in full.curves.values()] == 4 * [2]


def test_the_losses_are_those_of_the_paper(world: World) -> None:
    rng = np.random.default_rng(5)
    face = MeanFace(world.model, SIZE)
    offsets = rng.normal(size=(4, 136)).astype(np.float32)
    points = (world.model.mean_shape + rng.normal(size=(4, 68, 2))).astype(np.float32)
    deviations = rng.normal(size=(4, 3, SIZE, SIZE)).astype(np.float32)
    pictures = rng.integers(0, 256, deviations.shape, dtype=np.uint8)
    moved = world.model.mean_shape + offsets.reshape(4, 68, 2)
    textures = world.model.mean_texture + deviations
    squared = ((moved - points) ** 2).mean()
    absolute = np.abs(255 * textures - pictures.astype(float)).mean()
    tensors = map(torch.from_numpy, (offsets, points, deviations, pictures))
    o, p, d, t = tensors
    assert float(LandmarkLoss(face)(o, p)) == pytest.approx(squared, rel=1e-5)
    assert float(TextureLoss(face)(d, t)) == pytest.approx(absolute, rel=1e-5)
    warped = world.model.compose(torch.from_numpy(textures), torch.from_numpy(moved)).numpy()
    seen = np.abs(255 * warped - pictures.astype(float)).mean()
    said = Parts(torch.from_numpy(moved), torch.from_numpy(textures))
    assert float(JointLoss(face, 3.0, 0.5)(said, p, t)) == pytest.approx(
        3 * squared + 0.5 * seen, rel=1e-5
    )


def test_jointly_the_pictures_error_moves_the_landmarks(
    world: World, rows: dict[str, Nagm]
) -> None:
    face = MeanFace(world.model, SIZE)
    points = face.mean_shape.repeat(1, 1, 1).requires_grad_()
    textures = face.mean_texture[None].clone().requires_grad_()
    truth = torch.randint(0, 256, textures.shape, dtype=torch.uint8)
    JointLoss(face, 0.0, 1.0)(Parts(points, textures), points.detach(), truth).backward()
    assert points.grad is not None
    assert textures.grad is not None
    assert points.grad.abs().max() > 0
    assert textures.grad.abs().max() > 0
    joint = rows["joint"]
    assert decoders(joint).landmarks is not None
    assert len(joint.curves) == 2
    only = trained(world, mode="joint", landmark_weight=0.0)
    assert not same_weights(decoders(joint), decoders(only))


def test_both_losses_fall_also_on_people_who_were_held_out(
    fitted: Callable[[str], InversionAttack],
) -> None:
    for name, values in fitted("nagm").curves.items():
        assert values[-1] < 0.8 * values[0], (name, values)


@pytest.mark.parametrize("mode", ["single", "no-warp", "joint"])
def test_every_row_is_saved_and_read_back(
    world: World, rows: dict[str, Nagm], tmp_path: Path, mode: str
) -> None:
    attack = rows[mode]
    attack.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["nagm.safetensors"]
    loaded = Nagm.load(tmp_path, attack.settings, Resources(appearance=world.model))
    assert np.array_equal(loaded.invert(world.leaked).crops, attack.invert(world.leaked).crops)


def test_a_row_is_not_read_as_another(world: World, rows: dict[str, Nagm], tmp_path: Path) -> None:
    rows["single"].save(tmp_path)
    with pytest.raises(WeightsError, match="fitted with other settings"):
        Nagm.load(tmp_path, rows["full"].settings, rows["full"].resources)


def test_the_optimiser_is_the_papers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Schedule] = []
    original = Nagm.train_network

    def spy(self: Nagm, *given: Any) -> Any:
        seen.append(given[-1])
        return original(self, *given)

    monkeypatch.setattr(Nagm, "train_network", spy)
    trained(world, epochs=1, landmark_epochs=3)
    assert [schedule.epochs for schedule in seen] == [3, 1]
    assert len({schedule.seed for schedule in seen}) == 2
    for schedule in seen:
        assert (schedule.learning_rate, schedule.beta1, schedule.decay) == (1e-3, 0.5, 9.5e-5)
        assert schedule.weight_decay == 0


def test_it_tells_its_parameters(rows: dict[str, Nagm]) -> None:
    texture = parameters(decoders(rows["full"]).texture)
    landmarks = decoders(rows["full"]).landmarks
    assert landmarks is not None
    said = rows["full"].describe()
    assert said == (
        f"landmark network {parameters(landmarks):,} parameters, "
        f"texture network {texture:,} parameters"
    )
    assert rows["single"].describe() == f"texture network {texture:,} parameters"


def test_a_quick_run_keeps_the_row(world: World) -> None:
    quick = NagmSettings(mode="joint").quick()
    assert quick.mode == "joint"
    assert (quick.size, quick.epochs < 40, quick.landmark_epochs < 200) == (96, True, True)
    assert NagmSettings() == make_settings("nagm:full", {"mode": "full"})
    with pytest.raises(ConfigError, match="setting 'mode'"):
        make_settings("nagm", {"mode": "double"})
