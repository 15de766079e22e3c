"""Tables in Parquet and Arrow files: a list column of templates, or one column a number."""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from biometrics.errors import StoreError
from biometrics.stores.base import Claim, register_store
from biometrics.stores.batch import Collection, StoreBatch, batch_rows, in_single, make_batch
from biometrics.stores.columns import number_columns
from biometrics.stores.limited import run_limited
from biometrics.stores.limits import MIB, Limits
from biometrics.stores.loose import (
    GROUP,
    LEAST,
    SHORTEST,
    FileStore,
    FormReader,
    Gather,
    Place,
    Roles,
    numbered,
    roles_of,
)
from biometrics.stores.parquet_groups import widths
from biometrics.stores.source import FileSource


class _Templates(NamedTuple):
    """Columns that are templates: one of lists, or as many as there are numbers."""

    name: str
    columns: tuple[str, ...]
    lists: bool
    stored_as: str


class TableStore(FileStore):
    """The rows of a Parquet or Arrow file, a part at a time."""

    def __init__(self, source: FileSource, claim: Claim, limits: Limits) -> None:
        super().__init__(source, claim, limits)
        if source.gzip:
            raise StoreError(f"{self.name} is {self.form} inside gzip; unpack it first")
        self._schema, count = self._open_schema()
        if len(self._schema) > max(limits.tables, 2 * limits.dim):
            raise StoreError(f"{self.name} has {len(self._schema):,} columns")
        self._model = self._faceleak(self._schema.metadata or {})
        self._templates, self._roles = _layout(self._schema, self.name)
        roles = (self._roles.id, self._roles.subject, self._roles.name)
        vectors = [column for found in self._templates for column in found.columns]
        self._columns = list(dict.fromkeys([*vectors, *filter(None, roles)]))
        if count is not None:
            self.rows = {found.name: count for found in self._templates}

    @abstractmethod
    def _open_schema(self) -> tuple[pa.Schema, int | None]:
        """Columns, and how many rows the file says it has, if it does."""

    @abstractmethod
    def _parts(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Some columns of all rows."""

    def _faceleak(self, metadata: dict[bytes, bytes]) -> str:
        """The backbone that a file of faceleak's own names."""
        try:
            model = str(json.loads(metadata[b"faceleak"])["backbone"])[:100]
        except (KeyError, ValueError, TypeError, RecursionError):
            return ""
        self.notes.append("generator: faceleak")
        return model

    def _read(self) -> Iterator[StoreBatch]:
        gather, done = Gather(self.tally, self.limits), 0
        for part in self._parts(self._columns):
            for found in self._templates:
                yield from self._part(part, found, done, gather)
            done += part.num_rows
        yield from gather.end()

    def _part(
        self, part: pa.RecordBatch, found: _Templates, done: int, gather: Gather
    ) -> Iterator[StoreBatch]:
        people = _people(part, self._roles, done)
        collection = Collection(found.name, len(found.columns), found.stored_as, model=self._model)
        if not found.lists:
            block = np.column_stack([_floats(part.column(name)) for name in found.columns])
            yield make_batch(collection, block, *people)
            return
        column = part.column(found.columns[0])
        flat, ends = _lists(column)
        lengths = np.diff(ends)
        kept = np.flatnonzero(np.asarray(column.is_valid()) & (lengths > 0))
        self.tally.empty += part.num_rows - len(kept)
        if len(kept) == 0:
            return
        place, dim = Place(found.name, found.stored_as, self._model), int(lengths[kept[0]])
        alike = bool((lengths[kept] == dim).all()) and SHORTEST <= dim <= self.limits.dim
        if alike and (len(kept) >= GROUP or pa.types.is_fixed_size_list(column.type)):
            gather.settle(place, dim)
            if len(kept) == part.num_rows:
                block = flat.reshape(len(kept), dim)
            else:
                block = flat[ends[kept][:, None] + np.arange(dim)]
            chosen = people.take(kept)
            yield make_batch(replace(collection, dim=dim), block, *chosen)
            return
        for i in kept:
            vector = in_single(flat[ends[i] : ends[i + 1]])
            yield from gather.row(place, vector, people.ids[i], people.subjects[i], people.names[i])


class _People(NamedTuple):
    ids: list[str]
    subjects: list[str | None]
    names: list[str | None]

    def take(self, kept: NDArray[np.intp]) -> _People:
        """Those of some rows."""
        ids, subjects, names = self
        at = kept.tolist()
        return _People([ids[i] for i in at], [subjects[i] for i in at], [names[i] for i in at])


def _people(part: pa.RecordBatch, roles: Roles, done: int) -> _People:
    own = _texts(part, roles.id)
    ids = [mine or i for mine, i in zip(own, numbered(done, part.num_rows), strict=True)]
    return _People(ids, _texts(part, roles.subject), _texts(part, roles.name))


def _texts(part: pa.RecordBatch, column: str | None) -> list[str | None]:
    if column is None:
        return [None] * part.num_rows
    values = part.column(column)
    try:
        found = values.to_pylist()
    except UnicodeDecodeError:
        found = [v and v.decode("utf-8", "replace") for v in values.cast(pa.binary()).to_pylist()]
    return [None if value is None else _text(value) for value in found]


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, str) else str(value)


