"""A backbone that is declared wrongly is found out, and what is wrong is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from audit import backbone_check
from audit.backbone_check import check_backbone, short
from audit.input_variants import VARIANTS, Altered
from audit.synthesis import generate_faces
from biometrics.backbones.base import Backbone, BackboneSpec, load_backbone
from biometrics.errors import FaceleakError, InputError
from biometrics.faces.faceset import FaceSet

BY_NAME = {variant.name: variant for variant in VARIANTS}
FEW = tuple(BY_NAME[n] for n in ("with BGR", "with [0, 255]", "with 1/255 of it"))
CROPS = tuple(BY_NAME[n] for n in ("with BGR", "enlarged by 1.25", "reduced to .8"))

SPEC = BackboneSpec(
    name="redness",
    dim=144,
    input_size=(96, 96),
    crop=((1.0, 0.0, -64.0), (0.0, 1.0, -80.0)),
    similarity="cosine",
    licence="none",
    origin="a test",
    sha256=None,
    differentiable=True,
    may_be_unseen_judge=False,
    customary_threshold=None,
)


class Redness(Backbone):
    """How much redder than blue a face is, place by place: in the wrong order nothing is left."""

    def embed_input(self, inputs: Tensor) -> Tensor:
        redder = (inputs[:, 0] - inputs[:, 2]).clamp(min=0)[:, None]
        places = F.avg_pool2d(redder, 8).flatten(1)
        return places - places.mean(dim=1, keepdim=True)


@pytest.fixture(scope="module")
def people() -> FaceSet:
    """60 people who do not exist: 1,770 pairs, an FMR of .017."""
    return generate_faces(60, 3, seed=7)


@pytest.fixture(scope="module")
def fewer(people: FaceSet) -> FaceSet:
    """30 of them: 435 pairs, an FMR of .069."""
    return people.take(range(90))


# --- the check


def test_a_right_record_is_not_accused(fewer: FaceSet) -> None:
    told: list[int] = []
    check = check_backbone(load_backbone("dlib"), fewer, advance=told.append)
    assert check.suspect is None
    assert [o.name for o in check.outcomes] == ["as declared", *BY_NAME]
    assert "check the" not in check.verdict
    assert (check.subjects, check.faces) == (30, 90)
    assert check.fmr == pytest.approx(30 / 435)
    assert sum(told) == 13 * 90


@pytest.mark.parametrize("wrong", ["with 1/255 of it", "with [0, 255]"])
def test_a_wrong_range_is_named(
    fewer: FaceSet, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbone_check, "VARIANTS", FEW)
    check = check_backbone(Altered(load_backbone("dlib"), BY_NAME[wrong]), fewer)
    (undone,) = {"with 1/255 of it", "with [0, 255]"} - {wrong}
    assert check.suspect is not None
    assert (check.suspect.name, check.suspect.point) == (undone, "value range")
    assert check.suspect.gain is not None
    assert (check.suspect.gain.low or 0) > 0
    assert check.verdict.endswith(f" {undone}: check the value range")


def test_a_wrong_crop_is_named(people: FaceSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbone_check, "VARIANTS", CROPS)
    check = check_backbone(Altered(load_backbone("dlib"), BY_NAME["with the whole crop"]), people)
    assert check.suspect is not None, check.outcomes
    assert (check.suspect.name, check.suspect.point) == ("enlarged by 1.25", "crop")


def test_a_wrong_order_of_colours_is_named(people: FaceSet) -> None:
    assert check_backbone(Redness(SPEC), people).suspect is None
    check = check_backbone(Altered(Redness(SPEC), BY_NAME["with BGR"]), people)
    assert check.suspect is not None, check.outcomes
    assert (check.suspect.name, check.suspect.point) == ("with BGR", "colour order")
    declared, better = check.outcomes[0].tmr, check.suspect.tmr
    assert declared is not None
    assert better is not None
    assert check.verdict == (
        f"TMR {short(declared.value)} as declared, {short(better.value)} with BGR: "
        "check the colour order"
    )


def test_a_network_that_does_not_care_is_not_accused(people: FaceSet) -> None:
    class Noise(Redness):
        def embed_input(self, inputs: Tensor) -> Tensor:
            draw = torch.Generator().manual_seed(int(inputs.sum() * 1e3) % 2**31)
            return torch.randn(len(inputs), 144, generator=draw)

    check = check_backbone(Noise(SPEC), people)
    assert check.suspect is None
    assert check.verdict.endswith(": no difference that can be told") or (
        check.verdict.startswith("as declared is best")
    )


def test_what_an_altered_input_breaks_is_not_measured(fewer: FaceSet) -> None:
    class Fragile(Redness):
        def embed_input(self, inputs: Tensor) -> Tensor:
            return super().embed_input(inputs) / (0 if inputs.max() > 100 else 1)

    check = check_backbone(Fragile(SPEC), fewer)
    broken = [o for o in check.outcomes if o.tmr is None]
    assert [o.name for o in broken] == ["with [0, 255]"]
    assert "NaN or infinite" in broken[0].why_not
    with pytest.raises(FaceleakError, match="NaN or infinite"):
        check_backbone(Altered(Fragile(SPEC), BY_NAME["with [0, 255]"]), fewer)


def test_too_few_people_are_refused(people: FaceSet) -> None:
    with pytest.raises(InputError, match=r"24 people are too few .* at least 25"):
        check_backbone(Redness(SPEC), people.take(range(72)))
    with pytest.raises(InputError, match="fewer than 5 people have two pictures"):
        check_backbone(Redness(SPEC), people.take([*range(0, 180, 3), 1, 4, 7, 10]))


# --- the ways to alter an input


@pytest.mark.parametrize(
    ("wrong", "undone"),
    [
        ("with BGR", "with BGR"),
        ("with [0, 255]", "with 1/255 of it"),
        ("with [-1, 1]", "with [.5, 1]"),
        ("moved right by 10 %", "moved left by 10 %"),
        ("moved down by 10 %", "moved up by 10 %"),
        ("enlarged by 1.25", "reduced to .8"),
    ],
)
def test_each_mistake_has_one_that_undoes_it(fewer: FaceSet, wrong: str, undone: str) -> None:
    class Input(Redness):
        def embed_input(self, inputs: Tensor) -> Tensor:
            return inputs

    crops = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    plain = Input(SPEC)
    for one, other in ((wrong, undone), (undone, wrong)):
        altered = Altered(plain, BY_NAME[one])
        assert not torch.allclose(altered(crops), plain(crops), atol=1e-2)
        torch.testing.assert_close(
            Altered(altered, BY_NAME[other])(crops), plain(crops), atol=2e-4, rtol=0
        )


def test_crops_move_as_they_are_called() -> None:
    """Convention: the picture moves within the input; sides of (height, width) = (96, 48)."""
    spec = replace(SPEC, input_size=(96, 48))

    def place(name: str) -> list[float]:
        crop = np.array(Altered(Redness(spec), BY_NAME[name]).spec.crop)
        return (crop @ [100.0, 120.0, 1.0]).round(3).tolist()

    assert (np.array(spec.crop) @ [100.0, 120.0, 1.0]).tolist() == [36.0, 40.0]
    assert place("moved right by 10 %") == [40.8, 40.0]
    assert place("moved up by 10 %") == [36.0, 30.4]
    assert place("enlarged by 1.25") == [39.125, 38.125]  # away from the middle (23.5, 47.5)
    corner = np.array(Altered(Redness(spec), BY_NAME["with the whole crop"]).spec.crop)
    np.testing.assert_allclose(corner @ [223.0, 223.0, 1.0], [47.0, 95.0])


def test_rates_are_written_short() -> None:
    assert [short(r) for r in (0.934, 0.999, 1.0, 0.0, 0.5)] == [".93", "1", "1", "0", ".50"]
