from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.synthesis import generate_faces
from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed
from biometrics.errors import FaceleakError, InputError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.folder import list_pictures, read_pictures
from biometrics.faces.shipped import shipped_subjects
from biometrics.stores.fingerprint import (
    TOO_FEW,
    UNKNOWN,
    Fingerprint,
    learn,
    learn_from,
    match,
    recognise,
)
from biometrics.stores.known_backbones import shipped_fingerprints
from biometrics.template_form import TemplateForm

Rows = NDArray[np.floating]
PEOPLE, LEARNT = 120, 200
MOBILEFACENET = "FACELEAK_MOBILEFACENET"


@functools.cache
def crops() -> NDArray[np.uint8]:
    """Generated people on whom nothing that ships was learnt."""
    return generate_faces(PEOPLE + LEARNT, 1, 4711).crops


@functools.cache
def templates(name: str) -> Rows:
    """Templates of 120 people."""
    if name == "mobilefacenet" and MOBILEFACENET not in os.environ:
        pytest.skip(f"{MOBILEFACENET} is not set")
    return embed(load_backbone(name), crops()[:PEOPLE])


@functools.cache
def candidates() -> tuple[Fingerprint, ...]:
    """Those that ship, and one learnt here."""
    lbp = learn_from(load_backbone("lbp"), crops()[PEOPLE:], "other generated people")
    return (*shipped_fingerprints(), lbp)


def unit(rows: Rows) -> Rows:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def row_min_max(rows: Rows) -> Rows:
    low, high = rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True)
    return (rows - low) / (high - low)


def stored(**settings: Any) -> Callable[[Rows], Rows]:
    return lambda rows: TemplateForm("", **settings).fit(rows).apply(rows)


FORMS: dict[str, Callable[[Rows], Rows]] = {
    "raw": lambda rows: rows,
    "unit": unit,
    "raw, first half": stored(share=0.5),
    "unit, first half": lambda rows: unit(rows[:, : round(0.5 * rows.shape[1])]),
    "min-max": row_min_max,
    "raw, float16": lambda rows: rows.astype(np.float16).astype(np.float32),
    "1 bit a value": stored(bits=1),
}


@pytest.mark.parametrize("name", ["dlib", "faceleak-mini", "lbp", "mobilefacenet"])
@pytest.mark.parametrize("form", FORMS)
def test_the_templates_of_every_backbone_are_recognised_in_every_form(name: str, form: str) -> None:
    rows = templates(name)
    found = recognise(FORMS[form](rows), candidates())
    assert found.backbone == name, found.why
    assert found.best is not None
    kept = round(0.5 * rows.shape[1])
    wanted = form.replace("first half", f"first {kept} of {rows.shape[1]} values")
    if name == "lbp" and form == "unit":
        wanted = "raw"  # it gives no other length
    assert found.best.form.name == wanted
    assert [other.name for other in found.matches if other.fits] == [name]


KINDS = (
    "isotropic", "of dlib's lengths", "of dlib's mean, spread and lengths",
    "dlib's, dimensions permuted", "dlib's, signs turned at random", "all positive",
    "in four directions", "clusters", "of length 512", "one value",
)  # fmt: skip


