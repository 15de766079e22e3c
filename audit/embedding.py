"""``faceleak embed``: the templates of a folder of faces, in one file.

The work is done in parts of some pictures, each kept in a hidden folder beside the file as soon as
it is done: an interrupted run goes on behind the last of them, and memory holds one part.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from audit.face_sources import Faces, Source, open_faces
from audit.precision import PrecisionChoice, chosen_precision
from audit.run_folder import full_disk_as_error, private_files, remove, stage_key
from audit.watch import Watch
from biometrics.backbones.base import BACKBONES, Backbone, identity, load_backbone
from biometrics.backbones.embed import Precision, embed, unit_length
from biometrics.errors import ConfigError, InputError, OutputError, UsageError
from biometrics.progress import Advance
from biometrics.templates import TemplateSet, metadata

PART = 256
"""Pictures whose templates are written at once: an interruption loses at most these."""

ROW_GROUP = 64 * PART
"""Rows that the finished file keeps together; many small groups would be slow to read."""

CPU_BATCH, GPU_BATCH = 32, 256
SUFFIX = ".parquet"
SKIPPED = b"skipped"
"""Metadata of a part: how many pictures gave no face, by reason."""


@dataclass(frozen=True)
class Embedded:
    """What :func:`embed_folder` did.

    Attributes:
        file: the templates.
        backbone: its name.
        dim: length of a template.
        normalised: whether all templates have unit length.
        precision: in which they were computed; they are stored as float32.
        pictures: how many were looked at.
        templates: one for each face.
        subjects: people among them.
        skipped: pictures that gave no face, by reason.
        resumed: pictures that an earlier, interrupted run had done.
    """

    file: Path
    backbone: str
    dim: int
    normalised: bool
    precision: Precision
    pictures: int
    templates: int
    subjects: int
    skipped: dict[str, int]
    resumed: int

    def as_record(self) -> dict[str, Any]:
        """For machines."""
        return {**vars(self), "file": str(self.file)}

    def as_text(self) -> str:
        """For people."""
        lines = [
            f"{self.templates:,} templates of {self.subjects:,} subjects by {self.backbone} "
            f"in {self.file}",
            f"  {self.dim} numbers each{', of unit length' if self.normalised else ''}"
            f"{', computed in bf16' if self.precision == 'bf16' else ''}",
        ]
        if self.resumed:
            lines.append(f"  kept from the interrupted run: {self.resumed:,} pictures")
        lines += [f"  skipped, {reason}: {n:,}" for reason, n in self.skipped.items()]
        return "\n".join(lines)


def embed_folder(
    folder: Path,
    backbone: str,
    out: Path,
    watch: Watch,
    *,
    weights: Mapping[str, str],
    precision: PrecisionChoice = PrecisionChoice.AUTO,
) -> Embedded:
    """Write the templates of a folder of faces to a file that did not exist.

    Args:
        folder: one sub-folder of pictures a person, or a FaceSet on disk.
        backbone: by whom.
        out: a Parquet file, as :meth:`TemplateSet.save` writes it; appears when it is whole.
        watch: shows progress.
        weights: weight files by backbone.
        precision: what the network computes in.

    Raises:
        ConfigError: a precision that the backbone cannot be computed in.
        InputError: no such folder, no face in it, or ``out`` exists or has a wrong name.
        UnknownNameError, WeightsError: the backbone is unknown or not ready.
        FaceleakError: the backbone gives NaN or infinite templates.
        OutputError: the file cannot be written.
    """
    _check_out(out)
    for name in weights:
        BACKBONES.get(name)
    model = load_backbone(backbone, weights).to(auto_device())
    used = chosen_precision(precision, model)
    source = open_faces(folder)
    place = out.absolute()
    with private_files(), full_disk_as_error(place.parent), _parts_beside(place) as kept:
        work = _Work(kept, model, source, identity(model, weights), used)
        with watch.task(f"embed {len(source):,} pictures with {backbone}", len(source)) as advance:
            resumed = work.run(advance)
        done = work.join(folder, out, resumed)
        os.replace(work.finished, place)
        remove(kept)
    return done


def auto_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def parse_weights(given: Sequence[str]) -> dict[str, str]:
    """``NAME=PATH`` of each ``--weights``.

    Raises:
        ConfigError: one that is written otherwise.
    """
    found = {}
    for word in given:
        name, equals, path = word.partition("=")
        if not (name and equals and path):
            raise ConfigError(f"--weights takes NAME=PATH, such as dlib=model.dat; got '{word}'")
        found[name] = path
    return found


def _check_out(out: Path) -> None:
    if out.suffix.lower() != SUFFIX or not out.absolute().parent.is_dir():
        raise InputError(
            f"--out {out}: expected a file in an existing folder that ends in {SUFFIX}"
        )
    if out.exists():
        raise InputError(f"{out} exists; choose another --out, or delete it first")


@contextmanager
def _parts_beside(out: Path) -> Iterator[Path]:
    """The hidden folder of finished parts, locked; it goes where there is nothing to go on from."""
    folder = out.with_name(f".{out.name}.parts")
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"another faceleak is writing {out}") from error
        try:
            yield folder
        except BaseException as error:
            if isinstance(error, UsageError) or not any(folder.glob(f"*{SUFFIX}")):
                remove(folder)
            raise


@dataclass
class _Work:
    """The parts of one file."""

    folder: Path
    backbone: Backbone
    source: Source
    identity: list[str | None]
    precision: Precision
    parts: list[tuple[range, Path]] = field(init=False)

    def __post_init__(self) -> None:
        starts = range(0, len(self.source), PART)
        ranges = [range(start, min(start + PART, len(self.source))) for start in starts]
        self.parts = [(part, self._path(number, part)) for number, part in enumerate(ranges)]

    @property
    def finished(self) -> Path:
        """Where the whole file is before it gets its name."""
        return self.folder / ".finished"

    def _path(self, number: int, part: range) -> Path:
        marks = self.source.marks(part)
        made = {"backbone": self.identity, "precision": self.precision, "faces": marks}
        key = stage_key("embed", made)
        return self.folder / f"{number:06d}-{key[:32]}{SUFFIX}"

    def run(self, advance: Advance) -> int:
        """Do what is not done; the number of pictures that were."""
        wanted = {path.name for _, path in self.parts} | {".lock"}
        for other in self.folder.iterdir():
            if other.name not in wanted:  # other faces, another model, or half a file
                remove(other)
        todo = [(part, path) for part, path in self.parts if _read(path) is None]
        resumed = len(self.source) - sum(len(part) for part, _ in todo)
        advance(resumed)
        with closing(self.source.read([part for part, _ in todo], advance)) as read:
            for faces, (_, path) in zip(read, todo, strict=True):
                self._write(faces, path)
        return resumed

    def _write(self, faces: Faces, path: Path) -> None:
        size = GPU_BATCH if self.backbone.grid.device.type != "cpu" else CPU_BATCH
        vectors = embed(self.backbone, faces.crops, batch_size=size, precision=self.precision)
        columns = {"template_id": faces.ids, "subject_id": faces.subjects}
        table = TemplateSet(
            vectors, pd.DataFrame(columns, dtype=str), self.backbone.spec.name, False, ""
        ).to_arrow()
        skipped = json.dumps(dict(faces.skipped)).encode()
        table = table.replace_schema_metadata({**table.schema.metadata, SKIPPED: skipped})
        unfinished = self.folder / ".part"
        pq.write_table(table, unfinished)
        os.replace(unfinished, path)

    def join(self, folder: Path, out: Path, resumed: int) -> Embedded:
        """Write all parts into one file.

        Raises:
            InputError: no face in any of them.
        """
        skipped: Counter[str] = Counter()
        subjects: set[str] = set()
        count, unit = 0, True
        for table in self._tables():
            skipped.update(json.loads(table.schema.metadata[SKIPPED]))
            if len(table):
                count += len(table)
                subjects.update(table.column("subject_id").to_pylist())
                unit = unit and unit_length(_vectors(table))
        if count == 0:
            raise InputError(f"no face found in any of the {len(self.source)} pictures")
        name = self.backbone.spec.name
        how = " in bf16" if self.precision == "bf16" else ""
        self._write_all(normalised=unit, source=f"{count} faces embedded by {name}{how}")
        return Embedded(
            file=out,
            backbone=name,
            dim=self.backbone.spec.dim,
            normalised=unit,
            precision=self.precision,
            pictures=len(self.source),
            templates=count,
            subjects=len(subjects),
            skipped=dict(sorted(skipped.items())),
            resumed=resumed,
        )

    def _write_all(self, *, normalised: bool, source: str) -> None:
        tables = (table for table in self._tables() if len(table))
        first = next(tables)
        plain = {k: v for k, v in first.schema.metadata.items() if k != SKIPPED}
        name = self.backbone.spec.name
        schema = first.schema.with_metadata(plain)
        schema = schema.with_metadata(
            metadata(schema, backbone=name, normalised=normalised, source=source)
        )
        with pq.ParquetWriter(self.finished, schema) as writer:
            waiting = [first]
            for table in tables:
                waiting.append(table)
                if sum(map(len, waiting)) >= ROW_GROUP:
                    _flush(writer, waiting)
            _flush(writer, waiting)

    def _tables(self) -> Iterator[pa.Table]:
        for _, path in self.parts:
            table = _read(path)
            if table is None:
                raise OutputError(f"{path} was removed while it was needed; run again")
            yield table


def _read(path: Path) -> pa.Table | None:
    """A finished part; None where there is none that can be read."""
    try:
        table = pq.read_table(path, memory_map=False)
    except (OSError, pa.ArrowInvalid):
        return None
    return table if SKIPPED in (table.schema.metadata or {}) else None


def _vectors(table: pa.Table) -> NDArray[np.float32]:
    column = table.column("vector").combine_chunks()
    return np.asarray(column.flatten()).reshape(len(table), -1)


def _flush(writer: pq.ParquetWriter, tables: list[pa.Table]) -> None:
    """Write the tables as one row group and forget them."""
    if tables:
        whole = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
        writer.write_table(whole.replace_schema_metadata(writer.schema.metadata), len(whole))
        tables.clear()
