"""One valid file of each form, with the same templates, for the tests of readers of files."""

from __future__ import annotations

import csv
import io
import json
import struct

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tests.biometrics.stores.made import MadePeople, drawn_people


def people(dim: int = 64, count: int = 8) -> MadePeople:
    return drawn_people(dim, count, 2)


def subjects(made: MadePeople) -> list[str]:
    return [made.names[i] for i in made.person]


def npy(vectors: NDArray[np.generic]) -> bytes:
    out = io.BytesIO()
    np.save(out, vectors)
    return out.getvalue()


def npz(*, packed: bool = False, **arrays: NDArray[np.generic]) -> bytes:
    out = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(out, **arrays)
    return out.getvalue()


def table(made: MadePeople, kind: pa.DataType) -> pa.Table:
    vectors = made.vectors
    if str(kind).startswith("list<item: half") or "halffloat" in str(kind):
        rows = [list(row) for row in vectors.astype(np.float16)]
    else:
        rows = vectors.tolist()
    ids = [f"t{i}" for i in range(len(vectors))]
    return pa.table({"id": ids, "name": subjects(made), "embedding": pa.array(rows, kind)})


def parquet(made: MadePeople, kind: pa.DataType, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table(made, kind), out, **options)
    return out.getvalue()


def arrow(made: MadePeople, kind: pa.DataType, *, stream: bool = False) -> bytes:
    out = io.BytesIO()
    found = table(made, kind)
    if stream:
        with pa.ipc.new_stream(out, found.schema) as writer:
            writer.write_table(found)
    else:
        feather.write_feather(found, out)
    return out.getvalue()


def safetensors(**tensors: NDArray[np.generic]) -> bytes:
    names = {"float16": "F16", "float32": "F32", "float64": "F64", "int64": "I64", "uint16": "BF16"}
    header: dict[str, object] = {"__metadata__": {"format": "np"}}
    data = b""
    for key, values in tensors.items():
        start = len(data)
        data += values.tobytes()
        header[key] = {
            "dtype": names[values.dtype.name],
            "shape": list(values.shape),
            "data_offsets": [start, len(data)],
        }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def csv_text(rows: list[list[object]], mark: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=mark, lineterminator="\n").writerows(rows)
    return out.getvalue()


def csv_columns(made: MadePeople, mark: str = ",") -> bytes:
    width = made.vectors.shape[1]
    head: list[object] = ["id", "name", *[f"v{i}" for i in range(width)]]
    rows = zip(subjects(made), made.vectors.tolist(), strict=True)
    body = [[f"t{i}", name, *row] for i, (name, row) in enumerate(rows)]
    return csv_text([head, *body], mark).encode()


def csv_cells(made: MadePeople, mark: str = ",") -> bytes:
    rows = zip(subjects(made), made.vectors.tolist(), strict=True)
    body = [[f"t{i}", name, str(row)] for i, (name, row) in enumerate(rows)]
    return csv_text([["id", "name", "embedding"], *body], mark).encode()


def records(made: MadePeople) -> list[dict[str, object]]:
    rows = zip(subjects(made), made.vectors.tolist(), strict=True)
    return [{"id": f"t{i}", "name": name, "embedding": row} for i, (name, row) in enumerate(rows)]


def jsonl(made: MadePeople) -> bytes:
    return "\n".join(json.dumps(record) for record in records(made)).encode()


def valid_files() -> dict[str, bytes]:
    """By form; each reader has one at least."""
    made = people(24, 6)
    names = np.array(subjects(made))
    floats = pa.list_(pa.float32())
    return {
        "npy": npy(made.vectors),
        "npz": npz(embeddings=made.vectors, names=names),
        "npz packed": npz(packed=True, embeddings=made.vectors, names=names),
        "csv": csv_columns(made),
        "csv cells": csv_cells(made),
        "json": json.dumps(records(made)).encode(),
        "json pairs": json.dumps(
            {"encodings": made.vectors.tolist(), "names": subjects(made)}
        ).encode(),
        "jsonl": jsonl(made),
        "parquet": parquet(made, floats),
        "parquet fixed": parquet(made, pa.list_(pa.float64(), 24), compression="none"),
        "arrow": arrow(made, floats),
        "arrow stream": arrow(made, pa.list_(pa.float32(), 24), stream=True),
        "safetensors": safetensors(vectors=made.vectors, labels=made.person.astype(np.int64)),
    }
