"""Kinds of store that live in PostgreSQL: Immich, CompreFace, deepface; tables as the facts on
these products describe them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.biometrics.stores.made import MadePeople, MadeTable, drawn_people
from tests.biometrics.stores.made_product import (
    CROP,
    Built,
    MadeTruth,
    made,
    numbers,
    of_people,
    truth_of,
    uid,
)

TIME = "2024-05-01 10:00:00+00"
VECTOR, REAL, FLOAT8 = "vector(512)", "real[]", "double precision[]"


def immich_people(people: MadePeople) -> MadeTable:
    """Everybody, the first without a name."""
    columns = {
        "id": "uuid",
        "ownerId": "uuid",
        "createdAt": "timestamp with time zone",
        "name": "character varying",
        "thumbnailPath": "character varying",
        "isHidden": "boolean",
        "faceAssetId": "uuid",
    }
    rows: list[tuple[Any, ...]] = [
        (uid(1, i), uid(9, 0), TIME, name if i else "", f"thumbs/{i}.jpeg", i == 3, None)
        for i, name in enumerate(people.names)
    ]
    return MadeTable("person", columns, rows)


def clip_table() -> MadeTable:
    """Search by content: vectors of the same length that are no faces."""
    vectors = drawn_people(512, 3, 1, norm=1.0, seed=77).vectors
    rows: list[tuple[Any, ...]] = [(uid(2, i), numbers(v)) for i, v in enumerate(vectors)]
    return MadeTable("smart_search", {"assetId": "uuid", "embedding": VECTOR}, rows)


def asset_faces(people: MadePeople, subjects: list[str | None], name: str) -> MadeTable:
    columns = {
        "id": "uuid",
        "assetId": "uuid",
        "personId": "uuid",
        "imageWidth": "integer",
        "imageHeight": "integer",
        "boundingBoxX1": "integer",
        "sourceType": "character varying",
    }
    rows: list[tuple[Any, ...]] = [
        (
            uid(3, i),
            uid(2, i),
            None if s is None else uid(1, int(s)),
            640,
            480,
            i,
            "machine-learning",
        )
        for i, s in enumerate(subjects)
    ]
    return MadeTable(name, columns, rows)


@made("immich", "postgresql")
def immich() -> Built:
    return immich_of(drawn_people(512))


def immich_of(people: MadePeople) -> Built:
    """Immich with these people and templates."""
    subjects = of_people(people)
    search = [(uid(3, i), numbers(v)) for i, v in enumerate(people.vectors)]
    tables = [
        asset_faces(people, subjects, "asset_face"),
        MadeTable("face_search", {"faceId": "uuid", "embedding": VECTOR}, list(search)),
        immich_people(people),
        clip_table(),
    ]
    return Built(tables, [truth_of("face_search.embedding", people, subjects)])


@made("immich-old", "postgresql")
def immich_old(kind: str = VECTOR) -> Built:
    """``kind`` is ``real[]`` in the oldest versions."""
    people = drawn_people(512, seed=6)
    subjects = of_people(people)
    faces = asset_faces(people, subjects, "asset_faces")
    rows = [(*row, numbers(v)) for row, v in zip(faces.rows, people.vectors, strict=True)]
    table = MadeTable("asset_faces", {**faces.columns, "embedding": kind}, rows)
    tables = [table, immich_people(people), clip_table()]
    return Built(tables, [truth_of("asset_faces.embedding", people, subjects)])


CALCULATORS = ("facenet.Calculator", "insightface.Calculator@arcface_mobilefacenet")


@made("compreface", "postgresql")
def compreface() -> Built:
    """Every picture by two calculators, as after a change of the model."""
    people = drawn_people(512, norm=1.0)
    second = drawn_people(128, seed=8)
    subjects: list[str | None] = [str(person) for person in people.person]
    names: list[str | None] = [people.names[person] for person in people.person]
    rows: list[tuple[Any, ...]] = []
    for k, vectors in enumerate((people.vectors, second.vectors)):
        for i, vector in enumerate(vectors):
            subject = uid(1, int(people.person[i]))
            rows.append((uid(4 + k, i), subject, numbers(vector), CALCULATORS[k], uid(6, i)))
    columns = {
        "id": "uuid",
        "subject_id": "uuid",
        "embedding": FLOAT8,
        "calculator": "character varying(255)",
        "img_id": "uuid",
    }
    known: list[tuple[Any, ...]] = [
        (uid(1, i), uid(8, 0), name) for i, name in enumerate(people.names)
    ]
    subject_columns = {
        "id": "uuid",
        "api_key": "character varying(36)",
        "subject_name": "character varying(255)",
    }
    pictures: list[tuple[Any, ...]] = [(uid(6, i), CROP) for i in range(len(people.vectors))]
    tables = [
        MadeTable("app", {"id": "bigint", "name": "character varying(50)"}, [(1, "Door's")]),
        MadeTable("embedding", columns, rows),
        MadeTable("img", {"id": "uuid", "content": "bytea"}, pictures),
        MadeTable("subject", subject_columns, known),
    ]
    truth = [
        MadeTruth("embedding.embedding", found.vectors, subjects, names, model=CALCULATORS[k])
        for k, found in enumerate((people, second))
    ]
    return Built(tables, truth, pictures=len(pictures))


def deepface_rows(people: MadePeople, model: str) -> list[tuple[Any, ...]]:
    """One folder a person, as deepface's own examples lay them out."""
    face = np.zeros((2, 2, 3), np.float32).tobytes()
    return [
        (
            i + 1,
            f"faces/{people.names[p]}/{i}.jpg",
            face,
            [2, 2, 3],
            model,
            "retinaface",
            True,
            False,
            numbers(v),
            TIME,
            f"{i:064x}",
            f"{i + 1:064x}",
        )
        for i, (p, v) in enumerate(zip(people.person, people.vectors, strict=True))
    ]


