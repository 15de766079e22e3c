"""Made-up people and every scheme fitted on them, for the tests that all schemes must pass; another
process makes the same."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from biometrics.errors import FaceleakError
from biometrics.protection.base import SCHEMES, Enrolled, ProtectionScheme, make_scheme

DIM, PEOPLE, PICTURES = 32, 60, 4
SETTINGS: dict[str, dict[str, Any]] = {
    "random-projection": {"length": 20},
    "biohash": {"bits": 48},
    "iom-grp": {"hashes": 64, "choices": 8},
    "iom-urp": {"hashes": 128, "window": 8, "products": 3},  # an even number would hide the sign
}
"""Where the usual settings are slow, or no setting at its limits would be tried."""


def crowd(seed: int, people: int = PEOPLE) -> Enrolled:
    """Templates of length one around a mean, four pictures of each person in a row, of numbers
    that go together; whether a picture has an attribute shows in the templates."""
    rng, shape = np.random.default_rng(seed), np.random.default_rng(77)
    spread = np.linalg.qr(shape.standard_normal((DIM, DIM)))[0] * np.arange(1, DIM + 1) ** -0.5
    centre, towards = 0.6 * shape.standard_normal((2, DIM))
    whose = np.repeat(np.arange(people), PICTURES)
    labels = {name: rng.random(len(whose)) < 0.5 for name in ("mouth-open", "smile")}
    rows = rng.standard_normal((people, DIM))[whose] + 0.3 * rng.standard_normal((len(whose), DIM))
    rows = rows @ spread.T + centre + 0.2 * labels["smile"][:, None] * towards
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    vectors.flags.writeable = False
    return Enrolled(vectors, np.array([f"s{i:03d}" for i in whose]), labels)


@cache
def fitted(name: str) -> ProtectionScheme:
    """A scheme that learnt from a crowd; skips where it needs a package that is not installed."""
    try:
        scheme = make_scheme(name, SETTINGS.get(name, {}), DIM, "cosine").fit(crowd(0))
        scheme.protect(crowd(1, 2).vectors, 0)
    except FaceleakError as error:
        if "faceleak[" not in str(error):
            raise
        pytest.skip(str(error))
    return scheme


def digests(names: list[str]) -> dict[str, str]:
    """By scheme, a digest of what it makes of some templates under two keys."""
    vectors = crowd(1, 5).vectors
    return {
        name: hashlib.sha256(
            b"".join(fitted(name).protect(vectors, key).tobytes() for key in (0, 41))
        ).hexdigest()
        for name in names
    }


def print_digests(names: str) -> None:
    """Of schemes named in JSON, in JSON."""
    print(json.dumps(digests(json.loads(names))))


def able() -> list[str]:
    """Schemes whose packages are installed."""
    found = []
    for name in SCHEMES.names():
        try:
            fitted(name)
        except pytest.skip.Exception:
            continue
        found.append(name)
    return found
