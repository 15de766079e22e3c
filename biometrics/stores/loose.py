"""What the readers of single files share: facts, typed errors, and rows of any length."""

from __future__ import annotations

import zipfile
import zlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import FaceleakError, StoreError
from biometrics.stores.base import FORM, Claim, Store, StoreFacts, StoreReader
from biometrics.stores.batch import (
    BATCH_BYTES,
    Collection,
    StoreBatch,
    Tally,
    batch_rows,
    make_batch,
)
from biometrics.stores.limits import Limits
from biometrics.stores.source import FileSource, Source

LEAST = 16
"""Numbers in a row that are taken for a template where nothing else says that they are one."""

SHORTEST = 2
"""The shortest template where something says so."""

GROUP = 3
"""Rows of one odd length that make a collection of their own; fewer count as unreadable."""

_DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    OSError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def reading(name: str, form: str) -> Iterator[None]:
    """Turn whatever a parser raises on a damaged file into one line that holds nothing of it."""
    try:
        yield
    except FaceleakError:
        raise
    except RecursionError as error:
        raise StoreError(f"{name}: nested too deeply for {form} of templates") from error
    except MemoryError as error:
        raise StoreError(f"{name}: claims more than fits into memory") from error
    except _DAMAGE as error:
        kind = type(error).__name__
        raise StoreError(f"{name} is damaged: it cannot be read as {form} ({kind})") from error


class FileStore(Store):
    """A file of templates of no known product.

    A subclass gives :meth:`_read`, and fills ``rows``, ``pictures``, ``models``, ``notes`` and
    ``executable`` as far as it knows them; they are whole once :meth:`batches` is used up.

    Attributes:
        form: what such a file is called.
    """

    form: ClassVar[str]
    source: FileSource

    def __init__(self, source: FileSource, claim: Claim, limits: Limits) -> None:
        super().__init__(source, limits)
        self.claim = claim
        self.rows: dict[str, int] = {}
        self.pictures: Counter[str] = Counter()
        self.models: set[str] = set()
        self.notes: list[str] = []
        self.executable = False

    @property
    def facts(self) -> StoreFacts:
        """What is known of the file."""
        return StoreFacts(
            product="file",
            form=f"{self.form}, gzip" if self.source.gzip else self.form,
            evidence=self.claim.evidence,
            rows=dict(self.rows),
            pictures=dict(self.pictures),
            executable=self.executable,
            model=next(iter(self.models)) if len(self.models) == 1 else "",
            notes=tuple(self.notes),
        )

    @property
    def name(self) -> str:
        """Of the file."""
        return self.source.name

    def batches(self) -> Iterator[StoreBatch]:
        """All templates of the file."""
        self.tally = Tally()
        with reading(self.name, self.form):
            for batch in self._read():
                self.tally.read += len(batch)
                if batch.collection.model:
                    self.models.add(batch.collection.model)
                yield batch

    @abstractmethod
    def _read(self) -> Iterator[StoreBatch]:
        """The same; may raise anything that :func:`reading` knows."""


class FormReader(StoreReader):
    """A reader of one form of file, told by its first bytes.

    Attributes:
        forms: of :attr:`FileSource.form`.
        store: what it opens.
        evidence: why.
    """

    forms: ClassVar[tuple[str, ...]]
    store: ClassVar[type[FileStore]]
    evidence: ClassVar[str]

    def claim(self, source: Source) -> Claim | None:
        """By the form alone."""
        if isinstance(source, FileSource) and source.form in self.forms:
            return Claim(FORM, (self.evidence,))
        return None

    def open(self, source: Source, claim: Claim, limits: Limits) -> Store:
        """The store of the file."""
        assert isinstance(source, FileSource)
        with reading(source.name, self.store.form):
            return self.store(source, claim, limits)


def numbered(start: int, count: int) -> list[str]:
    """Ids of rows that have none of their own."""
    return list(map(str, range(start, start + count)))


@dataclass(frozen=True)
class Place:
    """What rows of one collection have in common besides their length."""

    name: str
    stored_as: str
    model: str = ""
    mean: bool = False


