from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from attacks.base import Resources
from attacks.inversion.linear import Linear, LinearSettings
from audit import search
from audit.attempts import Attempts
from audit.config_values import AttackChoice
from audit.judging import Bench, Cut, Judge
from audit.run_folder import RunFolder
from audit.search import Search, Searched, search_results, searched_attack
from audit.search_settings import SearchSettings
from audit.watch import Watch
from biometrics.errors import ConfigError
from biometrics.faces.faceset import FaceSet
from biometrics.progress import Advance
from reports.schema import Measured, NotMeasured
from tests.attacks.world import DIM, World, make_faces, make_world, template_set
from tests.one_thread import one_thread  # noqa: F401


def test_settings_may_be_left_out_and_are_checked() -> None:
    default = SearchSettings()
    assert default.scores == (10, 50, 99, 128, 129, 256)
    assert (default.decimals, default.templates) == ((None, 2), (1, 3, 5))
    one = SearchSettings.model_validate({"scores": 7, "decimals": None, "templates": [2]})
    assert (one.scores, one.decimals, one.templates) == ((7,), (None,), (2,))
    wrong: list[dict[str, Any]] = [
        {"scores": []},
        {"scores": [0]},
        {"scores": [3, 3]},
        {"scores": [2.5]},
        {"scores": [True]},
        {"decimals": [-1]},
        {"decimals": [None, None]},
        {"templates": [0]},
        {"subjects": 1},
        {"score": [3]},
    ]
    for values in wrong:
        with pytest.raises(ValidationError):
            SearchSettings.model_validate(values)


def test_the_first_attack_that_is_no_control_inverts() -> None:
    chosen = [AttackChoice(n, {}) for n in ("control:mean", "linear", "landmark-texture")]
    assert searched_attack(SearchSettings(), chosen) == "linear"
    named = SearchSettings(attack="landmark-texture")
    assert searched_attack(named, chosen) == "landmark-texture"
    with pytest.raises(ConfigError, match=r"'landmark-texture' is not among .*\(linear; controls"):
        searched_attack(named, chosen[:2])
    for chosen_by in (SearchSettings(attack="control:mean"), SearchSettings()):
        with pytest.raises(ConfigError, match="none; controls do not count"):
            searched_attack(chosen_by, chosen[:1])


