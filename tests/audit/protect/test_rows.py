"""The rates of attacks on protected systems, against loops over every comparison."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from attacks.preimage.base import preimages_of
from audit.config_values import SchemeChoice
from audit.protect import run as protect_run
from audit.protect.got_back import Choice, got_back, pre_image
from audit.protect.plan import Plan
from audit.protect.rows import Seen, attack_rows
from audit.protect.system import System
from audit.workbench import Made
from biometrics.metrics.verification import Threshold, nonmated_threshold
from reports.results import Measured, ProtectionResult, Results
from tests.audit.protect.small import SUBJECTS, run_small

FMR = "1e-2"
SCHEMES: list[Any] = [{"biohash": {"bits": 48}}, {"average": {"pictures": 2}}]


class Tried(NamedTuple):
    plan: Plan
    made: Made
    rows: list[ProtectionResult]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tried]:
    """What was tried on leaked templates, by slug."""
    found: dict[str, Tried] = {}
    plain = protect_run.attack_rows

    def watched(plan: Plan, made: Made, before: Seen | None) -> Seen:
        seen = plain(plan, made, before)
        found[plan.slug] = Tried(plan, made, seen.rows)
        return seen

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protect_run, "attack_rows", watched)
        run_small(tmp_path_factory.mktemp("rows"), SCHEMES, {"leaks": ["template"]})
    return found


def cosine(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    x, y = a.astype(np.float64), b.astype(np.float64)
    return float(np.float32(x @ y / (np.linalg.norm(x) * np.linalg.norm(y))))


def protected(system: System, vector: NDArray[np.float32], key: int) -> NDArray[np.float32]:
    return system.scheme.protect(vector[None], key)[0]


def threshold(system: System) -> float:
    (cut,) = [cut for cut in system.cuts if cut.label == FMR]
    assert cut.value is not None
    return cut.value


def mean_by_person(values: dict[str, list[bool]]) -> float:
    return float(np.mean([np.mean(some) for some in values.values()]))


@pytest.mark.parametrize("slug", ["biohash/pre-image-1", "biohash/by-key", "biohash/one-key"])
def test_rates_of_a_keyed_system_by_counting(tried: dict[str, Tried], slug: str) -> None:
    plan, made, rows = tried[slug]
    system, bench = plan.system, plan.system.bench
    (row,) = [row for row in rows if row.judged == "protected"]
    keys, cut = system.keys(bench.rows), threshold(system)
    vectors, names = made.vectors[bench.target], bench.names
    clean, leaked = bench.models.target_templates.vectors, bench.people.split.leaked
    one: dict[str, list[bool]] = {}
    two: dict[str, list[bool]] = {}
    genuine: dict[str, list[bool]] = {}
    renewed: dict[str, list[bool]] = {}
    strangers: dict[tuple[str, str], list[bool]] = {}
    for i, at in enumerate(bench.rows):
        name, key = names[at], int(keys[i])
        new = int(system.keys(bench.rows, system.renewed)[i])
        assert new != key
        ok, came = bool(made.detected[i]), protected(system, vectors[i], key)
        held = protected(system, clean[at], key)
        one.setdefault(name, []).append(ok and cosine(came, held) >= cut)
        after = cosine(protected(system, vectors[i], new), protected(system, clean[at], new))
        renewed.setdefault(name, []).append(ok and after >= cut)
        for other in leaked:
            if names[other] == name and other != at:
                seen = protected(system, clean[other], key)
                two.setdefault(name, []).append(ok and cosine(came, seen) >= cut)
                genuine.setdefault(name, []).append(cosine(held, seen) >= cut)
        for j, other in enumerate(bench.rows[::5]):
            if names[other] != name:
                theirs = int(keys[::5][j])
                hit = cosine(
                    protected(system, vectors[i], theirs), protected(system, clean[other], theirs)
                )
                strangers.setdefault((name, names[other]), []).append(ok and hit >= cut)
    told = {"type1": one, "type2": two, "type2_reference": genuine, "revoked_type1": renewed}
    for name, values in told.items():
        found = getattr(row, name)[FMR]
        if system.one_key and name == "revoked_type1":
            continue  # its threshold is that of one key, and says nothing of another
        assert isinstance(found, Measured)
        assert found.value == pytest.approx(mean_by_person(values), abs=1e-9), name
        assert found.n == SUBJECTS
    assert isinstance(row.reconstruction_fmr[FMR], Measured)
    if len(bench.rows) == len(bench.rows[::5]) * 5:  # a sample: it must not be far off
        sample = float(np.mean([np.mean(v) for v in strangers.values()]))
        assert row.reconstruction_fmr[FMR].value == pytest.approx(sample, abs=0.1)


def test_without_a_face_nothing_is_accepted(tried: dict[str, Tried]) -> None:
    plan, made, rows = tried["biohash/pre-image-1"]
    bench = plan.system.bench
    lost = np.arange(len(bench.rows)) % 3 == 0  # of three pictures of each person one
    points = made.redetected.copy()
    points[lost] = np.nan
    seen = attack_rows(plan, dataclasses.replace(made, redetected=points), None)
    for before, after in zip(rows, seen.rows, strict=True):
        assert after.n_failed == before.n_failed + int((lost & made.detected).sum())
        for name in ("type1", "type2", "revoked_type1", "reconstruction_fmr"):
            if name.startswith("revoked") and before.judged == "plain":
                continue
            had, has = getattr(before, name)[FMR], getattr(after, name)[FMR]
            assert isinstance(had, Measured)
            assert isinstance(has, Measured)
            assert has.value <= had.value
        first, then = before.type1[FMR], after.type1[FMR]
        assert isinstance(first, Measured)
        assert isinstance(then, Measured)
        assert then.value < first.value
        assert then.value <= 2 / 3 + 1e-9


def test_an_average_is_tried_with_pictures_that_are_not_in_it(tried: dict[str, Tried]) -> None:
    system = tried["average/pre-image-1"].plan.system
    bench, leaked = system.bench, system.bench.people.split.leaked
    clean = bench.models.target_templates.vectors
    pairs = system.stored.pairs
    assert len(pairs.first) == len(bench.rows)  # of three pictures two are averaged, one is left
    for i, j in zip(pairs.first, pairs.second, strict=True):
        own = [row for row in leaked if bench.names[row] == bench.names[bench.rows[i]]]
        rest = [row for row in own if row != leaked[j]]
        assert bench.rows[i] in rest
        assert len(rest) == 2
        unit = [clean[row] / np.linalg.norm(clean[row]) for row in rest]  # compared by the cosine
        mean = np.mean(unit, axis=0)
        assert cosine(system.stored.templates[i], mean.astype(np.float32)) > 0.9999


def test_averages_set_their_own_threshold(tried: dict[str, Tried]) -> None:
    """Averages of threshold people against single pictures of others, pair by pair."""
    system = tried["average/pre-image-1"].plan.system
    bench, clean = system.bench, system.bench.models.target_templates.vectors
    rows = bench.people.split.threshold
    names = bench.names[rows]
    units = clean[rows] / np.linalg.norm(clean[rows], axis=1, keepdims=True)
    places = {name: np.flatnonzero(names == name).tolist() for name in names}
    enrolled = np.empty_like(units)
    for some in places.values():
        for i, at in enumerate(some):
            following = [some[(i + step) % len(some)] for step in range(min(2, len(some)))]
            enrolled[at] = units[following].mean(axis=0)
    enrolled /= np.linalg.norm(enrolled, axis=1, keepdims=True)
    hits = enrolled @ units.T >= threshold(system)
    rates = [
        hits[np.ix_(mine, theirs)].mean()
        for one, mine in places.items()
        for two, theirs in places.items()
        if one != two
    ]
    assert 0.005 < np.mean(rates) <= 0.01
    plain = {cut.label: cut.value for cut in bench.judge(bench.target).cuts}
    assert threshold(system) != plain[FMR]


def test_plain_judges_see_an_average_with_pictures_that_are_not_in_it(
    tried: dict[str, Tried],
) -> None:
    plan, made, rows = tried["average/pre-image-1"]
    bench, leaked = plan.system.bench, plan.system.bench.people.split.leaked
    (row,) = [row for row in rows if row.judged == "plain"]
    cut = {cut.label: cut.value for cut in bench.judge(bench.target).cuts}[FMR]
    assert cut is not None
    clean, seen = bench.models.target_templates.vectors, made.vectors[bench.target]
    pairs = plan.system.stored.pairs
    found: dict[str, list[bool]] = {}
    for i, j in zip(pairs.first, pairs.second, strict=True):
        hit = bool(made.detected[i]) and cosine(seen[i], clean[leaked[j]]) >= cut
        found.setdefault(bench.names[bench.rows[i]], []).append(hit)
    told = row.type2[FMR]
    assert isinstance(told, Measured)
    assert told.value == pytest.approx(mean_by_person(found), abs=1e-9)


def test_the_threshold_without_protection_is_of_the_same_pictures(tried: dict[str, Tried]) -> None:
    bench = tried["biohash/pre-image-1"].plan.system.bench
    few = bench.sizes.model_copy(update={"threshold_pictures": 1})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "sizes", few)
        system = System(bench, SchemeChoice("biohash", {}))
        (found,) = [cut for cut in system.plain_cuts if cut.label == FMR]
    rows = bench.people.split.threshold
    _, first = np.unique(bench.names[rows], return_index=True)
    rows = rows[np.sort(first)]
    clean = bench.models.target_templates.vectors[rows]
    expected = nonmated_threshold(clean, bench.names[rows], "cosine", 1e-2)
    assert isinstance(expected, Threshold)
    assert found.value == expected.value
    (all_of_them,) = [cut for cut in bench.judge(bench.target).cuts if cut.label == FMR]
    assert found.value != all_of_them.value


def test_the_key_of_a_person_is_dealt_by_name(tried: dict[str, Tried]) -> None:
    system = tried["biohash/pre-image-1"].plan.system
    bench = system.bench
    keys = system.keys(bench.rows)
    for name in set(bench.names[bench.rows]):
        assert len(set(keys[bench.names[bench.rows] == name].tolist())) == 1
    assert len(set(keys.tolist())) > 1
    assert np.array_equal(system.keys(bench.rows[::-1]), keys[::-1])
    assert ((system.keys(bench.rows, 1) - keys) % system.n_keys == 1).all()


def test_differences_are_to_the_same_people_unprotected(tried: dict[str, Tried]) -> None:
    plain = {row.judged: row for row in tried["none/plain"].rows}
    for row in tried["biohash/pre-image-1"].rows:
        now, before = row.type1[FMR], plain[row.judged].type1[FMR]
        change = row.difference[FMR]
        assert isinstance(now, Measured)
        assert isinstance(before, Measured)
        assert isinstance(change, Measured)
        assert change.value == pytest.approx(now.value - before.value, abs=1e-9)


def test_the_strongest_pre_image_is_chosen_without_the_leaked_people(
    tried: dict[str, Tried],
) -> None:
    plan = tried["biohash/pre-image-1"].plan
    bench = plan.system.bench
    own = set(bench.names[bench.sample]) | set(bench.names[bench.rest])
    assert own == set(bench.names[bench.people.split.attacker])
    assert not set(bench.names[bench.sample]) & set(bench.names[bench.rest])
    assert not own & set(bench.names[bench.rows])
    assert "biohash:posterior" in plan.method


def test_what_was_got_back_is_that_of_the_attack_that_was_chosen(tried: dict[str, Tried]) -> None:
    """Another choice is another stage: what an earlier one got back is not taken for it."""
    system = tried["biohash/pre-image-1"].plan.system
    keys = system.keys(system.bench.rows)[:, None]
    found = []
    for name in sorted(preimages_of("biohash")):
        found.append(got_back(system, Choice(name, "", {}), 1))
        alone = pre_image(system, name).recover(system.stored.templates[:, None], keys)
        np.testing.assert_array_equal(found[-1], alone)
    assert len(found) > 1
    assert not np.allclose(found[0], found[1])


def test_results_hold_the_limits(tmp_path: Path) -> None:
    results: Results = run_small(
        tmp_path, [{"pca": {"keep": 4}}], {"leaks": ["template"], "gate": 0.2, "max_loss": 0.1}
    )
    limits = results.protection_limits
    assert limits is not None
    assert (limits.fmr, limits.max_sar, limits.max_loss) == (FMR, 0.2, 0.1)
