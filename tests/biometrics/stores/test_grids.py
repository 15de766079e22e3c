from __future__ import annotations

import numpy as np
import pytest

from biometrics.stores.forms import Form, form_of
from biometrics.stores.grids import Grids, grids_of
from biometrics.template_form import TemplateForm


def rows(count: int = 400, dim: int = 128) -> np.ndarray:
    return np.random.default_rng(dim).normal(0.03, 0.1, size=(count, dim)).astype(np.float32)


def grids(values: np.ndarray) -> Grids:
    found = grids_of(values.astype(np.float32))
    assert found is not None
    return found


def test_continuous_values_lie_on_no_grid() -> None:
    assert grids(rows()) == Grids(400, 0.0, 0.0, 0.0, 0.0, 400)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("float16", rows().astype(np.float16)),
        ("two_decimals", np.round(rows(), 2)),
        ("two_decimals", np.round(200 * rows(), 2)),
        ("eight_bits", np.round(rows() / np.abs(rows()).max(axis=1, keepdims=True) * 127) * 0.0123),
        ("eight_bits", rows(dim=1) * 0 + np.arange(-127, 128)[None] * 0.0031),
    ],
)
def test_a_grid_is_seen_through_float32(name: str, values: np.ndarray) -> None:
    found = grids(values)
    assert getattr(found, name) == 1
    others = {"float16", "two_decimals", "eight_bits"} - {name}
    # Rounded values of a few rows also fit the steps of 8 bits by chance.
    assert all(getattr(found, other) < 0.2 for other in others), found


def test_eight_bits_from_the_smallest_to_the_largest_value() -> None:
    low, high = rows().min(axis=1, keepdims=True), rows().max(axis=1, keepdims=True)
    steps = np.round((rows() - low) / (high - low) * 255)
    assert grids(low + steps * (high - low) / 255).eight_bits > 0.99
    assert grids(steps / 255).row_min_max == 1


@pytest.mark.parametrize(("bits", "levels"), [(1, 2), (2, 4)])
def test_levels_of_a_dimension(bits: int, levels: int) -> None:
    values = rows(2000, 20)
    assert grids(TemplateForm("", bits=bits).fit(values).apply(values)).levels == levels


def test_part_of_the_rows_on_a_grid_is_a_share() -> None:
    values = rows()
    values[:100] = np.round(values[:100], 2)
    assert grids(values).two_decimals == pytest.approx(0.25)


def test_no_rows_and_long_rows() -> None:
    assert grids_of(np.empty((0, 8), dtype=np.float32)) is None
    assert grids(np.ones((300, 16_384))).rows == 122


@pytest.mark.parametrize(
    ("values", "dim", "form"),
    [
        (rows(), 128, Form("raw", 128, 128, "")),
        (rows() / np.linalg.norm(rows(), axis=1, keepdims=True), 128, Form("unit", 128, 128, "")),
        (rows() * 9, 128, Form("scaled", 128, 128, "")),
        (rows()[:, :64], 128, Form("raw", 64, 128, "")),
        ((rows() - rows().min()) / np.ptp(rows()), 128, Form("min-max", 128, 128, "")),
        (np.sign(rows()), 128, Form("1 bit a value", 128, 128, "")),
        (np.round(rows(), 2), 128, Form("raw", 128, 128, "2 decimals")),
        (rows().astype(np.float16), 128, Form("raw", 128, 128, "float16")),
    ],
)
def test_forms_of_a_known_backbone(values: np.ndarray, dim: int, form: Form) -> None:
    lengths = np.linalg.norm(rows(), axis=1)
    assert form_of(values, dim, (float(lengths.mean()), float(lengths.std()))) == form


def test_the_name_of_a_form() -> None:
    assert Form("unit", 64, 128, "float16").name == "unit, first 64 of 128 values, float16"
    assert Form("raw", 128, 128, "").name == "raw"


def test_a_backbone_that_gives_unit_length_has_no_other_raw_form() -> None:
    values = rows() / np.linalg.norm(rows(), axis=1, keepdims=True)
    assert form_of(values, 128, (1.0, 0.0)).kind == "raw"
    assert form_of(values[:, :64], 128, (1.0, 0.0)).kind == "raw"
