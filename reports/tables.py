"""The tables of the report, each made from results alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reports.results import (
    EVERYBODY_FACTOR,
    NOT_RUN,
    AttackResult,
    ByFmr,
    FacesSummary,
    JudgeResult,
    Measured,
    NotMeasured,
    Results,
    View2,
)
from reports.words import NBSP, Cell, Table, count, fmr_label, percent

EVERYBODYS_FACE = (
    f"Everybody's face: strangers' pictures match this reconstruction more than "
    f"{EVERYBODY_FACTOR:g} times as often as the FMR allows, so its success rate is flattered."
)


def fmr_keys(keys: Iterable[str]) -> list[str]:
    """Distinct FMR keys from the laxest to the strictest."""
    return sorted(set(keys), key=float, reverse=True)


def judges_of(results: Results) -> list[str]:
    """Judges with numbers: unseen ones first, the attacked model last of the others."""
    unseen: dict[str, bool] = {}
    for attack in results.attacks:
        for name, judge in attack.judges.items():
            unseen[name] = unseen.get(name, False) or judge.unseen
    return sorted(unseen, key=lambda name: (not unseen[name], name == results.target, name))


def sar_table(results: Results, judge: str, *, only: str | None = None) -> Table:
    """Every attack and control at one judge, one line for each FMR or for that one alone."""
    table = Table(
        f"Judge {judge}: {_role(results, judge)}",
        (
            "Attack",
            "FMR",
            "Type-I",
            "Type-II",
            "Another template (Type-II reference)"
            if results.store
            else "Photograph (Type-II reference)",
            "Margin over nearest face",
            "Reconstruction's own FMR",
            "Type-I if a face need not be found",
        ),
    )
    found = [(a, a.judges[judge]) for a in results.attacks if judge in a.judges]
    shown = told_keys(table, [rates for _, said in found for rates in _rates(said)])
    if only is not None and only in shown:
        table.caption += f", at FMR {fmr_label(only)}"
        shown, table.below = [only], []
    for attack, said in found:
        _sar_rows(table, attack, said, shown)
    return table


def told_keys(table: Table, rates: Sequence[ByFmr]) -> list[str]:
    """FMRs at which anything was measured; of the others the reason stands below the table."""
    shown = []
    for key in fmr_keys(key for values in rates for key in values):
        why = nothing_at(key, rates)
        if why:
            table.below.append(f"Not measured at FMR {fmr_label(key)}: {why}")
        else:
            shown.append(key)
    return shown


def nothing_at(fmr: str, rates: Iterable[ByFmr]) -> str:
    """Why nothing was measured at an FMR; empty where something was."""
    cells = [values.get(fmr) for values in rates]
    if any(isinstance(cell, Measured) for cell in cells):
        return ""
    reasons = [cell.not_measured for cell in cells if isinstance(cell, NotMeasured)]
    return "; ".join(dict.fromkeys(reasons)) or NOT_RUN.not_measured


def _rates(judge: JudgeResult) -> tuple[ByFmr, ...]:
    """In the order of the columns."""
    return (
        judge.type1,
        judge.type2,
        judge.type2_reference,
        judge.margin_over_nearest,
        judge.reconstruction_fmr,
        judge.sar_ignoring_detection,
    )


def _role(results: Results, judge: str) -> str:
    rows = [a for a in results.attacks if judge in a.judges and not a.control]
    if rows and all(row.judges[judge].unseen for row in rows):
        return "unseen, it took no part in any attack"
    if judge == results.target:
        return "the attacked model itself"
    return "does not count as unseen"


def _sar_rows(table: Table, attack: AttackResult, judge: JudgeResult, keys: Sequence[str]) -> None:
    for i, key in enumerate(keys):
        row = [_attack_cell(attack, len(keys))] if i == 0 else []
        flag = EVERYBODYS_FACE if judge.everybody(key) else ""
        row += [
            Cell(fmr_label(key)),
            table.estimate(judge.type1.get(key), flag=flag),
            table.estimate(judge.type2.get(key), flag=flag),
            table.estimate(judge.type2_reference.get(key)),
            table.estimate(judge.margin_over_nearest.get(key), "margin"),
            table.estimate(judge.reconstruction_fmr.get(key), flag=flag),
            table.estimate(judge.sar_ignoring_detection.get(key)),
        ]
        table.rows.append(row)


def _attack_cell(attack: AttackResult, rows: int) -> Cell:
    detail = attack.knowledge + (f" · {attack.remark}" if attack.remark else "")
    return Cell(
        attack.attack,
        detail=detail,
        tone="" if attack.control else "strong",
        rows=rows,
        warning=attack.not_working.replace(" %", f"{NBSP}%"),
    )


def attempts_table(results: Results) -> Table:
    """How many reconstructions were asked for and how many show a face."""
    table = Table(
        "Attempts and faces found", ("Attack", "Against", "Attempts", "Failed", "Face found")
    )
    for attack in results.attacks:
        table.rows.append(
            [
                Cell(attack.attack),
                Cell(attack.backbone),
                Cell(count(attack.n_attempts)),
                Cell(count(attack.n_failed)),
                table.estimate(attack.detection_rate),
            ]
        )
    return table


def rank_table(results: Results) -> Table:
    """Identification among the leaked subjects, and the mean similarity."""
    table = Table(
        "Identification of the reconstructions among the leaked subjects",
        ("Attack", "Judge", "Rank 1", "Rank 10", "Mean similarity"),
    )
    for attack in results.attacks:
        for i, (name, judge) in enumerate(attack.judges.items()):
            row = [Cell(attack.attack, rows=len(attack.judges))] if i == 0 else []
            row += [
                Cell(name),
                table.estimate(judge.rank1),
                table.estimate(judge.rank10),
                table.estimate(judge.similarity, "number"),
            ]
            table.rows.append(row)
    return table


def backbone_table(results: Results) -> Table:
    """Thresholds, recognition and realised FMR of every judge."""
    table = Table(
        "The recognition models at their own thresholds",
        ("Model", "FMR", "Threshold", "TMR", "FMR on the leaked people"),
    )
    for name, model in results.backbones.items():
        keys = fmr_keys([*model.thresholds, *model.tmr])
        facts = f"{model.dim}-D, {'cosine' if model.similarity == 'cosine' else 'minus L2'}"
        facts += f" · {model.licence}" + (f" · {model.note}" if model.note else "")
        for i, key in enumerate(keys):
            row = [Cell(name, detail=facts, rows=len(keys))] if i == 0 else []
            row += [
                Cell(fmr_label(key)),
                table.threshold(model.thresholds.get(key)),
                table.estimate(model.tmr.get(key)),
                table.estimate(model.realised_fmr.get(key)),
            ]
            table.rows.append(row)
    return table


def accuracy_table(results: Results) -> Table:
    """Error rates that need no threshold, and LFW View 2."""
    table = Table(
        "Accuracy of the recognition models",
        ("Model", "EER", "ROC AUC", "LFW View 2 accuracy", "Pairs left out"),
    )
    for name, model in results.backbones.items():
        view2 = model.lfw_view2
        row = [Cell(name), table.estimate(model.eer), table.estimate(model.roc_auc, "number")]
        table.rows.append(row + _view2_cells(table, view2))
    for name, why in results.judges_missing.items():
        table.rows.append(
            [Cell(name), *(Cell("not measured", tone="missing", note=table.note(why)),) * 4]
        )
    return table


def _view2_cells(table: Table, view2: View2 | None) -> list[Cell]:
    if view2 is None:
        return [table.estimate(None), table.estimate(None)]
    pairs = "" if view2.n_pairs is None else f"of {count(view2.n_pairs)}"
    accuracy = Cell(percent(view2.accuracy), detail=f"± {percent(view2.std)} standard error")
    return [accuracy, Cell(count(view2.dropped_pairs), detail=pairs)]


def split_table(faces: FacesSummary) -> Table:
    """Who was used for what."""
    table = Table("People and pictures in each part of the split", ("Part", "People", "Pictures"))
    for name, use, part in (
        ("Attacker", "what the attack learned from", faces.attacker),
        ("Threshold", "set the acceptance thresholds", faces.threshold),
        ("Leaked", "whose templates were inverted", faces.leaked),
    ):
        cells = [Cell(name, detail=use), Cell(count(part.subjects)), Cell(count(part.pictures))]
        table.rows.append(cells)
    return table


def faces_table(faces: FacesSummary) -> Table:
    """What was found, and what was not used."""
    table = Table("What was found in the pictures", ("", "Number"))
    facts = [
        ("Files", faces.n_files),
        ("Faces used", faces.n_faces),
        ("People", faces.n_subjects),
        ("Pictures with several faces (one was used)", faces.several_faces),
        ("Pictures over the limit for one person", faces.capped),
        ("People in both folders", faces.subjects_in_both),
        *((f"Skipped: {reason}", n) for reason, n in faces.skipped.items()),
    ]
    table.rows = [[Cell(name), Cell(count(value))] for name, value in facts]
    return table
