from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from biometrics.stores.base import StoreFacts
from biometrics.stores.families import (
    ARCFACE_RAW,
    DLIB,
    MEANS,
    RAW_128,
    UNIT_128,
    UNIT_512,
    VGG,
    family_of,
    judge,
)
from biometrics.stores.inspection import CollectionFigures, inspect
from tests.biometrics.stores.memory import MemoryStore, one_batch


def of_length(dim: int, length: float, spread: float = 0.0) -> NDArray[np.floating]:
    random = np.random.default_rng(dim)
    rows = random.normal(size=(300, dim))
    lengths = length * (1 + spread * random.normal(size=(300, 1)))
    return rows * lengths / np.linalg.norm(rows, axis=1, keepdims=True)


def figures(rows: NDArray[np.floating], model: str = "", mean: bool = False) -> CollectionFigures:
    return inspect(MemoryStore([one_batch(rows, model=model, mean=mean)])).collections[0]


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        (of_length(128, 1.41, 0.03), DLIB),
        (of_length(512, 22.5, 0.1), ARCFACE_RAW),
        (of_length(512, 1), UNIT_512),
        (np.abs(of_length(4096, 1)), VGG),
        (of_length(128, 1), UNIT_128),
        (of_length(128, 5.5, 0.1), RAW_128),
        (of_length(512, 0.94, 0.01), MEANS),
        (of_length(4096, 1), ""),
        (of_length(77, 1.4, 0.1), ""),
        (np.random.default_rng(0).permuted(np.tile(np.linspace(0, 1, 64), (40, 1)), axis=1),
         "min-max scaled"),
    ],
)  # fmt: skip
def test_dimensions_and_lengths_tell_the_family(rows: NDArray[np.floating], name: str) -> None:
    family = family_of(figures(rows))
    assert family.name == name
    assert f"{rows.shape[1]}-D, norms " in family.evidence


def test_the_evidence_reads_as_in_the_facts() -> None:
    family = family_of(figures(of_length(128, 1.41, 0.02)))
    assert family.evidence == "128-D, norms 1.41 ± 0.03"
    assert family.backbones == ("dlib",)


@pytest.mark.parametrize(
    ("claim", "rows", "says"),
    [
        ("dlib", of_length(128, 23, 0.1), "from 1.25 to 1.6; these have 2"),
        ("dlib", of_length(512, 1.4, 0.1), "gives 128 values a template; these have 512"),
        ("InsightFace buffalo_l", of_length(512, 1.5, 0.1), "lengths over 2"),
        ("dlib", of_length(128, 1.42, 0.03), ""),
        ("dlib", of_length(128, 1), ""),  # normalised afterwards
        ("InsightFace buffalo_l", of_length(512, 1), ""),
        ("something else", of_length(9, 40), ""),
    ],
)
def test_a_claim_that_the_numbers_deny_is_told(
    claim: str, rows: NDArray[np.floating], says: str
) -> None:
    for facts, model in ((StoreFacts("x", "y", model=claim), ""), (StoreFacts("x", "y"), claim)):
        found = judge(figures(rows, model), facts)
        assert any(claim in said for said in found.claims)
        assert len(found.contradictions) == bool(says)
        if says:
            assert says in found.contradictions[0]


def test_means_are_told_by_flag_or_length() -> None:
    facts = StoreFacts("x", "y")
    assert judge(figures(of_length(512, 1), mean=True), facts).means
    assert "0.94" in judge(figures(of_length(512, 0.94, 0.01)), facts).means
    assert not judge(figures(of_length(512, 1)), facts).means


def test_rows_without_a_sound_one() -> None:
    family = family_of(figures(np.zeros((4, 128))))
    assert family == ("", "128-D, no sound row", ())
