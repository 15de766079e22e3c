"""Templates as systems keep them: against the definition, value by value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biometrics.errors import InputError
from biometrics.template_form import FORMS, ONE_BIT, TemplateForm


def normal(n: int = 4000, dim: int = 10) -> np.ndarray:
    rng = np.random.default_rng(3)
    return (rng.standard_normal((n, dim)) * np.linspace(0.2, 3, dim) + 1).astype(np.float32)


def test_as_they_are_changes_nothing() -> None:
    x = normal()
    assert np.array_equal(FORMS[0].fit(x).apply(x), x)
    assert (FORMS[0].dim(128), FORMS[0].bytes(128)) == (128, 512)


@pytest.mark.parametrize(("share", "kept"), [(0.5, 5), (0.3, 3), (0.01, 1), (1.0, 10)])
def test_the_first_values_are_kept(share: float, kept: int) -> None:
    x = normal()
    assert np.array_equal(TemplateForm("", share=share).fit(x).apply(x), x[:, :kept])


def test_rounding_is_to_decimals() -> None:
    x = np.array([[0.126, -1.114], [2.004, 0.995001]], dtype=np.float32)
    found = TemplateForm("", decimals=2).fit(x).apply(x)
    np.testing.assert_allclose(found, [[0.13, -1.11], [2.0, 1.0]], atol=1e-6)


def test_one_bit_says_on_which_side_of_the_mean() -> None:
    x = normal()
    found = TemplateForm("", bits=1).fit(x).apply(x)
    assert all(len(np.unique(column)) == 2 for column in found.T)
    assert np.array_equal(found > x.mean(axis=0), x >= x.mean(axis=0))


def test_one_bit_loses_as_much_as_the_best_two_levels_of_a_normal_value() -> None:
    """Max's minimum for two levels is 1 - 2 / pi of the variance; other levels lose more."""
    x = np.random.default_rng(0).standard_normal((200_000, 1)).astype(np.float32)
    found = TemplateForm("", bits=1).fit(x).apply(x)
    assert float(((found - x) ** 2).mean()) == pytest.approx(1 - 2 / math.pi, abs=0.01)
    assert pytest.approx(math.sqrt(2 / math.pi)) == ONE_BIT


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_values_lie_within_half_a_step_and_far_ones_at_the_end(bits: int) -> None:
    x = normal()
    fitted = TemplateForm("", bits=bits).fit(x)
    step = 8 * x.std(axis=0) / 2**bits
    found = fitted.apply(x)
    inside = np.abs(x - x.mean(axis=0)) < 4 * x.std(axis=0)
    assert (np.abs(found - x) <= step / 2 + 1e-5)[inside].all()
    assert max(len(np.unique(column)) for column in found.T) <= 2**bits
    far = fitted.apply(np.full((1, 10), 1e6, dtype=np.float32))
    np.testing.assert_allclose(far[0], x.mean(axis=0) + 4 * x.std(axis=0) - step / 2, rtol=1e-4)


@given(st.integers(1, 16), st.integers(1, 5))
def test_what_is_kept_is_kept_again_unchanged(bits: int, dim: int) -> None:
    x = normal(50, dim)
    fitted = TemplateForm("", bits=bits).fit(x)
    once = fitted.apply(x)
    np.testing.assert_allclose(fitted.apply(once), once, atol=1e-3 if bits > 12 else 1e-6)


def test_a_value_that_never_changes_stays() -> None:
    x = np.full((20, 2), 0.25, dtype=np.float32)
    for form in FORMS[3:]:
        assert form.fit(x).apply(x) == pytest.approx(np.full((20, 2), 0.25), abs=0.0051)


@pytest.mark.parametrize(
    ("form", "size"),
    [
        (TemplateForm("", bits=1), 16),
        (TemplateForm("", bits=8), 128),
        (TemplateForm("", share=0.3), 4 * 38),
        (TemplateForm("", share=0.3, bits=1), 5),
        (TemplateForm("", decimals=2), 512),
    ],
)
def test_sizes(form: TemplateForm, size: int) -> None:
    assert form.bytes(128) == size


def test_names_of_files_differ() -> None:
    slugs = [form.slug for form in FORMS]
    assert len(set(slugs)) == len(slugs)
    assert slugs[1] == "50-of-the-dimensions"


@pytest.mark.parametrize("wrong", [{"share": 0.0}, {"share": 1.5}, {"bits": 0}, {"bits": 17}])
def test_other_forms_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        TemplateForm("", **wrong)  # type: ignore[arg-type]


def test_templates_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match="expected templates of 10 values, got"):
        FORMS[1].fit(normal()).apply(normal(dim=9))


def test_dimensions_drawn_by_a_seed_stand_in_their_order_and_a_larger_share_holds_them() -> None:
    x = normal()
    few, many = (TemplateForm("", share=share, draw=5).positions(100) for share in (0.1, 0.3))
    assert len(few) == 10
    assert set(few.tolist()) < set(many.tolist())
    assert np.array_equal(many, np.unique(many))
    assert not np.array_equal(many, TemplateForm("", share=0.3, draw=6).positions(100))
    form = TemplateForm("", share=0.5, draw=5)
    assert np.array_equal(form.fit(x).apply(x), x[:, form.positions(10)])


def test_shuffled_dimensions_are_all_there_in_another_order() -> None:
    x = normal()
    form = TemplateForm("", draw=5, shuffled=True)
    order = form.positions(10)
    assert sorted(order) == list(range(10))
    assert list(order) != list(range(10))
    found = form.fit(x).apply(x)
    assert np.array_equal(found[:, np.argsort(order)], x)


def test_steps_belong_to_the_dimensions_that_are_kept() -> None:
    x = normal()
    form = TemplateForm("", share=0.5, draw=5, bits=1)
    whole = TemplateForm("", bits=1).fit(x).apply(x)
    assert np.array_equal(form.fit(x).apply(x), whole[:, form.positions(10)])


def test_half_precision_is_that_of_numpy_and_never_infinite() -> None:
    x = np.array([[0.1, 1e5, -1e9], [1 / 3, 2049.0, 6e-8]], dtype=np.float32)
    found = TemplateForm("", half=True).fit(x).apply(x)
    assert found.dtype == np.float32
    assert found.tolist() == [
        [float(np.float16(0.1)), 65504.0, -65504.0],
        [float(np.float16(1 / 3)), 2048.0, float(np.float16(6e-8))],
    ]
    assert TemplateForm("", half=True).bytes(128) == 256


def test_to_shuffle_takes_a_seed() -> None:
    with pytest.raises(InputError, match="takes a seed"):
        TemplateForm("", shuffled=True)


def test_the_record_tells_forms_apart_and_leaves_out_the_name() -> None:
    records = [TemplateForm("a"), TemplateForm("a", half=True), TemplateForm("a", draw=3)]
    assert len({str(form.record()) for form in records}) == 3
    assert TemplateForm("a", bits=8).record() == TemplateForm("b", bits=8).record()
