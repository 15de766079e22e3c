"""Numbers beside the attacks: how well models recognise, and what a store holds."""

from __future__ import annotations

from collections.abc import Callable

from reports.compliance.found import Evidence, targets
from reports.results import (
    AttributeLeak,
    ByFmr,
    Estimate,
    Measured,
    NotMeasured,
    Results,
)
from reports.stress_select import shown_fmr


def _nothing(why: str) -> list[Evidence]:
    return [Evidence(NotMeasured(not_measured=why))]


def recognition(results: Results, fmr: str | None) -> list[Evidence]:
    """How often the leaked models recognise the right person."""
    return _of_targets(results, fmr, lambda name: results.backbones[name].tmr)


def realised_fmr(results: Results, fmr: str | None) -> list[Evidence]:
    """How often they accept strangers among the leaked people, at their own threshold."""
    return _of_targets(results, fmr, lambda name: results.backbones[name].realised_fmr)


def _of_targets(results: Results, fmr: str | None, rates: Callable[[str], ByFmr]) -> list[Evidence]:
    names = [name for name in targets(results) if name in results.backbones]
    key = fmr or shown_fmr(rates(name) for name in names)
    found = []
    for name in names:
        values = rates(name)
        if key is None:
            why = next((v.not_measured for v in values.values() if not isinstance(v, Measured)), "")
            found += _nothing(why or "the recognition of the leaked model was not measured")
            continue
        value = values.get(key, NotMeasured(not_measured=f"not measured at FMR {key}"))
        found.append(Evidence(value, judge=name, backbone=name, fmr=key))
    return found or _nothing("the recognition of the leaked model was not measured")


def across_models(results: Results, fmr: str | None) -> list[Evidence]:
    """How often a template of one model, mapped into the space of another, is accepted as the
    person there."""
    rows = [] if results.compare is None else results.compare.predictability
    rows = [row for row in rows if row.source != row.judge]
    key = fmr or shown_fmr(row.other_pictures for row in rows)
    if not rows or key is None:
        return _nothing("templates of several models were not compared in this run")
    lacking = NotMeasured(not_measured=f"not measured at FMR {key}")
    return [
        Evidence(
            row.other_pictures.get(key, lacking),
            attack="linear map",
            judge=row.judge,
            backbone=row.source,
            fmr=key,
        )
        for row in rows
    ]


def attribute_gain(results: Results) -> list[Evidence]:
    """How much better than chance an attribute is read off templates: 0 is chance, 1 is always."""
    leaks = [] if results.store is None else results.store.attributes
    probed = [
        Evidence(
            _above_guess(row.measures["attribute_before"], 2),
            attack=f"attribute '{row.parameters.get('name', 'hidden')}'",
            backbone=row.backbone,
        )
        for row in results.protections
        if "attribute_before" in row.measures
    ]
    found = [Evidence(_gain(leak), attack=f"attribute '{leak.attribute}'") for leak in leaks]
    if not found + probed:
        return _nothing("attributes were not looked for: no labels were given (--labels)")
    return found + probed


def _gain(leak: AttributeLeak) -> Estimate:
    if isinstance(leak.balanced_accuracy, Measured) and len(leak.classes) < 2:
        return NotMeasured(not_measured=f"'{leak.attribute}' has one class only")
    return _above_guess(leak.balanced_accuracy, len(leak.classes))


def _above_guess(rate: Estimate, classes: int) -> Estimate:
    """A balanced accuracy where a guess becomes 0, and always right stays 1."""
    if not isinstance(rate, Measured):
        return rate
    value, low, high = (
        None if accuracy is None else (accuracy - 1 / classes) / (1 - 1 / classes)
        for accuracy in (rate.value, rate.low, rate.high)
    )
    assert value is not None
    return Measured(value=value, low=low, high=high, n=rate.n)


def unencrypted(results: Results) -> list[Evidence]:
    """Share of the store's templates that can be read without a key: all, or none."""
    store = results.store
    if store is None or store.encrypted is None or not store.n_templates:
        return _nothing("how templates are stored was not looked at: no store was audited")
    return _counted(0 if store.encrypted else store.n_templates, store.n_templates, "the store")


def pictures_beside(results: Results) -> list[Evidence]:
    """Pictures of the people that lie in the store, of all its rows."""
    store = results.store
    if store is None:
        return _nothing("what lies beside templates was not looked at: no store was audited")
    pictures = sum(store.pictures.values())
    return _counted(pictures, max(pictures, store.n_templates), "the store")


def names_beside(results: Results) -> list[Evidence]:
    """Share of the store's people whose readable name lies beside their templates."""
    store = results.store
    if store is None or not store.n_subjects:
        return _nothing("names were not looked for: no store with people was audited")
    return _counted(min(store.n_named, store.n_subjects), store.n_subjects, "the store")


def _counted(some: int, of: int, what: str) -> list[Evidence]:
    if not of:
        return _nothing("there is nothing to count")
    return [Evidence(Measured(value=some / of, n=of), attack=what, counted=True)]
