"""Train faceleak-mini, the recognition model that ships, and measure it on people it never saw.

    FACELEAK_LFW_PAIRS=FILE python -m benchmarks.lfw.build_mini RUN [--try]

RUN is a finished run of ``faceleak audit lfw-dlib`` (LFW, seed 7): its aligned faces are used. The
model learns from the committed list of attacker subjects and from people of the appearance model
that ships (itself made of the same subjects). No other recognition model takes part. ``--try`` keeps
a tenth of the subjects aside, measures on them and writes nothing: what the settings below were
chosen by. Without it the model is measured on people who are on no list.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from audit.split import role_of
from benchmarks.lfw._mini_changes import changed, plain
from benchmarks.lfw._run import LfwRun
from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed
from biometrics.backbones.faceleak_mini import (
    CELLS,
    DIM,
    FEATURES,
    FILE,
    NAME,
    ORIENTATIONS,
    Head,
    mirrored,
    oriented_gradients,
)
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.images import digest
from biometrics.faces.shipped import shipped_model_path
from biometrics.metrics.intervals import NotMeasured
from biometrics.metrics.verification import nonmated_threshold, tmr
from biometrics.metrics.view2 import Pair, read_pairs, view2

ASSETS = Path("biometrics/backbones/assets")
LISTED = Path("biometrics/faces/assets/lfw-attacker-subjects.txt")
CARD = Path(__file__).with_name("mini-card.md.in")
FMRS = (1e-1, 1e-2, 1e-3)

COPIES = 2
"""Changed copies of each photograph beside the photograph itself."""

PEOPLE, PICTURES = 3000, 3
"""Of the appearance model."""

VARIATION = 0.7
"""Of the deviation within subjects: at 1.0 a linear model mixes pose and light with identity."""

SINGLES = 0.5
"""Weight of a subject with one picture; one with n pictures has sqrt(n)."""

COMPONENTS, WITHIN = 1000, 0.05
"""Principal components before the closed-form start, and what is added to the covariance within
subjects, relative to its mean variance."""

STEPS, BATCH, RATE, DECAY = 1500, 256, 5e-4, 0.05
MARGIN, SCALE, DROPPED = 0.2, 24.0, 0.3


@dataclass(frozen=True)
class Pool:
    """Gradients float16 [M, 1568], their classes [M], and weights [M] of the draw."""

    features: Tensor
    classes: Tensor
    weights: Tensor

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Gradients of faces or of their mirror images, and classes."""
        rows = torch.multinomial(self.weights, count, replacement=True)
        drawn = self.features[rows].float()
        turned = torch.rand(count, 1) < 0.5
        return torch.where(turned, turn(drawn), drawn), self.classes[rows]


def turn(flat: Tensor) -> Tensor:
    """The gradients [N, 1568] of the mirror images."""
    return mirrored(flat.reshape(-1, ORIENTATIONS, CELLS, CELLS)).flatten(1)


