"""A signed form for every store that is inverted."""

from __future__ import annotations

import datetime
import hashlib
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.authorisation import (
    FORM,
    PLACEHOLDERS,
    Authorisation,
    check_authorisation,
    needs_authorisation,
    read_form,
    write_form,
)
from audit.trained import invert_store
from audit.watch import Watch
from biometrics.errors import InputError, NotAuthorisedError
from biometrics.stores.limits import DEFAULT_LIMITS
from biometrics.stores.source import Source, open_source
from biometrics.templates import TemplateSet
from tests.attacks.kept import vectors
from tests.audit.conftest import Faceleak
from tests.audit.kept import sign, stored

TODAY = datetime.date(2026, 5, 4)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "leak" / "leaked.npy"
    path.parent.mkdir()
    np.save(path, vectors())
    return path


def opened(path: Path) -> Source:
    return open_source(str(path), DEFAULT_LIMITS)


def signed(store: Path) -> Path:
    return sign(store)


def check(store: Path, **given: object) -> Authorisation:
    return check_authorisation(opened(store), **given)  # type: ignore[arg-type]


def change(form: Path, old: str, new: str) -> None:
    text = form.read_text()
    assert old in text
    form.write_text(text.replace(old, new))


def test_a_form_is_filled_with_what_is_known(store: Path) -> None:
    form = write_form(opened(store), today=TODAY, owner="Ours: GmbH", until=TODAY + 9 * DAY)
    assert form == store.parent / FORM
    assert stat.S_IMODE(form.stat().st_mode) == 0o600
    found = read_form(form)
    assert found.sha256 == hashlib.sha256(store.read_bytes()).hexdigest()
    assert (found.store, found.owner, found.signed) == ("leaked.npy", "Ours: GmbH", False)
    assert (found.valid_from, found.valid_until) == (TODAY, TODAY + 9 * DAY)
    assert found.missing == ["purpose", "legal_basis", "authorised_by"]


def test_a_signed_form_is_accepted_from_its_first_day_to_its_last(store: Path) -> None:
    form = read_form(signed(store))
    for day in (form.valid_from, form.valid_until):
        assert check(store, today=day) == form
    with pytest.raises(NotAuthorisedError, match=f"not valid before {form.valid_from}"):
        check(store, today=form.valid_from - DAY)
    with pytest.raises(NotAuthorisedError, match=f"no longer valid since {form.valid_until}"):
        check(store, today=form.valid_until + DAY)


def test_no_form_is_exit_5_and_says_how_to_get_one(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotAuthorisedError, match=r"'faceleak authorize' writes one") as caught:
        check(store)
    assert caught.value.exit_code == 5
    with pytest.raises(NotAuthorisedError, match="cannot be read: No such file"):
        check(store, path=tmp_path / "nothing.yaml")


@pytest.mark.parametrize("field", PLACEHOLDERS)
@pytest.mark.parametrize("left", ['"<anything>"', '""', "' '", "", "~"])
def test_a_placeholder_that_is_left_is_named(store: Path, field: str, left: str) -> None:
    form = signed(store)
    lines = form.read_text().splitlines()
    form.write_text("\n".join(f"{field}: {left}" if x.startswith(field) else x for x in lines))
    with pytest.raises(NotAuthorisedError, match=f"'{field}' is not filled in"):
        check(store)


def test_only_a_signature_counts(store: Path) -> None:
    form = signed(store)
    change(form, "signed: yes", "signed: no")
    with pytest.raises(NotAuthorisedError, match="not signed"):
        check(store)
    change(form, "signed: no", 'signed: "yes"')
    with pytest.raises(NotAuthorisedError, match="'signed' must be yes or no"):
        check(store)
    change(form, 'signed: "yes"', "")
    with pytest.raises(NotAuthorisedError, match="'signed' is missing"):
        check(store)


def test_a_form_of_another_store_is_refused(store: Path) -> None:
    signed(store)
    np.save(store, vectors() + 1)
    with pytest.raises(NotAuthorisedError, match=r"made for another store.*sha256 differs"):
        check(store)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no form"),
        ("- a\n", "no form"),
        ("a: [", "not valid YAML"),
        ("store: x\nstore: y\n", "'store' is given twice"),
        ("note: x\n", "unknown key 'note'; known: store, sha256, owner"),
        ("1: x\n", "unknown key '1'"),
        ("? [a]\n: x\n", "not (readable as|valid) YAML"),
        ("store: x\n", "'sha256' is missing"),
        ("store: 1\n", "'store' must be text"),
        ("!!python/object/apply:os.system [id]\n", "not valid YAML"),
        ("[" * 20_000, "YAML"),
        ("a: 2026-99-99\n", "YAML"),
        ("x" * 70_000, "larger than 64 KiB"),
    ],
)
def test_what_is_no_form_is_one_line(store: Path, text: str, said: str) -> None:
    (store.parent / FORM).write_text(text)
    with pytest.raises(NotAuthorisedError, match=said) as caught:
        check(store)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["tomorrow", "2026-01-01 10:00:00", "1", "''"])
