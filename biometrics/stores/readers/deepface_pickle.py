"""deepface's pickle of a folder of pictures: a list of dictionaries, one for each face."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from biometrics.errors import StoreError
from biometrics.stores.base import PRODUCT, Claim, Store, StoreFacts, StoreReader, register_store
from biometrics.stores.batch import StoreBatch
from biometrics.stores.limits import Limits
from biometrics.stores.loose import Gather, Place
from biometrics.stores.readers.pickle_encodings import PickleStore, is_pickle, person_of
from biometrics.stores.shapes import as_vector
from biometrics.stores.source import FileSource, Source

KEYS = (b"identity", b"hash", b"embedding")
"""Keys of the first face, which lie in the first bytes of the file."""

BOX = re.compile(rb"target_[xywh]")
FILE_NAME = re.compile(
    r"ds_model_(?P<model>[a-z0-9_-]{2,40})_detector_(?P<detector>[a-z0-9_-]{2,40}?)"
    r"_(?:un)?aligned_normalization_"
)


class DeepfaceStore(PickleStore):
    """One template a face; the person is the folder that its picture lies in."""

    form = "pickle of deepface"

    @property
    def facts(self) -> StoreFacts:
        """What is known of the file; its name tells the model."""
        return dataclasses.replace(
            super().facts, product="deepface-pickle", model=model_of(self.source.name)
        )

    def _read(self) -> Iterator[StoreBatch]:
        faces = self.tree()
        if not isinstance(faces, list):
            raise StoreError(f"{self.name} is no list of faces, as deepface's pickle is")
        gather, model = Gather(self.tally, self.limits), model_of(self.source.name)
        folders = {_folder(face) for face in faces}
        for number, face in enumerate(faces):
            if not isinstance(face, dict) or "embedding" not in face:
                self.tally.skip(f"face {number:,}", "is no record with an embedding")
                continue
            if (value := face["embedding"]) is None:
                self.tally.empty += 1
                continue
            if (found := as_vector(value)) is None:
                self.tally.skip(f"face {number:,}", "holds no list of numbers")
                continue
            # One folder for all is the folder of pictures itself, and tells nobody apart.
            person = _folder(face) if len(folders) > 1 else None
            place = Place("embedding", "list of numbers", model)
            yield from gather.row(place, found[0], str(number), person, person)
        yield from gather.end()
        self.rows = {"faces": len(faces)}


def _folder(face: object) -> str | None:
    path = face.get("identity") if isinstance(face, dict) else None
    if not isinstance(path, str) or not re.search(r"[^\\/.][\\/]", path):
        return None
    return person_of(path)


def model_of(file_name: str) -> str:
    """The model that deepface wrote into the file's name; empty where the name is another."""
    found = FILE_NAME.match(file_name.lower())
    return "" if found is None else f"deepface {found['model']}"


@register_store
class DeepfaceReader(StoreReader):
    """Pickles whose first face has the keys that deepface writes."""

    name = "deepface-pickle"

    def claim(self, source: Source) -> Claim | None:
        """By the keys; the file's name is evidence beside them."""
        if not isinstance(source, FileSource) or not is_pickle(source):
            return None
        head = source.head
        boxed = BOX.search(head) is not None or len(head) > 30_000
        if not boxed or not all(key in head for key in KEYS):
            return None
        evidence = ["a list of faces with identity, hash and embedding"]
        if model := model_of(source.name):
            evidence.append(f"the file's name says {model}")
        return Claim(PRODUCT, tuple(evidence))

    def open(self, source: Source, claim: Claim, limits: Limits) -> Store:
        """The store of the file."""
        assert isinstance(source, FileSource)
        return DeepfaceStore(source, claim, limits)
