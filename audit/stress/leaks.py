"""What leaked of templates under one damage, and what the attacker makes of it before inverting.

The attacker has templates of its own people. It damages them in the same way and learns from them
how to get from damaged to whole ones; where it does not know which value is which, it finds that
out from them first.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from attacks.perturbation.base import picture_seeds
from attacks.perturbation.damage import CLEAR, Damage
from attacks.perturbation.matching import match_dimensions
from audit.judging import Cut, cuts_for
from audit.people import seed_for
from audit.stress.bench import Vectors, Workbench
from biometrics.faces.images import digest
from biometrics.template_map import TemplateMap, fit_template_map

FEW_BITS = 4
"""With more bits a value nothing is left to repair."""

TRIALS = 3
"""Draws of each number of leaked templates on which the matching of dimensions is tried."""


@dataclass(frozen=True)
class Leak:
    """Templates of some leaked pictures as an attacker gets them, or as it repaired them.

    Attributes:
        vectors: float32 [N, K].
        cuts: thresholds of the backbone's own comparison among such templates of the threshold set.
    """

    vectors: Vectors
    cuts: tuple[Cut, ...]


@dataclass(frozen=True)
class Leaked:
    """One damage done.

    Attributes:
        damaged: what leaked.
        repaired: what the attacker makes whole again, [N, D]; None where nothing is to be repaired.
        matched: share of the trials in which each leaked dimension was found [K], by the number of
            templates that had leaked (0: all of them); empty where the attacker is told.
    """

    damaged: Leak
    repaired: Leak | None
    matched: dict[int, NDArray[np.float64]]


def repairable(damage: Damage) -> bool:
    """Whether an attacker would repair such templates before inverting them."""
    form = damage.form
    coarse = form.bits is not None and form.bits <= FEW_BITS
    return coarse or damage.hidden or form.share < 1.0 or damage.snr < CLEAR


def leak(bench: Workbench, damage: Damage, rows: NDArray[np.intp]) -> Leaked:
    """Damage the target's templates at these rows, and repair them; a stage of the target's run."""
    drawn = digest(rows.astype(np.int64).tobytes())
    trials = bench.sizes.damage.templates if damage.hidden else ()
    inputs = {
        "templates": bench.models.target_key,
        "people": bench.people.key,
        "rows": drawn,
        "form": damage.form.record(),
        "snr": None if damage.snr == CLEAR else damage.snr,
        "hidden": damage.hidden,
        "seed": bench.config.seed,
        "fmr": [fmr.label for fmr in bench.config.fmr],
        "trials": [*trials, TRIALS],
    }
    build = functools.partial(_build, bench, damage, rows, trials)
    place = f"damaged/{damage.slug}-{drawn[:8]}"
    folder = bench.run.stage(place, inputs, build).folder
    with np.load(folder / "matched.npz", allow_pickle=False) as kept:
        matched = {int(name): kept[name] for name in kept.files}
    repaired = _read(folder, "repaired") if (folder / "repaired.npy").exists() else None
    return Leaked(_read(folder, "damaged"), repaired, matched)


def _build(
    bench: Workbench,
    damage: Damage,
    rows: NDArray[np.intp],
    trials: tuple[int, ...],
    out: Path,
) -> None:
    split = bench.people.split
    whole = bench.models.target_templates.vectors
    own = whole[split.attacker]
    fitted = damage.fit(own)

    def damaged(some: NDArray[np.intp]) -> Vectors:
        return fitted.apply(whole[some], _seeds(bench, some))

    with bench.watch.task(f"{damage.label}: damage and repair"):
        leaked, others = damaged(rows), damaged(split.threshold)
        _write(bench, out, "damaged", leaked, others)
        matched: dict[int, NDArray[np.float64]] = {}
        positions = fitted.form.positions
        if damage.hidden:
            ordered = not damage.form.shuffled
            truth, positions = positions, match_dimensions(leaked, own, ordered=ordered)
            matched[0] = (positions == truth).astype(np.float64)
            rng = np.random.default_rng(seed_for("damage trials", bench.config.seed))
            for n in trials:
                if n < len(leaked):
                    draws = [rng.permutation(len(leaked))[:n] for _ in range(TRIALS)]
                    found = [match_dimensions(leaked[d], own, ordered=ordered) for d in draws]
                    matched[n] = (np.stack(found) == truth).mean(axis=0)
        by_number = {str(n): hits for n, hits in matched.items()}
        np.savez(out / "matched.npz", **by_number)  # type: ignore[arg-type]
        if not repairable(damage):
            return
        if damage.hidden and leaked.shape[1] == whole.shape[1]:
            place = np.argsort(positions)
            _write(bench, out, "repaired", leaked[:, place], others[:, place])
            return
        # What it takes its values for, right or wrong, is what the attacker learns from.
        sources = own[:, positions] if damage.hidden else damaged(split.attacker)
        repair = _repair(sources, own)
        _write(bench, out, "repaired", repair(leaked), repair(others))


def _repair(sources: Vectors, own: Vectors) -> Callable[[Vectors], Vectors]:
    """The map from damaged templates [N, K] to whole ones [N, D].

    Where the lengths agree, a map to what the damage changed is tried too, and the one taken that
    predicts templates left out better: from few people, what leaked nearly whole is soon lost.
    """
    whole = fit_template_map(sources, own)
    if sources.shape == own.shape:
        lost = own - sources
        change = fit_template_map(sources, lost)
        if _left(change, lost) < _left(whole, own):
            return lambda vectors: vectors + change.apply(vectors)
    return whole.apply


def _left(found: TemplateMap, targets: Vectors) -> float:
    """Mean squared error of pairs left out."""
    return (1.0 - found.explained) * float(targets.var(axis=0, dtype=np.float64).sum())


def _write(bench: Workbench, out: Path, name: str, vectors: Vectors, others: Vectors) -> None:
    names = bench.names[bench.people.split.threshold]
    cuts = cuts_for(others, names, bench.models.target_similarity, bench.config.fmr)
    np.save(out / f"{name}.npy", vectors, allow_pickle=False)
    (out / f"{name}.json").write_text(json.dumps([asdict(cut) for cut in cuts]))


def _read(folder: Path, name: str) -> Leak:
    cuts = json.loads((folder / f"{name}.json").read_text())
    vectors: Vectors = np.load(folder / f"{name}.npy", allow_pickle=False)
    return Leak(vectors, tuple(Cut(**cut) for cut in cuts))


def _seeds(bench: Workbench, rows: NDArray[np.intp]) -> NDArray[np.uint64]:
    """The same for every strength, so that curves tell of the strength and not of the draw."""
    ids = bench.people.faces.table["face_id"].to_numpy(dtype=str)[rows]
    return picture_seeds(ids, purpose="damage", seed=bench.config.seed)
