"""``faceleak purge``: what shows or names people goes, the figures stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from audit.about import LOGO
from audit.compare import CONFIG_NAME as COMPARE_CONFIG
from audit.config import AuditConfig, load_as, load_config
from audit.journal import JOURNAL
from audit.outcomes import OUTCOMES
from audit.people import hash_file
from audit.pipeline import CONFIG_NAME
from audit.protect.config import ProtectConfig
from audit.protect.run import CONFIG_NAME as PROTECT_CONFIG
from audit.run_folder import LOCK, MANIFEST, RunFolder, full_disk_as_error, remove
from audit.stress.config import StressConfig
from audit.stress.run import CONFIG_NAME as STRESS_CONFIG
from audit.targets_config import TargetsConfig
from biometrics.errors import ConfigError, InputError
from biometrics.faces.folder import CONTENTS, list_pictures
from biometrics.faces.landmark_cache import LandmarkCache, cache_path
from reports.formats import FORMATS, OF_SCORES, RENDERED
from reports.html import REPORT_NAME, render_report
from reports.results import RESULTS_NAME, ResultsError, load_results, save_results

OF_TARGETS: dict[str, type[TargetsConfig]] = {
    STRESS_CONFIG: StressConfig,
    PROTECT_CONFIG: ProtectConfig,
}
"""Configurations of runs on several targets, by file."""

KEPT = frozenset(
    {
        RESULTS_NAME,
        *(form.file for name, form in FORMATS.items() if name not in OF_SCORES),
        OUTCOMES,
        MANIFEST,
        CONFIG_NAME,
        COMPARE_CONFIG,
        *OF_TARGETS,
        JOURNAL,
        LOCK,
        LOGO,
    }
)
"""All that stays in a run's folder, and the runs below it. A list of what goes would forget what a
later version writes."""


@dataclass(frozen=True)
class Purged:
    """What :func:`purge` removed: files below the run, and pictures that the cache knew."""

    files: int
    cached: int

    def __add__(self, other: Purged) -> Purged:
        return Purged(self.files + other.files, self.cached + other.cached)


def purge(run: Path) -> Purged:
    """Remove vectors, pictures and names of a run, and of the runs below it, and what the cache of
    landmarks knows of its pictures.

    Kept are the rates, the settings, the journal, and the success of each person under a pseudonym;
    the report is written again without pictures. An audit in that folder starts anew. Files with
    several names, as a comparison's runs share them, lose the name below ``run`` only. What was
    copied elsewhere, and blocks of a disk that are free but not overwritten, are beyond reach.

    Raises:
        InputError: no run, or one that another faceleak is writing to.
        OutputError: something cannot be removed or written.
    """
    check_run(run)
    with RunFolder(run, again=True) as folder, full_disk_as_error(run):
        done = Purged(0, _forget(_contents(run)))
        # First of all: what is killed in between is no run that could be gone on with.
        folder.forget_results()
        for path in sorted(run.iterdir()):
            if path.is_dir() and not path.is_symlink() and (path / MANIFEST).is_file():
                done += purge(path)
            elif path.name not in KEPT or path.is_symlink() or not path.is_file():
                done += Purged(_count(path), 0)
                remove(path)
        done += Purged(_without_pictures(run), 0)
        folder.journal.record("purged", files=done.files, cached=done.cached)
    return done


def check_run(run: Path) -> None:
    """Refuse what is no run, before anything is asked or removed.

    Raises:
        InputError: it is none.
    """
    if not (run / MANIFEST).is_file():
        raise InputError(f"{run} is no run of faceleak (it holds no {MANIFEST})")


def _without_pictures(run: Path) -> int:
    """Write results and report again; the number of files that had to go altogether."""
    pages = [run / name for name in RENDERED if (run / name).is_file()]
    try:
        results = load_results(run)
    except ResultsError:  # an interrupted run, or a damaged file of which nothing is known
        gone = [path for path in (run / RESULTS_NAME, *pages) if path.is_file()]
        for path in gone:
            remove(path)
        return len(gone)
    shown = {
        name: [row.model_copy(update={"samples": []}) for row in getattr(results, name)]
        for name in ("stress", "protections")
    }
    without = results.model_copy(update={"samples": [], **shown})
    save_results(without, run / RESULTS_NAME)
    if (run / REPORT_NAME).is_file():
        render_report(run)
    return 0


def _count(path: Path) -> int:
    if path.is_symlink() or not path.is_dir():
        return 1
    return sum(1 for found in path.rglob("*") if found.is_symlink() or not found.is_dir())


def _contents(run: Path) -> list[str]:
    """SHA-256 of the pictures that a run read. Where its faces are not there, as after an
    interruption, those of the folders that it was to read."""
    written = run / "faces" / CONTENTS
    if written.is_file():
        return written.read_text(encoding="utf-8").split()
    return [hash_file(file) for folder in _folders(run) for file in folder]


def _config(run: Path) -> AuditConfig | None:
    """That of an audit, of a stress or of a protection run."""
    try:
        for name, kind in OF_TARGETS.items():
            if (run / name).is_file():
                return load_as(kind, run / name)
        return load_config(run / CONFIG_NAME)
    except ConfigError:
        return None


def _folders(run: Path) -> Iterator[list[Path]]:
    if (config := _config(run)) is None:
        return
    faces = config.faces
    for folder in (faces.path, faces.attacker, faces.leaked):
        if folder is not None and folder.is_dir():
            try:
                yield list_pictures(folder)
            except InputError:  # empty by now
                continue


def _forget(contents: list[str]) -> int:
    if not contents:
        return 0
    with closing(LandmarkCache(cache_path())) as cache:
        return cache.forget(contents)
