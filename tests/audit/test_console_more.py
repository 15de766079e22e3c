from __future__ import annotations

import io

from rich.console import Console

from audit.console import show_audit
from reports.results import Measured, Results
from tests.reports import factory


def printed(document: Results) -> list[str]:
    out = io.StringIO()
    show_audit(document, None, Console(file=out, width=80))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def after(lines: list[str], title: str) -> list[list[str]]:
    start = next(i for i, line in enumerate(lines) if line.startswith(title))
    return [line.split() for line in lines[start + 1 :]]


def test_everything_fits_80_columns() -> None:
    fid = {"fid": Measured(value=212.3, n=1480), "kid": Measured(value=0.08123, n=1480)}
    every = {"ssim_face": 0.631, "ms_ssim": 0.431, "psnr_face": 17.31, "lpips_alex": 0.318}
    values = {name: Measured(value=value, n=412) for name, value in every.items()}
    costly = factory.attacks()[1].model_copy(update={"image": values | fid})
    document = factory.results(attacks=[costly, *factory.attacks()], **factory.extensions())
    lines = printed(document)
    assert max(map(len, lines)) <= 80
    row = "landmark-texture 0.631 0.431 17.3 0.318 212 0.0812 9.9"
    assert row.split() in after(lines, "Likeness")


def test_an_attack_that_does_not_work_is_named_with_the_reason() -> None:
    text = " ".join(printed(factory.results()))
    assert f"landmark-texture: {factory.NOT_WORKING}" in text
    assert "linear: not working" not in text


def test_only_measures_that_somebody_has_are_columns() -> None:
    lines = printed(factory.results())
    table = after(lines, "Likeness")
    assert table[0] == ["attack", "SSIM", "MS-SSIM", "landmarks"]
    assert ["linear", "0.631", "0.431", "-"] in table
    assert ["landmark-texture", "0.631", "0.431", "9.9"] in table
    assert "higher is better: SSIM, MS-SSIM; lower: landmarks (px²)" in lines
    text = " ".join(lines)
    assert text.count(f"Not measured: FID · KID: {factory.NO_FID.not_measured}") == 1


def test_a_fid_of_few_pictures_is_marked_as_such() -> None:
    few = factory.attack(
        "linear",
        0.4,
        image={"fid": Measured(value=80.0, n=412)},
        image_notes={"fid": "network of x; from 412 pictures: below 2,048 it is too high, see KID"},
    )
    lines = printed(factory.results(attacks=[few]))
    assert "FID, from 412 pictures: below 2,048 it is too high, see KID" in lines
    assert "lower is better: FID" in lines


def test_the_cost_of_the_attacks_alone() -> None:
    table = [" ".join(line) for line in after(printed(factory.results()), "Cost")]
    assert table[:4] == [
        "attack parameters pictures passes steps learning per s px",
        "linear - - - - 1 min 1 s 1,908 224",
        "landmark-texture 1.2 M 8,450 60 3,960 12 min 35 s 1,908 224",
        "judge arcface not measured: weights arcface missing",
    ]


def test_what_the_search_found_is_said() -> None:
    text = " ".join(printed(factory.results(**factory.extensions())))
    assert "Here nobody read the templates." in text
    assert "From 99 scores on, dlib, mobilefacenet and eigenfaces accept" in text


def test_results_without_these_parts_print_none_of_them() -> None:
    bare = factory.attack("linear", 0.4, image={}, image_notes={}, control=True)
    text = " ".join(printed(factory.results(attacks=[bare])))
    assert "Likeness" not in text
    assert "Cost" not in text
    assert "better" not in text