def main() -> None:
    """Train; then either measure on the tenth that was kept aside, or write model and card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--try", dest="tried", action="store_true")
    arguments = parser.parse_args()
    run = LfwRun.read(arguments.run)
    own, aside = run.tuning_fold()
    rows = own if arguments.tried else run.rows("attacker")
    if not arguments.tried:
        listed = [n for n in LISTED.read_text().splitlines() if n and not n.startswith("#")]
        assert set(run.faces.subject_ids[rows]) == set(listed), "another split than the list's"
    start = time.perf_counter()
    torch.manual_seed(run.seed)
    real = photographs(run, rows)
    people = sampled(run.seed)
    print(f"gradients after {time.perf_counter() - start:.0f} s", flush=True)
    head = train(real, people)
    minutes = (time.perf_counter() - start) / 60
    state = {name: value.half() for name, value in head.state_dict().items()}
    path = write(state, Path("/tmp") if arguments.tried else ASSETS)
    lines = measure(run, path, aside if arguments.tried else run.rows("leaked"))
    if not arguments.tried:
        lines += unlisted_pairs(run, path)
        card(run, path, rows, minutes, lines)
    print("\n".join(lines))


def photographs(run: LfwRun, rows: NDArray[np.intp]) -> Pool:
    """The subjects' faces and changed copies; a subject with many pictures is not drawn for
    each."""
    names, classes, counts = np.unique(
        run.faces.subject_ids[rows], return_inverse=True, return_counts=True
    )
    parts = []
    for start in range(0, len(rows), 64):
        crops = torch.from_numpy(np.asarray(run.faces.crops[rows[start : start + 64]]))
        faces = crops.permute(0, 3, 1, 2).float() / 255
        made = [plain(faces), *(changed(faces) for _ in range(COPIES))]
        parts.append(torch.stack([gradients(inputs) for inputs in made], dim=1))
    features = torch.cat(parts).flatten(0, 1)
    each = np.where(counts == 1, SINGLES, np.sqrt(counts)) / counts
    print(f"{len(rows):,} photographs of {len(names):,} subjects", flush=True)
    repeated = np.repeat(classes, COPIES + 1)
    return Pool(features, torch.from_numpy(repeated), torch.from_numpy(each[repeated]))


def sampled(seed: int) -> Pool:
    """People of the appearance model, each picture changed."""
    model = AppearanceModel.load(shipped_model_path())
    drawn = model.sample(PEOPLE, PICTURES, seed, variation=VARIATION)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(drawn.person), 64):
            batch = torch.from_numpy(drawn.coefficients[start : start + 64])
            parts.append(gradients(changed(model.render(batch).clamp(0, 1))))
    features = torch.cat(parts).clone()
    return Pool(features, torch.from_numpy(drawn.person), torch.ones(len(features)))


def gradients(inputs: Tensor) -> Tensor:
    """Of grey inputs [N, 1, 112, 112]: float16 [N, 1568]."""
    return oriented_gradients(inputs).flatten(1).half()


def train(real: Pool, people: Pool) -> Head:
    """The head, from its closed-form start, with a margin over the classes of both pools."""
    known = int(real.classes.max()) + 1
    head = Head(DROPPED)
    start_linear(head, real)
    with torch.no_grad():
        head.eval()
        centres = torch.zeros(known + PEOPLE, DIM)
        for pool, first in ((real, 0), (people, known)):
            for rows in torch.arange(len(pool.features)).split(2048):
                made = F.normalize(head(pool.features[rows].float()))
                centres.index_add_(0, first + pool.classes[rows], made)
        head.train()
    centres = nn.Parameter(F.normalize(centres))
    optimiser = torch.optim.AdamW([*head.parameters(), centres], RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, STEPS, pct_start=0.1)
    total = 0.0
    for step in range(1, STEPS + 1):
        photo, photo_class = real.draw(BATCH // 2)
        made, made_class = people.draw(BATCH // 2)
        classes = torch.cat([photo_class, known + made_class])
        loss = margin_loss(head(torch.cat([photo, made])), centres, classes)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        total += float(loss.detach())
        if step % 100 == 0:
            print(f"step {step:,} of {STEPS:,}, loss {total / 100:.3f}", flush=True)
            total = 0.0
    return head.eval()


def start_linear(head: Head, real: Pool) -> None:
    """Directions that vary between subjects and not within: principal components, whitened by the
    covariance within subjects, and weighed by their reliability."""
    both = torch.cat([real.features, turn(real.features)]).float().numpy()
    classes = real.classes.repeat(2).numpy()
    mean = both.mean(axis=0)
    centred = both - mean
    _, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    kept = directions[:, ::-1][:, :COMPONENTS]
    reduced = centred @ kept
    counts = np.bincount(classes)
    sums = np.zeros((len(counts), COMPONENTS))
    np.add.at(sums, classes, reduced)
    means = sums / counts[:, None]
    several = counts > 2 * (COPIES + 1)  # more than one photograph
    rest = (reduced - means[classes])[several[classes]]
    per = counts[classes][several[classes]]
    weights = 1 / np.sqrt(per)
    within = (rest * (weights / weights.sum())[:, None]).T @ rest
    within += WITHIN * np.trace(within) / COMPONENTS * np.eye(COMPONENTS)
    whitening = np.linalg.cholesky(np.linalg.inv(within))
    spread, turned = np.linalg.eigh(whitening.T @ np.cov(means.T) @ whitening)
    spread = spread[::-1][:DIM]
    linear = kept @ whitening @ turned[:, ::-1][:, :DIM] * (spread / (spread + 1))
    linear /= (centred @ linear).std()
    head.mean.copy_(torch.from_numpy(mean))
    with torch.no_grad():
        head.linear.weight.copy_(torch.from_numpy(linear.T))
        head.beside[3].weight.zero_()
        head.beside[3].bias.zero_()


def margin_loss(templates: Tensor, centres: Tensor, classes: Tensor) -> Tensor:
    """The large margin cosine loss (CosFace, eq. 4)."""
    cosines = F.normalize(templates) @ F.normalize(centres).T
    margins = torch.zeros_like(cosines).scatter_(1, classes[:, None], MARGIN)
    return F.cross_entropy(SCALE * (cosines - margins), classes)


def write(state: dict[str, Tensor], folder: Path) -> Path:
    """The model's file in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    path.chmod(0o644)
    return path


