"""Finished runs as a comparison reads them: nothing is computed again, and no model is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit.config import AuditConfig, load_config
from audit.outcomes import Outcomes
from audit.split import read_split
from biometrics.errors import ConfigError
from biometrics.file_names import file_name
from biometrics.templates import TemplateSet
from reports.results import AttackResult, JudgeResult, Measured, Results, load_results

CONFIG = "audit.yaml"
SPLIT = "split.csv"


@dataclass(frozen=True)
class ComparedRun:
    """A finished run.

    Attributes:
        name: under which it stands in the comparison.
        folder: where it lies.
        config, results, outcomes: its settings, its figures, and what these are averages of.
    """

    name: str
    folder: Path
    config: AuditConfig
    results: Results
    outcomes: Outcomes

    @property
    def target(self) -> str:
        """The backbone whose templates leaked."""
        return self.config.target

    @property
    def attacks(self) -> list[AttackResult]:
        """Its attacks without the controls."""
        return [a for a in self.results.attacks if not a.control]

    def roles(self, templates: TemplateSet) -> NDArray[np.str_]:
        """The role of every face, in the order of its templates."""
        _, roles = read_split(self.folder / SPLIT)
        return np.array([roles.get(face, "") for face in templates.table["template_id"]])

    def templates(self, backbone: str) -> TemplateSet:
        """Every face's template by a backbone of the run.

        Raises:
            InputError: it is gone.
        """
        return TemplateSet.load(
            self.folder / "templates" / file_name(backbone) / "templates.parquet"
        )


def read_runs(folders: Sequence[Path]) -> list[ComparedRun]:
    """The runs in these folders, each named by its target, or by target and folder where several
    have the same.

    Raises:
        ResultsError, InputError: a folder holds no finished run.
        ConfigError: they differ in more than the target; runs of one target may differ in how
            templates leaked and in what the attacker has.
    """
    configs = [load_config(folder / CONFIG) for folder in folders]
    targets = Counter(config.target for config in configs)
    runs = [
        ComparedRun(
            name=c.target if targets[c.target] == 1 else f"{c.target} ({folder.resolve().name})",
            folder=folder,
            config=c,
            results=load_results(folder),
            outcomes=Outcomes.load(folder),
        )
        for folder, c in zip(folders, configs, strict=True)
    ]
    _refuse_unlike(runs)
    return runs


def _refuse_unlike(runs: Sequence[ComparedRun]) -> None:
    """Figures of other people, or of attacks with other means, are no comparison of backbones."""
    first = runs[0]
    same = len({run.target for run in runs}) == 1
    for run in runs[1:]:
        pair = f"{first.folder} and {run.folder}"
        if run.outcomes.people != first.outcomes.people:
            raise ConfigError(
                f"{pair} cannot be compared: other people leaked (the same faces, seed and quick "
                "are needed, and runs of one installation)"
            )
        more = () if same else ("attacks", "training", "leak", "appearance")
        for key in ("seed", "quick", "fmr", *more):
            if getattr(run.config, key) != getattr(first.config, key):
                raise ConfigError(
                    f"{pair} cannot be compared: they differ in '{key}', so a difference would say "
                    "nothing about what else differs"
                )


def judged(run: ComparedRun, attack: str, judge: str) -> JudgeResult | None:
    """What a judge of a run said of an attack; None where it did not judge."""
    found = next((a for a in run.results.attacks if a.attack == attack), None)
    return None if found is None else found.judges.get(judge)


def strongest(
    run: ComparedRun,
    judge: str,
    fmr: str,
    *,
    unseen: bool,
    among: Collection[str] | None = None,
) -> str | None:
    """The attack that a judge accepts most at an FMR; with ``unseen`` only of those that it took
    no part in, and only ``among`` those named there. None where nothing was measured."""
    found: dict[str, float] = {}
    for attack in run.attacks:
        verdict = attack.judges.get(judge)
        left_out = among is not None and attack.attack not in among
        if verdict is None or left_out or (unseen and not verdict.unseen):
            continue
        sar = verdict.type1.get(fmr)
        if isinstance(sar, Measured):
            found[attack.attack] = sar.value
    return max(found, key=lambda name: found[name]) if found else None
