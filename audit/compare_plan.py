"""What a comparison was asked for: configurations of one or several targets, and finished runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from attacks.base import attack_class
from audit.compare_config import CompareConfig
from audit.config import AuditConfig, effective_yaml, load_as
from audit.run_folder import MANIFEST
from biometrics.backbones.base import BACKBONES
from biometrics.errors import ConfigError
from biometrics.file_names import file_name


def read_sources(
    sources: Sequence[str], overrides: Sequence[str], environ: Mapping[str, str] | None
) -> tuple[list[CompareConfig], list[Path]]:
    """Configurations, and folders of runs.

    Raises:
        ConfigError: a folder that is no run, a bad configuration, or settings for none.
    """
    plans, finished = [], []
    for source in sources:
        if Path(source).is_dir():
            if not (Path(source) / MANIFEST).is_file():
                raise ConfigError(f"{source} is a folder but no run; give a YAML file or a run")
            finished.append(Path(source))
            continue
        plans.append(load_as(CompareConfig, source, overrides=overrides, environ=environ))
    if overrides and not plans:
        raise ConfigError("--set changes configurations; finished runs stay as they are")
    return plans, finished


def planned_audits(plans: Sequence[CompareConfig]) -> dict[str, AuditConfig]:
    """The audits by the names of their folders; every one has every target for a judge.

    Raises:
        UnknownNameError: no such backbone.
        ConfigError: other forms of templates are asked for, and no attack that could use them.
    """
    targets = [t for plan in plans for t in (plan.targets or (plan.target,))]
    for name in targets:
        BACKBONES.get(name)
    for plan in plans:
        if plan.formats and not learn_from_pairs(plan):
            raise ConfigError(
                "formats: templates of another form can only be attacked from pairs; add an attack "
                "that needs no model, such as linear"
            )
        if plan.formats and not plan.training.plain:
            raise ConfigError(
                "formats: templates of another form are those of the attacker's own pictures; "
                "leave out training"
            )
    audits: dict[str, AuditConfig] = {}
    used: Counter[str] = Counter()
    for plan in plans:
        for audit in plan.audits(targets):
            name = file_name(audit.target)
            used[name] += 1
            audits[name if used[name] == 1 else f"{name}-{used[name]}"] = audit
    return audits


def learn_from_pairs(plan: AuditConfig) -> list[str]:
    """Its attacks that need no model, only faces with their templates."""
    return [a.name for a in plan.attacks if not attack_class(a.name).whitebox]


def effective_plan(plans: Sequence[CompareConfig], finished: Sequence[Path]) -> str:
    """What is compared, as YAML documents: the configurations, then the runs."""
    documents = [effective_yaml(plan) for plan in plans]
    runs = "".join(f"- {json.dumps(str(run))}\n" for run in finished)
    return "---\n".join([*documents, *([runs] if runs else [])])
