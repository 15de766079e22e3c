"""Folders of files, pictures without templates, and files that nobody reads."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from biometrics.errors import StoreError
from biometrics.stores.base import open_store
from tests.biometrics.stores import readers_files as files

MADE = files.people()
PICTURE = b"\xff\xd8\xff\xe0" + bytes(60)
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(40)


def read(path):
    with open_store(str(path)) as store:
        batches = list(store.batches())
        columns = ("template_id", "subject_id", "name")
        texts = {c: [text for batch in batches for text in batch.texts(c)] for c in columns}
        vectors = np.concatenate([batch.vectors for batch in batches]) if batches else None
        return vectors, texts, store, [batch.collection for batch in batches]


@pytest.mark.parametrize("layout", ["{name}/{i}.npy", "{name}_{i:04d}.npy", "a/{name}/{i}.npy"])
def test_a_file_a_face_is_of_the_person_that_its_path_says(layout, tmp_path):
    for i, person in enumerate(MADE.person):
        path = tmp_path / layout.format(name=f"P{person} O'Neil", i=i)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, MADE.vectors[i])
    (tmp_path / "README.md").write_text("templates of people")
    vectors, texts, store, found = read(tmp_path)
    assert np.array_equal(vectors, MADE.vectors)
    assert texts["subject_id"] == texts["name"] == [f"P{p} O'Neil" for p in MADE.person]
    assert [one.name for one in found] == ["*.npy"]
    assert "O'Neil" not in repr((store.facts, found, texts["template_id"]))
    assert len(set(texts["template_id"])) == 16
    assert store.facts.rows == {"files": 16}


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("names.csv", "id,name\n" + "".join(f"t{i},N{i}\n" for i in range(16)), True),
        ("names.txt", "".join(f"N{i}\n" for i in range(16)), True),
        ("ids.csv", "template_id;person_id\n" + "".join(f"t{i};N{i}\n" for i in range(16)), False),
    ],
)
def test_a_list_beside_one_array_says_whose_its_rows_are(name, text, named, tmp_path):
    np.save(tmp_path / "embeddings.npy", MADE.vectors)
    (tmp_path / name).write_text(text)
    vectors, texts, _, _ = read(tmp_path)
    assert np.array_equal(vectors, MADE.vectors)
    assert texts["subject_id"] == [f"N{i}" for i in range(16)]
    assert texts["name"] == (texts["subject_id"] if named else [None] * 16)


@pytest.mark.parametrize("labels", [MADE.person, np.array(files.subjects(MADE))])
def test_an_array_of_labels_beside_one_of_templates(labels, tmp_path):
    np.save(tmp_path / "X.npy", MADE.vectors)
    np.save(tmp_path / "labels.npy", labels)
    vectors, texts, store, _ = read(tmp_path)
    assert np.array_equal(vectors, MADE.vectors)
    assert texts["subject_id"] == list(map(str, labels))
    assert store.tally.lost == 0


def test_forms_are_mixed_and_damaged_files_are_counted(tmp_path):
    (tmp_path / "a.npy").write_bytes(files.npy(MADE.vectors))
    (tmp_path / "b.csv").write_bytes(files.csv_columns(MADE))
    (tmp_path / "c.jsonl").write_bytes(files.jsonl(MADE))
    (tmp_path / "d.npy").write_bytes(b"\x93NUMPY\x01\x00damaged")
    (tmp_path / "e.gz").write_bytes(b"\x1f\x8bdamaged")
    (tmp_path / "f.jpg").write_bytes(PICTURE)
    (tmp_path / "model.pt").write_bytes(zipped("archive/data.pkl"))  # no store, and no loss
    vectors, texts, store, _ = read(tmp_path)
    assert np.array_equal(vectors, np.tile(MADE.vectors, (3, 1)))
    assert len(set(texts["template_id"])) == 48
    assert store.tally.unreadable == {"a file is damaged": 2}
    assert store.facts.pictures == {"files": 1}
    assert store.facts.form == "folder"


def test_pictures_alone_are_counted_and_give_no_templates(tmp_path):
    for name in ("Ann", "Bob"):
        (tmp_path / "clips/faces" / name).mkdir(parents=True)
        for i in range(3):
            (tmp_path / "clips/faces" / name / f"{i}.webp").write_bytes(WEBP)
    (tmp_path / "config.yml").write_text("a: 1\n")
    vectors, _, store, _ = read(tmp_path)
    assert vectors is None
    facts = store.facts
    assert facts.product == "pictures-only"
    assert facts.pictures == {"files": 6, "people": 2}
    assert "audit these as faces" in facts.notes[0]
    assert "Ann" not in repr(facts)
    assert read(tmp_path / "clips/faces/Ann/0.webp")[2].facts.pictures == {"files": 1}


def zipped(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr(name, b"x")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is empty"),
        (b"PGDMP\x01\x0e", "PostgreSQL dump in the custom form: .* pg_restore -f -"),
        (b"BZh91AY", "bzip2: unpack it first"),
        (b"\xfd7zXZ\x00", "xz: unpack it first"),
        (b"\x28\xb5\x2f\xfd", "zstd: unpack it first"),
        (b"7z\xbc\xaf\x27\x1c", "7z archive: unpack it first"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"Salted__12345678", "it is encrypted"),
        (b"age-encryption.org/v1\n", "it is encrypted"),
        (b"PAREPARE", "it is encrypted"),
        (zipped("word/document.xml"), "zip archive: unpack it first"),
        (zipped("archive/data.pkl"), "PyTorch file: save its tensors as safetensors first"),
        (bytes(257) + b"ustar\x00", "tar archive"),
        (b"Dear Ann\nhow are you\n", "it is text without templates"),
        (b"a,b\n1,2\n", "without columns of templates"),
        (bytes(range(100, 256)), "its form is not known"),
    ],
)
def test_what_nobody_reads_is_named_in_one_line(data, said, tmp_path):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(StoreError, match=f"^a holds no templates that can be read: .*{said}"):
        open_store(str(tmp_path / "a"))


def test_an_empty_folder_says_so(tmp_path):
    with pytest.raises(StoreError, match="it is an empty folder"):
        open_store(str(tmp_path))
