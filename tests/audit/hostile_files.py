"""Files as an attacker makes them, one function each, by the name of what it tries."""

from __future__ import annotations

import gzip
import io
import json
import os
import sqlite3
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from biometrics.stores.limits import MIB
from tests.biometrics.stores import readers_files as files
from tests.biometrics.stores.dumps import pg_dump
from tests.biometrics.stores.exploits import exploits
from tests.biometrics.stores.made import MadeTable

EVIL = 'x\'; DROP TABLE "y"; --\x1b[31mred\x1b]0;title\x07\n\r\u202e\x9b2J`$(touch pwned)'
"""A name that a shell, SQL or a terminal would obey."""

MADE = files.people(64)
VECTOR_SQL = 'CREATE TABLE public.face_search ("faceId" uuid, embedding public.vector(64));\n'
HEAD_SQL = "--\n-- PostgreSQL database dump\n--\n\n" + VECTOR_SQL


@dataclass(frozen=True)
class Attack:
    """What is tried.

    Attributes:
        make: writes it to a path.
        codes: exit codes that are right.
        says: a pattern of the line about it; empty where none is printed.
    """

    make: Callable[[Path], object]
    codes: tuple[int, ...] = (2,)
    says: str = ""


ATTACKS: dict[str, Attack] = {}
SLOW: dict[str, Attack] = {}


def attack(
    says: str = "", codes: tuple[int, ...] = (2,), *, slow: bool = False
) -> Callable[[Callable[[Path], object]], Callable[[Path], object]]:
    """Decorator: enters a function under its own name."""

    def enter(make: Callable[[Path], object]) -> Callable[[Path], object]:
        (SLOW if slow else ATTACKS)[make.__name__.replace("_", " ")] = Attack(make, codes, says)
        return make

    return enter


def npy_head(shape: str, dtype: str = "<f4") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(f"{name}.npy", data)
    return out.getvalue()


@attack("that is no template")
def zip_bomb_as_npz(path: Path) -> None:
    path.write_bytes(zipped(a=npy_head("(65536, 512)") + bytes(128 * MIB)))


