"""What a run about protection says in words: names, knowledge, and what each property means."""

from __future__ import annotations

from collections.abc import Sequence

from reports.protection_select import (
    KNOWLEDGE,
    Found,
    attacked,
    backbones_of,
    by_setting,
    knowledge_of,
)
from reports.results import (
    Knowledge,
    Leak,
    ProtectionFamily,
    ProtectionLimits,
    ProtectionResult,
    Results,
)
from reports.stress_select import distinct
from reports.words import count, fmr_label, listed, percent

RECOMMENDATIONS = ("protection.recommendation", "protection.secret-keys")
"""Ids of the findings that say which scheme to take: with the keys leaked, and with them kept."""

FAMILIES: dict[ProtectionFamily, str] = {
    "none": "",
    "keyed": "rests on a key",
    "reduction": "keeps less, no key",
    "disentangling": "separates identity from the rest",
    "encryption": "computes with what is encrypted",
}
KNOWN: dict[Knowledge, str] = {
    "nothing": "knows nothing",
    "scheme": "knows the scheme, no key",
    "one-key": "knows the one key",
    "key": "knows each key",
    "all-keys": "knows all keys",
}
"""The attacker in a few words."""
KNOWN_IN_FULL: dict[Knowledge, str] = {
    "nothing": "The attacker takes what leaked for plain templates.",
    "scheme": "The attacker knows how the scheme works and trains on templates that it protected "
    "under keys of the attacker's own, but has no key that is in use.",
    "one-key": "The whole system uses one key, and the attacker has it: every template that is "
    "wanted for training can be protected as the system does it.",
    "key": "The attacker has each leaked template together with its own key (a stolen key).",
    "all-keys": "The attacker has several protected templates of each person, as from several "
    "systems or from before and after a renewal, with all their keys.",
}
LEAKED: dict[Leak, str] = {
    "template": "protected templates leaked",
    "score": "only scores of a matcher leaked",
    "decision": "only the yes or no of a matcher leaked",
}
JUDGED = {
    "protected": "in the protected system",
    "plain": "without protection",
}
LINKED: dict[Found, str] = {
    "above": "above chance",
    "inside": "inside chance",
    "open": "not told from chance",
    "not measured": "not measured",
}
MEASURES = {
    "epsilon": "Epsilon of differential privacy",
    "attribute_before": "Attribute told from plain templates, balanced accuracy",
    "attribute_not_retrained": "From protected ones, learnt on plain ones",
    "attribute_retrained": "From protected ones, learnt on protected ones",
    "he_largest_error": "Largest error of a score under encryption",
    "he_seconds": "Comparison under encryption, seconds",
    "he_encryption_seconds": "Encryption of a template, seconds",
    "he_ciphertext_bytes": "Ciphertext as the library writes it, bytes",
}
"""What single schemes measure besides."""
PROPERTIES: tuple[tuple[str, str], ...] = (
    (
        "Irreversibility",
        "Nobody can get the face back from what is stored. What is printed is how often faces that "
        "the strongest attack rebuilt are accepted: the property is as good as the upper end of "
        "that interval, and no better.",
    ),
    (
        "Type-I and Type-II (SAR)",
        "Share of rebuilt faces that a judge accepts: against the template that leaked (Type-I), "
        "and against other pictures of the same person (Type-II). An attempt in which no face is "
        "found counts as a failure.",
    ),
    (
        "Recovered cosine",
        "How alike the template that the attack recovered is to the plain one, both less the mean: "
        "1 is the same direction, 0 is none in common. It is a mean over people.",
    ),
    (
        "Unlinkability",
        "Templates of one person under two keys cannot be told to be of one person. D_sys is 0 "
        "where the scores of pairs of one person and of two people look alike and 1 where they "
        "never do. With few scores chance alone gives more than 0, so what chance gives stands "
        "beside it. Maximal linkability is the most that any single score tells, in bits, from 0 "
        "to 1.",
    ),
    (
        "Renewability",
        "After a leak the key is changed and people get new templates. What is printed is how "
        "often a face that was rebuilt from an old template and its leaked key opens the system "
        "with the new key.",
    ),
    (
        "Recognition with the stolen key",
        "Right persons recognised (TMR) where impostors present their own face with the key of the "
        "person they claim to be. The threshold is set for the same FMR as without protection.",
    ),
    (
        "Recognition with the genuine key",
        "The same where every impostor has a key of their own. It looks better than it is: the key "
        "and not the face tells people apart, and whoever steals the key has that advantage.",
    ),
    (
        "Size",
        "Bits that one protected template takes in a database, without its key.",
    ),
)


