"""Coverage of a run: how much of what was to be measured its numbers rest on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reports.results import Estimate, Measured, NotMeasured, Results
from reports.words import count, listed, percent


class Part(NamedTuple):
    """One share that coverage is made of: ``done`` of ``total`` things, and the words for it."""

    name: str
    done: int
    total: int
    words: str

    @property
    def share(self) -> float:
        """``done / total``."""
        return self.done / self.total


class Coverage(NamedTuple):
    """The coverage and the shares that it is the smallest of; not measured where a part of it is
    not known, or where there is nothing to cover."""

    value: Estimate
    parts: list[Part]


def coverage_of(results: Results, judge: str | None = None) -> Coverage:
    """The smallest of these shares, as far as the run has them.

    * pictures: of the files that were to be read, those that gave a face;
    * rows: of the store's rows that should hold a template, those that could be read. Of a store
      whose rest could not be read at all this is not known;
    * judges: of the judges asked for, those that measured at least one rate of an attack; of a
      comparison, of the pairs of model and judge. Left out where one ``judge`` alone counts;
    * faces: of the attempts of the attack that showed the most faces, those in which a face was
      found. An attempt without a face counts as a failed one in every rate, so nothing is missing
      from those; but where no attack makes faces, a low rate says little.

    An FMR at which nothing could be measured is no part of it: a gate on that FMR is not decided.
    """
    parts = list(_parts(results, judge))
    if results.store is not None and results.store.broken:
        why = f"the store was read in part: {results.store.broken}"
        return Coverage(NotMeasured(not_measured=why), parts)
    if not parts:
        return Coverage(NotMeasured(not_measured="there is nothing to cover in this run"), [])
    least = min(parts, key=lambda part: part.share)
    return Coverage(Measured(value=least.share, n=least.total), parts)


def _parts(results: Results, judge: str | None) -> Iterator[Part]:
    faces, store = results.faces, results.store
    if faces is not None and faces.n_files and not faces.generated:
        lost = min(faces.n_files, sum(faces.skipped.values()))
        yield _part("pictures", faces.n_files - lost, faces.n_files)
    if store is not None and store.coverage is not None:
        lost = sum(store.unreadable.values())
        if store.n_templates + lost:
            yield _part("rows", store.n_templates, store.n_templates + lost)
    if judge is None:
        yield from _judges(results)
    yield from _faces(results)


def _part(name: str, done: int, total: int, more: str = "") -> Part:
    words = f"{name} {percent(done / total)} ({count(done)} of {count(total)}){more}"
    return Part(name, done, total, words)


def _judges(results: Results) -> Iterator[Part]:
    if results.compare is not None and results.compare.matrix:
        cells = results.compare.matrix
        done = sum(_measured(cell.type1) for cell in cells)
        yield _part("judges", done, len(cells))
        return
    told: dict[str, bool] = {}
    for attack in results.attacks:
        if not attack.control:
            for name, said in attack.judges.items():
                told[name] = told.get(name, False) or _measured(said.type1)
    for row in results.stress:
        if row.attack:
            told[row.judge] = told.get(row.judge, False) or _measured(row.type1)
    missing = [name for name, done in told.items() if not done]
    missing += [name for name in results.judges_missing if name not in told]
    total = len(set(told) | set(results.judges_missing))
    if told:
        more = f", without {listed(sorted(missing))}" if missing else ""
        yield _part("judges", total - len(missing), total, more)


def _measured(rates: dict[str, Estimate]) -> bool:
    return any(isinstance(rate, Measured) for rate in rates.values())


def _faces(results: Results) -> Iterator[Part]:
    tried = [(a.n_attempts, a.n_failed) for a in results.attacks if not a.control]
    tried += [(row.n_attempts, row.n_failed) for row in results.stress if row.attack]
    tried = [(n, failed) for n, failed in tried if n]
    if tried:
        n, failed = min(tried, key=lambda item: item[1] / item[0])
        yield _part("faces", n - failed, n)
