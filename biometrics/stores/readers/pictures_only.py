"""Pictures of people and no templates: what Frigate, Home Assistant and double-take keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from biometrics.stores.base import FALLBACK, Claim, Store, StoreFacts, StoreReader, register_store
from biometrics.stores.batch import StoreBatch, Tally
from biometrics.stores.limits import Limits
from biometrics.stores.source import FileSource, FolderSource, Source, sniff

NOTE = "it holds pictures and no templates: audit these as faces (faces: in a configuration)"


def is_picture(path: Path) -> bool:
    """By its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    heif = head[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif")
    return (
        heif
        or head[:4] in (b"II*\x00", b"MM\x00*")
        or sniff(head, "utf-8", whole=True) == "picture"
    )


class PicturesStore(Store):
    """Pictures, counted; it gives no templates."""

    def __init__(self, source: Source, claim: Claim, limits: Limits) -> None:
        super().__init__(source, limits)
        self._claim = claim
        paths = source.files if isinstance(source, FolderSource) else []
        folders = Counter(path.parent for path in paths if is_picture(path))
        root = source.path if isinstance(source, FolderSource) else None
        self._pictures = folders.total() or 1
        # Pictures that lie in the folder itself are of nobody who is named.
        self._people = len([folder for folder in folders if folder != root])

    @property
    def facts(self) -> StoreFacts:
        """How many there are, of how many people by their folders."""
        whose = f"{self._pictures:,} pictures in {self._people:,} folders, one a person"
        return StoreFacts(
            product="pictures-only",
            form="folder of pictures" if isinstance(self.source, FolderSource) else "picture",
            evidence=self._claim.evidence,
            pictures={"files": self._pictures, "people": self._people}
            if self._people
            else {"files": self._pictures},
            notes=(NOTE, whose) if self._people else (NOTE,),
        )

    def batches(self) -> Iterator[StoreBatch]:
        """Nothing."""
        self.tally = Tally()
        return iter(())


@register_store
class PicturesReader(StoreReader):
    """A picture, or a folder with one in it; whatever else is in the folder comes first."""

    name = "pictures-only"

    def claim(self, source: Source) -> Claim | None:
        """By first bytes."""
        if isinstance(source, FileSource):
            found = source.form == "picture" or (not source.gzip and is_picture(source.path))
            return Claim(FALLBACK, ("a picture",)) if found else None
        if isinstance(source, FolderSource) and any(map(is_picture, source.files)):
            return Claim(FALLBACK, ("pictures in a folder",))
        return None

    def open(self, source: Source, claim: Claim, limits: Limits) -> Store:
        """Pictures, counted."""
        return PicturesStore(source, claim, limits)