def test_dates_are_days(store: Path, value: str) -> None:
    form = signed(store)
    change(form, f"valid_until: {read_form(form).valid_until}", f"valid_until: {value}")
    with pytest.raises(NotAuthorisedError, match="'valid_until' must be a day, as 2026-12-31"):
        check(store)


def test_it_is_looked_for_beside_the_store_then_here(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    form = signed(store)
    form.rename(here / FORM)
    assert check(store).owner == "Us"
    (store.parent / FORM).write_text("note: x\n")
    with pytest.raises(NotAuthorisedError, match="unknown key"):
        check(store)
    assert check(store, path=here / FORM).owner == "Us"


def test_the_form_of_a_folder_lies_beside_it_and_not_within(store: Path) -> None:
    form = signed(store.parent)
    assert form == store.parent.parent / FORM
    assert check(store.parent).store == "leak"


def test_a_form_within_the_folder_holds_too_and_does_not_change_it(store: Path) -> None:
    before = opened(store.parent).sha256()
    form = signed(store.parent)
    form.rename(store.parent / FORM)
    assert check(store.parent).owner == "Us"
    assert opened(store.parent).sha256() == before
    (store.parent / "sub").mkdir()
    (store.parent / "sub" / FORM).write_text("not on top: a file like others")
    assert opened(store.parent).sha256() != before


def test_what_somebody_filled_in_is_never_overwritten(store: Path) -> None:
    form = write_form(opened(store))
    assert write_form(opened(store), owner="Us") == form, "nobody had touched it"
    before = form.read_bytes()
    for _ in range(2):
        with pytest.raises(InputError, match="is no untouched form; -o names another file"):
            write_form(opened(store), owner="Others")
        assert form.read_bytes() == before
        form.write_bytes(before := b"a letter")
    assert write_form(opened(store), form.with_name("other.yaml")).is_file()


def test_the_last_day_is_not_before_the_first(store: Path) -> None:
    with pytest.raises(InputError, match="lies before the first"):
        write_form(opened(store), today=TODAY, until=TODAY - DAY)
    with pytest.raises(InputError, match=r"cannot write .*-o names another"):
        write_form(opened(store), store.parent / "nothing" / FORM)


@pytest.mark.parametrize("text", ['quote " and \\', "a: b # c", "Zoë 😀", "yes", "2026-01-01"])
def test_any_text_comes_back_from_the_form(store: Path, text: str) -> None:
    assert read_form(write_form(opened(store), owner=text)).owner == text


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=20))
def test_what_cannot_be_shown_is_left_out_of_the_form(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    store = tmp_path_factory.mktemp("store") / "a.npy"
    store.write_bytes(b"x")
    owner = read_form(write_form(opened(store), owner=text)).owner
    shown = "".join(c for c in text if c.isprintable() or c.isspace())
    assert owner == (" ".join(shown.split()) or PLACEHOLDERS["owner"])


# --- what is exempt


def test_only_what_faceleak_wrote_needs_none(store: Path, tmp_path: Path) -> None:
    assert needs_authorisation(opened(store))
    assert needs_authorisation(opened(tmp_path))
    own = tmp_path / "own.parquet"
    table = pd.DataFrame({"template_id": list("abc"), "subject_id": list("xyz")})
    TemplateSet(vectors(), table, "dlib", False, "a test").save(own)
    assert not needs_authorisation(opened(own))
    content = own.read_bytes()
    own.write_bytes(content[:-9])
    assert needs_authorisation(opened(own)), "damaged"
    plain = pa.table({"x": [1]})
    for metadata in (
        None,
        {b"faceleak": b"{"},
        {b"faceleak": b"[]"},
        {b"faceleak": b'{"generator": "other"}'},
        {b"other": b'{"generator": "faceleak"}'},
    ):
        pq.write_table(plain.replace_schema_metadata(metadata), own)
        assert needs_authorisation(opened(own)), metadata


# --- inverting obeys it


def test_a_store_is_inverted_with_a_form_only(
    kept_attack: Path, tmp_path: Path, faceleak: Faceleak
) -> None:
    store = stored(tmp_path, vectors())
    form = store.parent / FORM
    elsewhere = form.rename(tmp_path / "signed.yaml")
    argv = ["invert", store, "--attack", kept_attack, "--out", "faces"]
    ended = faceleak(*argv)
    assert (ended.code, ended.out) == (5, "")
    assert "'faceleak authorize' writes one" in ended.error
    assert not Path("faces").exists()
    assert faceleak(*argv, "--authorization", elsewhere).code == 0


def test_own_templates_are_inverted_without_one(kept_attack: Path, tmp_path: Path) -> None:
    table = pd.DataFrame({"template_id": list("abc"), "subject_id": list("xyz")})
    TemplateSet(vectors(), table, "dlib", False, "a test").save(tmp_path / "own.parquet")
    done = invert_store(tmp_path / "own.parquet", kept_attack, tmp_path / "out", Watch.quiet())
    assert done.count == 3
