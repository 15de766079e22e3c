"""Templates that the attacker cannot read, and several templates of one person, inverted.

A black box that only answers scores is asked how alike each leaked template is to faces of the
attacker's own; the template is worked out from the answers and inverted. Beside it stand the
templates themselves, and the fusion of several of one person. Everything is judged as the
attempts of an attack are, on a sample of the leaked subjects that the seed draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from attacks.base import InversionAttack, attack_class, make_settings
from audit.attempted import Attempted
from audit.attempts import Attempts
from audit.config_values import AttackChoice
from audit.estimates import mean_estimate, rate_estimate
from audit.judging import Bench, Judge
from audit.people import seed_for
from audit.search_settings import SearchSettings
from audit.search_trials import Known, Trial, make_trials
from audit.verdict import judge_of
from biometrics.backbones.embed import embed
from biometrics.errors import ConfigError
from biometrics.faces.detect import find_in_crop
from biometrics.faces.resize import to_canonical
from biometrics.file_names import file_name
from biometrics.metrics.pairs import Pairs
from biometrics.metrics.scores import paired_similarity
from biometrics.metrics.success import NO_OTHER_PICTURE
from biometrics.metrics.success import Attempts as Compared
from biometrics.parallel import ordered_map
from reports.schema import ByFmr, Estimate, NotMeasured
from reports.search_results import SearchJudge, SearchResult

FILE = "search.safetensors"
DETECTED = "a face was found"
BATCH = 256


@dataclass(frozen=True)
class Judged:
    """Reconstructions of one trial as the judges see them.

    Attributes:
        detected: whether a face was found, bool [S].
        vectors: the judges' templates of the reconstructions, float32 [S, D] each.
    """

    detected: NDArray[np.bool_]
    vectors: dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Searched:
    """All trials of one attack, and what became of them.

    Attributes:
        attack: its name.
        consulted: judges that are no unseen ones of this attack.
        trials, judged: what was tried, and what came of each.
        key: of the stage.
    """

    attack: str
    consulted: frozenset[str]
    trials: list[Trial]
    judged: list[Judged]
    key: str


def searched_attack(settings: SearchSettings, attacks: Sequence[AttackChoice]) -> str:
    """The name of the attack that inverts what is found.

    Raises:
        ConfigError: it is none of the configured attacks, or a control.
    """
    names = [choice.name for choice in attacks if not attack_class(choice.name).control]
    wanted = settings.attack or next(iter(names), "")
    if wanted in names:
        return wanted
    known = ", ".join(names) or "none"
    raise ConfigError(
        f"search.attack: '{wanted}' is not among the attacks of this audit ({known}; controls do "
        "not count); add it to attacks"
    )


class Search:
    """Tries a fitted attack on the leaked templates of one target, known in several ways.

    Args:
        settings: which ways.
        seed: of the audit; draws the subjects and the attacker's faces.
        tries: has run the attack already, in the same run folder.
    """

    def __init__(self, settings: SearchSettings, seed: int, tries: Attempts) -> None:
        self.settings, self.seed = settings, seed_for("search", seed)
        self.tries, self.people, self.models = tries, tries.people, tries.models

    def attempt(self, made: Attempted, settings: Mapping[str, Any], *, seed: int) -> Searched:
        """All trials of an attack, from the finished stage where there is one.

        Args:
            made: what ``Attempts.attempt`` returned of it.
            settings, seed: as they were given there.
        """
        trials = make_trials(self.settings, self._known(), self.seed)

        def build(out: Path) -> None:
            fitted = self.tries.fit(made.name, make_settings(made.name, settings), seed=seed)
            self._make(fitted.attack, trials, out)

        inputs = {
            "attack": made.keys,
            "settings": self.settings.model_dump(mode="json", exclude={"attack"}),
            "seed": self.seed,
            "judges": {judge: self.models.backbone_keys[judge] for judge in self.models.judges},
        }
        stage = self.tries.run.stage(f"search/{file_name(made.name)}", inputs, build)
        arrays = load_file(stage.folder / FILE)
        ends = np.cumsum([len(trial.vectors) for trial in trials])[:-1]
        parts = {key: np.split(array, ends) for key, array in arrays.items()}
        judged = [
            Judged(found.astype(bool), {judge: parts[judge][i] for judge in self.models.judges})
            for i, found in enumerate(parts[DETECTED])
        ]
        return Searched(made.name, made.consulted, trials, judged, stage.key)

    def _known(self) -> Known:
        rows, subjects = self.people.split, self.people.faces.subject_ids
        vectors = self.models.target_templates.vectors
        return Known(
            leaked=vectors[rows.leaked],
            subjects=subjects[rows.leaked],
            attacker=vectors[rows.attacker],
            attacker_subjects=subjects[rows.attacker],
            similarity=self.models.target_similarity,
        )

    def _make(self, attack: InversionAttack, trials: Sequence[Trial], out: Path) -> None:
        """All trials in one go: the processes that look for faces start once."""
        vectors = np.concatenate([trial.vectors for trial in trials if len(trial.vectors)])
        text = f"invert {len(vectors):,} templates, searched and fused"
        with self.tries.watch.task(text, len(vectors) * len(self.models.judges)) as advance:
            batches = [slice(i, i + BATCH) for i in range(0, len(vectors), BATCH)]
            crops = [to_canonical(attack.invert(vectors[part]).rounded()) for part in batches]
            faces = ordered_map(find_in_crop, [crop for batch in crops for crop in batch])
            arrays: dict[str, NDArray[Any]] = {
                DETECTED: np.array([face is not None for face in faces], dtype=np.uint8)
            }
            for judge, model in self.models.judges.items():
                parts = [embed(model, batch, advance=advance) for batch in crops]
                arrays[judge] = np.concatenate(parts)
        save_file(arrays, out / FILE)


def search_results(searched: Searched, bench: Bench) -> list[SearchResult]:
    """The rates of every trial by every judge, for results.json."""
    unseen = {
        judge.name: judge_of(judge.backbone.spec, bench.models.target, searched.consulted).unseen
        for judge in bench.judges
    }
    return [
        SearchResult(
            attack=searched.attack,
            backbone=bench.models.target,
            **trial.way._asdict(),
            n=len(trial.vectors),
            template_similarity=_likeness(trial, bench),
            judges={
                judge.name: SearchJudge(
                    unseen=unseen[judge.name],
                    type1=_rates(trial, trial.own, judged, judge, bench.seed),
                    type2=_rates(trial, trial.others, judged, judge, bench.seed),
                )
                for judge in bench.judges
            },
        )
        for trial, judged in zip(searched.trials, searched.judged, strict=True)
    ]


def _likeness(trial: Trial, bench: Bench) -> Estimate:
    """How near what is inverted comes to the true templates, by the target's own comparison."""
    if trial.why_not:
        return NotMeasured(not_measured=trial.why_not)
    leaked = bench.models.target_templates.vectors[bench.people.split.leaked]
    first, second = trial.own
    kind = bench.models.target_similarity
    return mean_estimate(
        paired_similarity(trial.vectors[first], leaked[second], kind), first, bench.seed
    )


def _rates(trial: Trial, pairs: Pairs, judged: Judged, judge: Judge, seed: int) -> ByFmr:
    """Share of the pairs that the judge accepts, within a subject first, at each threshold.

    Each pair counts as an attempt against the one picture: what is Type-II of a template is, by
    this, Type-I of its pair.
    """
    why = trial.why_not or ("" if len(pairs.first) else NO_OTHER_PICTURE.reason)
    if why:
        return {cut.label: NotMeasured(not_measured=why) for cut in judge.cuts}
    compared = Compared(
        reconstructed=judged.vectors[judge.name][pairs.first],
        leaked=judge.leaked[pairs.second],
        subjects=pairs.first,
        detected=judged.detected[pairs.first],
        kind=judge.kind,
    )
    rates: ByFmr = {}
    for cut in judge.cuts:
        if cut.value is None:
            rates[cut.label] = NotMeasured(not_measured=cut.why)
            continue
        accepted = (compared.type1_scores >= cut.value) & compared.usable
        rates[cut.label] = rate_estimate(accepted, compared.groups.index, seed)
    return rates
