"""What a user writes for ``faceleak gate``: limits, a file of gates, an ignore file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from audit.config import explain
from audit.config_sources import Layer, check_keys, read_yaml
from audit.config_values import parse_fmr
from biometrics.errors import ConfigError, InputError
from reports.accepted import Accepted, sort_ignored
from reports.gates import GateReport, GateRules, evaluate_gates
from reports.results import load_results

_BY_FMR = ("max_sar", "max_type2")


def check_gates(
    run: Path, rules: GateRules, ignore: Path | None = None, today: date | None = None
) -> GateReport:
    """Decide the gates of a finished run; nothing is written.

    Raises:
        ConfigError: no gate, or an ignore file that is none.
        GateError: an FMR or a judge that the run does not know.
        ResultsError: the run has no readable results.json.
    """
    if rules.empty:
        raise ConfigError(
            "no gate is given: --max-sar LIMIT@FMR, --max-type2 LIMIT@FMR, --min-coverage X, "
            "--fail-on SEVERITY, or --gates FILE"
        )
    results = load_results(run)
    entries = [] if ignore is None else read_ignored(ignore)
    ignored = sort_ignored(results, entries, today or date.today())
    return GateReport(evaluate_gates(results, rules, ignored), ignored, rules.fail_on)


def gate_rules(file: Path | None, given: Mapping[str, Any]) -> GateRules:
    """The rules of a file, and what was given beside it: that wins, limit by limit.

    Args:
        file: YAML with the keys of :class:`~reports.gates.GateRules`, or None.
        given: the same keys; None and empty ones count as not given.

    Raises:
        ConfigError: an unreadable file, an unknown key or a value out of range.
    """
    rules = {} if file is None else _read_rules(file)
    for key, value in given.items():
        if key in _BY_FMR:
            rules[key] = {**rules.get(key, {}), **value}
        elif value is not None:
            rules[key] = value
    try:
        return GateRules.model_validate(rules)
    except ValidationError as error:
        raise ConfigError(explain(error)) from error


def limits(option: str, texts: Iterable[str]) -> dict[str, float]:
    """``0.05@1e-3`` each, by FMR.

    Raises:
        ConfigError: for any other form, a limit outside [0, 1], or an FMR that stands twice.
    """
    found: dict[str, float] = {}
    for text in texts:
        limit, _, fmr = text.partition("@")
        try:
            value, label = float(limit), parse_fmr(fmr).label
        except ValueError:
            value, label = -1.0, ""
        if not 0 <= value <= 1:
            raise ConfigError(
                f"{option} takes LIMIT@FMR with a limit from 0 to 1, such as 0.05@1e-3; "
                f"got '{text}'"
            )
        if label in found:
            raise ConfigError(f"{option}: FMR {label} is given twice")
        found[label] = value
    return found


def read_ignored(file: Path) -> list[Accepted]:
    """The entries of an ignore file.

    Raises:
        ConfigError: it cannot be read, or an entry lacks its finding, its reason or its day.
    """
    entries = _read(file)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise ConfigError(f"{file}: expected a list of entries with finding, reason and expires")
    return [_entry(file, number, entry) for number, entry in enumerate(entries, 1)]


def _entry(file: Path, number: int, entry: object) -> Accepted:
    where = f"{file}, entry {number}"
    keys = list(Accepted.model_fields)
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: expected {', '.join(keys)}; got {entry!r}")
    unknown = [str(key) for key in entry if key not in keys]
    if unknown:
        raise ConfigError(f"{where}: unknown key '{unknown[0]}'; known: {', '.join(keys)}")
    try:
        return Accepted.model_validate(entry)
    except ValidationError as error:
        raise ConfigError(f"{where}: {explain(error)}") from error


def _read_rules(file: Path) -> dict[str, Any]:
    values = _read(file)
    values = {} if values is None else values
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{file}: expected 'key: value' lines at the top level")
    check_keys(GateRules, Layer(str(file), values))
    return {
        key: _by_label(file, key, value) if key in _BY_FMR else value
        for key, value in values.items()
        if value is not None
    }


def _by_label(file: Path, key: str, value: object) -> dict[str, Any]:
    """Limits by canonical FMR: YAML reads ``1e-3`` as a text and ``0.001`` as a number."""
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: {key}: expected limits by FMR, such as {{1e-3: 0.05}}")
    found: dict[str, Any] = {}
    for fmr, limit in value.items():
        try:
            label = parse_fmr(fmr).label
        except ValueError as error:
            raise ConfigError(f"{file}: {key}: {error}") from error
        if label in found:
            raise ConfigError(f"{file}: {key}: FMR {label} is given twice")
        found[label] = limit
    return found


def _read(file: Path) -> Any:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read {file}: {reason}") from error
    return read_yaml(text, str(file))


def as_record(report: GateReport) -> dict[str, Any]:
    """For JSON: ``exit_code``, ``gates`` as results.json writes them, and the ignore file's entries
    that hold, that are expired, and that name no finding."""

    def listed(entries: Sequence[Accepted]) -> list[dict[str, Any]]:
        return [entry.model_dump(mode="json") for entry in entries]

    return {
        "exit_code": report.exit_code,
        "gates": [gate.model_dump(mode="json") for gate in report.gates],
        "accepted": listed(list(report.ignored.accepted.values())),
        "expired": listed(report.ignored.expired),
        "unknown": listed(report.ignored.unknown),
    }
