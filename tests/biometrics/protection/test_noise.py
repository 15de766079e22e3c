from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import kstest

from biometrics.errors import ConfigError
from biometrics.protection.base import key_stream, make_scheme
from biometrics.protection.gaussian_mechanism import gaussian_sigma
from biometrics.protection.noise import Noise, noise_of
from tests.biometrics.protection.crowd import DIM, crowd

PEOPLE = crowd(300, 1)
LEAKED = crowd(60, 2).vectors
WORD = 2**64 - 1


def noisy(**values: float) -> Noise:
    scheme = make_scheme("noise", values, DIM, "l2").fit(PEOPLE)
    assert isinstance(scheme, Noise)
    return scheme


def splitmix(number: int) -> int:
    """Steele and others 2014, in Python's whole numbers."""
    number = (number + 0x9E3779B97F4A7C15) & WORD
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & WORD
    return number ^ (number >> 31)


def test_the_generator_is_splitmix_and_gives_its_published_numbers() -> None:
    state, found = 1234567, []
    for _ in range(3):
        found.append(splitmix(state))
        state = (state + 0x9E3779B97F4A7C15) & WORD
    # The first numbers from seed 1234567, as the Rosetta Code task on SplitMix64 lists them.
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_noise_is_what_whole_numbers_worked_out_one_by_one_give() -> None:
    tables = key_stream("noise", 7).integers(2**64, size=(2, DIM), dtype=np.uint64).tolist()
    words = LEAKED[:3].view(np.uint32).tolist()
    for row, found in zip(words, noise_of(LEAKED[:3], 7), strict=True):
        mixed = [splitmix((word + add) & WORD) for word, add in zip(row, tables[0], strict=True)]
        start = splitmix(sum(mixed) & WORD)
        bits = [splitmix(start ^ add) for add in tables[1]]
        expected = [ndtri(((number >> 12) + 0.5) / 2**52) for number in bits]
        np.testing.assert_array_equal(found, expected)


def test_noise_is_normal_and_independent_between_numbers_and_templates() -> None:
    drawn = noise_of(crowd(4000, 3).vectors, 0)
    assert kstest(drawn.ravel(), "norm").pvalue > 0.01
    together = np.corrcoef(drawn.T) - np.eye(DIM)
    assert np.abs(together).max() < 5 / np.sqrt(4000)
    assert abs(np.mean(drawn[1:] * drawn[:-1])) < 5 / np.sqrt(drawn.size)


def test_the_last_bit_of_one_number_changes_all_noise() -> None:
    near = LEAKED.copy()
    near[:, 0] = np.nextafter(near[:, 0], np.float32(np.inf))
    both = noise_of(LEAKED, 0), noise_of(near, 0)
    assert (both[0] != both[1]).all()
    assert abs(np.corrcoef(both[0].ravel(), both[1].ravel())[0, 1]) < 5 / np.sqrt(LEAKED.size)


def test_another_secret_draws_other_noise() -> None:
    found = noise_of(LEAKED, 0), noise_of(LEAKED, 1)
    assert abs(np.corrcoef(found[0].ravel(), found[1].ravel())[0, 1]) < 5 / np.sqrt(LEAKED.size)


def test_what_is_stored_is_the_direction_and_its_noise() -> None:
    centred = LEAKED.astype(np.float64) - PEOPLE.vectors.mean(axis=0, dtype=np.float64)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    found = noisy(sigma=0.3, secret=5).protect(LEAKED, 0)
    np.testing.assert_allclose(found, unit + 0.3 * noise_of(LEAKED, 5), atol=1e-6)
    assert np.std(found - unit) == pytest.approx(0.3, rel=0.08)


def test_a_template_gives_the_same_bytes_alone_among_others_and_under_any_key() -> None:
    scheme = noisy()
    alone = np.concatenate([scheme.protect(LEAKED[i : i + 1], i) for i in range(len(LEAKED))])
    assert alone.tobytes() == scheme.protect(LEAKED, 0).tobytes()
    before = LEAKED.copy()
    scheme.protect(LEAKED[::2], 3)
    np.testing.assert_array_equal(LEAKED, before)


def test_epsilon_gives_sigma_and_sigma_epsilon() -> None:
    asked = noisy(epsilon=4.0)
    assert asked.sigma == gaussian_sigma(4.0, 1e-5, 2.0)
    assert asked.epsilon == pytest.approx(4.0, rel=1e-9)
    assert noisy(sigma=asked.sigma).epsilon == pytest.approx(4.0, rel=1e-9)
    assert noisy(sigma=0.1, delta=1e-9).epsilon > noisy(sigma=0.1).epsilon > 100


def test_without_a_setting_the_noise_is_small_and_hardly_private() -> None:
    scheme = noisy()
    assert scheme.sigma == 0.05
    assert scheme.epsilon > 900
    assert (scheme.comparator, scheme.stored_bits) == ("cosine", 32 * DIM)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sigma": 0.1, "epsilon": 1.0}, "give sigma or epsilon, not both"),
        ({"sigma": 0.0}, "setting 'sigma': Input should be greater than 0"),
        ({"epsilon": -1.0}, "setting 'epsilon': Input should be greater than 0"),
        ({"delta": 1.0}, "setting 'delta'"),
        ({"secret": -1}, "setting 'secret'"),
    ],
)
def test_impossible_settings_are_refused(values: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_scheme("noise", values, DIM, "l2")
