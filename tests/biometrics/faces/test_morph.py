from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from biometrics.errors import InputError
from biometrics.faces import morph
from biometrics.faces.appearance import normalised_textures
from biometrics.faces.faceset import FaceSet
from biometrics.faces.morph import (
    MorphPlan,
    MorphSettings,
    average_faces,
    make_morphs,
    nearest_faces,
    plan_morphs,
)
from tests.biometrics.faces.drawn import plain_shape


def joined(batches: list[FaceSet]) -> FaceSet:
    return FaceSet(
        np.concatenate([b.crops for b in batches]),
        np.concatenate([b.landmarks for b in batches]),
        pd.concat([b.table for b in batches], ignore_index=True),
    )


@pytest.fixture(scope="module")
def two(synthetic: FaceSet) -> FaceSet:
    """Morphs of faces 3 and 40: nothing of B, then all of its shape and a quarter of its texture.

    One fixture, since factorising the compositor's matrix takes a second."""
    a, b = np.array([3, 3]), np.array([40, 40])
    (made,) = make_morphs(synthetic, MorphPlan(a, b, np.array([0.0, 1.0]), np.array([0.0, 0.25])))
    return made


def test_neighbours_are_those_of_equation_2(synthetic: FaceSet) -> None:
    size, weight, k, seeds = 28, 3.0, 7, np.array([0, 17, 59])
    settings = MorphSettings(neighbours=k, landmark_weight=weight, distance_size=size)
    found = nearest_faces(synthetic, seeds, settings=settings)
    mean = synthetic.landmarks.mean(axis=0).astype(np.float32)
    textures = np.concatenate(list(normalised_textures(synthetic, mean, size))).astype(np.float64)
    for row, a in enumerate(seeds):
        distances = {}
        for b in range(len(synthetic)):
            if synthetic.subject_ids[b] != synthetic.subject_ids[a]:
                shape = np.linalg.norm(synthetic.landmarks[a] - synthetic.landmarks[b])
                texture = np.linalg.norm(textures[a] - textures[b]) * 224 / size
                distances[b] = weight * shape + texture
        assert found.rows[row].tolist() == sorted(distances, key=distances.__getitem__)[:k]
    assert found.counts.tolist() == [k] * 3


def test_k_is_bounded_by_the_faces_of_others(synthetic: FaceSet) -> None:
    few = synthetic.take(np.arange(9))  # three subjects with three pictures each
    found = nearest_faces(few, np.arange(9), settings=MorphSettings(distance_size=16))
    assert found.counts.tolist() == [6] * 9
    drawn = plan_morphs(few, 500, 1, settings=MorphSettings(distance_size=16))
    assert (few.subject_ids[drawn.a] != few.subject_ids[drawn.b]).all()
    assert set(zip(drawn.a, drawn.b, strict=True)) == {
        (a, b) for a in range(9) for b in range(9) if a // 3 != b // 3
    }


