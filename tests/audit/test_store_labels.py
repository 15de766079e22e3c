"""Labels of a store's people: matched in memory, and strict."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import store_labels
from audit.store_labels import read_same, read_store_labels
from biometrics.errors import InputError

IDS = ["t1", "t2", "t3"]
SUBJECTS = ["7", "7", None]
NAMES = ["Zoë Á", "Zoë Á", None]


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "sex", "matched", "unknown"),
    [
        ("template_id,sex\nt1,f\nt3,m\n", ["f", None, "m"], 2, 0),
        ("sex,subject_id\nf,7\nm,8\n", ["f", "f", None], 2, 1),
        ("\ufeffname, sex\nZoë Á, f \n\nNobody,m\nNobody,m\n", ["f", "f", None], 2, 1),
        ("template_id,sex\nt1,\n", [None, None, None], 1, 0),
    ],
)
def test_labels_find_their_templates(
    tmp_path: Path, text: str, sex: list[str | None], matched: int, unknown: int
) -> None:
    found = read_store_labels(write(tmp_path, text), IDS, SUBJECTS, NAMES)
    assert found.values == {"sex": sex}
    assert (found.matched, found.unknown) == (matched, unknown)


def test_every_other_column_is_an_attribute(tmp_path: Path) -> None:
    path = write(tmp_path, 'age,name,glasses\n33,"Zoë Á","yes, dark"\n')
    found = read_store_labels(path, IDS, SUBJECTS, NAMES)
    assert found.values == {"age": ["33", "33", None], "glasses": ["yes, dark", "yes, dark", None]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sex\nf\n", "expected one column of template_id, subject_id, name; got none"),
        ("name,subject_id,sex\n", "got name and subject_id"),
        ("name\nSecret\n", "no column of an attribute"),
        ("name,sex\nSecret\n", "line 2: 1 values, the first line has 2 columns"),
        ("name,sex\nSecret,f\nSecret,m\n", "line 3 contradicts line 2"),
        ("name,sex\n,f\n", "line 2: name is missing"),
        ("name,sex,sex\n", "named twice"),
        ("name,\n", "one is empty"),
        ("", "one is empty"),
        (b"name,sex\nSecret \xff,f\n", "not UTF-8"),
        ('name,sex\n"Secret,f\n', "after line 1: unexpected end of data"),
        ("name,sex\nSecret," + "x" * 200_000 + "\n", "field larger"),
        ("name," + ",".join(map(str, range(70))) + "\n", "71 columns, at most 64"),
    ],
)
def test_a_bad_file_is_said_in_one_line_without_what_stands_in_it(
    tmp_path: Path, text: str | bytes, says: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_store_labels(write(tmp_path, text), IDS, SUBJECTS, NAMES)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Secret" not in str(caught.value)


def test_a_file_that_is_absent_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_store_labels(tmp_path / "none.csv", IDS, SUBJECTS, NAMES)
    monkeypatch.setattr(store_labels, "MOST_BYTES", 5)
    with pytest.raises(InputError, match="larger than"):
        read_store_labels(write(tmp_path, "name,sex\n"), IDS, SUBJECTS, NAMES)


def test_pairs_of_the_same_people_are_read_by_the_second(tmp_path: Path) -> None:
    path = write(tmp_path, "a_subject,b_subject\nann,1\nbob,2\nann,1\n")
    assert read_same(path) == {"1": "ann", "2": "bob"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n", "expected the two columns a_subject,b_subject"),
        ("a_subject,b_subject\nann,\n", "line 2: a subject is missing"),
        ("a_subject,b_subject\nann,1\nbob,1\n", "line 3: this subject was said to be somebody"),
        ("a_subject,b_subject\nann,1\nann,2\n", "line 3: this subject was said to be somebody"),
    ],
)
def test_pairs_that_contradict_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_same(write(tmp_path, text))


@given(st.binary(max_size=200))
def test_nothing_but_one_line_comes_else_comes_of_any_bytes(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = write(tmp_path_factory.mktemp("any"), b"name,sex\n" + data)
    with contextlib.suppress(InputError):
        assert read_store_labels(path, IDS, SUBJECTS, NAMES).matched >= 0
