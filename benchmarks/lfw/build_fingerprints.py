"""Learn the fingerprints and thresholds that ship, and measure how well stores are recognised.

    FACELEAK_MOBILEFACENET=FILE python -m benchmarks.lfw.build_fingerprints RUN [--measure]

RUN is a finished run of ``faceleak audit lfw-dlib``: its aligned faces are used. Learnt is from the
committed list of attacker subjects and from generated people; tried on people who are on no list
and on other generated people. ``--measure`` writes nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.synthesis import generate_faces
from biometrics.backbones.base import Backbone, load_backbone
from biometrics.backbones.embed import embed
from biometrics.faces.faceset import FaceSet
from biometrics.faces.images import digest
from biometrics.faces.shipped import shipped_subjects
from biometrics.metrics.intervals import NotMeasured
from biometrics.metrics.verification import nonmated_threshold
from biometrics.stores.fingerprint import Fingerprint, learn, recognise
from biometrics.stores.known_backbones import FILE, Calibration, KnownBackbones
from biometrics.template_form import TemplateForm

ASSETS = Path("biometrics/stores/assets")
CARD = Path(__file__).with_name("fingerprints-card.md.in")
BACKBONES = ("dlib", "faceleak-mini", "mobilefacenet")
SEED, PHOTOGRAPHS, GENERATED, TRIED, MOST = 7, 1500, 1000, 700, 10
FMRS = (1e-2, 1e-3, 1e-4)
ROWS, TRIES, WRONG = (20, 50, 300), 4, 10
PICTURES = ("photographs", "generated people")

Vectors = NDArray[np.float32]


def main() -> None:
    """Write fingerprints and card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--measure", action="store_true")
    arguments = parser.parse_args()
    faces = FaceSet.load(arguments.run / "faces")
    listed = np.isin(faces.subject_ids, list(shipped_subjects()))
    own, others = people(faces, listed, PHOTOGRAPHS), people(faces, ~listed, TRIED)
    made = [generate_faces(n, 1, SEED + at).crops for at, n in enumerate((GENERATED, TRIED))]
    marks: list[tuple[Fingerprint, Fingerprint]] = []
    tried: dict[str, tuple[Vectors, Vectors]] = {}
    known = []
    for name in BACKBONES:
        backbone = load_backbone(name)
        learnt_of = (embed(backbone, faces.crops[own]), embed(backbone, made[0]))
        marks.append(
            tuple(learn(v, name, of) for v, of in zip(learnt_of, PICTURES, strict=True))  # type: ignore[arg-type]
        )
        tried[name] = (embed(backbone, faces.crops[others]), embed(backbone, made[1]))
        known.append(calibrate(backbone, faces, np.flatnonzero(listed)))
        print(known[-1], flush=True)
    both = [first.joined(second) for first, second in marks]
    shown = table(both, marks, tried)
    false, wrong = strangers(both, tried)
    print("\n".join(shown), f"\nnamed wrongly: {false} of {wrong}")
    if arguments.measure:
        return
    ASSETS.mkdir(exist_ok=True)
    path = ASSETS / FILE
    KnownBackbones(tuple(both), tuple(known)).save(path)
    path.chmod(0o644)
    card(path, known, shown, false, wrong, len(own))


def people(faces: FaceSet, wanted: NDArray[np.bool_], most: int) -> NDArray[np.intp]:
    """One picture each of so many subjects, drawn with the seed."""
    random = np.random.default_rng(SEED)
    rows = random.permutation(np.flatnonzero(wanted))
    _, first = np.unique(faces.subject_ids[rows], return_index=True)
    return np.sort(random.permutation(rows[first])[:most])


def calibrate(backbone: Backbone, faces: FaceSet, rows: NDArray[np.intp]) -> Calibration:
    """The thresholds, on at most ten pictures of each subject of these rows."""
    names = faces.subject_ids[rows]
    order = np.argsort(names, kind="stable")
    _, counts = np.unique(names, return_counts=True)
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = np.sort(rows[order[place < MOST]])
    vectors, subjects = embed(backbone, faces.crops[kept]), faces.subject_ids[kept]
    spec, cuts = backbone.spec, {}
    for fmr in FMRS:
        cut = nonmated_threshold(vectors, subjects, spec.similarity, fmr)
        if not isinstance(cut, NotMeasured):
            cuts[fmr] = cut.value
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return Calibration(
        backbone=spec.name,
        sha256=spec.sha256,
        similarity=spec.similarity,
        thresholds=cuts,
        subjects=len(counts),
        pictures=len(kept),
        norm_mean=float(lengths.mean()),
        norm_std=float(lengths.std()),
    )


def unit(rows: Vectors) -> Vectors:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def row_min_max(rows: Vectors) -> Vectors:
    low, high = rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True)
    return (rows - low) / (high - low)


def min_max(rows: Vectors) -> Vectors:
    return (rows - rows.min()) / (rows.max() - rows.min())


def kept_as(**settings: Any) -> Callable[[Vectors], Vectors]:
    form = TemplateForm("", **settings)
    return lambda rows: form.fit(rows).apply(rows)


