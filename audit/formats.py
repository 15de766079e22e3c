"""A backbone whose templates are kept shortened or coarser: what it costs, and what it saves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.attempts import Attempts
from audit.config import AuditConfig
from audit.estimates import estimate
from audit.judging import Bench, Judge, cuts_for, tmr_at
from audit.models import Models, prepare_models
from audit.people import People, gather_people, seed_for
from audit.pipeline import configured_attacks
from audit.ranking import Standing
from audit.run_folder import RunFolder, stage_key
from audit.watch import Watch
from biometrics.metrics.intervals import paired_difference
from biometrics.metrics.success import Acceptance, acceptance
from biometrics.metrics.success import Attempts as Compared
from biometrics.template_form import FORMS, TemplateForm
from biometrics.templates import TemplateSet
from reports.results import ByFmr, Estimate, FormatRow, NotMeasured

FOLDER = "formats"


def try_formats(
    config: AuditConfig, run: Path, place: Standing, out: Path, watch: Watch
) -> list[FormatRow]:
    """Every form of :data:`FORMS` of a target's templates.

    The attack learns anew from templates of that form, and what it makes of the leaked ones is
    tried on the judge by which the target is ranked.

    Args:
        config: of the target's audit.
        run: its finished run; its faces and templates are used.
        place: attack and judge.
        out: a folder of runs, one a form, named after the run and the form.
        watch: shows progress.
    """
    with RunFolder(run) as finished:
        people = gather_people(config, finished, watch)
        models = prepare_models(config, people, finished, watch)
    bench = Bench(config, people, models)
    judge = next(j for j in bench.judges if j.name == place.judge)
    tries = Tries(config, people, models, judge, place, out / run.name, watch)
    first: dict[str, Acceptance] | None = None
    rows = []
    for form in FORMS:
        made = tries.attempt(form)
        first = first or made.rates
        rows.append(tries.row(form, made, first))
    return rows


class _Made(NamedTuple):
    """The templates in one form, and what the judge accepts of the attack at each FMR."""

    templates: TemplateSet
    rates: dict[str, Acceptance]


class Tries:
    """What :func:`try_formats` needs for each form."""

    def __init__(
        self,
        config: AuditConfig,
        people: People,
        models: Models,
        judge: Judge,
        place: Standing,
        out: Path,
        watch: Watch,
    ) -> None:
        self.config, self.people, self.models = config, people, models
        self.judge, self.place, self.out, self.watch = judge, place, out, watch
        self.seed = seed_for("bootstrap", config.seed)
        self.subjects = people.faces.subject_ids[people.split.leaked]

    def attempt(self, form: TemplateForm) -> _Made:
        """Learn from templates of the form, invert the leaked ones, judge."""
        target, plain = self.models.target, self.models.target_templates
        fitted = form.fit(plain.vectors[self.people.split.attacker])
        kept = dataclasses.replace(plain, vectors=fitted.apply(plain.vectors), normalised=False)
        key = stage_key(form.name, {"templates": self.models.target_key, **form.record()})
        leaked = fitted.apply(self.models.leaked.vectors[target])
        models = dataclasses.replace(
            self.models,
            judges={self.judge.name: self.judge.backbone},
            templates={**self.models.templates, target: kept},
            leaked=dataclasses.replace(
                self.models.leaked, vectors={**self.models.leaked.vectors, target: leaked}
            ),
            target_key=key,
        )
        settings = dict(configured_attacks(self.config))[self.place.attack]
        folder = self.out.with_name(f"{self.out.name}-{form.slug}")
        with RunFolder(folder) as run:
            tries = Attempts.configured(self.config, run, self.people, models, self.watch)
            seed = seed_for("attack", self.config.seed)
            made = tries.tried(self.place.attack, settings, seed=seed)
        compared = Compared(
            reconstructed=made.vectors(self.judge.name),
            leaked=self.judge.leaked,
            own=self.judge.own,
            subjects=self.subjects,
            detected=made.detected,
            kind=self.judge.kind,
        )
        rates = {
            cut.label: acceptance(compared, cut.value, seed=self.seed)
            for cut in self.judge.cuts
            if cut.value is not None
        }
        return _Made(kept, rates)

    def row(self, form: TemplateForm, made: _Made, first: Mapping[str, Acceptance]) -> FormatRow:
        """The row of a form; ``first`` is of the templates as they are."""
        columns: dict[str, ByFmr] = {"type1": {}, "type2": {}, "difference": {}}
        for cut in self.judge.cuts:
            if cut.value is None:
                for column in columns.values():
                    column[cut.label] = NotMeasured(not_measured=cut.why)
                continue
            rates = made.rates[cut.label]
            before = first[cut.label].by_subject.type1
            change = paired_difference(rates.by_subject.type1, before, rates=True, seed=self.seed)
            columns["type1"][cut.label] = estimate(rates.type1)
            columns["type2"][cut.label] = estimate(rates.type2)
            columns["difference"][cut.label] = (
                NotMeasured(not_measured="the others are compared with this row")
                if rates is first[cut.label]
                else estimate(change)
            )
        dim = self.models.target_templates.vectors.shape[1]
        return FormatRow(
            backbone=self.models.target,
            form=form.name,
            dim=form.dim(dim),
            bytes=form.bytes(dim),
            attack=self.place.attack,
            judge=self.judge.name,
            tmr=self._recognition(made.templates.vectors),
            **columns,
        )

    def _recognition(self, vectors: NDArray[np.float32]) -> dict[str, Estimate]:
        """TMR of the backbone with such templates, at thresholds set with such templates."""
        kind, names = self.models.target_similarity, self.people.faces.subject_ids
        rows = self.people.split.threshold
        cuts = cuts_for(vectors[rows], names[rows], kind, self.config.fmr)
        leaked = vectors[self.people.split.leaked]
        return tmr_at(cuts, leaked, self.subjects, kind, self.seed)
