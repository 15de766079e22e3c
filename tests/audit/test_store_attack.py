from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from attacks.trained import find_attack, load_trained
from audit.judging import Cut
from audit.outcomes import OutcomeLog
from audit.predicted import LEFT_OUT, PAIRS, predicted_agreement
from audit.run_folder import RunFolder
from audit.store_assembly import NO_LABELS, Calibrated, StoreAssembly
from audit.store_attack import (
    LeakedTemplates,
    StoreAttempt,
    attack_store,
    controls_of,
    nearest_rows,
    other_people,
)
from audit.watch import Watch
from biometrics.backbones.base import Backbone, load_backbone
from biometrics.backbones.embed import embed
from biometrics.faces.resize import to_canonical
from biometrics.metrics.scores import similarity_matrix
from reports.results import Measured, NotMeasured
from tests.biometrics.stores.made import dlib_people

PEOPLE, PICTURES = 6, 2


@pytest.fixture(scope="module")
def dlib() -> Backbone:
    return load_backbone("dlib")


@pytest.fixture(scope="module")
def leaked() -> LeakedTemplates:
    people = dlib_people(PEOPLE, PICTURES)
    names = np.array([f"S-{n}" for n in people.person])
    ids = [f"T-{i}" for i in range(len(names))]
    return LeakedTemplates(people.vectors, ids, names, np.ones(len(names), dtype=bool), "k")


@pytest.fixture(scope="module")
def made(
    leaked: LeakedTemplates, dlib: Backbone, tmp_path_factory: pytest.TempPathFactory
) -> StoreAttempt:
    folder = tmp_path_factory.mktemp("run") / "run"
    trained = load_trained(find_attack("dlib"))
    with RunFolder(folder) as run:
        first = attack_store(leaked, trained, [dlib], {}, run, Watch.quiet())
        again = attack_store(leaked, trained, [dlib], {}, run, Watch.quiet())
    assert first.crops is not None
    assert again.crops is not None
    np.testing.assert_array_equal(first.crops, again.crops)
    assert first.seconds == again.seconds  # the second time nothing was done
    return first


def test_every_template_is_inverted_and_judged_as_the_attack_made_it(
    leaked: LeakedTemplates, made: StoreAttempt, dlib: Backbone
) -> None:
    attack = load_trained(find_attack("dlib")).attack
    crops = attack.invert(leaked.vectors).rounded()
    np.testing.assert_array_equal(made.crops, crops)
    expected = embed(dlib, to_canonical(crops))
    np.testing.assert_allclose(made.vectors["dlib"], expected, atol=1e-5)
    assert made.detected.shape == (len(leaked),)


def test_the_nearest_row_is_the_one_of_brute_force() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(30, 8)), random.normal(size=(50, 8))
    expected = ((a[:, None] - b[None]) ** 2).sum(axis=-1).argmin(axis=1)
    found = nearest_rows(a.astype(np.float32), b.astype(np.float32), "l2")
    np.testing.assert_array_equal(found, expected)
    unit = a @ b.T / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)
    cosine = nearest_rows(a.astype(np.float32), b.astype(np.float32), "cosine")
    np.testing.assert_array_equal(cosine, unit.argmax(axis=1))


@pytest.mark.parametrize("subjects", [list("aabbbcd"), list("zya"), list("ab" * 20)])
def test_other_people_are_other_people_and_everybody_may_be_drawn(subjects: list[str]) -> None:
    names = np.array(subjects)
    drawn = np.stack([_drawn(names, seed) for seed in range(200)])
    assert (names[drawn] != names).all()
    for row in range(len(names)):
        assert set(drawn[:, row]) == set(np.flatnonzero(names != names[row]).tolist())


def _drawn(names: NDArray[np.str_], seed: int) -> NDArray[np.intp]:
    found = other_people(names, seed)
    assert found is not None
    return found


