from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from biometrics.errors import InputError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.stream import in_batches, write_faces


def test_batches_come_back_as_one_set(synthetic: FaceSet, tmp_path: Path) -> None:
    sizes = [len(batch) for batch in in_batches(synthetic, 25)]
    assert sizes == [25, 25, 10]
    made = write_faces(in_batches(synthetic, 25), tmp_path)
    assert isinstance(made.crops, np.memmap)
    np.testing.assert_array_equal(made.crops, synthetic.crops)
    np.testing.assert_array_equal(made.landmarks, synthetic.landmarks)
    assert made.table.equals(synthetic.table)


def test_columns_that_some_lack_are_empty_there(synthetic: FaceSet, tmp_path: Path) -> None:
    first, second = synthetic.take([0]), synthetic.take([1, 2])
    named = FaceSet(second.crops, second.landmarks, second.table.assign(parent="p", weight=0.5))
    table = write_faces([first, first.take([]), named], tmp_path).table
    assert table["parent"].isna().tolist() == [True, False, False]
    assert table["weight"].isna().tolist() == [True, False, False]


def test_nothing_to_write_is_an_error(synthetic: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing was left to train on"):
        write_faces([synthetic.take([])], tmp_path)
