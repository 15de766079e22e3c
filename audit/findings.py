"""From facts to findings: what somebody should act upon, how bad it is, and what to do.

Every rule looks at what was measured or read and at nothing else; its evidence are these numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.compliance import clause_of
from reports.results import (
    SEVERITY_ORDER,
    AttackResult,
    AttributeLeak,
    Estimate,
    Finding,
    Measured,
    Severity,
    StoreSummary,
)
from reports.words import listed

SPECIAL = clause_of("gdpr.special-category")
SECURITY = clause_of("gdpr.encryption")
MINIMAL = "GDPR Art. 5(1)(c): data minimisation"
IRREVERSIBLE = clause_of("iso24745.irreversibility")
UNLINKABLE = clause_of("iso24745.unlinkability")

USED_BY = {
    "dlib": ("face_recognition", "LibrePhotos", "digiKam 6", "Nextcloud Face Recognition"),
    "facenet-vggface2": ("PhotoPrism", "CompreFace"),
    "facenet-casia": ("CompreFace",),
    "mobilefacenet": ("CompreFace",),
}
"""Public products whose templates an attacker can compare with, by backbone."""

SEVERITIES: tuple[tuple[float, Severity], ...] = (
    (0.5, "critical"),
    (0.2, "high"),
    (0.05, "medium"),
    (0.0, "low"),
)
"""Of a rate, by its lower limit: every second person, every fifth, every twentieth."""


@dataclass(frozen=True)
class StoreEvidence:
    """What is known of a store when all is measured.

    Attributes:
        store: the summary.
        attacks: the rows of the report.
        fmr: the false match rate that findings speak of.
        open_model: whether the weights of the store's backbone are published.
    """

    store: StoreSummary
    attacks: Sequence[AttackResult]
    fmr: str
    open_model: bool


def store_findings(known: StoreEvidence) -> list[Finding]:
    """All findings on a store, the worst first."""
    store = known.store
    rules = (
        _beside(store),
        _access(store),
        _model(known),
        _inverted(known),
        _attributes(store.attributes),
        _rows(store),
    )
    found = [finding for rule in rules for finding in rule]
    return sorted(found, key=lambda f: SEVERITY_ORDER.index(f.severity))


def _beside(store: StoreSummary) -> Iterator[Finding]:
    pictures = sum(store.pictures.values())
    if pictures:
        alone = store.kind == "pictures-only"
        yield Finding(
            id="store.pictures-only" if alone else "store.pictures",
            severity="critical",
            title="The store holds pictures and no templates"
            if alone
            else "Pictures of the people lie beside their templates",
            evidence={"pictures": count_of(pictures, pictures)},
            clauses=[SPECIAL, MINIMAL, SECURITY],
            recommendation=(
                "Delete them after enrolment, or keep them elsewhere under another key "
                f"({', '.join(store.pictures)}). Whoever gets these pictures needs no inversion."
            ),
        )
    if store.n_named:
        yield Finding(
            id="store.names",
            severity="high",
            title="Readable names lie beside the templates",
            evidence={"people with a name": count_of(store.n_named, store.n_subjects)},
            clauses=[SPECIAL, SECURITY],
            recommendation=(
                "Keep names in another store under random identifiers, so that one leak does not "
                "give both. A rebuilt face comes with its name."
            ),
        )


def _access(store: StoreSummary) -> Iterator[Finding]:
    if store.stock_password:
        yield Finding(
            id="store.stock-password",
            severity="critical",
            title="The product's standard password opens the database",
            evidence={"templates within reach": count_of(store.n_templates, store.n_templates)},
            clauses=[SECURITY, "CWE-1392: use of default credentials"],
            recommendation="Change the password today, and look who has been connected.",
        )
    if store.executable:
        yield Finding(
            id="store.executable",
            severity="high",
            title="The store is a pickle: opening it runs what is written in it",
            evidence={"templates": count_of(store.n_templates, store.n_templates)},
            clauses=["CWE-502: deserialisation of untrusted data"],
            recommendation=(
                "Keep templates as Parquet, safetensors or .npy (allow_pickle=False). Whoever can "
                "write this file runs code wherever it is loaded."
            ),
        )
    if store.encrypted is False and store.n_templates:
        dump = "dump" in store.form.lower()
        yield Finding(
            id="store.plain-dump" if dump else "store.plain",
            severity="high" if dump else "medium",
            title="A dump of the database lies there unencrypted"
            if dump
            else "The templates lie there unencrypted",
            evidence={"templates": count_of(store.n_templates, store.n_templates)},
            clauses=[SECURITY, "CWE-312: cleartext storage of sensitive information"],
            recommendation=(
                "Encrypt backups before they leave the server, and delete old ones. They travel "
                "further than databases."
                if dump
                else "Encrypt templates under a key that does not lie beside them."
            ),
        )


def _model(known: StoreEvidence) -> Iterator[Finding]:
    store = known.store
    if not store.backbone or not store.n_templates:
        return
    templates: dict[str, Estimate] = {"templates": count_of(store.n_templates, store.n_templates)}
    if known.open_model and store.normalised is False:
        yield Finding(
            id="store.raw-open-model",
            severity="high",
            title=f"Raw templates of an open model ({store.backbone})",
            evidence=templates,
            clauses=[SPECIAL, IRREVERSIBLE],
            recommendation=(
                "Protect templates (a keyed transform, or comparison under encryption) before "
                "storing them. Anybody can train an inverter against this model with public "
                "photographs."
            ),
        )
    if users := USED_BY.get(store.backbone):
        yield Finding(
            id="store.shared-backbone",
            severity="medium",
            title=f"Templates of {store.backbone} can be compared with those of other products",
            evidence=templates,
            clauses=[UNLINKABLE],
            recommendation=(
                "Transform templates under a key of this store alone. Otherwise a leak of "
                f"{listed(users, 'or')} and a leak of this store tell who is in both: they keep "
                "templates of the same model."
            ),
        )


def _inverted(known: StoreEvidence) -> Iterator[Finding]:
    for row in known.attacks:
        judge = row.judges.get(row.backbone)
        if row.control or judge is None:
            continue
        rate, margin = judge.type1.get(known.fmr), judge.margin_over_nearest.get(known.fmr)
        if not isinstance(rate, Measured) or not isinstance(margin, Measured):
            continue
        more = (margin.value if margin.low is None else margin.low) > 0
        severity = severity_of(rate.value if rate.low is None else rate.low)
        yield Finding(
            id="inversion.own-model",
            # What ten thousand faces of nobody reach too is no merit of the templates.
            severity=severity if more else max(severity, "medium", key=SEVERITY_ORDER.index),
            title=f"Faces rebuilt from the templates open {row.backbone} itself"
            + ("" if more else ", but no more often than the nearest of many faces of nobody"),
            evidence={
                f"accepted at FMR {known.fmr}": rate,
                "more than the nearest sampled face": margin,
                "nearest to their own person, of those audited": known.store.told_apart,
            },
            clauses=[SPECIAL, IRREVERSIBLE],
            recommendation=(
                "Treat the templates like photographs of the people: revoke what leaked, enrol "
                "anew under a protected form, and ask for liveness where faces open doors."
            ),
        )


def _attributes(attributes: Sequence[AttributeLeak]) -> Iterator[Finding]:
    for leak in attributes:
        rate, classes = leak.balanced_accuracy, len(leak.classes)
        if not isinstance(rate, Measured) or rate.low is None or classes < 2:
            continue
        chance = 1 / classes
        gained = (rate.low - chance) / (1 - chance)
        if gained <= 0:
            continue
        yield Finding(
            id=f"attributes.{leak.attribute}",
            severity="medium" if gained >= SEVERITIES[1][0] else "low",
            title=f"The templates tell '{leak.attribute}' without any picture",
            evidence={
                "balanced accuracy": rate,
                "with labels permuted": leak.permuted,
            },
            clauses=[SPECIAL, MINIMAL],
            recommendation=(
                "State this attribute in the impact assessment: whoever holds the templates holds "
                "it too, whether or not it was ever recorded."
            ),
        )


def _rows(store: StoreSummary) -> Iterator[Finding]:
    damaged = sum(c.nan_rows + c.zero_rows + c.constant_rows for c in store.collections)
    lost = sum(store.unreadable.values())
    twice = sum(c.duplicate_rows for c in store.collections)
    rows = sum(c.rows for c in store.collections)
    if damaged or lost:
        yield Finding(
            id="store.damaged-rows",
            severity="low",
            title="Some rows hold no usable template",
            evidence={
                "NaN, zero or constant": count_of(damaged, rows),
                "unreadable": count_of(lost, rows + lost),
            },
            recommendation="Such a row may match everybody or nobody: remove it and enrol again.",
        )
    if twice:
        yield Finding(
            id="store.duplicates",
            severity="low",
            title="The same template is stored more than once",
            evidence={"equal to an earlier row": count_of(twice, rows)},
            clauses=[MINIMAL],
            recommendation="Find out why: one person under two identities, or rows copied.",
        )


def severity_of(rate: float) -> Severity:
    """The severity of a rate, given as its lower limit."""
    return next((name for least, name in SEVERITIES if rate >= least), "info")


def count_of(value: int, n: int | None) -> Measured:
    """A count as evidence; ``n`` is of how many."""
    return Measured(value=value, n=max(1, n or value))
