"""Pictures with adversarial noise, as a stage: what every judge makes of them is kept, and a few of
the pictures themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from attacks.perturbation.adversarial import (
    AdversarialNoise,
    CarliniWagner,
    Effort,
    Fgsm,
    Goal,
    IterativeFgsm,
    Objective,
    Pgd,
    Square,
)
from attacks.perturbation.recogniser import Gallery, Recogniser, fit_gallery
from audit.stress.adversarial_people import Cast, Places
from audit.stress.bench import BATCH, NOTHING, Vectors, Workbench
from biometrics.backbones.embed import embed
from biometrics.faces.images import digest
from biometrics.file_names import file_name

GRADIENT: tuple[tuple[type[AdversarialNoise], Objective, Goal], ...] = (
    (Fgsm, "softmax", "impersonation"),
    (Fgsm, "similarity", "impersonation"),
    (IterativeFgsm, "softmax", "impersonation"),
    (IterativeFgsm, "similarity", "impersonation"),
    (Pgd, "similarity", "impersonation"),
    (Fgsm, "softmax", "evasion"),
    (Pgd, "similarity", "evasion"),
)
"""What is tried at every budget; the iterative FGSM and the rest on some of the people alone: PGD
asks the same of everybody."""


@dataclass(frozen=True)
class Attacked:
    """Pictures of K people with noise.

    Attributes:
        vectors: every judge's templates [K, D].
        l2: length of the noise, values in [0, 1]; [K].
        linf: its largest value, in 255ths [K].
        shown: the pictures asked for, uint8 [P, 224, 224, 3].
    """

    vectors: Mapping[str, Vectors]
    l2: NDArray[np.float64]
    linf: NDArray[np.float64]
    shown: NDArray[np.uint8]


@dataclass(frozen=True)
class Plan:
    """One noise, and the places of the people whose pictures get it [K]."""

    noise: AdversarialNoise
    who: Places


def known_people(bench: Workbench, cast: Cast) -> Gallery:
    """The gallery of enrolled pictures, its scale fitted on all others."""
    clean = bench.clean(bench.target, cast.enrolled)
    rows = np.concatenate([cast.handed, cast.others])
    people = np.concatenate([np.arange(len(cast)), cast.owners])
    vectors = bench.clean(bench.target, rows)
    return fit_gallery(clean, bench.models.target_similarity, vectors, people)


def plans(bench: Workbench, cast: Cast, gallery: Gallery) -> list[Plan]:
    """All that is tried on this target, from weak to strong within each method."""
    sizes = bench.sizes.adversarial
    recogniser = Recogniser(bench.models.ready[bench.target], gallery)
    everybody = np.arange(len(cast))
    drawn = np.random.default_rng(bench.config.seed).permutation(len(cast))
    some = np.sort(drawn[: sizes.pairs])
    cut = _strictest(bench)

    def plan(
        method: type[AdversarialNoise],
        strength: float | None,
        objective: Objective,
        goal: Goal,
        who: Places,
    ) -> Plan:
        seeds = bench.pictures(cast.handed[who], purpose=method.name).seeds.tolist()
        aims = cast.goals[who] if goal == "impersonation" else who
        effort = Effort(
            steps=sizes.steps,
            searches=sizes.searches,
            search_steps=sizes.search_steps,
            queries=sizes.queries,
            threshold=cut if objective == "similarity" and method is CarliniWagner else None,
        )
        known = dict(zip(seeds, aims.tolist(), strict=True))
        noise = method(strength, recogniser, known, objective=objective, goal=goal, effort=effort)
        return Plan(noise, who)

    made = [
        plan(method, budget, objective, goal, some if method is IterativeFgsm else everybody)
        for method, objective, goal in GRADIENT
        for budget in (0.0, *sizes.budgets)
    ]
    made.append(plan(CarliniWagner, None, "softmax", "impersonation", some))
    if cut is not None:
        made.append(plan(CarliniWagner, None, "similarity", "impersonation", some))
    made += [
        plan(Square, budget, "similarity", "impersonation", some)
        for budget in (0.0, *sizes.square_budgets)
    ]
    return made


def _strictest(bench: Workbench) -> float | None:
    """The target's own highest threshold."""
    return max(
        (c.value for c in bench.judge(bench.target).cuts if c.value is not None), default=None
    )


def attacked(bench: Workbench, cast: Cast, gallery: Gallery, plan: Plan, show: Places) -> Attacked:
    """The pictures of the people in a plan; ``show`` are positions among them."""
    noise, rows = plan.noise, cast.handed[plan.who]
    names = [judge.name for judge in bench.judges]
    inputs = {
        "faces": bench.people.faces_key,
        "rows": digest(rows.astype(np.int64).tobytes()),
        "target": bench.models.target_key,
        "gallery": [digest(gallery.templates.tobytes()), gallery.kind, gallery.scale],
        "aims": list(noise.aims.values()),
        "noise": [noise.title, noise.strength, asdict(noise.effort)],
        "seed": bench.config.seed,
        "judges": {name: bench.models.backbone_keys[name] for name in names},
        "show": show.tolist(),
    }

    def build(out: Path) -> None:
        vectors = {name: bench.clean(name, rows).copy() for name in names}
        l2, linf = np.zeros(len(rows)), np.zeros(len(rows))
        shown = []
        with bench.watch.task(f"{noise.label} against {bench.target}", len(rows)) as advance:
            for begin in range(0, len(rows), BATCH):
                some = slice(begin, begin + BATCH)
                clean = bench.pictures(rows[some], purpose=noise.name)
                crops = noise.apply(clean).crops
                apart = (crops.astype(np.float64) - clean.crops).reshape(len(crops), -1)
                l2[some] = np.linalg.norm(apart, axis=1) / 255.0
                linf[some] = np.abs(apart).max(axis=1)
                # What was left as it was keeps its clean template to the last bit.
                changed = np.flatnonzero(linf[some] > 0)
                for name in names:
                    model = bench.models.ready[name]
                    vectors[name][begin + changed] = embed(model, crops[changed])
                shown.append(crops[show[(show >= begin) & (show < begin + BATCH)] - begin])
                advance(len(crops))
        np.savez(out / "noise.npz", l2=l2, linf=linf, shown=np.concatenate([NOTHING, *shown]))
        for name in names:
            np.save(out / f"{file_name(name)}.npy", vectors[name], allow_pickle=False)

    folder = bench.run.stage(f"stress/adversarial/noise/{noise.slug}", inputs, build).folder
    vectors = {n: np.load(folder / f"{file_name(n)}.npy", allow_pickle=False) for n in names}
    with np.load(folder / "noise.npz", allow_pickle=False) as kept:
        return Attacked(vectors, kept["l2"], kept["linf"], kept["shown"])