def strangers() -> dict[str, Rows]:
    random, rows = np.random.default_rng(2), templates("dlib")
    like = rows.mean(axis=0) + rows.std(axis=0) * random.normal(size=rows.shape)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return {
        "isotropic": random.normal(size=(300, 128)),
        "of dlib's lengths": unit(random.normal(size=rows.shape)) * lengths,
        "of dlib's mean, spread and lengths": unit(like) * lengths,
        "dlib's, dimensions permuted": rows[:, random.permutation(128)],
        "dlib's, signs turned at random": rows * random.choice([-1, 1], size=128),
        "all positive": np.abs(random.normal(size=(300, 256))),
        "in four directions": random.normal(size=(300, 4)) @ random.normal(size=(4, 128)),
        "clusters": random.normal(size=(10, 128))[np.arange(300) % 10]
        + 0.3 * random.normal(size=(300, 128)),
        "of length 512": random.normal(size=(300, 512)),
        "one value": np.ones((300, 128)),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_what_no_backbone_made_is_unknown(kind: str) -> None:
    found = recognise(strangers()[kind], candidates())
    assert found.backbone == UNKNOWN, found.why
    assert found.best is None
    assert not any(one.fits for one in found.matches)


def test_a_backbone_without_a_fingerprint_is_unknown() -> None:
    others = [one for one in candidates() if one.name != "dlib"]
    assert recognise(templates("dlib"), others).backbone == UNKNOWN


def test_few_rows_or_people_are_too_few_to_tell() -> None:
    rows = templates("dlib")
    assert recognise(rows[:19], candidates()).backbone == TOO_FEW
    assert recognise(rows[:20], candidates()).backbone == "dlib"
    again = np.repeat(rows[:5], 20, axis=0)
    people = [f"p{row // 20}" for row in range(100)]
    assert recognise(again, candidates(), subjects=people).backbone == TOO_FEW
    assert recognise(rows[:, :8], candidates()).backbone == TOO_FEW
    assert "19 templates" in recognise(rows[:19], candidates()).why


def test_one_person_with_most_rows_does_not_stand_for_all() -> None:
    rows = templates("dlib")[:40]
    many = np.concatenate([rows, np.repeat(rows[:1], 3000, axis=0)])
    people = [f"p{row}" for row in range(40)] + ["p0"] * 3000
    assert recognise(many, candidates(), subjects=people).backbone == "dlib"


def test_the_score_does_not_depend_on_scale_offset_or_the_order_of_rows() -> None:
    rows = templates("dlib").astype(np.float64)
    (mark,) = [one for one in candidates() if one.name == "dlib"]
    (plain,) = match(rows, [mark])
    (moved,) = match(rows * 7.5 + 3, [mark])
    assert moved.score == pytest.approx(plain.score, abs=1e-6)
    assert moved.sigmas == pytest.approx(plain.sigmas, rel=1e-6)
    (turned,) = match(rows[::-1], [mark])
    assert turned.sigmas == pytest.approx(plain.sigmas, rel=1e-6)
    assert match(rows, [mark]) == [plain]


def test_rows_drawn_from_a_known_covariance_agree_fully() -> None:
    """The oracle: normal rows, and a fingerprint learnt from others of the same law."""
    random = np.random.default_rng(0)
    mixing, mean = random.normal(size=(64, 64)), 3 * random.normal(size=64)
    law, other = (mean + random.normal(size=(3000, 64)) @ mixing for _ in range(2))
    (same,) = match(other, [learn(law, "law")])
    assert same.score > 0.95
    assert same.mean > 0.99
    loose = other + 4 * random.normal(size=(3000, 1))  # an offset a row is undone
    assert match(loose, [learn(law, "law")])[0].score > 0.95


def test_few_rows_do_not_lower_the_score() -> None:
    """The RV coefficient itself falls to a half here: most of its denominator would be noise."""
    random = np.random.default_rng(0)
    mixing = random.normal(size=(64, 64)) * np.linspace(0.2, 2, 64)[:, None]
    mark = learn(random.normal(size=(3000, 64)) @ mixing, "law")
    scores = [match(random.normal(size=(40, 64)) @ mixing, [mark])[0].score for _ in range(12)]
    assert np.mean(scores) > 0.85


@pytest.mark.parametrize("gate", ["SCORE", "SIGMA", "FEWEST_DIRECTIONS"])
def test_each_gate_alone_keeps_a_backbone_from_being_named(
    gate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"biometrics.stores.fingerprint.{gate}", 1e6)
    found = recognise(templates("dlib"), shipped_fingerprints())
    assert found.backbone == UNKNOWN
    assert ("1e+06 on" in found.why) == (gate == "FEWEST_DIRECTIONS")


def test_what_a_fingerprint_needs() -> None:
    random = np.random.default_rng(0)
    with pytest.raises(InputError, match="200 templates or more, got \\[199, 8\\]"):
        learn(random.normal(size=(199, 8)))
    rows = random.normal(size=(300, 8))
    rows[4, 4] = np.nan
    with pytest.raises(InputError, match="NaN"):
        learn(rows)
    one, two = (learn(random.normal(size=(200, dim)), "x", f"{dim}") for dim in (8, 9))
    with pytest.raises(ValueError, match="do not belong"):
        one.joined(two)
    assert [part.of for part in one.joined(one).learnt] == ["8", "8"]


def test_long_templates_are_compared_on_some_dimensions() -> None:
    mark = learn(np.random.default_rng(0).normal(size=(200, 3000)), "long")
    assert mark.dim == 3000
    assert len(mark.dims) == 512 == len(mark.learnt[0].mean)
    assert (np.diff(mark.dims) > 0).all()


@pytest.fixture(scope="module")
def strange_photographs(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    """One picture each of 100 people of LFW who are on no list."""
    if "FACELEAK_LFW" not in os.environ:
        pytest.skip("FACELEAK_LFW is not set")
    folders = sorted(path for path in Path(os.environ["FACELEAK_LFW"]).iterdir() if path.is_dir())
    chosen = [path for path in folders if path.name not in shipped_subjects()][::10][:100]
    assert len(chosen) == 100
    names = {path.name for path in chosen}
    files = [
        file
        for file in list_pictures(Path(os.environ["FACELEAK_LFW"]))
        if file.parent.name in names and file.stem.endswith("_0001")
    ]
    return read_pictures(files, tmp_path_factory.mktemp("faces")).faces


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dlib", "faceleak-mini", "mobilefacenet"])
@pytest.mark.parametrize("learnt", ["generated people", "photographs"])
def test_photographs_and_generated_people_know_each_other(
    name: str, learnt: str, strange_photographs: FaceSet
) -> None:
    """The fingerprint learnt from one kind of pictures only, tried on the other."""
    try:
        backbone = load_backbone(name)
    except FaceleakError as error:
        pytest.skip(str(error))
    rows = templates(name)
    if learnt == "generated people":
        rows = embed(backbone, strange_photographs.crops)
    marks = [
        Fingerprint(
            one.name, one.dim, one.dims, one.norm_mean, one.norm_std,
            tuple(part for part in one.learnt if part.of == learnt),
        )
        for one in shipped_fingerprints()
    ]  # fmt: skip
    assert all(len(mark.learnt) == 1 for mark in marks)
    assert recognise(rows, marks).backbone == name