def test_one_person_has_nobody_else() -> None:
    assert other_people(np.array(["a", "a"]), 0) is None


def test_controls_show_what_they_say(
    leaked: LeakedTemplates, made: StoreAttempt, dlib: Backbone
) -> None:
    random = np.random.default_rng(1)
    sampled = leaked.vectors[::2] + random.normal(scale=0.01, size=(PEOPLE, 128)).astype(np.float32)
    mean, nearest, drawn, other = controls_of(leaked, made, dlib, sampled, seed=3)
    assert [c.name for c in (mean, nearest, drawn, other)] == [
        "control:mean",
        "control:nearest",
        "control:random",
        "control:shuffled",
    ]
    assert len(np.unique(mean.vectors["dlib"], axis=0)) == 1
    scores = similarity_matrix(leaked.vectors, sampled, "l2")
    np.testing.assert_array_equal(nearest.vectors["dlib"], sampled[scores.argmax(axis=1)])
    assert {v.tobytes() for v in drawn.vectors["dlib"]} <= {v.tobytes() for v in sampled}
    assert len(np.unique(drawn.vectors["dlib"], axis=0)) > 1
    own = made.vectors["dlib"]
    rows = [int(np.flatnonzero((own == v).all(axis=1))[0]) for v in other.vectors["dlib"]]
    assert (leaked.subjects[rows] != leaked.subjects).all()
    np.testing.assert_array_equal(other.detected, made.detected[rows])


def _assembly(leaked: LeakedTemplates, dlib: Backbone, threshold: float) -> StoreAssembly:
    cuts = (Cut("1e-2", threshold), Cut("1e-4", None, "too few"))
    sampled = np.zeros((3, 128), dtype=np.float32)
    outcomes = OutcomeLog(leaked.subjects, b"0" * 16)
    return StoreAssembly(leaked, Calibrated(dlib, cuts, "made up", sampled), [], 0, outcomes)


def test_rates_are_those_of_counting(
    leaked: LeakedTemplates, made: StoreAttempt, dlib: Backbone
) -> None:
    own = -np.linalg.norm(made.vectors["dlib"] - leaked.vectors, axis=1)
    threshold = float(np.median(own))
    assembly = _assembly(leaked, dlib, threshold)
    (row,) = assembly.rows([made])
    accepted = (own >= threshold) & made.detected
    by_person = accepted.reshape(PEOPLE, PICTURES).mean(axis=1)
    judge = row.judges["dlib"]
    assert not judge.unseen
    type1 = judge.type1["1e-2"]
    assert isinstance(type1, Measured)
    assert type1.value == pytest.approx(by_person.mean())
    assert judge.type1["1e-4"] == NotMeasured(not_measured="too few")
    other = leaked.vectors.reshape(PEOPLE, PICTURES, 128)[:, ::-1].reshape(-1, 128)
    second = -np.linalg.norm(made.vectors["dlib"] - other, axis=1) >= threshold
    type2 = judge.type2["1e-2"]
    assert isinstance(type2, Measured)
    assert type2.value == pytest.approx((second & made.detected).mean())
    backbone = assembly.backbone()
    rate = backbone.tmr["1e-2"]
    assert isinstance(rate, Measured)
    genuine = -np.linalg.norm(leaked.vectors - other, axis=1) >= threshold
    assert rate.value == pytest.approx(genuine.mean())


