"""A protection run: every scheme on every target, from faces to report."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.config import AuditConfig
from audit.config_values import SchemeChoice
from audit.models import Models
from audit.people import People
from audit.protect.attackers import plans
from audit.protect.bench import Workbench
from audit.protect.config import ProtectConfig
from audit.protect.findings import protection_findings
from audit.protect.labels import read_attributes
from audit.protect.plan import Plan
from audit.protect.rows import Seen, attack_rows, control_rows, decoded, silent_rows
from audit.protect.scheme_rows import scheme_row, unmeasured_row
from audit.protect.settings import ProtectSettings
from audit.protect.strips import FIGURES
from audit.protect.system import System
from audit.run_folder import RunFolder
from audit.targets_run import Work, run_targets
from audit.watch import Watch
from audit.workbench import Made
from biometrics.errors import InputError
from reports.protection_select import protection_fmr
from reports.results import HEADLINE_FMR, UNPROTECTED, ProtectionLimits, ProtectionResult

NAME = "protect"
CONFIG_NAME = f"{NAME}.yaml"

MEAN, RANDOM = "control:mean-template", "control:random-template"


def run_protect(config: ProtectConfig, out: Path, watch: Watch) -> Path:
    """Protect templates and attack them, or do what is missing of it; see
    :func:`audit.targets_run.run_targets`."""
    work = Work(
        NAME,
        FIGURES,
        functools.partial(_bench, sizes=config.protect),
        _rows,
        functools.partial(_document, sizes=config.protect),
    )
    return run_targets(config, work, out, watch)


def _bench(
    config: AuditConfig,
    people: People,
    models: Models,
    shared: RunFolder,
    run: RunFolder,
    watch: Watch,
    *,
    sizes: ProtectSettings,
) -> Workbench:
    attributes = read_attributes(sizes, people)
    return Workbench(config, sizes, attributes, people, models, shared, run, watch)


def _rows(bench: Workbench) -> list[ProtectionResult]:
    return list(_Trial(bench).rows())


def _document(rows: list[ProtectionResult], *, sizes: ProtectSettings) -> dict[str, Any]:
    limits = ProtectionLimits(
        fmr=protection_fmr(rows) or HEADLINE_FMR, max_sar=sizes.gate, max_loss=sizes.max_loss
    )
    return {
        "protections": rows,
        "protection_limits": limits,
        "findings": protection_findings(rows, sizes),
    }


class _Trial:
    """All schemes on one target; templates as they are come first."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self.unprotected = System(bench, SchemeChoice(UNPROTECTED, {}))
        self.plain: dict[str, Seen] = {}

    def rows(self) -> Iterator[ProtectionResult]:
        """Of every scheme: what it costs, what came of the attacks, and the controls."""
        yield from self._of(self.unprotected)
        for choice in self.bench.sizes.schemes:
            try:
                system = System(self.bench, choice, attributes=self.bench.attributes)
            except InputError as error:  # too few people to learn from, or no labels of theirs
                yield unmeasured_row(self.bench, choice, str(error))
                continue
            yield from self._of(system)

    def _of(self, system: System) -> Iterator[ProtectionResult]:
        self.bench.watch.note(f"{self.bench.target}: {system.choice.name}")
        yield scheme_row(system)
        one = self._with_one_key(system)
        for attack in self.bench.attacks:
            for plan in plans(system, one, attack):
                yield from self._tried(plan)
        for name, (made, says) in self._controls.items():
            yield from control_rows(system, name, made, says)

    def _with_one_key(self, system: System) -> System | None:
        wanted = {"template"} & {*self.bench.sizes.leaks}
        if not wanted or "one-key" not in self.bench.sizes.knowledge or not system.scheme.keyed:
            return None
        return System(self.bench, system.choice, one_key=True, attributes=self.bench.attributes)

    def _tried(self, plan: Plan) -> list[ProtectionResult]:
        made = decoded(plan)
        if made is None:
            return silent_rows(plan)
        first = plan.system is self.unprotected and plan.leak == "template"
        seen = attack_rows(plan, made, None if first else self.plain.get(plan.attack))
        if first:
            self.plain[plan.attack] = seen
        return seen.rows

    @functools.cached_property
    def _controls(self) -> Mapping[str, tuple[Made, str]]:
        """Faces made without any template of the leaked people, by the first attack."""
        bench, attack = self.bench, self.bench.attacks[0]
        mean = np.tile(bench.population.mean.astype(np.float32), (len(bench.rows), 1))
        told: dict[str, tuple[NDArray[np.float32], str]] = {
            MEAN: (mean, "the face of the mean template, for everybody"),
            RANDOM: (
                random_templates(bench),
                "the face of a template drawn at random",
            ),
        }
        return {
            name: (
                bench.invert(
                    attack,
                    vectors,
                    f"controls/{name.removeprefix('control:')}",
                    measure=bench.likeness(),
                    show=bench.shown(bench.rows),
                ),
                says,
            )
            for name, (vectors, says) in told.items()
        }


def random_templates(bench: Workbench) -> NDArray[np.float32]:
    """Templates drawn from what the attacker's people look like, one for each that leaked: what
    comes of a decoder that was told nothing."""
    rng = np.random.default_rng(bench.seed_of("random templates"))
    root = np.linalg.cholesky(bench.population.covariance)
    drawn = rng.standard_normal((len(bench.rows), len(root))) @ root.T
    found: NDArray[np.float32] = (bench.population.mean + drawn).astype(np.float32)
    return found
