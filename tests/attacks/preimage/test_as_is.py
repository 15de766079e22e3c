from __future__ import annotations

import numpy as np
import pytest

from attacks.preimage.base import Population, preimages_of
from biometrics.errors import InputError
from biometrics.protection.base import make_scheme
from tests.biometrics.protection.crowd import DIM, crowd

LEAKED = crowd(20, 2).vectors


@pytest.mark.parametrize("name", ["average", "ckks", "disentangle"])
def test_what_is_stored_is_a_template(name: str) -> None:
    scheme = make_scheme(name, {}, DIM, "l2")
    (kind,) = preimages_of(name).values()
    records = np.stack([LEAKED, LEAKED[::-1]], axis=1)
    attack = kind(scheme, Population.of(LEAKED))
    found = attack.recover(records, np.zeros((20, 2), dtype=np.int64))
    np.testing.assert_array_equal(found, LEAKED)
    assert not np.shares_memory(found, records)
    with pytest.raises(InputError, match="expected protected templates"):
        attack.recover(records, np.zeros(20, dtype=np.int64))