def test_without_labels_nothing_is_said_of_second_templates(
    leaked: LeakedTemplates, made: StoreAttempt, dlib: Backbone
) -> None:
    alone = LeakedTemplates(
        leaked.vectors, leaked.templates, np.array(leaked.templates), ~leaked.known, "k"
    )
    assembly = _assembly(alone, dlib, -0.6)
    (row,) = assembly.rows([made])
    why = NotMeasured(not_measured=NO_LABELS)
    judge = row.judges["dlib"]
    assert judge.type2["1e-2"] == judge.type2_reference["1e-2"] == judge.rank1 == why
    assert judge.reconstruction_fmr["1e-2"] == assembly.told_apart(made) == why
    assert isinstance(judge.type1["1e-2"], Measured)
    backbone = assembly.backbone()
    assert backbone.realised_fmr["1e-2"] == backbone.tmr["1e-2"] == why
    scores = -np.linalg.norm(leaked.vectors[:, None] - leaked.vectors[None], axis=-1)
    pairs = scores[np.triu_indices(len(leaked), 1)]
    bound = assembly.all_pairs_rate()["1e-2"]
    assert isinstance(bound, Measured)
    assert bound.value == pytest.approx((pairs >= -0.6).mean())


def test_where_some_are_named_people_are_told_from_these_alone(
    leaked: LeakedTemplates, made: StoreAttempt, dlib: Backbone
) -> None:
    """The second half of the templates loses its names: each becomes a person of its own."""
    known = np.arange(len(leaked)) < len(leaked) // 2
    subjects = np.where(known, leaked.subjects, leaked.templates)
    part = LeakedTemplates(leaked.vectors, leaked.templates, subjects, known, "k")
    first = LeakedTemplates(
        leaked.vectors[known],
        leaked.templates[: known.sum()],
        leaked.subjects[known],
        known[known],
        "k",
    )
    assert made.crops is not None
    half = replace(
        made, detected=made.detected[known], vectors={"dlib": made.vectors["dlib"][known]}
    )
    mixed, alone = _assembly(part, dlib, -0.6), _assembly(first, dlib, -0.6)
    (row,), (own,) = mixed.rows([made]), alone.rows([half])
    for name in ("type2", "type2_reference", "reconstruction_fmr", "rank1"):
        assert getattr(row.judges["dlib"], name) == getattr(own.judges["dlib"], name)
    all_of = row.judges["dlib"].type1["1e-2"]
    assert isinstance(all_of, Measured)
    assert all_of.n == len(set(subjects.tolist()))
    assert mixed.backbone().tmr == alone.backbone().tmr
    assert mixed.backbone().realised_fmr == alone.backbone().realised_fmr
    assert mixed.told_apart(made) == alone.told_apart(half)


def test_a_prediction_stands_beside_what_it_is_worth(leaked: LeakedTemplates) -> None:
    """Two models of which one is a turned copy of the other: the map is exact."""
    dlib, other = load_backbone("dlib"), load_backbone("dlib")
    random = np.random.default_rng(2)
    turn = np.linalg.qr(random.normal(size=(128, 128)))[0].astype(np.float32)
    sampled = random.normal(size=(PAIRS + LEFT_OUT, 128)).astype(np.float32)
    cuts = (Cut("1e-2", -0.5),)
    half = leaked.vectors.copy()
    half[::2] += 5.0  # every other reconstruction is somebody else
    made = StoreAttempt("a", "", False, None, np.ones(len(half), dtype=bool), {"dlib": half @ turn})
    found = predicted_agreement(
        leaked,
        made,
        Calibrated(dlib, cuts, "", sampled),
        Calibrated(other, cuts, "", sampled @ turn),
        seed=0,
    )
    assert found.pairs == PAIRS
    agreement, same, strangers = (
        getattr(found, name)["1e-2"] for name in ("agreement", "same_picture", "strangers")
    )
    assert agreement.value == pytest.approx(0.5)
    assert same.value == 1.0
    assert strangers.value == 0.0


def test_stages_of_a_store_keep_to_their_folder(
    tmp_path: Path, leaked: LeakedTemplates, dlib: Backbone
) -> None:
    with RunFolder(tmp_path / "run") as run:
        attack_store(leaked, load_trained(find_attack("dlib")), [dlib], {}, run, Watch.quiet())
    names = {p.parent.relative_to(run.path).as_posix() for p in run.path.rglob("stage.json")}
    assert names == {"reconstructions/appearance", "scores/appearance/dlib"}
