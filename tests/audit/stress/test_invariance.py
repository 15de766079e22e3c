from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from audit.stress.invariance import (
    in_words,
    people_with_several,
    similarities,
    strip_places,
    traits,
)
from audit.stress.settings import InvarianceSettings
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.shipped import shipped_model_path
from biometrics.metrics.pairs import group
from biometrics.metrics.scores import Similarity
from biometrics.metrics.spread import spread
from reports.results import Measured, NotMeasured, Results
from tests.audit.stress.small import run_small
from tests.audit.stress.test_bench import bench_of
from tests.biometrics.metrics.common import one_score

FACES = {"synth": {"subjects": 8, "pictures": 3, "attacker_subjects": 24, "threshold_subjects": 4}}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("invariance") / "run"
    sizes = {"shown": 2, "invariance": {"strip_pictures": 2}}
    attacks = ["linear", "control:mean"]
    return run_small(folder, ["invariance"], sizes, faces=FACES, attacks=attacks)


def test_a_decoder_is_measured_and_the_mean_face_is_not(results: Results) -> None:
    linear, mean = (next(r for r in results.stress if r.attack == a) for a in ATTACKS)
    for name in ("normalised", "normalised_shape", "normalised_templates"):
        assert isinstance(linear.measures[name], Measured)
        assert isinstance(mean.measures[name], NotMeasured)
    assert linear.measures["normalised"].n == 8
    same, others = (mean.measures[f"{who}_reconstructions"] for who in ("same", "others"))
    assert cast("Measured", same).value == pytest.approx(1)
    assert cast("Measured", others).value == pytest.approx(1)
    assert cast("Measured", mean.measures["pose_within_reconstructions"]).value == 0
    assert linear.n_attempts == 24
    assert linear.note == "24 pictures of 8 people with 3 or more"
    assert len(linear.samples) == 4
    assert len({s.template for s in linear.samples}) == 4
    assert all(s.original and s.reconstruction for s in linear.samples)


ATTACKS = ("linear", "control:mean")


def bench(counts: list[int], **sizes: Any) -> Any:
    """People of so many leaked pictures; every third row is somebody else's."""
    names = np.array([f"p{i}" for i, n in enumerate(counts) for _ in range(n)])
    leaked = np.arange(len(names)) * 2 + 1
    everyone = np.full(2 * len(names) + 1, "x", dtype="<U8")
    everyone[leaked] = names
    known: Any = bench_of(everyone.tolist(), leaked.tolist(), seed=3, shown=2)
    known.sizes.invariance = InvarianceSettings(**sizes)
    return known


def test_people_with_three_pictures_and_so_many_of_each() -> None:
    everyone = bench([2, 3, 1, 7, 4], each=5)
    rows = people_with_several(everyone)
    names, counts = np.unique(everyone.names[rows], return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {"p1": 3, "p3": 5, "p4": 4}
    assert (np.diff(rows) > 0).all()
    few = people_with_several(bench([2, 3, 1, 7, 4], each=5, people=2))
    assert set(few) < set(rows)
    assert len(np.unique(everyone.names[few])) == 2
    assert len(people_with_several(bench([2, 1, 2]))) == 0


def test_the_strip_shows_first_pictures_person_by_person() -> None:
    everyone = bench([3, 4, 5], strip_pictures=2)
    rows = people_with_several(everyone)
    places = strip_places(everyone, rows)
    first = {"p0": [0, 1], "p1": [3, 4], "p2": [7, 8]}
    names = everyone.names[rows[places]].tolist()
    assert len(set(names)) == 2
    assert places.tolist() == [place for name in dict.fromkeys(names) for place in first[name]]


@pytest.mark.parametrize("kind", ["cosine", "l2"])
def test_similarities_by_counting(kind: Similarity) -> None:
    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(5), [2, 3, 4, 2, 3])
    pictures = (rng.normal(size=(5, 6))[subjects] + rng.normal(size=(14, 6))).astype(np.float32)
    made = (pictures * 0.5 + 1).astype(np.float32)
    found = similarities(pictures, made, group(subjects), kind, 0)
    for side, vectors in (("pictures", pictures), ("reconstructions", made)):
        same, others = [], []
        for s in range(5):
            own = np.flatnonzero(subjects == s)
            pairs = combinations(own, 2)
            same.append(np.mean([one_score(vectors[i], vectors[j], kind) for i, j in pairs]))
            for t in range(s):
                pairs = ((i, j) for i in own for j in np.flatnonzero(subjects == t))
                others.append(np.mean([one_score(vectors[i], vectors[j], kind) for i, j in pairs]))
        assert cast("Measured", found[f"same_{side}"]).value == pytest.approx(np.mean(same))
        assert cast("Measured", found[f"others_{side}"]).value == pytest.approx(np.mean(others))
        assert found[f"others_{side}"].n == 10
    difference = cast("Measured", found["same_difference"]).value
    same_values = [
        cast("Measured", found[f"same_{s}"]).value for s in ("reconstructions", "pictures")
    ]
    assert difference == pytest.approx(same_values[0] - same_values[1])


def test_a_perfect_normaliser_a_copy_and_one_face() -> None:
    """Faces of 30 people who turn their heads, speak and stand in another light."""
    mean = AppearanceModel.load(shipped_model_path()).mean_shape.astype(np.float64)
    rng = np.random.default_rng(1)
    subjects = np.repeat(np.arange(30), 4)
    groups = group(subjects)

    def seen(shapes: Any, light: Any) -> dict[str, Any]:
        cells = 120 + (light[:, None] * np.ones(768))
        found = traits(shapes, cells, mean)
        return {name: spread(values, groups) for name, values in found.items()}

    own = mean + 2.0 * rng.normal(size=(30, 68, 2))[subjects]
    skin = 20 * rng.normal(size=30)[subjects]
    moving = own + 1.5 * rng.normal(size=own.shape)
    lamp = skin + 25 * rng.normal(size=len(skin))
    photographs, perfect = seen(moving, lamp), seen(own, skin)
    one = seen(np.repeat(mean[None], 120, axis=0), np.zeros(120))

    def words(made: dict[str, Any]) -> dict[str, Any]:
        both = {
            name: SimpleNamespace(pictures=photographs[name], reconstructions=made[name])
            for name in photographs
        }
        return in_words(both, 0)

    scores = ("pose", "expression", "light", "shape", "colours")
    normal, same, constant = words(perfect), words(photographs), words(one)
    for name in ("normalised", *(f"normalised_{name}" for name in scores)):
        assert normal[name].value == pytest.approx(1, abs=1e-6)
        assert same[name].value == pytest.approx(0, abs=1e-9)
        assert isinstance(constant[name], NotMeasured)
    assert normal["pose_within_pictures"].value > 1
    assert "pose_between_pictures" not in normal
    assert normal["light_between_reconstructions"].value > 10
