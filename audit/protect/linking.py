"""Whether protected templates under different keys can be told to be of one person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.estimates import estimate
from audit.protect.got_back import Choice, got_back, pre_image, strongest
from audit.protect.system import System
from biometrics.metrics.pairs import Pairs
from biometrics.metrics.scores import paired_similarity
from biometrics.metrics.unlinkability import Chance, unlinkability
from biometrics.protection.base import Keys
from reports.results import Knowledge, Linkage, Measured

FEWEST = 10
"""Mated scores below which nothing is said."""


def linkages(system: System) -> list[Linkage]:
    """By the scheme's own comparison, and for whoever has the keys by what is got back.

    Mated scores compare two pictures of a person, one as it is stored under the first key of that
    person and one under the key of another enrolment; non-mated ones pictures of two people who
    have the same two keys, so that nothing but the person differs. One pair a person is mated, so
    that scores do not depend on each other by the person.
    """
    bench, leaked, pairs = system.bench, system.bench.people.split.leaked, system.stored.pairs
    _, first = np.unique(bench.names[bench.rows][pairs.first], return_index=True)
    held, b = pairs.first[first], leaked[pairs.second[first]]
    keys = system.keys(bench.rows[held])
    strangers = _strangers(keys, bench.sizes.strangers, bench.seed_of("strangers"))
    if len(held) < FEWEST or not len(strangers.first):
        return []
    if system.scheme.family == "encryption":
        # Without the key there are no scores to link by; with it they are those of plain templates.
        return [_linkage(system, held, b, strangers, "key", "scores of decrypted templates")]
    found = [_linkage(system, held, b, strangers, "scheme", "the scheme's own comparison")]
    if system.scheme.keyed and (choice := strongest(system, 1)) is not None:
        said = "templates got back with the keys"
        found.append(_linkage(system, held, b, strangers, "all-keys", said, choice))
    return found


def _strangers(keys: Keys, each: int, seed: int) -> Pairs:
    """Positions of each of n people and of at most ``each`` others with the same key."""
    rng, first, second = np.random.default_rng(seed), [], []
    for key in np.unique(keys):
        people = rng.permutation(np.flatnonzero(keys == key))
        for step in range(1, min(each, len(people) - 1) + 1):
            first.append(people)
            second.append(np.roll(people, step))
    if not first:
        return Pairs(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp))
    return Pairs(np.concatenate(first), np.concatenate(second))


def _linkage(
    system: System,
    held: NDArray[np.intp],
    b: NDArray[np.intp],
    strangers: Pairs,
    knowledge: Knowledge,
    linker: str,
    choice: Choice | None = None,
) -> Linkage:
    bench = system.bench
    a, place = bench.rows[held], system.renewed
    clean = bench.clean(bench.target, b)
    one = system.stored.templates[held]
    two = system.scheme.protect_each(clean, system.keys(b, place))
    kind = system.kind
    if choice is not None:
        again = pre_image(system, choice.name).recover(two[:, None], system.keys(b, place)[:, None])
        mean = bench.population.mean
        one, two = (
            (x - mean).astype(np.float32) for x in (got_back(system, choice, 1)[held], again)
        )
        kind = "cosine"
    mated = paired_similarity(one, two, kind)
    other = paired_similarity(one[strangers.first], two[strangers.second], kind)
    names = bench.names[a]
    told = unlinkability(
        mated,
        other,
        subjects=names,
        non_mated_subjects=np.column_stack([names[strangers.first], names[strangers.second]]),
        seed=bench.seed,
    )
    return Linkage(
        linker=linker,
        knowledge=knowledge,
        d_sys=estimate(told.d_sys),
        null=_chance(told.d_sys_chance, len(mated)),
        maximal=estimate(told.maximal),
        maximal_null=_chance(told.maximal_chance, len(mated)),
        bins=told.bins,
        mated=len(mated),
        non_mated=len(other),
        edges=[float(edge) for edge in told.edges],
        local=[float(value) for value in told.local],
        mated_share=[float(value) for value in told.mated_share],
        non_mated_share=[float(value) for value in told.non_mated_share],
    )


def _chance(found: Chance, n: int) -> Measured:
    return Measured(value=found.mean, low=found.low, high=found.high, n=n)
