"""Originals beside reconstructions, as the report shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from reports.pictures import (
    PictureRemovedError,
    PictureUnusableError,
    blur_person,
    load_picture,
    mark_reconstruction,
    webp_data_uri,
)
from reports.results import Results, Sample
from reports.words import number

MAX_PAIRS = 24
SIDE = 176  # pixels, of an embedded picture
# Base64 text of all pictures together; what does not fit is left out and said so.
_BUDGET = 2_000_000


@dataclass(frozen=True)
class Verdict:
    """What one judge said of a reconstruction."""

    judge: str
    accepted: bool
    similarity: str


@dataclass(frozen=True)
class Picture:
    """A data URI, or the words that stand in its place."""

    uri: str
    alt: str
    instead: str = ""
    caption: str = ""
    detected: bool = True
    verdicts: list[Verdict] = field(default_factory=list)


@dataclass(frozen=True)
class Person:
    """A leaked template: the photograph and everything that attacks made of it."""

    subject: str
    template: str
    original: Picture | None  # of an audit that has photographs
    reconstructions: list[Picture]


@dataclass(frozen=True)
class Gallery:
    """All of it, and what has to be said about it."""

    people: list[Person]
    shown: int
    total: int
    blurred: bool
    generated: bool
    fmrs: list[str]


def build_gallery(results: Results, run: Path, *, reveal: bool) -> Gallery:
    """Load, blur where real people are seen, and embed at most 24 pairs."""
    generated = results.faces is not None and results.faces.generated
    blurred = not (reveal or generated)
    shown = results.samples[:MAX_PAIRS]
    loader = Loader(run, blurred)
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in shown:
        groups.setdefault((sample.subject, sample.template), []).append(sample)
    return Gallery(
        people=[_person(samples, loader, results) for samples in groups.values()],
        shown=len(shown),
        total=len(results.samples),
        blurred=blurred,
        generated=generated,
        fmrs=sorted({sample.fmr for sample in shown}, key=float, reverse=True),
    )


def _person(samples: list[Sample], loader: Loader, results: Results) -> Person:
    first = samples[0]
    word = "Blurred photograph" if loader.blurred else "Photograph"
    return Person(
        subject=first.subject,
        template=first.template,
        original=None
        if first.original is None and results.store is not None
        else loader.original(first.original, f"{word} of subject {first.subject}"),
        reconstructions=[loader.reconstruction(sample) for sample in samples],
    )


class Loader:
    """Turns files of the run into embedded pictures, within one budget of bytes.

    Args:
        run: where the relative paths start.
        blurred: whether real people are seen.
        side: pixels, of an embedded picture.
        budget: bytes of all of them.
    """

    def __init__(
        self, run: Path, blurred: bool, *, side: int = SIDE, budget: int = _BUDGET
    ) -> None:
        self.run, self.blurred, self.side, self.left = run, blurred, side, budget

    def original(self, name: str | None, alt: str) -> Picture:
        """A photograph of a person."""
        uri, instead = self.embed(name, reconstruction=False)
        return Picture(uri, alt, instead, caption="Original")

    def reconstruction(self, sample: Sample) -> Picture:
        """What an attack made, with what judges said of it."""
        uri, instead = self.embed(sample.reconstruction, reconstruction=True)
        word = "Blurred reconstruction" if self.blurred else "Reconstruction"
        return Picture(
            uri,
            f"{word} of subject {sample.subject} by {sample.attack}",
            instead,
            caption=sample.attack,
            detected=sample.detected,
            verdicts=list(_verdicts(sample)),
        )

    def embed(self, name: str | None, *, reconstruction: bool) -> tuple[str, str]:
        """The data URI of a picture, or the empty string and why there is none."""
        try:
            image = load_picture(self.run, name)
        except PictureRemovedError:
            return "", "picture removed"
        except PictureUnusableError as error:
            return "", f"picture not shown: {error}"
        uri = webp_data_uri(self._prepared(image, reconstruction), side=self.side)
        if len(uri) > self.left:
            return "", "picture left out: the report would grow too large"
        self.left -= len(uri)
        return uri, ""

    def _prepared(self, image: Image.Image, reconstruction: bool) -> Image.Image:
        # Blurring takes the band with it, and blur_person drops the mark, so it is drawn again;
        # an unblurred picture brings its own.
        shown = blur_person(image) if self.blurred else image
        return mark_reconstruction(shown) if reconstruction else shown


def _verdicts(sample: Sample) -> Iterator[Verdict]:
    for judge, accepted in sample.accepted_by.items():
        score = sample.similarity.get(judge)
        yield Verdict(judge, accepted, "" if score is None else number(score))
