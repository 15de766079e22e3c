"""Audits with adapters and with the attack through another model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from attacks.base import ATTACKS, Brought
from attacks.inversion.linear import Linear
from attacks.trained import load_trained, read_record
from audit.brought import check_brought
from audit.config import AuditConfig
from audit.models import _fit_backbone
from audit.people import People
from audit.run_folder import RunFolder, read_stage
from audit.split import Split
from audit.verdict import judge_of
from audit.watch import Watch
from biometrics.backbones import dlib_resnet, eigenfaces, mobilefacenet
from biometrics.backbones.base import BACKBONES, Fittable
from biometrics.errors import ConfigError
from biometrics.faces.faceset import FaceSet
from biometrics.file_names import file_name
from biometrics.template_map import TemplateMap
from reports.results import FacesSummary, NotMeasured, SplitCount, load_results
from tests.attacks.world import make_faces
from tests.audit.conftest import Faceleak
from tests.audit.kept import stored
from tests.biometrics.backbones.own_models import tiny_onnx, write_record

# --- names


def config_of(**values: object) -> AuditConfig:
    return AuditConfig.model_validate({"faces": {"path": "faces"}, **values})


def test_each_side_of_an_adapter_is_named_by_its_file() -> None:
    config = config_of(
        target="adapter:onnx:a/b.onnx->dlib",
        judges=["adapter:dlib->torchscript:c/d.pt", "adapter:lbp->dlib"],
        attacks=[{"adapted": {"through": "onnx:e/f.onnx", "attack": "runs/kept"}}],
        weights={"adapter:lbp->dlib": "map.safetensors"},
    )
    assert config.target == "adapter:onnx:b.onnx->dlib"
    assert config.judges == ("adapter:dlib->torchscript:d.pt", "adapter:lbp->dlib")
    assert config.attacks[0].settings == {"through": "onnx:f.onnx", "attack": "runs/kept"}
    assert config.weights == {
        "adapter:lbp->dlib": Path("map.safetensors"),
        "onnx:b.onnx": Path("a/b.onnx"),
        "torchscript:d.pt": Path("c/d.pt"),
        "onnx:f.onnx": Path("e/f.onnx"),
    }


def test_a_map_made_before_is_found_by_the_name_with_folders() -> None:
    config = config_of(
        target="adapter:onnx:a/b.onnx->dlib", weights={"adapter:onnx:a/b.onnx->dlib": "m/map"}
    )
    assert config.weights == {
        "adapter:onnx:b.onnx->dlib": Path("m/map"),
        "onnx:b.onnx": Path("a/b.onnx"),
    }


def test_a_wrong_name_is_left_to_whoever_looks_it_up() -> None:
    wrong = "adapter:onnx:a/b.onnx"
    assert config_of(target=wrong).target == wrong


def test_two_adapters_have_two_names_of_files() -> None:
    names = ["adapter:dlib->lbp", "adapter:dlib-lbp", "adapter:dlib->-lbp", "adapter:lbp->dlib"]
    made = {file_name(name) for name in names}
    assert len(made) == len(names)
    assert not {char for name in made for char in name} & set('<>:/\\"')


# --- who may speak for others


def test_an_adapter_stands_and_falls_with_its_sides() -> None:
    there = replace(dlib_resnet.SPEC, name="adapter:dlib->facenet-casia")
    assert judge_of(there, "mobilefacenet").unseen
    for target in ("dlib", "facenet-casia", "adapter:mobilefacenet->dlib", there.name):
        assert not judge_of(there, target).unseen, target
    for consulted in ("dlib", "facenet-casia", "adapter:lbp->dlib", there.name):
        assert not judge_of(there, "mobilefacenet", [consulted]).unseen, consulted
    assert "in common" in judge_of(there, "dlib").why_not
    assert "choosing" in judge_of(there, "mobilefacenet", ["dlib"]).why_not


def test_neither_side_is_unseen_where_the_attacked_model_is_an_adapter() -> None:
    target = "adapter:mobilefacenet->eigenfaces"
    assert not judge_of(mobilefacenet.SPEC, target).unseen
    assert not judge_of(replace(eigenfaces.SPEC, may_be_unseen_judge=True), target).unseen
    assert judge_of(dlib_resnet.SPEC, target).unseen
    assert not judge_of(dlib_resnet.SPEC, "lbp", ["adapter:dlib->mobilefacenet"]).unseen


# --- whom a trained attack has seen


def people(*, generated: bool = False) -> People:
    faces = make_faces(6, 2, seed=1)
    rows = np.arange(12)
    split = Split(rows[:4], rows[4:8], rows[8:], rows[:0])
    count = SplitCount(subjects=2, pictures=4)
    summary = FacesSummary(
        n_files=12,
        n_faces=12,
        n_subjects=6,
        attacker=count,
        threshold=count,
        leaked=count,
        capped=0,
    )
    assert isinstance(faces, FaceSet)
    return People(faces, split, "f", "k", summary, {}, generated=generated)


@pytest.mark.parametrize(
    ("known", "refused"),
    [({"1-person-5", "x"}, True), ({"1-person-0", "1-person-3"}, False), (set(), False)],
)
def test_an_attack_that_saw_leaked_people_is_refused(
    known: set[str], refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its attacker and threshold people may be anybody."""
    brought = Brought("hash", frozenset(known))
    monkeypatch.setattr(Linear, "brought", classmethod(lambda _cls, _settings: brought))
    attacks = [("landmark-texture", {}), ("linear", {})]
    check_brought(attacks, people(generated=True))
    if not refused:
        check_brought(attacks, people())
        return
    said = r"'linear' brings .* trained on 1 of the 2 leaked subjects \(such as 1-person-5\)"
    with pytest.raises(ConfigError, match=said):
        check_brought(attacks, people())


