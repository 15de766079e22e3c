"""Thresholds for an audit without photographs: they cannot be set on the store, so they come from
people who were measured before, and the report says from whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from audit.config_values import Fmr
from audit.judging import Cut
from audit.sampled_faces import sampled_templates
from audit.store_assembly import Calibrated
from audit.watch import Watch
from biometrics.backbones.base import Backbone
from biometrics.metrics.intervals import NotMeasured
from biometrics.metrics.verification import nonmated_threshold
from biometrics.stores.known_backbones import Calibration, shipped_calibration

SAMPLED = 3000
"""Sampled people whose pairs set a threshold where no photographs did: 4.5 million pairs."""


def calibrate(
    backbone: Backbone,
    fmrs: Sequence[Fmr],
    weights: Mapping[str, str],
    watch: Watch,
    *,
    sampled: int,
) -> Calibrated:
    """A backbone with its thresholds: the shipped ones, from photographs of LFW's listed attacker
    subjects, where there are any of these very weights; else from sampled people, who are more
    alike to some models and less to others than real ones.

    Args:
        backbone: the judge.
        fmrs: false match rates.
        weights: files that the user gave, by backbone name.
        watch: shows progress.
        sampled: how many sampled faces are embedded for the controls.
    """
    templates = sampled_templates(backbone, weights, watch, sampled)
    shipped = shipped_calibration(backbone.spec.name)
    if shipped is not None and shipped.sha256 == backbone.spec.sha256:
        cuts = tuple(_shipped(shipped, fmr) for fmr in fmrs)
        words = (
            f"thresholds from {shipped.pictures:,} photographs of {shipped.subjects:,} people "
            "(the shipped calibration, LFW)"
        )
        return Calibrated(backbone, cuts, words, templates)
    few = templates[:SAMPLED]
    people, kind = np.arange(len(few)), backbone.spec.similarity
    found = [nonmated_threshold(few, people, kind, fmr.value) for fmr in fmrs]
    cuts = tuple(
        Cut(fmr.label, None, threshold.reason)
        if isinstance(threshold, NotMeasured)
        else Cut(fmr.label, threshold.value)
        for fmr, threshold in zip(fmrs, found, strict=True)
    )
    words = f"thresholds from {len(few):,} sampled people who do not exist"
    return Calibrated(backbone, cuts, words, templates)


def _shipped(found: Calibration, fmr: Fmr) -> Cut:
    known = {f"{rate:.0e}".replace("e-0", "e-"): cut for rate, cut in found.thresholds.items()}
    if fmr.label not in known:
        there = ", ".join(known)
        return Cut(fmr.label, None, f"the shipped calibration has thresholds for {there} only")
    return Cut(fmr.label, known[fmr.label])