def known(knowledge: Knowledge, *, keyed: bool) -> str:
    """What an attacker knows; a scheme without a key has none to lack."""
    return "knows the scheme" if knowledge == "scheme" and not keyed else KNOWN[knowledge]


def known_words(row: ProtectionResult) -> str:
    """What the attacker of a row knows."""
    return known(knowledge_of(row), keyed=row.keyed)


def judged_words(row: ProtectionResult) -> str:
    """``by dlib in the protected system``."""
    unseen = ", which the attack never saw" if row.unseen else ""
    return f"by {row.judge} {JUDGED[row.judged]}{unseen}"


def circumstances(row: ProtectionResult) -> str:
    """Who knows what, what leaked, how templates were got back, and who judged."""
    parts = [
        known_words(row),
        LEAKED[row.leak] if row.leak != "template" else "",
        f"{count(row.records)} templates of each person" if row.records > 1 else "",
        f"{count(row.queries)} comparisons for each template" if row.queries else "",
        row.method,
        f"judged {judged_words(row)}",
    ]
    return ", ".join(filter(None, parts))


def attack_words(row: ProtectionResult) -> str:
    """An attack with its circumstances."""
    return f"{row.attack}, {circumstances(row)}"


def knowledge_glossary(rows: Sequence[ProtectionResult]) -> list[tuple[str, str]]:
    """What each level means that was tried in these rows."""
    told = {knowledge_of(row) for row in attacked(rows)}
    told |= {linkage.knowledge for row in rows for linkage in row.linkage}
    names = [name for name in KNOWLEDGE if name in told]
    return [(f"Attacker {KNOWN[name]}", KNOWN_IN_FULL[name]) for name in names]


def what_was_tried(results: Results) -> str:
    """Whose templates, under how many schemes and keys, by which attacks, of how many people."""
    rows = results.protections
    schemes = [key for key in by_setting(r for r in rows if not r.control) if key.protects]
    attacks = distinct(row.attack for row in attacked(rows))
    judges = distinct(row.judge for row in attacked(rows))
    keys = max((row.keys for row in rows), default=0)
    ways = f"{count(len(schemes))} way{'s' if len(schemes) != 1 else ''} of protecting"
    parts = [f"{ways} templates of {listed(backbones_of(rows))}"] if rows else []
    if keys > 1:
        parts.append(f"under {count(keys)} keys")
    if attacks:
        parts.append(f"attacked by {listed(attacks)}")
    if judges:
        parts.append(f"judged by {listed(judges)}")
    most = max((row.n_attempts for row in attacked(rows)), default=0)
    if results.faces is not None and most:
        who = "generated people (they are nobody)" if results.faces.generated else "people"
        parts.append(f"of {count(most)} leaked pictures of {who}")
    return ", ".join(parts) + "." if parts else ""


def limits_words(limits: ProtectionLimits | None) -> str:
    """What a scheme must keep to hold; empty where no limits were set."""
    if limits is None:
        return ""
    told = []
    if limits.max_sar is not None:
        told.append(
            f"the strongest attack on leaked templates gets at most {percent(limits.max_sar)} of "
            "rebuilt faces accepted by any judge, by the upper end of the interval,"
        )
    if limits.max_loss is not None:
        told.append(
            f"recognition (TMR) falls by at most {100 * limits.max_loss:g} points, by the measured "
            "value,"
        )
    if not told:
        return ""
    return (
        f"A scheme holds where {listed(told)} at FMR {fmr_label(limits.fmr)}. What scores and "
        "decisions give away does not count here: see the findings."
    )
