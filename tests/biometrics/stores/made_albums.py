"""Kinds of store of photo albums, and DeepStack: PhotoPrism, LibrePhotos, Nextcloud, digiKam;
tables as the facts on these products describe them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.biometrics.stores.made import MadePeople, MadeTable, dlib_people, drawn_people
from tests.biometrics.stores.made_product import (
    CROP,
    Built,
    MadeTruth,
    as_json,
    made,
    means_of,
    of_people,
    qt_compressed,
    truth_of,
)

Row = tuple[Any, ...]


@made("photoprism", "mysql", "sqlite")
def photoprism() -> Built:
    return photoprism_of(drawn_people(512, norm=1.0))


def photoprism_of(people: MadePeople) -> Built:
    """Markers of faces and of labels; one marker holds two templates, one none."""
    subjects = of_people(people)
    rows: list[Row] = []
    for i, subject in enumerate(subjects[:-1]):
        vectors = [as_json(people.vectors[i])]
        if i == len(subjects) - 2:  # the last marker holds the last two templates
            vectors.append(as_json(people.vectors[i + 1]))
        owner = "" if subject is None else f"js6sg6b2h8njw0{int(subject):02d}"
        content = f"[{','.join(vectors)}]".encode()
        rows.append(
            (f"ms6sg6b1wowuy{i:03d}", "fs6sg6bw45bn000", "face", "image", owner, content, 0.5)
        )
    rows.append(("ms6sg6b1wowuz000", "fs6sg6bw45bn000", "face", "manual", "", None, 0.5))
    label = f"[{as_json(people.vectors[0])}]".encode()
    rows.append(("ms6sg6b1wowuz001", "fs6sg6bw45bn000", "label", "image", "", label, 0.5))
    markers = {
        "marker_uid": "VARBINARY(42)",
        "file_uid": "VARBINARY(42)",
        "marker_type": "VARBINARY(8)",
        "marker_src": "VARBINARY(8)",
        "subj_uid": "VARBINARY(42)",
        "embeddings_json": "MEDIUMBLOB",
        "x": "DOUBLE",
    }
    means = means_of(people)
    clusters: list[Row] = [
        (f"FACE{i:028d}", "", f"js6sg6b2h8njw0{i:02d}", 3, as_json(mean).encode())
        for i, mean in enumerate(means)
    ]
    faces = {
        "id": "VARBINARY(64)",
        "face_src": "VARBINARY(8)",
        "subj_uid": "VARBINARY(42)",
        "samples": "INTEGER",
        "embedding_json": "MEDIUMBLOB",
    }
    known: list[Row] = [
        (f"js6sg6b2h8njw0{i:02d}", "person", f"person-{i}", name if i else "")
        for i, name in enumerate(people.names)
    ]
    named = {
        "subj_uid": "VARBINARY(42)",
        "subj_type": "VARBINARY(8)",
        "subj_slug": "VARBINARY(160)",
        "subj_name": "VARCHAR(160)",
    }
    tables = [
        MadeTable("faces", faces, clusters),
        MadeTable("markers", markers, rows),
        MadeTable("subjects", named, known),
    ]
    of_means: list[str | None] = [str(i) for i in range(len(means))]
    truth = [
        truth_of("markers.embeddings_json", people, subjects),
        truth_of("faces.embedding_json", people, of_means, means, mean=True),
    ]
    return Built(tables, truth, empty=1)


@made("deepstack", "sqlite")
def deepstack() -> Built:
    """One mean a user, as the text of a Python list."""
    people = drawn_people(512, norm=1.0)
    means = means_of(people)
    rows: list[Row] = [
        (name, str([float(x) for x in mean]))
        for name, mean in zip(people.names, means, strict=True)
    ]
    columns = {"userid": "TEXT", "embedding": "TEXT"}
    subjects: list[str | None] = [str(i) for i in range(len(means))]
    names: list[str | None] = list(people.names)
    truth = MadeTruth("TB_EMBEDDINGS.embedding", means, subjects, names, mean=True)
    return Built([MadeTable("TB_EMBEDDINGS", columns, rows)], [truth])


def hex_of(vector: Any) -> str:
    return np.asarray(vector, "<f8").tobytes().hex()


@made("librephotos", "postgresql", "sqlite")
def librephotos() -> Built:
    """Person 0 is a cluster that nobody has named yet; the last faces lie with "unknown"."""
    people = dlib_people()
    subjects = of_people(people)
    unknown = len(people.names) + 1
    faces: list[Row] = [
        (i + 1, f"faces/{i}.jpg", unknown if s is None else int(s) + 1, 1, hex_of(v), f"p{i:03d}")
        for i, (s, v) in enumerate(zip(subjects, people.vectors, strict=True))
    ]
    columns = {
        "id": "integer",
        "image": "character varying(100)",
        "person_id": "integer",
        "cluster_id": "integer",
        "encoding": "text",
        "photo_id": "character varying(64)",
    }
    known: list[Row] = [
        (i + 1, name if i else "Unknown 1", "USER" if i else "CLUSTER")
        for i, name in enumerate(people.names)
    ]
    known.append((unknown, "Unknown - Other", "UNKNOWN"))
    persons = {
        "id": "integer",
        "name": "character varying(128)",
        "kind": "character varying(10)",
    }
    means = means_of(people)
    clusters: list[Row] = [(i + 1, hex_of(m), i, i + 1, None) for i, m in enumerate(means)]
    cluster = {
        "id": "integer",
        "mean_face_encoding": "text",
        "cluster_id": "integer",
        "person_id": "integer",
        "name": "text",
    }
    tables = [
        MadeTable("api_cluster", cluster, clusters),
        MadeTable("api_face", columns, faces),
        MadeTable("api_person", persons, known),
    ]
    of_means: list[str | None] = [str(i) for i in range(len(means))]
    truth = [
        truth_of("api_face.encoding", people, subjects),
        truth_of("api_cluster.mean_face_encoding", people, of_means, means, mean=True),
    ]
    return Built(tables, truth, pictures=len(faces))


@made("nextcloud-recognize", "mysql", "postgresql", "sqlite")
def nextcloud_recognize(column: str = "face_vector") -> Built:
    """``column`` is ``vector`` in versions before 10."""
    people = dlib_people(seed=6)
    subjects = of_people(people)
    detections: list[Row] = [
        (i + 1, "o'hara", 100 + i, 0.25, as_json(v), -1 if s is None else int(s) + 1)
        for i, (s, v) in enumerate(zip(subjects, people.vectors, strict=True))
    ]
    columns = {
        "id": "BIGINT(20)",
        "user_id": "VARCHAR(64)",
        "file_id": "BIGINT(20)",
        "x": "DOUBLE",
        column: "LONGTEXT",
        "cluster_id": "BIGINT(20)",
    }
    clusters: list[Row] = [
        (i + 1, name if i else "", "o'hara") for i, name in enumerate(people.names)
    ]
    named = {"id": "BIGINT(20)", "title": "VARCHAR(4000)", "user_id": "VARCHAR(64)"}
    tables = [
        MadeTable("oc_recognize_face_clusters", named, clusters),
        MadeTable("oc_recognize_face_detections", columns, detections),
    ]
    return Built(tables, [truth_of(f"recognize_face_detections.{column}", people, subjects)])


@made("nextcloud-facerecognition", "mysql", "postgresql", "sqlite")
def nextcloud_facerecognition(prefix: str = "oc_") -> Built:
    people = dlib_people(seed=7)
    subjects = of_people(people)
    faces: list[Row] = [
        (i + 1, 100 + i, None if s is None else int(s) + 1, 0.99, "[]", as_json(v))
        for i, (s, v) in enumerate(zip(subjects, people.vectors, strict=True))
    ]
    columns = {
        "id": "BIGINT(20)",
        "image": "BIGINT(20)",
        "person": "BIGINT(20)",
        "confidence": "DOUBLE",
        "landmarks": "LONGTEXT",
        "descriptor": "LONGTEXT",
    }
    persons: list[Row] = [
        (i + 1, "o'hara", name if i else None) for i, name in enumerate(people.names)
    ]
    named = {"id": "BIGINT(20)", "user": "VARCHAR(64)", "name": "VARCHAR(256)"}
    tables = [
        MadeTable(f"{prefix}facerecog_faces", columns, faces),
        MadeTable(f"{prefix}facerecog_persons", named, persons),
    ]
    return Built(tables, [truth_of("facerecog_faces.descriptor", people, subjects)])


def identities(people: MadePeople) -> list[MadeTable]:
    """Everybody, the first without a name."""
    attributes: list[Row] = []
    for i, name in enumerate(people.names):
        attributes.append((i + 1, "uuid", f"{{{i:08x}-0000}}"))
        if i:
            attributes += [(i + 1, "fullName", name), (i + 1, "name", f"nick {i}")]
    columns = {"id": "INTEGER", "attribute": "TEXT", "value": "TEXT"}
    rows: list[Row] = [(i + 1, 0) for i in range(len(people.names))]
    return [
        MadeTable("Identities", {"id": "INTEGER", "type": "INTEGER"}, rows),
        MadeTable("IdentityAttributes", columns, attributes),
    ]


def digikam(people: MadePeople, extra: dict[str, str], values: list[Row], column: str) -> Built:
    subjects = of_people(people)
    rows: list[Row] = [
        (i + 1, -1 if s is None else int(s) + 1, *value)
        for i, (s, value) in enumerate(zip(subjects, values, strict=True))
    ]
    table = MadeTable("FaceMatrices", {"id": "INTEGER", "identity": "INTEGER", **extra}, rows)
    truth = truth_of(f"FaceMatrices.{column}", people, subjects)
    return Built([table, *identities(people)], [truth])


@made("digikam8", "sqlite", "mysql")
def digikam8() -> Built:
    people = drawn_people(128, norm=1.0)
    values: list[Row] = [(f"hash{i}", v.tobytes()) for i, v in enumerate(people.vectors)]
    return digikam(people, {"removeHash": "TEXT", "embedding": "BLOB"}, values, "embedding")


@made("digikam7", "sqlite", "mysql")
def digikam7() -> Built:
    people = drawn_people(128, norm=1.0, seed=9)
    values: list[Row] = [("tag", v.tobytes()) for v in people.vectors]
    return digikam(people, {"context": "TEXT", "embedding": "BLOB"}, values, "embedding")


@made("digikam6", "sqlite", "mysql")
def digikam6() -> Built:
    """Templates and pictures, both packed."""
    people = dlib_people(seed=8)
    values: list[Row] = [
        ("default", 0, 16, 16, qt_compressed(CROP), qt_compressed(v.tobytes()))
        for v in people.vectors
    ]
    extra = {
        "context": "TEXT",
        "type": "INTEGER",
        "rows": "INTEGER",
        "cols": "INTEGER",
        "data": "BLOB",
        "vecdata": "BLOB",
    }
    built = digikam(people, extra, values, "vecdata")
    return Built(built.tables, built.truth, pictures=len(values))
