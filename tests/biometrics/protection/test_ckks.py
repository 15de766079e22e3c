from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from biometrics.errors import ConfigError, InputError
from biometrics.metrics.scores import Similarity, paired_similarity
from biometrics.protection import ckks
from biometrics.protection.base import make_scheme
from biometrics.protection.ckks import SLOTS, Ckks, EncryptedScores, encrypted_scores
from tests.biometrics.protection.crowd import crowd

# About as long as dlib's templates are: errors grow with the length.
PAIRS = crowd(12, 2, dim=128, pictures=2).vectors / np.float32(25)
SAME, NOTHING = PAIRS[:1] / 10, np.zeros((1, 128), dtype=np.float32)
LEFT = np.concatenate([PAIRS[::2], SAME, NOTHING])
RIGHT = np.concatenate([PAIRS[1::2], SAME, SAME])


@pytest.fixture(scope="module", params=["cosine", "l2"])
def kind(request: pytest.FixtureRequest) -> Similarity:
    asked: Similarity = request.param
    return asked


@pytest.fixture(scope="module")
def found(kind: Similarity) -> EncryptedScores:
    return encrypted_scores(LEFT, RIGHT, kind)


def test_scores_under_encryption_are_the_plain_ones(
    kind: Similarity, found: EncryptedScores
) -> None:
    """Two that are the same among them, in spite of the root, and one of zeros."""
    plain = paired_similarity(LEFT, RIGHT, kind)
    np.testing.assert_allclose(found.scores, plain, atol=1e-4)
    assert np.unique(plain.round(3)).size > 5
    assert found.largest_error == pytest.approx(np.abs(found.scores - plain).max())
    assert 0 < found.largest_error < 1e-4


def test_a_ciphertext_takes_the_space_and_the_time_that_are_stated(found: EncryptedScores) -> None:
    scheme = make_scheme("ckks", {}, 128, "cosine")
    assert 8 * found.ciphertext_bytes == pytest.approx(scheme.stored_bits, rel=0.15)
    assert found.public_key_bytes > 10 * found.ciphertext_bytes
    assert 0 < found.seconds_per_comparison < 2
    assert 0 < found.seconds_per_encryption < 2


def test_whoever_compares_cannot_decrypt() -> None:
    parties = ckks._Parties()
    received = parties._encrypted(LEFT[0].astype(np.float64))
    with pytest.raises(ValueError, match="doesn't hold a secret_key"):
        received.decrypt()


def test_numbers_stay_as_decryption_would_give_them() -> None:
    scheme = make_scheme("ckks", {}, 128, "l2")
    assert isinstance(scheme, Ckks)
    found = scheme.fit(crowd(20, 1, dim=128)).protect(LEFT, 3)
    np.testing.assert_array_equal(found, LEFT)
    assert not np.shares_memory(found, LEFT)
    assert (scheme.comparator, scheme.keyed, scheme.family) == ("l2", False, "encryption")


@pytest.mark.parametrize("shape", [(2, SLOTS + 1), (0, 8), (2, 0)])
def test_templates_that_fit_no_ciphertext_are_refused(shape: tuple[int, int]) -> None:
    rows = np.zeros(shape, dtype=np.float32)
    with pytest.raises(InputError, match="pairs of templates of 1 to 4096 values"):
        encrypted_scores(rows, rows, "cosine")


def test_rows_that_do_not_pair_or_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="pairs of templates"):
        encrypted_scores(LEFT, RIGHT[:3], "cosine")
    with pytest.raises(InputError, match="NaN or infinite"):
        encrypted_scores(LEFT, np.full_like(RIGHT, np.nan), "cosine")


def test_without_the_package_one_line_says_what_to_install(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "tenseal", None)
    with pytest.raises(ConfigError, match=r"^[^\n]*pip install 'faceleak\[he\]'$"):
        encrypted_scores(LEFT, RIGHT, "cosine")
