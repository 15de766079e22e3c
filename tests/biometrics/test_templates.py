from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from biometrics.errors import InputError
from biometrics.templates import TemplateSet, check_finite


def templates(n: int = 4, d: int = 3) -> TemplateSet:
    table = pd.DataFrame(
        {
            "template_id": [f"t{i}" for i in range(n)],
            "subject_id": ["", "Zoë", "a|b", "Zoë"][:n],
        },
        dtype=str,
    )
    vectors = np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)
    return TemplateSet(vectors, table, "dlib", False, "two “folders”")


@pytest.mark.parametrize("n", [4, 1, 0])
def test_templates_come_back_as_they_were_saved(tmp_path: Path, n: int) -> None:
    before = templates(n)
    before.save(tmp_path / "t.parquet")
    after = TemplateSet.load(tmp_path / "t.parquet")
    assert after.vectors.dtype == np.float32
    np.testing.assert_array_equal(after.vectors, before.vectors)
    assert after.vectors.shape == (n, 3)
    assert after.table.to_dict("list") == before.table.to_dict("list")
    assert (after.backbone, after.normalised, after.source) == ("dlib", False, "two “folders”")
    assert len(after) == n
    assert after.subject_ids.tolist() == before.table["subject_id"].tolist()


def test_loaded_vectors_may_be_handed_to_torch(tmp_path: Path) -> None:
    templates().save(tmp_path / "t.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns of memory that may not be written
        torch.from_numpy(TemplateSet.load(tmp_path / "t.parquet").vectors)


def test_other_tools_can_read_the_file(tmp_path: Path) -> None:
    templates().save(tmp_path / "t.parquet")
    table = pq.read_table(tmp_path / "t.parquet")
    assert table.column_names == ["template_id", "subject_id", "vector"]
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 3)
    expected = templates().vectors[2].tolist()
    assert pd.read_parquet(tmp_path / "t.parquet")["vector"][2].tolist() == expected


def test_taking_rows_keeps_their_order() -> None:
    some = templates().take([3, 0])
    assert some.table["template_id"].tolist() == ["t3", "t0"]
    assert some.table.index.tolist() == [0, 1]
    np.testing.assert_array_equal(some.vectors, templates().vectors[[3, 0]])
    assert some.backbone == "dlib"


def test_shapes_that_disagree_are_refused() -> None:
    good = templates()
    with pytest.raises(InputError, match=r"\[N, D\] with one table row each, got \[3, 3\] and 4"):
        TemplateSet(good.vectors[:3], good.table, "dlib", False, "")
    with pytest.raises(InputError, match=r"got \[12\]"):
        TemplateSet(good.vectors.reshape(-1), good.table, "dlib", False, "")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_counted_and_refused(value: float) -> None:
    good = templates()
    vectors = good.vectors.copy()
    vectors[1, 2] = vectors[3, 0] = vectors[3, 1] = value
    expected = r"^2 of 4 templates hold NaN or infinite values \(first: row 1\); drop these"
    with pytest.raises(InputError, match=expected):
        TemplateSet(vectors, good.table, "dlib", False, "")
    with pytest.raises(InputError, match=expected):
        check_finite(vectors)
    check_finite(good.vectors)


def test_files_that_are_no_templates_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with pytest.raises(InputError, match="not a readable Parquet file"):
        TemplateSet.load(path)
    path.write_text("not Parquet at all")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        TemplateSet.load(path)
    templates().save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="not a readable Parquet file"):
        TemplateSet.load(path)
    pd.DataFrame({"vector": [[1.0], [2.0]]}).to_parquet(path)
    with pytest.raises(InputError, match="holds no templates written by faceleak"):
        TemplateSet.load(path)


@pytest.mark.parametrize("about", [b"{}", b"null", b"[]", b"{not json", b'{"backbone": "x"}'])
def test_damaged_notes_in_a_file_are_refused(tmp_path: Path, about: bytes) -> None:
    path = tmp_path / "t.parquet"
    templates().save(path)
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"faceleak": about}), path)
    with pytest.raises(InputError, match="holds no templates written by faceleak"):
        TemplateSet.load(path)


def test_vectors_of_different_lengths_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    templates().save(path)
    table = pq.read_table(path)
    ragged = pa.array([[1.0], [1.0, 2.0], [], [3.0]], pa.list_(pa.float32()))
    at = table.column_names.index("vector")
    pq.write_table(table.set_column(at, "vector", ragged), path)
    with pytest.raises(InputError, match="holds no templates written by faceleak"):
        TemplateSet.load(path)