def vectors_of(run: LfwRun, path: Path, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Templates of faces of the run by the model in that file."""
    return embed(load_backbone(NAME, {NAME: str(path)}), run.faces.crops[rows], batch_size=64)


def measure(run: LfwRun, path: Path, rows: NDArray[np.intp]) -> list[str]:
    """Rows of the card: recognition of the subjects in these rows."""
    vectors, names = vectors_of(run, path, rows), run.faces.subject_ids[rows]
    lines = []
    for fmr in FMRS:
        cut = nonmated_threshold(vectors, names, "cosine", fmr)
        if not isinstance(cut, NotMeasured):
            rate = tmr(vectors, names, "cosine", cut.value)
            shown = f"{rate.value:.3f} [{rate.low:.3f}-{rate.high:.3f}]"
            lines.append(f"| TMR at FMR {fmr:g} | {len(set(names)):,} people | {shown} |")
    return lines


def unlisted_pairs(run: LfwRun, path: Path) -> list[str]:
    """A row of the card: View 2 on the pairs of which nobody is on the list."""
    folds = [
        [pair for pair in fold if _unlisted(pair, run.seed)]
        for fold in read_pairs(Path(os.environ["FACELEAK_LFW_PAIRS"]))
    ]
    pictures = sorted({p for fold in folds for pair in fold for p in (pair.first, pair.second)})
    ids = {face: row for row, face in enumerate(run.faces.table["face_id"])}
    place = {
        (Path(f).stem.rpartition("_")[0], int(Path(f).stem.rpartition("_")[2])): r
        for f, r in ids.items()
    }
    there = [picture for picture in pictures if picture in place]
    vectors = vectors_of(run, path, np.array([place[picture] for picture in there]))
    found = view2(folds, dict(zip(there, vectors, strict=True)), "cosine")
    assert not isinstance(found, NotMeasured)
    return [
        f"| LFW View 2, pairs of unlisted people | {found.n_pairs:,} pairs | "
        f"{100 * found.accuracy:.1f} % ± {100 * found.std:.1f} |"
    ]


def _unlisted(pair: Pair, seed: int) -> bool:
    return all(role_of(name, seed=seed) != "attacker" for name, _ in (pair.first, pair.second))


def card(run: LfwRun, path: Path, rows: NDArray[np.intp], minutes: float, lines: list[str]) -> None:
    """Write the card beside the model."""
    text = CARD.read_text().format(
        file=path.name,
        bytes=path.stat().st_size,
        sha256=digest(path.read_bytes()),
        subjects=len(set(run.faces.subject_ids[rows])),
        faces=len(rows),
        copies=COPIES,
        people=PEOPLE,
        pictures=PICTURES,
        features=FEATURES,
        seed=run.seed,
        steps=STEPS,
        minutes=minutes,
        threads=torch.get_num_threads(),
        table="\n".join(lines),
    )
    path.with_name("faceleak-mini.card.md").write_text(text)


if __name__ == "__main__":
    main()
