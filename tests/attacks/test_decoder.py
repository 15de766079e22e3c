"""What all decoders share: standardising, saving, and the account of a training."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.base import AttackSettings, Resources
from attacks.inversion.decoder import BATCH, HELD_OUT, DecoderAttack, resized_crops
from attacks.inversion.training import Curves, Schedule
from biometrics.backbones.base import Backbone
from biometrics.errors import ConfigError, InputError, WeightsError
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.faceset import FaceSet
from biometrics.templates import TemplateSet
from tests.attacks.test_saved import small_model
from tests.attacks.world import PixelBackbone, template_set

SIDE, PEOPLE, DIM = 2, 40, 5


class PainterSettings(AttackSettings):
    hidden: int = Field(default=4, ge=1)
    epochs: int = Field(default=2, ge=1)


class Painter(DecoderAttack):
    """A perceptron to a very small picture."""

    Settings = PainterSettings
    knowledge = "pairs"
    file = "painter"
    draws_with_appearance = False

    settings: PainterSettings

    def build(self, dim: int) -> nn.Module:
        hidden = self.settings.hidden
        return nn.Sequential(nn.Linear(dim, hidden), nn.Linear(hidden, 3 * SIDE * SIDE))

    def learn(self, faces: FaceSet, templates: TemplateSet, inputs: Tensor) -> None:
        self.inputs = inputs.clone()
        targets = resized_crops(faces, SIDE).flatten(1)
        schedule = Schedule(self.settings.epochs, 8, 1e-2, 0.0, self.resources.seed)
        curves = self.train_network(self.network, faces, inputs, targets, painted, schedule)
        self.curves = {"train": curves.train}

    def draw(self, output: Tensor) -> tuple[Tensor, Tensor | None]:
        return output.reshape(-1, 3, SIDE, SIDE), None


class WithPoints(Painter):
    """Also says where 68 points are, and draws with the appearance model."""

    draws_with_appearance = True

    def draw(self, output: Tensor) -> tuple[Tensor, Tensor | None]:
        points = output[:, :2].repeat(1, 68).reshape(-1, 68, 2)
        return super().draw(output)[0], points


class Directions(Painter):
    def prepare(self, vectors: Tensor) -> Tensor:
        return F.normalize(vectors, dim=1)


class SeesThrough(Painter):
    whitebox = True


def painted(output: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(output, target.float() / 255)


@pytest.fixture(scope="module")
def model() -> AppearanceModel:
    return small_model()


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (PEOPLE, 1, 1, 3), dtype=np.uint8)
    table = pd.DataFrame(
        {
            "face_id": [str(i) for i in range(PEOPLE)],
            "subject_id": [f"person {i // 2}" for i in range(PEOPLE)],
        }
    )
    crops = np.broadcast_to(colours, (PEOPLE, 224, 224, 3)).copy()
    return FaceSet(crops, np.zeros((PEOPLE, 68, 2), np.float32), table)


@pytest.fixture(scope="module")
def templates(faces: FaceSet) -> TemplateSet:
    vectors = 3 + 7 * np.random.default_rng(1).standard_normal((PEOPLE, DIM))
    return template_set(vectors, faces)


@pytest.fixture
def resources(model: AppearanceModel) -> Resources:
    return Resources(appearance=model, seed=3)


def fitted(
    kind: type[Painter],
    resources: Resources,
    faces: FaceSet,
    templates: TemplateSet,
    **settings: Any,
) -> Painter:
    attack = kind(PainterSettings(**settings), resources)
    attack.fit(faces, templates)
    return attack


def test_templates_are_centred_and_brought_to_one_common_scale(
    resources: Resources, faces: FaceSet, templates: TemplateSet
) -> None:
    attack = fitted(Painter, resources, faces, templates)
    vectors = templates.vectors.astype(np.float64)
    scale = np.sqrt(vectors.var(axis=0, ddof=1).mean())
    expected = (vectors - vectors.mean(axis=0)) / scale
    np.testing.assert_allclose(attack.inputs, expected, atol=1e-5)
    seen = attack.standardise(torch.from_numpy(templates.vectors[:3].copy()))
    np.testing.assert_allclose(seen, expected[:3], atol=1e-5)


def test_what_a_subclass_prepares_is_standardised_in_fit_and_in_use(
    resources: Resources, faces: FaceSet, templates: TemplateSet
) -> None:
    attack = fitted(Directions, resources, faces, templates)
    longer = templates.vectors * 5
    np.testing.assert_allclose(
        attack.invert(longer).crops, attack.invert(templates.vectors).crops, atol=1e-5
    )
    np.testing.assert_allclose(attack.inputs.mean(dim=0), np.zeros(DIM), atol=1e-5)


def test_equal_templates_give_equal_and_finite_faces(
    resources: Resources, faces: FaceSet, templates: TemplateSet
) -> None:
    same = template_set(np.ones((PEOPLE, DIM)), faces)
    crops = fitted(Painter, resources, faces, same).invert(same.vectors).crops
    assert np.isfinite(crops).all()
    assert (crops == crops[0]).all()


def test_many_templates_are_drawn_as_if_one_by_one(
    resources: Resources, faces: FaceSet, templates: TemplateSet
) -> None:
    attack = fitted(WithPoints, resources, faces, templates)
    vectors = np.random.default_rng(2).standard_normal((BATCH + 3, DIM)).astype(np.float32) * 20
    whole = attack.invert(vectors)
    for row in (0, BATCH - 1, BATCH, BATCH + 2):
        one = attack.invert(vectors[row : row + 1])
        np.testing.assert_allclose(one.crops[0], whole.crops[row], atol=1e-5)
        assert whole.landmarks is not None
        assert one.landmarks is not None
        np.testing.assert_allclose(one.landmarks[0], whole.landmarks[row], atol=1e-4)
    assert whole.crops.shape == (BATCH + 3, 3, SIDE, SIDE)
    assert (whole.crops.min(), whole.crops.max()) == (0, 1), "clipped to the range of a picture"


@pytest.mark.parametrize("kind", [Painter, WithPoints])
def test_a_saved_attack_draws_the_same_faces(
    kind: type[Painter],
    resources: Resources,
    faces: FaceSet,
    templates: TemplateSet,
    tmp_path: Path,
) -> None:
    attack = fitted(kind, resources, faces, templates)
    attack.save(tmp_path)
    names = {"painter.safetensors"} | (
        {"appearance.safetensors"} if kind.draws_with_appearance else set()
    )
    assert {path.name for path in tmp_path.iterdir()} == names
    other = dataclasses.replace(resources, seed=99)
    loaded = kind.load(tmp_path, attack.settings, other)
    assert not loaded.network.training
    np.testing.assert_array_equal(
        loaded.invert(templates.vectors).crops, attack.invert(templates.vectors).crops
    )


def test_files_that_do_not_fit_are_refused(
    resources: Resources, faces: FaceSet, templates: TemplateSet, tmp_path: Path
) -> None:
    attack = fitted(Painter, resources, faces, templates)
    attack.save(tmp_path)
    with pytest.raises(WeightsError, match=r"painter\.safetensors was fitted with other settings"):
        Painter.load(tmp_path, PainterSettings(hidden=6), resources)
    path = tmp_path / "painter.safetensors"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(WeightsError, match="is not a readable attack"):
        Painter.load(tmp_path, attack.settings, resources)
    with pytest.raises(WeightsError, match="is not a readable attack"):
        Painter.load(tmp_path / "nowhere", attack.settings, resources)


def test_an_attack_that_knows_nothing_says_so(resources: Resources) -> None:
    with pytest.raises(InputError, match="fit it, or load a fitted one, first"):
        Painter(PainterSettings(), resources).invert(np.zeros((1, DIM), np.float32))


def test_the_attacked_model_is_asked_for_before_any_work(
    resources: Resources, faces: FaceSet, templates: TemplateSet
) -> None:
    with pytest.raises(ConfigError, match="'painter' trains through the attacked model, which was"):
        fitted(SeesThrough, resources, faces, templates)
    backbone = PixelBackbone(faces.crops[:8], templates.vectors[:8])
    seen = dataclasses.replace(resources, backbone=backbone)
    assert fitted(SeesThrough, seen, faces, templates).attacked_model() is backbone
    closed = PixelBackbone(faces.crops[:8], templates.vectors[:8])
    closed.spec = dataclasses.replace(backbone.spec, differentiable=False)
    with pytest.raises(ConfigError, match="which lets no gradients through; turn its identity"):
        fitted(SeesThrough, dataclasses.replace(resources, backbone=closed), faces, templates)


def test_pairs_that_are_none_are_refused(
    resources: Resources, faces: FaceSet, templates: TemplateSet
) -> None:
    with pytest.raises(InputError, match="two or more pairs, got 40 faces and 39 templates"):
        fitted(Painter, resources, faces, templates.take(range(PEOPLE - 1)))


def test_the_cost_of_a_training_is_told(
    resources: Resources, faces: FaceSet, templates: TemplateSet
) -> None:
    training = fitted(Painter, resources, faces, templates, epochs=3).training
    assert training is not None
    kept = PEOPLE - 2 * round(HELD_OUT * PEOPLE / 2)  # two pictures each; people held out whole
    assert (training.passes, training.pairs) == (3, kept)
    assert training.steps == 3 * (kept // 8)
    assert training.parameters == (DIM + 1) * 4 + (4 + 1) * 3 * SIDE * SIDE


def test_of_several_networks_the_longest_training_is_told(
    resources: Resources, faces: FaceSet, templates: TemplateSet
) -> None:
    attack = fitted(Painter, resources, faces, templates)
    attack.network[0].requires_grad_(False)  # type: ignore[index]
    for steps, passes in ((5, 1), (900, 4), (30, 2)):
        attack.note_training(Curves([0.0] * passes, [], pairs=7, steps=steps))
    assert dataclasses.astuple(attack.training) == (4, 7, 900, 5 * 3 * SIDE * SIDE, None)  # type: ignore[arg-type]


def test_first_weights_come_from_the_seed_and_torch_keeps_its_own_random_state(
    resources: Resources, faces: FaceSet, templates: TemplateSet
) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = fitted(Painter, resources, faces, templates)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    again = fitted(Painter, resources, faces, templates)
    other = fitted(Painter, dataclasses.replace(resources, seed=4), faces, templates)

    def drawn(attack: Painter) -> NDArray[np.float32]:
        return attack.invert(templates.vectors).crops

    np.testing.assert_array_equal(drawn(first), drawn(again))
    assert (drawn(first) != drawn(other)).any()


def test_crops_are_made_smaller_in_whole_levels() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (BATCH + 1, 1, 1, 3), dtype=np.uint8)
    crops = np.broadcast_to(levels, (BATCH + 1, 224, 224, 3)).copy()
    table = pd.DataFrame({"face_id": ["f"] * len(crops), "subject_id": ["s"] * len(crops)})
    faces = FaceSet(crops, np.zeros((len(crops), 68, 2), np.float32), table)
    small = resized_crops(faces, 5).numpy()
    assert (small.dtype, small.shape) == (np.uint8, (BATCH + 1, 3, 5, 5))
    np.testing.assert_array_equal(small, np.broadcast_to(levels.transpose(0, 3, 1, 2), small.shape))
    noise = np.random.default_rng(1).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    whole = resized_crops(FaceSet(noise, faces.landmarks[:1], table[:1]), 224)
    np.testing.assert_array_equal(whole, noise.transpose(0, 3, 1, 2))


def test_a_backbone_is_not_saved_with_the_attack(
    resources: Resources, faces: FaceSet, templates: TemplateSet, tmp_path: Path
) -> None:
    backbone: Backbone = PixelBackbone(faces.crops[:8], templates.vectors[:8])
    seen = dataclasses.replace(resources, backbone=backbone)
    attack = fitted(SeesThrough, seen, faces, templates)
    attack.save(tmp_path)
    loaded = SeesThrough.load(tmp_path, attack.settings, resources)
    np.testing.assert_array_equal(
        loaded.invert(templates.vectors).crops, attack.invert(templates.vectors).crops
    )
