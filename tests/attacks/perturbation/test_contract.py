"""What every registered perturbation must do."""

from __future__ import annotations

import numpy as np
import pytest

from attacks.perturbation.base import PERTURBATIONS, Perturbation, Perturbed, Pictures
from biometrics.errors import ConfigError, UnknownNameError

SHIPPED = {
    "block-eyes",
    "block-mouth",
    "blur",
    "grey",
    "half-left",
    "half-lower",
    "half-right",
    "jpeg",
    "low-resolution",
    "noise",
    "random-block",
    "sunglasses",
    "surgical-mask",
}
RANDOM = {"noise", "random-block"}
"""Those in which something is drawn at random for each picture."""


def strengths(kind: type[Perturbation]) -> list[float | None]:
    """None where there is no strength, else the ends of the range, its middle and the identity."""
    if not kind.unit:
        return [None]
    middle = (kind.least + kind.most) / 2
    found = {kind.least, round(middle) if kind.most - kind.least > 10 else middle, kind.most}
    return sorted(found | ({kind.identity} if kind.identity is not None else set()))


ALL = [
    PERTURBATIONS.get(name)(strength)
    for name in PERTURBATIONS.names()
    for strength in strengths(PERTURBATIONS.get(name))
]
every = pytest.mark.parametrize("perturbation", ALL, ids=lambda p: p.slug)
every_name = pytest.mark.parametrize("name", PERTURBATIONS.names())


def same(one: Perturbed, other: Perturbed) -> bool:
    assert (one.covered is None) == (other.covered is None)
    alike = np.array_equal(one.crops, other.crops) and np.array_equal(
        one.landmarks, other.landmarks
    )
    if one.covered is None or other.covered is None:
        return alike
    return alike and np.array_equal(one.covered, other.covered)


def test_the_perturbations_that_ship_are_registered() -> None:
    assert set(PERTURBATIONS.names()) >= SHIPPED


def test_an_unknown_perturbation_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'block-eyes'.*known: block-eyes"):
        PERTURBATIONS.get("block-eye")


@every
def test_pictures_have_the_promised_shapes_and_types(
    perturbation: Perturbation, pictures: Pictures
) -> None:
    made = perturbation.apply(pictures)
    assert made.crops.shape == pictures.crops.shape
    assert made.crops.dtype == np.uint8
    assert made.landmarks.shape == pictures.landmarks.shape
    assert made.landmarks.dtype == np.float32
    if made.covered is not None:
        assert made.covered.shape == pictures.crops.shape[:3]
        assert made.covered.dtype == np.bool_


@every
def test_the_input_is_left_untouched_and_not_handed_on(
    perturbation: Perturbation, pictures: Pictures
) -> None:
    before = pictures.crops.copy(), pictures.landmarks.copy(), pictures.seeds.copy()
    made = perturbation.apply(pictures)
    assert np.array_equal(pictures.crops, before[0])
    assert np.array_equal(pictures.landmarks, before[1])
    assert np.array_equal(pictures.seeds, before[2])
    assert not np.shares_memory(made.crops, pictures.crops)
    assert not np.shares_memory(made.landmarks, pictures.landmarks)


@every
def test_many_at_once_are_what_they_are_one_by_one(
    perturbation: Perturbation, pictures: Pictures
) -> None:
    whole = perturbation.apply(pictures)
    for i in range(len(pictures)):
        alone = perturbation.apply(pictures.take(slice(i, i + 1)))
        covered = None if whole.covered is None else whole.covered[i : i + 1]
        part = Perturbed(whole.crops[i : i + 1], whole.landmarks[i : i + 1], covered)
        assert same(part, alone)


@every
def test_no_pictures_make_no_pictures(perturbation: Perturbation, pictures: Pictures) -> None:
    made = perturbation.apply(pictures.take(slice(0, 0)))
    assert made.crops.shape == (0, 224, 224, 3)
    assert made.landmarks.shape == (0, 68, 2)


@every
def test_the_seed_of_a_picture_alone_makes_it_again(
    perturbation: Perturbation, pictures: Pictures
) -> None:
    made = perturbation.apply(pictures)
    assert same(made, perturbation.apply(pictures))
    again = type(perturbation)(perturbation.strength)
    backwards = again.apply(pictures.take(np.arange(len(pictures))[::-1]))
    assert np.array_equal(backwards.crops[::-1], made.crops)


@every_name
def test_another_seed_makes_another_picture_where_something_is_drawn(
    name: str, pictures: Pictures
) -> None:
    kind = PERTURBATIONS.get(name)
    strength = strengths(kind)[len(strengths(kind)) // 2]
    other = Pictures(pictures.crops, pictures.landmarks, pictures.seeds + np.uint64(1))
    one, two = (kind(strength).apply(p).crops for p in (pictures, other))
    changed = (one != two).any(axis=(1, 2, 3))
    assert changed.all() if name in RANDOM else not changed.any()


@pytest.mark.parametrize(
    "perturbation",
    [p for p in ALL if p.identity is not None and p.strength == p.identity],
    ids=lambda p: p.slug,
)
def test_the_identity_changes_nothing_to_the_last_bit(
    perturbation: Perturbation, pictures: Pictures
) -> None:
    made = perturbation.apply(pictures)
    assert np.array_equal(made.crops, pictures.crops)
    assert np.array_equal(made.landmarks, pictures.landmarks)
    assert made.covered is None or not made.covered.any()


@pytest.mark.parametrize(
    "perturbation",
    [p for p in ALL if p.strength is None or p.strength != p.identity],
    ids=lambda p: p.slug,
)
def test_any_other_strength_changes_every_picture(
    perturbation: Perturbation, pictures: Pictures
) -> None:
    made = perturbation.apply(pictures)
    assert (made.crops != pictures.crops).any(axis=(1, 2, 3)).all()


@every
def test_nothing_changes_outside_what_is_covered(
    perturbation: Perturbation, pictures: Pictures
) -> None:
    made = perturbation.apply(pictures)
    if made.covered is None or not np.array_equal(made.landmarks, pictures.landmarks):
        return  # nothing is covered, or the face itself was moved
    changed = (made.crops != pictures.crops).any(axis=3)
    assert not (changed & ~made.covered).any()
    if made.covered.any():
        # Paint may by chance have a pixel's own colour, and a soft edge may round to nothing.
        assert changed[made.covered].mean() > 0.97


def test_labels_and_names_of_files_are_unique() -> None:
    assert len({p.label for p in ALL}) == len(ALL)
    assert len({p.slug for p in ALL}) == len(ALL)


@every_name
def test_names_agree_and_are_words_with_hyphens(name: str) -> None:
    assert PERTURBATIONS.get(name).name == name
    assert all(part.isalnum() and part == part.lower() for part in name.split("-"))


@every_name
def test_a_strength_that_does_not_belong_is_refused_in_one_line(name: str) -> None:
    kind = PERTURBATIONS.get(name)
    if not kind.unit:
        with pytest.raises(ConfigError, match=f"'{name}' takes no strength"):
            kind(0.5)
        return
    with pytest.raises(ConfigError, match=f"'{name}' needs a strength"):
        kind()
    for strength in (kind.least - 1, kind.most + 1, float("nan")):
        with pytest.raises(ConfigError, match=f"'{name}': expected a strength from") as caught:
            kind(strength)
        assert "\n" not in str(caught.value)
