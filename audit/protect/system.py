"""A system that stores protected templates: its scheme, whose key is whose, and its thresholds."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.config_values import SchemeChoice
from audit.judging import Cut
from audit.protect.bench import Workbench
from audit.split import unit_hash
from biometrics.metrics.intervals import Measured as Fact
from biometrics.metrics.intervals import (
    NotMeasured,
    mean_over_subjects,
    paired_difference,
    two_way,
)
from biometrics.metrics.keyed_intervals import (
    mean_over_subjects_and_keys,
    paired_difference_over_keys,
    two_way_over_keys,
)
from biometrics.metrics.keyed_verification import (
    acceptance_under_keys,
    genuine_key_threshold,
    stolen_key_threshold,
)
from biometrics.metrics.pairs import Groups, Pairs, group
from biometrics.metrics.scores import Similarity
from biometrics.metrics.verification import Threshold
from biometrics.protection.average import Average
from biometrics.protection.base import Enrolled, Keys, ProtectionScheme, Vectors, make_scheme

ROUNDS, TIMED = 5, 256
"""Of the measurement of a scheme's speed: rounds, and templates in each."""

Values = NDArray[np.float64]


class Speed(NamedTuple):
    """Microseconds to protect one template under a key that is at hand: median and rounds."""

    microseconds: float
    rounds: int


@dataclass(frozen=True)
class Stored:
    """What the system holds of the leaked rows.

    Attributes:
        templates: protected, under each person's key [N, P].
        plain: what was protected [N, D]: the template of the picture, or an average of several.
        pairs: every (row, other leaked picture of the same person) that was not averaged into it;
            positions in the leaked rows and in all leaked pictures.
    """

    templates: Vectors
    plain: Vectors
    pairs: Pairs