def deepface_columns(vector: str) -> dict[str, str]:
    return {
        "id": "integer",
        "img_name": "text",
        "face": "bytea",
        "face_shape": "integer[]",
        "model_name": "text",
        "detector_backend": "text",
        "aligned": "boolean",
        "l2_normalized": "boolean",
        "embedding": vector,
        "created_at": "timestamp with time zone",
        "face_hash": "text",
        "embedding_hash": "text",
    }


def in_folders(collection: str, people: MadePeople, model: str) -> MadeTruth:
    """The folder's name is the person's."""
    subjects: list[str | None] = [str(person) for person in people.person]
    names: list[str | None] = [people.names[person] for person in people.person]
    return MadeTruth(collection, people.vectors, subjects, names, model=model)


@made("deepface-postgres", "postgresql")
def deepface_postgres() -> Built:
    people = drawn_people(512, norm=12.0)
    rows = deepface_rows(people, "Facenet512")
    table = MadeTable("embeddings", deepface_columns(FLOAT8), rows)
    index = MadeTable("embeddings_index", {"id": "integer", "index_data": "bytea"}, [(1, CROP)])
    truth = in_folders("embeddings.embedding", people, "Facenet512")
    return Built([table, index], [truth], pictures=len(rows))


@made("deepface-pgvector", "postgresql")
def deepface_pgvector() -> Built:
    """Two tables, of two models."""
    tables, truth = [], []
    for model, dim in (("Facenet512", 512), ("Dlib", 128)):
        people = drawn_people(dim, norm=12.0, seed=dim)
        name = f"embeddings_{model.lower()}_retinaface_aligned_raw"
        columns = deepface_columns(f"vector({dim})")
        tables.append(MadeTable(name, columns, deepface_rows(people, model)))
        truth.append(in_folders(f"{name}.embedding", people, model))
    return Built(tables, truth, pictures=sum(len(table.rows) for table in tables))
