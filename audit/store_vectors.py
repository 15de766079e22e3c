"""All templates of a store in memory, in its own order, for an attack that stands alone."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import InputError, StoreError
from biometrics.stores.base import Store
from biometrics.stores.batch import Collection
from biometrics.templates import check_finite


def read_vectors(store: Store, dim: int | None) -> NDArray[np.float32]:
    """The templates of a store that have as many values as an attack takes.

    Args:
        store: opened.
        dim: D of the attack's backbone; None where the attack's record does not say.

    Returns:
        Templates [N, D], in the order of the store; single ones, or means where there are no
        others.

    Raises:
        InputError: other lengths, several collections of this one, rows that cannot be read, or
            NaN and infinite values.
    """
    name = store.source.name
    kept: dict[Collection, list[NDArray[np.float32]]] = defaultdict(list)
    there: set[int] = set()
    for batch in store.batches():
        there.add(batch.collection.dim)
        if dim in (None, batch.collection.dim):
            kept[batch.collection].append(batch.vectors)
    if store.tally.lost:
        raise InputError(
            f"{name}: {store.tally.lost:,} rows cannot be read "
            f"({'; '.join(store.tally.examples[:3])}); faceleak audit --store takes the others"
        )
    if not there:
        raise StoreError(f"{name} holds no templates")
    if not kept:
        lengths = ", ".join(map(str, sorted(there)))
        raise InputError(
            f"{name}: the attack was fitted on templates of {dim} values, got {lengths}"
        )
    fitting = [found for found in kept if not found.mean] or list(kept)
    if len(fitting) > 1:
        names = ", ".join(found.name for found in fitting[:5])
        raise InputError(
            f"{name} holds {len(fitting)} collections of templates ({names}); faceleak audit "
            "--store --set collection=NAME takes one of them"
        )
    vectors = np.concatenate(kept[fitting[0]])
    try:
        check_finite(vectors)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return vectors
