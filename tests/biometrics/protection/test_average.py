from __future__ import annotations

import numpy as np
import pytest

from biometrics.errors import ConfigError, InputError
from biometrics.metrics.scores import Similarity, paired_similarity
from biometrics.protection.average import Average
from biometrics.protection.base import make_scheme
from tests.biometrics.protection.crowd import DIM, crowd

NAMES = np.array(["b", "a", "b", "c", "a", "b", "b", "a"])
VECTORS = crowd(8, 4).vectors


def averaging(pictures: int, kind: Similarity = "l2") -> Average:
    scheme = make_scheme("average", {"pictures": pictures}, DIM, kind)
    assert isinstance(scheme, Average)
    return scheme


@pytest.mark.parametrize("pictures", [1, 2, 3, 10])
@pytest.mark.parametrize("kind", ["l2", "cosine"])
def test_each_row_is_averaged_with_those_that_follow_of_its_subject(
    pictures: int, kind: Similarity
) -> None:
    found = averaging(pictures, kind).enrol(VECTORS, NAMES)
    for i, name in enumerate(NAMES):
        own = [j for j, other in enumerate(NAMES) if other == name]
        turn = own.index(i)
        rows = VECTORS[(own[turn:] + own[:turn])[:pictures]].astype(np.float64)
        if kind == "cosine":
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
            mean = (rows / lengths).mean(axis=0)
            expected = mean / np.linalg.norm(mean) * lengths.mean()
        else:
            expected = rows.mean(axis=0)
        np.testing.assert_allclose(found[i], expected, rtol=1e-5, atol=1e-6)


def test_one_picture_and_who_has_but_one_stay_as_they_are() -> None:
    np.testing.assert_array_equal(averaging(1).enrol(VECTORS, NAMES), VECTORS)
    np.testing.assert_array_equal(averaging(4).enrol(VECTORS, NAMES)[3], VECTORS[3])


def test_an_average_is_nearer_to_other_pictures_of_the_same_people() -> None:
    people = crowd(600, 5, pictures=6)
    probe = np.arange(600) % 6 == 0
    stored = averaging(5).enrol(people.vectors[~probe], people.subjects[~probe])[::5]
    single, probes = people.vectors[~probe][::5], people.vectors[probe]
    far = -paired_similarity(single, probes, "l2").mean()
    # Of two pictures the variance is 1 + 1, of a picture and an average of five 1 + 1/5.
    assert -paired_similarity(stored, probes, "l2").mean() == pytest.approx(
        far * np.sqrt(1.2 / 2), rel=0.05
    )


def test_probes_stay_as_they_are() -> None:
    scheme = averaging(3)
    found = scheme.protect(VECTORS, 9)
    np.testing.assert_array_equal(found, VECTORS)
    assert not np.shares_memory(found, VECTORS)
    assert (scheme.stored_bits, scheme.comparator) == (32 * DIM, "l2")


def test_nobody_is_enrolled_from_nothing() -> None:
    assert averaging(3).enrol(VECTORS[:0], NAMES[:0]).shape == (0, DIM)


def test_names_that_do_not_fit_and_bad_templates_are_refused() -> None:
    with pytest.raises(ValueError, match="8 templates of 7 subjects"):
        averaging(3).enrol(VECTORS, NAMES[:7])
    with pytest.raises(InputError, match="templates of 24 values"):
        averaging(3).enrol(VECTORS[:, :3], NAMES)
    with pytest.raises(ConfigError, match="setting 'pictures'"):
        averaging(0)
