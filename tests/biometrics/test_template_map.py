"""Maps between spaces of templates, where the map is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.stats import ortho_group

from biometrics.errors import InputError, OutputError, WeightsError
from biometrics.template_map import (
    TemplateMap,
    draw_pairs,
    fit_template_map,
)

Matrix = NDArray[np.float32]


def templates(count: int, dim: int, seed: int) -> Matrix:
    """Values of very different sizes, none around zero."""
    rng = np.random.default_rng(seed)
    scale = np.geomspace(0.01, 10, dim)
    return ((rng.standard_normal((count, dim)) + 2) * scale).astype(np.float32)


def affine(x: Matrix, seed: int = 1) -> Matrix:
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((x.shape[1], 5)) / x.std(axis=0)[:, None]
    return (x @ weights + rng.standard_normal(5)).astype(np.float32)


def test_an_affine_map_is_recovered() -> None:
    x, other = templates(60, 8, 0), templates(20, 8, 9)
    both = affine(np.concatenate([x, other]))
    found = fit_template_map(x, both[:60])
    np.testing.assert_allclose(found.apply(other), both[60:], rtol=1e-4, atol=1e-4)
    assert found.explained > 0.999999
    assert found.ridge < 1e-5
    assert (found.pairs, found.unit) == (60, False)


def test_a_rotation_is_recovered_as_its_inverse() -> None:
    rotation = ortho_group.rvs(16, random_state=3)
    x = np.random.default_rng(4).standard_normal((200, 16)).astype(np.float32)
    found = fit_template_map((x @ rotation).astype(np.float32), x)
    np.testing.assert_allclose(found.weights, rotation.T, atol=1e-4)
    np.testing.assert_allclose(found.apply(found.mean[None])[0], x.mean(axis=0), atol=1e-5)


def test_what_has_nothing_in_common_gives_the_mean() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((300, 6)), rng.standard_normal((300, 4)) + 5
    found = fit_template_map(x, y)
    assert found.ridge > 1
    assert found.explained == pytest.approx(0.0, abs=0.02)
    np.testing.assert_allclose(found.apply(x), np.tile(y.mean(axis=0), (300, 1)), atol=0.2)


def test_noise_is_met_with_a_penalty_that_predicts_better_than_none() -> None:
    """A few pairs of many noisy values: held-out people, drawn anew, are the oracle."""
    rng = np.random.default_rng(1)
    faces = rng.standard_normal((1050, 6))
    x = (faces @ rng.standard_normal((6, 40)) + 2 * rng.standard_normal((1050, 40))).astype("f4")
    found = fit_template_map(x[:50], faces[:50].astype(np.float32))
    error = float(((found.apply(x[50:]) - faces[50:]) ** 2).mean())
    centred = x[:50] - x[:50].mean(axis=0)
    plain = np.linalg.lstsq(centred, faces[:50] - faces[:50].mean(axis=0), rcond=None)[0]
    guess = (x[50:] - x[:50].mean(axis=0)) @ plain + faces[:50].mean(axis=0)
    assert found.ridge > 1e-3
    assert error < 0.5 * float(((guess - faces[50:]) ** 2).mean())
    # And what it says of itself is about what comes out.
    assert found.explained == pytest.approx(1 - error / float(faces[50:].var()), abs=0.15)


@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.floats(0.1, 10), min_size=40, max_size=40))
def test_lengths_say_nothing_where_directions_are_compared(lengths: list[float]) -> None:
    x = templates(40, 6, 2)
    y = affine(x)
    longer = (x * np.array(lengths)[:, None]).astype(np.float32)
    one, other = (fit_template_map(v, y, unit=True) for v in (x, longer))
    np.testing.assert_allclose(one.apply(x), other.apply(longer), rtol=1e-2, atol=1e-2)
    assert one.unit


@settings(max_examples=20, deadline=None)
@given(power=st.integers(-6, 6), shift=st.integers(-3, 3))
def test_units_of_the_templates_do_not_matter(power: int, shift: int) -> None:
    x = templates(30, 5, 3)
    y = affine(x) + np.random.default_rng(5).standard_normal((30, 5)).astype(np.float32)
    moved = (x.astype(np.float64) * 2.0**power + shift).astype(np.float32)
    one, other = fit_template_map(x, y), fit_template_map(moved, y)
    assert one.ridge == other.ridge
    np.testing.assert_allclose(one.apply(x), other.apply(moved), rtol=1e-2, atol=1e-2)


def test_a_value_that_never_changes_is_left_out() -> None:
    x = templates(40, 4, 6)
    still = np.concatenate([x, np.full((40, 1), 0.3, dtype=np.float32)], axis=1)
    y = affine(x)
    found = fit_template_map(still, y)
    assert np.array_equal(found.weights[4], np.zeros(5, dtype=np.float32))
    still[:, 4] = 99
    np.testing.assert_allclose(found.apply(still), y, rtol=1e-3, atol=1e-3)
    alike = fit_template_map(still[:, 4:], y)
    mean = np.tile(y.mean(axis=0), (3, 1))
    np.testing.assert_allclose(alike.apply(still[:3, 4:]), mean, rtol=1e-5)


def test_targets_that_are_all_alike_are_told_from_nothing() -> None:
    found = fit_template_map(templates(9, 3, 0), np.full((9, 2), 4.0, dtype=np.float32))
    assert found.explained == 0.0
    np.testing.assert_allclose(found.apply(templates(2, 3, 1)), 4.0)


def test_two_pairs_are_enough_and_more_values_than_pairs() -> None:
    x = templates(2, 7, 0)
    assert np.isfinite(fit_template_map(x, affine(x)).apply(x)).all()


@pytest.mark.parametrize(("n", "m"), [(3, 2), (1, 1), (0, 0)])
def test_what_are_no_pairs_is_refused(n: int, m: int) -> None:
    with pytest.raises(InputError, match="two or more pairs"):
        fit_template_map(templates(n, 3, 0), templates(m, 2, 0))


def test_broken_templates_are_refused() -> None:
    x, y = templates(9, 3, 0), templates(9, 2, 1)
    found = fit_template_map(x, y)
    with pytest.raises(InputError, match=r"templates of 3 values, got \[9, 2\]"):
        found.apply(y)
    x[4, 1] = np.nan
    for call in (lambda: fit_template_map(x, y), lambda: fit_template_map(y, x)):
        with pytest.raises(InputError, match="1 of 9 templates hold NaN"):
            call()
    with pytest.raises(InputError, match="1 of 9 templates hold NaN"):
        found.apply(x)


# --- files


@pytest.fixture
def found() -> TemplateMap:
    x = templates(20, 4, 0)
    return fit_template_map(x, affine(x), unit=True, about="from here to there")


def test_a_saved_map_is_the_same_and_its_bytes_are(found: TemplateMap, tmp_path: Path) -> None:
    found.save(tmp_path / "a")
    loaded = TemplateMap.load(tmp_path / "a")
    for field in dataclasses.fields(TemplateMap):
        same = getattr(loaded, field.name) == getattr(found, field.name)
        assert np.all(same), field.name
    loaded.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights": None}, "lacks weights"),
        ({"mean": np.zeros(3, dtype=np.float32)}, r"no map of templates: .*mean \[3\]"),
        ({"weights": np.zeros(4, dtype=np.float32)}, "no map of templates"),
        ({"pairs": np.zeros(2)}, "no map of templates"),
        ({"offset": np.full(5, np.inf, dtype=np.float32)}, "finite float32"),
        ({"offset": np.zeros(5)}, "finite float32"),
    ],
)
def test_what_is_no_map_is_refused(
    found: TemplateMap, change: dict[str, NDArray[np.float64] | None], said: str, tmp_path: Path
) -> None:
    values = {**found.arrays(), **change}
    save_file({k: v for k, v in values.items() if v is not None}, tmp_path / "map")
    with pytest.raises(WeightsError, match=said):
        TemplateMap.load(tmp_path / "map")


def test_files_that_cannot_be_used_are_told(found: TemplateMap, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no readable safetensors file"):
        TemplateMap.load(tmp_path / "absent")
    (tmp_path / "text").write_text("no map")
    with pytest.raises(WeightsError, match="no readable safetensors file"):
        TemplateMap.load(tmp_path / "text")
    with pytest.raises(OutputError, match="cannot be written"):
        found.save(tmp_path / "no" / "folder")


# --- which pictures


@given(
    people=st.lists(st.sampled_from("abcdefg"), max_size=40),
    wanted=st.integers(0, 50),
    seed=st.integers(0, 99),
)
def test_a_draw_takes_nobody_twice_before_everybody_once(
    people: list[str], wanted: int, seed: int
) -> None:
    names = np.array(people, dtype=str)
    rows = draw_pairs(names, wanted, seed)
    assert len(rows) == min(wanted, len(people))
    assert np.array_equal(rows, np.unique(rows))  # in order, none twice
    drawn = {name: people_count(names[rows], name) for name in set(people)}
    for name, count in drawn.items():
        rest = people_count(names, name) - count
        assert not rest or count >= max(drawn.values()) - 1
    assert np.array_equal(rows, draw_pairs(names, wanted, seed))


def people_count(names: NDArray[np.str_], name: str) -> int:
    return int((names == name).sum())


def test_another_seed_draws_others() -> None:
    names = np.array([f"p{i}" for i in range(50)])
    draws = {tuple(draw_pairs(names, 10, seed).tolist()) for seed in range(5)}
    assert len(draws) == 5
    seen = np.bincount(np.concatenate([draw_pairs(names, 10, s) for s in range(400)]))
    assert seen.min() > 40  # 80 each are expected
    assert seen.max() < 120