def pooled(_: object, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A recognition model that a test can have: mean colours of a coarse grid."""
    grid = crops.reshape(len(crops), 8, 28, 8, 28, 3).mean(axis=(2, 4))
    return (grid.reshape(len(crops), -1) / 255).astype(np.float32)


def found_in(crop: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """A detector that misses about one face in seven."""
    return None if int(crop.sum()) % 7 == 0 else np.zeros((68, 2), dtype=np.float32)


@dataclass
class Scene:
    """An attack that is fitted in a run, and what a search in this run needs."""

    run: RunFolder
    tries: Attempts
    bench: Bench
    settings: SearchSettings
    made: list[str]
    attempted: Any
    attack: Linear

    def search(self) -> Searched:
        return Search(self.settings, 7, self.tries).attempt(self.attempted, {}, seed=3)


class Fitted(NamedTuple):
    """Attackers and leaked people in one set of faces, and an attack fitted on the former."""

    world: World
    faces: FaceSet
    vectors: NDArray[np.float32]
    attack: Linear


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    world, other = make_world(0.05, tmp_path_factory.mktemp("kept")), make_faces(12, 4, seed=9)
    faces = FaceSet(
        np.concatenate([world.faces.crops, other.crops]),
        np.concatenate([world.faces.landmarks, other.landmarks]),
        pd.concat([world.faces.table, other.table], ignore_index=True),
    )
    vectors = np.concatenate([world.templates.vectors, world.model.encode(other) @ world.mixing])
    attack = Linear(LinearSettings(), Resources(appearance=world.model))
    attack.fit(world.faces, world.templates)
    return Fitted(world, faces, vectors, attack)


@pytest.fixture
def scene(fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    made: list[str] = []

    def embed(
        backbone: object, crops: NDArray[np.uint8], *, advance: Advance
    ) -> NDArray[np.float32]:
        made.append("embed")
        advance(len(crops))
        return pooled(backbone, crops)

    monkeypatch.setattr(search, "embed", embed)
    monkeypatch.setattr(search, "find_in_crop", found_in)
    world, faces, vectors, attack = fitted
    n = len(world.faces)
    rows = SimpleNamespace(attacker=np.arange(n), leaked=np.arange(n, len(faces)))
    store: Any = SimpleNamespace(faces=faces, split=rows, key="people")
    models: Any = SimpleNamespace(
        target="dlib",
        target_templates=template_set(vectors, faces),
        target_similarity="l2",
        appearance=world.model,
        judges={"pooled": object()},
        backbone_keys={"pooled": "key of pooled"},
    )
    spec = SimpleNamespace(name="pooled", similarity="l2", may_be_unseen_judge=True)
    templates = pooled(None, faces.crops)
    cuts = (Cut("1e-2", -0.6), Cut("1e-3", None, "too few people"))
    backbone: Any = SimpleNamespace(spec=spec)
    judge = Judge("pooled", backbone, templates, templates[n:], templates[n:], cuts, None)
    bench: Any = SimpleNamespace(people=store, models=models, judges=[judge], seed=1)
    with RunFolder(tmp_path / "run") as run:

        def fit(name: str, settings: LinearSettings, *, seed: int) -> SimpleNamespace:
            assert (name, settings, seed) == ("linear", LinearSettings(), 3)
            return SimpleNamespace(attack=attack)

        tries: Any = SimpleNamespace(
            run=run, people=store, models=models, watch=Watch.quiet(), fit=fit
        )
        attempted = SimpleNamespace(
            name="linear", consulted=frozenset({"another"}), keys=("key of the attack",)
        )
        settings = SearchSettings(scores=(3, DIM + 1, 300), decimals=(None,), subjects=11)
        yield Scene(run, tries, bench, settings, made, attempted, attack)


def accepted_by_loops(
    searched: Searched, number: int, judge: Judge, pairs: Any, threshold: float
) -> float:
    rates: dict[int, list[float]] = {}
    judged = searched.judged[number]
    for i, row in zip(*pairs, strict=True):
        distance = np.sqrt(((judged.vectors["pooled"][i] - judge.leaked[row]) ** 2).sum())
        hit = bool(judged.detected[i]) and -distance >= threshold
        rates.setdefault(int(i), []).append(hit)
    return float(np.mean([np.mean(values) for values in rates.values()]))


def test_rates_are_those_of_loops_over_the_pairs(scene: Scene) -> None:
    searched = scene.search()
    results = search_results(searched, scene.bench)
    judge = scene.bench.judges[0]
    assert len(results) == 1 + 3 + 3
    seen = []
    for i, (row, trial) in enumerate(zip(results, searched.trials, strict=True)):
        assert (row.attack, row.backbone) == ("linear", "dlib")
        assert (row.part, row.scores, row.decimals, row.templates) == tuple(trial.way)
        assert row.n == len(trial.vectors)
        got = row.judges["pooled"]
        if trial.why_not:
            reason = NotMeasured(not_measured=trial.why_not)
            assert got.type1["1e-2"] == got.type2["1e-2"] == row.template_similarity == reason
            continue
        for pairs, rates in ((trial.own, got.type1), (trial.others, got.type2)):
            value = accepted_by_loops(searched, i, judge, pairs, -0.6)
            measured = rates["1e-2"]
            assert isinstance(measured, Measured)
            assert measured.value == pytest.approx(value)
            assert measured.n == len(set(pairs.first.tolist()))
            assert rates["1e-3"] == NotMeasured(not_measured="too few people")
            seen.append(value)
    assert 0 < min(seen) < max(seen)
    assert len(set(seen)) > 2
    assert [row.n for row in results] == [11, 11, 11, 0, 11, 11, 0]


def test_what_was_inverted_and_looked_at_is_what_was_found(scene: Scene) -> None:
    """Each trial by hand: invert, look, embed."""
    searched = scene.search()
    missed = 0
    for trial, judged in zip(searched.trials, searched.judged, strict=True):
        if trial.why_not:
            continue
        crops = search.to_canonical(scene.attack.invert(trial.vectors).rounded())
        found = [found_in(crop) is not None for crop in crops]
        assert judged.detected.tolist() == found
        np.testing.assert_array_equal(judged.vectors["pooled"], pooled(None, crops))
        missed += found.count(False)
    assert missed


def test_the_likeness_is_that_of_the_templates(scene: Scene) -> None:
    searched = scene.search()
    results = search_results(searched, scene.bench)
    leaked = scene.tries.models.target_templates.vectors[scene.tries.people.split.leaked]
    for row, trial in zip(results, searched.trials, strict=True):
        if trial.why_not:
            continue
        distances = -np.linalg.norm(
            trial.vectors[trial.own.first] - leaked[trial.own.second], axis=1
        )
        means = [distances[trial.own.first == i].mean() for i in range(row.n)]
        assert isinstance(row.template_similarity, Measured)
        assert row.template_similarity.value == pytest.approx(np.mean(means), abs=1e-5)
    itself, few, enough = (r.template_similarity for r in results[:3])
    assert isinstance(itself, Measured)
    assert isinstance(few, Measured)
    assert isinstance(enough, Measured)
    assert itself.value == 0
    assert few.value < -0.5 < enough.value < 0


def test_a_finished_search_is_read_and_another_is_made_again(scene: Scene) -> None:
    first = scene.search()
    after = len(scene.made)
    again = scene.search()
    assert len(scene.made) == after
    assert again.key == first.key
    assert search_results(again, scene.bench) == search_results(first, scene.bench)
    scene.settings = scene.settings.model_copy(update={"subjects": 5})
    fewer = scene.search()
    assert len(scene.made) > after
    scene.attempted.keys = ("another key",)
    assert len({first.key, fewer.key, scene.search().key}) == 3


def test_judges_that_took_part_or_are_attacked_are_not_unseen(scene: Scene) -> None:
    def unseen() -> bool:
        return search_results(scene.search(), scene.bench)[0].judges["pooled"].unseen

    assert unseen()
    scene.bench.models.target = "pooled"
    assert not unseen()
    scene.bench.models.target = "dlib"
    scene.attempted.consulted = frozenset({"pooled"})
    assert not unseen()
