"""What a leaked store of templates is, who reads it, and how the reader is found.

A reader is told apart by content: every registered one looks at the source and says whether it is
its own. A product that knows its tables ranks before a form that merely fits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import ClassVar, NamedTuple, Self

from biometrics.errors import StoreError
from biometrics.registry import Registry
from biometrics.stores.batch import StoreBatch, Tally
from biometrics.stores.limits import DEFAULT_LIMITS, Limits
from biometrics.stores.source import Source, open_source
from biometrics.stores.unknown import why_unknown

PRODUCT, FORM, FALLBACK = 3, 2, 1
"""Ranks of claims: a product's own marks, a form that fits, and the last resort."""


class Claim(NamedTuple):
    """A reader says that a source is its own.

    Attributes:
        rank: ``PRODUCT``, ``FORM`` or ``FALLBACK``; the highest wins.
        evidence: why, such as ``table face_search with a column embedding vector(512)``.
    """

    rank: int
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class StoreFacts:
    """What is known of a store besides its templates.

    Attributes:
        product: one of the known product ids, ``file`` or ``pictures-only``.
        form: how it lies there, such as ``SQLite database`` or ``PostgreSQL dump, gzip``.
        family: which versions of the product write it so, as far as the marks tell.
        evidence: why it was taken for this.
        rows: rows by table, array or file, as far as they are counted.
        pictures: pictures or face pixels kept beside the templates: how many, by where.
        executable: whether a program that opens it as its product does may run foreign code.
        encrypted: whether the source itself is encrypted; None where that cannot be seen.
        stock_password: whether the product's own standard password opens it; None: not tried.
        model: the model that the product uses, in words, such as ``InsightFace buffalo_l``.
        backbones: names of faceleak's backbones of that model, best first.
        notes: anything else that a reader of the report should know.
    """

    product: str
    form: str
    family: str = ""
    evidence: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)
    pictures: Mapping[str, int] = field(default_factory=dict)
    executable: bool = False
    encrypted: bool | None = False
    stock_password: bool | None = None
    model: str = ""
    backbones: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Store(ABC):
    """An opened store; use it as a context manager.

    ``tally`` counts what :meth:`batches` met; it is whole once these are used up.
    """

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source, self.limits = source, limits
        self.tally = Tally()

    @property
    @abstractmethod
    def facts(self) -> StoreFacts:
        """What is known of it."""

    @abstractmethod
    def batches(self) -> Iterator[StoreBatch]:
        """All templates, a batch at a time, in an order that does not change; memory stays flat.

        May be called again and then starts from the beginning, with a new :attr:`tally`.

        Raises:
            StoreError: what is left cannot be read at all; rows before it were given.
        """

    def close(self) -> None:
        """Let go of files and connections."""
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class StoreReader(ABC):
    """Reads one kind of store.

    Attributes:
        name: under which it is registered: the product's id, or the form's such as ``npy``.
    """

    name: ClassVar[str]

    @abstractmethod
    def claim(self, source: Source) -> Claim | None:
        """Whether the source is of this kind, by content; cheap, and never raises for what is
        merely of another kind."""

    @abstractmethod
    def open(self, source: Source, claim: Claim, limits: Limits) -> Store:
        """The store of a source that was claimed.

        Raises:
            StoreError: it cannot be read after all.
        """


STORES: Registry[StoreReader] = Registry(
    "store reader", group="faceleak.stores", builtin="biometrics.stores.readers"
)


def register_store(reader: type[StoreReader]) -> type[StoreReader]:
    """Class decorator: files a reader, made without arguments, under its ``name``."""
    STORES.register(reader.name)(reader())
    return reader


def open_store(location: str, limits: Limits = DEFAULT_LIMITS) -> Store:
    """The store at a path, or behind the address of a database.

    Args:
        location: a file, a folder, ``postgresql://…``, ``mysql://…``, or ``env:NAME``, the name of
            an environment variable that holds such an address.
        limits: caps.

    Raises:
        InputError: there is nothing.
        StoreError: it is of no kind that anybody reads.
    """
    source = open_source(location, limits)
    try:
        return store_of(source, limits)
    except BaseException:
        source.close()
        raise


def store_of(source: Source, limits: Limits = DEFAULT_LIMITS) -> Store:
    """The store of an opened source, by the reader with the best claim.

    Raises:
        StoreError: nobody reads it.
    """
    found = claim_of(source)
    if found is None:
        raise StoreError(why_unknown(source))
    claim, reader = found
    return reader.open(source, claim, limits)


def claim_of(source: Source) -> tuple[Claim, StoreReader] | None:
    """The best claim on a source and who makes it; None where nobody reads it."""
    claims: list[tuple[int, str, Claim, StoreReader]] = []
    for name in STORES.names():
        reader = STORES.get(name)
        if (claim := reader.claim(source)) is not None:
            claims.append((-claim.rank, name, claim, reader))
    if not claims:
        return None
    _, _, claim, reader = min(claims, key=lambda found: found[:2])
    return claim, reader