def test_most_attacks_bring_nothing() -> None:
    for name in ATTACKS.names():
        attack = ATTACKS.get(name)
        assert (attack.brought(attack.Settings()) is not None) == (name == "adapted"), name


# --- whole runs


def test_an_audit_of_an_adapter_by_an_attack_through_its_target(
    faceleak: Faceleak, tmp_path: Path
) -> None:
    place = tmp_path / "secret folder"
    place.mkdir()
    model = write_record(tiny_onnx(place / "ours.onnx"))
    synth = {"subjects": 4, "pictures": 2, "attacker_subjects": 12, "threshold_subjects": 80}
    target = f"adapter:onnx:{model}->dlib"
    values = {
        "faces": {"synth": synth},
        "target": target,
        "judges": [target, "dlib", "adapter:eigenfaces->dlib", "adapter:lbp->mobilefacenet"],
        "attacks": ["adapted"],
        "fmr": ["1e-2"],
        "output": {"samples": 1},
    }
    config, run = tmp_path / "own.yaml", tmp_path / "run"
    config.write_text(yaml.safe_dump(values))
    ended = faceleak("audit", config, "--out", run)
    assert ended.code == 0, ended.err
    results = load_results(run)
    name = "adapter:onnx:ours.onnx->dlib"
    assert results.target == name
    assert set(results.backbones) == {name, "dlib", "adapter:eigenfaces->dlib"}
    assert "weights mobilefacenet missing" in results.judges_missing["adapter:lbp->mobilefacenet"]
    assert results.backbones[name].dim == results.backbones["dlib"].dim
    assert "onnx:ours.onnx: ours; dlib: " in results.backbones[name].licence
    assert "affine map fitted on 24 pictures" in results.backbones[name].note
    (row,) = [row for row in results.attacks if row.attack == "adapted"]
    assert not any(judge.unseen for judge in row.judges.values())
    assert results.headline is None
    assert not isinstance(row.judges[name].type1["1e-2"], NotMeasured)
    assert set(results.provenance.judges_consulted) == {name, "dlib", "mobilefacenet"}
    inputs = results.provenance.inputs
    assert {f"weights.{n}" for n in (name, "onnx:ours.onnx", "dlib")} <= set(inputs)
    found = TemplateMap.load(run / "backbones" / file_name(name) / "weights.safetensors")
    assert found.weights.shape == (5, 128)
    assert found.pairs == 24
    for written in ("results.json", "report.html"):
        assert "secret folder" not in (run / written).read_text(encoding="utf-8")


def test_a_map_is_fitted_anew_where_a_side_is_another(tmp_path: Path) -> None:
    model = write_record(tiny_onnx(tmp_path / "ours.onnx"))
    name, weights = "adapter:onnx:ours.onnx->dlib", {"onnx:ours.onnx": str(model)}
    factory = BACKBONES.get(name)
    assert isinstance(factory, Fittable)
    keys = []
    with RunFolder(tmp_path / "run") as run:
        for mean in (0.5, 0.4, 0.4):
            write_record(model, mean=mean)
            path = _fit_backbone(name, factory, weights, people(), run, Watch.quiet())
            stage = read_stage(path.parent)
            assert stage is not None
            keys.append(stage.key)
    assert keys[0] != keys[1] == keys[2]


def test_what_is_trained_through_another_model_inverts_templates(
    faceleak: Faceleak, tmp_path: Path
) -> None:
    few = "{synth: {subjects: 2, pictures: 2, attacker_subjects: 10, threshold_subjects: 2}}"
    sets = ["--set", f"faces={few}", "--set", "target=eigenfaces"]
    ended = faceleak("train", "demo", "--attack", "adapted", *sets, "--out", tmp_path / "kept")
    assert ended.code == 0, ended.err
    record = read_record(tmp_path / "kept")
    assert (record["target"], record["similarity"]) == ("eigenfaces", "cosine")
    vectors = np.random.default_rng(0).standard_normal((3, record["dim"])).astype(np.float32)
    store = stored(tmp_path, vectors)
    ended = faceleak("invert", store, "--attack", tmp_path / "kept", "--out", "faces")
    assert ended.code == 0, ended.err
    assert "from eigenfaces templates by adapted" in ended.out
    assert len(list(Path("faces/faces").iterdir())) == 3
    made = load_trained(tmp_path / "kept").attack.invert(vectors)
    assert not np.array_equal(made.crops[0], made.crops[1])


def test_a_missing_trained_attack_is_told_before_any_work(faceleak: Faceleak) -> None:
    few = "faces={synth: {subjects: 2, pictures: 2}}"
    attack = "attacks=[{adapted: {through: lbp}}]"
    ended = faceleak("audit", "demo", "--set", few, "--set", attack, "--out", "run")
    assert ended.code == 2
    assert "no attack ships for backbone 'lbp' (there is one for dlib" in ended.error
    assert not Path("run").exists()
    ended = faceleak("train", "demo", "--attack", "adapted", "--set", attack, "--out", "kept")
    assert "no attack ships for backbone 'lbp'" in ended.error
    assert not Path("kept.work").exists()


def test_an_adapter_is_looked_at(faceleak: Faceleak) -> None:
    (line,) = json.loads(faceleak("backbones", "adapter:dlib->lbp", "--json").out)
    assert line["fitted"]
    assert "map is fitted on an audit's faces" in line["missing"]
    assert "did you mean 'dlib'" in faceleak("backbones", "adapter:dilb->lbp").error
