"""One template from several pictures of a person, the only one that is stored."""

from __future__ import annotations

from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from biometrics.aggregation import averages
from biometrics.metrics.pairs import group
from biometrics.protection.base import (
    Family,
    ProtectionScheme,
    SchemeSettings,
    Vectors,
    register_protection,
)


class AverageSettings(SchemeSettings):
    """How many pictures are averaged.

    Attributes:
        pictures: at most so many of a person.
    """

    pictures: Annotated[int, Field(ge=1)] = 5


class Members(NamedTuple):
    """What is averaged: row numbers of pictures, and the number of the average that each goes into,
    intp [M] each."""

    pictures: NDArray[np.intp]
    parts: NDArray[np.intp]


@register_protection("average")
class Average(ProtectionScheme):
    """The average of several pictures of a person, in which no single picture is kept.

    A scheme changes templates one by one, and a probe is one picture: :meth:`protect` leaves it as
    it is. What is stored comes from :meth:`enrol`, and whoever measures must call it on what is
    enrolled, never on the probes. Pictures that are averaged are no probes: compare what is stored
    with pictures that are not in it.
    """

    Settings = AverageSettings
    settings: AverageSettings
    family: ClassVar[Family] = "reduction"
    keyed: ClassVar[bool] = False
    source: ClassVar[str] = "averages as in biometrics.aggregation"

    @property
    def stored_bits(self) -> int:
        """Each number as float32."""
        return 32 * self.dim

    def enrol(self, vectors: Vectors, subjects: NDArray[np.str_]) -> Vectors:
        """What is stored of each person, once for each of the pictures given: float32 [N, D].

        Row i is the average of picture i and of those that follow it among the pictures of the same
        subject, in the order given and round from the last to the first, until there are
        ``pictures`` of them or no more. A subject with one picture keeps its template.

        Args:
            vectors: templates [N, D], of enrolled pictures only.
            subjects: whose they are [N].

        Raises:
            InputError: templates of another length, or that are not finite.
            ValueError: another number of subjects.
        """
        rows = self.protect(vectors, 0)
        if len(subjects) != len(rows):
            raise ValueError(f"{len(rows)} templates of {len(subjects)} subjects")
        if not len(rows):
            return rows
        members = self.members(subjects)
        return averages(rows[members.pictures], members.parts, self.similarity)

    def members(self, subjects: NDArray[np.str_]) -> Members:
        """Which pictures go into the template that is stored for each of those given [N]."""
        groups = group(subjects)
        start, count = groups.starts[groups.index], groups.counts[groups.index]
        place = np.empty(len(groups.order), dtype=np.intp)
        place[groups.order] = np.arange(len(place))
        taken = np.minimum(count, self.settings.pictures)
        parts = np.repeat(np.arange(len(place)), taken)
        ahead = np.arange(len(parts)) - np.repeat(np.cumsum(taken) - taken, taken)
        turn = (place[parts] - start[parts] + ahead) % count[parts]
        return Members(groups.order[start[parts] + turn], parts)

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        return vectors.copy()
