"""Audits of models that a user brings: names, paths, and a whole run."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from audit.config import AuditConfig, effective_yaml, load_config
from audit.own_models import without_folders
from biometrics.errors import ConfigError
from biometrics.file_names import file_name
from reports.results import load_results
from tests.audit import tiny
from tests.audit.conftest import Faceleak
from tests.biometrics.backbones.own_models import DIM, tiny_onnx, write_record

FACES = {"faces": {"path": "faces"}}


def config_of(**values: object) -> AuditConfig:
    return AuditConfig.model_validate({**FACES, **values})


# --- names and paths


def test_a_model_is_named_by_its_file_and_its_folders_go_to_weights() -> None:
    config = config_of(
        target="onnx:models/ours.onnx",
        judges=["dlib", "onnx:models/ours.onnx", "torchscript:~/b.pt", "module:package.attr"],
        attacks=["linear", {"dfd": {"perceptual": "onnx:../c.onnx", "size": 32}}],
        weights={"mobilefacenet": "m.ckpt"},
    )
    assert config.target == "onnx:ours.onnx"
    assert config.judges == ("dlib", "onnx:ours.onnx", "torchscript:b.pt", "module:package.attr")
    assert config.attacks[1].settings == {"perceptual": "onnx:c.onnx", "size": 32}
    assert config.weights == {
        "mobilefacenet": Path("m.ckpt"),
        "onnx:ours.onnx": Path("models/ours.onnx"),
        "torchscript:b.pt": Path.home() / "b.pt",
        "onnx:c.onnx": Path("../c.onnx"),
    }
    assert config_of(judges="onnx:a/b.onnx").judges == ("onnx:b.onnx",)
    assert config_of(target="onnx:b.onnx").weights == {}


def test_the_effective_configuration_gives_itself_again(tmp_path: Path) -> None:
    config = config_of(target="onnx:models/ours.onnx")
    (tmp_path / "audit.yaml").write_text(effective_yaml(config))
    assert load_config(tmp_path / "audit.yaml") == config


def test_two_files_of_one_name_are_refused_until_one_is_given_another(tmp_path: Path) -> None:
    text = yaml.safe_dump({**FACES, "target": "onnx:a/m.onnx", "judges": ["onnx:b/m.onnx"]})
    (tmp_path / "audit.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"two files are called onnx:m.onnx: name one by weights"):
        load_config(tmp_path / "audit.yaml")
    weights = {"onnx:second": "b/m.onnx"}
    config = config_of(target="onnx:a/m.onnx", judges=["onnx:second"], weights=weights)
    assert set(config.weights) == {"onnx:m.onnx", "onnx:second"}


def test_names_are_safe_as_names_of_files() -> None:
    for plain, wanted in (
        ("dlib", "dlib"),
        ("control:mean", "control-mean"),
        ("onnx:model.onnx", "onnx-model.onnx"),
    ):
        assert file_name(plain) == wanted
    odd = ["onnx:a/b", "onnx:a b", "onnx:../a", "..", "", "a" * 300, "onnx:ä", "onnx:a\\b", ".x"]
    made = [file_name(name) for name in odd]
    assert len(set(made)) == len(odd)
    for name in made:
        assert Path(name).name == name
        assert name.isascii()
        assert len(name) <= 80
        assert not name.startswith(".")
        assert not set(name) & set('/\\: "')


def test_messages_lose_the_folders_of_this_machine(tmp_path: Path) -> None:
    message = f"{tmp_path}/a/m.yaml: missing: dim; {tmp_path}/b"
    assert without_folders(message, [tmp_path, tmp_path / "a"]) == "m.yaml: missing: dim; b"


# --- whole runs


def settings(target: str, **more: object) -> str:
    """The smallest audit: one attack, and thresholds for FMR 1e-2."""
    synth = {"subjects": 4, "pictures": 2, "attacker_subjects": 12, "threshold_subjects": 80}
    values: dict[str, object] = {"faces": {"synth": synth}, "target": target, "judges": ["dlib"]}
    values |= {"attacks": ["linear"], "fmr": ["1e-2"], "output": {"samples": 1}}
    return yaml.safe_dump(values | more)


def test_an_audit_of_ones_own_onnx_file(faceleak: Faceleak, tmp_path: Path) -> None:
    place = tmp_path / "secret folder"
    place.mkdir()
    model = write_record(tiny_onnx(place / "our model.onnx"), licence="of the house")
    config, run = tmp_path / "own.yaml", tmp_path / "run"
    absent = place / "absent.onnx"
    absent.touch()  # a judge that cannot be loaded is not measured
    config.write_text(settings(f"onnx:{model}", judges=["dlib", f"onnx:{absent}"]))
    ended = faceleak("audit", config, "--out", run)
    assert ended.code == 0, ended.err
    name = "onnx:our model.onnx"
    results = load_results(run)
    assert results.target == name
    assert set(results.backbones) == {"dlib"}
    assert set(results.judges_missing) == {"onnx:absent.onnx"}
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert results.provenance.inputs[f"weights.{name}"] == digest
    assert (run / "templates" / file_name(name) / "templates.parquet").is_file()
    for written in ("results.json", "report.html"):
        text = (run / written).read_text(encoding="utf-8")
        assert "secret folder" not in text
        assert str(tmp_path) not in text
    for path in run.rglob("*"):
        assert not set(path.name) & set(': "\\'), path
    before = json.loads((run / "manifest.json").read_text())["stages"]
    write_record(model, mean=0.4)  # another normalisation: other templates, nothing old is reused
    ended = faceleak("audit", config, "--out", run, "--set", "output.formats=[json]")
    assert ended.code == 0, ended.err
    after = json.loads((run / "manifest.json").read_text())["stages"]
    key = f"templates/{file_name(name)}"
    assert before[key]["key"] != after[key]["key"]


PLUG_IN = """\
import torch
from faceleak import Backbone, BackboneSpec, register_backbone

