from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from biometrics.errors import InputError
from biometrics.metrics.intervals import NotMeasured
from biometrics.metrics.view2 import (
    Pair,
    View2Result,
    best_threshold,
    picture_of,
    read_pairs,
    view2,
)
from tests.biometrics.metrics.common import Array

GOOD = "2\t1\nA_B\t1\t4\nC\t2\tD\t13\nE\t1\t2\nF\t1\tG\t1\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "pairs.txt"
    path.write_text(text, encoding="utf-8")
    return path


def generated(n_folds: int = 10, n_each: int = 30) -> tuple[list[list[Pair]], dict[object, Array]]:
    """Folds of pairs over people with two pictures each, and their templates."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(80, 4))
    templates: dict[object, Array] = {
        (f"p{s}", k): centres[s] + 0.6 * rng.normal(size=4) for s in range(80) for k in (1, 2)
    }
    folds = []
    for _ in range(n_folds):
        mated = rng.choice(80, n_each, replace=False)
        others = [rng.choice(80, 2, replace=False) for _ in range(n_each)]
        fold = [Pair((f"p{s}", 1), (f"p{s}", 2), True) for s in mated]
        fold += [Pair((f"p{s}", 1), (f"p{t}", 2), False) for s, t in others]
        folds.append(fold)
    return folds, templates


# --- the file ----------------------------------------------------------------------------------


def test_pairs_are_read_by_fold(tmp_path: Path) -> None:
    assert read_pairs(write(tmp_path, GOOD + "\n")) == [
        [Pair(("A_B", 1), ("A_B", 4), True), Pair(("C", 2), ("D", 13), False)],
        [Pair(("E", 1), ("E", 2), True), Pair(("F", 1), ("G", 1), False)],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected the number of folds"),
        ("ten\t300\n", "line 1: expected the number of folds"),
        ("0\t300\n", "line 1: expected the number of folds"),
        (GOOD.replace("E\t1\t2", "E\t1\tx"), "line 4: expected 'name i j'"),
        (GOOD.replace("E\t1\t2", "E\t1"), "line 4: expected 'name i j'.*got 'E"),
        (GOOD.replace("E\t1\t2", "E\t1\tH\t2"), "line 4: expected a mated pair"),
        (GOOD.replace("C\t2\tD\t13", "C\t2\t3"), "line 3: expected a non-mated pair"),
        (GOOD + "H\t1\t2\n", "line 6: 2 folds of 2 x 1 pairs make 5 lines, got 6"),
        ("\n".join(GOOD.splitlines()[:3]), "line 4: 2 folds .* make 5 lines, got 3"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pairs(write(tmp_path, text))


def test_an_absent_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a readable pairs file"):
        read_pairs(tmp_path / "nothing.txt")
    (tmp_path / "b").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a readable pairs file"):
        read_pairs(tmp_path / "b")


def test_the_real_file_has_ten_folds_of_600() -> None:
    if not (path := os.environ.get("FACELEAK_LFW_PAIRS")):
        pytest.skip("FACELEAK_LFW_PAIRS is not set")
    folds = read_pairs(Path(path))
    assert [len(fold) for fold in folds] == [600] * 10
    assert folds[0][0] == Pair(("Abel_Pacheco", 1), ("Abel_Pacheco", 4), True)


# --- the figures -------------------------------------------------------------------------------


def right(scores: Array, mated: Array, threshold: float) -> int:
    return int(((scores >= np.float32(threshold)) == mated).sum())


def test_figures_agree_with_loops_and_sklearn() -> None:
    folds, templates = generated()
    got = view2(folds, templates, "l2")  # type: ignore[arg-type]
    assert isinstance(got, View2Result)
    values = [
        [np.float32(-np.linalg.norm(templates[p.first] - templates[p.second])) for p in fold]
        for fold in folds
    ]
    scores, mated = np.array(values), np.array([[p.mated for p in fold] for fold in folds])
    accuracy, decisions = [], []
    for k, threshold in enumerate(got.thresholds):
        rest, truth = np.delete(scores, k, 0), np.delete(mated, k, 0)
        best = max(right(rest, truth, t) for t in rest.ravel())
        assert right(rest, truth, threshold) == best
        decisions.append(scores[k] >= np.float32(threshold))
        accuracy.append((decisions[-1] == mated[k]).mean())
    assert len(set(accuracy)) > 1
    assert got.accuracy == pytest.approx(np.mean(accuracy))
    assert got.std == pytest.approx(np.std(accuracy, ddof=1) / np.sqrt(10))
    truth, said = mated.ravel(), np.concatenate(decisions)
    assert got.precision == pytest.approx(precision_score(truth, said))
    assert got.recall == pytest.approx(recall_score(truth, said))
    assert got.f1 == pytest.approx(f1_score(truth, said))
    assert got.roc_auc == pytest.approx(roc_auc_score(truth, scores.ravel()))
    assert 0 < got.eer < 0.5
    assert (got.n_pairs, got.dropped_pairs) == (600, 0)


def test_a_fold_has_no_say_in_its_own_threshold() -> None:
    folds, templates = generated()
    first = view2(folds, templates, "cosine")  # type: ignore[arg-type]
    flipped = [pair._replace(mated=not pair.mated) for pair in folds[0]]
    second = view2([flipped, *folds[1:]], templates, "cosine")  # type: ignore[arg-type]
    assert isinstance(first, View2Result)
    assert isinstance(second, View2Result)
    assert first.thresholds[0] == second.thresholds[0]
    assert second.accuracy < first.accuracy - 0.05


def test_pairs_without_a_template_are_dropped_and_counted() -> None:
    folds, templates = generated()
    gone = folds[0][0].first
    lost = sum(gone in (p.first, p.second) for fold in folds for p in fold)
    del templates[gone]
    got = view2(folds, templates, "cosine")  # type: ignore[arg-type]
    assert isinstance(got, View2Result)
    assert (got.n_pairs, got.dropped_pairs) == (600 - lost, lost)
    assert lost > 0


def test_folds_without_both_sorts_are_not_measured() -> None:
    folds, templates = generated()
    few = view2([folds[0], folds[1][:30]], templates, "cosine")  # type: ignore[arg-type]
    assert few == NotMeasured(
        "LFW View 2: 90 of 90 pairs have both templates; every fold needs mated and non-mated pairs"
    )
    for some, known in ((folds[:1], templates), (folds, {})):
        assert isinstance(view2(some, known, "cosine"), NotMeasured)  # type: ignore[arg-type]


def test_among_equally_good_thresholds_the_middle_one_is_taken() -> None:
    scores = np.arange(1, 8, dtype=np.float32)
    mated = np.array([False, True, False, True, False, True, True])
    assert best_threshold(scores, mated) == 4.0  # 2, 4 and 6 each leave two wrong
    assert best_threshold(scores, scores >= 3) == 3.0


@pytest.mark.parametrize(
    ("file", "picture"),
    [
        ("Ann_Lee/Ann_Lee_0003.jpg", ("Ann_Lee", 3)),
        ("x/Bob_12.png", ("Bob", 12)),
        ("x/Bob.png", None),
        ("x/Bob_a.png", None),
    ],
)
def test_pictures_by_their_files(file: str, picture: tuple[str, int] | None) -> None:
    assert picture_of(file) == picture