class System:
    """One scheme on one target.

    Attributes:
        bench: the target.
        choice: the scheme and its settings.
        scheme: fitted on the attacker's people: what an operator learns is known to everybody.
        n_keys: under how many keys templates lie; 1 where the scheme has none, or one for all.
    """

    def __init__(
        self,
        bench: Workbench,
        choice: SchemeChoice,
        *,
        one_key: bool = False,
        attributes: Mapping[str, NDArray[np.bool_]] | None = None,
    ) -> None:
        self.bench, self.choice, self.one_key = bench, choice, one_key
        attacker = bench.people.split.attacker
        vectors = bench.clean(bench.target, attacker)
        people = Enrolled(
            vectors,
            bench.names[attacker],
            {name: values[attacker] for name, values in (attributes or {}).items()},
        )
        kind = bench.models.target_similarity
        self.scheme: ProtectionScheme = make_scheme(
            choice.name, choice.settings, vectors.shape[1], kind
        ).fit(people)
        self.n_keys = bench.sizes.keys if self.scheme.keyed and not one_key else 1

    @property
    def kind(self) -> Similarity:
        """How protected templates are compared."""
        return self.scheme.comparator

    @property
    def keyed(self) -> bool:
        """Whether templates lie under several keys."""
        return self.n_keys > 1

    def keys(self, rows: NDArray[np.intp], place: int = 0) -> Keys:
        """The key of the person of each row; ``place`` counts this person's enrolments, each under
        another key."""
        if not self.scheme.keyed or self.one_key:
            return np.full(len(rows), place if self.scheme.keyed else 0, dtype=np.int64)
        seed = self.bench.config.seed
        names, index = np.unique(self.bench.names[rows], return_inverse=True)
        drawn = [int(unit_hash(n, purpose="key", seed=seed) * self.n_keys) for n in names]
        found: Keys = (np.array(drawn, dtype=np.int64)[index] + place) % self.n_keys
        return found

    @property
    def renewed(self) -> int:
        """The ``place`` of the key that everybody gets after the leak: of those that leak together
        it is none."""
        return 1 if self.one_key else self.n_keys - 1

    @functools.cached_property
    def stored(self) -> Stored:
        """What leaked."""
        bench, leaked = self.bench, self.bench.people.split.leaked
        rows = bench.rows
        plain, pairs = bench.clean(bench.target, rows), bench.others_of(rows)
        if isinstance(self.scheme, Average):
            names, places = bench.names[leaked], np.searchsorted(leaked, rows)
            plain = self.scheme.enrol(bench.clean(bench.target, leaked), names)[places]
            members, parts = self.scheme.members(names)
            code = places[pairs.first] * len(leaked) + pairs.second
            apart = ~np.isin(code, parts * len(leaked) + members)
            pairs = Pairs(pairs.first[apart], pairs.second[apart])
        return Stored(self.scheme.protect_each(plain, self.keys(rows)), plain, pairs)

    def again(self, place: int) -> Vectors:
        """The same templates protected under other keys [N, P]."""
        return self.scheme.protect_each(self.stored.plain, self.keys(self.bench.rows, place))

    def probes(self, place: int = 0) -> Vectors:
        """All leaked pictures as the system sees them when they come to it [M, P], under the key of
        their person."""
        leaked = self.bench.people.split.leaked
        clean = self.bench.clean(self.bench.target, leaked)
        return self.scheme.protect_each(clean, self.keys(leaked, place))

    @functools.cached_property
    def cuts(self) -> tuple[Cut, ...]:
        """Thresholds where an impostor has the victim's key."""
        rows = self.bench.people.split.threshold
        clean, groups = self.bench.clean(self.bench.target, rows), group(self.bench.names[rows])
        return self._cuts(
            lambda fmr: stolen_key_threshold(
                functools.partial(self.scheme.protect, clean),
                range(self.n_keys),
                groups,
                self.kind,
                fmr,
            )
        )

    @functools.cached_property
    def genuine_cuts(self) -> tuple[Cut, ...]:
        """Thresholds where everybody has a key of their own."""
        rows = self.bench.people.split.threshold
        groups, keys = group(self.bench.names[rows]), self.keys(rows)
        clean = self.bench.clean(self.bench.target, rows)
        owned = keys[groups.order[groups.starts]]
        known = (self.scheme.protect_each(clean, keys), groups, owned, self.kind)
        return self._cuts(lambda fmr: genuine_key_threshold(*known, fmr))

    def _cuts(self, find: Callable[[float], Threshold | NotMeasured]) -> tuple[Cut, ...]:
        cuts = []
        for fmr in self.bench.config.fmr:
            found = find(fmr.value)
            if isinstance(found, NotMeasured):
                cuts.append(Cut(fmr.label, None, found.reason))
            else:
                cuts.append(Cut(fmr.label, found.value))
        return tuple(cuts)

    def mean(self, values: Values, keys: Keys, *, rates: bool = True) -> Fact:
        """Mean over people of a value of each [S], whose keys are given [S]."""
        if not self.keyed:
            return mean_over_subjects(values, rates=rates, seed=self.bench.seed)
        return mean_over_subjects_and_keys(values, keys, rates=rates, seed=self.bench.seed)

    def difference(self, a: Values, b: Values, keys: Keys) -> Fact:
        """Paired difference of rates of the same people [S]."""
        if not self.keyed:
            return paired_difference(a, b, rates=True, seed=self.bench.seed)
        return paired_difference_over_keys(a, b, keys, rates=True, seed=self.bench.seed)

    def accepted_of_others(
        self, vectors: Vectors, threshold: float, usable: NDArray[np.bool_] | None = None
    ) -> Fact:
        """Share of probes [N, D], of the people of the leaked rows, that are accepted as somebody
        else under that person's key."""
        groups = group(self.bench.names[self.bench.rows])
        if groups.n_subjects < 2:
            return NotMeasured("there is only one leaked subject")
        keys = self.keys(self.bench.rows)
        bad = ~np.isfinite(vectors).all(axis=1)
        clean = np.where(bad[:, None], np.float32(0.0), vectors)
        usable = ~bad if usable is None else usable & ~bad
        rates = acceptance_under_keys(
            functools.partial(self.scheme.protect, clean),
            self.stored.templates,
            keys,
            groups,
            self.kind,
            threshold,
            usable,
        )
        if not self.keyed:
            return two_way(rates, rates=True, seed=self.bench.seed)
        return two_way_over_keys(
            rates, subject_keys(keys, groups), rates=True, seed=self.bench.seed
        )

    def speed(self) -> Speed:
        """How long it takes to protect a template."""
        some = self.bench.clean(self.bench.target, self.bench.people.split.attacker[:TIMED])
        self.scheme.protect(some, 0)  # what belongs to the key is made once
        taken = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            self.scheme.protect(some, 0)
            taken.append((time.perf_counter() - start) / len(some) * 1e6)
        return Speed(float(np.median(taken)), ROUNDS)

    def record(self) -> dict[str, Any]:
        """What a protected template depends on besides the template, as JSON."""
        settings = self.scheme.settings.model_dump(mode="json")
        return {"scheme": self.choice.name, "settings": settings, "keys": self.n_keys}


def subject_keys(keys: Keys, groups: Groups) -> Keys:
    """The key of each person, in the order of the groups' numbers [S]."""
    found: Keys = keys[groups.order[groups.starts]]
    return found
