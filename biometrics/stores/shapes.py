"""Templates in nested lists and tables, as JSON, pickles and the exports of vector databases hold
them: which values are templates, and what beside them says whose they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from biometrics.stores.loose import ID_NAMES, LEAST, PERSON_NAMES, SHORTEST, SUBJECT_NAMES
from biometrics.stores.texts import from_base64, raw_vector, text_vector

VECTOR_KEYS = (
    "embedding", "embeddings", "encoding", "encodings", "vector", "vectors", "descriptor",
    "descriptors", "face_encoding", "face_encodings", "face_embedding", "face_embeddings",
    "face_vector", "face_descriptor", "feature", "features", "template", "templates",
    "representation", "known_face_encodings", "known_encodings", "values", "mean_face_encoding",
    "normed_embedding",
)  # fmt: skip
LABEL_KEYS = (
    "known_face_names", "known_names", "face_names", "user_names", *PERSON_NAMES, "subjects",
    "subject_ids", "labels", "ids", "people", "users", "persons", "identities",
)  # fmt: skip
WRAPPERS = (
    "result", "results", "points", "data", "rows", "objects", "items", "records", "documents",
    "faces", "hits", "get", "people", "persons", "users", "response", "entities", "vectors",
    "embeddings", "templates", "database", "db", "encodings",
)  # fmt: skip
NESTED = ("payload", "properties", "metadata", "entity", "_source", "_additional", "fields", "meta")
"""Tables beside a vector that say more of it."""
DEPTH = 8
SCALARS = (str, int, float)


class FoundRow(NamedTuple):
    """A value that should be a template.

    Attributes:
        where: the collection.
        value: see :func:`as_vector`.
        id, subject, name: as far as something says it.
        model: what made it.
    """

    where: str
    value: Any
    id: str | None = None
    subject: str | None = None
    name: str | None = None
    model: str = ""


@dataclass
class Shape:
    """Walks a value; ``pictures`` counts faces that lie beside templates."""

    pictures: dict[str, int] = field(default_factory=dict)

    def rows(self, value: Any, where: str = "list", depth: int = 0) -> Iterator[FoundRow]:
        """What should be templates, in order."""
        if depth > DEPTH:
            return
        if _is_vector(value):
            yield FoundRow(where, value)
        elif isinstance(value, np.ndarray):
            yield from (FoundRow(where, row) for row in (value if value.ndim == 2 else ()))
        elif isinstance(value, Mapping):
            yield from self._table(value, where, depth)
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            yield from self._list(value, where, depth)

    def _list(self, values: Sequence[Any], where: str, depth: int) -> Iterator[FoundRow]:
        if len(values) == 2 and (pair := _paired(values[0], values[1])):
            yield from _labelled(where, *pair)
            return
        whole = any(map(_is_vector, values[:GLANCE]))
        for value in values:
            if isinstance(value, Mapping):
                yield from self._record(value, where, None, depth)
            elif _is_pair(value):
                vector, label = (
                    (value[0], value[1]) if _is_vector(value[0]) else (value[1], value[0])
                )
                yield FoundRow(where, vector, subject=str(label), name=str(label))
            elif whole:
                yield FoundRow(where, value)
            else:
                yield from self.rows(value, where, depth + 1)

    def _table(self, table: Mapping[Any, Any], where: str, depth: int) -> Iterator[FoundRow]:
        lowered = {str(key).lower(): key for key in table}
        for key in VECTOR_KEYS:
            if key in lowered and (pair := _labels(table, lowered, lowered[key])):
                yield from _labelled(key, *pair)
                return
        if _vector_keys(table):
            yield from self._record(table, where, None, depth)
            return
        wrapped = [key for name, key in lowered.items() if name in WRAPPERS]
        wrapped = [key for key in wrapped if isinstance(table[key], Mapping | Sequence)]
        wrapped = [key for key in wrapped if not isinstance(table[key], str | bytes)]
        if wrapped:
            for key in wrapped:
                inside = table[key]
                if str(key).lower() == "get" and isinstance(inside, Mapping):  # Weaviate's classes
                    for name, records in inside.items():
                        yield from self.rows(records, str(name)[:80], depth + 1)
                else:
                    yield from self.rows(inside, str(key), depth + 1)
            return
        for person, value in table.items():
            yield from self._of_person(str(person), value, where, depth)

    def _of_person(self, person: str, value: Any, where: str, depth: int) -> Iterator[FoundRow]:
        """A template, or several, or records, under the name of whom they belong to."""
        if isinstance(value, Mapping) and not _is_vector(value):
            yield from self._record(value, "by name", person, depth)
        elif _is_vector(value):
            yield FoundRow("by name", value, subject=person, name=person)
        else:
            for row in self.rows(value, "by name", depth + 1):
                yield row._replace(subject=row.subject or person, name=row.name or person)

    def _record(
        self, record: Mapping[Any, Any], where: str, person: str | None, depth: int
    ) -> Iterator[FoundRow]:
        said: dict[str, Any] = {}
        for key in (*NESTED, None):
            inside = record if key is None else record.get(key)
            if isinstance(inside, Mapping):
                said.update({str(name).lower(): value for name, value in inside.items()})
        kind = said.pop("class", None) if "properties" in record else None  # of Weaviate
        if _has_picture(said.get("face")):
            self.pictures["face"] = self.pictures.get("face", 0) + 1
        path = said.get("identity") or said.get("img_name")
        own = _said(said, PERSON_NAMES)
        subject = _said(said, SUBJECT_NAMES)
        if isinstance(path, str):
            subject = _person_of(path)
            own = own or subject
        base = FoundRow(
            where if kind is None else str(kind)[:80],
            None,
            _said(said, ID_NAMES),
            subject or own or person,
            own or person,
            str(said.get("model_name") or said.get("model") or "")[:100],
        )
        keys = _vector_keys(record)
        if not keys:
            inside = record.get("_additional") or record.get("_source") or record.get("entity")
            keys = _vector_keys(inside) if isinstance(inside, Mapping) else []
            if not keys:
                yield from self._deeper(record, base, depth)
                return
            record = inside  # type: ignore[assignment]
        for key in keys:
            yield from _values(base, str(key), record[key])

    def _deeper(self, record: Mapping[Any, Any], base: FoundRow, depth: int) -> Iterator[FoundRow]:
        """A record of a person with a list of faces, or one whose template is absent or damaged."""
        lists = [v for v in record.values() if isinstance(v, list) and v and not _is_vector(v)]
        any_row = False
        for value in lists:
            for row in self.rows(value, base.where, depth + 1):
                any_row = True
                subject, name = row.subject or base.subject, row.name or base.name
                yield row._replace(subject=subject, name=name)
        if not any_row:
            told = [key for key in record if str(key).lower() in VECTOR_KEYS]
            yield base._replace(value=record[told[0]] if told else None)


GLANCE = 8
"""Values of a list by which it is told."""


def as_vector(value: Any) -> tuple[NDArray[np.floating], str] | None:
    """A value as a template [D], and how it is written; None where it is none.

    Lists of numbers (null is NaN, as JavaScript writes it), arrays, tables from 0 on as JavaScript
    writes typed arrays, texts with numbers, base64 or raw bytes of floats.
    """
    if isinstance(value, Mapping) and (listed := _typed_array(value)) is not None:
        value = listed
    if isinstance(value, np.ndarray):
        flat = value.reshape(-1) if value.ndim == 2 and 1 in value.shape else value
        return (flat, flat.dtype.name) if flat.ndim == 1 and flat.dtype.kind in "fiu" else None
    if isinstance(value, list | tuple):
        if len(value) == 1 and isinstance(value[0], list):
            value = value[0]
        if any(isinstance(one, bool | str | list | Mapping) for one in value):
            return None
        try:
            return np.array(value, dtype=np.float64), "list of numbers"
        except (TypeError, ValueError, OverflowError):
            return None
    if isinstance(value, str):
        if (found := text_vector(value)) is not None:
            return found, "text"
        data = from_base64(value)
        raw = None if data is None else raw_vector(data)
        return None if raw is None else (raw[0], f"base64 of {raw[1]}")
    return raw_vector(value) if isinstance(value, bytes) else None


def _typed_array(value: Mapping[Any, Any]) -> list[Any] | None:
    if len(value) >= LEAST and "0" in value and str(len(value) - 1) in value:
        try:
            return [value[str(place)] for place in range(len(value))]
        except KeyError:
            return None
    data = value.get("data")
    return data if isinstance(data, list) and len(value) <= 3 and _is_vector(data) else None


def _is_vector(value: Any) -> bool:
    """At a glance, whether it is meant as a template."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiu" and value.ndim == 1 and len(value) >= LEAST
    if isinstance(value, list | tuple):
        return len(value) >= LEAST and any(type(one) in (float, int) for one in value[:GLANCE])
    if isinstance(value, Mapping):
        return _typed_array(value) is not None
    if isinstance(value, str):
        return len(value) >= 4 * LEAST and as_vector(value) is not None
    return isinstance(value, bytes) and as_vector(value) is not None