VERSION = "1"

SPEC = BackboneSpec(
    name="stranger", dim=12, input_size=(16, 16), crop=((16 / 224, 0, 0), (0, 16 / 224, 0)),
    similarity="cosine", licence="theirs", origin="a test", sha256=None, differentiable=True,
    may_be_unseen_judge=True, customary_threshold=None,
)

class Stranger(Backbone):
    def embed_input(self, inputs):
        return inputs[:, :, ::8, ::8].flatten(1) - 0.5

@register_backbone("stranger")
def load(weights):
    return Stranger(SPEC)
"""

PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "stranger-under-test"
dynamic = ["version"]
[project.entry-points."faceleak.backbones"]
stranger = "stranger_under_test"
[tool.setuptools]
py-modules = ["stranger_under_test"]
[tool.setuptools.dynamic]
version = { attr = "stranger_under_test.VERSION" }
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed somebody else's package with a backbone."""
    source = tmp_path_factory.mktemp("stranger")
    (source / "stranger_under_test.py").write_text(PLUG_IN)
    (source / "pyproject.toml").write_text(PROJECT)
    place = source / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(place)]
    done = subprocess.run(
        [*pip, *offline, str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return place


def test_an_audit_of_a_strangers_backbone(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = tiny.environment

    def environment(home: Path) -> dict[str, str]:
        values = true(home)
        return {**values, "PYTHONPATH": f"{values['PYTHONPATH']}:{installed}"}

    monkeypatch.setattr(tiny, "environment", environment)
    config, run = tmp_path / "own.yaml", tmp_path / "run"
    config.write_text(settings("stranger", judges=["dlib", "stranger"]))
    done = tiny.faceleak(tmp_path, "audit", str(config), "--out", str(run))
    assert done.returncode == 0, done.stderr
    results = load_results(run)
    assert results.target == "stranger"
    assert results.backbones["stranger"].dim == 12
    assert results.backbones["stranger"].licence == "theirs"
    (linear,) = [row for row in results.attacks if row.attack == "linear"]
    assert set(linear.judges) == {"dlib", "stranger"}
    assert not linear.judges["stranger"].unseen


# --- faceleak backbones NAME


def test_backbones_looks_at_one_by_any_name(faceleak: Faceleak, tmp_path: Path) -> None:
    path = write_record(tiny_onnx(tmp_path / "model.onnx"))
    ended = faceleak("backbones", f"onnx:{path}", "--json")
    (line,) = json.loads(ended.out)
    assert (line["dim"], line["ready"], line["differentiable"]) == (DIM, True, True)
    assert "onnxruntime and onnx2torch agree to" in line["note"]
    assert "onnxruntime and onnx2torch agree to" in " ".join(
        faceleak("backbones", f"onnx:{path}").out.split()
    )
    write_record(path, dim=DIM + 1)
    (line,) = json.loads(faceleak("backbones", f"onnx:{path}", "--json").out)
    assert not line["ready"]
    assert f"its record says dim: {DIM + 1}" in line["missing"]
    assert "did you mean 'onnx:x.onnx'?" in faceleak("backbones", "onx:x.onnx").error


def test_backbones_lists_the_ways_to_bring_one(
    faceleak: Faceleak, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = {line["name"]: line for line in json.loads(faceleak("backbones", "--json").out)}
    assert lines["onnx:FILE"]["own"]
    assert lines["onnx:FILE"]["ready"]
    assert {"torchscript:FILE", "module:PACKAGE.ATTR"} <= set(lines)
    assert not lines["dlib"]["own"]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    lines = {line["name"]: line for line in json.loads(faceleak("backbones", "--json").out)}
    assert lines["onnx:FILE"]["missing"] == (
        "package onnxruntime is not installed: pip install onnxruntime"
    )
    assert lines["torchscript:FILE"]["ready"]
    assert "package onnxruntime is not installed" in " ".join(faceleak("backbones").out.split())
