"""A system that stores protected templates: its scheme, whose key is whose, and its thresholds."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.config_values import Fmr, SchemeChoice
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
    stolen_key_thresholds,
)
from biometrics.metrics.pairs import Groups, Pairs, group
from biometrics.metrics.scores import Similarity
from biometrics.metrics.verification import (
    Threshold,
    enrolled_blocks,
    nonmated_threshold,
    threshold_of_blocks,
)
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
        self._probes: dict[int, Vectors] = {}

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

    def keys_of(self, n: int) -> Keys:
        """The keys of n people whom a rate was measured of: all, or those with another picture."""
        groups = group(self.bench.names[self.bench.rows])
        keys = subject_keys(self.keys(self.bench.rows), groups)
        if n == len(keys):
            return keys
        return keys[np.unique(groups.index[self.stored.pairs.first])]

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
        their person; kept, since every attack is compared with them."""
        if place not in self._probes:
            leaked = self.bench.people.split.leaked
            clean = self.bench.clean(self.bench.target, leaked)
            self._probes[place] = self.scheme.protect_each(clean, self.keys(leaked, place))
        return self._probes[place]

    @functools.cached_property
    def cuts(self) -> tuple[Cut, ...]:
        """Thresholds where an impostor has the victim's key."""
        rows, fmrs = self._threshold_rows(), [fmr.value for fmr in self._fmrs]
        clean, names = self.bench.clean(self.bench.target, rows), self.bench.names[rows]
        groups = group(names)
        found: list[Threshold | NotMeasured]
        if isinstance(self.scheme, Average):
            both = self.scheme.enrol(clean, names), clean
            blocks = functools.partial(enrolled_blocks, *both, groups, self.kind)
            found = [threshold_of_blocks(blocks, both, groups.n_subject_pairs, fmr) for fmr in fmrs]
        else:
            protect = functools.partial(self.scheme.protect, clean)
            found = stolen_key_thresholds(protect, range(self.n_keys), groups, self.kind, fmrs)
        return tuple(_cut(fmr, one) for fmr, one in zip(self._fmrs, found, strict=True))

    @functools.cached_property
    def plain_cuts(self) -> tuple[Cut, ...]:
        """Thresholds without protection, set by the same pictures as those with it."""
        rows = self._threshold_rows()
        if len(rows) == len(self.bench.people.split.threshold):
            return tuple(self.bench.judge(self.bench.target).cuts)
        known = self.bench.clean(self.bench.target, rows), self.bench.names[rows]
        kind = self.bench.models.target_similarity
        return tuple(_cut(fmr, nonmated_threshold(*known, kind, fmr.value)) for fmr in self._fmrs)

    @functools.cached_property
    def genuine_cuts(self) -> tuple[Cut, ...]:
        """Thresholds where everybody has a key of their own."""
        rows = self._threshold_rows()
        groups, keys = group(self.bench.names[rows]), self.keys(rows)
        clean = self.bench.clean(self.bench.target, rows)
        known = (self.scheme.protect_each(clean, keys), groups, subject_keys(keys, groups))
        return tuple(
            _cut(fmr, genuine_key_threshold(*known, self.kind, fmr.value)) for fmr in self._fmrs
        )

    @property
    def _fmrs(self) -> tuple[Fmr, ...]:
        return self.bench.config.fmr

    def _threshold_rows(self) -> NDArray[np.intp]:
        """Pictures of the threshold people; fewer of each where all are tried under many keys."""
        rows, most = self.bench.people.split.threshold, self.bench.sizes.threshold_pictures
        if most is None or not self.keyed:
            return rows
        groups = group(self.bench.names[rows])
        place = np.empty(len(rows), dtype=np.intp)
        place[groups.order] = np.arange(len(rows)) - np.repeat(groups.starts, groups.counts)
        return rows[place < most]

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
        self, vectors: Vectors, usable: NDArray[np.bool_] | None = None
    ) -> dict[str, Fact]:
        """Share of probes [N, D], of the people of the leaked rows, that are accepted as somebody
        else under that person's key; by FMR, where there is a threshold."""
        groups = group(self.bench.names[self.bench.rows])
        cuts = {cut.label: cut.value for cut in self.cuts if cut.value is not None}
        if groups.n_subjects < 2:
            return dict.fromkeys(cuts, NotMeasured("there is only one leaked subject"))
        keys, seed = self.keys(self.bench.rows), self.bench.seed
        rates = acceptance_under_keys(
            functools.partial(self.scheme.protect, vectors),
            self.stored.templates,
            keys,
            groups,
            self.kind,
            list(cuts.values()),
            usable,
        )
        if not self.keyed:
            found = [two_way(one, rates=True, seed=seed) for one in rates]
        else:
            owned = subject_keys(keys, groups)
            found = [two_way_over_keys(one, owned, rates=True, seed=seed) for one in rates]
        return dict(zip(cuts, found, strict=True))

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


def _cut(fmr: Fmr, found: Threshold | NotMeasured) -> Cut:
    if isinstance(found, NotMeasured):
        return Cut(fmr.label, None, found.reason)
    return Cut(fmr.label, found.value)
