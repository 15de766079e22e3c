"""Other judges on the reconstructions of a store, though their own templates did not leak.

A linear map, fitted on sampled faces that both models embedded, predicts what another model would
have made of the leaked face. How good the prediction is was measured on sampled people left out;
the agreement is shown beside that and never as a headline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audit.estimates import estimate
from audit.store_attack import LeakedTemplates, StoreAttempt, Vectors
from biometrics.metrics.success import Attempts, acceptance
from biometrics.template_map import TemplateMap, fit_template_map
from reports.results import Estimate, NotMeasured, PredictedAgreement

if TYPE_CHECKING:
    from audit.store_assembly import Calibrated

PAIRS = 1500
"""Sampled people that a map is fitted on."""

LEFT_OUT = 500
"""Sampled people that it is tried on."""


def predicted_agreement(
    leaked: LeakedTemplates,
    made: StoreAttempt,
    target: Calibrated,
    judge: Calibrated,
    seed: int,
) -> PredictedAgreement:
    """How often ``judge`` accepts the reconstructions as the face that it would have seen.

    Args:
        leaked: the templates.
        made: the attack, looked at by this judge.
        target: the attacked model, with its templates of the sampled faces.
        judge: the other one, with its templates of the same faces.
        seed: of the bootstrap.
    """
    name, kind = judge.backbone.spec.name, judge.backbone.spec.similarity
    both = min(len(target.sampled), len(judge.sampled), PAIRS + LEFT_OUT)
    pairs = both - max(1, both * LEFT_OUT // (PAIRS + LEFT_OUT))
    found = fit_template_map(
        target.sampled[:pairs],
        judge.sampled[:pairs],
        unit=target.backbone.spec.similarity == "cosine",
    )
    rest = slice(pairs, both)
    tried = {
        "agreement": Attempts(
            reconstructed=made.vectors[name],
            leaked=found.apply(leaked.vectors),
            subjects=leaked.subjects,
            detected=made.detected,
            kind=kind,
        ),
        "same_picture": _calibration(found, target.sampled[rest], judge.sampled[rest], judge),
    }
    columns: dict[str, dict[str, Estimate]] = {
        name: {} for name in ("agreement", "same_picture", "strangers")
    }
    for cut in judge.cuts:
        if cut.value is None:
            for column in columns.values():
                column[cut.label] = NotMeasured(not_measured=cut.why)
            continue
        agreed = acceptance(tried["agreement"], cut.value, seed=seed)
        known = acceptance(tried["same_picture"], cut.value, seed=seed)
        columns["agreement"][cut.label] = estimate(agreed.type1)
        columns["same_picture"][cut.label] = estimate(known.type1)
        columns["strangers"][cut.label] = estimate(known.reconstruction_fmr)
    return PredictedAgreement(judge=name, pairs=pairs, **columns)


def _calibration(found: TemplateMap, mine: Vectors, theirs: Vectors, judge: Calibrated) -> Attempts:
    """The judge's own templates of sampled faces against the predicted ones."""
    return Attempts(
        reconstructed=theirs,
        leaked=found.apply(mine),
        subjects=np.arange(len(mine)),
        detected=np.ones(len(mine), dtype=bool),
        kind=judge.backbone.spec.similarity,
    )
