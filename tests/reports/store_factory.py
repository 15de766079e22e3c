"""Results of an audit of a store, for the tests of its page."""

from __future__ import annotations

from typing import Any

from reports.results import (
    AttributeLeak,
    Measured,
    NotMeasured,
    PredictedAgreement,
    Results,
    StoreCollection,
    StoreSummary,
)
from tests.reports import factory


def summary(**changes: Any) -> StoreSummary:
    values: dict[str, Any] = {
        "name": "encodings.pickle",
        "kind": "file",
        "form": "pickle",
        "sha256": "ab" * 32,
        "evidence": ["a dictionary with 'encodings' and 'names'"],
        "n_templates": 1990,
        "n_subjects": 500,
        "dim": 128,
        "backbone": "dlib",
        "normalised": False,
        "coverage": 0.995,
        "unreadable": {"3 numbers where 128 are expected": 10},
        "n_named": 499,
        "pictures": {"img.content": 12},
        "encrypted": False,
        "executable": True,
        "collections": [
            StoreCollection(
                name="encodings",
                rows=1990,
                dim=128,
                stored_as="float64",
                subjects=500,
                names=499,
                norm_mean=1.41,
                norm_std=0.03,
                nan_rows=2,
                duplicate_rows=3,
                backbone="dlib",
                evidence=["128-D, norms 1.41 ± .03"],
            )
        ],
        "audited": "encodings",
        "n_audited_templates": 1985,
        "n_audited_subjects": 500,
        "calibration": "thresholds from 3,000 photographs of 800 people",
        "told_apart": factory.rate(0.91),
        "all_pairs_rate": {"1e-2": factory.rate(0.02)},
        "predicted": [
            PredictedAgreement(
                judge="faceleak-mini",
                pairs=1500,
                agreement={"1e-2": factory.rate(0.61)},
                same_picture={"1e-2": factory.rate(0.71)},
                strangers={"1e-2": factory.rate(0.03)},
            )
        ],
        "attributes": [
            AttributeLeak(
                attribute="glasses",
                classes={"no": 400, "yes": 100},
                balanced_accuracy=Measured(value=0.86, low=0.82, high=0.9, n=500),
                majority=0.8,
                permuted=Measured(value=0.5, low=0.46, high=0.54, n=500),
            ),
            AttributeLeak(
                attribute="age",
                balanced_accuracy=NotMeasured(not_measured="too few people in a class"),
            ),
        ],
        "authorised_by": "A. Owner",
        "purpose": "yearly audit",
    }
    return StoreSummary(**{**values, **changes})


def results(store: StoreSummary | None = None, **changes: Any) -> Results:
    full = factory.results()
    judges = {"dlib": full.attacks[1].judges["dlib"]}
    attacks = [a.model_copy(update={"judges": judges}) for a in full.attacks[1:4]]
    samples = [s.model_copy(update={"original": None}) for s in factory.samples(2)]
    values: dict[str, Any] = {
        "headline": None,
        "faces": None,
        "attacks": attacks,
        "histograms": {},
        "det": {},
        "curves": {},
        "backbones": {"dlib": full.backbones["dlib"]},
        "samples": samples,
        "store": store or summary(),
    }
    return factory.results(**{**values, **changes})
