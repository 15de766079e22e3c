"""A folder: every file that somebody reads, by its own reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from biometrics.errors import FaceleakError, StoreError
from biometrics.stores.base import (
    FORM,
    PRODUCT,
    Claim,
    Store,
    StoreFacts,
    StoreReader,
    claim_of,
    register_store,
)
from biometrics.stores.batch import StoreBatch, Tally, make_batch
from biometrics.stores.labels import Labels, array_labels, table_labels
from biometrics.stores.limits import Limits
from biometrics.stores.loose import Gather, Place
from biometrics.stores.readers.pictures_only import is_picture
from biometrics.stores.shapes import person_of_file
from biometrics.stores.source import FileSource, FolderSource, Source

PICTURES = "pictures-only"
FEW = 64
"""Rows of a file up to which it is taken for one person's, where there are several such files."""


class _Known(NamedTuple):
    path: Path
    claim: Claim
    reader: StoreReader


class FolderStore(Store):
    """The files of a folder, one after the other, in the order of their names.

    Files of one form whose rows name nobody are one collection, and each is of the person that its
    folder or its name says. A file that cannot be read is counted, once, with the reason.
    """

    source: FolderSource

    def __init__(self, source: FolderSource, claim: Claim, limits: Limits) -> None:
        super().__init__(source, limits)
        self._claim = claim
        self._labels: dict[Path, list[Labels]] = {}
        self._pictures = self._damaged = 0
        self._forms: Counter[str] = Counter()
        self._inner: list[StoreFacts] = []
        self._files = list(self._known())
        if not self._files:
            raise StoreError(f"{source.name}: none of its files is a store of templates")
        products = [known for known in self._files if known.claim.rank == PRODUCT]
        # Backups of many days are one product's too.
        if len({known.reader.name for known in products}) == 1:
            with self._open(products[0]) as store:
                self._product = store.facts
        else:
            self._product = None

    _product: StoreFacts | None

    @property
    def facts(self) -> StoreFacts:
        """Those of the one product in it, or of files; whole once all files are read."""
        found = self._product or StoreFacts("file", "folder", evidence=self._claim.evidence)
        inner = self._inner or [found]
        pictures = _total(facts.pictures for facts in inner)
        if self._pictures:
            pictures["files"] = pictures.get("files", 0) + self._pictures
        product = [facts for facts in inner if self._product and facts.product == found.product]
        forms = " and ".join(dict.fromkeys(facts.form for facts in product))
        models = {facts.model for facts in inner if facts.model}
        counts = ", ".join(f"{count:,} {form}" for form, count in sorted(self._forms.items()))
        notes = [note for facts in inner for note in facts.notes]
        return replace(
            found,
            form=f"{forms} in a folder" if forms else "folder",
            rows={**_total(facts.rows for facts in product), "files": len(self._files)},
            pictures=pictures,
            model=found.model or (models.pop() if len(models) == 1 else ""),
            executable=any(facts.executable for facts in inner),
            notes=tuple(dict.fromkeys([*found.notes, f"files: {counts}", *notes])),
        )

    def _known(self) -> Iterator[_Known]:
        for path in self.source.files:
            if is_picture(path):
                self._pictures += 1
                continue
            try:
                with closing(FileSource(path, self.limits)) as file:
                    found = claim_of(file)
                    self._forms[file.form] += 1
                    labels = self._labels_in(file, found is not None)
            except (OSError, FaceleakError):
                self._damaged += 1
                continue
            if labels is not None:
                self._labels.setdefault(path.parent, []).append(labels)
            elif found is not None and found[1].name != PICTURES:
                yield _Known(path, *found)

    def _labels_in(self, file: FileSource, claimed: bool) -> Labels | None:
        if file.form == "npy" and not file.gzip:
            return array_labels(file.path, self.limits)
        return None if claimed else table_labels(file, self.limits)

    def _open(self, known: _Known) -> Store:
        try:
            source = FileSource(known.path, self.limits)
        except OSError as error:
            raise StoreError("cannot be opened") from error
        try:
            return known.reader.open(source, known.claim, self.limits)
        except BaseException:
            source.close()
            raise

    def batches(self) -> Iterator[StoreBatch]:
        """The templates of all files."""
        self.tally, self._inner = Tally(), []
        if self._damaged:
            self.tally.skip("files", "a file is damaged", self._damaged)
        gather = Gather(self.tally, self.limits)
        several = Counter(known.path.suffix for known in self._files)
        for number, known in enumerate(self._files):
            try:
                with self._open(known) as store:
                    alone = several[known.path.suffix] == 1
                    yield from self._file(store, known.path, number, gather, alone)
            except FaceleakError as error:
                self._skip(number, error)
        for batch in gather.end():
            self.tally.read += len(batch)
            yield batch

    def _skip(self, number: int, error: FaceleakError) -> None:
        # The reason without the file's name, which may be a person's.
        kind = "holds no templates" if "holds no" in str(error) else "is damaged"
        self.tally.skip(f"file {number}", f"a file {kind}")

    def _file(
        self, store: Store, path: Path, number: int, gather: Gather, alone: bool
    ) -> Iterator[StoreBatch]:
        file = store.facts.product == "file"
        labels = self._labels_of(store, path)
        person = None if alone or labels else self._person(path)
        done = 0
        try:
            for batch in store.batches():
                if not file:
                    self.tally.read += len(batch)
                    yield batch
                elif person is not None and len(batch) <= FEW and _nameless(batch):
                    yield from self._of_person(batch, number, path.suffix, person, gather)
                else:
                    yield self._renamed(batch, path, number, labels, done)
                    self.tally.read += len(batch)
                    done += len(batch)
        finally:
            self.tally.add(replace(store.tally, read=0))
            self._inner.append(store.facts)

    def _of_person(
        self, batch: StoreBatch, number: int, suffix: str, person: str, gather: Gather
    ) -> Iterator[StoreBatch]:
        whose = batch.collection
        place = Place(f"*{suffix}", whose.stored_as, whose.model, whose.mean)
        where = str(number)  # the file's name may be the person's
        ids = batch.texts("template_id")
        for vector, own in zip(batch.vectors, ids, strict=True):
            template_id = where if len(batch) == 1 else f"{where}:{own}"
            for made in gather.row(place, vector, template_id, person, person):
                self.tally.read += len(made)
                yield made

    def _labels_of(self, store: Store, path: Path) -> Labels | None:
        """A list beside the file with as many values as the file has rows."""
        counts = store.facts.rows.values()
        near = self._labels.get(path.parent, ())
        fitting = [labels for labels in near if len(counts) == 1 and len(labels) == sum(counts)]
        return fitting[0] if fitting and len(fitting[0]) > 1 else None

    def _renamed(
        self, batch: StoreBatch, path: Path, number: int, labels: Labels | None, done: int
    ) -> StoreBatch:
        """With labels that lie beside the file, and ids that no other file's rows have."""
        collection = replace(batch.collection, name=f"*{path.suffix}: {batch.collection.name}")
        ids, end = batch.texts("template_id"), done + len(batch)
        subjects: Sequence[str | None] = batch.texts("subject_id")
        names: Sequence[str | None] = batch.texts("name")
        if labels is not None and _nameless(batch):
            ids = list[str | None](labels.ids[done:end]) if labels.ids else ids
            subjects = labels.subjects[done:end] if labels.subjects else subjects
            names = labels.names[done:end] if labels.names else names
        own = [f"{number}:{template_id}" for template_id in ids]
        return make_batch(collection, batch.vectors, own, subjects, names)

    def _person(self, path: Path) -> str | None:
        inside = path.relative_to(self.source.path)
        return inside.parts[-2] if len(inside.parts) > 1 else person_of_file(path.name)


def _total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts of several files, by where; in the order in which they come."""
    total: dict[str, int] = {}
    for count in counts:
        for where, number in count.items():
            total[where] = total.get(where, 0) + number
    return total


def _nameless(batch: StoreBatch) -> bool:
    return bool(batch.rows.column("subject_id").null_count == len(batch))


@register_store
class FolderReader(StoreReader):
    """A folder with a file that somebody reads."""

    name = "folder"

    def claim(self, source: Source) -> Claim | None:
        """By the first file that is claimed."""
        if not isinstance(source, FolderSource):
            return None
        for path in source.files:
            if is_picture(path):
                continue
            try:
                with closing(FileSource(path, source.limits)) as file:
                    found = claim_of(file)
            except (OSError, FaceleakError):
                continue
            if found is not None and found[1].name != PICTURES:
                return Claim(FORM, ("a folder of files with templates",))
        return None

    def open(self, source: Source, claim: Claim, limits: Limits) -> Store:
        """The store of its files."""
        assert isinstance(source, FolderSource)
        return FolderStore(source, claim, limits)
