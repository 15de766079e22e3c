"""The attack through another model, in a world where both models are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ortho_group

from attacks import trained
from attacks.base import Resources, attack_class, make_settings
from attacks.inversion.adapted import FILE, THROUGH, Adapted, AdaptedSettings
from attacks.inversion.controls import ShuffledSettings
from attacks.trained import RECORD, load_trained, shipped_attack
from biometrics.backbones.embed import embed
from biometrics.errors import ConfigError, InputError, WeightsError
from biometrics.faces.shipped import shipped_subjects
from tests.attacks.world import DIM, MODEL, World, build, fit, make_faces, template_set


def consulted(target: str, **settings: Any) -> frozenset[str]:
    return Adapted.consulted(make_settings("adapted", settings), target)


def test_a_turned_model_is_inverted_as_the_model_itself(world: World) -> None:
    """The leaked templates are those of the model at hand, turned: nothing is lost."""
    others = make_faces(15, 1, seed=5)
    mine = embed(world.backbone, others.crops)
    turn = ortho_group.rvs(DIM, random_state=2) * 3.0
    theirs = embed(world.backbone, world.faces.crops) @ turn + 1.0
    attack = build("adapted", world)
    attack.fit(world.faces, template_set(theirs, world.faces))
    wanted = load_trained(world.kept).attack.invert(mine)
    made = attack.invert((mine @ turn + 1.0).astype(np.float32))
    np.testing.assert_allclose(made.crops, wanted.crops, atol=2e-3)
    assert wanted.landmarks is not None
    assert made.landmarks is not None
    np.testing.assert_allclose(made.landmarks, wanted.landmarks, atol=0.05)


def test_only_as_many_pairs_are_looked_at_as_asked_for(world: World) -> None:
    """The pictures that are not drawn may be anything."""
    attack = fit("adapted", world, pairs=40)
    assert isinstance(attack, Adapted)
    assert attack.map is not None
    assert attack.map.pairs == 40
    seen: list[int] = []
    attack = build("adapted", world, pairs=40)
    attack.resources = replace(attack.resources, advance=seen.append)
    attack.fit(world.faces, world.templates)
    assert sum(seen) == 40


def test_lengths_say_nothing_where_the_attacked_model_compares_directions(world: World) -> None:
    attack = build("adapted", world)
    attack.resources = replace(attack.resources, similarity="cosine")
    attack.fit(world.faces, world.templates)
    one, other = attack.invert(world.leaked), attack.invert(world.leaked * np.float32(7))
    np.testing.assert_allclose(one.crops, other.crops, atol=1e-5)
    plain = fit("adapted", world)
    assert not np.allclose(plain.invert(world.leaked * np.float32(7)).crops, other.crops, atol=0.1)


def test_what_it_saves_stands_alone(world: World, tmp_path: Path) -> None:
    """The trained attack may be gone, or be another one, when a kept attack is loaded."""
    attack = fit("adapted", world)
    attack.save(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [FILE, THROUGH]
    settings = make_settings("adapted", {"attack": "nowhere", "through": MODEL})
    loaded = Adapted.load(tmp_path, settings, Resources(appearance=world.model))
    assert np.array_equal(loaded.invert(world.leaked).crops, attack.invert(world.leaked).crops)
    (tmp_path / THROUGH / RECORD).unlink()
    with pytest.raises(InputError, match="holds no trained attack"):
        Adapted.load(tmp_path, settings, Resources(appearance=world.model))


# --- who took part


def test_all_that_took_part_is_consulted() -> None:
    """The shipped attack differs from the default in its passes, so both models that its settings
    were chosen with are named."""
    assert consulted("ours") == {"ours", "dlib", "mobilefacenet"}
    assert Adapted.borrowed(AdaptedSettings()) == {"dlib"}


def test_what_a_trained_attack_was_trained_with_is_consulted(tmp_path: Path) -> None:
    settings = {"perceptual": "mobilefacenet"}
    record = {"attack": "dfd", "settings": settings, "target": "lbp", "similarity": "l2"}
    (tmp_path / RECORD).write_text(json.dumps(record))
    names = consulted("ours", through="lbp", attack=str(tmp_path))
    assert names == {"ours", "lbp", "mobilefacenet", "dlib"}


def test_the_shuffled_control_borrows_what_its_attack_does() -> None:
    settings = ShuffledSettings(attack="adapted")
    control = attack_class("control:shuffled")
    assert control.borrowed(settings) == {"dlib"}
    assert control.brought(settings) == Adapted.brought(AdaptedSettings())
    assert control.borrowed(ShuffledSettings()) == frozenset()
    assert control.brought(ShuffledSettings()) is None


def test_what_ships_names_its_people_and_anything_else_says_that_it_does_not(world: World) -> None:
    shipped = Adapted.brought(AdaptedSettings())
    assert shipped is not None
    assert shipped.subjects == shipped_subjects()
    assert len(shipped.subjects) == 3222
    assert "Aaron_Patterson" in shipped.subjects
    assert not shipped.note
    named = make_settings("adapted", {"attack": str(shipped_attack("dlib"))})
    assert Adapted.brought(named) == shipped
    own = Adapted.brought(build("adapted", world).settings)
    assert own is not None
    assert not own.subjects
    assert "not known" in own.note


def test_another_trained_attack_has_another_hash(world: World, tmp_path: Path) -> None:
    first = trained.folder_hash(world.kept)
    trained.copy_trained(world.kept, tmp_path / "copy")
    assert trained.folder_hash(tmp_path / "copy") == first
    with (tmp_path / "copy" / "linear.safetensors").open("ab") as file:
        file.write(b" ")
    assert trained.folder_hash(tmp_path / "copy") != first
    trained.copy_trained(world.kept, tmp_path / "renamed")
    (tmp_path / "renamed" / "linear.safetensors").rename(tmp_path / "renamed" / "l.safetensors")
    assert trained.folder_hash(tmp_path / "renamed") != first


# --- what is refused


def test_an_attack_on_another_model_is_refused(world: World) -> None:
    with pytest.raises(InputError, match="trained on templates of linear world, not of dlib"):
        consulted("ours", attack=str(world.kept))
    with pytest.raises(InputError, match="trained on templates of dlib, not of mobilefacenet"):
        consulted("ours", through="mobilefacenet", attack="dlib")
    attack = build("adapted", world, attack="dlib")
    with pytest.raises(InputError, match="trained on templates of dlib, not of linear world"):
        attack.fit(world.faces, world.templates)


def test_a_model_without_a_trained_attack_is_refused() -> None:
    with pytest.raises(WeightsError, match="no attack ships for backbone 'mobilefacenet'"):
        consulted("ours", through="mobilefacenet")
    with pytest.raises(InputError, match="attack nowhere: neither a folder nor a backbone"):
        consulted("ours", attack="nowhere")


def test_a_chain_is_refused(tmp_path: Path) -> None:
    record = {"attack": "adapted", "settings": {}, "target": "dlib", "similarity": "l2"}
    (tmp_path / RECORD).write_text(json.dumps(record))
    with pytest.raises(ConfigError, match="is an adapted attack itself"):
        consulted("ours", attack=str(tmp_path))


def test_other_weights_of_the_model_are_refused(world: World, tmp_path: Path) -> None:
    trained.copy_trained(world.kept, tmp_path / "copy")
    record = json.loads((world.kept / RECORD).read_text())
    (tmp_path / "copy" / RECORD).write_text(json.dumps({**record, "target_sha256": "a" * 64}))
    attack = build("adapted", world, attack=str(tmp_path / "copy"))
    attack.fit(world.faces, world.templates)  # the world's model has no hash
    model = attack.resources.others[MODEL]
    other = type(model)(world.faces.crops, world.templates.vectors.copy())
    other.spec = replace(model.spec, sha256="b" * 64)
    attack.resources = replace(attack.resources, others={MODEL: other})
    with pytest.raises(InputError, match="belongs to other weights of linear world"):
        attack.fit(world.faces, world.templates)
