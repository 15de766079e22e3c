"""What every registered protection scheme must do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from biometrics.errors import ConfigError, InputError, UnknownNameError
from biometrics.metrics.scores import paired_similarity, similarity_matrix
from biometrics.protection.base import (
    SCHEMES,
    Enrolled,
    NoLabelsError,
    ProtectionScheme,
    key_stream,
    make_scheme,
)
from tests.biometrics.protection.contract import DIM, SETTINGS, able, crowd, digests, fitted

SHIPPED = {"none", "random-projection", "biohash", "iom-grp", "iom-urp"}
ROOT = Path(__file__).resolve().parents[3]

every_scheme = pytest.mark.parametrize("name", SCHEMES.names())
every_keyed = pytest.mark.parametrize(
    "name", [name for name in SCHEMES.names() if SCHEMES.get(name).keyed]
)
every_keyless = pytest.mark.parametrize(
    "name", [name for name in SCHEMES.names() if not SCHEMES.get(name).keyed]
)
leaked = crowd(1)


def test_the_schemes_that_ship_are_registered() -> None:
    assert set(SCHEMES.names()) >= SHIPPED
    assert set(SETTINGS) <= set(SCHEMES.names())


@every_scheme
def test_it_says_what_it_rests_on_and_where_it_comes_from(name: str) -> None:
    kind = SCHEMES.get(name)
    assert kind.family in ("none", "keyed", "reduction", "disentangling", "encryption")
    assert kind.keyed == (kind.family == "keyed")
    assert kind.source.strip()


@every_scheme
def test_protected_templates_are_finite_numbers_of_their_own(name: str) -> None:
    scheme, before = fitted(name), leaked.vectors.copy()
    made = scheme.protect(leaked.vectors, 3)
    assert made.dtype == np.float32
    assert made.ndim == 2
    assert len(made) == len(before)
    assert np.isfinite(made).all()
    kept = made.copy()
    made[:] = 0.5  # its memory is its own
    assert np.array_equal(leaked.vectors, before)
    assert np.array_equal(scheme.protect(leaked.vectors, 3), kept)


@every_scheme
def test_a_batch_equals_its_templates_one_by_one_to_the_byte(name: str) -> None:
    scheme = fitted(name)
    together = scheme.protect(leaked.vectors, 5)
    alone = np.concatenate([scheme.protect(leaked.vectors[i : i + 1], 5) for i in range(40)])
    assert alone.tobytes() == together[:40].tobytes()
    assert scheme.protect(leaked.vectors[7:30:3], 5).tobytes() == together[7:30:3].tobytes()


@every_scheme
def test_no_templates_are_protected_as_none(name: str) -> None:
    scheme = fitted(name)
    width = scheme.protect(leaked.vectors[:1], 0).shape[1]
    assert scheme.protect(leaked.vectors[:0], 0).shape == (0, width)


def test_another_process_makes_the_same_bytes() -> None:
    names = able()
    said = (
        f"from tests.biometrics.protection.contract import *; print_digests({json.dumps(names)!r})"
    )
    run = subprocess.run(
        [sys.executable, "-c", said],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "11"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout) == digests(names)


@every_scheme
def test_a_template_is_never_more_like_another_than_like_itself(name: str) -> None:
    scheme = fitted(name)
    made = scheme.protect(leaked.vectors, 8)
    again = scheme.protect(leaked.vectors.copy(), 8)
    itself = paired_similarity(made, again, scheme.comparator)
    np.testing.assert_allclose(itself, 1.0 if scheme.comparator == "cosine" else 0.0, atol=1e-5)
    scores = similarity_matrix(made, made, scheme.comparator)
    assert (scores <= itself[:, None] + 1e-5).all()


@every_scheme
def test_it_still_tells_people_apart(name: str) -> None:
    """Under one key, pictures of one person score above those of others: 9 times in 10, where
    plain templates do nearly always."""
    scheme = fitted(name)
    made = scheme.protect(leaked.vectors, 2)
    scores = similarity_matrix(made, made, scheme.comparator)
    same = leaked.subjects[:, None] == leaked.subjects
    genuine, impostor = scores[same & ~np.eye(len(same), dtype=bool)], np.sort(scores[~same])
    assert np.searchsorted(impostor, genuine).mean() / len(impostor) > 0.9


@every_keyed
def test_keys_part_what_belongs_together(name: str) -> None:
    """The same template under two keys scores as two people's templates under two keys do.

    Kept apart by four standard errors of the difference of means over templates, and by 2 / D:
    what only moves or turns numbers about keeps their sum, which two keys then share.
    """
    scheme, keys = fitted(name), np.arange(20)
    assert scheme.comparator == "cosine"
    vectors = leaked.vectors[::4]  # one of each person
    made = np.stack([scheme.protect(vectors, int(key)) for key in keys])
    made = made / np.linalg.norm(made, axis=2, keepdims=True)
    scores = np.einsum("anp,bmp->abnm", made[::2], made[1::2]).mean(axis=(0, 1))
    others = (scores.sum(axis=1) - np.diag(scores)) / (len(scores) - 1)
    apart = np.diag(scores) - others
    error = apart.std(ddof=1) / np.sqrt(len(apart))
    assert abs(apart.mean()) <= 4.0 * error + 2.0 / DIM


@every_keyed
def test_each_of_many_keys_makes_another_template(name: str) -> None:
    made = {fitted(name).protect(leaked.vectors[:3], key).tobytes() for key in range(30)}
    assert len(made) == 30


@every_keyless
def test_without_a_key_every_key_is_the_same(name: str) -> None:
    scheme = fitted(name)
    assert np.array_equal(scheme.protect(leaked.vectors, 0), scheme.protect(leaked.vectors, 7))


@every_scheme
def test_templates_under_keys_of_their_own_equal_one_key_at_a_time(name: str) -> None:
    scheme, keys = fitted(name), np.random.default_rng(3).integers(0, 4, len(leaked.vectors))
    made = scheme.protect_each(leaked.vectors, keys)
    for key in range(4):
        rows = keys == key
        assert np.array_equal(made[rows], scheme.protect(leaked.vectors[rows], key))
    assert scheme.protect_each(leaked.vectors[:0], keys[:0]).shape == (0, made.shape[1])


@every_scheme
def test_what_it_takes_in_a_database_is_told(name: str) -> None:
    assert isinstance(fitted(name).stored_bits, int)
    assert fitted(name).stored_bits > 0


@every_scheme
def test_templates_that_do_not_fit_are_refused_in_one_line(name: str) -> None:
    scheme, broken = fitted(name), leaked.vectors.copy()
    with pytest.raises(InputError, match=rf"^.*templates of {DIM} values, got \[240, 31\]$"):
        scheme.protect(broken[:, :-1], 0)
    with pytest.raises(InputError, match=r"got \[32\]$"):
        scheme.protect(broken[0], 0)
    broken[4, 2], broken[7, 0] = np.nan, np.inf
    with pytest.raises(InputError, match=r"^2 of 240 templates hold NaN.*row 4.*$"):
        scheme.protect(broken, 0)
    if SCHEMES.get(name).fit is ProtectionScheme.fit:
        return  # it learns nothing
    with pytest.raises(InputError, match="2 of 240 templates hold NaN"):
        make_scheme(name, SETTINGS.get(name, {}), DIM, "cosine").fit(
            Enrolled(broken, leaked.subjects, leaked.attributes)
        )


@every_scheme
def test_without_labels_it_works_or_says_that_it_needs_them(name: str) -> None:
    scheme = make_scheme(name, SETTINGS.get(name, {}), DIM, "cosine")
    fitted(name)  # skips where a package is missing
    said = ""
    try:
        scheme.fit(Enrolled(leaked.vectors, leaked.subjects))
    except NoLabelsError as error:
        said = str(error)
    assert "\n" not in said
    assert said or len(scheme.protect(leaked.vectors, 0)) == len(leaked.vectors)


@every_scheme
def test_an_unknown_setting_is_refused_with_the_nearest(name: str) -> None:
    for known in SCHEMES.get(name).Settings.model_fields:
        with pytest.raises(ConfigError, match=rf"'{name}' has no setting.*did you mean '{known}'"):
            make_scheme(name, {f"{known}_": 1}, DIM, "cosine")
    with pytest.raises(ConfigError, match=f"'{name}' has no setting 'zzzz'$"):
        make_scheme(name, {"zzzz": 1}, DIM, "cosine")


def test_an_unknown_scheme_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'biohash'.*known: .*iom-grp"):
        make_scheme("biohsh", {}, DIM, "cosine")


def test_a_variant_is_its_scheme_with_other_settings() -> None:
    variant = make_scheme("biohash:short", {"bits": 7}, DIM, "cosine")
    assert type(variant) is SCHEMES.get("biohash")
    assert variant.stored_bits == 7


def test_numbers_of_a_key_depend_on_the_scheme_the_key_and_the_parts() -> None:
    drawn = [
        key_stream(*of).standard_normal()
        for of in (("a", 1), ("a", 2), ("b", 1), ("a", 1, 2), ("a", 12), ("a", 1, "2", 3))
    ]
    assert len(set(drawn)) == len(drawn)
    assert key_stream("a", 1).standard_normal() == drawn[0]
    # Written down once, so that another machine or version of NumPy would be found out.
    assert key_stream("a", 1).integers(0, 1 << 62) == 1762880305068532190
    with pytest.raises(ValueError, match="whole number from 0, got -1"):
        key_stream("a", -1)