def test_parents_and_weights_are_drawn_evenly(
    synthetic: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = MorphSettings(neighbours=5, distance_size=16)
    drawn = plan_morphs(synthetic, 3000, 4, settings=settings)
    assert len(drawn) == 3000
    assert set(np.bincount(drawn.a)) == {50}
    near = nearest_faces(synthetic, np.arange(60), settings=settings).rows
    ranks = (near[drawn.a] == drawn.b[:, None]).argmax(axis=1)
    assert (near[drawn.a, ranks] == drawn.b).all()
    assert np.bincount(ranks, minlength=5).min() > 500
    for weights in (drawn.shape_weight, drawn.texture_weight):
        assert np.histogram(weights, 10, (0, 1))[0].min() > 230
    assert abs(np.corrcoef(drawn.shape_weight, drawn.texture_weight)[0, 1]) < 0.06
    monkeypatch.setattr(morph, "BLOCK", 7)
    again = plan_morphs(synthetic, 3000, 4, settings=settings)
    for name in ("a", "b", "shape_weight", "texture_weight"):
        np.testing.assert_array_equal(getattr(again, name), getattr(drawn, name))
    other = plan_morphs(synthetic, 3000, 5, settings=settings)
    assert (other.b != drawn.b).any()


def test_one_subject_cannot_be_morphed(synthetic: FaceSet) -> None:
    with pytest.raises(InputError, match="at least two subjects"):
        plan_morphs(synthetic.take([0, 1, 2]), 3, 0)
    with pytest.raises(InputError, match="at least two subjects"):
        plan_morphs(synthetic.take([]), 3, 0)


def test_weights_of_zero_give_back_parent_a(two: FaceSet, synthetic: FaceSet) -> None:
    np.testing.assert_allclose(two.landmarks[0], synthetic.landmarks[3], atol=1e-4)
    away = np.abs(two.crops[0].astype(int) - synthetic.crops[3])  # warped there and back
    assert away.mean() < 1.5


def test_shape_and_texture_have_weights_of_their_own(two: FaceSet, synthetic: FaceSet) -> None:
    np.testing.assert_allclose(two.landmarks[1], synthetic.landmarks[40], atol=1e-4)
    # In the middle of the face lies the blend of both, warped to B's landmarks.
    mean = synthetic.landmarks.mean(axis=0).astype(np.float32)
    (back,) = normalised_textures(two.take([1]), mean, 224)
    a, b = next(iter(normalised_textures(synthetic.take([3, 40]), mean, 224)))
    middle = np.s_[:, 110:150, 95:130]
    assert np.abs(back[0][middle] - (0.75 * a + 0.25 * b)[middle]).mean() * 255 < 2.5
    assert np.abs(back[0][middle] - a[middle]).mean() * 255 > 5


def test_the_table_names_the_parents(synthetic: FaceSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(morph, "make_compositor", lambda *_: lambda face, background: face)
    seen: list[int] = []
    drawn = plan_morphs(synthetic, 18, 2, settings=MorphSettings(distance_size=16))
    made = joined(list(make_morphs(synthetic, drawn, advance=seen.append)))
    assert seen == [16, 2]
    table = made.table
    assert table["face_id"].tolist()[::17] == ["morph-000000", "morph-000017"]
    assert table["subject_id"].is_unique
    assert (table["parent_a"].to_numpy() == synthetic.table["face_id"].iloc[drawn.a]).all()
    assert (table["parent_b"].to_numpy() == synthetic.table["face_id"].iloc[drawn.b]).all()
    np.testing.assert_array_equal(table["texture_weight"], drawn.texture_weight)


def flat_faces(levels: list[int], subjects: list[str], shift: list[float]) -> FaceSet:
    crops = np.array(levels, np.uint8)[:, None, None, None].repeat(224, 1).repeat(224, 2)
    landmarks = plain_shape() + np.array(shift, np.float32)[:, None, None]
    names = [str(i) for i in range(len(levels))]
    table = pd.DataFrame({"face_id": names, "subject_id": subjects})
    return FaceSet(np.ascontiguousarray(crops.repeat(3, 3)), landmarks.astype(np.float32), table)


def test_averages_are_of_one_subject_each(monkeypatch: pytest.MonkeyPatch) -> None:
    subjects = ["b", "a", "c", "b", "a", "b", "b", "d", "d", "d"]
    levels = [10, 90, 200, 20, 110, 30, 60, 1, 2, 3]
    faces = flat_faces(levels, subjects, [0, 1, 2, 3, 4, 5, 6, -3, 0, 3])
    for batch in (1, 2, 3, 100):  # subjects begin and end anywhere in a batch
        monkeypatch.setattr(morph, "BATCH", batch)
        seen: list[int] = []
        made = joined(list(average_faces(faces, advance=seen.append)))
        assert made.subject_ids.tolist() == ["b", "d"]
        assert made.table["face_id"].tolist() == ["average/b", "average/d"]
        assert made.table["pictures"].tolist() == [4, 3]
        assert (made.crops[0] == 30).all()
        assert (made.crops[1] == 2).all()
        np.testing.assert_allclose(made.landmarks[0], plain_shape() + 3.5, atol=1e-4)
        assert sum(seen) == 7


def test_an_average_is_taken_at_the_mean_landmarks() -> None:
    # One dot at the nose of each picture; on the average there is one dot, at the mean nose.
    faces = flat_faces([0, 0, 0], ["a"] * 3, [-6, 0, 6])
    for crop, points in zip(faces.crops, faces.landmarks, strict=True):
        x, y = points[30].round().astype(int)
        crop[y - 2 : y + 3, x - 2 : x + 3] = 240
    (made,) = average_faces(faces)
    x, y = plain_shape()[30].round().astype(int)
    assert made.crops[0, y, x, 0] > 200
    assert made.crops[0, :, : x - 5].max() < 20


def test_no_subject_with_enough_pictures(synthetic: FaceSet) -> None:
    assert list(average_faces(synthetic, minimum=4)) == []
    assert sum(len(part) for part in average_faces(synthetic.take([0, 1, 3]), minimum=2)) == 1
