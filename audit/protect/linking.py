"""Whether protected templates under different keys can be told to be of one person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.estimates import estimate
from audit.protect.got_back import pre_image, strongest
from audit.protect.system import System
from biometrics.metrics.scores import paired_similarity
from biometrics.metrics.unlinkability import unlinkability
from biometrics.protection.base import Vectors
from reports.results import Knowledge, Linkage, Measured

FEWEST = 10
"""Mated scores below which nothing is said."""


def linkages(system: System) -> list[Linkage]:
    """By the scheme's own comparison, and for whoever has the keys by what is got back.

    Mated scores compare two pictures of a person, one under the first key of that person and one
    under the key of another enrolment; non-mated ones pictures of two people. One pair a person is
    mated, so that scores do not depend on each other by the person.
    """
    bench, leaked = system.bench, system.bench.people.split.leaked
    pairs = bench.others_of(bench.rows)
    _, first = np.unique(bench.names[bench.rows][pairs.first], return_index=True)
    if len(first) < FEWEST:
        return []
    a, b = bench.rows[pairs.first[first]], leaked[pairs.second[first]]
    strangers = _strangers(len(a), bench.sizes.strangers, bench.seed_of("strangers"))
    found = [_linkage(system, a, b, strangers, "scheme", "the scheme's own comparison")]
    if system.scheme.keyed and strongest(system, 1) is not None:
        found.append(
            _linkage(system, a, b, strangers, "all-keys", "templates got back with the keys")
        )
    return found


def _strangers(n: int, each: int, seed: int) -> NDArray[np.intp]:
    """Positions of other people for each of n, [n, at most ``each``]."""
    steps = np.random.default_rng(seed).permutation(np.arange(1, n))[: min(each, n - 1)]
    found: NDArray[np.intp] = (np.arange(n)[:, None] + steps) % n
    return found


def _linkage(
    system: System,
    a: NDArray[np.intp],
    b: NDArray[np.intp],
    strangers: NDArray[np.intp],
    knowledge: Knowledge,
    linker: str,
) -> Linkage:
    bench = system.bench
    place = system.renewed
    one, two = _held(system, a, 0), _held(system, b, place)
    kind = system.kind
    if knowledge == "all-keys":
        one, two = _got_back(system, one, a, 0), _got_back(system, two, b, place)
        kind = "cosine"
    mated = paired_similarity(one, two, kind)
    rows = np.repeat(np.arange(len(a)), strangers.shape[1])
    columns = strangers.ravel()
    differ = bench.names[a[rows]] != bench.names[b[columns]]
    if system.keyed:
        differ &= system.keys(a)[rows] != system.keys(b, place)[columns]
    other = paired_similarity(one[rows[differ]], two[columns[differ]], kind)
    told = unlinkability(
        mated,
        other,
        subjects=bench.names[a],
        non_mated_subjects=np.column_stack(
            [bench.names[a[rows[differ]]], bench.names[b[columns[differ]]]]
        ),
        seed=bench.seed,
    )
    chance = told.d_sys_chance
    return Linkage(
        linker=linker,
        knowledge=knowledge,
        d_sys=estimate(told.d_sys),
        null=Measured(value=chance.mean, low=chance.low, high=chance.high, n=len(mated)),
        maximal=estimate(told.maximal),
        bins=told.bins,
        mated=len(mated),
        non_mated=len(other),
        edges=[float(edge) for edge in told.edges],
        local=[float(value) for value in told.local],
        mated_share=[float(value) for value in told.mated_share],
        non_mated_share=[float(value) for value in told.non_mated_share],
    )


def _held(system: System, rows: NDArray[np.intp], place: int) -> Vectors:
    clean = system.bench.clean(system.bench.target, rows)
    return system.scheme.protect_each(clean, system.keys(rows, place))


def _got_back(system: System, protected: Vectors, rows: NDArray[np.intp], place: int) -> Vectors:
    """Directions less the mean of the templates that are got back, [N, D]."""
    choice = strongest(system, 1)
    assert choice is not None
    keys = system.keys(rows, place)[:, None]
    found = pre_image(system, choice.name).recover(protected[:, None], keys)
    return (found - system.bench.population.mean).astype(np.float32)
