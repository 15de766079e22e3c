"""The strips of pictures of a stress run: people downwards, conditions across."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.gallery import Loader, Picture
from reports.results import CLEAN, Results, StressResult, StressSample
from reports.stress_families import FAMILIES
from reports.stress_select import Condition, attacks_of, backbones_of, condition_of, labels_of

SIDE = 112  # pixels, of an embedded picture
COLUMNS = 6
PEOPLE = 3
# Base64 text of all strips together; what does not fit is left out and said so.
_BUDGET = 5_000_000


@dataclass(frozen=True)
class Band:
    """One line of pictures of one person, such as what was enrolled or what was rebuilt."""

    words: str
    pictures: list[Picture]


@dataclass(frozen=True)
class Strip:
    """Pictures of one family and one backbone."""

    title: str
    caption: str
    columns: list[str]
    people: list[list[Band]]


class Pictures:
    """Shows files of a run, within one budget of bytes.

    Args:
        results: whose people are blurred unless they are generated or ``reveal`` is set.
        run: where the relative paths start.
        reveal: whether real people may be seen.
    """

    def __init__(self, results: Results, run: Path, *, reveal: bool) -> None:
        generated = results.faces is not None and results.faces.generated
        self.blurred = not (reveal or generated)
        self._loader = Loader(run, self.blurred, side=SIDE, budget=_BUDGET)

    def caption(self, people: int) -> str:
        """What is said below a strip that had so many people to choose from."""
        more = f" {PEOPLE} of {people} people are shown." if people > PEOPLE else ""
        blurred = (
            " Pictures of people are blurred; faceleak report --reveal shows them."
            if self.blurred
            else ""
        )
        return f"Chosen before any result was known.{more}{blurred}"

    def picture(self, name: str | None, alt: str, *, reconstruction: bool) -> Picture:
        """One file; an empty place without a name."""
        if name is None:
            return Picture("", "")
        uri, instead = self._loader.embed(name, reconstruction=reconstruction)
        return Picture(uri, f"Blurred: {alt}" if self.blurred else alt, instead)


class Strips(Pictures):
    """Strips of a stress run."""

    def of(self, rows: Sequence[StressResult]) -> Iterator[Strip]:
        """One strip for each backbone that has pictures, of the first attack."""
        for backbone in backbones_of(rows):
            told = [row for row in rows if row.backbone == backbone and row.samples]
            attacks = attacks_of(told)
            if attacks:
                told = [row for row in told if row.attack == attacks[0]]
            pictures = _merged(told)
            if not pictures:
                continue
            labels = {key: words for key, words in labels_of(rows).items() if key in pictures}
            labels = {**{key: key.perturbation for key in pictures}, **labels}
            chosen = columns_of(list(pictures), rows)
            people = _people([pictures[key] for key in chosen])
            shown = _most_shown(people)
            kept = [i for i in range(len(chosen)) if any(people[who][i] for who in shown)]
            chosen = [chosen[i] for i in kept]
            people = {who: [samples[i] for i in kept] for who, samples in people.items()}
            heads = [labels[key] for key in chosen]
            if len(chosen) == 1 and len(pictures[chosen[0]]) > len(people):
                people = _pictures(pictures[chosen[0]])
                heads = [f"picture {i + 1}" for i in range(len(next(iter(people.values()))))]
            by = f", rebuilt by {attacks[0]}" if attacks else ""
            yield Strip(
                f"Templates of {backbone}{by}",
                self.caption(len(people)),
                heads,
                [
                    list(self._bands(f"person {i + 1} ({who})", people[who], heads))
                    for i, who in enumerate(shown)
                ],
            )

    def _bands(
        self, who: str, samples: Sequence[StressSample | None], labels: Sequence[str]
    ) -> Iterator[Band]:
        for words, kind in (
            ("Enrolled picture", "perturbed"),
            ("Rebuilt", "reconstruction"),
            ("Rebuilt after repair", "repaired"),
        ):
            names = [_name(sample, kind) for sample in samples]
            if not any(names):
                continue
            if kind == "perturbed" and len(set(names)) == 1:
                names = [names[0], *(None for _ in names[1:])]  # one picture, not one six times
            yield Band(
                words,
                [
                    self.picture(
                        name, f"{words}, {label}, {who}", reconstruction=kind != "perturbed"
                    )
                    for name, label in zip(names, labels, strict=True)
                ],
            )


def _name(sample: StressSample | None, kind: str) -> str | None:
    if sample is None:
        return None
    found: str | None = getattr(sample, kind)
    # What was not perturbed is the original; a damaged template leaves its picture as it was.
    return sample.original if found is None and kind == "perturbed" else found


def _merged(rows: Sequence[StressResult]) -> dict[Condition, list[StressSample]]:
    """The pictures of every condition, those made after a repair beside the others."""
    found: dict[Condition, list[StressSample]] = {}
    for row in rows:
        key = condition_of(row)._replace(repaired=False)
        if key not in found:
            found[key] = list(row.samples)
            continue
        for i, sample in enumerate(row.samples[: len(found[key])]):
            have = found[key][i].model_dump(exclude_none=True)
            found[key][i] = StressSample(**{**sample.model_dump(exclude_none=True), **have})
    return found


def _people(
    columns: Sequence[Sequence[StressSample]],
) -> dict[str, list[StressSample | None]]:
    """The first sample of every person in every column, by the person's pseudonym."""
    names = dict.fromkeys(_who(sample) for column in columns for sample in column)
    return {
        name: [next((s for s in column if _who(s) == name), None) for column in columns]
        for name in names
    }


def _most_shown(people: Mapping[str, Sequence[StressSample | None]]) -> list[str]:
    """Those who are seen under most conditions: some are tried on a part of the people."""
    order = sorted(people, key=lambda who: -sum(s is not None for s in people[who]))
    return order[:PEOPLE]


def _pictures(column: Sequence[StressSample]) -> dict[str, list[StressSample | None]]:
    """Several pictures of every person, by the person's pseudonym: nothing else was done."""
    found: dict[str, list[StressSample | None]] = {}
    for sample in column:
        found.setdefault(_who(sample), []).append(sample)
    most = min(max(map(len, found.values())), COLUMNS)
    return {name: [*some, *([None] * most)][:most] for name, some in found.items()}


def _who(sample: StressSample) -> str:
    return sample.subject or sample.template


def columns_of(keys: Sequence[Condition], rows: Sequence[StressResult]) -> list[Condition]:
    """At most six conditions, the clean one first: those that the family names, then the strongest
    of every other perturbation, then the weakest, in the order of the rows."""
    wanted = next((FAMILIES[row.family].columns for row in rows if row.family), ())
    by_name: dict[str, list[Condition]] = {}
    for key in keys:
        by_name.setdefault(key.perturbation, []).append(key)
    order = by_name.pop(CLEAN, [])[:1]
    for name, strength in wanted:
        some = by_name.get(name, [])
        order += [key for key in some if key.strength == strength] or some[-1:]
    order += [some[-1] for some in by_name.values()]
    order += [some[0] for some in by_name.values()]
    chosen = list(dict.fromkeys(order))[:COLUMNS]
    return [key for key in keys if key in chosen]