@dataclass
class _Pending:
    vectors: list[NDArray[np.floating]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    subjects: list[str | None] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    settled: bool = False


class Gather:
    """Makes batches of rows that come one by one and whose lengths may differ.

    A length that :data:`GROUP` rows of a place have is a collection; of lengths with fewer rows
    only the place's most frequent one counts, the others go to the tally. At most about two batches
    are held.
    """

    def __init__(self, tally: Tally, limits: Limits) -> None:
        self._tally, self._limits = tally, limits
        self._pending: dict[tuple[Place, int], _Pending] = {}
        self._held = 0

    def row(
        self,
        place: Place,
        vector: NDArray[np.floating],
        template_id: str,
        subject: str | None = None,
        name: str | None = None,
    ) -> Iterator[StoreBatch]:
        """Take a row; gives a batch where one is full."""
        if not SHORTEST <= len(vector) <= self._limits.dim:
            self._tally.skip(f"{place.name} {template_id}"[:80], _length(len(vector)))
            return
        key = (place, len(vector))
        kept = self._pending.setdefault(key, _Pending())
        kept.vectors.append(vector)
        kept.ids.append(template_id)
        kept.subjects.append(subject)
        kept.names.append(name)
        kept.settled = kept.settled or len(kept.vectors) >= GROUP
        self._held += vector.nbytes + 64
        if len(kept.vectors) >= batch_rows(len(vector)):
            yield self._flush(key)
        elif self._held > 2 * BATCH_BYTES:
            yield from self._make_room()

    def settle(self, place: Place, dim: int) -> None:
        """Rows of that length are known to be a collection."""
        self._pending.setdefault((place, dim), _Pending()).settled = True

    def end(self) -> Iterator[StoreBatch]:
        """What is left."""
        places: dict[Place, list[int]] = {}
        for place, dim in self._pending:
            places.setdefault(place, []).append(dim)
        for place, dims in places.items():
            most = max(dims, key=lambda dim: self._rank(place, dim))
            for dim in dims:
                kept = self._pending[place, dim]
                if kept.settled or dim == most:
                    if kept.vectors:
                        yield self._flush((place, dim))
                else:
                    self._odd(place, dim, most)

    def _rank(self, place: Place, dim: int) -> tuple[bool, int]:
        kept = self._pending[place, dim]
        return kept.settled, len(kept.vectors)

    def _odd(self, place: Place, dim: int, most: int) -> None:
        kept = self._pending.pop((place, dim))
        why = f"has another length than the others ({most} numbers)"
        for template_id in kept.ids:
            self._tally.skip(f"{place.name} {template_id}"[:80], why)

    def _make_room(self) -> Iterator[StoreBatch]:
        for key in list(self._pending):
            kept = self._pending[key]
            if kept.settled and kept.vectors:
                yield self._flush(key)
        if self._held > BATCH_BYTES:  # hostile: every row has a length of its own
            self._tally.skip("rows of many lengths", "has a length of its own", self._drop())

    def _drop(self) -> int:
        odd = [key for key, kept in self._pending.items() if not kept.settled]
        count = sum(len(self._pending.pop(key).vectors) for key in odd)
        self._held = 0
        return count

    def _flush(self, key: tuple[Place, int]) -> StoreBatch:
        kept = self._pending[key]
        self._pending[key] = _Pending(settled=True)
        self._held -= sum(vector.nbytes + 64 for vector in kept.vectors)
        place, dim = key
        collection = Collection(place.name, dim, place.stored_as, place.mean, place.model)
        return make_batch(collection, np.stack(kept.vectors), kept.ids, kept.subjects, kept.names)


def _length(count: int) -> str:
    return "holds no numbers" if count == 0 else f"{count:,} numbers are no template"


ID_NAMES = (
    "id",
    "ids",
    "_id",
    "uuid",
    "template_id",
    "face_id",
    "faceid",
    "row",
    "key",
    "pk",
    "hash",
)
SUBJECT_NAMES = (
    "subject_id", "subject", "person_id", "personid", "person", "user_id", "userid", "uid",
    "label", "labels", "class", "identity", "target", "y", "subjects", "cluster", "cluster_id",
)  # fmt: skip
PERSON_NAMES = (
    "name", "names", "person_name", "subject_name", "full_name", "fullname", "username",
    "user_name", "user", "title", "display_name", "employee",
)  # fmt: skip


@dataclass(frozen=True)
class Roles:
    """Which of some named columns says what; None where none does. A name says the subject where
    nothing else does."""

    id: str | None
    subject: str | None
    name: str | None


def roles_of(names: Sequence[str]) -> Roles:
    """Columns by what they are called, whatever the case."""
    plain = {name.strip().lower().replace(" ", "_"): name for name in reversed(names)}

    def first(wanted: Sequence[str]) -> str | None:
        return next((plain[name] for name in wanted if name in plain), None)

    name = first(PERSON_NAMES)
    return Roles(first(ID_NAMES), first(SUBJECT_NAMES) or name, name)