def _vector_keys(record: Mapping[Any, Any]) -> list[Any]:
    """Keys of a record under which templates lie: those that say so, else any."""
    told = [key for key in record if str(key).lower() in VECTOR_KEYS and _is_some(record[key])]
    if told:
        return told
    plain = [key for key in record if key not in NESTED and str(key).lower() not in PIXELS]
    # Under names alone these are people, not fields.
    fields = [
        key for key in record if isinstance(record[key], SCALARS) and not _is_vector(record[key])
    ]
    return [key for key in plain if fields and _is_vector(record[key])][:1]


PIXELS = ("face", "image", "img", "picture", "photo", "thumbnail", "crop", "landmarks", "bbox")


def _is_some(value: Any) -> bool:
    """A template, templates by name, or a list of templates."""
    if _is_vector(value) or _is_short(value):
        return True
    if isinstance(value, Mapping):
        return bool(value) and all(_is_some(v) for v in value.values() if v is not None)
    return isinstance(value, list) and bool(value) and all(map(_is_vector, value[:GLANCE]))


def _is_short(value: Any) -> bool:
    """Numbers under a key that says that they are a template, however few."""
    return (
        isinstance(value, list)
        and len(value) >= SHORTEST
        and all(type(one) in (float, int) for one in value[:GLANCE])
    )


