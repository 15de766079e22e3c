"""Measures that belong to one scheme alone.

Measures:
    epsilon: differential privacy of one stored template under noise, at the setting's delta.
    attribute_before, attribute_not_retrained, attribute_retrained: balanced accuracy with which the
        hidden attribute is told for people who were not learnt from: from plain templates; from
        protected ones by what was learnt from plain ones; and by what was learnt from protected
        ones, which is the one that counts. A guess has one half.
    he_largest_error: of scores under encryption, against plain ones.
    he_seconds, he_encryption_seconds: of one encrypted comparison, and of encrypting a template.
    he_ciphertext_bytes: of one ciphertext, as the library writes it.
"""

from __future__ import annotations

from audit.estimates import estimate
from audit.protect.system import System
from biometrics.errors import ConfigError
from biometrics.metrics.intervals import NotMeasured as NoFact
from biometrics.protection.attribute_probe import attribute_probe
from biometrics.protection.ckks import Ckks, encrypted_scores
from biometrics.protection.disentangle import Disentangle
from biometrics.protection.noise import Noise
from reports.results import Estimate, Measured, NotMeasured

ENCRYPTED = 20
"""Comparisons that are made under encryption."""

ENCRYPTION_SECONDS = "he_encryption_seconds"
HE_MEASURES = ("he_largest_error", "he_seconds", ENCRYPTION_SECONDS, "he_ciphertext_bytes")


def scheme_measures(system: System) -> dict[str, Estimate]:
    """By name; empty for most schemes."""
    if isinstance(system.scheme, Noise):
        return {"epsilon": Measured(value=system.scheme.epsilon, n=1)}
    if isinstance(system.scheme, Disentangle):
        return _attribute(system, system.scheme)
    if isinstance(system.scheme, Ckks):
        return _encrypted(system)
    return {}


def _attribute(system: System, scheme: Disentangle) -> dict[str, Estimate]:
    bench, leaked = system.bench, system.bench.people.split.leaked
    told = attribute_probe(
        scheme,
        bench.clean(bench.target, leaked),
        bench.names[leaked],
        bench.attributes[scheme.name][leaked],
        seed=bench.seed,
    )
    return {
        f"attribute_{name}": estimate(
            found if isinstance(found, NoFact) else found.balanced_accuracy
        )
        for name, found in (
            ("before", told.before),
            ("not_retrained", told.not_retrained),
            ("retrained", told.retrained),
        )
    }


def _encrypted(system: System) -> dict[str, Estimate]:
    """Every leaked template with the next one; both sides encrypted."""
    bench = system.bench
    rows = bench.clean(bench.target, bench.rows[: ENCRYPTED + 1])
    try:
        told = encrypted_scores(rows[:-1], rows[1:], system.kind)
    except ConfigError as error:
        why = NotMeasured(not_measured=str(error))
        return dict.fromkeys(HE_MEASURES, why)
    values = (
        told.largest_error,
        told.seconds_per_comparison,
        told.seconds_per_encryption,
        told.ciphertext_bytes,
    )
    n = len(rows) - 1
    return {k: Measured(value=v, n=n) for k, v in zip(HE_MEASURES, values, strict=True)}
