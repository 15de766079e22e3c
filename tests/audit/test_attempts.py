"""What attacks are trained on, and what is fitted again when it changes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch

from attacks.base import Brought, Training
from attacks.inversion.controls import NearestFace
from attacks.inversion.linear import Linear, LinearSettings
from audit import attempts, reconstruct, training_data
from audit.attempts import Attempts, consulted
from audit.degraded import Leaked
from audit.models import Models
from audit.people import People
from audit.run_folder import RunFolder
from audit.split import Split
from audit.synthesis import generate_faces
from audit.training_data import training_pairs
from audit.training_settings import TrainingSettings
from audit.watch import Watch
from biometrics.backbones.embed import embed_faces
from biometrics.faces.faceset import FaceSet
from biometrics.faces.resize import from_pixels
from biometrics.templates import TemplateSet
from tests.attacks.test_saved import small_model
from tests.attacks.world import PixelBackbone

DIM = 4
ATTACKER, LEAKED = np.arange(8), np.arange(8, 12)
SAMPLES = TrainingSettings(samples=3)


class Prepared(NamedTuple):
    """People and models of an audit so small that nothing of it takes time."""

    people: People
    models: Models


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    """Six people, the first four the attacker's; templates are coarse pixels."""
    model = small_model()
    faces = generate_faces(6, 2, 1, model=model)
    rng = np.random.default_rng(0)
    backbone = PixelBackbone(faces.crops, rng.standard_normal((12, DIM)).astype(np.float32))
    split = Split(attacker=ATTACKER, threshold=LEAKED, leaked=LEAKED, capped=LEAKED[:0])
    people = SimpleNamespace(faces=faces, split=split, key="people", faces_key="faces")
    templates = embed_faces(backbone, faces)
    models = SimpleNamespace(
        target="linear world",
        ready={"linear world": backbone},
        judges={"linear world": backbone},
        backbone_keys={"linear world": "backbone"},
        target_key="target",
        target_templates=templates,
        leaked=Leaked({"linear world": templates.vectors[LEAKED]}, {}),
        target_similarity="l2",
        appearance=model,
        appearance_key="appearance",
    )
    return Prepared(cast(People, people), cast(Models, models))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFolder]:
    with RunFolder(tmp_path / "run") as folder:
        yield folder


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """People are sampled in batches, whole ones."""
    monkeypatch.setattr(training_data, "SAMPLED_PEOPLE", 4)


Fits = list[tuple[str, FaceSet, TemplateSet]]


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Fits:
    """What attacks were fitted on; and every reconstruction shows a face."""
    seen: Fits = []
    for kind in (Linear, NearestFace):

        def spy(
            self: Any, faces: FaceSet, templates: TemplateSet, fit: Any = kind.fit, of: Any = kind
        ) -> None:
            seen.append((of.__name__, faces, templates))
            fit(self, faces, templates)

        monkeypatch.setattr(kind, "fit", spy)
    points = np.full((68, 2), 100, dtype=np.float32)
    monkeypatch.setattr(reconstruct, "find_in_crop", lambda _crop: points)
    return seen


def tries(run: RunFolder, prepared: Prepared, **given: Any) -> Attempts:
    return Attempts(run, prepared.people, prepared.models, Watch.quiet(), **given)


# --- the pairs


def test_plain_pairs_are_the_attackers_own(run: RunFolder, prepared: Prepared) -> None:
    pairs = training_pairs(TrainingSettings(), *prepared, run, Watch.quiet(), 1)
    np.testing.assert_array_equal(pairs.faces.crops, prepared.people.faces.crops[ATTACKER])
    np.testing.assert_array_equal(
        pairs.templates.vectors, prepared.models.target_templates.vectors[ATTACKER]
    )
    assert pairs.key == "people"
    assert not (run.path / "training").exists(), "nothing is written twice"


def test_made_faces_have_templates_of_the_attacked_model(
    run: RunFolder, prepared: Prepared
) -> None:
    pairs = training_pairs(SAMPLES, *prepared, run, Watch.quiet(), 1)
    assert pairs.faces.table["origin"].tolist() == ["photograph"] * 8 + ["sample"] * 3
    backbone = prepared.models.ready["linear world"]
    with torch.inference_mode():
        expected = backbone(from_pixels(np.asarray(pairs.faces.crops)))
    np.testing.assert_allclose(pairs.templates.vectors, expected, atol=1e-4)
    assert pairs.templates.table["template_id"].tolist() == pairs.faces.table["face_id"].tolist()