def _floats(values: pa.Array) -> NDArray[np.floating]:
    """Numbers; null is NaN."""
    found: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return found if found.dtype.kind == "f" else found.astype(np.float64)


def _lists(column: pa.Array) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    """The numbers of a list column one after the other, and where each row's begin and end."""
    if pa.types.is_fixed_size_list(column.type):
        size = column.type.list_size
        values = column.values.slice(column.offset * size, len(column) * size)
        return _floats(values), np.arange(len(column) + 1, dtype=np.int64) * size
    ends = column.offsets.to_numpy().astype(np.int64)
    values = column.values.slice(int(ends[0]), int(ends[-1] - ends[0]))
    return _floats(values), ends - ends[0]


def _layout(schema: pa.Schema, name: str) -> tuple[tuple[_Templates, ...], Roles]:
    lists = [field for field in schema if _is_list(field.type)]
    told = [field for field in lists if _VECTOR.search(field.name)]
    found = [
        _Templates(field.name[:80], (field.name,), True, f"list of {_words(field.type.value_type)}")
        for field in told or lists
    ]
    numeric = [pa.types.is_floating(f.type) or pa.types.is_integer(f.type) for f in schema]
    if not found and (columns := number_columns(schema.names, numeric)):
        names = tuple(schema.names[place] for place in columns.vector)
        kind = _words(schema.field(columns.vector[0]).type)
        return (_Templates(columns.name, names, False, f"columns of {kind}"),), columns.roles
    if not found:
        raise StoreError(
            f"{name} holds no templates: no column of lists of numbers, nor {LEAST} or more "
            "columns of numbers"
        )
    rest = [field.name for field in schema if not pa.types.is_nested(field.type)]
    return tuple(found), roles_of(rest)


def _words(kind: pa.DataType) -> str:
    known = {"halffloat": "float16", "float": "float32", "double": "float64"}
    return known.get(str(kind), str(kind))


def _is_list(kind: pa.DataType) -> bool:
    if pa.types.is_fixed_size_list(kind):
        values = kind.value_type
        whole = pa.types.is_integer(values) and kind.list_size >= LEAST
        return bool(pa.types.is_floating(values) or whole)
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return bool(lists and pa.types.is_floating(kind.value_type))


_VECTOR = re.compile(r"embed|vector|encod|descript|feature|templat|represent", re.IGNORECASE)


