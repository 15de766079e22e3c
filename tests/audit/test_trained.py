"""Attacks that are kept in a folder: trained once, found again, used from the command line."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from attacks.inversion.linear import Linear
from attacks.trained import RECORD
from audit.config import AuditConfig, load_config
from audit.trained import invert_store, train_attack
from audit.watch import Watch
from biometrics.errors import ConfigError, InputError, UnknownNameError, WeightsError
from biometrics.faces.resize import to_canonical
from tests.attacks.kept import vectors
from tests.attacks.test_saved import SIDE
from tests.audit.conftest import Faceleak
from tests.audit.kept import ABOVE_THE_BAND, pictures, stored

FEW = [
    "faces={synth: {subjects: 2, pictures: 2, attacker_subjects: 10, threshold_subjects: 2}}",
    "judges=[mobilefacenet]",
]


# --- training


class Learnt(NamedTuple):
    """A trained attack: its folder, and the object as it was in memory."""

    folder: Path
    memory: Linear
    config: AuditConfig


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    """A few generated people; trained once."""
    out, saved = tmp_path_factory.mktemp("training") / "mine", []
    config = load_config(overrides=[*FEW, "attacks=[{linear: {ridge: 0.5}}]"])
    keep = Linear.save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Linear, "save", lambda self, folder: (saved.append(self), keep(self, folder)))
        record = train_attack(config, "linear", out, Watch.quiet())
    assert record == out / RECORD
    return Learnt(out, saved[0], config)


def test_a_training_keeps_the_attack_and_its_record(learnt: Learnt) -> None:
    names = {"attack.json", "linear.safetensors", "appearance.safetensors", "journal.jsonl"}
    assert {p.name for p in learnt.folder.iterdir()} == names
    assert [p.name for p in learnt.folder.parent.iterdir()] == ["mine"], "the workplace is gone"
    for path in learnt.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    record = json.loads((learnt.folder / RECORD).read_text())
    assert (record["attack"], record["target"], record["dim"]) == ("linear", "dlib", 128)
    assert (record["subjects"], record["pictures"], record["seed"]) == (10, 20, 7)
    assert record["settings"] == {"ridge": 0.5, "exaggeration": 1.3}
    assert (record["similarity"], record["training"]) == ("l2", None)
    assert len(record["target_sha256"]) == 64
    assert set(record["faces"]) == {"generator"}


def test_what_was_trained_inverts_as_it_did_in_memory(learnt: Learnt, tmp_path: Path) -> None:
    known = np.random.default_rng(0).standard_normal((3, 128)).astype(np.float32) / 10
    invert_store(stored(tmp_path, known), learnt.folder, tmp_path / "out", Watch.quiet())
    expected = to_canonical(learnt.memory.invert(known).rounded())
    found = pictures(tmp_path / "out")
    np.testing.assert_array_equal(found[:, ABOVE_THE_BAND], expected[:, ABOVE_THE_BAND])
    assert np.ptp(expected.astype(int), axis=0).max() > 5, "the faces differ from each other"


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("control:mean", ConfigError, "'control:mean' is a control; name an attack"),
        ("control:shuffled", ConfigError, "is a control"),
        ("linaer", UnknownNameError, "unknown attack 'linaer' .did you mean 'linear'"),
        ("linear:strng", ConfigError, "names no attack 'linear:strng' .did you mean 'linear:stro"),
    ],
)
def test_only_attacks_are_trained(
    tmp_path: Path, name: str, error: type[Exception], said: str
) -> None:
    config = load_config(overrides=[*FEW, "attacks=[{linear:strong: {ridge: 0.5}}]"])
    with pytest.raises(error, match=said):
        train_attack(config, name, tmp_path / "out", Watch.quiet())
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.work").exists()


@pytest.mark.parametrize(
    ("override", "error", "said"),
    [
        ("target=dilb", UnknownNameError, "unknown backbone 'dilb' .did you mean 'dlib'"),
        ("target=onnx:x.onnx", WeightsError, "'onnx:x.onnx': no such file: x.onnx"),
        ("attacks=[{linear: {ridge: -1}}]", ConfigError, "attack 'linear', setting 'ridge'"),
    ],
)
def test_misspelt_settings_are_found_before_the_work(
    tmp_path: Path, override: str, error: type[Exception], said: str
) -> None:
    config = load_config(overrides=[*FEW, override])
    with pytest.raises(error, match=said):
        train_attack(config, "linear", tmp_path / "out", Watch.quiet())
    assert not (tmp_path / "out.work").exists()


def test_a_training_leaves_a_folder_in_use_alone(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        train_attack(load_config(overrides=FEW), "linear", tmp_path, Watch.quiet())
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ".safetensors"] == ["letter"]


# --- the command line


def test_invert_says_how_many_and_where(
    faceleak: Faceleak, kept_attack: Path, tmp_path: Path
) -> None:
    store = stored(tmp_path, vectors())
    ended = faceleak("invert", store, "--attack", kept_attack, "--out", "faces")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("3 faces of 8 x 8 pixels from dlib templates by linear in faces\n")
    assert ended.out.endswith("faces/sheet.png shows the first of them\n")
    again = faceleak("invert", store, "--attack", kept_attack, "-o", "more", "--json")
    assert json.loads(again.out)["picture_size"] == SIDE


def test_errors_of_use_are_exit_2(faceleak: Faceleak, kept_attack: Path, tmp_path: Path) -> None:
    store = stored(tmp_path, np.zeros((2, 7)))
    for argv, said in [
        (
            ["invert", store, "--attack", kept_attack, "-o", "x"],
            "templates of 4 values, got 7",
        ),
        (
            ["invert", "nothing.npy", "--attack", kept_attack, "-o", "x"],
            "nothing.npy: no such file",
        ),
        (["invert", store, "--attack", "nothing", "-o", "x"], "attack nothing: neither a folder"),
        (["invert", store, "--attack", tmp_path, "-o", "x"], "holds no trained attack"),
        (["train", "demo", "--attack", "control:mean", "-o", "x"], "'control:mean' is a control"),
        (["train", "demo", "--attack", "linaer", "-o", "x"], "did you mean 'linear'"),
        (["train", "nothing", "--attack", "linear", "-o", "x"], "no configuration 'nothing'"),
    ]:
        ended = faceleak(*argv)
        assert ended.code == 2, argv
        assert said in ended.error
    assert not Path("x").exists()
