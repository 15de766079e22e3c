"""Templates without one attribute: who it is in one part, the attribute in another, and the latter
replaced by an average.

A classifier that was fitted on plain templates finds little afterwards. One that is fitted on what
is stored may find more: the split takes off what it knows of, and no more. So both are to be told
(:mod:`biometrics.protection.attribute_probe`). Nothing protects the identity: what is stored is a
template.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.covariance import ledoit_wolf

from biometrics.errors import ConfigError, InputError, did_you_mean
from biometrics.metrics.scores import Similarity
from biometrics.protection.base import (
    Enrolled,
    Family,
    NoLabelsError,
    ProtectionScheme,
    SchemeSettings,
    Vectors,
    register_protection,
)
from biometrics.protection.split_network import Code, Split, train
from biometrics.templates import check_finite

Part = Literal["keep", "average", "swap", "with", "without"]
"""What becomes of a part of the code: it stays; or it is replaced by the average of the two class
means, by the mean of the class that the template does not belong to, or by that of people with or
without the attribute."""

MIN_TEMPLATES = 20
"""Labelled templates of each value."""


class DisentangleSettings(SchemeSettings):
    """What is taken off, and how.

    Attributes:
        name: of the attribute; the first by name where there are several and none is named.
        attribute: what is stored in place of the attribute part.
        attribute_dims: numbers of the attribute part.
        steps: of training; 0 leaves the linear split.
        seed: of training.
    """

    name: str = ""
    attribute: Literal["average", "swap", "keep"] = "average"
    attribute_dims: Annotated[int, Field(ge=1, le=64)] = 8
    steps: Annotated[int, Field(ge=0, le=10_000)] = 100
    seed: Annotated[int, Field(ge=0)] = 0


@register_protection("disentangle")
class Disentangle(ProtectionScheme):
    """Identity and attribute of a template apart, after PFRNet; see
    :mod:`biometrics.protection.split_network`.

    Attributes:
        name: of the attribute that was learnt.
    """

    Settings = DisentangleSettings
    settings: DisentangleSettings
    family: ClassVar[Family] = "disentangling"
    keyed: ClassVar[bool] = False
    source: ClassVar[str] = "after B. Bortolato and others 2020, PFRNet"

    def __init__(self, settings: DisentangleSettings, dim: int, similarity: Similarity) -> None:
        super().__init__(settings, dim, similarity)
        self.name = settings.name
        self._mean = np.zeros(dim)
        self._split: Split | None = None

    @property
    def stored_bits(self) -> int:
        """Each number as float32."""
        return 32 * self.dim

    def fit(self, people: Enrolled) -> Self:
        """Train the split on these templates and their labels; the same on one machine each time.

        Raises:
            ConfigError: the settings name an attribute that nobody labelled.
            InputError: templates that are not finite, or of another length.
            NoLabelsError: no attribute is labelled, or too few templates have one of its values.
        """
        labels = self._labels(people)
        check_finite(people.vectors)
        if people.vectors.shape[1] != self.dim:
            raise InputError(
                f"the scheme was made for templates of {self.dim} values, got "
                f"{list(people.vectors.shape)}"
            )
        rows = people.vectors.astype(np.float64)
        self._mean = rows.mean(axis=0)
        variances, axes = np.linalg.eigh(ledoit_wolf(rows)[0])
        # A shrunk covariance is not singular, unless templates do not vary at all.
        spread = np.sqrt(np.maximum(variances, np.finfo(np.float32).tiny))
        self._to_round, self._from_round = (axes / spread).T.copy(), axes * spread
        found = self._round(people.vectors)
        self._split = train(
            found,
            labels,
            variances,
            attribute_dims=self.settings.attribute_dims,
            steps=self.settings.steps,
            seed=self.settings.seed,
        )
        code = self._split.encode(found)
        self._with, self._without = (
            Code(code.identity[some].mean(axis=0), code.attribute[some].mean(axis=0))
            for some in (labels, ~labels)
        )
        return self

    def _labels(self, people: Enrolled) -> NDArray[np.bool_]:
        known = people.attributes
        if not known:
            raise NoLabelsError("no attribute of the operator's people is labelled")
        if self.settings.name and self.settings.name not in known:
            hint = did_you_mean(self.settings.name, known)
            raise ConfigError(
                f"nobody labelled the attribute '{self.settings.name}'{hint}; labelled: "
                f"{', '.join(sorted(known))}"
            )
        self.name = self.settings.name or min(known)
        labels = np.asarray(known[self.name], dtype=np.bool_)
        if len(labels) != len(people.vectors):
            raise InputError(f"{len(people.vectors)} templates with {len(labels)} labels")
        least = int(min(labels.sum(), (~labels).sum()))
        if least < MIN_TEMPLATES:
            raise NoLabelsError(
                f"too few labels: {least} templates have one value of '{self.name}', "
                f"at least {MIN_TEMPLATES} are needed"
            )
        return labels

    def decode(
        self, vectors: Vectors, *, attribute: Part = "keep", identity: Part = "keep"
    ) -> Vectors:
        """Templates float32 [N, D] put together again after parts of their code were replaced, as
        in the probes of figure 17 of the Deep Face Decoder's paper (Križaj and others 2024).

        With both kept it is the reconstruction, whose difference from ``vectors`` is the error of
        the autoencoder. The class of a template for ``swap`` is the one that its attribute part
        says.

        Raises:
            InputError: the scheme was not fitted.
        """
        split = self._fitted()
        code = split.encode(self._round(vectors))
        told = split.says(code)
        parts = Code(
            *(
                self._replaced(part, now, told, *means)
                for part, now, *means in (
                    (identity, code.identity, self._with.identity, self._without.identity),
                    (attribute, code.attribute, self._with.attribute, self._without.attribute),
                )
            )
        )
        back: NDArray[np.float64] = np.einsum("ni,di->nd", split.decode(parts), self._from_round)
        found: Vectors = (back + self._mean).astype(np.float32)
        return found

    @staticmethod
    def _replaced(
        part: Part,
        now: NDArray[np.float64],
        told: NDArray[np.bool_],
        there: NDArray[np.float64],
        absent: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        if part == "keep":
            return now
        if part == "swap":
            return np.where(told[:, None], absent, there)
        mean = {"average": (there + absent) / 2.0, "with": there, "without": absent}[part]
        return np.broadcast_to(mean, now.shape)

    def _round(self, vectors: Vectors) -> NDArray[np.float64]:
        """In coordinates where the operator's people are spread alike in all directions."""
        rows = vectors.astype(np.float64) - self._mean
        found: NDArray[np.float64] = np.einsum("nd,id->ni", rows, self._to_round)
        return found

    def _fitted(self) -> Split:
        if self._split is None:
            raise InputError("the scheme 'disentangle' learns from labels: fit it first")
        return self._split

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        return self.decode(vectors, attribute=self.settings.attribute)
