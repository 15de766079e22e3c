"""What a store holds, measured in one pass over its templates; memory stays flat.

Identifiers and names are only counted. The sample of templates stays in memory and is not part of
:meth:`Inspection.as_record`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import FaceleakError
from biometrics.progress import Advance, silent
from biometrics.stores.base import Store, StoreFacts
from biometrics.stores.batch import Collection, StoreBatch, Tally
from biometrics.stores.grids import Grids, grids_of
from biometrics.stores.measuring import UNIT, CollectionPass, Extent, group_sizes, row_lengths

KEEP = 20_000
"""Rows of a collection that its backbone is recognised by."""

SAMPLE_BYTES = 96 << 20
"""What the samples of all collections may take; a first one gets half of it, a next one half of the
rest."""

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)


@dataclass(frozen=True)
class Spread:
    """Finite numbers in short; every value is None of no numbers.

    Attributes:
        count: how many.
        mean, std, low, high: of all of them.
        percentiles: by per cent, such as ``50``; of the sample.
    """

    count: int
    mean: float | None
    std: float | None
    low: float | None
    high: float | None
    percentiles: dict[str, float]


@dataclass(frozen=True, eq=False)
class CollectionFigures:
    """What one collection holds.

    Attributes:
        collection: which.
        rows: templates read, sound or not.
        nan, infinite: rows with such values (a row with both counts as NaN).
        zero: rows of nothing but zero.
        constant: rows of one value other than zero.
        duplicates: finite rows other than zero that equal an earlier one.
        norms: lengths of the finite rows other than zero.
        low, high: smallest and largest value of the finite rows; None where there is none.
        non_negative: share of the finite rows other than zero without a negative value.
        unit: share of these with a length within .001 of 1.
        grids: how coarsely they are stored, looked at in the sample; None without one.
        subjects: distinct subjects.
        without_subject: rows of which the store says no subject.
        single: subjects with one template.
        several: subjects with two or more.
        most: templates of the subject with the most.
        names: distinct names of people.
        sample: float32 [n, D], finite rows other than zero, drawn at random, in the store's order.
        sample_subjects: whose they are [n]; None where the store does not say.
    """

    collection: Collection
    rows: int
    nan: int
    infinite: int
    zero: int
    constant: int
    duplicates: int
    norms: Spread
    low: float | None
    high: float | None
    non_negative: float
    unit: float
    grids: Grids | None
    subjects: int
    without_subject: int
    single: int
    several: int
    most: int
    names: int
    sample: NDArray[np.float32]
    sample_subjects: tuple[str | None, ...]

    @property
    def sound(self) -> int:
        """Finite rows other than zero."""
        return self.norms.count

    @property
    def min_max_scaled(self) -> bool:
        """Whether all values lie in [0, 1] and both ends are reached, in each row or over all; a
        template of length 1 that has no negative value is not meant."""
        if self.low is None or self.high is None or self.grids is None:
            return False
        whole = abs(self.low) < 1e-6 and abs(self.high - 1) < 1e-6
        return self.grids.row_min_max > 0.99 or (whole and self.unit < 0.5)

    @property
    def means_of_unit(self) -> bool:
        """Whether lengths lie below 1 as those of means of unit templates do: all from .7 to 1, of
        a mean clearly below it."""
        norms = self.norms
        if norms.mean is None or norms.low is None or norms.high is None:
            return False
        return norms.low > 0.7 and norms.high < 1 + UNIT and 0.8 < norms.mean < 0.985

    def as_record(self) -> dict[str, Any]:
        """Without the sample."""
        kept = {name: value for name, value in vars(self).items() if not name.startswith("sample")}
        return {
            **asdict(self.collection),
            **{name: value for name, value in kept.items() if name != "collection"},
            "norms": asdict(self.norms),
            "grids": None if self.grids is None else asdict(self.grids),
            "min_max_scaled": self.min_max_scaled,
            "means_of_unit": self.means_of_unit,
            "sampled": len(self.sample),
        }


@dataclass(frozen=True, eq=False)
class Inspection:
    """What a store holds.

    Attributes:
        source: the file's, folder's or database's name.
        facts: what its reader knows of it.
        collections: in the order in which they came.
        tally: what could not be read.
        broken: why the rest could not be read at all, or empty.
        seed: of the samples.
    """

    source: str
    facts: StoreFacts
    collections: tuple[CollectionFigures, ...]
    tally: Tally
    broken: str
    seed: int

    @property
    def rows(self) -> int:
        """Templates read."""
        return sum(found.rows for found in self.collections)

    @property
    def coverage(self) -> float:
        """Share of the rows that should give a template and did, as far as they could be counted;
        of a store that could not be read to its end, that of the part before."""
        return self.tally.coverage

    @property
    def main(self) -> CollectionFigures | None:
        """The collection with the most sound rows; of single templates before means."""
        return max(
            self.collections,
            key=lambda found: (found.sound > 0, not found.collection.mean, found.sound),
            default=None,
        )

    def as_record(self) -> dict[str, Any]:
        """For JSON: counts and figures, never an identifier, a name or a template.

        Keys: ``source``; ``store`` (the fields of :class:`StoreFacts`); ``rows``; ``coverage``;
        ``read``, ``empty``, ``unreadable`` (by reason) and ``examples`` of the tally; ``broken``;
        ``seed``; ``collections``, each with the fields of :class:`Collection` (``name``, ``dim``,
        ``stored_as``, ``mean``, ``model``) and of :class:`CollectionFigures`.
        """
        facts = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self.facts).items()
        }
        facts["rows"], facts["pictures"] = dict(self.facts.rows), dict(self.facts.pictures)
        return {
            "source": self.source,
            "store": facts,
            "rows": self.rows,
            "coverage": self.coverage,
            "read": self.tally.read,
            "empty": self.tally.empty,
            "unreadable": dict(self.tally.unreadable),
            "examples": list(self.tally.examples),
            "broken": self.broken,
            "seed": self.seed,
            "collections": [found.as_record() for found in self.collections],
        }


def inspect(
    store: Store,
    *,
    seed: int = 0,
    keep: int = KEEP,
    advance: Advance = silent,
    also: Callable[[StoreBatch], None] | None = None,
) -> Inspection:
    """Measure an opened store in one pass.

    Args:
        store: any.
        seed: of the samples; the same seed gives the same figures.
        keep: rows a collection that are kept to recognise its backbone by, at most.
        advance: told the number of rows after every batch.
        also: shown every batch, for what else is wanted of the same pass.

    Raises:
        FaceleakError: not a single row could be read.
    """
    passes: dict[Collection, CollectionPass] = {}
    left, broken = SAMPLE_BYTES, ""
    try:
        for batch in store.batches():
            found = passes.get(batch.collection)
            if found is None:
                size = 4 * max(1, batch.collection.dim)
                room = min(keep, left // 2 // size)
                left -= room * size
                found = passes[batch.collection] = CollectionPass(batch.collection, room, seed)
            found.add(batch)
            if also is not None:
                also(batch)
            advance(len(batch))
    except FaceleakError as error:
        if not any(found.rows for found in passes.values()):
            raise
        broken = str(error)
    figures = tuple(_figures(found) for found in passes.values())
    return Inspection(store.source.name, store.facts, figures, store.tally, broken, seed)


def _figures(found: CollectionPass) -> CollectionFigures:
    sample, subjects = found.sample.kept()
    sizes, sound = group_sizes(found.subject_keys), max(1, found.norms.count)
    return CollectionFigures(
        collection=found.collection,
        rows=found.rows,
        nan=found.nan,
        infinite=found.infinite,
        zero=found.zero,
        constant=found.constant,
        duplicates=found.duplicates,
        norms=_spread(found.norms, sample),
        low=found.values.low if found.values.count else None,
        high=found.values.high if found.values.count else None,
        non_negative=found.non_negative / sound,
        unit=found.unit / sound,
        grids=grids_of(sample),
        subjects=len(sizes),
        without_subject=found.without_subject,
        single=int((sizes == 1).sum()),
        several=int((sizes > 1).sum()),
        most=int(sizes.max(initial=0)),
        names=len(group_sizes(found.name_keys)),
        sample=sample,
        sample_subjects=tuple(subjects),
    )


def _spread(extent: Extent, sample: NDArray[np.float32]) -> Spread:
    with np.errstate(over="ignore", under="ignore"):
        lengths = row_lengths(sample, np.einsum("ij,ij->i", sample, sample))
    cuts = np.percentile(lengths, PERCENTILES).tolist() if len(lengths) else []
    return Spread(
        count=extent.count,
        mean=extent.mean,
        std=extent.std,
        low=extent.low if extent.count else None,
        high=extent.high if extent.count else None,
        percentiles={str(at): float(cut) for at, cut in zip(PERCENTILES, cuts, strict=False)},
    )
