"""Who plays which role: by a keyed hash of the name alone."""

from __future__ import annotations

import hashlib
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.split import (
    MAX_PICTURES,
    Role,
    attacker_folder_role,
    most_pictured,
    quick_subjects,
    role_of,
    split_rows,
    unit_hash,
)
from biometrics.errors import InputError

NAMES = [f"person {number}" for number in range(4000)]


def share(role: str, *, seed: int) -> float:
    return sum(role_of(name, seed=seed) == role for name in NAMES) / len(NAMES)


def test_the_hash_is_the_first_eight_bytes_of_a_keyed_blake2b() -> None:
    """By hand: ed1f7465af5d8b24 is 0.926 of 2^64, at or above 0.80, so he is leaked."""
    digest = hashlib.blake2b(b"Aaron_Eckhart", key=b"split:7", digest_size=8).hexdigest()
    assert digest == "ed1f7465af5d8b24"
    position = unit_hash("Aaron_Eckhart", purpose="split", seed=7)
    assert position == 0xED1F7465AF5D8B24 / 2**64
    assert position == pytest.approx(0.9262612)
    assert role_of("Aaron_Eckhart", seed=7) == "leaked"


def test_known_people_keep_their_roles() -> None:
    """Golden: a change would move people of published audits from one set to another."""
    roles = {
        "George_W_Bush": "attacker",
        "Colin_Powell": "threshold",
        "Zico": "attacker",
        "Jack_Straw": "attacker",
    }
    assert {name: role_of(name, seed=7) for name in roles} == roles


@pytest.mark.parametrize(("role", "p"), [("attacker", 0.64), ("threshold", 0.16), ("leaked", 0.2)])
@pytest.mark.parametrize("seed", [0, 7])
def test_shares_are_binomial(role: str, p: float, seed: int) -> None:
    sigma = (p * (1 - p) / len(NAMES)) ** 0.5
    assert abs(share(role, seed=seed) - p) < 4 * sigma


def test_of_the_attackers_own_folder_a_fifth_sets_thresholds() -> None:
    roles = [attacker_folder_role(name, seed=7) for name in NAMES]
    assert set(roles) == {"attacker", "threshold"}
    assert abs(roles.count("threshold") / len(NAMES) - 0.2) < 4 * (0.16 / len(NAMES)) ** 0.5


def test_another_seed_gives_another_split() -> None:
    same = sum(role_of(name, seed=1) == role_of(name, seed=2) for name in NAMES) / len(NAMES)
    assert abs(same - (0.64**2 + 0.16**2 + 0.2**2)) < 0.05


def test_quick_takes_a_quarter_that_is_independent_of_the_roles() -> None:
    chosen = quick_subjects(NAMES, seed=7)
    assert abs(len(chosen) / len(NAMES) - 0.25) < 4 * (0.25 * 0.75 / len(NAMES)) ** 0.5
    leaked = [name for name in chosen if role_of(name, seed=7) == "leaked"]
    assert abs(len(leaked) / len(chosen) - 0.2) < 4 * (0.16 / len(chosen)) ** 0.5
    assert quick_subjects(NAMES[:100], seed=7) == chosen & set(NAMES[:100])


def test_a_name_need_not_be_utf8() -> None:
    assert 0 <= unit_hash("Andr\udce9", purpose="split", seed=7) < 1


def rows_of(subjects: list[str], seed: int = 7) -> dict[str, list[int]]:
    roles = {name: role_of(name, seed=seed) for name in subjects}
    split = split_rows(subjects, roles)
    return {role: getattr(split, role).tolist() for role in get_args(Role)}


def test_at_most_ten_pictures_of_those_who_are_judged() -> None:
    subjects = [name for name in NAMES[:60] for _ in range(MAX_PICTURES + 3)]
    rows = rows_of(subjects)
    for role in ("threshold", "leaked"):
        counts = np.unique([subjects[i] for i in rows[role]], return_counts=True)[1]
        assert set(counts) == {10}
    attackers = np.unique([subjects[i] for i in rows["attacker"]], return_counts=True)[1]
    assert set(attackers) == {13}
    judged = {subjects[i] for i in rows["threshold"] + rows["leaked"]}
    assert len(rows["capped"]) == 3 * len(judged)


pictures = st.lists(st.integers(1, 14), min_size=60, max_size=80)


@settings(max_examples=30, deadline=None)
@given(pictures, st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
def test_sets_share_nobody_and_lose_no_picture(
    counts: list[int], seed: int, random: object
) -> None:
    subjects = [NAMES[i] for i, count in enumerate(counts) for _ in range(count)]
    random.shuffle(subjects)  # type: ignore[attr-defined]
    rows = rows_of(subjects, seed)
    assert sorted(i for found in rows.values() for i in found) == list(range(len(subjects)))
    people = {role: {subjects[i] for i in rows[role]} for role in rows}
    assert not people["attacker"] & people["threshold"]
    assert not people["attacker"] & people["leaked"]
    assert not people["threshold"] & people["leaked"]
    assert not people["attacker"] & people["capped"]


@settings(max_examples=30, deadline=None)
@given(st.permutations(NAMES[:80]), st.integers(60, 80))
def test_a_role_depends_on_nobody_else_and_on_no_order(names: list[str], kept: int) -> None:
    subjects = [name for name in names for _ in range(3)][: 3 * kept]
    rows = rows_of(subjects)
    for role, found in rows.items():
        assert {role_of(subjects[i], seed=7) for i in found} <= {role}


def test_the_key_tells_splits_apart() -> None:
    subjects = [name for name in NAMES[:80] for _ in range(2)]
    roles = {name: role_of(name, seed=7) for name in subjects}
    moved = {**roles, subjects[0]: "leaked" if roles[subjects[0]] != "leaked" else "attacker"}
    one, same = split_rows(subjects, roles), split_rows(subjects, roles)
    assert one.key == same.key
    assert one.key != split_rows(subjects, moved).key  # type: ignore[arg-type]


@pytest.mark.parametrize("absent", ["attacker", "threshold", "leaked"])
def test_a_set_without_people_is_refused_with_the_counts(absent: str) -> None:
    subjects = [name for name in NAMES[:80] if role_of(name, seed=7) != absent]
    with pytest.raises(
        InputError, match=rf"too few people: {len(subjects)} subjects .* 0 {absent}"
    ):
        rows_of(subjects)


counts_of_people = st.dictionaries(st.sampled_from(NAMES[:40]), st.integers(1, 6), min_size=1)


@settings(max_examples=60, deadline=None)
@given(counts_of_people, st.integers(0, 45), st.randoms(use_true_random=False))
def test_nobody_who_is_left_out_has_more_pictures(
    counts: dict[str, int], wanted: int, random: object
) -> None:
    most = most_pictured(counts, wanted)
    assert len(most) == len(set(most)) == min(wanted, len(counts))
    rest = set(counts) - set(most)
    for name in most:
        assert all((counts[name], other) > (counts[other], name) for other in rest)
    shuffled = list(counts.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert most_pictured(dict(shuffled), wanted) == most