class ParquetStore(TableStore):
    """A row group at a time; a damaged one is counted and the others are read."""

    form = "Parquet"

    def _open_schema(self) -> tuple[pa.Schema, int | None]:
        with self._file() as file:
            return file.schema_arrow, file.metadata.num_rows

    def _file(self) -> Any:
        import pyarrow.parquet as pq

        # Without a buffer a whole column of a row group is read at once.
        return pq.ParquetFile(self.source.path, buffer_size=MIB, pre_buffer=False)

    def _parts(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        wide = self._widths()
        with self._file() as file:
            missing = file.metadata.num_rows
            for group in range(file.num_row_groups):
                rows, done = file.metadata.row_group(group).num_rows, 0
                try:
                    step = self._step(wide[group])
                    for part in file.iter_batches(step, row_groups=[group], columns=columns):
                        done += part.num_rows
                        yield part
                    if done < rows:
                        raise ValueError("fewer rows than it claims")
                except (pa.ArrowException, OSError, ValueError, IndexError):
                    where = f"row group {group}, row {done}"
                    self.tally.skip(where, "is damaged", max(1, rows - done))
                missing -= rows
            if missing > 0:
                self.tally.skip("the last row", "the file ends before what it claims", missing)

    def _widths(self) -> list[int]:
        """Numbers a row of the largest column of each row group."""
        path = str(self.source.path.absolute())
        try:
            found = run_limited(widths, path, limits=self.limits, what=self.source.name)
        except StoreError as error:
            raise StoreError(f"{self.source.name} is a damaged Parquet file: {error}") from error
        if not isinstance(found, list) or not all(isinstance(width, int) for width in found):
            raise StoreError(f"{self.source.name} is a damaged Parquet file")
        return found

    def _step(self, width: int) -> int:
        """Rows of a part, by how many numbers the group's largest column has."""
        if width > self.limits.dim:
            raise ValueError("more numbers a row than a template has")
        return batch_rows(max(width, len(self._columns)))


class ArrowStore(TableStore):
    """A record batch at a time."""

    form = "Arrow"

    def _open_schema(self) -> tuple[pa.Schema, int | None]:
        self._size = self.source.path.stat().st_size
        with pa.memory_map(str(self.source.path)) as file:
            return _ipc(file).schema, None

    def _parts(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        with pa.memory_map(str(self.source.path)) as file:
            self._still_whole()
            # Others are not even decoded.
            fields = [self._schema.get_field_index(name) for name in columns]
            if min(fields) < 0:
                raise StoreError(f"{self.name}: two columns have one name")
            table = _ipc(file, pa.ipc.IpcReadOptions(included_fields=sorted(fields)))
            many = hasattr(table, "num_record_batches")
            step = batch_rows(max(self._width, len(columns)))
            for batch in map(table.get_batch, range(table.num_record_batches)) if many else table:
                self._still_whole()
                batch.validate(full=True)
                for start in range(0, batch.num_rows, step):
                    self._still_whole()
                    yield batch.slice(start, step)

    def _still_whole(self) -> None:
        """What is gone from a mapped file ends the program when it is looked at."""
        if self.source.path.stat().st_size < self._size:
            raise StoreError(f"{self.name} became shorter while it was read")

    @property
    def _width(self) -> int:
        kinds = (self._schema.field(name).type for name in self._columns)
        return max((getattr(kind, "list_size", 512) for kind in kinds), default=1)


def _ipc(file: Any, options: Any = None) -> Any:
    """A reader of the form with a list of batches at its end, or of a stream."""
    start = file.read(6)
    file.seek(0)
    if start == b"ARROW1":
        return pa.ipc.open_file(file, options=options)
    return pa.ipc.open_stream(file, options=options)


@register_store
class ParquetReader(FormReader):
    """Told by the first bytes."""

    name = "parquet"
    forms = ("parquet",)
    store = ParquetStore
    evidence = "the first bytes of Parquet"


@register_store
class ArrowReader(FormReader):
    """Told by the first bytes."""

    name = "arrow"
    forms = ("arrow",)
    store = ArrowStore
    evidence = "the first bytes of Arrow"