FORMS: dict[str, Callable[[Vectors], Vectors]] = {
    "raw": lambda rows: rows,
    "unit": unit,
    "float16": lambda rows: rows.astype(np.float16).astype(np.float32),
    "min-max, each row": row_min_max,
    "min-max, all": min_max,
    "first half": kept_as(share=0.5),
    "first half, unit": lambda rows: unit(rows[:, : rows.shape[1] // 2]),
    "first 30 %, unit": lambda rows: unit(rows[:, : int(0.3 * rows.shape[1])]),
    "8 bits a value": kept_as(bits=8),
    "1 bit a value": kept_as(bits=1),
}


def table(
    both: list[Fingerprint],
    marks: list[tuple[Fingerprint, Fingerprint]],
    tried: dict[str, tuple[Vectors, Vectors]],
) -> list[str]:
    """Rows of the card: hits by form, rows and what the fingerprint was learnt from."""
    heads = [f"{rows} rows" for rows in ROWS] + [f"{rows}, other pictures" for rows in ROWS]
    lines = [f"| form | {' | '.join(heads)} |", "| --- |" + " --- |" * len(heads)]
    for form, stored in FORMS.items():
        cells = []
        for crossed in (False, True):
            for rows in ROWS:
                hits, tries = 0, 0
                for kind in (0, 1):
                    candidates = [pair[1 - kind] for pair in marks] if crossed else both
                    for name, got in named(candidates, tried, kind, rows, stored):
                        hits, tries = hits + (name == got), tries + 1
                        assert got in (name, "unknown", "too few to tell"), (form, name, got)
                cells.append(f"{hits} of {tries}")
        lines.append(f"| {form} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return lines


def named(
    candidates: list[Fingerprint],
    tried: dict[str, tuple[Vectors, Vectors]],
    kind: int,
    rows: int,
    stored: Callable[[Vectors], Vectors],
) -> Iterator[tuple[str, str]]:
    """Backbone and answer, for each drawing of so many rows."""
    random = np.random.default_rng([SEED, rows])
    for name, vectors in tried.items():
        for _ in range(TRIES):
            drawn = vectors[kind][random.permutation(len(vectors[kind]))[:rows]]
            yield name, recognise(stored(drawn), candidates).backbone


def strangers(both: list[Fingerprint], tried: dict[str, tuple[Vectors, Vectors]]) -> list[int]:
    """How often a backbone was named that did not make the vectors, and of how many tries."""
    random = np.random.default_rng(SEED)
    false, tries = 0, 0
    for mark in both:
        for rows in ROWS:
            for _ in range(WRONG):
                for vectors in not_of(mark, tried, rows, random):
                    answer = recognise(vectors, [mark]).backbone
                    false, tries = false + (answer == mark.name), tries + 1
    return [false, tries]


def not_of(
    mark: Fingerprint,
    tried: dict[str, tuple[Vectors, Vectors]],
    rows: int,
    random: np.random.Generator,
) -> Iterator[NDArray[np.floating]]:
    """Vectors that are no templates of this backbone."""
    own = tried[mark.name][0][random.permutation(TRIED)[:rows]]
    dim, lengths = mark.dim, np.linalg.norm(own, axis=1, keepdims=True)
    yield own[:, random.permutation(dim)]
    yield random.normal(size=(rows, dim))
    like = own.mean(axis=0) + own.std(axis=0) * random.normal(size=(rows, dim))
    yield like * lengths / np.linalg.norm(like, axis=1, keepdims=True)
    centres = random.normal(size=(10, dim))
    yield centres[np.arange(rows) % 10] + 0.3 * random.normal(size=(rows, dim))
    yield random.normal(size=(rows, 4)) @ random.normal(size=(4, dim))
    for name, vectors in tried.items():
        if name != mark.name:
            yield vectors[0][random.permutation(TRIED)[:rows], :dim]


def card(
    path: Path, known: list[Calibration], shown: list[str], false: int, wrong: int, own: int
) -> None:
    """Write the card beside the file."""
    lines = []
    for found in known:
        cuts = [f"{found.thresholds[f]:.4f}" if f in found.thresholds else "-" for f in FMRS]
        length = f"{found.norm_mean:.2f} ± {found.norm_std:.2f}"
        lines.append(f"| {found.backbone} | {found.similarity} | {' | '.join(cuts)} | {length} |")
    text = CARD.read_text().format(
        file=path.name,
        names=", ".join(found.backbone for found in known),
        bytes=path.stat().st_size,
        sha256=digest(path.read_bytes()),
        photographs=own,
        generated=GENERATED,
        subjects=known[0].subjects,
        pictures=known[0].pictures,
        most=MOST,
        seed=SEED,
        thresholds="\n".join(lines),
        table="\n".join(shown),
        tries=2 * TRIES * len(BACKBONES),
        false=false,
        wrong=wrong,
    )
    path.with_name("fingerprints.md").write_text(text)


if __name__ == "__main__":
    main()