def test_made_faces_are_made_once(
    run: RunFolder, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []
    build = training_data.build_training_faces

    def counted(*given: Any) -> FaceSet:
        built.append(given)
        return build(*given)

    monkeypatch.setattr(training_data, "build_training_faces", counted)

    def key(settings: TrainingSettings = SAMPLES, seed: int = 1) -> str:
        return training_pairs(settings, *prepared, run, Watch.quiet(), seed).key

    first = key()
    assert (key(), len(built)) == (first, 1)
    others = {key(seed=2), key(TrainingSettings(samples=4)), first}
    assert (len(others), len(built)) == (3, 3)


# --- what is fitted on them


def test_attacks_learn_from_made_faces_and_controls_show_photographs(
    run: RunFolder, prepared: Prepared, fits: Fits
) -> None:
    mine = tries(run, prepared, training=SAMPLES)
    for name in ("linear", "control:nearest"):
        made = mine.attempt(name, {}, seed=1)
        assert made.detected.all()
        assert made.vectors["linear world"].shape == (len(LEAKED), DIM)
    assert [(name, len(faces), len(templates)) for name, faces, templates in fits] == [
        ("Linear", 11, 11),
        ("NearestFace", 8, 8),
    ]


def test_a_fitted_attack_is_kept_and_its_settings_decide(
    run: RunFolder, prepared: Prepared, fits: Fits
) -> None:
    mine = tries(run, prepared)
    leaked = prepared.models.target_templates.vectors[LEAKED]

    def fit(ridge: float = 0.01, seed: int = 1, name: str = "linear") -> Any:
        return mine.fit(name, LinearSettings(ridge=ridge), seed=seed).attack.invert(leaked).crops

    first = fit()
    np.testing.assert_array_equal(fit(), first)
    assert len(fits) == 1
    assert (fit(ridge=5.0) != first).any()
    fit(seed=2, ridge=5.0)
    assert len(fits) == 3
    fit(name="linear:other", ridge=5.0)
    fit(seed=2, ridge=5.0)
    assert len(fits) == 4, "a variant has a place of its own"
    assert {p.name for p in (run.path / "attacks").iterdir()} == {"linear", "linear-other"}


def test_only_what_learns_from_made_faces_is_done_again_when_they_change(
    run: RunFolder, prepared: Prepared, fits: Fits
) -> None:
    for training in (TrainingSettings(), SAMPLES, SAMPLES):
        mine = tries(run, prepared, training=training)
        mine.attempt("linear", {}, seed=1)
        mine.attempt("control:nearest", {}, seed=1)
    assert [name for name, _, _ in fits] == ["Linear", "NearestFace", "Linear"]


def test_made_faces_are_not_made_where_nothing_is_fitted(
    run: RunFolder, prepared: Prepared, fits: Fits, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries(run, prepared, training=SAMPLES).attempt("linear", {}, seed=1)
    monkeypatch.setattr(attempts, "training_pairs", None)
    again = tries(run, prepared, training=SAMPLES).attempt("linear", {}, seed=1)
    assert (again.name, len(fits)) == ("linear", 1)


def test_templates_that_leaked_otherwise_are_inverted_again_by_the_same_attack(
    run: RunFolder, prepared: Prepared, fits: Fits
) -> None:
    clean = tries(run, prepared).attempt("linear", {}, seed=1)
    first = np.array(clean.crops)
    other = copy.copy(prepared.models)
    vectors = prepared.models.leaked.vectors["linear world"] + 3
    vars(other)["leaked"] = Leaked({"linear world": vectors}, {"linear world": "degraded"})
    again = tries(run, Prepared(prepared.people, other)).attempt("linear", {}, seed=1)
    assert (np.asarray(again.crops) != first).any()
    assert set(clean.keys).isdisjoint(again.keys)
    assert len(fits) == 1


def test_where_training_ran_belongs_to_what_was_trained(
    run: RunFolder, prepared: Prepared, fits: Fits
) -> None:
    for accelerator in ("cpu", "auto", "auto"):
        tries(run, prepared, accelerator=accelerator).fit("linear", LinearSettings(), seed=1)
    assert len(fits) == 2


def test_the_cost_of_training_survives_the_run_folder(
    run: RunFolder, prepared: Prepared, fits: Fits, monkeypatch: pytest.MonkeyPatch
) -> None:
    cost = Training(passes=3, pairs=8, steps=6, parameters=99)
    fit = Linear.fit

    def slow(self: Linear, faces: FaceSet, templates: TemplateSet) -> None:
        fit(self, faces, templates)
        self.training, self.curves = cost, {"train": [2.0, 1.0]}

    monkeypatch.setattr(Linear, "fit", slow)
    made = tries(run, prepared).attempt("linear", {}, seed=1)
    assert (made.training, made.curves) == (cost, {"train": [2.0, 1.0]})
    again = tries(run, prepared).fit("linear", LinearSettings(), seed=1).attack
    assert (again.training, again.curves) == (cost, {"train": [2.0, 1.0]})
    assert tries(run, prepared).attempt("control:mean", {}, seed=1).training is None
    record = json.loads((run.path / "attacks" / "linear" / "training.json").read_text())
    assert record["training"]["parameters"] == 99
    assert len(fits) == 1


# --- judges that are not unseen


def test_all_attacks_of_an_audit_are_asked_whom_they_consulted() -> None:
    none: dict[str, Any] = {}
    assert consulted([], "dlib") == []
    assert consulted([("control:mean", none)], "dlib") == []
    assert consulted([("appearance", none)], "mobilefacenet") == ["mobilefacenet"]
    two = [("appearance", none), ("linear:strong", {"ridge": 1.0})]
    assert consulted(two, "mobilefacenet") == ["dlib", "mobilefacenet"]


def test_an_attack_is_fitted_anew_where_what_it_brings_along_is_another(
    run: RunFolder, prepared: Prepared, fits: Fits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of the same name may hold another attack."""
    for sha256, wanted in (("a", 1), ("a", 1), ("b", 2)):
        brought = Brought(sha256, frozenset())
        monkeypatch.setattr(Linear, "brought", classmethod(lambda *_, it=brought: it))
        tries(run, prepared).fit("linear", LinearSettings(), seed=1)
        assert len(fits) == wanted
