"""Files that claim more than they hold, or unpack to far too much: one line, little memory."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biometrics.errors import FaceleakError, InputError, StoreError
from biometrics.stores.base import open_store
from biometrics.stores.limits import DEFAULT_LIMITS, MIB
from tests.biometrics.stores import readers_files as files

MADE = files.people()


def read(path, limits=DEFAULT_LIMITS):
    """Rows that were read, in little memory, and the tally."""
    tracemalloc.start()
    try:
        with open_store(str(path), limits) as store:
            return sum(map(len, store.batches())), store.tally
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 128 * MIB


def refused(path, data, match, limits=DEFAULT_LIMITS):
    path.write_bytes(data)
    with pytest.raises(FaceleakError, match=match) as caught:
        read(path, limits)
    assert "\n" not in str(caught.value)


def npy_claiming(shape, dtype="<f4", *, fortran=False, size=4096):
    header = f"{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}, }}"
    text = header.ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(size)


def test_npy_that_claims_billions_of_rows(tmp_path):
    (tmp_path / "a").write_bytes(npy_claiming((10**10, 512)))
    count, tally = read(tmp_path / "a")
    assert (count, tally.lost) == (2, 10**10 - 2)
    refused(tmp_path / "b", npy_claiming((10**10, 512), size=8), "of which none is there")
    refused(tmp_path / "c", npy_claiming((10**10, 512), fortran=True), "of which none is there")
    refused(tmp_path / "d", npy_claiming((10**30, 512)), "damaged|holds no")
    refused(tmp_path / "e", npy_claiming((2, 10**9)), "templates of 1,000,000,000 numbers")


def test_npy_in_gzip_that_claims_billions_of_rows(tmp_path):
    (tmp_path / "a").write_bytes(gzip.compress(npy_claiming((10**10, 512))))
    assert read(tmp_path / "a")[0] == 2
    refused(tmp_path / "b", gzip.compress(npy_claiming((10**9, 512), fortran=True)), "in C order")


def test_npy_with_a_huge_header(tmp_path):
    data = b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{" * 4096
    refused(tmp_path / "a", data, "its header claims 4,294,967,295 bytes")


def test_gzip_bomb(tmp_path):
    zeros = npy_claiming((10**6, 512), size=0) + bytes(96 * MIB)
    refused(tmp_path / "a", gzip.compress(zeros, 9), "unpacks to more than 6. MiB; that is no dump")


def test_zip_bomb(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("arr_0.npy", npy_claiming((49152, 512), size=96 * MIB))
    refused(tmp_path / "a", out.getvalue(), "unpacks to 96 MiB; that is no template")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_of_other_methods(method, tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        packed.writestr("arr_0.npy", files.npy(MADE.vectors))
    refused(tmp_path / "a", out.getvalue(), "packed in a way that NumPy does not write")


def test_npz_with_a_claim_of_many_names(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("emb.npy", npy_claiming((10**9, 64)))
        packed.writestr("names.npy", npy_claiming((10**9,), "<U1000"))
    (tmp_path / "a").write_bytes(out.getvalue())
    count, tally = read(tmp_path / "a")
    assert (count, tally.lost) == (16, 10**9 - 16)


def test_safetensors_that_claim_more_than_there_is(tmp_path):
    def made(**entry):
        text = json.dumps({"emb": {"dtype": "F32", **entry}}).encode()
        return struct.pack("<Q", len(text)) + text + bytes(4 * 64 * 3)

    (tmp_path / "a").write_bytes(made(shape=[10**9, 64], data_offsets=[0, 4 * 64 * 10**9]))
    count, tally = read(tmp_path / "a")
    assert (count, tally.lost) == (3, 10**9 - 3)
    refused(tmp_path / "b", made(shape=[9, 64], data_offsets=[0, 8]), "do not fit each other")
    refused(tmp_path / "c", made(shape=[2, 64], data_offsets=[-512, 0]), "do not fit each other")
    refused(tmp_path / "d", struct.pack("<Q", 90 * MIB) + b"{" * 100, "header claims 90 MiB")
    deep = b"[" * 100_000
    refused(tmp_path / "e", struct.pack("<Q", len(deep) + 5) + b'{"a":' + deep, "nested too deeply")


def test_parquet_that_claims_billions_of_rows(tmp_path):
    data = files.parquet(MADE, pa.list_(pa.float32()))
    size = struct.unpack("<I", data[-8:-4])[0]
    footer = data[-8 - size : -8]
    # Field 3 of the footer, 16 rows as a zigzag varint, becomes ten to the ninth.
    place = footer.index(b"\x16\x20\x19")
    claim = b"\x16\x80\xa8\xd6\xb9\x07\x19"
    footer = footer[:place] + claim + footer[place + 3 :]
    (tmp_path / "a").write_bytes(
        data[: -8 - size] + footer + struct.pack("<I", len(footer)) + data[-4:]
    )
    assert pq.ParquetFile(tmp_path / "a").metadata.num_rows == 10**9
    assert read(tmp_path / "a")[0] == 16


def test_parquet_with_rows_of_far_too_many_numbers(tmp_path):
    flat = pa.array(np.zeros(4_000_000, np.float32))
    rows = pa.ListArray.from_arrays(pa.array([0, 2_000_000, 4_000_000], pa.int32()), flat)
    pq.write_table(pa.table({"embedding": rows}), tmp_path / "a", compression="zstd")
    count, tally = read(tmp_path / "a")
    assert (count, tally.lost) == (0, 2)


def test_cells_of_ten_megabytes(tmp_path):
    lines = files.csv_cells(MADE).decode().splitlines()
    lines[4] = 't3,Ann,"[' + "0.1, " * (2 * MIB) + '0.1]"'
    lines[7] = 't6,Ann,"' + "x" * (10 * MIB) + '"'
    (tmp_path / "a").write_text("\n".join(lines))
    with open_store(str(tmp_path / "a")) as store:  # tracing its memory takes a minute
        assert sum(map(len, store.batches())) == 14
        assert store.tally.lost == 2


def test_a_quote_that_does_not_end(tmp_path):
    text = files.csv_columns(MADE).decode().replace("t9,", 't9,"')
    (tmp_path / "a").write_text(text)
    count, tally = read(tmp_path / "a")
    assert count == 9
    assert tally.lost >= 1


def test_a_line_of_json_that_does_not_end(tmp_path):
    lines = files.jsonl(MADE).splitlines()
    lines[3] = b'{"embedding": [' + b"0.5," * MIB + b"]}"
    (tmp_path / "a").write_bytes(b"\n".join(lines))
    count, tally = read(tmp_path / "a", replace(DEFAULT_LIMITS, cell=MIB))
    assert count == 15
    assert tally.unreadable == {"is longer than 1 MiB": 1}


@pytest.mark.parametrize("start", [b"[", b'{"a":', b'[{"vector":'])
def test_json_that_is_nested_deeply(start, tmp_path):
    refused(tmp_path / "a", start * 100_000, "nested too deeply for JSON")
    (tmp_path / "b").write_bytes(files.jsonl(MADE) + b"\n" + start * 100_000)
    count, tally = read(tmp_path / "b")
    assert (count, tally.unreadable) == (16, {"is no JSON": 1})


def test_json_that_is_larger_than_what_is_parsed_whole(tmp_path):
    (tmp_path / "a").write_text(json.dumps(MADE.vectors.tolist()))
    with pytest.raises(InputError, match="is larger than 0 MiB"):
        read(tmp_path / "a", replace(DEFAULT_LIMITS, whole=1000))


def test_rows_that_each_have_a_length_of_their_own(tmp_path):
    rows = [[0.5] * n for n in range(16, 216)]
    (tmp_path / "a").write_text(json.dumps(rows))
    count, tally = read(tmp_path / "a")
    assert count == 1
    assert tally.lost == 199


def test_no_error_says_what_a_file_holds(tmp_path):
    for name, data in files.valid_files().items():
        path = tmp_path / name.replace(" ", "_")
        for end in range(20, len(data), max(1, len(data) // 12)):
            path.write_bytes(data[:end])
            try:
                with open_store(str(path)) as store:
                    said = repr((list(store.batches()) and None, store.tally, store.facts))
            except StoreError as error:
                said = str(error)
            assert "O'Neil" not in said
