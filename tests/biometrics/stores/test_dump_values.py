from __future__ import annotations

import pytest

from biometrics.stores.dump_lexer import Dialect, grammar
from biometrics.stores.dump_schema import Column, columns_of
from biometrics.stores.dump_values import UnreadableValue, copy_converter, sql_converter

# After the table of backslash sequences in PostgreSQL's documentation of COPY.
COPY = [
    (rb"plain", "plain"),
    (rb"\N", None),
    (rb"", ""),
    (rb"\\N", r"\N"),
    (rb"a\Nb", "aNb"),
    (rb"\b\f\n\r\t\v", "\b\f\n\r\t\v"),
    (rb"\101\60\7", "A0\a"),
    (rb"\0601", "01"),
    (rb"\x41\x4a1\xf", "AJ1\x0f"),
    (rb"\xg", "xg"),
    (rb"\\.", r"\."),
    (rb"\\\\", r"\\"),
    (rb"\\t", r"\t"),
    (rb"\q\'", "q'"),
    (b"\xc3\xa9\\303\\251", "éé"),
]


@pytest.mark.parametrize(("written", "value"), COPY)
def test_copy_escapes(written: bytes, value: str | None) -> None:
    assert copy_converter("text", "utf-8")(written) == value


@pytest.mark.parametrize(
    ("written", "value"),
    [(rb"\\x00ff41", b"\0\xffA"), (rb"\\x", b""), (rb"a\\000\\\\b", b"a\0\\b"), (rb"\N", None)],
)
def test_bytea_in_copy(written: bytes, value: bytes | None) -> None:
    assert copy_converter("bytea", "utf-8")(written) == value


def test_hexadecimal_in_copy_is_binary_where_nobody_says_the_type() -> None:
    assert copy_converter("", "utf-8")(rb"\\x4142") == b"AB"
    assert copy_converter("", "utf-8")(rb"\\x4") == r"\x4"
    assert copy_converter("text", "utf-8")(rb"\\x4142") == r"\x4142"


POSTGRESQL = [
    (b"'it''s \\n'", "it's \\n"),
    (rb"E'it\'s\\ \n\x41\101\u00e9\U0001F600'", "it's\\ \nAAé😀"),
    (b"'{0.5,-1}'::real[]", "{0.5,-1}"),
    (b"'x'::character varying", "x"),
    (b"ARRAY[0.5, -1e-05, NULL]", "{0.5,-1e-05,NULL}"),
    (b"ARRAY[[1,2],[3,4]]::double precision[]", "{{1,2},{3,4}}"),
    (b"ARRAY['a''b', 'c\"d']::text[]", '{"a\'b","c\\"d"}'),
    (b"CAST('[1,2]' AS vector(2))", "[1,2]"),
    (b"'\\x00ff'::bytea", b"\0\xff"),
    (b"12", 12),
    (b"-1.5e-3", -0.0015),
    (b"true", True),
    (b"null", None),
    (b"'NaN'", "NaN"),
    (b"2::smallint", 2),
    (b"(7)", 7),
]
MYSQL = [
    (rb"'a\'b\"c\\d\n\r\t\0\Z\%\_\q'", "a'b\"c\\d\n\r\t\0\x1a\\%\\_q"),
    (b"'it''s'", "it's"),
    (b"_binary '\xff\\0\\''", b"\xff\0'"),
    (b"0x00FF", b"\0\xff"),
    (b"X'00ff'", b"\0\xff"),
    (b"_utf8mb4'x'", "x"),
    (b"b'101'", 5),
    (b"NULL", None),
    (b".5", 0.5),
]
SQLITE = [
    (b"X'00FF'", b"\0\xff"),
    (b"'a\\n''b'", "a\\n'b"),
    (rb"replace('a\nb','\n',char(10))", "a\nb"),
    (rb"replace(replace('a\nb\r','\n',char(10)),'\r',char(13))", "a\nb\r"),
    (rb"unistr('a\u000ab\\')", "a\nb\\"),
    (b"9.0e+999", float("inf")),
]


