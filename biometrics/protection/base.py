"""What a protection scheme is: it changes templates before they are stored, and says how the
changed ones are compared.

A scheme is built for templates of one length and one similarity, then learns what it must from
templates of the operator's own people (:meth:`ProtectionScheme.fit`), never from those that leak.
What is stored of a template x under a key k is ``protect(x, k)``. Protected templates are vectors
in which the cosine, or minus the distance, is the scheme's own score: a code of winners is stored
as small numbers, but is given here unrolled, so that everything that compares templates compares
protected ones too. :attr:`ProtectionScheme.stored_bits` says what one takes in a database.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from biometrics.errors import ConfigError, InputError, did_you_mean
from biometrics.metrics.scores import Similarity
from biometrics.registry import Registry
from biometrics.templates import check_finite

Vectors = NDArray[np.float32]
Keys = NDArray[np.int64]
"""A key is a whole number from 0: what a system draws at random for a user, or once for all."""

Family = Literal["none", "keyed", "reduction", "disentangling", "encryption"]
"""What a scheme rests on: a secret or revocable key, on keeping less, on separating attributes from
identity, or on computing with what is encrypted."""


class SchemeSettings(BaseModel):
    """Base of every scheme's own settings; unknown keys and infinite numbers are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Enrolled:
    """Templates of the operator's own people, from which a scheme may learn.

    Attributes:
        vectors: float32 [N, D].
        subjects: whose they are, text [N].
        attributes: by name, whether the picture of each template has it, bool [N]; empty where
            nobody labelled the pictures.
    """

    vectors: Vectors
    subjects: NDArray[np.str_]
    attributes: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)


class NoLabelsError(InputError):
    """A scheme cannot be measured here, since it needs labels that nobody gave."""


class ProtectionScheme(ABC):
    """Base of every scheme.

    Class attributes:
        family: what it rests on.
        keyed: whether the key changes what is stored.
        source: where its formula comes from.

    Args:
        settings: of the scheme.
        dim: D, numbers in a template.
        similarity: how unprotected templates are compared.
    """

    Settings: ClassVar[type[SchemeSettings]] = SchemeSettings
    family: ClassVar[Family]
    keyed: ClassVar[bool]
    source: ClassVar[str]

    def __init__(self, settings: SchemeSettings, dim: int, similarity: Similarity) -> None:
        self.settings, self.dim, self.similarity = settings, dim, similarity

    @property
    def comparator(self) -> Similarity:
        """How protected templates are compared; here as unprotected ones are."""
        return self.similarity

    @property
    @abstractmethod
    def stored_bits(self) -> int:
        """Bits that one protected template takes in a database, without its key."""

    def fit(self, people: Enrolled) -> Self:
        """Learn what depends on templates; nothing here.

        Raises:
            InputError: templates that do not fit.
            NoLabelsError: attributes are needed and none are there.
        """
        return self

    def protect(self, vectors: Vectors, key: int) -> Vectors:
        """Protected templates float32 [N, P] of templates [N, D] under one key.

        The same template under the same key gives the same bytes in any batch and any process.

        Raises:
            InputError: templates of another length, or that are not finite.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise InputError(
                f"the scheme was made for templates of {self.dim} values, got {list(vectors.shape)}"
            )
        check_finite(vectors)
        return self._protect(np.ascontiguousarray(vectors, dtype=np.float32), key)

    @abstractmethod
    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        """What :meth:`protect` gives for checked templates."""

    def protect_each(self, vectors: Vectors, keys: Keys) -> Vectors:
        """Protected templates [N, P], each under a key of its own [N]."""
        if not self.keyed or not len(keys):
            return self.protect(vectors, 0)
        parts = {int(key): np.flatnonzero(keys == key) for key in np.unique(keys)}
        found: Vectors | None = None
        for key, rows in parts.items():
            some = self.protect(vectors[rows], key)
            if found is None:
                found = np.empty((len(vectors), some.shape[1]), dtype=np.float32)
            found[rows] = some
        assert found is not None
        return found


class Centred(ProtectionScheme):
    """Base of schemes that look at the direction of a template.

    Templates of many models share a large common part, and directions taken from zero would hardly
    differ. So the mean of the operator's own people is taken off first, which a template's user
    never notices and an attacker with any faces of his own knows just as well.
    """

    mean: NDArray[np.float32]

    def __init__(self, settings: SchemeSettings, dim: int, similarity: Similarity) -> None:
        super().__init__(settings, dim, similarity)
        self.mean = np.zeros(dim, dtype=np.float32)

    def fit(self, people: Enrolled) -> Self:
        """Keep the mean of these templates."""
        check_finite(people.vectors)
        self.mean = people.vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        return self

    @property
    def comparator(self) -> Similarity:
        """The cosine: of directions, or of codes."""
        return "cosine"

    def directions(self, vectors: Vectors) -> NDArray[np.float64]:
        """Templates [N, D] less the mean, at length one; a zero row stays."""
        rows = vectors.astype(np.float64) - self.mean
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        found: NDArray[np.float64] = rows / np.where(length > 0.0, length, 1.0)
        return found


def key_stream(scheme: str, key: int, *parts: str | int) -> np.random.Generator:
    """Random numbers that depend on the scheme's name, the key and the parts alone: the same in any
    process and on any machine.

    Raises:
        ValueError: a key below zero.
    """
    if key < 0:
        raise ValueError(f"a key is a whole number from 0, got {key}")
    said = "\0".join(str(part) for part in (scheme, key, *parts))
    seed = int.from_bytes(hashlib.sha256(said.encode()).digest(), "big")
    return np.random.Generator(np.random.PCG64(seed))


SCHEMES: Registry[type[ProtectionScheme]] = Registry(
    "protection", group="faceleak.protections", builtin="biometrics.protection"
)
register_protection = SCHEMES.register


def scheme_class(name: str) -> type[ProtectionScheme]:
    """The scheme of that name, or of the name before its variant: ``noise:strong`` is ``noise``
    with other settings.

    Raises:
        UnknownNameError: no such scheme.
    """
    return SCHEMES.get(name if name in SCHEMES.names() else name.partition(":")[0])


def check_settings(name: str, values: Mapping[str, Any]) -> SchemeSettings:
    """The checked settings of a scheme.

    Raises:
        UnknownNameError: no such scheme.
        ConfigError: an unknown setting, with the nearest known one, or a value out of range.
    """
    model = scheme_class(name).Settings
    unknown = sorted(set(values) - set(model.model_fields))
    if unknown:
        hint = did_you_mean(unknown[0], model.model_fields)
        raise ConfigError(f"protection '{name}' has no setting '{unknown[0]}'{hint}")
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        said = f", setting '{where}'" if where else ""
        raise ConfigError(f"protection '{name}'{said}: {first['msg']}") from error


def make_scheme(
    name: str, values: Mapping[str, Any], dim: int, similarity: Similarity
) -> ProtectionScheme:
    """A scheme with these settings, not fitted yet; raises as :func:`check_settings`."""
    return scheme_class(name)(check_settings(name, values), dim, similarity)
