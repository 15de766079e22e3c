"""Pickles of templates, as tutorials and small projects write them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from biometrics.errors import StoreError
from biometrics.stores.base import FORM, Claim, Store, StoreReader, register_store
from biometrics.stores.batch import StoreBatch
from biometrics.stores.limits import Limits
from biometrics.stores.loose import FileStore, Gather, Place
from biometrics.stores.pickle_file import read_pickle
from biometrics.stores.plain_file import Plain
from biometrics.stores.shapes import Shape, as_vector
from biometrics.stores.source import FileSource, Source

EXECUTABLE = (
    "a pickle is a program: whoever can write this file runs code in whatever opens it the usual"
    " way"
)


OLD = re.compile(rb"[(]?(?:[(][dl]p\d+\n|[]}]q[\x00\x01]|c[a-z][\w.]{2,60}\n\w{2,60}\n[pq])")
"""How pickles of protocol 0 and 1 begin: an empty list or dictionary, or a name."""


def is_pickle(source: FileSource) -> bool:
    """By the first bytes. Text and numbers of the old protocols are no UTF-8."""
    return source.form == "pickle" or (
        source.form in ("unknown", "text") and OLD.match(source.head) is not None
    )


class PickleStore(FileStore):
    """A pickle, read by an allow list in a process of its own."""

    form = "pickle"

    def __init__(self, source: FileSource, claim: Claim, limits: Limits) -> None:
        super().__init__(source, claim, limits)
        self._tree: tuple[Plain] | None = None
        self.notes = [EXECUTABLE]
        self.executable = True

    def tree(self) -> Plain:
        """What the pickle holds; parsed once.

        Raises:
            StoreError: refused or damaged.
        """
        if self._tree is None:
            self._tree = (read_pickle(self.source.read_whole(), self.limits, self.name),)
        return self._tree[0]

    def _read(self) -> Iterator[StoreBatch]:
        gather, shape, count = Gather(self.tally, self.limits), Shape(), 0
        for count, row in enumerate(shape.rows(self.tree(), "pickle"), 1):
            found = as_vector(row.value)
            if row.value is None:
                self.tally.empty += 1
            elif found is None:
                self.tally.skip(f"template {count:,}", "holds no list of numbers")
            else:
                place = Place(row.where, found[1], row.model)
                subject, name = person_of(row.subject), person_of(row.name)
                yield from gather.row(place, found[0], row.id or str(count - 1), subject, name)
        yield from gather.end()
        if count == 0:
            raise StoreError(f"{self.name} is a pickle without templates")
        self.rows, self.pictures = {"pickle": count}, Counter(shape.pictures)


def person_of(label: str | None) -> str | None:
    """A label, or the folder's name where it is a picture's path: paths stay where they are."""
    if label is None:
        return None
    parts = [part for part in re.split(r"[\\/]+", label) if part not in ("", ".")]
    if len(parts) > 1:
        label = parts[-2]
    return label.encode("utf-8", "replace").decode()


@register_store
class PickleReader(StoreReader):
    """Pickles of whatever product."""

    name = "pickle"

    def claim(self, source: Source) -> Claim | None:
        """By the first bytes."""
        if not isinstance(source, FileSource):
            return None
        if is_pickle(source):
            return Claim(FORM, ("begins as a pickle does",))
        return None

    def open(self, source: Source, claim: Claim, limits: Limits) -> Store:
        """The store of the file."""
        assert isinstance(source, FileSource)
        return PickleStore(source, claim, limits)