@attack("", (2, 4))
def zip_whose_member_is_longer_than_it_says(path: Path) -> None:
    data = bytearray(zipped(a=npy_head("(99, 64)") + bytes(64 * MIB)))
    place = data.index(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<I", 1000)
    path.write_bytes(data)


@attack("at most 10,000 are read")
def zip_of_very_many_members(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        for number in range(10_001):
            packed.writestr(f"{number}.npy", b"")


@attack("unpacks to more than", (4,))
def gzip_bomb(path: Path) -> None:
    head = npy_head("(1000000, 512)")
    path.write_bytes(gzip.compress(head + bytes(128 * MIB), 6))


@attack("unpacks to more than")
def gzip_bomb_of_sql(path: Path) -> None:
    line = b"a\t[" + b",".join([b"1"] * 4000) + b"]\n"
    copy = b'COPY public.face_search ("faceId", embedding) FROM stdin;\n'
    data = HEAD_SQL.encode() + copy + line * (96 * MIB // len(line))
    path.write_bytes(gzip.compress(data, 6))


@attack("of which none is there")
def npy_of_a_trillion_rows(path: Path) -> None:
    path.write_bytes(npy_head("(1000000000000, 512)") + bytes(8))


@attack("cannot be read: coverage 0.000", (4,))
def npy_of_a_trillion_rows_with_two(path: Path) -> None:
    path.write_bytes(npy_head("(1000000000000, 512)") + bytes(4096))


@attack("", (0,))
def npy_of_the_other_byte_order(path: Path) -> None:
    np.save(path.with_suffix(".npy"), MADE.vectors.astype(">f4"))
    path.with_suffix(".npy").rename(path)


@attack("objects|Python")
def npy_of_objects(path: Path) -> None:
    made = np.array([{"a": 1}, exploits], dtype=object)
    with path.open("wb") as file:
        np.save(file, made, allow_pickle=True)


@attack("16 rows|999,999,984 of 1,000,000,000 rows", (4,))
def parquet_that_claims_a_billion_rows(path: Path) -> None:
    data = files.parquet(MADE, pa.list_(pa.float32()))
    size = struct.unpack("<I", data[-8:-4])[0]
    footer = data[-8 - size : -8].replace(b"\x16\x20\x19", b"\x16\x80\xa8\xd6\xb9\x07\x19", 1)
    path.write_bytes(data[: -8 - size] + footer + struct.pack("<I", len(footer)) + b"PAR1")


@attack("damaged|cannot be read")
def parquet_whose_footer_claims_gigabytes(path: Path) -> None:
    data = files.parquet(MADE, pa.list_(pa.float32()))
    path.write_bytes(data[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1")


@attack("", (2, 4))
def arrow_whose_body_claims_gigabytes(path: Path) -> None:
    data = files.arrow(MADE, pa.list_(pa.float32(), 64), stream=True)
    size = struct.pack("<q", 16 * 64 * 4)
    path.write_bytes(data.replace(size, struct.pack("<q", 2**40)))


@attack("without a table of templates|cannot be read")
def sqlite_with_a_view_without_end(path: Path) -> None:
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
    base = sqlite3.connect(path)
    base.execute(
        f'CREATE VIEW face_search AS {endless} SELECT x AS "faceId", '
        "zeroblob(1000000000) AS embedding FROM c"
    )
    base.close()


@attack("", (0,))
def sqlite_with_triggers_and_evil_names(path: Path) -> None:
    quoted = EVIL.replace('"', '""')
    base = sqlite3.connect(path)
    base.execute(f'CREATE TABLE "{quoted}" ("{quoted} id" TEXT, "{quoted} embedding" BLOB)')
    rows = [(EVIL, v.tobytes()) for v in MADE.vectors]
    base.executemany(f'INSERT INTO "{quoted}" VALUES (?, ?)', rows)
    base.execute(
        f'CREATE TRIGGER t AFTER INSERT ON "{quoted}" BEGIN SELECT load_extension("x"); END'
    )
    base.commit()
    base.close()


@attack("", (0,))
def dump_with_evil_names(path: Path) -> None:
    rows = [(EVIL, vector.tolist()) for vector in MADE.vectors]
    data = pg_dump([MadeTable("evil_t", {"id": "text", "embedding": "real[]"}, list(rows))])
    name = '"' + EVIL.replace('"', '""') + '"'
    path.write_bytes(data.replace(b"public.evil_t", f"public.{name}".encode()))


def _unterminated(path: Path, megabytes: int) -> None:
    with path.open("wb") as file:
        file.write(HEAD_SQL.encode() + b"INSERT INTO face_search VALUES ('")
        for _ in range(megabytes):
            file.write(b"0123456789abcdef" * (MIB // 16))


@attack("", (2, 4))
def dump_with_a_string_without_end(path: Path) -> None:
    _unterminated(path, 20)


@attack("", (2, 4), slow=True)
def dump_with_100_megabytes_of_string_without_end(path: Path) -> None:
    _unterminated(path, 100)


def _utf16(path: Path, encoding: str) -> None:
    rows = [(str(i), vector.tolist()) for i, vector in enumerate(MADE.vectors)]
    table = MadeTable("faces", {"id": "text", "embedding": "real[]"}, list(rows))
    path.write_bytes(pg_dump([table]).decode().encode(encoding))


@attack("", (0,))
def dump_in_utf_16(path: Path) -> None:
    _utf16(path, "utf-16")


@attack("", (0,))
def dump_in_utf_16_without_a_mark(path: Path) -> None:
    _utf16(path, "utf-16-le")


@attack("", (0,))
def dump_in_big_endian_utf_16_without_a_mark(path: Path) -> None:
    _utf16(path, "utf-16-be")


@attack("nested too deeply")
def json_nested_a_million_deep(path: Path) -> None:
    path.write_bytes(b"[" * 10**6)


@attack("nested too deeply|damaged|no JSON")
def json_objects_nested_a_million_deep(path: Path) -> None:
    path.write_bytes(b'{"a":' * 10**6)


@attack("damaged|no lists of numbers")
def json_of_one_long_number(path: Path) -> None:
    path.write_bytes(b"[" + b"7" * (20 * MIB) + b"]")


@attack()
def json_of_one_long_string(path: Path) -> None:
    path.write_bytes(b'["' + b"a" * (20 * MIB) + b'"]')


def _long(path: Path, begin: bytes, fill: bytes, end: bytes) -> None:
    with path.open("wb") as file:
        file.write(begin)
        for _ in range(500):
            file.write(fill * MIB)
        file.write(end)


@attack(slow=True)
def json_of_a_number_of_500_megabytes(path: Path) -> None:
    _long(path, b"[0.", b"7", b"]")


@attack(slow=True)
def json_of_a_string_of_500_megabytes(path: Path) -> None:
    _long(path, b'["', b"a", b'"]')


@attack(slow=True)
def json_of_many_short_lists(path: Path) -> None:
    _long(path, b"[[", b"],[", b"]]")


@attack("", (0,))
def json_with_evil_names(path: Path) -> None:
    path.write_text(json.dumps({EVIL: MADE.vectors.tolist(), EVIL + "names": [EVIL] * 16}))


@attack("", (0,))
def parquet_with_evil_names(path: Path) -> None:
    table = files.table(MADE, pa.list_(pa.float32()))
    pq.write_table(table.rename_columns([EVIL + "id", EVIL + "name", EVIL]), path)


@attack("", (0,))
def npz_with_evil_names(path: Path) -> None:
    name = EVIL.replace("\n", "")
    path.write_bytes(zipped(**{name: files.npy(MADE.vectors)}))


@attack("", (0,))
def csv_with_a_name_of_10_megabytes(path: Path) -> None:
    lines = files.csv_columns(MADE).splitlines()
    lines[3] = b"t," + b"x" * (10 * MIB) + b",1" * 64
    path.write_bytes(b"\n".join(lines))


@attack("1 of 16 rows", (4,))
def csv_with_a_number_of_10_megabytes(path: Path) -> None:
    lines = files.csv_columns(MADE).splitlines()
    lines[3] = b"t,x," + b"x" * (10 * MIB) + b",1" * 63
    path.write_bytes(b"\n".join(lines))


@attack("", (2, 4))
def csv_of_a_million_columns(path: Path) -> None:
    path.write_bytes((b"0.5," * (10**6 - 1) + b"1\n") * 2)


@attack("", (0,))
def csv_with_evil_names(path: Path) -> None:
    made = [["id", EVIL], *[[EVIL, str(v.tolist())] for v in MADE.vectors]]
    path.write_text(files.csv_text(made), newline="")


@attack("a pipe or a device")
def a_pipe(path: Path) -> None:
    os.mkfifo(path)


@attack("a pipe or a device")
def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@attack("no such file|symbolic")
def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


@attack("empty")
def an_empty_file(path: Path) -> None:
    path.touch()


@attack("empty folder")
def an_empty_folder(path: Path) -> None:
    path.mkdir()


@attack("nothing in it")
def a_folder_without_templates(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("nothing here")
    os.mkfifo(path / "pipe")
    (path / "loop").symlink_to(path)


@attack("", (0,))
def a_folder_with_a_loop_and_a_pipe(path: Path) -> None:
    path.mkdir()
    (path / "loop").symlink_to(path, target_is_directory=True)
    (path / "zero").symlink_to("/dev/zero")
    os.mkfifo(path / "pipe.npy")
    np.save(path / "a.npy", MADE.vectors)


@attack("", (0,))
def a_folder_with_evil_names(path: Path) -> None:
    path.mkdir()
    for number, vector in enumerate(MADE.vectors):
        name = EVIL.replace("/", "")[:60] + f"{number // 2}_{number % 2}.npy"
        np.save(path / name, vector)


def _many_files(path: Path, count: int) -> None:
    path.mkdir()
    data = files.npy(MADE.vectors[0])
    for number in range(count):
        (path / f"p{number // 2}_{number % 2}.npy").write_bytes(data)


@attack("", (0,))
def a_folder_of_2_000_files(path: Path) -> None:
    _many_files(path, 2000)


@attack("", (0,), slow=True)
def a_folder_of_100_000_files(path: Path) -> None:
    _many_files(path, 100_000)


def _cut(form: str, data: bytes) -> None:
    for part in (0.1, 0.5, 0.9):
        piece = data[: int(len(data) * part)]
        name = f"{form} cut at {part:.0%}"
        ATTACKS[name] = Attack(lambda path, piece=piece: path.write_bytes(piece), (0, 2, 4))


for _name, (_data, _global) in exploits(Path("pwned")).items():
    ATTACKS[f"pickle: {_name}"] = Attack(lambda path, data=_data: path.write_bytes(data))

for _form, _data in files.valid_files().items():
    _cut(_form, _data)