def _values(base: FoundRow, key: str, value: Any) -> Iterator[FoundRow]:
    where = base.where if base.where not in ("list", "") else key
    if _is_vector(value) or _is_short(value):
        yield base._replace(where=f"{where}.{key}" if where != key else key, value=value)
    elif isinstance(value, Mapping):
        for name, inside in value.items():  # named vectors of Qdrant and Weaviate
            if inside is not None:
                yield from _values(base._replace(where=f"{where}.{key}"), str(name)[:80], inside)
    else:
        for number, one in enumerate(value):
            own = None if base.id is None else f"{base.id}:{number}"
            yield base._replace(where=f"{where}.{key}", value=one, id=own)


def _labels(
    table: Mapping[Any, Any], lowered: Mapping[str, Any], key: Any
) -> tuple[Any, Any] | None:
    vectors = table[key]
    for label in LABEL_KEYS:
        if label in lowered and lowered[label] != key:
            labels = table[lowered[label]]
            if (pair := _paired(vectors, labels)) is not None:
                return pair
    if isinstance(vectors, np.ndarray) and vectors.ndim == 2:
        return vectors, [None] * len(vectors)
    many = isinstance(vectors, list) and bool(vectors) and any(map(_is_vector, vectors[:GLANCE]))
    alone = not any(isinstance(v, SCALARS) for v in table.values())
    return (vectors, [None] * len(vectors)) if many and alone else None


def _paired(one: Any, other: Any) -> tuple[Any, Any] | None:
    """Templates and as many labels, whichever comes first."""
    for vectors, labels in ((one, other), (other, one)):
        if not isinstance(vectors, list | tuple | np.ndarray) or not isinstance(
            labels, list | tuple | np.ndarray
        ):
            continue
        if _is_vector(vectors) or len(vectors) != len(labels) or len(labels) == 0:
            continue
        plain = all(isinstance(label, SCALARS) and not _is_vector(label) for label in list(labels))
        if plain and any(_is_vector(vector) for vector in list(vectors[:GLANCE])):
            return vectors, labels
    return None


def _labelled(where: str, vectors: Any, labels: Any) -> Iterator[FoundRow]:
    for vector, label in zip(vectors, labels, strict=True):
        said = None if label is None else str(label)
        yield FoundRow(where, vector, subject=said, name=said if isinstance(label, str) else None)


def _is_pair(value: Any) -> bool:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return False
    one, other = value
    return (isinstance(one, str) and _is_vector(other)) or (
        isinstance(other, str) and _is_vector(one)
    )


def _said(said: Mapping[str, Any], names: Sequence[str]) -> str | None:
    for name in names:
        value = said.get(name)
        if isinstance(value, Mapping) and len(value) == 1:  # {"$oid": …}
            value = next(iter(value.values()))
        if isinstance(value, SCALARS) and value != "":
            return str(value)
    return None


def _has_picture(value: Any) -> bool:
    return isinstance(value, list | str | bytes | np.ndarray) and len(value) > 0


def _person_of(path: str) -> str:
    """Whose picture a path is: by its folder, else by its name without the number."""
    parts = [part for part in re.split(r"[\\/]+", path[-300:]) if part not in ("", ".")]
    if len(parts) > 1:
        return parts[-2]
    return person_of_file(parts[-1]) if parts else path


def person_of_file(name: str) -> str:
    """``NAME_0001.npy`` and ``NAME.npy`` are of NAME."""
    stem = name.rsplit(".", 1)[0] if "." in name else name
    return re.sub(r"[ _\-.(]*\d+\)?$", "", stem) or stem