@pytest.mark.parametrize(
    ("engine", "written", "value"),
    [
        (engine, *case)
        for engine, cases in (("postgresql", POSTGRESQL), ("mysql", MYSQL), ("sqlite", SQLITE))
        for case in cases
    ],
)
def test_literals(engine: str, written: bytes, value: object) -> None:
    found = sql_converter("text", "utf-8", engine, engine == "mysql")(b" " + written + b"\n")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "written",
    [
        b"'x",
        b"0x0",
        b"X'0g'",
        b"now()",
        b"(SELECT 1)",
        b"load_file('/etc/passwd')",
        b"replace('aaa','a','" + b"b" * 100 + b"')",
        b"char(9999999999)",
        b"char('x')",
        b"1_0",
        b"",
        b"'a' || 'b'",
        b"@x",
        b"CAST(x",
        b"ARRAY[now()]",
    ],
)
@pytest.mark.parametrize("engine", ["postgresql", "mysql", "sqlite"])
def test_nothing_else_is_evaluated(engine: str, written: bytes) -> None:
    with pytest.raises(UnreadableValue):
        sql_converter("text", "utf-8", engine, engine == "mysql")(written)


def test_plain_strings_of_binary_columns_are_bytes() -> None:
    assert sql_converter("longblob", "utf-8", "mysql", True)(b"'\xff\\''") == b"\xff'"
    assert sql_converter("varbinary(42)", "utf-8", "mysql", True)(b"'a'") == b"a"
    assert sql_converter("bytea", "utf-8", "postgresql", False)(b"'\\x41'") == b"A"


def test_columns_of_the_three_engines() -> None:
    postgresql = (
        b'(\n    "faceId" uuid NOT NULL,\n    embedding public.vector(512),\n    key text,\n'
        b"    score double precision[] DEFAULT '{}'::double precision[],\n"
        b"    at timestamp with time zone DEFAULT now() NOT NULL,\n"
        b"    n numeric(3,1) CHECK ((n > (0)::numeric)),\n    CONSTRAINT c CHECK ((1 > 0))\n);"
    )
    mysql = (
        b"(\n  `id` int(11) unsigned NOT NULL AUTO_INCREMENT,\n"
        b"  `key` varbinary(42) DEFAULT 'a,)b' COMMENT 'x, (y',\n"
        b"  `e` enum('a','b)') CHARACTER SET utf8mb4,\n"
        b"  `g` int(11) GENERATED ALWAYS AS (1) STORED,\n"
        b"  PRIMARY KEY (`id`),\n  KEY `k` (`key`),\n  FULLTEXT KEY `f` (`e`)\n) ENGINE=InnoDB;"
    )
    sqlite = b'(id INTEGER PRIMARY KEY, [odd name] TEXT, -- it\'s (\n bare, "v" BLOB /* ) */)'

    def columns(body: bytes, engine: str) -> list[Column]:
        dialect = Dialect(engine, "", engine == "mysql")
        return columns_of(body, dialect, grammar(engine, engine == "mysql"), 100)

    found = {column.name: column.declared for column in columns(postgresql, "postgresql")}
    assert found == {
        "faceId": "uuid",
        "embedding": "public.vector(512)",
        "key": "text",
        "score": "double precision[]",
        "at": "timestamp with time zone",
        "n": "numeric(3,1)",
    }
    found = {column.name: column.declared for column in columns(mysql, "mysql")}
    assert found == {
        "id": "int(11) unsigned",
        "key": "varbinary(42)",
        "e": "enum('a','b)')",
        "g": "int(11)",
    }
    assert [column.generated for column in columns(mysql, "mysql")] == [False, False, False, True]
    assert [(c.name, c.declared) for c in columns(sqlite, "sqlite")] == [
        ("id", "INTEGER"),
        ("odd name", "TEXT"),
        ("bare", ""),
        ("v", "BLOB"),
    ]
