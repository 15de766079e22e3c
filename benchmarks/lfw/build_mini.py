"""Train faceleak-mini, the recognition model that ships, and measure it on people it never saw.

    FACELEAK_LFW_PAIRS=FILE python -m benchmarks.lfw.build_mini RUN [--try]

RUN is a finished run of ``faceleak audit lfw-dlib`` (LFW, seed 7): its aligned faces are used. The
model learns from the committed list of attacker subjects; no other recognition model takes part.
``--try`` keeps a tenth of the subjects aside and measures on them: what the settings below were
chosen by. Without it the model is measured on people who are on no list, and written.

Tried on the tenth and left out: people of the appearance model in a quarter or half of each batch,
and moved, blurred and covered copies of the photographs (docs/results.md has the figures).
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
    FaceleakMini,
    Head,
    mirrored,
    oriented_gradients,
)
from biometrics.faces.grey import grey
from biometrics.faces.images import digest
from biometrics.metrics.intervals import NotMeasured
from biometrics.metrics.verification import nonmated_threshold, tmr
from biometrics.metrics.view2 import Pair, picture_of, read_pairs, view2

ASSETS = Path("biometrics/backbones/assets")
LISTED = Path("biometrics/faces/assets/lfw-attacker-subjects.txt")
CARD = Path(__file__).with_name("mini-card.md.in")
FMRS = (1e-1, 1e-2, 1e-3)

SINGLES = 0.5
"""Weight of a subject with one picture; one with n pictures has sqrt(n)."""

COMPONENTS, WITHIN = 1000, 0.05
"""Principal components before the closed-form start, and what is added to the covariance within
subjects, relative to its mean variance."""

STEPS, BATCH, RATE, DECAY = 400, 256, 5e-4, 0.05
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
    head = train(photographs(run, rows))
    minutes = (time.perf_counter() - start) / 60
    state = {name: value.half() for name, value in head.state_dict().items()}
    path = write(state, Path("/tmp") if arguments.tried else ASSETS)
    lines = measure(run, path, aside if arguments.tried else run.rows("leaked"))
    if not arguments.tried:
        lines += unlisted_pairs(run, path)
        card(run, path, rows, minutes, lines)
    print("\n".join(lines))


def photographs(run: LfwRun, rows: NDArray[np.intp]) -> Pool:
    """The subjects' faces; a subject with many pictures is not drawn for each."""
    names, classes, counts = np.unique(
        run.faces.subject_ids[rows], return_inverse=True, return_counts=True
    )
    cutter, parts = FaceleakMini(), []
    for start in range(0, len(rows), 64):
        crops = torch.from_numpy(np.asarray(run.faces.crops[rows[start : start + 64]]))
        inputs = cutter.to_input(crops.permute(0, 3, 1, 2).float() / 255)
        parts.append(oriented_gradients(grey(inputs)[:, None]).flatten(1).half())
    each = np.where(counts == 1, SINGLES, np.sqrt(counts)) / counts
    print(f"{len(rows):,} photographs of {len(names):,} subjects", flush=True)
    return Pool(torch.cat(parts), torch.from_numpy(classes), torch.from_numpy(each[classes]))


def train(pool: Pool) -> Head:
    """The head, from its closed-form start, with a margin between the subjects."""
    head = Head(DROPPED)
    start_linear(head, pool)
    with torch.no_grad():
        head.eval()
        sums = torch.zeros(int(pool.classes.max()) + 1, DIM)
        for rows in torch.arange(len(pool.features)).split(2048):
            made = F.normalize(head(pool.features[rows].float()))
            sums.index_add_(0, pool.classes[rows], made)
        head.train()
    centres = nn.Parameter(F.normalize(sums))
    optimiser = torch.optim.AdamW([*head.parameters(), centres], RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, STEPS, pct_start=0.1)
    total = 0.0
    for step in range(1, STEPS + 1):
        features, classes = pool.draw(BATCH)
        loss = margin_loss(head(features), centres, classes)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        total += float(loss.detach())
        if step % 100 == 0:
            print(f"step {step:,} of {STEPS:,}, loss {total / 100:.3f}", flush=True)
            total = 0.0
    return head.eval()


def start_linear(head: Head, pool: Pool) -> None:
    """Directions that vary between subjects and not within: principal components, whitened by the
    covariance within subjects, and weighed by their reliability."""
    both = torch.cat([pool.features, turn(pool.features)]).float().numpy()
    classes = pool.classes.repeat(2).numpy()
    mean = both.mean(axis=0)
    centred = both - mean
    _, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    kept = directions[:, ::-1][:, :COMPONENTS]
    reduced = centred @ kept
    counts = np.bincount(classes)
    sums = np.zeros((len(counts), COMPONENTS))
    np.add.at(sums, classes, reduced)
    means = sums / counts[:, None]
    several = (counts > 2)[classes]  # more than one photograph and its mirror image
    rest, per = (reduced - means[classes])[several], counts[classes][several]
    weights = 1 / np.sqrt(per)
    weights /= weights.sum()
    # The mean of few pictures lies nearer to them than the person's own does.
    within = (rest * (weights * per / (per - 2))[:, None]).T @ rest
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
    place = {picture_of(face): row for row, face in enumerate(run.faces.table["face_id"])}
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
